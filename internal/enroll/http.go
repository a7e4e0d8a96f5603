package enroll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/template"
	"github.com/rolecall/rolecall/internal/enroll/xcep"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/store"
)

// attempt is one request, as far as it came. Its audit event is made of it.
type attempt struct {
	r         *http.Request
	now       time.Time
	id        string
	endpoint  endpoint
	operation string
	messageID string

	site      *site
	caller    *caller
	connector *connector
	template  *template.Template
	form      string // of the certificate request
	renewal   bool
	requestID string
	cert      *issued
}

// ServeHTTP answers one request. Nothing of a body is read before a Kerberos ticket was accepted. A panic, which the Kerberos
// library knows how to provoke, ends one request and no more.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e, ok := parsePath(r.URL.Path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	a := &attempt{r: r, now: time.Now(), id: arn.NewUUID(), endpoint: e, operation: "GetPolicies"}
	if e.kind == enrollmentService {
		a.operation = "RequestSecurityToken"
	}
	if !h.sources.allow(sourceOf(r.RemoteAddr), a.now) {
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			h.panicked(ctx, w, a, p)
		}
	}()
	sites, err := h.find(ctx, r.Host)
	if err != nil {
		if !errors.Is(err, store.ErrNotFound) {
			h.cfg.Log.Error("enrollment", "host", r.Host, "error", err)
			http.Error(w, "enrollment is not available", http.StatusServiceUnavailable)
			return
		}
		http.NotFound(w, r)
		return
	}
	switch {
	case e.kind == chainService:
		h.serveChain(ctx, w, r, sites)
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		// Clients look whether the address answers before they use it.
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		io.WriteString(w, "certificate enrollment\n") //nolint:errcheck // nothing to do for a client that left
	case r.Method != http.MethodPost:
		w.Header().Set("Allow", "GET, HEAD, POST")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
	case e.authentication == xcep.Kerberos:
		h.serveKerberos(ctx, w, a, sites)
	default:
		h.servePassword(ctx, w, a, sites)
	}
}

// serveKerberos authenticates by the header. A stranger learns nothing but that.
func (h *Handler) serveKerberos(ctx context.Context, w http.ResponseWriter, a *attempt, sites []*site) {
	w.Header().Set("WWW-Authenticate", "Negotiate")
	if a.r.Header.Get("Authorization") == "" {
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	reply, err := h.negotiate(a, sites)
	if err != nil {
		h.count(a, ticketCode(err))
		if h.recordStranger(ctx, a, err) != nil {
			http.Error(w, "enrollment is not available", http.StatusServiceUnavailable)
			return
		}
		http.Error(w, "unauthorized", http.StatusUnauthorized)
		return
	}
	w.Header().Set("WWW-Authenticate", reply)
	if !h.callers.allow(a.caller.sid, a.now) {
		w.Header().Set("Retry-After", "10")
		h.refuseStatus(ctx, w, a, http.StatusTooManyRequests, "too many requests")
		return
	}
	if m := h.readMessage(ctx, w, a); m != nil {
		h.answer(ctx, w, a, m)
	}
}

// servePassword authenticates by the SOAP header. There is never a 401: Windows would take it for a Basic challenge.
func (h *Handler) servePassword(ctx context.Context, w http.ResponseWriter, a *attempt, sites []*site) {
	if len(sites) == 1 {
		a.site = sites[0] // whose audit log has what is no message
	}
	m := h.readMessage(ctx, w, a)
	if m == nil {
		return
	}
	forgive, ok := h.wrong.begin(sourceOf(a.r.RemoteAddr), a.now)
	if !ok || !h.passwords.Allow() {
		w.Header().Set("Retry-After", "10")
		h.refuseStatus(ctx, w, a, http.StatusTooManyRequests, "too many requests")
		return
	}
	err := h.password(ctx, a, sites, m.User)
	if err == nil || errors.Is(err, directory.ErrUnavailable) {
		forgive() // nothing was guessed
	}
	if err != nil {
		h.count(a, "AccessDenied")
		refusal := hresult.Refuse(hresult.AccessDenied, "The user name or the password is not right")
		if h.recordStranger(ctx, a, err) != nil || errors.Is(err, directory.ErrUnavailable) {
			refusal = hresult.Refuse(hresult.Failure, "Enrollment is not available")
		}
		h.fault(w, a, refusal)
		return
	}
	if !h.callers.allow(a.caller.sid, a.now) {
		w.Header().Set("Retry-After", "10")
		h.refuseStatus(ctx, w, a, http.StatusTooManyRequests, "too many requests")
		return
	}
	h.answer(ctx, w, a, m)
}

// panicked answers for code that panicked. What was issued before is in the record. The abort that net/http defines is passed on.
func (h *Handler) panicked(ctx context.Context, w http.ResponseWriter, a *attempt, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	h.cfg.Log.Error("panic in enrollment", "operation", a.operation, "request", a.id, "panic", p, "stack", string(debug.Stack()))
	failure := fmt.Errorf("panic: %v", p)
	h.count(a, hresult.Failure.String())
	if a.caller == nil {
		h.recordStranger(ctx, a, failure) //nolint:errcheck // nothing was done that has to be durable
		http.Error(w, "enrollment is not available", http.StatusServiceUnavailable)
		return
	}
	h.record(ctx, a, failure) //nolint:errcheck // the answer is a failure in any case
	h.fault(w, a, hresult.Refuse(hresult.Failure, "The request could not be processed"))
}

// readMessage reads the body; nil means that it was answered.
func (h *Handler) readMessage(ctx context.Context, w http.ResponseWriter, a *attempt) *soap.Message {
	kind, _, err := mime.ParseMediaType(a.r.Header.Get("Content-Type"))
	if err != nil || kind != soap.ContentType {
		h.refuseStatus(ctx, w, a, http.StatusUnsupportedMediaType, "the content type must be "+soap.ContentType)
		return nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, a.r.Body, soap.MaxBytes))
	if err != nil {
		var large *http.MaxBytesError
		if errors.As(err, &large) {
			h.refuseStatus(ctx, w, a, http.StatusRequestEntityTooLarge, "the message is too large")
		}
		return nil // otherwise the client is gone
	}
	m, err := soap.Read(body)
	if err != nil {
		code := soap.Sender
		if errors.Is(err, soap.ErrNotUnderstood) {
			code = soap.MustUnderstand
		}
		reason := err.Error()
		if a.caller != nil && h.record(ctx, a, hresult.Refuse(hresult.InvalidArgument, "The message cannot be read: %s", err)) != nil {
			code, reason = soap.Receiver, "The request could not be processed"
		}
		h.count(a, hresult.InvalidArgument.String())
		write(w, http.StatusInternalServerError, soap.Fault(code, "", reason))
		return nil
	}
	a.messageID = m.MessageID
	return m
}

