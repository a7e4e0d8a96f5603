// Package issuance issues certificates from the private CAs in the store, for everything that does so: the private CA's
// API, Active Directory enrollment and enrollment over secure transport. It is where a CA's row becomes an issuer that
// can sign, and where a certificate becomes a row that survives.
//
// It knows what a CA is configured to do, but not who may ask for what: services authorize before they call it.
//
// Start with [Issuer.Issue].
package issuance
