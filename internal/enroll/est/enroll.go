package est

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/certsonly"
	"github.com/rolecall/rolecall/internal/enroll/bounds"
	"github.com/rolecall/rolecall/internal/enroll/token"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// credential is what a caller shows: one of the two.
type credential struct {
	token *token.Secret
	leaf  *x509.Certificate
}

// serveEnroll answers /simpleenroll and /simplereenroll. What happened is in the audit log before the client hears of it.
func (h *Handler) serveEnroll(ctx context.Context, w http.ResponseWriter, a *attempt) {
	address, _, _ := net.SplitHostPort(a.r.RemoteAddr) //nolint:errcheck // "" is an address like others
	if !h.failures.allow(address) {
		tooMany(w)
		return
	}
	err := h.enroll(ctx, w, a)
	var e *refusal
	if errors.As(err, &e) && (e.status == http.StatusUnauthorized || e.status == http.StatusForbidden) {
		h.failures.count(address)
	}
	if recorded := h.record(ctx, a, err); recorded != nil {
		a.issued, err = nil, recorded
	}
	if err == nil {
		var der []byte
		if der, err = certsonly.Encode([]*x509.Certificate{a.issued.Certificate}); err == nil {
			write(w, a.r, "application/pkcs7-mime; smime-type=certs-only", der)
			return
		}
	}
	if !errors.As(err, &e) {
		h.unavailable(w, a.profile.Name, err)
		return
	}
	switch e.status {
	case http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", `Basic realm="enrollment"`)
	case http.StatusServiceUnavailable:
		w.Header().Set("Retry-After", "30")
	}
	http.Error(w, e.text, e.status)
}

// enroll authenticates first: of a stranger's request not a byte is read.
func (h *Handler) enroll(ctx context.Context, w http.ResponseWriter, a *attempt) error {
	template, err := authority.FindTemplate(a.profile.Template)
	if err != nil {
		return err
	}
	c, err := h.authenticate(ctx, a)
	if err != nil {
		return err
	}
	a.known = true
	req, err := readRequest(w, a.r, template)
	if err != nil {
		return err
	}
	a.names = describe(req.names)
	subject, err := bounds.ParseSubject(a.profile.Subject)
	if err != nil {
		return err
	}
	alternatives, err := bounds.ParseAlternatives(a.profile.Alternatives)
	if err != nil {
		return err
	}
	if err := errors.Join(subject.Check(req.names.Subject), alternatives.Check(req.names.Alternatives)); err != nil {
		return refuse(http.StatusForbidden, "the enrollment profile does not admit the request: "+err.Error())
	}
	var issued *issuance.Issued
	err = h.cfg.DB.Update(ctx, func(tx *store.Tx) (err error) {
		issued, err = h.issueIn(tx, a, c, req, template)
		return err
	})
	if err == nil {
		a.issued = issued
	}
	return err
}

// authenticate finds out who calls. A token is good for enrollment only; a certificate renews, at either address.
func (h *Handler) authenticate(ctx context.Context, a *attempt) (c credential, err error) {
	_, password, basic := a.r.BasicAuth()
	if basic && a.operation == "simpleenroll" {
		a.method = "token"
		stranger := refuse(http.StatusUnauthorized, "the enrollment token is not valid")
		c.token, err = token.Parse(password)
		if err != nil {
			stranger.cause = err.Error()
			return c, stranger
		}
		a.caller = c.token.ID
		err = h.cfg.DB.Read(ctx, func(tx *store.Tx) error {
			_, err := h.findToken(tx, a, c.token)
			return err
		})
		return c, err
	}
	switch {
	case a.r.TLS == nil:
		stranger := refuse(http.StatusForbidden, "renewal needs a client certificate, which this connection without TLS cannot have: a proxy that ends TLS cannot be used for it")
		if a.operation == "simpleenroll" {
			stranger = refuse(http.StatusUnauthorized, "an enrollment token is required")
		}
		return c, stranger
	case len(a.r.TLS.PeerCertificates) == 0 && a.operation == "simpleenroll":
		return c, refuse(http.StatusUnauthorized, "an enrollment token is required, or a client certificate of this profile")
	case len(a.r.TLS.PeerCertificates) == 0:
		return c, refuse(http.StatusForbidden, "renewal needs the certificate to renew as the TLS client certificate")
	}
	a.method = "certificate"
	c.leaf = a.r.TLS.PeerCertificates[0]
	a.caller = hex.EncodeToString(c.leaf.SerialNumber.Bytes())
	return c, h.verifyLeaf(ctx, a, c.leaf)
}

