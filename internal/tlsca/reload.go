package tlsca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/internal/follow"
	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

// Source loads a certificate for a server to use at the time now.
type Source func(now time.Time) (tls.Certificate, error)

// Bootstrap is [Ensure] as a Source: it renews what it loads.
func Bootstrap(dir string, hosts []string) Source {
	hosts = slices.Clone(hosts)
	return func(now time.Time) (tls.Certificate, error) {
		_, cert, _, err := Ensure(dir, hosts, now)
		return cert, err
	}
}

// Files is a Source for an operator's own certificate: a PEM chain with the server's certificate first, and its
// key. The key file must be private to its owner.
func Files(certPath, keyPath string) Source {
	return func(now time.Time) (tls.Certificate, error) {
		chain, err := readPublic(certPath)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("TLS certificate: %w", err)
		}
		key, _, err := privatefile.Read(keyPath, maxFile)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("TLS key: %w", err)
		}
		cert, err := tls.X509KeyPair(chain, key)
		if err != nil {
			return tls.Certificate{}, fmt.Errorf("TLS certificate %s with key %s: %w", certPath, keyPath, err)
		}
		if err := current(cert.Leaf, now); err != nil {
			return tls.Certificate{}, fmt.Errorf("TLS certificate %s: %w", certPath, err)
		}
		return cert, nil
	}
}

func current(leaf *x509.Certificate, now time.Time) error {
	switch {
	case leaf == nil:
		return errors.New("it holds no certificate")
	case now.After(leaf.NotAfter):
		return fmt.Errorf("it expired at %s", leaf.NotAfter.Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("it is not valid before %s", leaf.NotBefore.Format(time.RFC3339))
	}
	return nil
}

// Reloader serves the certificate of a Source and keeps it fresh. It is safe for concurrent use.
type Reloader struct {
	source Source
	clock  func() time.Time
	cert   atomic.Pointer[tls.Certificate]
}

// NewReloader loads the certificate once and returns the source's error if that fails. A nil clock is [time.Now].
func NewReloader(source Source, clock func() time.Time) (*Reloader, error) {
	if clock == nil {
		clock = time.Now
	}
	r := &Reloader{source: source, clock: clock}
	if _, err := r.Reload(); err != nil {
		return nil, err
	}
	return r, nil
}

// GetCertificate is for [tls.Config]. It never fails and reads no file.
func (r *Reloader) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return r.cert.Load(), nil
}

// Reload asks the source again. On an error the certificate in use stays.
func (r *Reloader) Reload() (changed bool, err error) {
	fresh, err := r.source(r.clock())
	if err != nil {
		return false, err
	}
	old := r.cert.Load()
	if old != nil && slices.EqualFunc(old.Certificate, fresh.Certificate, bytes.Equal) {
		return false, nil // keep the pointer: TLS caches hang on it
	}
	r.cert.Store(&fresh)
	return true, nil
}

// Run reloads once per interval (a minute, if not positive) until ctx ends. It calls report with nil after a change
// and with each new error; one error is reported once as long as it lasts. report may be nil.
func (r *Reloader) Run(ctx context.Context, interval time.Duration, report func(error)) {
	if interval <= 0 {
		interval = time.Minute
	}
	follow.Run(ctx, interval, r.Reload, report)
}
