package server

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"slices"
	"sync/atomic"

	"github.com/rolecall/rolecall/internal/enroll"
)

// openEnrollment makes what answers Active Directory's enrollment clients. Its endpoints authenticate their callers
// themselves: no request there is signed.
func (s *Server) openEnrollment() *enroll.Handler {
	h := enroll.New(enroll.Config{
		DB: s.db, Issuer: s.issuance, Audit: s.audit, Log: s.log, Open: enroll.Connect(s.ring), ServerLeaf: s.serverLeaf, Metrics: s.metrics,
	})
	s.onClose(func() error { h.Close(); return nil })
	return h
}

// servedLeaf is the certificate that a connection was served with: after a renewal, connections live on with the old one.
type servedLeaf struct {
	leaf atomic.Pointer[x509.Certificate]
}

type servedLeafKey struct{}

// rememberLeaf gives every connection a place for its certificate.
func rememberLeaf(ctx context.Context, _ net.Conn) context.Context {
	return context.WithValue(ctx, servedLeafKey{}, new(servedLeaf))
}

// rememberingLeaf notes the certificate that a handshake uses, and lets no session be resumed that began with another one:
// a resumed connection shows no certificate, and its client goes by the one it saw first.
func rememberingLeaf(cfg *tls.Config) *tls.Config {
	certificate := cfg.GetCertificate
	mark := func() []byte {
		cert, err := certificate(&tls.ClientHelloInfo{})
		if err != nil || cert.Leaf == nil {
			return nil
		}
		sum := sha256.Sum256(cert.Leaf.Raw)
		return append([]byte("rolecall leaf "), sum[:]...)
	}
	note := func(ctx context.Context, leaf *x509.Certificate) {
		if served, ok := ctx.Value(servedLeafKey{}).(*servedLeaf); ok {
			served.leaf.Store(leaf)
		}
	}
	// A resumed session asks for no certificate: it began with the current one, or it is not resumed.
	cfg.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if cert, err := certificate(hello); err == nil {
			note(hello.Context(), cert.Leaf)
		}
		return nil, nil
	}
	cfg.GetCertificate = func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := certificate(hello)
		if err == nil {
			note(hello.Context(), cert.Leaf)
		}
		return cert, err
	}
	// Tickets are sealed by a configuration that never changes, whatever copy a listener has.
	tickets := &tls.Config{MinVersion: cfg.MinVersion}
	cfg.WrapSession = func(cs tls.ConnectionState, ss *tls.SessionState) ([]byte, error) {
		ss.Extra = append(ss.Extra, mark())
		return tickets.EncryptTicket(cs, ss)
	}
	cfg.UnwrapSession = func(identity []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		ss, err := tickets.DecryptTicket(identity, cs)
		if err != nil || ss == nil {
			return nil, err
		}
		now := mark()
		if now == nil || !slices.ContainsFunc(ss.Extra, func(e []byte) bool { return bytes.Equal(e, now) }) {
			return nil, nil // a full handshake
		}
		return ss, nil
	}
	return cfg
}

// serverLeaf is the certificate that a request's connection was served with; nil without TLS. Clients bind tickets to it.
func (s *Server) serverLeaf(r *http.Request) *x509.Certificate {
	if r.TLS == nil {
		return nil
	}
	if served, ok := r.Context().Value(servedLeafKey{}).(*servedLeaf); ok {
		return served.leaf.Load()
	}
	return nil
}

// enrollmentHandler answers endpoints that authenticate their callers themselves.
type enrollmentHandler interface {
	http.Handler
	Handles(*http.Request) bool
}

// withEnrollment gives enrollment its paths before anything else looks at a request.
func withEnrollment(rest http.Handler, handlers ...enrollmentHandler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range handlers {
			if h.Handles(r) {
				h.ServeHTTP(w, r)
				return
			}
		}
		rest.ServeHTTP(w, r)
	})
}
