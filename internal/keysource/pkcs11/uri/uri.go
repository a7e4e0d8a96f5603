// Package uri reads PKCS#11 URIs (RFC 7512), which name a token, an object on it, the module to reach it by, and its PIN.
//
// It is pure: it opens no module and reads no PIN file. Start with [Parse].
package uri

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Scheme begins every PKCS#11 URI.
const Scheme = "pkcs11:"

const maxLength = 4096 // bytes

// URI is a parsed URI. A nil attribute was not given and matches everything.
type URI struct {
	// Path attributes of the library, the slot and the token (RFC 7512 §2.3).
	LibraryManufacturer, LibraryDescription, LibraryVersion *string
	SlotManufacturer, SlotDescription                       *string
	SlotID                                                  *uint
	Token, Manufacturer, Serial, Model                      *string

	// Path attributes of the object.
	Object *string // CKA_LABEL
	ID     []byte  // CKA_ID; nil: not given
	Type   string  // public, private, cert, secret-key, data or ""

	// Query attributes (RFC 7512 §2.4).
	ModulePath, ModuleName string
	PINSource              string // a path or file: URI
	PINValue               *string
}

// Parse reads a URI. Errors do not quote it: it may hold a PIN.
func Parse(text string) (*URI, error) {
	if len(text) > maxLength {
		return nil, fmt.Errorf("it is longer than %d bytes", maxLength)
	}
	if len(text) < len(Scheme) || !strings.EqualFold(text[:len(Scheme)], Scheme) {
		return nil, fmt.Errorf("it does not begin with %q", Scheme)
	}
	text, _, fragment := strings.Cut(text[len(Scheme):], "#")
	if fragment {
		return nil, errors.New("it has a fragment (#)")
	}
	path, query, _ := strings.Cut(text, "?")
	u := &URI{}
	if err := each(path, ";", u.setPath); err != nil {
		return nil, err
	}
	if err := each(query, "&", u.setQuery); err != nil {
		return nil, err
	}
	if u.PINValue != nil && u.PINSource != "" { // RFC 7512 §2.4
		return nil, errors.New("it has both pin-value and pin-source")
	}
	return u, nil
}

func each(text, separator string, set func(name, value string) error) error {
	seen := map[string]bool{}
	for _, part := range strings.Split(text, separator) {
		if part == "" {
			continue
		}
		name, raw, ok := strings.Cut(part, "=")
		if !ok {
			return errors.New("one of its attributes has no =")
		}
		if seen[name] { // RFC 7512 §2.3: an attribute must not stand twice
			return fmt.Errorf("it has the attribute %q twice", name)
		}
		seen[name] = true
		value, err := decode(raw)
		if err != nil {
			return fmt.Errorf("its attribute %q is malformed: %w", name, err)
		}
		if err := set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (u *URI) setPath(name, value string) error {
	switch name {
	case "library-manufacturer":
		u.LibraryManufacturer = &value
	case "library-description":
		u.LibraryDescription = &value
	case "library-version":
		u.LibraryVersion = &value
	case "slot-manufacturer":
		u.SlotManufacturer = &value
	case "slot-description":
		u.SlotDescription = &value
	case "slot-id":
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return errors.New("its slot-id is not a decimal number")
		}
		id := uint(n)
		u.SlotID = &id
	case "token":
		u.Token = &value
	case "manufacturer":
		u.Manufacturer = &value
	case "serial":
		u.Serial = &value
	case "model":
		u.Model = &value
	case "object":
		u.Object = &value
	case "id":
		u.ID = append([]byte{}, value...)
	case "type":
		switch value {
		case "public", "private", "cert", "secret-key", "data":
			u.Type = value
		default:
			return fmt.Errorf("its type %q is unknown", value)
		}
	default:
		// An attribute that is not understood cannot be matched, so nothing could (RFC 7512 §2.3).
		return fmt.Errorf("it has the unknown attribute %q", name)
	}
	return nil
}

func (u *URI) setQuery(name, value string) error {
	switch name {
	case "module-path":
		u.ModulePath = value
	case "module-name":
		if strings.ContainsAny(value, `/\`) { // RFC 7512 §2.4: no path components
			return errors.New("its module-name is a path; use module-path")
		}
		u.ModuleName = value
	case "pin-source":
		if strings.HasPrefix(value, "|") {
			return errors.New("its pin-source is a command, which is not supported; name a file")
		}
		u.PINSource = value
	case "pin-value":
		u.PINValue = &value
	}
	return nil // what is unknown in the query is to be ignored (RFC 7512 §2.4)
}

// decode undoes percent-encoding (RFC 3986 §2.1).
func decode(raw string) (string, error) {
	var b bytes.Buffer
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '%' {
			if i+2 >= len(raw) {
				return "", errors.New("% without two hexadecimal digits")
			}
			n, err := strconv.ParseUint(raw[i+1:i+3], 16, 8)
			if err != nil {
				return "", errors.New("% without two hexadecimal digits")
			}
			c = byte(n)
			i += 2
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// PINFile is the path of PINSource.
func (u *URI) PINFile() string {
	path, ok := strings.CutPrefix(u.PINSource, "file:")
	if ok && strings.HasPrefix(path, "//") {
		path = strings.TrimPrefix(path, "//")
		if i := strings.IndexByte(path, '/'); i > 0 { // file://localhost/path
			path = path[i:]
		}
	}
	return path
}

// Encode percent-encodes a value for a URI.
func Encode[T ~string | ~[]byte](value T) string {
	var b strings.Builder
	for _, c := range []byte(value) {
		if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
