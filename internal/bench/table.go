package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// table prints aligned columns under a title.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer, title string, columns ...string) *table {
	fmt.Fprintf(out, "\n%s\n", title)
	t := &table{tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	t.row(columns...)
	return t
}

func (t *table) row(cells ...string) {
	fmt.Fprintln(t.w, "  "+strings.Join(cells, "\t")) //nolint:errcheck // flush reports it
}

func (t *table) flush() error { return t.w.Flush() }

// verdict compares a figure with its goal.
func verdict(met bool) string {
	if met {
		return "meets"
	}
	return "misses"
}

func atMost(format string, got, goal float64) string {
	return fmt.Sprintf(format+" (goal ≤ "+format+") %s", got, goal, verdict(got <= goal))
}

func atLeast(format string, got, goal float64) string {
	return fmt.Sprintf(format+" (goal ≥ "+format+") %s", got, goal, verdict(got >= goal))
}

func micros(d time.Duration) string { return fmt.Sprintf("%.1f", float64(d)/1e3) }

func mib(bytes int64) string { return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20)) }
