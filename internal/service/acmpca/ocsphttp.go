package acmpca

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// An answer is valid for ocspLife, and is remembered for half of that. HTTP caches may keep it for ocspCacheAge only, so that
// they hide a revocation no longer.
const (
	ocspLife     = time.Hour
	ocspCacheAge = time.Minute
)

// ocspAnswer is an answer with what of it the HTTP headers say.
type ocspAnswer struct {
	der      []byte
	from, to time.Time // zero for errors, and for what must not be kept
	etag     string
}

// ServeOCSP answers GET (RFC 6960 §A.1) and POST for the CA whose id the path names. Answers are public and signed.
func (s *Service) ServeOCSP(w http.ResponseWriter, r *http.Request) {
	id, encoded, _ := strings.Cut(strings.TrimPrefix(r.URL.EscapedPath(), issuance.OCSPPath), "/")
	if !isUUID(id) {
		http.NotFound(w, r)
		return
	}
	var der []byte
	ok := false
	switch r.Method {
	case http.MethodPost:
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, authority.MaxOCSPRequest))
		der, ok = body, err == nil && encoded == ""
	case http.MethodGet, http.MethodHead:
		der, ok = decodeGET(encoded)
	}
	a := &ocspAnswer{der: authority.OCSPMalformed.DER()}
	if ok {
		a = s.answerOCSP(r.Context(), id, der, time.Now().UTC())
	}
	h := w.Header()
	h.Set("Content-Type", "application/ocsp-response")
	h.Set("Content-Length", strconv.Itoa(len(a.der)))
	if a.to.IsZero() || r.Method == http.MethodPost {
		h.Set("Cache-Control", "no-store")
	} else { // RFC 5019 §6.2
		h.Set("Last-Modified", a.from.Format(http.TimeFormat))
		h.Set("Expires", a.to.Format(http.TimeFormat))
		h.Set("ETag", a.etag)
		left := max(0, min(ocspCacheAge, time.Until(a.to)))
		h.Set("Cache-Control", "max-age="+strconv.Itoa(int(left.Seconds()))+", public, no-transform, must-revalidate")
		if r.Header.Get("If-None-Match") == a.etag {
			h.Del("Content-Length")
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if r.Method != http.MethodHead {
		w.Write(a.der) //nolint:errcheck // nothing to do for a client that left
	}
}

// decodeGET reads the request in a path: Base64, escaped as a URL. Slashes may come as they are.
func decodeGET(encoded string) ([]byte, bool) {
	text, err := url.PathUnescape(encoded)
	if err != nil || text == "" || len(text) > base64.StdEncoding.EncodedLen(authority.MaxOCSPRequest) {
		return nil, false
	}
	der, err := base64.StdEncoding.DecodeString(text)
	return der, err == nil
}

// answerOCSP answers one request for the CA. What cannot be decided now is tryLater.
func (s *Service) answerOCSP(ctx context.Context, id string, der []byte, now time.Time) *ocspAnswer {
	req, err := authority.ParseOCSPRequest(der)
	if err != nil {
		return &ocspAnswer{der: authority.OCSPMalformed.DER()}
	}
	a, err := s.decideOCSP(ctx, id, req, now)
	if code, ok := errors.AsType[ocspError](err); ok {
		return &ocspAnswer{der: authority.OCSPError(code).DER()}
	}
	if err != nil {
		s.cfg.Log.Error("an OCSP request could not be answered", "authority", id, "error", err)
		return &ocspAnswer{der: authority.OCSPTryLater.DER()}
	}
	return a
}

// ocspError is a refusal in OCSP's words.
type ocspError authority.OCSPError

func (e ocspError) Error() string { return "OCSP error " + strconv.Itoa(int(e)) }

// openResponder is what a responder's row yields once.
type openResponder struct {
	*authority.Responder
	names *authority.OCSPIssuer
}

func (s *Service) decideOCSP(ctx context.Context, id string, req *authority.OCSPRequest, now time.Time) (*ocspAnswer, error) {
	if err := s.cfg.DB.Fresh(now); err != nil { // fail closed: this node may not know of a revocation
		return nil, err
	}
	view := s.cfg.DB.View()
	ca, err := view.PublicAuthority(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ocspError(authority.OCSPUnauthorized)
	}
	if err != nil {
		return nil, err
	}
	if st := issuance.StatusOf(&ca.Row, now); st != active && st != disabled {
		return nil, ocspError(authority.OCSPUnauthorized)
	}
	row, err := view.OCSPResponder(ctx, ca.Row.Account, ca.Row.Region, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ocspError(authority.OCSPUnauthorized)
	}
	if err != nil {
		return nil, err
	}
	if len(row.Row.KeyRef) == 0 || !now.Before(row.Row.NotAfter) {
		return nil, ocspError(authority.OCSPTryLater) // the worker is about to make it
	}
	form, err := row.Compiled(func(r *store.OCSPResponder) (any, error) { return s.openResponder(&ca.Row, r) })
	if err != nil {
		return nil, err
	}
	responder := form.(*openResponder)
	return s.signOCSP(ctx, &ca.Row, row, responder, req, now)
}

func (s *Service) openResponder(ca *store.CertificateAuthority, r *store.OCSPResponder) (*openResponder, error) {
	cert, err := issuance.Certificate(ca)
	if err != nil || cert == nil {
		return nil, errors.Join(err, fmt.Errorf("certificate authority %s has no certificate", ca.ID))
	}
	open, err := s.cfg.Responders.Open(ca.ID, r.KeyRef, r.Certificate)
	if err != nil {
		return nil, err
	}
	names, err := authority.NewOCSPIssuer(cert)
	return &openResponder{open, names}, err
}

func (s *Service) signOCSP(ctx context.Context, ca *store.CertificateAuthority, row *store.Cached[store.OCSPResponder], r *openResponder, req *authority.OCSPRequest, now time.Time) (*ocspAnswer, error) {
	until := earlier(now.Add(ocspLife), row.Row.NotAfter)
	answers := make([]authority.OCSPAnswer, len(req.IDs))
	keep := req.Nonce == nil && len(req.IDs) == 1
	for k := range req.IDs {
		id := &req.IDs[k]
		if !r.names.Named(id) {
			return nil, ocspError(authority.OCSPUnauthorized)
		}
		serial := hex.EncodeToString(id.Serial.Bytes())
		part, err := s.cfg.DB.View().RevokedPart(ctx, ca.Account, ca.Region, ca.IssuerKey, serial)
		if err != nil {
			return nil, err
		}
		if keep {
			if a := s.ocsp.find(id.Raw, row, part, now); a != nil {
				return a, nil
			}
		}
		if answers[k], err = s.certStatus(ctx, ca, part, id, serial); err != nil {
			return nil, err
		}
		if keep && answers[k].Status != authority.CertUnknown { // it may be issued the next moment
			der, err := r.Sign(answers, nil, now, until)
			if err != nil {
				return nil, err
			}
			return s.ocsp.add(id.Raw, row, part, der, now, until), nil
		}
	}
	der, err := r.Sign(answers, req.Nonce, now, until)
	return &ocspAnswer{der: der}, err
}

// certStatus is what is known of one certificate: revoked, issued, or never issued.
func (s *Service) certStatus(ctx context.Context, ca *store.CertificateAuthority, part *store.Cached[store.RevokedPart], id *authority.CertID, serial string) (authority.OCSPAnswer, error) {
	a := authority.OCSPAnswer{ID: id.Raw, Status: authority.CertUnknown}
	if id.Serial.Sign() <= 0 || id.Serial.BitLen() > 128 {
		return a, nil // no serial number of this CA
	}
	if at, reason, revoked := part.Row.Find(serial); revoked {
		a.Status, a.RevokedAt, a.Reason = authority.CertRevoked, at, authority.RevocationReason(reason)
		return a, nil
	}
	key := issuedKey{ca.ID, fmt.Sprintf("%032x", id.Serial)}
	if !s.ocsp.issued(key) {
		found, err := s.cfg.DB.View().HasIssuedCertificate(ctx, ca.Account, ca.Region, ca.ID, key.serial)
		if err != nil || !found {
			return a, err
		}
		s.ocsp.noteIssued(key)
	}
	a.Status = authority.CertGood
	return a, nil
}
