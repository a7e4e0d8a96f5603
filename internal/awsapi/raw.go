package awsapi

import (
	"context"
	"net/http"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/sigv4"
)

// Raw is a request that a [RawHandler] authenticates itself.
type Raw struct {
	Request   *http.Request // its body has been read
	Body      []byte        // valid during the call only
	Buffer    []byte        // empty; the answer may be appended to it
	Claims    *sigv4.Claims // nil without a readable signature
	RequestID string
	Region    arn.Region // as the credential scope claims; "" without a readable signature
	Now       time.Time  // UTC
	SourceIP  string
	UserAgent string
	Host      string
	TLS       bool
	// Operation labels the metrics; it is the path unless the handler sets it to one of a few constants.
	Operation string
}

// Reply is the success of a [RawHandler]: a status and a JSON body.
type Reply struct {
	Status int
	Body   []byte
}

// RawHandler serves a route that no model describes (CreateSession). It authenticates, authorizes and audits by itself.
// Its errors are encoded as REST-JSON.
type RawHandler func(ctx context.Context, r *Raw) (*Reply, error)

func (rt *Router) serveRaw(ex *exchange, route *rawRoute) {
	raw := &ex.raw
	*raw = Raw{
		Request: ex.r, Body: ex.body, Buffer: ex.out[:0], Claims: ex.claims, RequestID: ex.requestID, Now: ex.start.UTC(), SourceIP: sourceIP(ex.r),
		UserAgent: ex.r.UserAgent(), Host: ex.r.Host, TLS: ex.r.TLS != nil, Operation: route.label,
	}
	if ex.claims != nil {
		raw.Region = arn.Region(ex.claims.Region)
	}
	reply, err := route.handler(ex.r.Context(), raw)
	ex.service, ex.operation = route.service, raw.Operation
	switch {
	case err != nil:
		rt.fail(ex, AsError(err))
	case reply == nil:
		rt.fail(ex, Internal(errNoReply))
	default:
		ex.send(reply.Status, reply.Body)
	}
}
