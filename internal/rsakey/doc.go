// Package rsakey verifies RSA PKCS #1 v1.5 signatures faster for keys that sign often. For such a key it keeps the modulus in
// the form that the arithmetic needs, which crypto/rsa derives again for every signature: a third of the time at 2048 bits.
//
// It only verifies: everything it touches is public. The arithmetic is that of the standard library (filippo.io/bigmod is its
// exported form). It signs nothing, and the keys it is given come from certificates that were parsed before.
//
// Start with [New] and [Key.Verify].
package rsakey
