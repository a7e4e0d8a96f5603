// Package p256 verifies ECDSA signatures over P-256 faster for keys that sign often. For such a key it keeps multiples of
// the public point, which spares most of the doublings of a verification: about half of the time that crypto/ecdsa needs.
//
// It only verifies: everything it touches is public, so that nothing here needs to run in constant time. The field and the
// point arithmetic are those of the standard library (filippo.io/nistec is its exported form). It signs nothing, and the
// keys it is given come from certificates that were parsed before.
//
// Start with [New] and [Key.Verify].
package p256
