package certchain

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/rolecall/rolecall/internal/blockedkeys"
)

// Input is one question to a [Verifier]. The byte slices are not kept or changed.
type Input struct {
	Leaf   []byte   // DER of the end-entity certificate
	Parsed *Leaf    // what Verifier.Leaf returned for Leaf; nil to have it looked up
	Chain  [][]byte // DER, any order; may contain the leaf, the anchor, duplicates and strangers
	// Anchors is the trust anchor to end at.
	Anchors *Anchors
	CRLs    []*CRL // enabled revocation lists of that anchor
	Now     time.Time
	// RequireCurrentCRLs refuses certificates whose issuer's CRL is past its nextUpdate.
	RequireCurrentCRLs bool
}

// Verifier validates paths and remembers the valid ones. Only a path that was found valid is
// remembered, and a leaf has at most a few remembered paths, so that a sender of
// untrusted certificates or of shuffled chains cannot push others out. Safe for concurrent use.
type Verifier struct {
	cache    *pathCache
	blocked  *blockedkeys.List
	prepared preparedKeys
}

// DefaultMaxCached is the number of leaves that a Verifier remembers unless told otherwise.
const DefaultMaxCached = 2000

// NewVerifier returns a Verifier that remembers about maxCached leaves, never more;
// 0 means [DefaultMaxCached], a negative number none.
func NewVerifier(maxCached int) *Verifier {
	if maxCached == 0 {
		maxCached = DefaultMaxCached
	}
	return &Verifier{cache: newPathCache(maxCached)}
}

// WithBlocked makes the verifier refuse paths in which a certificate, the anchor included, has a blocked key, and returns
// it. When the list changes, what was remembered is validated anew. Call it before the first use.
func (v *Verifier) WithBlocked(keys *blockedkeys.List) *Verifier {
	v.blocked = keys
	return v
}

// DecodeHeaders decodes like the function of this name, and faster for certificates that are used often: parsed is such
// a leaf, or nil. The bytes must not be changed.
func (v *Verifier) DecodeHeaders(x509Header, chainHeader string) (leaf []byte, chain [][]byte, parsed *Leaf, err error) {
	if parsed = v.prepared.find(x509Header); parsed == nil {
		leaf, chain, err = DecodeHeaders(x509Header, chainHeader)
		return leaf, chain, nil, err
	}
	if chain, err = decodeChain(parsed.cert.Raw, chainHeader); err != nil {
		return nil, nil, nil, err
	}
	return parsed.cert.Raw, chain, parsed, nil
}

// Leaf parses a leaf before anything is known about it, so that the request's signature can be
// checked first. Leaves of remembered paths are not parsed again; others are not remembered.
// The error is an *[Error] with reason Malformed or Weak.
func (v *Verifier) Leaf(der []byte) (*Leaf, error) {
	if len(der) > MaxCertificateBytes {
		return nil, refuse(Malformed, msgMalformed, "the certificate is larger than %d bytes", MaxCertificateBytes)
	}
	fingerprint := fingerprintOf(der)
	if e := v.cache.get(fingerprint); e != nil {
		return e.leaf, nil
	}
	return newLeaf(der, fingerprint)
}

// Verify validates the certificate at in.Now. The error is an *[Error]; see the package comment
// for the rules. Revocation lists are consulted on every call. Callers check the request's
// signature with [Verifier.Leaf]'s key first: then nobody without the private key of a valid
// certificate reaches the cache or makes this function check signatures.
func (v *Verifier) Verify(in *Input) (*Verified, error) {
	if in.Anchors == nil || len(in.Anchors.certs) == 0 || in.Now.IsZero() {
		return nil, refuse(Untrusted, msgUntrusted, "there is no trust anchor to verify against")
	}
	if len(in.Chain) > MaxChainCertificates+1 {
		return nil, tooMany(len(in.Chain))
	}
	leaf := in.Parsed
	if leaf == nil {
		var err error
		if leaf, err = v.Leaf(in.Leaf); err != nil {
			return nil, err
		}
	}
	key := pathKey{anchors: in.Anchors.id, chain: chainHash(in.Chain), blocked: v.blocked.Generation()}
	if found := v.cache.find(leaf.fingerprint, key, in.Now); found != nil {
		if err := checkRevocation(found, in); err != nil {
			return nil, err
		}
		v.prepared.count(leaf)
		return found, nil
	}
	verified, err := validate(leaf, in, v.blocked)
	if err != nil {
		return nil, err
	}
	if err := checkRevocation(verified, in); err != nil {
		return nil, err
	}
	v.cache.put(leaf, key, verified)
	return verified, nil
}

// chainHash identifies a chain as sent; the zero value is the empty chain.
func chainHash(chain [][]byte) (sum [32]byte) {
	if len(chain) == 0 {
		return sum
	}
	h := sha256.New()
	var size [8]byte
	for _, der := range chain {
		// The length in front keeps two chains of the same bytes cut differently apart.
		binary.BigEndian.PutUint64(size[:], uint64(len(der)))
		h.Write(size[:])
		h.Write(der)
	}
	h.Sum(sum[:0])
	return sum
}

// validate does the whole work for a path that is not remembered.
func validate(leaf *Leaf, in *Input, blocked *blockedkeys.List) (*Verified, error) {
	if err := checkLeaf(leaf.cert, in.Now); err != nil {
		return nil, err
	}
	if blocked.Contains(leaf.cert.PublicKey) {
		return nil, refuse(Weak, msgInsufficient, "%s", blockedkeys.Reason)
	}
	b, err := newBuilder(leaf.cert, in)
	if err != nil {
		return nil, err
	}
	b.blocked = blocked
	path, err := b.build()
	if err != nil {
		return nil, err
	}
	return newVerified(leaf, path), nil
}

func newVerified(leaf *Leaf, path []*authority) *Verified {
	v := &Verified{leaf: leaf, notBefore: leaf.cert.NotBefore, notAfter: leaf.cert.NotAfter}
	for _, node := range path {
		cert := node.cert
		v.path = append(v.path, cert)
		v.issuers = append(v.issuers, node.issuerKey)
		v.serials = append(v.serials, serialContent(cert.SerialNumber))
		if cert.NotBefore.After(v.notBefore) {
			v.notBefore = cert.NotBefore
		}
		if cert.NotAfter.Before(v.notAfter) {
			v.notAfter = cert.NotAfter
		}
	}
	return v
}
