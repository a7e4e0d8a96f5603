package rolesanywhere

import (
	"context"
	"math"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

// RefreshExpiry sets the metric that says how many days the certificates of each trust anchor last. The server calls it
// at its start and at least once a day. It reads every trust anchor, a page at a time: each page is a transaction of its
// own, so that a large server does not hold one open.
func (s *Service) RefreshExpiry(ctx context.Context) error {
	days := map[string]int{}
	for after := ""; ; {
		var next string
		err := s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
			var page []store.TrustAnchor
			var err error
			if page, next, err = tx.ListAllTrustAnchors(maxPage, after); err != nil {
				return err
			}
			for i := range page {
				a := &page[i]
				if n, ok := daysToExpiry(tx, a); ok {
					days[arn.RolesAnywhere(a.Region, a.Account, string(kindTrustAnchor), a.ID).String()] = n
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		if after = next; after == "" {
			break
		}
	}
	s.cfg.Metrics.SetDaysToExpiry(days)
	return nil
}

// daysToExpiry is how many whole days the anchor's first expiring certificate lasts; negative once it has expired. An
// anchor whose private CA has no certificate has none either, like one stored under rules that have since become stricter.
func daysToExpiry(tx *store.Tx, a *store.TrustAnchor) (int, bool) {
	anchors, err := storedAnchors(tx, a)
	if err != nil || anchors == nil {
		return 0, false
	}
	first := math.MaxInt
	for _, c := range anchors.Certificates() {
		first = min(first, int(math.Floor(c.NotAfter.Sub(tx.Now).Hours()/(24*time.Hour).Hours())))
	}
	return first, true
}
