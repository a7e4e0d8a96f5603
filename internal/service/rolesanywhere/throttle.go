package rolesanywhere

import (
	"net/http"
	"sync"

	"golang.org/x/time/rate"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
)

type anchorRegion struct {
	account arn.AccountID
	region  arn.Region
}

// throttle bounds the sessions per second of each account and region on this node.
type throttle struct {
	perSecond int // 0: no bound

	mu       sync.Mutex // guards limiters; a hold is one map access
	limiters map[anchorRegion]*rate.Limiter
}

// allow counts one request. Call it only for accounts and regions that have a trust anchor: there are only so many.
func (t *throttle) allow(account arn.AccountID, region arn.Region) bool {
	if t.perSecond == 0 {
		return true
	}
	key := anchorRegion{account, region}
	t.mu.Lock()
	l := t.limiters[key]
	if l == nil {
		if t.limiters == nil {
			t.limiters = map[anchorRegion]*rate.Limiter{}
		}
		l = rate.NewLimiter(rate.Limit(t.perSecond), t.perSecond)
		t.limiters[key] = l
	}
	t.mu.Unlock()
	return l.Allow()
}

// errThrottled is retried by every SDK, with backoff.
func errThrottled() error {
	return awsapi.Errorf("ThrottlingException", http.StatusTooManyRequests, "Rate exceeded")
}
