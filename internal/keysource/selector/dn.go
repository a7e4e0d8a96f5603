package selector

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// attribute is one type and value of a distinguished name, in the form in which names are compared.
type attribute struct {
	kind  string // object identifier in dots
	value string // lower case, single spaces
}

// attributeTypes maps short names, in lower case, to object identifiers: RFC 4514 §3, and what OpenSSL and Windows write.
func attributeType(name string) string {
	switch strings.ToLower(name) {
	case "cn":
		return "2.5.4.3"
	case "sn", "surname":
		return "2.5.4.4"
	case "serialnumber":
		return "2.5.4.5"
	case "c":
		return "2.5.4.6"
	case "l":
		return "2.5.4.7"
	case "st", "s":
		return "2.5.4.8"
	case "street":
		return "2.5.4.9"
	case "o":
		return "2.5.4.10"
	case "ou":
		return "2.5.4.11"
	case "t", "title":
		return "2.5.4.12"
	case "description":
		return "2.5.4.13"
	case "postalcode":
		return "2.5.4.17"
	case "gn", "g", "givenname":
		return "2.5.4.42"
	case "initials", "i":
		return "2.5.4.43"
	case "dnqualifier":
		return "2.5.4.46"
	case "dc":
		return "0.9.2342.19200300.100.1.25"
	case "uid":
		return "0.9.2342.19200300.100.1.1"
	case "e", "email", "emailaddress":
		return "1.2.840.113549.1.9.1"
	}
	name = strings.TrimPrefix(strings.ToLower(name), "oid.")
	if name == "" || strings.Trim(name, "0123456789.") != "" || name[0] == '.' || name[len(name)-1] == '.' {
		return ""
	}
	return name
}

// parseDN reads a name in the form of RFC 4514, of OpenSSL (/C=…/CN=…, or "C = …, CN = …") or of Windows (with ; and ").
func parseDN(text string) ([]attribute, error) {
	separators := ",+;"
	if strings.HasPrefix(text, "/") {
		text, separators = text[1:], "/"
	}
	var out []attribute
	for {
		part, rest, more, err := cutUnescaped(text, separators)
		if err != nil {
			return nil, err
		}
		kind, value, ok := strings.Cut(part, "=")
		if !ok {
			return nil, fmt.Errorf("%q has no =", part)
		}
		id := attributeType(strings.TrimSpace(kind))
		if id == "" {
			return nil, fmt.Errorf("unknown attribute type %q", kind)
		}
		plain, err := unescape(strings.TrimSpace(value))
		if err != nil {
			return nil, err
		}
		if out = append(out, attribute{id, fold(plain)}); len(out) > maxNames {
			return nil, fmt.Errorf("more than %d attributes", maxNames)
		}
		if !more {
			return out, nil
		}
		text = rest
	}
}

// cutUnescaped cuts text at the first separator that is neither escaped nor inside quotation marks.
func cutUnescaped(text, separators string) (part, rest string, more bool, err error) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(separators, c) >= 0:
			return text[:i], text[i+1:], true, nil
		}
	}
	if quoted {
		return "", "", false, errors.New("a quotation mark is missing")
	}
	return text, "", false, nil
}

// unescape undoes RFC 4514 §2.4: \c, \XX, "…" and #hex.
func unescape(v string) (string, error) {
	if after, ok := strings.CutPrefix(v, "#"); ok {
		der, err := hex.DecodeString(after)
		var raw asn1.RawValue
		if err == nil {
			_, err = asn1.Unmarshal(der, &raw)
		}
		if err != nil {
			return "", errors.New("the value after # is not the hexadecimal form of a DER value")
		}
		return string(raw.Bytes), nil
	}
	if len(v) > 1 && v[0] == '"' && v[len(v)-1] == '"' {
		v = strings.ReplaceAll(v[1:len(v)-1], `""`, `"`)
	}
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] != '\\' {
			b.WriteByte(v[i])
			continue
		}
		if i+2 < len(v) {
			if c, err := hex.DecodeString(v[i+1 : i+3]); err == nil {
				b.Write(c)
				i += 2
				continue
			}
		}
		if i++; i == len(v) {
			return "", errors.New(`a \ stands at the end`)
		}
		b.WriteByte(v[i])
	}
	return b.String(), nil
}

// fold is the form in which values are compared, after RFC 5280 §7.1 (caseIgnoreMatch), without its Unicode preparation.
func fold(v string) string { return strings.ToLower(strings.Join(strings.Fields(v), " ")) }

// readDN gives the attributes of a certificate's name.
func readDN(raw []byte) []attribute {
	var seq pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &seq); err != nil {
		return nil
	}
	var out []attribute
	for _, set := range seq {
		for _, a := range set {
			v, ok := a.Value.(string)
			if !ok {
				v = fmt.Sprint(a.Value)
			}
			out = append(out, attribute{a.Type.String(), fold(v)})
		}
	}
	return out
}

// sameAttributes compares names without regard to order, which every tool writes differently.
func sameAttributes(a, b []attribute) bool {
	if len(a) != len(b) || len(a) == 0 {
		return false
	}
	order := func(x, y attribute) int { return strings.Compare(x.kind+"="+x.value, y.kind+"="+y.value) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), order), slices.SortedFunc(slices.Values(b), order))
}
