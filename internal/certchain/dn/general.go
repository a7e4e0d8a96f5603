package dn

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Kind is the choice of a GeneralName, its context tag number (RFC 5280 §4.2.1.6).
type Kind uint8

// The kinds of general names.
const (
	OtherName     Kind = 0
	RFC822Name    Kind = 1
	DNSName       Kind = 2
	X400Address   Kind = 3
	DirectoryName Kind = 4
	EDIPartyName  Kind = 5
	URI           Kind = 6
	IPAddress     Kind = 7
	RegisteredID  Kind = 8
)

// String returns the name that the kind has in X.509 texts.
func (k Kind) String() string {
	names := [...]string{"otherName", "email", "DNS", "x400Address", "directoryName", "ediPartyName", "URI", "IP", "registeredID"}
	if int(k) >= len(names) {
		return "unknown"
	}
	return names[k]
}

// MaxGeneralNames bounds one list of general names.
const MaxGeneralNames = 1024

// GeneralName is one entry of a subject alternative name or a constraint.
type GeneralName struct {
	Kind Kind
	// Bytes is the content: text for email, DNS and URI, an address (in constraints with its
	// mask) for IP, the DER of the Name for directoryName. It shares the input's memory.
	Bytes []byte
}

var errGeneralNames = errors.New("malformed general names")

// ParseGeneralNames reads the DER of GeneralNames, the value of a subject alternative name.
func ParseGeneralNames(der []byte) ([]GeneralName, error) {
	input := cryptobyte.String(der)
	var list cryptobyte.String
	if !input.ReadASN1(&list, cbasn1.SEQUENCE) || !input.Empty() {
		return nil, errGeneralNames
	}
	var names []GeneralName
	for !list.Empty() {
		name, ok := ReadGeneralName(&list)
		if !ok || len(names) == MaxGeneralNames {
			return nil, errGeneralNames
		}
		names = append(names, name)
	}
	return names, nil
}

// ReadGeneralName reads one GeneralName from the front of s.
func ReadGeneralName(s *cryptobyte.String) (name GeneralName, ok bool) {
	var content cryptobyte.String
	var tag cbasn1.Tag
	if !s.ReadAnyASN1(&content, &tag) {
		return name, false
	}
	const classMask, constructed, contextSpecific = 0xC0, 0x20, 0x80
	name = GeneralName{Kind: Kind(tag & 0x1F), Bytes: content}
	if tag&classMask != contextSpecific || name.Kind > RegisteredID {
		return name, false
	}
	switch name.Kind {
	case OtherName, X400Address, DirectoryName, EDIPartyName:
		return name, tag&constructed != 0
	}
	return name, tag&constructed == 0
}
