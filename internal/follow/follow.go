// Package follow watches over what can change beneath a running server, files above all, by looking at it again and again.
// It does not know what it looks at. Start with [Run].
package follow

import (
	"context"
	"time"
)

// Run looks once per interval until ctx ends. It calls report with nil after a look that found a change, with each new
// error, and with nil once an error is over; an error that lasts is reported once, by its text. report may be nil and is
// never called concurrently.
func Run(ctx context.Context, interval time.Duration, look func() (changed bool, err error), report func(error)) {
	if report == nil {
		report = func(error) {}
	}
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var said string // the last problem reported
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		changed, err := look()
		switch {
		case err != nil && err.Error() != said:
			said = err.Error()
			report(err)
		case err == nil && (changed || said != ""):
			said = ""
			report(nil)
		}
	}
}
