package audit

import (
	"context"

	"github.com/rolecall/rolecall/internal/store"
)

// Batch is what goes into the store in one transaction.
type Batch struct {
	Log      string // whose records these are
	From, To []byte // the log's position before and after the batch; From is empty at first
	Events   []store.Event
	Subjects []SubjectSeen // one per credential: the latest sighting in the batch
}

// Sink takes records into the store.
type Sink interface {
	// Position returns the To of the log's last Batch that Ship has stored; empty if there is none.
	Position(ctx context.Context, log string) ([]byte, error)
	// Ship stores the whole batch in one transaction that also sets the log's position to To, durable when it returns nil. It must
	// fail, having stored nothing, unless the position is From. After an error the outcome may be open: Position tells. The
	// bytes of the batch are valid only until Ship returns.
	Ship(ctx context.Context, b *Batch) error
}
