package awsapi

import (
	"context"
	"errors"

	"github.com/rolecall/rolecall/internal/store"
)

// ErrUnprepared is what the functions of [Prepared] return for a call that has to run in a transaction as a whole: because it
// is of a rare kind, or because what it was prepared with has changed meanwhile.
var ErrUnprepared = errors.New("awsapi: the call runs in a transaction as a whole")

// Prepared lets a mutation do its work before its transaction, which it then shares with others of its kind. need and
// prepare are given a call without transaction. commit makes the result durable: it makes sure, in the transaction, that
// everything the other two relied on still holds, and returns nil, or another answer than that of prepare. All three may
// return [ErrUnprepared]; the binding's own functions then serve the call.
func Prepared[In, Mid, Out any](need func(context.Context, *Call, *In) ([]Need, error), prepare func(context.Context, *Call, *In) (*Mid, *Out, error),
	commit func(context.Context, *Call, *In, *Mid) (*Out, error)) BindOption {
	return func(b *Binding) {
		b.prepared = func(ctx context.Context, c *Call, in any, join func(out any, commit func() (other any, err error)) error) error {
			i := in.(*In)
			mid, out, err := prepare(ctx, c, i)
			if err != nil {
				return err
			}
			return join(out, func() (any, error) {
				other, err := commit(ctx, c, i, mid)
				if other == nil {
					return nil, err
				}
				return other, err
			})
		}
		b.preparedNeed = func(ctx context.Context, c *Call, in any) ([]Need, error) { return need(ctx, c, in.(*In)) }
	}
}

// runPrepared is run for a binding with [Prepared]. The error is ErrUnprepared if nothing was done.
func (rt *Router) runPrepared(ctx context.Context, ex *exchange, b *Binding, c *Call, in any) error {
	c.Tx, c.explain, c.touched = nil, "", nil
	return rt.guarded(c, func() error {
		if err := rt.authorize(ctx, b, c, in, b.preparedNeed); err != nil {
			return ErrUnprepared // the cached view may lag behind: a transaction refuses
		}
		return b.prepared(ctx, c, in, func(out any, commit func() (any, error)) error {
			encoded, event := b.plan.Encode(ex.out[:0], out, ex.requestID), rt.event(ex, b, c, in, out, nil).Row()
			return rt.cfg.DB.Join(ctx, func(tx *Tx) error {
				// It may run again, alone.
				return rt.guarded(c, func() error { return rt.commit(ex, b, c, in, tx, encoded, event, commit) })
			})
		})
	})
}

// commit runs on the goroutine of the shared transaction while the call's own waits.
func (rt *Router) commit(ex *exchange, b *Binding, c *Call, in any, tx *Tx, encoded []byte, event store.Event, fn func() (any, error)) error {
	c.Tx = tx
	defer func() { c.Tx = nil }()
	other, err := fn()
	if err != nil {
		return err
	}
	ex.out = encoded
	if other != nil {
		ex.out, event = b.plan.Encode(nil, other, ex.requestID), rt.event(ex, b, c, in, other, nil).Row()
	}
	tx.QueueEvent(event)
	return nil
}
