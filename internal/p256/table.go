package p256

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/fips140"
	"encoding/binary"
	"errors"
	"math/bits"

	"filippo.io/nistec"
)

// A scalar is cut into parts of 32 bits, each with a table of odd multiples of its own power of two of the point: 32
// doublings serve all parts. Wider digits save fewer additions than they cost memory.
const (
	parts     = 8
	partBits  = 256 / parts
	width     = 6
	multiples = 1 << (width - 2) // odd ones below 2^(width-1); their negatives come free
)

// Key is a public key with its table, of 12 KiB. It is safe for concurrent use.
type Key struct {
	public *ecdsa.PublicKey
	table  [parts][multiples]nistec.P256Point // table[i][j] = (2j+1)·2^(32i)·Q
}

var (
	errCurve = errors.New("p256: the key is not on P-256")
	errFIPS  = errors.New("p256: in FIPS 140 mode signatures are verified by crypto/ecdsa alone")
)

// New prepares for a key that will verify often: it takes about as long as one verification. It refuses keys of other curves,
// and all keys where the program runs in FIPS 140 mode.
func New(public *ecdsa.PublicKey) (*Key, error) {
	if fips140.Enabled() {
		return nil, errFIPS
	}
	if public == nil || public.Curve != elliptic.P256() {
		return nil, errCurve
	}
	encoded, err := public.Bytes() // refuses points that are not on the curve
	if err != nil {
		return nil, err
	}
	point, err := nistec.NewP256Point().SetBytes(encoded)
	if err != nil {
		return nil, err
	}
	k := &Key{public: public}
	var double nistec.P256Point
	for i := range k.table {
		row := &k.table[i]
		row[0].Set(point)
		double.Double(point)
		for j := 1; j < multiples; j++ {
			row[j].Add(&row[j-1], &double)
		}
		for range partBits {
			point.Double(point)
		}
	}
	return k, nil
}

// Is reports that the key was prepared for public itself, not for a copy of it.
func (k *Key) Is(public *ecdsa.PublicKey) bool { return k.public == public }

// digits is a part in non-adjacent form: value = Σ digits[i]·2^i, digits odd or zero, below 2^(width-1) in size.
type digits [partBits + 1]int8

func (d *digits) set(part uint32) {
	*d = digits{}
	rest := uint64(part)
	for i := 0; rest != 0; {
		zeros := bits.TrailingZeros64(rest)
		i += zeros
		rest >>= zeros
		digit := int64(rest & (1<<width - 1))
		if digit >= 1<<(width-1) {
			digit -= 1 << width
		}
		d[i] = int8(digit)
		rest = uint64(int64(rest) - digit)
	}
}

// multiply sets q to scalar·Q. scalar is big-endian.
func (k *Key) multiply(q *nistec.P256Point, scalar *[32]byte) {
	var naf [parts]digits
	for i := range naf {
		naf[i].set(binary.BigEndian.Uint32(scalar[32-4*(i+1):]))
	}
	q.Set(nistec.NewP256Point()) // the point at infinity
	var negative nistec.P256Point
	for position := partBits; position >= 0; position-- {
		if position != partBits {
			q.Double(q)
		}
		for i := range naf {
			switch digit := naf[i][position]; {
			case digit > 0:
				q.Add(q, &k.table[i][digit/2])
			case digit < 0:
				q.Add(q, negative.Negate(&k.table[i][-digit/2]))
			}
		}
	}
}
