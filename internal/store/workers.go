package store

import "time"

// workerRest is how long a goroutine waits for more work.
const workerRest = time.Second

// workers run functions on goroutines that have run some before: SQLite's code needs a deep stack, and a new goroutine spends
// a quarter of a short query on growing its own.
type workers struct{ more chan func() }

// run starts f and returns at once. It never waits for another function to end.
func (w workers) run(f func()) {
	select {
	case w.more <- f:
	default:
		go w.work(f)
	}
}

func (w workers) work(f func()) {
	rest := time.NewTimer(workerRest)
	defer rest.Stop()
	for {
		f()
		f = nil
		rest.Reset(workerRest)
		select {
		case f = <-w.more:
		case <-rest.C:
			return
		}
	}
}
