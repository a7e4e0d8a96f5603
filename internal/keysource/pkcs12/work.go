package pkcs12

import (
	"bytes"
	"encoding/asn1"

	"github.com/rolecall/rolecall/internal/keysource"
)

// maxRounds bounds the sum of all iteration counts of a file. OpenSSL 3 asks for 2048 in each of three places,
// Windows for 2000, the strictest tools for about a million.
const maxRounds = 10_000_000

// The values of object identifiers whose parameters are a salt and an iteration count.
const (
	oidPBE    = "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01" // prefix: pkcs-12PbeIds (RFC 7292 app. C)
	oidPBKDF2 = "\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c" // RFC 8018 A.2
)

// checkWork refuses a file that would keep the program busy: it adds up the iteration counts that stand outside the
// encrypted parts, those of the MAC (RFC 7292 §4) and of every algorithm.
func checkWork(data []byte, limit int) error {
	w := &work{limit: limit}
	pfx := children(data, 1)
	if len(pfx) == 1 {
		pfx = children(pfx[0].Bytes, 3)
	}
	if len(pfx) < 2 || !w.walk(data, 0) {
		return keysource.Errorf(adviceExport, "the PKCS#12 file is malformed or not DER")
	}
	if len(pfx) == 3 {
		if mac := children(pfx[2].Bytes, 3); len(mac) == 3 {
			w.add(mac[2])
		}
	}
	if w.sum > limit {
		return keysource.Errorf(adviceExport, "the PKCS#12 file asks for more than %d rounds of password hashing", limit)
	}
	return nil
}

type work struct{ limit, sum int }

// walk goes through all values that are not encrypted. PKCS#12 wraps its parts in OCTET STRINGs, so one that holds
// just a SEQUENCE is read too, whatever comes of it. It reports whether the outer values are well-formed.
func (w *work) walk(b []byte, depth int) bool {
	if depth > 32 {
		return false
	}
	for len(b) > 0 {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(b, &v)
		if err != nil {
			return false
		}
		b = rest
		switch {
		case v.IsCompound:
			w.algorithm(v.Bytes)
			if !w.walk(v.Bytes, depth+1) {
				return false
			}
		case v.Class == asn1.ClassUniversal && v.Tag == asn1.TagOctetString && len(v.Bytes) > 0 && v.Bytes[0] == 0x30:
			w.walk(v.Bytes, depth+1)
		}
	}
	return true
}

// algorithm counts the rounds if b is the inside of an AlgorithmIdentifier that has some.
func (w *work) algorithm(b []byte) {
	alg := children(b, 2)
	if len(alg) < 2 || alg[0].Tag != asn1.TagOID ||
		!bytes.HasPrefix(alg[0].Bytes, []byte(oidPBE)) && !bytes.Equal(alg[0].Bytes, []byte(oidPBKDF2)) {
		return
	}
	if params := children(alg[1].Bytes, 2); len(params) == 2 {
		w.add(params[1])
	}
}

// add counts an INTEGER; a negative or large one is more than the limit.
func (w *work) add(v asn1.RawValue) {
	n := 0
	for _, c := range v.Bytes {
		if n = n<<8 | int(c); n > w.limit {
			break
		}
	}
	if w.sum += n; w.sum > w.limit {
		w.sum = w.limit + 1 // no overflow
	}
}

// children splits at most limit values off b.
func children(b []byte, limit int) []asn1.RawValue {
	var out []asn1.RawValue
	for len(b) > 0 && len(out) < limit {
		var v asn1.RawValue
		rest, err := asn1.Unmarshal(b, &v)
		if err != nil {
			return out
		}
		out, b = append(out, v), rest
	}
	return out
}
