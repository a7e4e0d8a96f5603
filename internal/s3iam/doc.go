// Package s3iam makes rolecalld the IAM of a Versity S3 Gateway: it answers the gateway's private protocol (version 1)
// with identities from sessions and users' keys and with decisions from their policies. The gateway asks twice per S3
// request, for the signing key and for the decision, and caches neither answer: what ends a session here ends it there
// with the next request.
//
// It sees no object and no bucket policy; the gateway combines its own bucket policies and ACLs with what it hears from
// here (see [Handler]). One handler serves one account. Start with [New]; [OpenGatewayFile] holds what the gateway has
// to be started with.
package s3iam
