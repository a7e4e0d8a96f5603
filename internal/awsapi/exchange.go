package awsapi

import (
	"errors"
	"io"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi/wire"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/sigv4"
)

var (
	errNoReply  = errors.New("the handler returned neither an answer nor an error")
	errNoNeed   = errors.New("the operation requires a permission but named none")
	errTooLarge = errors.New("the body is larger than the limit")
)

// exchange is one request and its answer. Its buffers are pooled.
type exchange struct {
	w         http.ResponseWriter
	r         *http.Request
	start     time.Time
	requestID string
	claims    *sigv4.Claims // nil without a readable signature; unverified until the gate has looked
	body      []byte
	out       []byte
	raw       Raw // what a RawHandler gets

	protocol           wire.Protocol
	namespace          string
	service, operation string // bounded labels
	code               string
	sent               bool
}

var exchanges = sync.Pool{New: func() any { return &exchange{body: make([]byte, 0, 2048), out: make([]byte, 0, 2048)} }}

// maxPooled keeps a large request from pinning its memory.
const maxPooled = 64 << 10

func newExchange(w http.ResponseWriter, r *http.Request, now time.Time) *exchange {
	ex := exchanges.Get().(*exchange)
	ex.w, ex.r, ex.start, ex.requestID = w, r, now, arn.NewUUID()
	ex.protocol, ex.service, ex.operation, ex.code = wire.RESTJSON, "none", "none", metrics.CodeOK
	return ex
}

func (ex *exchange) release() {
	if cap(ex.body) > maxPooled || cap(ex.out) > maxPooled {
		return
	}
	// A session token may have passed through the answer.
	clear(ex.out[:cap(ex.out)])
	*ex = exchange{body: ex.body[:0], out: ex.out[:0]}
	exchanges.Put(ex)
}

// ServeHTTP serves one request. It never lets a panic end the connection or a request go unanswered.
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := newExchange(w, r, rt.cfg.Clock())
	defer func() {
		if p := recover(); p != nil {
			rt.panicked(ex, p)
		}
		if rt.cfg.Metrics != nil {
			rt.cfg.Metrics.Request(ex.service, ex.operation, ex.code, rt.cfg.Clock().Sub(ex.start))
		}
		ex.release()
	}()
	rt.serve(ex)
}

// panicked answers for a handler that panicked. The abort that net/http defines is passed on.
func (rt *Router) panicked(ex *exchange, p any) {
	if p == http.ErrAbortHandler {
		panic(p)
	}
	rt.cfg.Log.Error("panic while serving a request", "request_id", ex.requestID, "operation", ex.service+":"+ex.operation, "panic", p, "stack", string(debug.Stack()))
	if !ex.sent {
		rt.fail(ex, Internal(nil))
	}
}

func (rt *Router) serve(ex *exchange) {
	if claims, err := sigv4.Parse(ex.r); err == nil {
		ex.claims = claims
	}
	if err := ex.readBody(rt.cfg.MaxBody); err != nil {
		t := rt.find(ex) // for the protocol of the answer; the body is empty
		t.release()
		ex.aim(&t)
		if errors.Is(err, errTooLarge) {
			ex.w.Header().Set("Connection", "close")
			rt.fail(ex, Errorf("RequestEntityTooLarge", http.StatusRequestEntityTooLarge, "The request body is larger than %d bytes", rt.cfg.MaxBody))
			return
		}
		rt.fail(ex, Errorf("IncompleteBody", http.StatusBadRequest, "The request body terminated unexpectedly").Because(err))
		return
	}
	t := rt.find(ex)
	defer t.release()
	ex.aim(&t)
	switch {
	case t.raw == nil && CheckHead(ex.r) != nil:
		rt.fail(ex, CheckHead(ex.r))
	case t.raw != nil:
		rt.serveRaw(ex, t.raw)
	case t.err != nil:
		rt.fail(ex, t.err)
	default:
		rt.invoke(ex, &t)
	}
}

func (t *target) release() {
	if t.form != nil {
		t.form.Release()
		t.form = nil
	}
}

// aim sets what the answer depends on.
func (ex *exchange) aim(t *target) {
	ex.protocol = t.protocol
	if t.api != nil {
		ex.namespace, ex.service = t.api.Namespace, t.api.Service
	}
	if t.binding != nil {
		ex.operation = t.binding.op.Name
	}
}

// readBody reads at most limit bytes into the pooled buffer.
func (ex *exchange) readBody(limit int64) error {
	if ex.r.ContentLength > limit {
		return errTooLarge
	}
	if ex.r.Body == nil || ex.r.Body == http.NoBody {
		return nil
	}
	if n := ex.r.ContentLength; n > int64(cap(ex.body)) {
		ex.body = make([]byte, 0, n+1)
	}
	for {
		if len(ex.body) == cap(ex.body) {
			ex.body = append(ex.body, 0)[:len(ex.body)]
		}
		n, err := ex.r.Body.Read(ex.body[len(ex.body):cap(ex.body)])
		ex.body = ex.body[:len(ex.body)+n]
		if int64(len(ex.body)) > limit {
			ex.body = ex.body[:0]
			return errTooLarge
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			ex.body = ex.body[:0]
			return err
		}
	}
}

// fail answers with an error in the request's protocol.
func (rt *Router) fail(ex *exchange, e *Error) {
	code, status := public(ex.protocol, e)
	ex.code = code
	if status >= http.StatusInternalServerError {
		rt.cfg.Log.Error("request failed", "request_id", ex.requestID, "operation", ex.service+":"+ex.operation, "code", code, "cause", causeText(e))
	}
	h := ex.w.Header()
	if ex.protocol == wire.RESTJSON {
		h.Set("X-Amzn-Errortype", code)
	}
	ex.out = wire.EncodeError(ex.out[:0], ex.protocol, ex.namespace, status, code, e.Message, ex.requestID)
	if ex.protocol != wire.Query {
		for _, m := range e.Members {
			ex.out = wire.AppendErrorMember(ex.out, m.Name, m.Text)
		}
	}
	ex.send(status, ex.out)
}

func causeText(e *Error) string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Cause.Error()
}

// send writes head and body at once: an answer split in two has been seen to upset an old SDK.
func (ex *exchange) send(status int, body []byte) {
	ex.sent = true
	h := ex.w.Header()
	if status == http.StatusNoContent { // RFC 9110 §15.3.5: neither a body nor its length
		h["X-Amzn-Requestid"] = []string{ex.requestID}
		ex.w.WriteHeader(status)
		return
	}
	h["Content-Type"] = contentTypes[ex.protocol]
	values := []string{strconv.Itoa(len(body)), ex.requestID}
	h["Content-Length"], h["X-Amzn-Requestid"] = values[:1:1], values[1:]
	ex.w.WriteHeader(status)
	// net/http keeps the head back until the first bytes of the body; an error here means the client is gone.
	_, _ = ex.w.Write(body)
}

var contentTypes = map[wire.Protocol][]string{
	wire.RESTJSON:  {wire.ContentType(wire.RESTJSON)},
	wire.AWSJSON10: {wire.ContentType(wire.AWSJSON10)},
	wire.AWSJSON11: {wire.ContentType(wire.AWSJSON11)},
	wire.Query:     {wire.ContentType(wire.Query)},
}

// sourceIP is the peer's address. Forwarding headers are not believed: anyone can write them.
func sourceIP(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}
