package httpauthz

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/sigv4"
)

// Limits of what a proxy may send, in bytes.
const (
	maxBody = 1 << 20
	maxURI  = 16 << 10
)

// The headers of an answer that allows, for the service behind the proxy. The proxy has to set them all on the request it
// forwards, so that a client's own never gets through.
const (
	HeaderPrincipal      = "X-Rolecall-Principal-Arn"
	HeaderUserID         = "X-Rolecall-User-Id"
	HeaderAccount        = "X-Rolecall-Account"
	HeaderAction         = "X-Rolecall-Action"
	HeaderResource       = "X-Rolecall-Resource"
	HeaderSourceIdentity = "X-Rolecall-Source-Identity"
	HeaderTags           = "X-Rolecall-Principal-Tags" // as a query string, in the order of the keys
	HeaderRequestID      = "X-Amzn-Requestid"
)

// Config is what a handler works with. All fields but Metrics, Log and Clock are required.
type Config struct {
	Table *Table
	Gate  *gate.Gate
	Audit awsapi.Auditor
	// Fresh fails once the node has not heard from the store for too long to know what was revoked.
	Fresh func(time.Time) error

	Metrics awsapi.Meter     // nil counts nothing
	Log     *slog.Logger     // nil discards
	Clock   func() time.Time // nil is time.Now
}

// Handler answers 200 with headers about the caller, 401 to a request without a good signature, and 403 to one that the
// policies, or the table, do not allow. It never answers 200 for what it did not understand.
//
// A body counts only if the proxy sends it. One that stays with the proxy has to be signed by its hash, in
// X-Amz-Content-Sha256; requests without body need nothing.
type Handler struct{ cfg Config }

// New makes a handler.
func New(cfg Config) *Handler {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Handler{cfg: cfg}
}

// question is one request on its way to a decision; it is filled as far as it comes.
type question struct {
	original  *original
	service   *Service
	rule      *Rule
	principal *awsapi.Principal
	resource  string
	requestID string
}

// ServeHTTP decides one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	q := &question{requestID: arn.NewUUID()}
	err := h.decide(r, q)
	if err == nil || q.principal != nil {
		if recorded := h.record(r.Context(), q, err); recorded != nil {
			err = awsapi.Internal(recorded) // what cannot be recorded is not allowed
		}
	}
	w.Header().Set(HeaderRequestID, q.requestID)
	code := metrics.CodeOK
	if err != nil {
		e := awsapi.AsError(err)
		if e.Status >= http.StatusInternalServerError {
			h.cfg.Log.Error("a request could not be decided", "request", q.requestID, "error", err)
		}
		code = e.RESTCode()
		refuse(w, e)
	} else {
		allow(w.Header(), q)
		w.WriteHeader(http.StatusOK)
	}
	if h.cfg.Metrics != nil {
		h.cfg.Metrics.Request("http-authorization", "Decide", code, time.Since(start))
	}
}

// decide returns nil only for what is allowed.
func (h *Handler) decide(r *http.Request, q *question) (err error) {
	now := h.cfg.Clock()
	if q.original, err = readOriginal(r, now); err != nil {
		return awsapi.AccessDenied("The request cannot be decided: %s", err)
	}
	if err := h.cfg.Fresh(now); err != nil {
		return awsapi.Errorf("ServiceUnavailable", http.StatusServiceUnavailable, "The service is unavailable: this node has lost contact with its store").Because(err)
	}
	host := strings.ToLower(q.original.request.Host)
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if q.service = h.cfg.Table.byHost[host]; q.service == nil {
		return awsapi.AccessDenied("The request cannot be decided: no service has this host name")
	}
	claims, err := h.authenticate(r.Context(), q)
	if err != nil {
		return err
	}
	if q.principal.Account != q.service.Account {
		return awsapi.AccessDenied("User: %s is not authorized: the service belongs to another account", q.principal.ARN)
	}
	if claims.Region != string(q.service.Region) {
		return awsapi.Errorf("SignatureDoesNotMatch", http.StatusForbidden, "Credential should be scoped to a valid region, not '%s'.", claims.Region)
	}
	found, err := q.findRule(claims)
	if err != nil {
		return awsapi.AccessDenied("User: %s is not authorized: %s", q.principal.ARN, err)
	}
	context, err := q.context(claims, found)
	if err != nil {
		return awsapi.AccessDenied("User: %s is not authorized: %s", q.principal.ARN, err)
	}
	q.resource = q.rule.resourceOf(found)
	q.original.caller.Region = claims.Region
	return h.cfg.Gate.AuthorizeProxied(r.Context(), q.principal, &q.original.caller, context, q.rule.Action, q.resource)
}

