// Package sigv4 signs and verifies AWS Signature Version 4: in the Authorization header, in the query of a
// presigned URL, over aws-chunked streams, and with the key of an X.509 certificate (SigV4-X509, as IAM Roles
// Anywhere uses it).
//
// It turns a request into [Claims] (who says what was signed) and checks them against a key that the caller looked up.
// It does not look keys up, does not compare a scope's region or service with what the caller serves, does not
// compare a certificate serial with the certificate, does not validate certificates and does not remember signatures
// (a replay inside the clock window is the caller's to judge). SigV4A and version 2 signatures are refused.
//
// A server starts with [Parse], looks up the secret for [Claims.KeyID], and calls [Claims.Verify] or
// [Claims.VerifyX509]; for a streaming payload it then reads the body through [Claims.OpenStream].
// A client starts with [Sign], [Presign] or [SignX509].
package sigv4