// findToken reads the token's row and says why it cannot be used. Whoever does not have the secret learns nothing.
func (h *Handler) findToken(tx *store.Tx, a *attempt, s *token.Secret) (*store.EnrollmentToken, error) {
	stranger := refuse(http.StatusUnauthorized, "the enrollment token is not valid")
	row, err := tx.GetEnrollmentToken(s.ID)
	if errors.Is(err, store.ErrNotFound) {
		stranger.cause = "there is no such token"
		return nil, stranger
	}
	if err != nil {
		return nil, err
	}
	if !s.Proves(h.cfg.Ring, row) {
		stranger.cause = "the secret is not the token's"
		return nil, stranger
	}
	switch {
	case row.Profile != a.profile.Name:
		return nil, refuse(http.StatusUnauthorized, "the enrollment token is for another profile")
	case !tx.Now.Before(row.ExpiresAt):
		return nil, refuse(http.StatusUnauthorized, "the enrollment token expired at "+row.ExpiresAt.Format(time.RFC3339))
	case row.UsesLeft < 1:
		return nil, refuse(http.StatusUnauthorized, "the enrollment token was used before")
	}
	return row, nil
}

// verifyLeaf makes sure that the certificate is one of the profile's CA and in force. TLS has proved that the client has its
// key. Whether it was revoked, and whether it is the profile's, is asked in the transaction.
func (h *Handler) verifyLeaf(ctx context.Context, a *attempt, leaf *x509.Certificate) error {
	ca, err := h.view.Authority(ctx, a.profile.Account, a.profile.Region, a.profile.Authority)
	if err != nil {
		return err
	}
	anchors, err := certchain.ParseAnchors(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Row.Certificate})))
	if err != nil {
		return err
	}
	if _, err := h.verifier.Verify(&certchain.Input{Leaf: leaf.Raw, Anchors: anchors, Now: a.now}); err != nil {
		stranger := refuse(http.StatusForbidden, "the client certificate is not a valid one of this profile's certificate authority")
		stranger.cause = err.Error()
		return stranger
	}
	return nil
}

// issueIn is what happens in one transaction: the credential holds, is used up, and the certificate exists; or none of it.
func (h *Handler) issueIn(tx *store.Tx, a *attempt, c credential, req *request, template *authority.Template) (*issuance.Issued, error) {
	p, err := tx.GetEnrollmentProfile(a.profile.Name)
	if errors.Is(err, store.ErrNotFound) || err == nil && !p.CreatedAt.Equal(a.profile.CreatedAt) {
		return nil, refuse(http.StatusServiceUnavailable, "the enrollment profile has just changed")
	}
	if err != nil {
		return nil, err
	}
	ca, err := tx.GetAuthority(p.Account, p.Region, p.Authority)
	if err != nil {
		return nil, err
	}
	if issuance.StatusOf(ca, tx.Now) != pca.CertificateAuthorityStatusActive {
		return nil, refuse(http.StatusServiceUnavailable, "the certificate authority does not issue now")
	}
	if c.token != nil {
		err = h.spend(tx, a, c.token, req)
	} else {
		err = checkRenewal(tx, p, ca, c.leaf, req)
	}
	if err != nil {
		return nil, err
	}
	algorithm, err := signingAlgorithm(ca)
	if err != nil {
		return nil, err
	}
	end := tx.Now.Add(p.Validity)
	if end.After(ca.NotAfter) {
		end = ca.NotAfter
	}
	issued, err := h.cfg.Issuer.Issue(tx, ca, &authority.Request{
		CSR: req.csr, Template: template, Algorithm: algorithm, Now: tx.Now, Validity: authority.Validity{Type: authority.Absolute, Value: end.Unix()},
	})
	var refused *authority.Error
	if errors.As(err, &refused) {
		return nil, refuse(http.StatusBadRequest, "the certificate authority refused the request: "+refused.Text)
	}
	if err != nil {
		return nil, err
	}
	return issued, tx.CreateProfileCertificate(p, issued.Serial)
}

