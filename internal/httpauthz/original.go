package httpauthz

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/sigv4"
)

// The headers in which a proxy that asks under NginxPath describes the request that it holds. It must set all that are
// required, so that a client's own header of the same name never gets here.
const (
	headerMethod = "X-Original-Method"         // required
	headerURI    = "X-Original-Uri"            // required: path and query as received
	headerHost   = "X-Original-Host"           // required
	headerLength = "X-Original-Content-Length" // the body's, for clients that sign it
	headerScheme = "X-Original-Scheme"         // https or http
	headerAddr   = "X-Original-Addr"           // the client's address
)

const (
	// NginxPath is where nginx's auth_request asks.
	NginxPath = "/nginx"
	// EnvoyPath is the path_prefix of Envoy's HTTP authorization service: the original path follows it.
	EnvoyPath = "/envoy"
)

// original is the request that a proxy holds and asks about.
type original struct {
	request *http.Request // as the client sent it, without its body
	body    []byte        // what came of it
	noBody  bool          // the client sent one that did not come along
	caller  gate.Caller
}

// ambiguous are headers by which frameworks let a request be another one than it says.
var ambiguous = []string{"X-Http-Method", "X-Http-Method-Override", "X-Method-Override", "X-Original-Url", "X-Rewrite-Url"}

func readOriginal(r *http.Request, now time.Time) (*original, error) {
	for _, name := range ambiguous {
		if len(r.Header[name]) > 0 {
			return nil, errors.New("the header " + name + " would make it another request")
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, errors.New("the body is longer than " + strconv.Itoa(maxBody) + " bytes")
	}
	if rest, ok := strings.CutPrefix(r.RequestURI, EnvoyPath); ok && strings.HasPrefix(rest, "/") {
		return fromEnvoy(r, rest, body, now)
	}
	if r.URL.Path == NginxPath {
		return fromNginx(r, body, now)
	}
	return nil, errors.New("ask under " + NginxPath + " or " + EnvoyPath + "/…")
}

// fromNginx takes everything from headers: the request itself is one of nginx's own.
func fromNginx(r *http.Request, body []byte, now time.Time) (*original, error) {
	h := r.Header.Clone()
	var given [3]string
	for i, name := range [...]string{headerMethod, headerURI, headerHost} {
		if len(h[name]) != 1 || h[name][0] == "" {
			return nil, errors.New("the proxy has to set " + name + ", once")
		}
		given[i] = h[name][0]
	}
	o := &original{body: body, caller: gate.Caller{Now: now, SourceIP: peer(r), UserAgent: r.UserAgent()}}
	if v := h.Get(headerAddr); v != "" {
		if net.ParseIP(v) == nil {
			return nil, errors.New(headerAddr + " is not an address")
		}
		o.caller.SourceIP = v
	}
	o.caller.TLS = h.Get(headerScheme) == "https"
	length, chunked := h.Get(headerLength), h.Get("Transfer-Encoding") != ""
	for _, name := range [...]string{headerMethod, headerURI, headerHost, headerLength, headerScheme, headerAddr} {
		delete(h, name)
	}
	o.noBody = len(body) == 0 && (chunked || length != "" && length != "0")
	return o, o.restore(given[0], given[1], given[2], length, h)
}

// fromEnvoy takes the path behind the prefix; method, host and headers are the client's.
func fromEnvoy(r *http.Request, uri string, body []byte, now time.Time) (*original, error) {
	h := r.Header.Clone()
	o := &original{body: body, caller: gate.Caller{Now: now, SourceIP: peer(r), UserAgent: r.UserAgent(), TLS: h.Get("X-Forwarded-Proto") == "https"}}
	if v := h.Get("X-Envoy-External-Address"); net.ParseIP(v) != nil {
		o.caller.SourceIP = v
	}
	if h.Get("X-Envoy-Auth-Partial-Body") == "true" {
		return nil, errors.New("the proxy sent a part of the body only")
	}
	length := ""
	if len(body) > 0 {
		length = strconv.Itoa(len(body))
	}
	return o, o.restore(r.Method, uri, r.Host, length, h)
}

// restore makes the request whose signature is to be verified.
func (o *original) restore(method, uri, host, length string, h http.Header) error {
	u, err := url.ParseRequestURI(uri)
	if err != nil || !strings.HasPrefix(uri, "/") || len(uri) > maxURI {
		return errors.New("the request's target is not a path of at most " + strconv.Itoa(maxURI) + " bytes")
	}
	o.request = &http.Request{Method: method, URL: u, RequestURI: uri, Host: host, Header: h, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if length == "" {
		return nil
	}
	n, err := strconv.ParseInt(length, 10, 64)
	if err != nil || n < 0 {
		return errors.New("the content length is not a number")
	}
	o.request.ContentLength = n
	h.Set("Content-Length", length)
	return nil
}

// check is what the signature is held against. The hash of a body that did not come along is the one the client signed: the
// service behind the proxy, or the TLS connection, has to vouch that the body has it.
func (o *original) check(c *sigv4.Claims, style sigv4.Style) (*sigv4.Check, error) {
	k := &sigv4.Check{Now: o.caller.Now, Style: style, BodySHA256: sha256.Sum256(o.body)}
	if !o.noBody {
		return k, nil
	}
	hash, err := hex.DecodeString(c.PayloadHash)
	if len(c.PayloadHash) != 64 || err != nil {
		if style == sigv4.S3 && c.PayloadHash != "" {
			return k, nil // a payload mode of S3, which the service checks
		}
		return nil, errors.New("the request has a body, which is not here: it has to be signed with X-Amz-Content-Sha256")
	}
	copy(k.BodySHA256[:], hash)
	return k, nil
}

func peer(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return host
}
