package follow

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A look per interval; each change, each new problem and each recovery is told once.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := errors.New("a"), errors.New("b")
		looks := []struct {
			changed bool
			err     error
		}{{}, {true, nil}, {}, {false, a}, {false, errors.New("a")}, {false, b}, {true, nil}, {}, {false, a}, {false, nil}, {}}
		want := []error{nil, a, b, nil, a, nil}
		ctx, cancel := context.WithCancel(t.Context())
		var got []error
		n := 0
		begin := time.Now()
		Run(ctx, time.Minute, func() (bool, error) {
			l := looks[n]
			if n++; n == len(looks) {
				cancel()
			}
			return l.changed, l.err
		}, func(err error) { got = append(got, err) })
		if !slices.Equal(got, want) {
			t.Errorf("reported %v, want %v", got, want)
		}
		if d := time.Since(begin); d != time.Duration(len(looks))*time.Minute {
			t.Errorf("%d looks took %s", len(looks), d)
		}
	})
}

// Nobody has to listen.
func TestRunWithoutReport(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	Run(ctx, time.Millisecond, func() (bool, error) { cancel(); return true, nil }, nil)
}
