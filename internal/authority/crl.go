package authority

import (
	"bufio"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"io"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// RevocationReason is a reason code of RFC 5280 §5.3.1.
type RevocationReason int

// Reasons lists the reasons that the API knows. 6 and 8, for holds and delta lists, are not among them.
func Reasons() map[string]RevocationReason {
	return map[string]RevocationReason{
		"UNSPECIFIED": 0, "KEY_COMPROMISE": 1, "CERTIFICATE_AUTHORITY_COMPROMISE": 2, "AFFILIATION_CHANGED": 3,
		"SUPERSEDED": 4, "CESSATION_OF_OPERATION": 5, "PRIVILEGE_WITHDRAWN": 9, "A_A_COMPROMISE": 10,
	}
}

// Revocation is one entry of a list.
type Revocation struct {
	Serial *big.Int
	At     time.Time
	Reason RevocationReason
}

// AppendRevocation appends an entry as it stands in a list (RFC 5280 §5.1.2.6) to b.
func AppendRevocation(b []byte, r *Revocation) ([]byte, error) {
	c := cryptobyte.NewBuilder(b)
	c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1BigInt(r.Serial)
		addTime(c, r.At)
		if r.Reason == 0 { // left out, as the RFC asks
			return
		}
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
				c.AddASN1ObjectIdentifier(asn1.ObjectIdentifier{2, 5, 29, 21})
				c.AddASN1(cbasn1.OCTET_STRING, func(c *cryptobyte.Builder) { c.AddASN1Enum(int64(r.Reason)) })
			})
		})
	})
	return c.Bytes()
}

// addTime writes UTCTime before 2050 and GeneralizedTime from then on (RFC 5280 §5.1.2.4).
func addTime(c *cryptobyte.Builder, t time.Time) {
	if t = t.UTC(); t.Year() >= 2050 {
		c.AddASN1GeneralizedTime(t)
		return
	}
	c.AddASN1UTCTime(t)
}

// List says what a revocation list contains beside its entries.
type List struct {
	Algorithm SigningAlgorithm
	Now       time.Time     // the list's number is its milliseconds: it grows as long as the clock does
	Life      time.Duration // > 0
	// Partition is the address of a partition's list, "" for a complete list. It stands in a critical issuing distribution
	// point (RFC 5280 §5.2.5), so that the list counts for no certificate that names another address.
	Partition string
}

// WriteCRL signs the list (RFC 5280 §5) whose entries are the size bytes of entries, as [AppendRevocation] made them, and
// writes it to w. Entries are read twice and never held in memory.
func (i *Issuer) WriteCRL(w io.Writer, l *List, entries io.ReaderAt, size int64) (int64, error) {
	cert := i.Certificate
	switch {
	case cert == nil:
		return 0, errors.New("authority: a CA without a certificate signs no list")
	case cert.KeyUsage != 0 && cert.KeyUsage&x509.KeyUsageCRLSign == 0:
		return 0, errors.New("authority: the CA's certificate does not allow it to sign lists")
	case l.Life <= 0:
		return 0, errors.New("authority: a list must have a lifetime")
	case size < 0:
		return 0, errors.New("authority: a list has no negative size")
	}
	algorithm, hash, err := l.Algorithm.identifier(i.PublicKey)
	if err != nil {
		return 0, err
	}
	head, tail, err := i.frame(l, algorithm, size)
	if err != nil {
		return 0, err
	}
	digest := hash.New()
	digest.Write(head)
	if _, err := io.Copy(digest, io.NewSectionReader(entries, 0, size)); err != nil {
		return 0, err
	}
	digest.Write(tail)
	signature, err := i.signDigest(digest.Sum(nil), hash)
	if err != nil {
		return 0, err
	}
	end := append(algorithm[:len(algorithm):len(algorithm)], signature...)
	total := int64(len(head)+len(tail)+len(end)) + size
	out := bufio.NewWriter(w) // keeps the first error
	outer := header(cbasn1.SEQUENCE, total)
	out.Write(outer)
	out.Write(head)
	if n, err := io.Copy(out, io.NewSectionReader(entries, 0, size)); err != nil || n != size {
		return 0, errors.Join(err, errUnlike(n, size))
	}
	out.Write(tail)
	out.Write(end)
	return total + int64(len(outer)), out.Flush()
}

