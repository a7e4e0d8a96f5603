package certchain

import (
	"crypto/x509"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/internal/certchain/dn"
)

// Verified is an end-entity certificate whose path to a trust anchor has been validated and which
// was on no CRL when [Verifier.Verify] returned it. Only Verify makes one (the zero value holds no
// certificate). It is shared between requests: it and everything it returns must not be changed.
type Verified struct {
	leaf      *Leaf
	path      []*x509.Certificate // leaf first, anchor last
	serials   [][]byte            // of path, as in the DER INTEGER: what CRLs are indexed by
	issuers   []dn.Key            // issuer names of path
	notBefore time.Time           // intersection over the path
	notAfter  time.Time
	memo      atomic.Pointer[any]
}

// Leaf returns the end-entity certificate.
func (v *Verified) Leaf() *x509.Certificate { return v.leaf.cert }

// Parsed returns the end-entity certificate with its derived forms.
func (v *Verified) Parsed() *Leaf { return v.leaf }

// Path returns a copy of the validated path, from the leaf to the anchor, both included.
func (v *Verified) Path() []*x509.Certificate { return slices.Clone(v.path) }

// Anchor returns the trust anchor's certificate that the path ends at.
func (v *Verified) Anchor() *x509.Certificate { return v.path[len(v.path)-1] }

// Fingerprint returns the SHA-256 of the leaf.
func (v *Verified) Fingerprint() [32]byte { return v.leaf.fingerprint }

// SerialHex returns the leaf's serial number in lower-case hex of even length.
func (v *Verified) SerialHex() string { return v.leaf.serialHex }

// SerialDecimal returns the leaf's serial number in decimal.
func (v *Verified) SerialDecimal() string { return v.leaf.serialDec }

// ValidUntil returns the earliest notAfter of the path.
func (v *Verified) ValidUntil() time.Time { return v.notAfter }

// Memo returns the value that the first call's make produced, and lives as long as v does.
// Concurrent first calls may each run make; all of them get the same value. It has one user:
// package certattr.
func (v *Verified) Memo(make func() any) any {
	if p := v.memo.Load(); p != nil {
		return *p
	}
	value := make()
	if v.memo.CompareAndSwap(nil, &value) {
		return value
	}
	return *v.memo.Load()
}
