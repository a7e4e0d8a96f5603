package authority

import (
	"encoding/asn1"
	"net/netip"
	"net/url"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// GeneralName is one subject alternative name as the API takes it: exactly one field is set.
type GeneralName struct {
	OtherName    *OtherName
	RFC822       *string
	DNS          *string
	Directory    *Subject
	EDIParty     *EDIPartyName
	URI          *string
	IP           *string // an address, not a network
	RegisteredID *string // object identifier
}

// OtherName is a name of a type that an object identifier tells. The value is encoded as UTF8String.
type OtherName struct{ TypeID, Value string }

// EDIPartyName is the name of a party in electronic data interchange. Assigner may be empty.
type EDIPartyName struct{ Assigner, Party string }

// maxNames bounds the alternative names of one certificate, as the API does.
const maxNames = 150

// encodeNames is the value of a subject alternative name extension (RFC 5280 §4.2.1.6).
func encodeNames(names []GeneralName) ([]byte, error) {
	if len(names) == 0 || len(names) > maxNames {
		return nil, refuse(BadArgument, "there must be 1 to %d alternative names", maxNames)
	}
	var b cryptobyte.Builder
	var bad error
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := range names {
			if bad == nil {
				bad = names[i].add(b)
			}
		}
	})
	if bad != nil {
		return nil, bad
	}
	der, err := b.Bytes()
	if err != nil {
		return nil, refuse(BadArgument, "the alternative names cannot be encoded")
	}
	return der, nil
}

func (n *GeneralName) add(b *cryptobyte.Builder) error {
	set := 0
	for _, is := range []bool{n.OtherName != nil, n.RFC822 != nil, n.DNS != nil, n.Directory != nil, n.EDIParty != nil, n.URI != nil, n.IP != nil, n.RegisteredID != nil} {
		if is {
			set++
		}
	}
	if set != 1 {
		return refuse(BadArgument, "a general name has exactly one form, not %d", set)
	}
	text := func(k dn.Kind, value string, ok bool) error {
		if !ok {
			return refuse(BadArgument, "%q is not valid as a %s name", clip(value), k)
		}
		b.AddASN1(contextTag(k), func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
		return nil
	}
	switch {
	case n.RFC822 != nil:
		return text(dn.RFC822Name, *n.RFC822, validMailbox(*n.RFC822))
	case n.DNS != nil:
		return text(dn.DNSName, *n.DNS, validDNS(*n.DNS))
	case n.URI != nil:
		return text(dn.URI, *n.URI, validURI(*n.URI))
	case n.IP != nil:
		addr, err := netip.ParseAddr(*n.IP)
		if err != nil || addr.Zone() != "" {
			return text(dn.IPAddress, *n.IP, false)
		}
		return text(dn.IPAddress, string(addr.Unmap().AsSlice()), true)
	case n.RegisteredID != nil:
		oid, err := parseOID(*n.RegisteredID)
		if err != nil {
			return err
		}
		var inner cryptobyte.Builder
		inner.AddASN1ObjectIdentifier(oid)
		var content cryptobyte.String
		der, err := inner.Bytes()
		whole := cryptobyte.String(der)
		if err != nil || !whole.ReadASN1(&content, cbasn1.OBJECT_IDENTIFIER) {
			return refuse(BadArgument, "%q is not an object identifier", clip(*n.RegisteredID))
		}
		b.AddASN1(contextTag(dn.RegisteredID), func(b *cryptobyte.Builder) { b.AddBytes(content) })
		return nil
	case n.Directory != nil:
		der, err := n.Directory.DER()
		if err != nil {
			return err
		}
		// Name is a CHOICE: its tag stays explicit.
		b.AddASN1(contextTag(dn.DirectoryName).Constructed(), func(b *cryptobyte.Builder) { b.AddBytes(der) })
		return nil
	case n.OtherName != nil:
		return n.OtherName.add(b)
	}
	return n.EDIParty.add(b)
}

func (o *OtherName) add(b *cryptobyte.Builder) error {
	oid, err := parseOID(o.TypeID)
	if err != nil {
		return err
	}
	if o.Value == "" || !plainText(o.Value) {
		return refuse(BadArgument, "the value of other name %s is not text", clip(o.TypeID))
	}
	b.AddASN1(contextTag(dn.OtherName).Constructed(), func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oid)
		b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(o.Value)) })
		})
	})
	return nil
}

