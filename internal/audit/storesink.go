package audit

import (
	"context"
	"encoding/pem"

	"github.com/rolecall/rolecall/internal/store"
)

// StoreSink is the Sink of a running server.
type StoreSink struct{ DB *store.DB }

// Ship implements Sink. Both calls are idempotent: events by id, subjects because only later sightings change them.
func (s StoreSink) Ship(ctx context.Context, events []store.Event, subjects []SubjectSeen) error {
	rows := make([]store.Subject, len(subjects))
	for i := range subjects {
		rows[i] = subjects[i].row()
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		if err := tx.InsertEvents(events); err != nil {
			return err
		}
		return tx.UpsertSubjects(rows)
	})
}

// row is the sighting as a subject that holds only this credential; the store merges it into what it knows.
func (s *SubjectSeen) row() store.Subject {
	credential := store.SubjectCredential{Serial: s.Serial, Issuer: s.Issuer, SeenAt: s.SeenAt, Enabled: true, Failed: s.Failed}
	if len(s.CertDER) > 0 {
		credential.CertPEM = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.CertDER}))
	}
	return store.Subject{
		Account: s.Account, Region: s.Region, ID: s.SubjectID, DN: s.DN, Enabled: true,
		CreatedAt: s.SeenAt, UpdatedAt: s.SeenAt, LastSeenAt: s.SeenAt,
		Credentials: []store.SubjectCredential{credential},
	}
}
