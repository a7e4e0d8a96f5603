// Package certchain decides whether a certificate may stand for a workload: it parses what a
// CreateSession request carries, builds and validates the path from the end-entity certificate to
// a trust anchor (RFC 5280 §6), checks revocation lists, and returns a [Verified] certificate,
// which no other package can make.
//
// It does not check request signatures (package sigv4), map certificates to session tags (package
// certattr), fetch anything, or consult the machine's own trust store.
//
// # Choices where the service's documentation is silent
//
//   - Trust stops at the anchor, which may be an intermediate CA. The anchor's own validity,
//     path length, name constraints and extended key usage apply too (RFC 5937).
//   - An extended key usage (EKU) is never required. Where the path has one, the purposes are
//     nested: an EKU on a CA narrows everything below it. A path is refused only when nothing but
//     codeSigning, timeStamping or OCSPSigning is left: such keys sign what strangers hand them,
//     so a signature of theirs proves nothing about who sent a request. serverAuth alone is
//     accepted, because many workloads hold nothing else.
//   - RSA 2048–8192 and the curves P-256, P-384 and P-521 with SHA-256 or stronger are accepted,
//     for every certificate in the path. Ed25519 and ML-DSA are refused.
//   - A key that is on the operator's list of blocked keys is refused wherever it is in the path, the anchor included
//     ([Verifier.WithBlocked]).
//   - Any certificate policy is acceptable. The policy tree of RFC 5280 §6.1 is not built: a path
//     with policy constraints that require an explicit policy is refused (known gap).
//   - A certificate in the chain header that does not parse is left aside: it cannot
//     become part of a path.
//   - Revocation: every certificate of the path, the anchor included, is looked up in every given
//     CRL of the same issuer name. A listed serial is refused whether the CRL is current or not:
//     an old list still revokes. A CRL past its nextUpdate does not block certificates that it
//     does not list, unless Input.RequireCurrentCRLs is set. CRL signatures are checked on
//     import ([CRL.CheckSignature]); at verification a list can only take trust away.
//
// Start reading at [Verifier.Verify], then path.go.
package certchain
