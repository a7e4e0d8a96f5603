package server

import "regexp"

// foreign matches the operations that the project does not mean to have: sign-in to a console (passwords), second factors,
// keys and certificates of services that are not here, SAML, organizations (root access of member accounts), the delegation
// requests of AWS's partners, and the reports on credentials and last access that AWS makes in the background.
var foreign = regexp.MustCompile(`LoginProfile|MFADevice|SSHPublicKey|ServerCertificate|SigningCertificate|SAML|Organization|ServiceSpecificCredential|Delegation|ChangePassword|AccountPasswordPolicy|CredentialReport|ServiceLastAccessed|HumanReadableSummary|DelegatedAccessToken|AssumeRoot`)

// outOfScope reports whether an operation that nothing binds is not meant to be served at all.
func outOfScope(action string) bool { return foreign.MatchString(action) }