func errUnlike(n, size int64) error {
	if n != size {
		return io.ErrUnexpectedEOF
	}
	return nil
}

// signDigest returns the signature as a BIT STRING.
func (i *Issuer) signDigest(digest []byte, hash crypto.Hash) ([]byte, error) {
	var c cryptobyte.Builder
	err := i.use(func(key crypto.Signer) error {
		sig, err := key.Sign(rand.Reader, digest, hash)
		c.AddASN1BitString(sig)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.Bytes()
}

// frame is the TBSCertList before and after its size bytes of entries.
func (i *Issuer) frame(l *List, algorithm []byte, size int64) (head, tail []byte, err error) {
	var before, after cryptobyte.Builder
	before.AddASN1Int64(1) // v2
	before.AddBytes(algorithm)
	before.AddBytes(i.Certificate.RawSubject)
	addTime(&before, l.Now.Truncate(time.Second))
	addTime(&before, l.Now.Add(l.Life).Truncate(time.Second))
	if size > 0 { // RFC 5280 §5.1.2.6: no empty list
		before.AddBytes(header(cbasn1.SEQUENCE, size))
	}
	id := i.Certificate.SubjectKeyId
	if len(id) == 0 {
		if id, err = keyID(i.Certificate.RawSubjectPublicKeyInfo); err != nil {
			return nil, nil, err
		}
	}
	authorityKey, err := authorityKeyID(id)
	if err != nil {
		return nil, nil, err
	}
	after.AddASN1(explicit(0), func(c *cryptobyte.Builder) {
		c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
			addExtension(c, authorityKey.Id, false, func(c *cryptobyte.Builder) { c.AddBytes(authorityKey.Value) })
			addExtension(c, asn1.ObjectIdentifier{2, 5, 29, 20}, false, func(c *cryptobyte.Builder) { c.AddASN1Int64(l.Now.UnixMilli()) })
			if l.Partition != "" {
				addExtension(c, asn1.ObjectIdentifier{2, 5, 29, 28}, true, func(c *cryptobyte.Builder) {
					c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
						c.AddASN1(explicit(0), func(c *cryptobyte.Builder) { // distributionPoint
							c.AddASN1(explicit(0), func(c *cryptobyte.Builder) { // fullName
								c.AddASN1(cbasn1.Tag(6).ContextSpecific(), func(c *cryptobyte.Builder) { c.AddBytes([]byte(l.Partition)) })
							})
						})
					})
				})
			}
		})
	})
	first, err := before.Bytes()
	if err != nil {
		return nil, nil, err
	}
	if tail, err = after.Bytes(); err != nil {
		return nil, nil, err
	}
	return append(header(cbasn1.SEQUENCE, int64(len(first)+len(tail))+size), first...), tail, nil
}

func addExtension(c *cryptobyte.Builder, oid asn1.ObjectIdentifier, critical bool, value func(*cryptobyte.Builder)) {
	c.AddASN1(cbasn1.SEQUENCE, func(c *cryptobyte.Builder) {
		c.AddASN1ObjectIdentifier(oid)
		if critical {
			c.AddASN1Boolean(true)
		}
		c.AddASN1(cbasn1.OCTET_STRING, value)
	})
}

// header is tag and length of an element whose content is written elsewhere.
func header(tag cbasn1.Tag, length int64) []byte {
	if length < 0x80 {
		return []byte{byte(tag), byte(length)}
	}
	var digits []byte
	for n := length; n > 0; n >>= 8 {
		digits = append([]byte{byte(n)}, digits...)
	}
	return append([]byte{byte(tag), 0x80 | byte(len(digits))}, digits...)
}
