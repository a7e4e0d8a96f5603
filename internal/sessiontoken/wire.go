package sessiontoken

import (
	"encoding/binary"
	"encoding/hex"
	"errors"

	"github.com/rolecall/rolecall/internal/arn"
)

// A string is a varint (length in bytes ‖ form in the two low bits) and the bytes. Ids of certificates and resources
// are hex and UUIDs, which take half of their characters.
const (
	formText = 0
	formHex  = 1 // even number of lower-case hex digits; the length is of the bytes behind them
	formUUID = 2 // 16 bytes, printed in lower case
)

// errRecord is every defect of a record.
var errRecord = errors.New("malformed record")

type encoder struct {
	b       []byte
	tooLong string // the first field beyond its limit
}

func (e *encoder) byte(v byte)     { e.b = append(e.b, v) }
func (e *encoder) number(v uint64) { e.b = binary.AppendUvarint(e.b, v) }

func (e *encoder) string(field, s string, limit int) {
	if len(s) > limit {
		if e.tooLong == "" {
			e.tooLong = field
		}
		return
	}
	if isUUID(s) {
		e.number(16<<2 | formUUID)
		e.hex(s[0:8], s[9:13], s[14:18], s[19:23], s[24:36])
		return
	}
	if len(s) >= 4 && len(s)%2 == 0 && isHex(s) {
		e.number(uint64(len(s))/2<<2 | formHex)
		e.hex(s)
		return
	}
	e.number(uint64(len(s))<<2 | formText)
	e.b = append(e.b, s...)
}

// hex appends what the digits stand for. They have been checked.
func (e *encoder) hex(digits ...string) {
	for _, s := range digits {
		for i := 0; i < len(s); i += 2 {
			e.b = append(e.b, nibble(s[i])<<4|nibble(s[i+1]))
		}
	}
}

// decoder reads a record. After the first defect it is bad, and yields zero values only.
type decoder struct {
	b    []byte
	text string // the same bytes: one allocation that all decoded strings share
	bad  bool
}

func newDecoder(b []byte) decoder { return decoder{b: b, text: string(b)} }

func (d *decoder) fail() { d.bad, d.b, d.text = true, nil, "" }

func (d *decoder) skip(n int) { d.b, d.text = d.b[n:], d.text[n:] }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.skip(1)
	return v
}

// number reads a varint of at most most, in its shortest form.
func (d *decoder) number(most uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 || v > most || (n > 1 && d.b[n-1] == 0) {
		d.fail()
		return 0
	}
	d.skip(n)
	return v
}

func (d *decoder) string(limit int) string {
	head := d.number(uint64(limit)<<2 | 3)
	n, form := int(head>>2), head&3
	if d.bad || n > len(d.b) {
		d.fail()
		return ""
	}
	raw, text := d.b[:n], d.text[:n]
	d.skip(n)
	switch {
	case form == formText:
		return text
	case form == formHex && 2*n <= limit:
		return hex.EncodeToString(raw)
	case form == formUUID && n == 16:
		return arn.FormatUUID([16]byte(raw))
	}
	d.fail()
	return ""
}

func (d *decoder) provenance() *Provenance {
	p := &Provenance{
		Region:        arn.Region(d.string(maxName)),
		TrustAnchorID: d.string(maxName),
		ProfileID:     d.string(maxName),
		CertSerial:    d.string(maxName),
		CertIssuer:    d.string(maxIssuer),
	}
	if len(d.b) < len(p.CertFingerprint) {
		d.fail()
		return nil
	}
	copy(p.CertFingerprint[:], d.b)
	d.skip(len(p.CertFingerprint))
	return p
}

func nibble(c byte) byte {
	if c >= 'a' {
		return c - 'a' + 10
	}
	return c - '0'
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

func isUUID(s string) bool {
	return len(s) == 36 && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		isHex(s[0:8]) && isHex(s[9:13]) && isHex(s[14:18]) && isHex(s[19:23]) && isHex(s[24:36])
}
