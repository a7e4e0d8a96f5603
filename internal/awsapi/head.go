package awsapi

import "net/http"

// maxHead bounds target and headers together, in bytes. The largest legitimate request is a CreateSession with five
// chain certificates of 16 KiB, about 160 KiB.
const maxHead = 256 << 10

// CheckHead returns the error for a request whose target and headers are too large together, or nil. The router asks
// for all operations; a [RawHandler] asks by itself, so that it can record the refusal.
func CheckHead(r *http.Request) *Error {
	n := len(r.RequestURI)
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v)
		}
	}
	if n <= maxHead {
		return nil
	}
	return Errorf("RequestHeaderSectionTooLarge", http.StatusRequestHeaderFieldsTooLarge, "Your request header and query arguments exceed the maximum supported size: %d bytes, at most %d are allowed", n, maxHead)
}