// spend checks the token's own bounds and takes one use off it.
func (h *Handler) spend(tx *store.Tx, a *attempt, s *token.Secret, req *request) error {
	row, err := h.findToken(tx, a, s)
	if err != nil {
		return err
	}
	subject, err := bounds.ParseSubject(row.Subject)
	if err != nil {
		return err
	}
	err = subject.Check(req.names.Subject)
	if len(row.Alternatives) == 0 {
		err = errors.Join(err, bounds.OwnHost(req.names))
	} else {
		list, bad := bounds.ParseAlternatives(row.Alternatives)
		if bad != nil {
			return bad
		}
		err = errors.Join(err, list.Check(req.names.Alternatives))
	}
	if err != nil {
		return refuse(http.StatusForbidden, "the enrollment token does not admit the request: "+err.Error())
	}
	if err := tx.UseEnrollmentToken(s.ID); errors.Is(err, store.ErrNotFound) {
		return refuse(http.StatusUnauthorized, "the enrollment token was used before")
	} else if err != nil {
		return err
	}
	return nil
}

// checkRenewal decides whether the client's certificate may be renewed into what is asked for.
func checkRenewal(tx *store.Tx, p *store.EnrollmentProfile, ca *store.CertificateAuthority, old *x509.Certificate, req *request) error {
	foreign := refuse(http.StatusForbidden, "the client certificate was not issued under this enrollment profile")
	serial := fmt.Sprintf("%032x", old.SerialNumber)
	row, err := tx.GetIssuedCertificate(ca.Account, ca.Region, ca.ID, serial)
	if errors.Is(err, store.ErrNotFound) || err == nil && !bytes.Equal(row.DER, old.Raw) {
		return foreign
	}
	if err != nil {
		return err
	}
	if own, err := tx.HasProfileCertificate(p, serial); err != nil || !own {
		if err != nil {
			return err
		}
		return foreign
	}
	if tx.Now.After(old.NotAfter) || tx.Now.Before(old.NotBefore) {
		return refuse(http.StatusForbidden, "the client certificate is not in force")
	}
	_, err = tx.GetRevokedCertificate(ca.Account, ca.Region, ca.IssuerKey, hex.EncodeToString(old.SerialNumber.Bytes()))
	if err == nil {
		return refuse(http.StatusForbidden, "the client certificate has been revoked")
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	names, err := bounds.OfCertificate(old)
	if err != nil {
		return err
	}
	if !names.Equal(req.names) { // RFC 7030 §4.2.2
		return refuse(http.StatusForbidden, "a renewal must have the subject and the alternative names of the client certificate")
	}
	return nil
}

func signingAlgorithm(ca *store.CertificateAuthority) (authority.SigningAlgorithm, error) {
	var c pca.CertificateAuthorityConfiguration
	if err := json.Unmarshal([]byte(ca.Configuration), &c); err != nil || c.SigningAlgorithm == nil {
		return "", fmt.Errorf("stored configuration of certificate authority %s cannot be read", ca.ID)
	}
	return authority.SigningAlgorithm(*c.SigningAlgorithm), nil
}

func pemOf(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

// failures bounds the refusals that an address gets: guessing is hopeless anyway, this keeps it quiet.
type failures struct {
	mu sync.Mutex // guards of
	of map[string]*rate.Limiter
}

const (
	failureBurst = 20
	maxAddresses = 4096
)

// allow reports whether the address may try again.
func (f *failures) allow(address string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.of[address]
	return l == nil || l.Tokens() >= 1
}

func (f *failures) count(address string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.of[address]
	if l == nil {
		if len(f.of) >= maxAddresses {
			clear(f.of)
		}
		l = rate.NewLimiter(1, failureBurst)
		f.of[address] = l
	}
	l.Allow()
}
