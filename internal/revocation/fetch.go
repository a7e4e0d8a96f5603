package revocation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"syscall"
	"time"
)

// Limits of what is fetched.
const (
	maxListBytes     = 32 << 20 // of a CRL
	maxResponseBytes = 64 << 10 // of an OCSP response
	maxURL           = 2048
	fetchTime        = 30 * time.Second // of one fetch, which may serve later requests
	dialTime         = 3 * time.Second
	maxFetches       = 16 // at a time
)

// fetcher connects only to where it may. The address is judged when the connection is made, after the name was resolved:
// what a name meant before does not matter.
type fetcher struct {
	allow  Allow
	client *http.Client
	slots  chan struct{} // one for each fetch under way
}

func newFetcher(allow Allow) *fetcher {
	f := &fetcher{allow: allow, slots: make(chan struct{}, maxFetches)}
	f.client = &http.Client{
		Timeout: fetchTime,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return errors.New("redirects are not followed")
		},
		Transport: &http.Transport{
			DialContext:            f.dial,
			Proxy:                  nil, // a proxy would resolve names out of our sight
			DisableKeepAlives:      true,
			DisableCompression:     true,
			TLSHandshakeTimeout:    dialTime,
			ResponseHeaderTimeout:  10 * time.Second,
			MaxResponseHeaderBytes: 16 << 10,
		},
	}
	return f
}

func (f *fetcher) dial(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialTime, Control: func(_, resolved string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(resolved)
		if err != nil || !f.allow.permits(host, ap.Addr(), ap.Port()) {
			return fmt.Errorf("connections to %s are not allowed (--revocation-fetch-allow)", resolved)
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

// checkURL refuses what is no plain http or https URL. Certificates may name LDAP directories and files.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > maxURL || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return errors.New("its address is no http or https URL")
	}
	return nil
}

// validators make a fetch conditional (RFC 9110 §13.1).
type validators struct{ etag, modified string }

// errUnchanged answers a conditional fetch.
var errUnchanged = errors.New("not modified")

// get fetches a list.
func (f *fetcher) get(ctx context.Context, address string, v validators) ([]byte, validators, error) {
	if err := checkURL(address); err != nil {
		return nil, v, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, v, err
	}
	if v.etag != "" {
		r.Header.Set("If-None-Match", v.etag)
	}
	if v.modified != "" {
		r.Header.Set("If-Modified-Since", v.modified)
	}
	return f.do(r, maxListBytes)
}

// post asks an OCSP responder (RFC 6960 §A.1).
func (f *fetcher) post(ctx context.Context, address string, body []byte) ([]byte, error) {
	if err := checkURL(address); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/ocsp-request")
	r.Header.Set("Accept", "application/ocsp-response")
	out, _, err := f.do(r, maxResponseBytes)
	return out, err
}

func (f *fetcher) do(r *http.Request, most int) ([]byte, validators, error) {
	select {
	case f.slots <- struct{}{}:
		defer func() { <-f.slots }()
	case <-r.Context().Done():
		return nil, validators{}, r.Context().Err()
	}
	r.Header.Set("User-Agent", "rolecalld")
	resp, err := f.client.Do(r)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the address is in the message already
		}
		return nil, validators{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return nil, validators{}, errUnchanged
	}
	if resp.StatusCode != http.StatusOK {
		return nil, validators{}, fmt.Errorf("it answered with status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(most)+1))
	if err != nil {
		return nil, validators{}, err
	}
	if len(body) > most {
		return nil, validators{}, fmt.Errorf("its answer is larger than %d bytes", most)
	}
	return body, validators{resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")}, nil
}