// answer runs the operation for a caller who is known. What was refused is in the audit log before the client hears of it.
func (h *Handler) answer(ctx context.Context, w http.ResponseWriter, a *attempt, m *soap.Message) {
	err := h.lookup(ctx, a)
	var body []byte
	if err == nil {
		if a.endpoint.kind == policyService {
			body, err = h.policies(ctx, a, m)
		} else {
			body, err = h.enroll(ctx, a, m)
		}
	}
	if recorded := h.record(ctx, a, err); recorded != nil {
		body, err = nil, recorded
	}
	if err == nil {
		h.count(a, metrics.CodeOK)
		write(w, http.StatusOK, body)
		return
	}
	refusal := hresult.Of(err)
	if refusal == nil {
		h.cfg.Log.Error("enrollment", "operation", a.operation, "request", a.id, "error", err)
		refusal = hresult.Refuse(hresult.Failure, "The request could not be processed")
	}
	h.count(a, refusal.Code.String())
	h.fault(w, a, refusal)
}

// count is the metric of an answered request; the code is "OK", a name of [hresult.Code] or of a status, or why a ticket was
// refused.
func (h *Handler) count(a *attempt, code string) {
	if h.cfg.Metrics != nil {
		h.cfg.Metrics.Request("enrollment", a.operation, code, time.Since(a.now))
	}
}

// refuseStatus answers what is no enrollment message with a plain status. It is in the audit log within the rate of strangers.
func (h *Handler) refuseStatus(ctx context.Context, w http.ResponseWriter, a *attempt, status int, text string) {
	h.count(a, strings.ReplaceAll(http.StatusText(status), " ", ""))
	if h.recordStatus(ctx, a, status, text) != nil {
		status, text = http.StatusServiceUnavailable, "enrollment is not available"
	}
	http.Error(w, text, status)
}

// fault answers a refusal in the protocol's form.
func (h *Handler) fault(w http.ResponseWriter, a *attempt, e *hresult.Error) {
	if a.endpoint.kind == policyService {
		write(w, http.StatusInternalServerError, soap.Fault(soap.Receiver, a.messageID, e.Error()))
		return
	}
	write(w, http.StatusInternalServerError, soap.EnrollmentFault(a.messageID, e, e.Code != hresult.Failure, a.requestID))
}

func write(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", soap.ContentType+"; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	w.Write(body) //nolint:errcheck // nothing to do for a client that left
}
