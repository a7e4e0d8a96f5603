package rolesanywhere

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/store"
)

// anchorRegions begins the names of the server values that say in which accounts and regions there has been a trust
// anchor. Anchors are listed by both, and a region can be any name that a client signs for.
const anchorRegions = "rolesanywhere-anchors/"

// noteAnchorRegion remembers the call's account and region for [Service.RefreshExpiry].
func noteAnchorRegion(call *awsapi.Call) error {
	err := call.Tx.CreateServerValue(&store.ServerValue{Name: anchorRegions + string(call.Account) + "/" + string(call.Region)})
	if errors.Is(err, store.ErrExists) {
		return nil
	}
	return err
}

type anchorRegion struct {
	account arn.AccountID
	region  arn.Region
}

// RefreshExpiry sets the metric that says how many days the certificates of each trust anchor last. The server calls it
// at its start and at least once a day. It reads every trust anchor, a page at a time.
func (s *Service) RefreshExpiry(ctx context.Context) error {
	regions, err := s.anchorRegions(ctx)
	if err != nil {
		return err
	}
	days := map[string]int{}
	for _, r := range regions {
		if err := s.expiryIn(ctx, r, days); err != nil {
			return err
		}
	}
	s.cfg.Metrics.SetDaysToExpiry(days)
	return nil
}

func (s *Service) anchorRegions(ctx context.Context) ([]anchorRegion, error) {
	var out []anchorRegion
	err := s.cfg.DB.Read(ctx, func(tx *store.Tx) error {
		out = nil
		for after := ""; ; {
			values, next, err := tx.ListServerValues(store.MaxPage, after)
			if err != nil {
				return err
			}
			for _, v := range values {
				place, ok := strings.CutPrefix(v.Name, anchorRegions)
				account, region, both := strings.Cut(place, "/")
				if ok && both {
					out = append(out, anchorRegion{arn.AccountID(account), arn.Region(region)})
				}
			}
			if after = next; after == "" {
				return nil
			}
		}
	})
	return out, err
}

// expiryIn adds the trust anchors of one account and region to days. Each page is a transaction of its own, so that a
// large account does not hold one open.
func (s *Service) expiryIn(ctx context.Context, r anchorRegion, days map[string]int) error {
	for after := ""; ; {
		var page []store.TrustAnchor
		var next string
		var now time.Time
		err := s.cfg.DB.Read(ctx, func(tx *store.Tx) (err error) {
			now = tx.Now
			page, next, err = tx.ListTrustAnchors(r.account, r.region, maxPage, after)
			return err
		})
		if err != nil {
			return err
		}
		for i := range page {
			if n, ok := daysToExpiry(&page[i], now); ok {
				days[arn.RolesAnywhere(r.region, r.account, string(kindTrustAnchor), page[i].ID).String()] = n
			}
		}
		if after = next; after == "" {
			return nil
		}
	}
}

// daysToExpiry is how many whole days the anchor's first expiring certificate lasts; negative once it has expired.
func daysToExpiry(a *store.TrustAnchor, now time.Time) (int, bool) {
	if a.SourceType != sourceCertificateBundle {
		return 0, false
	}
	anchors, err := certchain.ParseAnchors(a.SourceData)
	if err != nil {
		return 0, false // stored under rules that have since become stricter
	}
	first := math.MaxInt
	for _, c := range anchors.Certificates() {
		first = min(first, int(math.Floor(c.NotAfter.Sub(now).Hours()/24)))
	}
	return first, true
}
