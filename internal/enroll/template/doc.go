// Package template compiles a connector's certificate template into what the enrollment protocols need of it: the flag words
// and extensions that clients are told (MS-XCEP, MS-CRTD), and the same extensions for the certificates.
//
// It does no I/O and knows no callers. Start with [Compile] and [Template.Allows].
package template

import (
	"encoding/asn1"
	"strconv"
	"strings"
	"time"
)

// Template is a compiled template. It is never changed after [Compile].
type Template struct {
	ID, Name     string
	OID          asn1.ObjectIdentifier
	Major, Minor int
	Schema       int // 2, 3 or 4

	Validity, Renewal time.Duration

	SubjectFlags, EnrollmentFlags, GeneralFlags, KeyFlags uint32

	MinKeyLength int    // bits
	KeySpec      int    // 1 for key exchange, 2 for signature
	KeyUsage     uint32 // what a key may do for its client; 0 if the template does not say
	Algorithm    string // OID of the key's kind
	Hash         string // OID of the digest in the client's signatures; "" for any
	Providers    []string
	Superseded   []string
	Extensions   []Extension

	access []Access
}

// Extension is one extension of the certificates, DER inside.
type Extension struct {
	OID, Name string
	Critical  bool
	Value     []byte
}

// Bits of SubjectFlags (MS-CRTD 2.28).
const (
	SANDomainDNS  uint32 = 0x00400000
	SANSPN        uint32 = 0x00800000
	SANGUID       uint32 = 0x01000000
	SANUPN        uint32 = 0x02000000
	SANEmail      uint32 = 0x04000000
	SANDNS        uint32 = 0x08000000
	DNSAsCN       uint32 = 0x10000000
	SubjectEmail  uint32 = 0x20000000
	CommonName    uint32 = 0x40000000
	DirectoryPath uint32 = 0x80000000
)

// Bits of EnrollmentFlags (MS-CRTD 2.26).
const (
	symmetricAlgorithms uint32 = 0x1
	AutoEnrollment      uint32 = 0x20
	userInteraction     uint32 = 0x100
	removeInvalid       uint32 = 0x400
	keyReuse            uint32 = 0x2000
	noSecurityExtension uint32 = 0x80000
)

// Bits of GeneralFlags (MS-CRTD 2.4).
const (
	generalAutoEnrollment uint32 = 0x20
	machineType           uint32 = 0x40
	modified              uint32 = 0x20000
)

// Bits of KeyFlags (MS-CRTD 2.27).
const (
	exportableKey      uint32 = 0x10
	strongProtection   uint32 = 0x20
	alternateSignature uint32 = 0x40
	sameKeyRenewal     uint32 = 0x80
	legacyProvider     uint32 = 0x100
	clientVersionShift        = 24
)

// Machine reports a template for computers; the others are for users.
func (t *Template) Machine() bool { return t.GeneralFlags&machineType != 0 }

// Secured reports that certificates carry their holder's SID.
func (t *Template) Secured() bool { return t.EnrollmentFlags&noSecurityExtension == 0 }

// SameKey reports that a renewal keeps the old certificate's key.
func (t *Template) SameKey() bool { return t.KeyFlags&sameKeyRenewal != 0 }

// ClientVersion is the oldest version of Windows that the template is for: 1 for Server 2003 to 6 for Server 2016.
func (t *Template) ClientVersion() int { return int(t.KeyFlags >> clientVersionShift & 0xf) }

// parseOID reads a dotted object identifier with arcs below 2^31: certenroll, and the parsers that read certificates back,
// know no others.
func parseOID(text string) (asn1.ObjectIdentifier, bool) {
	parts := strings.Split(text, ".")
	if len(text) > 128 || len(parts) < 3 {
		return nil, false
	}
	oid := make(asn1.ObjectIdentifier, len(parts))
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 31)
		if err != nil || len(p) > 1 && p[0] == '0' {
			return nil, false
		}
		oid[i] = int(n)
	}
	return oid, oid[0] < 2 && oid[1] < 40 || oid[0] == 2
}
