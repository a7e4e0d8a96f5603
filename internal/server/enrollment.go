package server

import (
	"crypto/x509"
	"net/http"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/issuance"
)

// openEnrollment makes what answers Active Directory's enrollment clients. Its endpoints authenticate their callers
// themselves: no request there is signed.
func (s *Server) openEnrollment() *enroll.Handler {
	h := enroll.New(enroll.Config{
		DB: s.db, Issuer: issuance.New(authority.SealedKeys{Ring: s.ring}), Audit: s.audit, Log: s.log, Open: enroll.Connect(s.ring), ServerLeaf: s.serverLeaf,
	})
	s.onClose(func() error { h.Close(); return nil })
	return h
}

// serverLeaf is the certificate that TLS connections get now; nil while there is none. Clients bind tickets to it.
func (s *Server) serverLeaf() *x509.Certificate {
	if s.reloader == nil {
		return nil
	}
	cert, err := s.reloader.GetCertificate(nil)
	if err != nil {
		return nil
	}
	return cert.Leaf
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
