// Package est answers Enrollment over Secure Transport (RFC 7030, RFC 8951) for machines without a directory: the CA's
// certificates, enrollment with a one-time token or with a certificate from before, and renewal with the certificate.
//
// It signs nothing itself: package issuance does. What a request may ask for is bounded by an enrollment profile and by the
// token. There are no server-side keys, no full CMC, no manual approval and no password but tokens. A client certificate is
// taken from the TLS connection alone: behind a proxy that ends TLS there is no renewal.
//
// Start with [Handler.ServeHTTP]; request.go reads what is asked for, enroll.go decides.
package est

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/certsonly"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// Root is the path above all endpoints; DefaultProfile answers where no label is given.
const (
	Root           = "/.well-known/est/"
	DefaultProfile = "default"
)

// EventSource is the service's name in audit events: EST is not one of AWS's.
const EventSource = "est.rolecall"

// Limits of one node.
const (
	requestTimeout    = 25 * time.Second
	requestsPerSecond = 300
	refusalsPerSecond = 20 // audit records of strangers
	maxBody           = 48 << 10
)

// Config is what a [Handler] works with. All fields are required.
type Config struct {
	DB     *store.DB
	Issuer *issuance.Issuer
	Ring   *keyring.Ring
	Audit  *audit.Log
	Log    *slog.Logger
}

// Handler answers the endpoints. It is safe for concurrent use.
type Handler struct {
	cfg      Config
	view     *store.View
	verifier *certchain.Verifier
	requests *rate.Limiter
	refusals *rate.Limiter
	failures failures
}

// New makes a handler.
func New(cfg Config) *Handler {
	limiter := func(n float64) *rate.Limiter { return rate.NewLimiter(rate.Limit(n), int(n)) }
	return &Handler{
		cfg: cfg, view: cfg.DB.View(), verifier: certchain.NewVerifier(-1).WithBlocked(cfg.Issuer.Blocked()), requests: limiter(requestsPerSecond), refusals: limiter(refusalsPerSecond),
		failures: failures{of: map[string]*rate.Limiter{}},
	}
}

// Handles reports whether the request is for an endpoint of EST.
func (h *Handler) Handles(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, Root) }

// WantsCertificates reports whether TLS clients are to be asked for a certificate.
func (h *Handler) WantsCertificates(ctx context.Context) bool {
	any, err := h.view.HasEnrollmentProfiles(ctx)
	return err == nil && any
}

// refusal is what a client is told, with what only the audit log is told.
type refusal struct {
	status int
	code   string // in the audit log
	text   string
	cause  string
}

func (e *refusal) Error() string { return e.text }

func refuse(status int, text string) *refusal {
	code := "ValidationException"
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		code = "AccessDenied"
	case http.StatusServiceUnavailable:
		code = "InvalidStateException"
	}
	return &refusal{status: status, code: code, text: text}
}

// attempt is one request, as far as it came.
type attempt struct {
	r         *http.Request
	now       time.Time
	id        string
	operation string
	profile   *store.EnrollmentProfile
	method    string // how the caller was authenticated: "token" or "certificate"
	caller    string // the token's id or the certificate's serial
	known     bool   // the caller was authenticated
	names     string
	issued    *issuance.Issued
}

// parsePath splits a path into label and operation.
func parsePath(path string) (label, operation string, ok bool) {
	rest, ok := strings.CutPrefix(path, Root)
	if !ok {
		return "", "", false
	}
	label, operation, both := strings.Cut(rest, "/")
	if !both {
		label, operation = DefaultProfile, label
	}
	switch operation {
	case "cacerts", "simpleenroll", "simplereenroll", "csrattrs":
		return label, operation, ValidName(label)
	}
	return "", "", false
}

// ValidName reports whether a profile can have the name: 1 to 64 lower-case letters, digits and "-".
func ValidName(name string) bool {
	return name != "" && len(name) <= 64 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	label, operation, ok := parsePath(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	if !h.requests.Allow() {
		tooMany(w)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	p, err := h.view.EnrollmentProfile(ctx, label)
	if errors.Is(err, store.ErrNotFound) {
		http.NotFound(w, r)
		return
	}
	if err == nil {
		err = h.cfg.DB.Fresh(time.Now())
	}
	if err != nil {
		h.unavailable(w, label, err)
		return
	}
	a := &attempt{r: r, now: time.Now(), id: arn.NewUUID(), operation: operation, profile: &p.Row}
	want := http.MethodGet
	if operation == "simpleenroll" || operation == "simplereenroll" {
		want = http.MethodPost
	}
	if r.Method != want && !(want == http.MethodGet && r.Method == http.MethodHead) {
		w.Header().Set("Allow", want)
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	switch operation {
	case "cacerts":
		h.caCertificates(ctx, w, a)
	case "csrattrs":
		write(w, r, "application/csrattrs", attributes())
	default:
		h.serveEnroll(ctx, w, a)
	}
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	http.Error(w, "too many requests", http.StatusTooManyRequests)
}

func (h *Handler) unavailable(w http.ResponseWriter, label string, err error) {
	h.cfg.Log.Error("EST", "profile", label, "error", err)
	w.Header().Set("Retry-After", "30")
	http.Error(w, "enrollment is not available", http.StatusServiceUnavailable)
}

// caCertificates answers the issuing CA's certificate and what is above it (RFC 7030 §4.1). They are public.
func (h *Handler) caCertificates(ctx context.Context, w http.ResponseWriter, a *attempt) {
	ca, err := h.view.Authority(ctx, a.profile.Account, a.profile.Region, a.profile.Authority)
	if err != nil {
		h.unavailable(w, a.profile.Name, err)
		return
	}
	issuer, err := h.cfg.Issuer.Load(&ca.Row)
	if err == nil && issuer.Certificate == nil {
		err = errors.New("the certificate authority has no certificate")
	}
	var der []byte
	if err == nil {
		der, err = certsonly.Encode(append([]*x509.Certificate{issuer.Certificate}, issuer.Chain...))
	}
	if err != nil {
		h.unavailable(w, a.profile.Name, err)
		return
	}
	write(w, a.r, "application/pkcs7-mime", der)
}

// write answers DER as base64. RFC 8951 §3 took the meaning from Content-Transfer-Encoding; clients of RFC 7030 still look
// for it. Clients are to tolerate white space, and do not need it (RFC 8951 §3.1), but those on OpenSSL's base64 filter lose
// lines of more than 1024 characters, and strongSwan's takes line ends for digits. The latter is told apart by sending no
// User-Agent. It also reads no chunks: the length is always there.
func write(w http.ResponseWriter, r *http.Request, kind string, der []byte) {
	text := base64.StdEncoding.EncodeToString(der)
	if r.UserAgent() != "" {
		var b strings.Builder
		for text != "" {
			n := min(len(text), 76)
			b.WriteString(text[:n] + "\r\n")
			text = text[n:]
		}
		text = b.String()
	}
	w.Header().Set("Content-Type", kind)
	w.Header().Set("Content-Transfer-Encoding", "base64")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	io.WriteString(w, text) //nolint:errcheck // nothing to do for a client that left
}

// tlsVersion is for the audit log: as CloudTrail writes it.
func tlsVersion(s *tls.ConnectionState) string {
	return strings.Replace(tls.VersionName(s.Version), "TLS ", "TLSv", 1)
}
