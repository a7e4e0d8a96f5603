package sigv4

// Limits on what Parse and Verify look at. They are far above what real clients send; an ML-DSA-87 Authorization
// header, the largest known, has 9.5 KB.
const (
	maxAuthorization = 16 << 10
	maxQuery         = 64 << 10
	maxParams        = 1024
	maxPath          = 16 << 10
	maxSignedHeaders = 128
	maxHeaderName    = 128
	maxKeyID         = 128
	maxScopePart     = 64
	maxToken         = 16 << 10
	maxSignature     = 10 << 10 // hexadecimal digits
	maxCanonical     = 1 << 20
	maxHosts         = 8 // alternate hosts tried
)
