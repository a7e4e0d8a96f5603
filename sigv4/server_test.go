package sigv4

import (
	"context"
	"crypto/elliptic"
	"crypto/sha256"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// What net/http does to a request on its way, host and lengths moved into fields, headers added by the transport, both
// HTTP versions, must not disturb a signature.
func TestThroughNetHTTP(t *testing.T) {
	ec := ecKey(t, elliptic.P256())
	cert := selfSigned(t, ec)
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := Parse(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		key := DeriveKey(suiteSecret, c.Date, c.Region, c.Service)
		k := &Check{Now: c.Time}
		if c.Service == "s3" {
			k.Style = S3
		}
		if c.PayloadHash != "" && payloadMode(c.PayloadHash) == PayloadStreaming {
			if err = c.Verify(r, key, k); err == nil {
				var s *StreamReader
				if s, err = c.OpenStream(r, key, nil); err == nil {
					_, err = io.Copy(w, s)
				}
			}
		} else {
			body, _ := io.ReadAll(r.Body)
			k.BodySHA256 = sha256.Sum256(body)
			if c.X509() {
				k.Path = "/sessions"
				err = c.VerifyX509(r, ec.Public(), k)
			} else {
				err = c.Verify(r, key, k)
			}
			w.Write(body)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
		}
	})
	for _, http2 := range []bool{false, true} {
		srv := httptest.NewUnstartedServer(handler)
		srv.EnableHTTP2 = http2
		srv.StartTLS()
		t.Cleanup(srv.Close)
		for _, target := range []string{"/", "/a%20b//c/../d%2Fe/?x=%2B&acl&b=%C3%A4&a=+", "/prefix/sessions?roleArn=arn%3Aaws"} {
			for _, kind := range []string{"standard", "s3", "x509", "x509 chunked", "stream"} {
				if strings.HasPrefix(kind, "x509") && !strings.Contains(target, "sessions") {
					continue
				}
				t.Run(kind+" "+target, func(t *testing.T) {
					roundTrip(t, srv, kind, target, func(r *http.Request) error {
						return SignX509(r, &SignX509Input{Signer: ec, Leaf: cert, Region: "r", Time: x509Now, Body: []byte(sessionBody)})
					})
				})
			}
		}
	}
}

func roundTrip(t *testing.T, srv *httptest.Server, kind, target string, signX509 func(*http.Request) error) {
	body := sessionBody
	r, err := http.NewRequestWithContext(context.Background(), "POST", srv.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	in := input()
	in.BodySHA256 = hashHex(body)
	switch kind {
	case "x509 chunked":
		r.ContentLength, r.Body = -1, io.NopCloser(strings.NewReader(body))
		err = signX509(r)
	case "x509":
		err = signX509(r)
	case "s3":
		in.Style, in.Service = S3, "s3"
		err = Sign(r, in)
	case "stream":
		in.Style, in.Service, in.BodySHA256 = S3, "s3", StreamingUnsignedTrailer
		r.Header.Set("X-Amz-Decoded-Content-Length", itoa(len(body)))
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32")
		r.ContentLength = -1
		if err = Sign(r, in); err != nil {
			t.Fatal(err)
		}
		pr, pw := io.Pipe()
		r.Body = pr
		go func() {
			w, err := NewStreamWriter(pw, r, suiteSecret, 0)
			if err == nil {
				_, err = io.WriteString(w, body)
			}
			if err == nil {
				err = w.Close()
			}
			pw.CloseWithError(err)
		}()
	default:
		err = Sign(r, in)
	}
	if err != nil {
		t.Fatal(err)
	}
	resp, err := srv.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || string(got) != body {
		t.Errorf("HTTP/%d: %s %q %v", resp.ProtoMajor, resp.Status, got, err)
	}
}

// A request line in forms that hand-made clients send: raw bytes in the path, an absolute URL.
func TestRawRequestLine(t *testing.T) {
	in := input()
	errs := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		errs <- verifyRequest(r, in, emptyCheck())
	}))
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	signedFor := rawRequest("GET", "h.example", "/ab\u1234")
	if err := Sign(signedFor, in); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"GET /ab\u1234 HTTP/1.1", "GET http://h.example/ab\u1234 HTTP/1.1"} {
		conn, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, line+"\r\nHost: h.example\r\nX-Amz-Date: "+signedFor.Header.Get("X-Amz-Date")+
			"\r\nAuthorization: "+signedFor.Header.Get("Authorization")+"\r\nConnection: close\r\n\r\n")
		io.Copy(io.Discard, conn)
		conn.Close()
		select {
		case err := <-errs:
			if err != nil {
				t.Errorf("%s: %v", line, err)
			}
		default:
			t.Errorf("%s: the server refused the request line", line)
		}
	}
}
