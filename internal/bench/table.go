package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// table prints aligned columns under a title.
type table struct {
	out   io.Writer
	title string
	w     *tabwriter.Writer
	notes []string
}

func newTable(out io.Writer, title string, columns ...string) *table {
	t := &table{out: out, title: title, w: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	t.row(columns...)
	return t
}

func (t *table) row(cells ...string) {
	fmt.Fprintln(t.w, "  "+strings.Join(cells, "\t")) //nolint:errcheck // flush reports it
}

// flush prints the title and all rows at once, so that progress lines do not come between.
func (t *table) flush() error {
	if _, err := fmt.Fprintf(t.out, "\n%s\n", t.title); err != nil {
		return err
	}
	if err := t.w.Flush(); err != nil {
		return err
	}
	for _, n := range t.notes {
		if _, err := fmt.Fprintf(t.out, "  %s\n", n); err != nil {
			return err
		}
	}
	return nil
}

// note adds a line below the table.
func (t *table) note(text string) { t.notes = append(t.notes, text) }

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
