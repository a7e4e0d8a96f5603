package server

import (
	"context"
	"time"

	"github.com/rolecall/rolecall/internal/store"
)

const (
	maintenanceInterval = time.Hour
	purgeBatch          = 1000 // events per transaction, so that a purge never holds the writer for long
)

// maintain does the slow housekeeping at the start and once an hour: days to expiry, old events.
func (s *Server) maintain(ctx context.Context) {
	tick := time.NewTicker(maintenanceInterval)
	defer tick.Stop()
	for {
		if err := s.anywhere.RefreshExpiry(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("days to expiry could not be refreshed", "error", err)
		}
		if err := s.purgeEvents(ctx, time.Now().Add(-s.cfg.EventRetention)); err != nil && ctx.Err() == nil {
			s.log.Warn("old events could not be removed", "error", err)
		}
		if err := s.purgeLearned(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("old revocations could not be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// learnedRetention outlasts every session of a certificate from before it was learnt to be revoked: 12 hours, and one of
// a chained session.
const learnedRetention = 48 * time.Hour

func (s *Server) purgeLearned(ctx context.Context) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		return tx.DeleteLearnedRevocationsBefore(tx.Now.Add(-learnedRetention))
	})
}

// purgeEvents removes events older than before in small transactions.
func (s *Server) purgeEvents(ctx context.Context, before time.Time) error {
	for {
		removed := 0
		err := s.db.Update(ctx, func(tx *store.Tx) (err error) {
			removed, err = tx.DeleteEventsBefore(before, purgeBatch)
			return err
		})
		if err != nil || removed == 0 {
			return err
		}
	}
}
