package kerberos

import (
	"sync"
	"time"
)

// maxReplays bounds the memory for tokens seen: about 30 MB when full. Only clients with a valid ticket add to it; at the
// default skew it takes 400 of their requests a second to fill it.
const maxReplays = 1 << 18

// seen is shared by all acceptors of the process: a token that one accepted must not pass at another with the same keytab.
var seen = newReplayCache(maxReplays)

// replayCache remembers authenticators until their time is outside of the allowed skew (RFC 4120 §3.2.3). The authenticator's
// ciphertext is its name: it starts with random bytes under the session key, and cannot be changed without that key.
type replayCache struct {
	max int

	mu     sync.Mutex // guards what is below
	until  map[[32]byte]time.Time
	pruned time.Time
}

func newReplayCache(limit int) *replayCache {
	return &replayCache{max: limit, until: make(map[[32]byte]time.Time)}
}

// add records a token, or refuses it if it is known or if there is no room to remember it.
func (c *replayCache) add(id [32]byte, until, now time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.until[id]; ok {
		return refuse(ReasonReplay, "this token was used before")
	}
	// Amortized: a walk over all entries twice a minute, or when full but at most once a second.
	if age := now.Sub(c.pruned); age > 30*time.Second || age < 0 || len(c.until) >= c.max && age > time.Second {
		c.pruned = now
		for k, t := range c.until {
			if t.Before(now) {
				delete(c.until, k)
			}
		}
	}
	if len(c.until) >= c.max {
		return refuse(ReasonReplayFull, "%d tokens within the allowed skew", len(c.until))
	}
	c.until[id] = until
	return nil
}
