package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

// clockTicks is USER_HZ, the unit of times in /proc/stat: 100 per second on every Linux that Go runs on.
const clockTicks = 100

// idleTime is how long the machine's CPUs together have had nothing to do (proc_stat(5): idle and iowait).
func idleTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line)
	if len(fields) < 6 || fields[0] != "cpu" {
		return 0, errors.New("/proc/stat does not begin with the CPUs' times")
	}
	var ticks int64
	for _, f := range fields[4:6] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / clockTicks, nil
}

// lagMetric is how long rolecalld has had audit records that are not in the store yet.
const lagMetric = "_audit_lag_seconds"

// metric reads one gauge of rolecalld by the end of its name.
func (c *child) metric(ctx context.Context, suffix string) (float64, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.metrics+"/metrics", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(io.LimitReader(resp.Body, 16<<20))
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if ok && strings.HasSuffix(name, suffix) {
			return strconv.ParseFloat(value, 64)
		}
	}
	return 0, errors.Join(fmt.Errorf("%s has no metric *%s", c.name, suffix), lines.Err())
}

// drainTimeout bounds the wait for the audit log to reach the store.
const drainTimeout = 3 * time.Minute

// drain waits until all audit records are in the store: work that the requests before have left behind. It returns at
// once for a child without metrics.
func (c *child) drain(ctx context.Context) (time.Duration, error) {
	if c.metrics == "" {
		return 0, nil
	}
	start := time.Now()
	for {
		lag, err := c.metric(ctx, lagMetric)
		if err != nil || lag == 0 {
			return time.Since(start), err
		}
		if time.Since(start) > drainTimeout {
			return 0, fmt.Errorf("%s still had audit records to ship %s after the load", c.name, drainTimeout)
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