func (h *Handler) authenticate(ctx context.Context, q *question) (*sigv4.Claims, error) {
	request := q.original.request.WithContext(ctx)
	claims, err := sigv4.Parse(request)
	if err != nil {
		claims = nil // the gate words the refusal
	}
	style := sigv4.Standard
	if q.service.Signing == "s3" {
		style = sigv4.S3
	}
	check := &sigv4.Check{}
	if claims != nil {
		if check, err = q.original.check(claims, style); err != nil {
			return nil, awsapi.Errorf("SignatureDoesNotMatch", http.StatusUnauthorized, "%s", err)
		}
	}
	p, err := h.cfg.Gate.AuthenticateProxied(request, claims, q.service.Name, check)
	if err != nil {
		e := *awsapi.AsError(err)
		if e.Status == http.StatusForbidden || e.Status == http.StatusBadRequest {
			e.Status = http.StatusUnauthorized // what HTTP calls it; proxies pass it on
		}
		return nil, &e
	}
	q.principal = p
	return claims, nil
}

// findRule takes the first rule that fits.
func (q *question) findRule(claims *sigv4.Claims) (values, error) {
	r := q.original.request
	path, err := splitPath(rawPath(r))
	if err != nil {
		return nil, err
	}
	for _, rule := range q.service.Rules {
		if len(rule.Methods) > 0 && !slices.Contains(rule.Methods, r.Method) {
			continue
		}
		if rule.Target != "" {
			if v, err := signedHeader(r, claims, "X-Amz-Target"); err != nil || v != rule.Target {
				continue
			}
		}
		if found, ok := rule.pattern.match(path); ok {
			q.rule = rule
			return found, nil
		}
	}
	return nil, errNoRule
}

// rawPath is the path as it was sent.
func rawPath(r *http.Request) string {
	path, _, _ := strings.Cut(r.RequestURI, "?")
	return path
}

// context gathers the rule's own condition keys before anything is decided: what cannot be read refuses.
func (q *question) context(claims *sigv4.Claims, found values) (func(*iampolicy.Context), error) {
	if len(q.rule.context) == 0 {
		return nil, nil
	}
	query, err := url.ParseQuery(q.original.request.URL.RawQuery)
	if err != nil {
		return nil, errQuery
	}
	set := make(map[string]string, len(q.rule.context))
	for _, k := range q.rule.context {
		switch k.from {
		case "path":
			set[k.key] = found[k.name]
		case "query":
			if vs := query[k.name]; len(vs) > 1 {
				return nil, errTwice
			} else if len(vs) == 1 {
				set[k.key] = vs[0]
			}
		case "header":
			v, err := signedHeader(q.original.request, claims, k.name)
			if err != nil {
				return nil, err
			}
			if v != "" {
				set[k.key] = v
			}
		}
	}
	return func(c *iampolicy.Context) {
		for key, v := range set {
			c.Set(key, v)
		}
	}, nil
}

// signedHeader is a header's one value, "" if it is not there.
func signedHeader(r *http.Request, claims *sigv4.Claims, name string) (string, error) {
	vs := r.Header.Values(name)
	switch {
	case len(vs) == 0:
		return "", nil
	case len(vs) > 1:
		return "", errTwice
	case !slices.Contains(claims.SignedHeaders, strings.ToLower(name)):
		return "", errUnsigned
	}
	return vs[0], nil
}

// allow tells the service behind the proxy who is calling.
func allow(h http.Header, q *question) {
	p := q.principal
	h.Set(HeaderPrincipal, p.ARN)
	h.Set(HeaderUserID, p.UserID)
	h.Set(HeaderAccount, string(p.Account))
	h.Set(HeaderAction, q.rule.Action)
	h.Set(HeaderResource, headerText(q.resource))
	tags := url.Values{}
	for _, t := range p.Tags {
		tags.Add(t.Key, t.Value)
	}
	h.Set(HeaderTags, tags.Encode())
	identity := ""
	if p.Session != nil {
		identity = p.Session.SourceIdentity
	}
	h.Set(HeaderSourceIdentity, identity)
}

// headerText escapes what a header cannot carry as it is.
func headerText(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s
	}
	return (&url.URL{Opaque: url.PathEscape(s)}).Opaque
}

// refuse answers in the form of AWS's REST-JSON errors.
func refuse(w http.ResponseWriter, e *awsapi.Error) {
	body, err := json.Marshal(map[string]string{"message": e.Message})
	if err != nil { // of strings: it cannot
		body = []byte("{}")
	}
	h := w.Header()
	h.Set("X-Amzn-Errortype", e.RESTCode())
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if e.Status == http.StatusUnauthorized {
		h.Set("Www-Authenticate", `AWS4-HMAC-SHA256`)
	}
	w.WriteHeader(e.Status)
	w.Write(body) //nolint:errcheck // nothing to do for a proxy that left
}
