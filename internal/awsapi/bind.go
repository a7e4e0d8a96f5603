package awsapi

import (
	"context"
	"fmt"
	"reflect"

	"github.com/rolecall/rolecall/internal/awsapi/wire"
)

// Resource is a resource that a call touched, for the audit event.
type Resource struct{ Type, Name, ARN string }

// Binding is an operation with the code that implements it; see [Bind].
type Binding struct {
	op     *Operation
	plan   *wire.Plan
	newIn  func() any
	need   func(context.Context, *Call, any) ([]Need, error)
	call   func(context.Context, *Call, any) (any, error)
	record func(in, out any) []Resource
	ahead  func(context.Context, *Call, any) error
	noTx   bool
	// Both or neither: see Prepared.
	preparedNeed func(context.Context, *Call, any) ([]Need, error)
	prepared     func(ctx context.Context, c *Call, in any, join func(out any, commit func() (any, error)) error) error
	noAudit      bool
	unsigned     bool
	err          error
}

// BindOption changes how a bound operation runs.
type BindOption func(*Binding)

// NoTx binds a read-only operation that touches no transaction: its Call.Tx is nil. Register refuses it for mutations.
func NoTx() BindOption { return func(b *Binding) { b.noTx = true } }

// SkipAudit leaves successes of a read-only operation out of the audit trail. Register refuses it for mutations.
func SkipAudit() BindOption { return func(b *Binding) { b.noAudit = true } }

// Ahead runs fn before the transaction of a mutation, for what takes long and must not hold the store: asking another
// server whether the mutation could succeed. The caller's permissions are decided before it in a transaction of their
// own, and again with the mutation. The call has no transaction meanwhile. The function must match the operation's input.
func Ahead[In any](fn func(context.Context, *Call, *In) error) BindOption {
	return func(b *Binding) {
		b.ahead = func(ctx context.Context, c *Call, in any) error { return fn(ctx, c, in.(*In)) }
	}
}

// Unsigned binds an operation whose input proves who calls: the request's signature, if it has one, plays no part. The
// handler calls [Call.Identify] once it knows; until then a failure is logged but belongs to no account's trail.
func Unsigned() BindOption { return func(b *Binding) { b.unsigned = true } }

// Record names the resources of a call for its audit event. The function must match the operation's types; out is nil
// after a failure.
func Record[In, Out any](fn func(*In, *Out) []Resource) BindOption {
	return func(b *Binding) {
		b.record = func(in, out any) []Resource {
			i, _ := in.(*In)
			o, _ := out.(*Out)
			return fn(i, o)
		}
	}
}

// Bind pairs an operation with need, which says what permissions a decoded call requires, and fn, which does the work.
// Both run inside the call's transaction, and a mutation's may run more than once: they must not keep state outside
// of it. A nil need requires no permission at all. A need that returns no Need is refused unless it is nil: fail closed.
func Bind[In, Out any](op *Operation, need func(context.Context, *Call, *In) ([]Need, error), fn func(context.Context, *Call, *In) (*Out, error), opts ...BindOption) Binding {
	b := Binding{
		op:    op,
		newIn: func() any { return new(In) },
		call:  func(ctx context.Context, c *Call, in any) (any, error) { return fn(ctx, c, in.(*In)) },
	}
	if need != nil {
		b.need = func(ctx context.Context, c *Call, in any) ([]Need, error) { return need(ctx, c, in.(*In)) }
	}
	for _, o := range opts {
		o(&b)
	}
	b.plan, b.err = wire.Compile(op, reflect.TypeFor[In](), reflect.TypeFor[Out]())
	if b.err == nil && (b.noAudit || b.noTx) && !op.ReadOnly {
		b.err = fmt.Errorf("%s: a mutation shares a transaction with its audit event", op.Action())
	}
	if b.err == nil && b.unsigned && (b.need != nil || !op.ReadOnly) {
		b.err = fmt.Errorf("%s: an unsigned operation authorizes by itself and changes nothing", op.Action())
	}
	if b.err == nil && b.prepared != nil && op.ReadOnly {
		b.err = fmt.Errorf("%s: only a mutation is prepared", op.Action())
	}
	return b
}

// Operation is the operation that b implements.
func (b Binding) Operation() *Operation { return b.op }
