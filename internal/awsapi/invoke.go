package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi/wire"
)

// invoke takes a request to a bound operation from authentication to its answer.
func (rt *Router) invoke(ex *exchange, t *target) {
	b := t.binding
	ctx := ex.r.Context()
	p, err := rt.authenticate(ex, b)
	if err != nil {
		e := AsError(err)
		if p == nil {
			rt.unidentified(ex, b, e)
			return
		}
		rt.refuse(ex, b, rt.newCall(ex, b, p), nil, e)
		return
	}
	c := rt.newCall(ex, b, p)
	in := b.newIn()
	req := wire.Request{Path: t.path, RawQuery: ex.r.URL.RawQuery, Header: ex.r.Header, Form: t.form, Body: ex.body}
	if err := b.plan.Decode(&req, in); err != nil {
		rt.refuse(ex, b, c, nil, decodeError(err))
		return
	}
	if err := b.plan.Validate(in); err != nil {
		rt.refuse(ex, b, c, in, decodeError(err))
		return
	}
	status := b.op.Status
	if err := rt.run(ctx, ex, b, c, in); err != nil {
		rt.refuse(ex, b, c, in, AsError(err))
		return
	}
	ex.send(status, ex.out)
}

// authenticate is the gate's answer, or nobody yet for an unsigned operation.
func (rt *Router) authenticate(ex *exchange, b *Binding) (*Principal, error) {
	if b.unsigned {
		return &Principal{Type: Anonymous}, nil
	}
	p, err := rt.cfg.Gate.Authenticate(ex.r, ex.claims, ex.body, b.op.Service, ex.start)
	if err == nil && (p == nil || ex.claims == nil) {
		err = Internal(errors.New("the gate authenticated a request without a signature")) // fail closed
	}
	return p, err
}

// unidentified answers a failed call of nobody in particular: it is logged, and fills no account's trail.
func (rt *Router) unidentified(ex *exchange, b *Binding, e *Error) {
	rt.cfg.Log.Info("authentication failed", "request_id", ex.requestID, "operation", b.op.Action(), "code", e.Code, "source_ip", sourceIP(ex.r), "cause", causeText(e))
	rt.fail(ex, e)
}

func decodeError(err error) *Error {
	if f, ok := errors.AsType[*wire.Fault](err); ok {
		return fromFault(f)
	}
	return Internal(err)
}

// newCall is the only place where a Call is made.
func (rt *Router) newCall(ex *exchange, b *Binding, p *Principal) *Call {
	c := &Call{
		Principal: p, Op: b.op, unsigned: b.unsigned, RequestID: ex.requestID, Account: p.Account, Now: ex.start.UTC(), SourceIP: sourceIP(ex.r),
		UserAgent: ex.r.UserAgent(), Host: ex.r.Host, TLS: ex.r.TLS != nil, ok: marker{made: true},
	}
	switch {
	case b.unsigned:
		c.Region = rt.cfg.HomeRegion // not what an unverified signature says
	case ex.claims != nil:
		c.Region = arn.Region(ex.claims.Region)
	}
	c.Partition, c.HomePartition = arn.Partition(c.Region), rt.cfg.HomePartition
	return c
}

