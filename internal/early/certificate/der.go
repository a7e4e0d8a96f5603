package certificate

// Tags of what is read of a certificate: X.690 §8.
const (
	tagInteger   = 0x02
	tagBitString = 0x03
	tagOID       = 0x06
	tagSequence  = 0x30
	tagVersion   = 0xa0
)

// Contents of the OIDs of keys that can sign: RFC 3279 §2.3.1 and §2.3.5.
const (
	oidRSA = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01"
	oidEC  = "\x2a\x86\x48\xce\x3d\x02\x01"
)

// der is what is left of some DER; bad once something was not as it should be.
type der struct {
	rest []byte
	bad  bool
}

// take reads one element with this tag, in the shortest form of its length: X.690 §10.1.
func (d *der) take(tag byte) der {
	b := d.rest
	if d.bad || len(b) < 2 || b[0] != tag {
		d.bad = true
		return der{bad: true}
	}
	length, header := int(b[1]), 2
	if length >= 0x80 {
		n := length & 0x7f
		if n == 0 || n > 2 || len(b) < 2+n || b[2] == 0 {
			d.bad = true
			return der{bad: true}
		}
		length = 0
		for _, c := range b[2 : 2+n] {
			length = length<<8 | int(c)
		}
		if header += n; length < 0x80 {
			d.bad = true
			return der{bad: true}
		}
	}
	if length > len(b)-header {
		d.bad = true
		return der{bad: true}
	}
	d.rest = b[header+length:]
	return der{rest: b[header : header+length]}
}

func (d *der) ended() bool { return !d.bad && len(d.rest) == 0 }

// parse finds the serial number and the key's algorithm in a certificate: RFC 5280 §4.1. It passes over the rest.
func parse(b []byte) (serial []byte, algorithm string, ok bool) {
	file := der{rest: b}
	certificate := file.take(tagSequence)
	tbs := certificate.take(tagSequence)
	certificate.take(tagSequence)
	certificate.take(tagBitString)
	version := tbs.take(tagVersion)
	number := version.take(tagInteger)
	serial = tbs.take(tagInteger).rest
	for range 4 { // signature, issuer, validity, subject
		tbs.take(tagSequence)
	}
	key := tbs.take(tagSequence)
	kind := key.take(tagSequence)
	algorithm = string(kind.take(tagOID).rest)
	key.take(tagBitString)
	ok = file.ended() && certificate.ended() && version.ended() && key.ended() && !tbs.bad && !kind.bad &&
		string(number.rest) == "\x02" && positive(serial)
	return serial, algorithm, ok
}

// positive reports whether b is the shortest form of a number above zero: X.690 §8.3.2.
func positive(b []byte) bool {
	return len(b) > 0 && b[0] < 0x80 && (b[0] != 0 || len(b) > 1 && b[1] >= 0x80)
}
