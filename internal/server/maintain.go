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
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
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
