package s3iam

import (
	"bytes"
	"io"
	"net/http/httptest"
	"testing"
)

// BenchmarkRequest is what the two questions of one S3 request cost, without the socket.
func BenchmarkRequest(b *testing.B) {
	r := newRig(b, "", nil)
	r.role("worker", allowAll)
	c := r.session("worker", nil)
	key := request(b, "/private/derive-signing-key", gatewayKey, signingKeyRequest{AccessKeyID: c.AccessKeyID, SessionToken: c.SessionToken, Date: "20260501", Region: "us-east-1", Service: "s3"})
	decision := request(b, "/private/evaluate-policy", gatewayKey, evaluateRequest{
		AccessKeyID: c.AccessKeyID, SessionToken: c.SessionToken, Actions: []string{"s3:GetObject"}, Resources: []string{"arn:aws:s3:::data/key"},
		Condition: map[string][]string{"aws:SourceIp": {"192.0.2.1"}, "aws:UserAgent": {"client/1"}, "aws:SecureTransport": {"true"}}, Region: "us-east-1",
	})
	for _, q := range []struct {
		name string
		body []byte
	}{{"signing key", must(io.ReadAll(key.Body))}, {"decision", must(io.ReadAll(decision.Body))}} {
		req := key
		if q.name == "decision" {
			req = decision
		}
		b.Run(q.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				req.Body = io.NopCloser(bytes.NewReader(q.body))
				w := httptest.NewRecorder()
				if r.ServeHTTP(w, req); w.Code != 200 {
					b.Fatal(w.Body)
				}
			}
		})
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
