package selector

import (
	"crypto/x509"
	"encoding/asn1"
	"strings"
	"unicode/utf16"
)

// sanKinds are the prefixes of x509SAN.
func sanKinds() []string { return []string{"dns", "email", "uri", "ip", "upn"} }

type altName struct{ kind, value string }

func (n altName) String() string { return n.kind + ":" + n.value }

// altNames are the subject alternative names of the kinds above.
func altNames(c *x509.Certificate) []altName {
	var out []altName
	for _, v := range c.DNSNames {
		out = append(out, altName{"dns", v})
	}
	for _, v := range c.EmailAddresses {
		out = append(out, altName{"email", v})
	}
	for _, v := range c.URIs {
		out = append(out, altName{"uri", v.String()})
	}
	for _, v := range c.IPAddresses {
		out = append(out, altName{"ip", v.String()})
	}
	for _, v := range principalNames(c) {
		out = append(out, altName{"upn", v})
	}
	return out
}

func extension(c *x509.Certificate, oid string) []byte {
	for _, e := range c.Extensions {
		if e.Id.String() == oid {
			return e.Value
		}
	}
	return nil
}

// principalNames reads Microsoft's user principal names, otherNames of type 1.3.6.1.4.1.311.20.2.3 (RFC 5280 §4.2.1.6).
func principalNames(c *x509.Certificate) []string {
	var list asn1.RawValue
	if _, err := asn1.Unmarshal(extension(c, "2.5.29.17"), &list); err != nil {
		return nil
	}
	var out []string
	for rest := list.Bytes; len(rest) > 0; {
		var name, value, text asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &name); err != nil {
			return out
		}
		if name.Class != asn1.ClassContextSpecific || name.Tag != 0 {
			continue
		}
		var oid asn1.ObjectIdentifier
		tail, err := asn1.Unmarshal(name.Bytes, &oid)
		if err != nil || oid.String() != "1.3.6.1.4.1.311.20.2.3" {
			continue
		}
		if _, err := asn1.Unmarshal(tail, &value); err != nil { // [0] EXPLICIT
			continue
		}
		if _, err := asn1.Unmarshal(value.Bytes, &text); err == nil && text.Tag == asn1.TagUTF8String {
			out = append(out, string(text.Bytes))
		}
	}
	return out
}

// templates are the names and object identifiers of the Microsoft certificate template ([MS-WCCE] 2.2.2.7.7.1 and .2).
func templates(c *x509.Certificate) []string {
	var out []string
	var raw asn1.RawValue
	if _, err := asn1.Unmarshal(extension(c, "1.3.6.1.4.1.311.20.2"), &raw); err == nil {
		out = append(out, stringOf(raw))
	}
	var v2 struct {
		ID           asn1.ObjectIdentifier
		Major, Minor int `asn1:"optional"`
	}
	if _, err := asn1.Unmarshal(extension(c, "1.3.6.1.4.1.311.21.7"), &v2); err == nil {
		out = append(out, v2.ID.String())
	}
	return out
}

// stringOf decodes a BMPString (UTF-16, big-endian), else the bytes as they are.
func stringOf(v asn1.RawValue) string {
	if v.Tag != asn1.TagBMPString || len(v.Bytes)%2 != 0 {
		return string(v.Bytes)
	}
	var units []uint16
	for i := 0; i < len(v.Bytes); i += 2 {
		units = append(units, uint16(v.Bytes[i])<<8|uint16(v.Bytes[i+1]))
	}
	return string(utf16.Decode(units))
}

// like compares without regard to case; * in the pattern stands for any text, also an empty one.
func like(pattern, text string) bool {
	parts := strings.Split(strings.ToLower(pattern), "*")
	text = strings.ToLower(text)
	if len(parts) == 1 {
		return parts[0] == text
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(text, first) || !strings.HasSuffix(text[len(first):], last) {
		return false
	}
	text = text[len(first) : len(text)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(text, p)
		if i < 0 {
			return false
		}
		text = text[i+len(p):]
	}
	return true
}