func (e *EDIPartyName) add(b *cryptobyte.Builder) error {
	if e.Party == "" || !plainText(e.Party) || !plainText(e.Assigner) {
		return refuse(BadArgument, "the EDI party name is not text")
	}
	directoryString := func(b *cryptobyte.Builder, tag uint8, value string) {
		b.AddASN1(explicit(tag), func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.UTF8String, func(b *cryptobyte.Builder) { b.AddBytes([]byte(value)) })
		})
	}
	b.AddASN1(contextTag(dn.EDIPartyName).Constructed(), func(b *cryptobyte.Builder) {
		if e.Assigner != "" {
			directoryString(b, 0, e.Assigner)
		}
		directoryString(b, 1, e.Party)
	})
	return nil
}

func contextTag(k dn.Kind) cbasn1.Tag { return cbasn1.Tag(uint8(k)).ContextSpecific() }

func explicit(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }

func plainText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

// validMailbox is RFC 5321's Mailbox as far as it matters to a certificate: one address of ASCII characters.
func validMailbox(s string) bool {
	local, host, ok := strings.Cut(s, "@")
	return ok && local != "" && len(local) <= 64 && ascii(s) && !strings.ContainsAny(s, " <>,") && !strings.Contains(host, "@") && validDNS(host)
}

// validDNS takes names in preferred name syntax (RFC 5280 §4.2.1.6), with "_" as in service names, and one leading
// wildcard label.
func validDNS(s string) bool {
	s = strings.TrimPrefix(s, "*.")
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			c := label[i]
			if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
				return false
			}
		}
	}
	return true
}

// validURI takes absolute URIs of ASCII characters, with or without a host.
func validURI(s string) bool {
	if s == "" || !ascii(s) || strings.Contains(s, " ") {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.Scheme != "" && (u.Host != "" || u.Opaque != "" || u.Path != "")
}

// checkNames refuses a raw list of alternative names that holds anything crypto/x509 or this package would not have
// written: certificates are read by parsers that are less strict.
func checkNames(der []byte) error {
	names, err := dn.ParseGeneralNames(der)
	if err != nil || len(names) == 0 || len(names) > maxNames {
		return refuse(BadCSR, "the subject alternative names must be 1 to %d well-formed general names", maxNames)
	}
	for _, n := range names {
		ok := true
		switch n.Kind {
		case dn.DNSName:
			ok = validDNS(string(n.Bytes))
		case dn.RFC822Name:
			ok = validMailbox(string(n.Bytes))
		case dn.URI:
			ok = validURI(string(n.Bytes))
		case dn.IPAddress:
			ok = len(n.Bytes) == 4 || len(n.Bytes) == 16
		case dn.DirectoryName:
			_, err := dn.Parse(n.Bytes)
			ok = err == nil
		case dn.OtherName:
			ok = validOtherName(n.Bytes)
		case dn.X400Address:
			ok = false
		}
		if !ok {
			return refuse(BadCSR, "the %s name among the alternative names is not valid", n.Kind)
		}
	}
	return nil
}

// validOtherName checks the outer form; what the value holds is its type's business.
func validOtherName(der []byte) bool {
	s := cryptobyte.String(der)
	var oid asn1.ObjectIdentifier
	var value, inner cryptobyte.String
	var tag cbasn1.Tag
	return s.ReadASN1ObjectIdentifier(&oid) && s.ReadASN1(&value, explicit(0)) && s.Empty() &&
		value.ReadAnyASN1(&inner, &tag) && value.Empty()
}
