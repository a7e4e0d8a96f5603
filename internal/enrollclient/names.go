package enrollclient

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/netip"
	"strings"
)

// ParseNames reads a subject "CN=host1.example.com,O=Example" and alternative names "DNS:…", "IP:…", "EMAIL:…", "URI:…". In
// the subject, a backslash takes the special meaning off a comma.
func ParseNames(subject string, alternatives []string) (*Names, error) {
	var name pkix.RDNSequence
	for rest := subject; rest != ""; {
		label, after, ok := strings.Cut(rest, "=")
		oid := attributeType(strings.TrimSpace(label))
		if !ok || oid == nil {
			return nil, fmt.Errorf("the subject %q is not a list of CN=, O=, OU=, C=, ST= and L=", subject)
		}
		var value string
		value, rest = cutValue(after)
		if value == "" {
			return nil, fmt.Errorf("the subject's %s is empty", label)
		}
		name = append(name, pkix.RelativeDistinguishedNameSET{{Type: oid, Value: value}})
	}
	der, err := asn1.Marshal(name)
	if err != nil {
		return nil, err
	}
	n := &Names{Subject: der}
	if len(alternatives) == 0 {
		return n, nil
	}
	var list []asn1.RawValue
	for _, text := range alternatives {
		kind, value, ok := strings.Cut(text, ":")
		tag, known := map[string]int{"EMAIL": 1, "DNS": 2, "URI": 6, "IP": 7}[strings.ToUpper(kind)]
		content := []byte(value)
		if tag == 7 {
			addr, err := netip.ParseAddr(value)
			ok = ok && err == nil
			content = addr.Unmap().AsSlice()
		}
		if !ok || !known || value == "" {
			return nil, fmt.Errorf("%q is no alternative name: write DNS:…, IP:…, EMAIL:… or URI:…", text)
		}
		list = append(list, asn1.RawValue{Class: asn1.ClassContextSpecific, Tag: tag, Bytes: content})
	}
	if der, err = asn1.Marshal(list); err != nil {
		return nil, err
	}
	n.Alternatives = []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: len(name) == 0, Value: der}}
	return n, nil
}

func attributeType(label string) asn1.ObjectIdentifier {
	last, ok := map[string]int{"CN": 3, "C": 6, "L": 7, "ST": 8, "O": 10, "OU": 11}[strings.ToUpper(label)]
	if !ok {
		return nil
	}
	return asn1.ObjectIdentifier{2, 5, 4, last}
}

func cutValue(text string) (value, rest string) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case text[i] == ',':
			return b.String(), text[i+1:]
		default:
			b.WriteByte(text[i])
		}
	}
	return b.String(), ""
}
