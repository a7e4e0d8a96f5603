// Package authority is the engine of a certificate authority: it makes and opens CA keys, checks a request for a
// certificate against its template, builds and signs certificates, revocation lists and OCSP answers, and checks the
// certificate that a CA is to carry itself.
//
// It stores nothing, knows no API and decides nothing about who may ask. What it does not have: ML-DSA and SM2 keys,
// delta lists, OCSP signed by the CA itself: responders have a key and a certificate of their own.
//
// Start with [Prepare], which checks a [Request] and is the only maker of a [Token], and [Issuer.Issue], which takes
// nothing else. templates.go is the table of what each template lets through.
package authority
