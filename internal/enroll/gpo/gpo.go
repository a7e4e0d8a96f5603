// Package gpo reads and writes Registry.pol, the file in which a Group Policy object sets registry values (MS-GPREG 2.2.1),
// and makes the values that have a domain's computers or users enroll by themselves.
//
// It writes no files to SYSVOL and knows no LDAP. Start with [AutoEnrollment] and [Marshal].
package gpo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// Registry value types, MS-GPREG 2.2.1 and winnt.h.
const (
	String = 1 // REG_SZ
	Binary = 3 // REG_BINARY
	DWord  = 4 // REG_DWORD
)

// Limits of a file, a value's data (MS-GPREG 2.2.1), a key's or value's name in characters, and the values of a file.
const (
	maxFile  = 16 << 20
	maxData  = 0xffff
	maxName  = 260
	maxCount = 100_000
)

// Value is one registry value. A name that begins with ** is a command, such as **del. (MS-GPREG 3.2.5.1).
type Value struct {
	Key  string // such as Software\Policies\…, without the hive
	Name string // may be empty, for the key's default value
	Type uint32
	Data []byte
}

// Text is a value of type REG_SZ.
func Text(key, name, s string) Value { return Value{key, name, String, utf16z(s)} }

// Number is a value of type REG_DWORD.
func Number(key, name string, n uint32) Value {
	return Value{key, name, DWord, binary.LittleEndian.AppendUint32(nil, n)}
}

// Text returns the string of a REG_SZ value.
func (v Value) Text() (string, bool) {
	if v.Type != String || len(v.Data)%2 != 0 {
		return "", false
	}
	u := make([]uint16, len(v.Data)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(v.Data[2*i:])
	}
	if n := len(u); n > 0 && u[n-1] == 0 {
		u = u[:n-1]
	}
	return string(utf16.Decode(u)), true
}

// Number returns the number of a REG_DWORD value.
func (v Value) Number() (uint32, bool) {
	if v.Type != DWord || len(v.Data) != 4 {
		return 0, false
	}
	return binary.LittleEndian.Uint32(v.Data), true
}

// utf16z is s in UTF-16LE with a terminating zero.
func utf16z(s string) []byte {
	var b []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// header is the signature PReg and version 1.
var header = []byte("PReg\x01\x00\x00\x00")

var errFormat = errors.New("not a well-formed Registry.pol")

// Marshal makes a Registry.pol of values, in their order.
func Marshal(values []Value) ([]byte, error) {
	b := slices.Clone(header)
	for _, v := range values {
		if v.Key == "" || !validName(v.Key) || !validName(v.Name) || len(v.Data) > maxData {
			return nil, fmt.Errorf("registry value %.80q of key %.80q cannot be written", v.Name, v.Key)
		}
		b = append(b, '[', 0)
		b = append(append(b, utf16z(v.Key)...), ';', 0)
		b = append(append(b, utf16z(v.Name)...), ';', 0)
		b = append(binary.LittleEndian.AppendUint32(b, v.Type), ';', 0)
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(v.Data))), ';', 0)
		b = append(append(b, v.Data...), ']', 0)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("a Registry.pol of %d bytes, more than %d", len(b), maxFile)
	}
	return b, nil
}

// validName accepts what survives the way through UTF-16 and back.
func validName(s string) bool {
	return !strings.ContainsRune(s, 0) && !strings.ContainsRune(s, '\ufffd') && strings.ToValidUTF8(s, "\x00") == s && len(utf16.Encode([]rune(s))) <= maxName
}

// Parse reads a Registry.pol of at most 16 MiB and 100,000 values.
func Parse(b []byte) ([]Value, error) {
	if len(b) > maxFile || len(b) < len(header) || string(b[:len(header)]) != string(header) {
		return nil, errFormat
	}
	r := reader{b: b[len(header):]}
	var values []Value
	for len(r.b) > 0 && !r.bad {
		if len(values) == maxCount {
			return nil, errFormat
		}
		var v Value
		r.mark('[')
		v.Key = r.name()
		r.mark(';')
		v.Name = r.name()
		r.mark(';')
		v.Type = r.u32()
		r.mark(';')
		size := r.u32()
		r.mark(';')
		if size > maxData {
			return nil, errFormat
		}
		v.Data = slices.Clone(r.take(int(size)))
		r.mark(']')
		if v.Key == "" {
			return nil, errFormat
		}
		values = append(values, v)
	}
	if r.bad {
		return nil, errFormat
	}
	return values, nil
}

// reader takes values from the front of b until one is bad.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return nil
	}
	s := r.b[:n]
	r.b = r.b[n:]
	return s
}

func (r *reader) mark(c byte) {
	if s := r.take(2); s == nil || s[0] != c || s[1] != 0 {
		r.bad = true
	}
}

func (r *reader) u32() uint32 {
	if s := r.take(4); s != nil {
		return binary.LittleEndian.Uint32(s)
	}
	return 0
}

// name reads a zero-terminated string.
func (r *reader) name() string {
	var u []uint16
	for {
		s := r.take(2)
		if s == nil {
			return ""
		}
		c := binary.LittleEndian.Uint16(s)
		if c == 0 {
			break
		}
		if u = append(u, c); len(u) > maxName {
			r.bad = true
			return ""
		}
	}
	s := string(utf16.Decode(u))
	if !validName(s) {
		r.bad = true // half of a surrogate pair
	}
	return s
}
