package audit

import (
	"context"

	"github.com/rolecall/rolecall/internal/store"
)

// StoreSink is the Sink of a running server.
type StoreSink struct{ DB *store.DB }

// Position implements Sink.
func (s StoreSink) Position(ctx context.Context, log string) (position []byte, err error) {
	err = s.DB.Read(ctx, func(tx *store.Tx) error {
		position, err = tx.LogPosition(log)
		return err
	})
	return position, err
}

// Ship implements Sink.
func (s StoreSink) Ship(ctx context.Context, b *Batch) error {
	events := store.PackEvents(b.Events) // once, and not while the store waits
	subjects := make([]store.Subject, len(b.Subjects))
	credentials := make([]store.SubjectCredential, len(b.Subjects))
	for i := range b.Subjects {
		subjects[i] = b.Subjects[i].row(credentials[i : i : i+1])
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.MoveLogPosition(b.Log, b.From, b.To); err != nil {
			return err
		}
		if err := tx.InsertPackedEvents(events); err != nil {
			return err
		}
		return tx.UpsertSubjects(subjects)
	})
}

// row is the sighting as a subject that holds only this credential, in room's memory; the store merges it into what it knows.
func (s *SubjectSeen) row(room []store.SubjectCredential) store.Subject {
	return store.Subject{
		Account: s.Account, Region: s.Region, ID: s.SubjectID, DN: s.DN, Enabled: true,
		CreatedAt: s.SeenAt, UpdatedAt: s.SeenAt, LastSeenAt: s.SeenAt,
		Credentials: append(room, store.SubjectCredential{
			Serial: s.Serial, Issuer: s.Issuer, SeenAt: s.SeenAt, CertDER: s.CertDER, Enabled: true, Failed: s.Failed,
		}),
	}
}
