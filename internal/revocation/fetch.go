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
	maxFetches       = 64 // at a time
	partSize         = 64 << 10
	largeList        = 1 << 20
	maxLargeLists    = 2 // larger than largeList that are read and parsed at a time
)

// fetcher connects only to where it may. The address is judged when the connection is made, after the name was resolved:
// what a name meant before does not matter.
type fetcher struct {
	allow    Allow
	resolver *net.Resolver // nil for the system's
	client   *http.Client
	slots    chan struct{} // one for each fetch under way
	large    chan struct{} // one for each large list in memory that is not parsed yet
}

func newFetcher(allow Allow) *fetcher {
	f := &fetcher{allow: allow, slots: make(chan struct{}, maxFetches), large: make(chan struct{}, maxLargeLists)}
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
	d := net.Dialer{Timeout: dialTime, Resolver: f.resolver, Control: func(_, resolved string, _ syscall.RawConn) error {
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

// answer is what a source sent. It is released when its body was made into something smaller, or is not needed.
type answer struct {
	body    []byte
	from    validators
	release func()

	admitted bool // as one of the large ones
}

// get fetches a list.
func (f *fetcher) get(ctx context.Context, address string, v validators) (*answer, error) {
	if err := checkURL(address); err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
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
	a, err := f.do(r, maxResponseBytes)
	if err != nil {
		return nil, err
	}
	a.release()
	return a.body, nil
}

// enter takes a slot; leaving gives it back.
func enter(ctx context.Context, slots chan struct{}) (leave func(), err error) {
	select {
	case slots <- struct{}{}:
		return func() { <-slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fetcher) do(r *http.Request, most int) (*answer, error) {
	leave, err := enter(r.Context(), f.slots)
	if err != nil {
		return nil, err
	}
	defer leave()
	r.Header.Set("User-Agent", "rolecalld")
	resp, err := f.client.Do(r)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) {
			err = ue.Err // the address is in the message already
		}
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotModified {
		return nil, errUnchanged
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answered with status %d", resp.StatusCode)
	}
	a := &answer{from: validators{resp.Header.Get("ETag"), resp.Header.Get("Last-Modified")}, release: func() {}}
	return a, f.read(r.Context(), a, resp, most)
}

// read takes the body in. At most two copies of it are in memory at a time, one if its length is announced.
func (f *fetcher) read(ctx context.Context, a *answer, resp *http.Response, most int) (err error) {
	defer func() {
		if err != nil {
			a.release()
		}
	}()
	tooLarge := fmt.Errorf("its answer is larger than %d bytes", most)
	if resp.ContentLength > int64(most) {
		return tooLarge
	}
	if resp.ContentLength >= 0 {
		if err := f.admit(ctx, a, int(resp.ContentLength)); err != nil {
			return err
		}
		a.body = make([]byte, resp.ContentLength)
		_, err := io.ReadFull(resp.Body, a.body)
		return err
	}
	var parts [][]byte
	for total, ended := 0, false; !ended; {
		part := make([]byte, min(most+1-total, partSize<<min(len(parts), 4)))
		n, err := fill(resp.Body, part)
		if ended = errors.Is(err, io.EOF); err != nil && !ended {
			return err
		}
		parts = append(parts, part[:n])
		if total += n; total > most {
			return tooLarge
		}
		if err := f.admit(ctx, a, total); err != nil {
			return err
		}
	}
	a.body = bytes.Join(parts, nil)
	return nil
}

// fill is io.ReadFull, but tells the end of a body from one that was cut off.
func fill(r io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var more int
		more, err = r.Read(p[n:])
		n += more
	}
	return n, err
}

// admit makes a large answer wait until others are out of memory.
func (f *fetcher) admit(ctx context.Context, a *answer, size int) error {
	if size <= largeList || a.admitted {
		return nil
	}
	leave, err := enter(ctx, f.large)
	if err == nil {
		a.admitted, a.release = true, leave
	}
	return err
}
