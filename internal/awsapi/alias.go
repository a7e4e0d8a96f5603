package awsapi

import (
	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// Types of the packages below that the request path hands on.
type (
	// Session is the opened session token of a temporary key.
	Session = sessiontoken.Session
	// ConditionContext is what a policy's conditions are evaluated against.
	ConditionContext = iampolicy.Context
	// Tx is the store's transaction.
	Tx = store.Tx
)

// insertEvent makes the event part of the transaction.
func insertEvent(tx *Tx, e *audit.Event) error { return tx.InsertEvents([]store.Event{e.Row()}) }
