package s3iam

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/sigv4"
)

// Config is what a handler works with. All fields but Metrics, Log, Clock and AllDecisions are required.
type Config struct {
	Gate  *gate.Gate
	View  *store.View
	Audit awsapi.Auditor
	// Fresh fails once the node has not heard from the store for too long to know what was revoked; then every request
	// is refused.
	Fresh   func(time.Time) error
	Account arn.AccountID // whose identities the gateway serves
	Key     Key           // with which the gateway signs
	Version string        // shown in the gateway's log

	// AllDecisions records allowed requests as well as denied ones, as CloudTrail does with data events switched on.
	AllDecisions bool

	Metrics awsapi.Meter     // nil counts nothing
	Log     *slog.Logger     // nil discards
	Clock   func() time.Time // nil is time.Now
}

// Key is an access key.
type Key struct{ ID, Secret string }

// Handler answers the private protocol. It is safe for concurrent use.
//
// The gateway decides an S3 request in this order: an explicit Deny of the bucket's policy ends it; then it asks here.
// An explicit Deny among the answers ends it. Otherwise the request is allowed if the bucket's policy or ACL or the
// identity policies allow it and, where HasSessionPolicy is set, SessionDecisions allow it too. The handler therefore
// reports identity policies as Decisions, and what bounds them, the permissions boundary and the session policies
// together, as SessionDecisions. That is AWS's order with one exception, on the safe side: a bucket policy that names a
// user, or a session by its own ARN, does not lift an implicit deny of a boundary or a session policy, because the
// gateway does not say which principal of its policy matched.
type Handler struct {
	cfg    Config
	routes map[string]endpoint
	key    atomic.Pointer[scopedKey]
}

// endpoint answers one path; what it returns is encoded as JSON.
type endpoint func(ctx context.Context, body []byte, now time.Time) (any, error)

// scopedKey is the gateway's own signing key of a day.
type scopedKey struct {
	date, region string
	key          sigv4.Key
}

// New makes the handler of one gateway.
func New(cfg Config) *Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	h := &Handler{cfg: cfg}
	h.routes = map[string]endpoint{
		"/private/version":            h.version,
		"/private/derive-signing-key": h.signingKey,
		"/private/evaluate-policy":    h.evaluate,
		"/private/resolve-identity":   h.resolveIdentities,
		"/private/resolve-principals": h.resolvePrincipals,
	}
	return h
}

// ServeHTTP answers one call of the gateway.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	answer, err := h.answer(r)
	code := metrics.CodeOK
	status := http.StatusOK
	if err != nil {
		ref := h.refusal(err)
		code, status = ref.code, ref.status
		answer = map[string]string{"error": ref.text, "code": ref.code}
	}
	body, err := json.Marshal(answer)
	if err != nil { // of our own types: it cannot
		status, body = http.StatusInternalServerError, []byte("{}")
	}
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set(protocolHeader, strconv.Itoa(protocolVersion))
	w.WriteHeader(status)
	w.Write(body) //nolint:errcheck // nothing to do for a gateway that left
	if h.cfg.Metrics != nil {
		h.cfg.Metrics.Request("s3-gateway", h.label(r.URL.Path), code, time.Since(start))
	}
}

func (h *Handler) label(path string) string {
	if h.routes[path] == nil {
		return "none"
	}
	return path[len("/private/"):]
}

func (h *Handler) answer(r *http.Request) (any, error) {
	route := h.routes[r.URL.Path]
	if route == nil || r.Method != http.MethodPost {
		return nil, &refusal{status: http.StatusNotFound, code: codeBadRequest, text: "no such endpoint"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, badRequest("the body cannot be read or is larger than %d bytes", maxBody)
	}
	now := h.cfg.Clock()
	if err := h.authenticate(r, body, now); err != nil {
		return nil, err
	}
	// The version is asked for to find out whether the two fit, so it is answered to every gateway.
	if r.URL.Path != "/private/version" {
		if err := checkProtocol(r); err != nil {
			return nil, err
		}
		if err := h.cfg.Fresh(now); err != nil {
			return nil, err
		}
	}
	return route(r.Context(), body, now)
}

// authenticate proves that the caller holds the gateway's key.
func (h *Handler) authenticate(r *http.Request, body []byte, now time.Time) error {
	stranger := func(cause error) error {
		return &refusal{status: http.StatusForbidden, code: codeNotTheGateway, text: "the request is not signed with the gateway's key", cause: cause}
	}
	claims, err := sigv4.Parse(r)
	if err != nil {
		return stranger(err)
	}
	if claims.X509() || claims.Presigned || claims.Service != protocolService ||
		subtle.ConstantTimeCompare([]byte(claims.KeyID), []byte(h.cfg.Key.ID)) != 1 {
		return stranger(nil)
	}
	if err := claims.Verify(r, h.ownKey(claims), &sigv4.Check{Now: now, BodySHA256: sha256.Sum256(body)}); err != nil {
		return stranger(err)
	}
	return nil
}

// ownKey remembers the gateway's last signing key: it signs everything of a day with one.
func (h *Handler) ownKey(c *sigv4.Claims) sigv4.Key {
	if k := h.key.Load(); k != nil && k.date == c.Date && k.region == c.Region {
		return k.key
	}
	k := &scopedKey{c.Date, c.Region, sigv4.DeriveKey(h.cfg.Key.Secret, c.Date, c.Region, c.Service)}
	h.key.Store(k)
	return k.key
}

// refusal is the public face of err, and logs what the gateway's operator should know.
func (h *Handler) refusal(err error) *refusal {
	ref, ok := errors.AsType[*refusal](err)
	if !ok {
		ref = &refusal{status: http.StatusInternalServerError, code: codeInternal, text: "the request cannot be decided now", cause: err}
	}
	switch {
	case ref.status >= 500:
		h.cfg.Log.Error("S3 gateway's request failed", "error", ref.cause)
	case ref.code == codeNotTheGateway, ref.code == codeProtocol, ref.code == codeBadRequest:
		h.cfg.Log.Warn("S3 gateway's request refused", "code", ref.code, "reason", ref.text, "cause", ref.cause)
	}
	return ref
}

func (h *Handler) version(context.Context, []byte, time.Time) (any, error) {
	return &versionResponse{Protocol: protocolVersion, MinClient: protocolVersion, ServerVersion: "rolecalld " + h.cfg.Version, AccountID: string(h.cfg.Account)}, nil
}
