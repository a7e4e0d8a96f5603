// Package revocation is what a trust anchor says about revoked certificates beyond AWS: which online sources are asked
// when a session is made (a CA's distribution points, OCSP), and whether sessions end with their certificate. The
// settings are tags of the trust anchor.
//
// It does not validate paths and does not parse lists (package certchain), and never connects to where its configuration
// does not allow. Start with [OptionsOf] for the settings, [Checker.Check] for certificates, [CheckSession] for sessions.
package revocation
