package dn

import "strings"

// Attribute types that callers name.
const (
	CommonName   OID = "2.5.4.3"
	EmailAddress OID = "1.2.840.113549.1.9.1"
)

// shortName returns the text that session tags and DN strings use for an attribute type.
func shortName(oid OID) (string, bool) {
	switch oid {
	case CommonName:
		return "CN", true
	case "2.5.4.4":
		return "SN", true
	case "2.5.4.5":
		return "serialNumber", true
	case "2.5.4.6":
		return "C", true
	case "2.5.4.7":
		return "L", true
	case "2.5.4.8":
		return "ST", true
	case "2.5.4.9":
		return "STREET", true
	case "2.5.4.10":
		return "O", true
	case "2.5.4.11":
		return "OU", true
	case "2.5.4.12":
		return "title", true
	case "2.5.4.17":
		return "postalCode", true
	case "2.5.4.41":
		return "name", true
	case "2.5.4.42":
		return "GN", true
	case "2.5.4.43":
		return "initials", true
	case "2.5.4.44":
		return "generationQualifier", true
	case "2.5.4.46":
		return "dnQualifier", true
	case "2.5.4.65":
		return "pseudonym", true
	case "0.9.2342.19200300.100.1.25":
		return "DC", true
	case "0.9.2342.19200300.100.1.1":
		return "UID", true
	case EmailAddress:
		return "emailAddress", true
	}
	return "", false
}

// namedTypes lists every type that shortName knows.
func namedTypes() []OID {
	return []OID{
		CommonName, "2.5.4.4", "2.5.4.5", "2.5.4.6", "2.5.4.7", "2.5.4.8", "2.5.4.9", "2.5.4.10",
		"2.5.4.11", "2.5.4.12", "2.5.4.17", "2.5.4.41", "2.5.4.42", "2.5.4.43", "2.5.4.44",
		"2.5.4.46", "2.5.4.65", "0.9.2342.19200300.100.1.25", "0.9.2342.19200300.100.1.1", EmailAddress,
	}
}

// Label returns the type's short name, or its dotted form if it has none.
func (o OID) Label() string {
	if name, ok := shortName(o); ok {
		return name
	}
	return string(o)
}

// Lookup finds the type that a short name (letter case ignored) or a dotted OID stands for.
func Lookup(label string) (OID, bool) {
	for _, oid := range namedTypes() {
		if name, _ := shortName(oid); strings.EqualFold(name, label) {
			return oid, true
		}
	}
	if isDotted(label) {
		return OID(label), true
	}
	return "", false
}

// isDotted reports whether s is an OID: two or more decimal numbers without leading zeros, the
// first at most 2 (X.660).
func isDotted(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(s) > 128 || len(parts[0]) != 1 || parts[0][0] > '2' {
		return false
	}
	for _, p := range parts {
		if p == "" || (len(p) > 1 && p[0] == '0') || strings.Trim(p, "0123456789") != "" {
			return false
		}
	}
	return true
}