// run executes the operation in its transaction, with its audit event, and leaves the encoded answer in ex.out.
// Nothing of a failed run remains in the store.
func (rt *Router) run(ctx context.Context, ex *exchange, b *Binding, c *Call, in any) error {
	if b.prepared != nil {
		if err := rt.runPrepared(ctx, ex, b, c, in); !errors.Is(err, ErrUnprepared) {
			return err
		}
	}
	var out any
	once := func() (err error) {
		if out, err = rt.handle(ctx, b, c, in); err == nil {
			ex.out = b.plan.Encode(ex.out[:0], out, ex.requestID)
		}
		return err
	}
	inTx := func(tx *Tx) error {
		c.Tx, c.Now, c.explain, c.touched = tx, tx.Now, "", nil
		defer func() { c.Tx = nil }()
		if err := once(); err != nil || b.op.ReadOnly {
			return err
		}
		return insertEvent(tx, rt.event(ex, b, c, in, out, nil))
	}
	if b.ahead != nil {
		if err := rt.lookAhead(ctx, b, c, in); err != nil {
			return err
		}
	}
	switch {
	case !b.op.ReadOnly:
		return rt.cfg.DB.Update(ctx, inTx)
	case b.noTx:
		if err := once(); err != nil {
			return err
		}
	default:
		if err := rt.cfg.DB.Read(ctx, inTx); err != nil {
			return err
		}
	}
	if c.Principal.Type == Anonymous {
		return Internal(errors.New("an unsigned call succeeded for nobody")) // fail closed
	}
	if b.noAudit {
		return nil
	}
	return rt.auditRead(ctx, b, rt.event(ex, b, c, in, out, nil))
}

// lookAhead runs what a binding does before its transaction, if the caller has the permissions.
func (rt *Router) lookAhead(ctx context.Context, b *Binding, c *Call, in any) error {
	err := rt.cfg.DB.Read(ctx, func(tx *Tx) error {
		c.Tx = tx
		defer func() { c.Tx = nil }()
		return rt.authorize(ctx, b, c, in, b.need)
	})
	if err != nil {
		return err
	}
	return b.ahead(ctx, c, in)
}

// auditRead records a success that changed nothing. What hands out credentials waits for the disk; what only looked does
// not, but is refused just the same when the trail takes no events.
func (rt *Router) auditRead(ctx context.Context, b *Binding, e *audit.Event) (err error) {
	if b.op.RecordOutput {
		err = rt.cfg.Audit.Append(ctx, e, nil)
	} else {
		err = rt.cfg.Audit.Note(ctx, e)
	}
	if err != nil {
		return Internal(fmt.Errorf("audit: %w", err))
	}
	return nil
}

// handle authorizes and calls.
func (rt *Router) handle(ctx context.Context, b *Binding, c *Call, in any) (out any, err error) {
	err = rt.guarded(c, func() error {
		if err := rt.authorize(ctx, b, c, in, b.need); err != nil {
			return err
		}
		out, err = b.call(ctx, c, in)
		return err
	})
	return out, err
}

// guarded makes a panic an error, so that the transaction around it ends in order.
func (rt *Router) guarded(c *Call, fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			rt.cfg.Log.Error("panic in a handler", "request_id", c.RequestID, "operation", c.Op.Action(), "panic", p, "stack", string(debug.Stack()))
			err = Internal(fmt.Errorf("panic: %v", p))
		}
	}()
	return fn()
}

// authorize asks the gate for everything that the call needs.
func (rt *Router) authorize(ctx context.Context, b *Binding, c *Call, in any, need func(context.Context, *Call, any) ([]Need, error)) error {
	if need == nil {
		return nil
	}
	needs, err := need(ctx, c, in)
	if err != nil {
		return err
	}
	if len(needs) == 0 {
		return Internal(errNoNeed)
	}
	for _, n := range needs {
		if n.Action == "" {
			n.Action = b.op.Action()
		}
		if n.Resource == "" {
			n.Resource = "*"
		}
		if err := rt.cfg.Gate.Authorize(ctx, c.Principal, c, n); err != nil {
			return err
		}
	}
	return nil
}

// refuse records a failed call and answers it. An event that cannot be written turns the answer into InternalFailure.
func (rt *Router) refuse(ex *exchange, b *Binding, c *Call, in any, e *Error) {
	if c.Principal.Type == Anonymous {
		rt.unidentified(ex, b, e)
		return
	}
	// The client may be gone; its failed call is recorded all the same.
	ctx := context.WithoutCancel(ex.r.Context())
	if err := rt.cfg.Audit.Append(ctx, rt.event(ex, b, c, in, nil, e), nil); err != nil {
		e = Internal(fmt.Errorf("audit: %w", err))
	}
	rt.fail(ex, e)
}
