package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// component is a package whose Go benchmarks are run.
type component struct {
	pkg, pattern, skip string
	rounds             bool // the benchmark starts processes: a number of rounds instead of a time
}

var components = [...]component{
	{pkg: "./sigv4", pattern: "."},
	{pkg: "./internal/certchain", pattern: "."},
	{pkg: "./internal/certattr", pattern: "."},
	{pkg: "./iampolicy", pattern: "."},
	{pkg: "./internal/sessiontoken", pattern: ".", skip: "^BenchmarkMillionSessions$"}, // the memory section has it on a server
	{pkg: "./internal/audit", pattern: "."},
	{pkg: "./cmd/rolecall", pattern: "^BenchmarkProcess$", rounds: true},
}

// figure is one value with its unit, as the testing package prints it.
type figure struct {
	value float64
	unit  string
}

// result is one line of a Go benchmark.
type result struct {
	name    string
	nanos   float64 // per operation
	bytes   string  // per operation, "" if not reported
	allocs  string
	figures []figure // the benchmark's own
}

// parseBenchmarks reads what go test -bench prints and leaves everything else aside.
func parseBenchmarks(out []byte) []result {
	var all []result
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) < 4 || len(fields)%2 != 0 || !strings.HasPrefix(fields[0], "Benchmark") {
			continue
		}
		if _, err := strconv.ParseInt(fields[1], 10, 64); err != nil {
			continue
		}
		name := strings.TrimPrefix(fields[0], "Benchmark")
		if i := strings.LastIndexByte(name, '-'); i > 0 {
			if _, err := strconv.Atoi(name[i+1:]); err == nil {
				name = name[:i] // GOMAXPROCS
			}
		}
		r := result{name: name}
		ok := true
		for i := 2; i < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			ok = ok && err == nil
			switch fields[i+1] {
			case "ns/op":
				r.nanos = v
			case "B/op":
				r.bytes = fields[i]
			case "allocs/op":
				r.allocs = fields[i]
			default:
				r.figures = append(r.figures, figure{v, fields[i+1]})
			}
		}
		if ok {
			all = append(all, r)
		}
	}
	return all
}

func (c component) command(ctx context.Context, quick bool) *exec.Cmd {
	duration := "300ms"
	switch {
	case c.rounds && quick:
		duration = "10x"
	case c.rounds:
		duration = "50x"
	case quick:
		duration = "20ms"
	}
	args := []string{"test", "-run", "^$", "-bench", c.pattern, "-benchmem", "-benchtime", duration, "-timeout", "10m"}
	if c.skip != "" {
		args = append(args, "-skip", c.skip)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, c.pkg)...)
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// components runs the Go benchmarks of the parts, in the module's folder.
func (b *bench) components(ctx context.Context, out io.Writer, say func(string, ...any)) error {
	t := newTable(out, "Parts of a request, one operation (wall time; allocations; the benchmark's own figures)",
		"package", "benchmark", "ns/op", "B/op", "allocs/op", "× raw P-256", "own figures")
	for _, c := range components {
		say("benchmarks of %s", c.pkg)
		before, err := b.primitive.time(p256)
		if err != nil {
			return err
		}
		text, err := c.command(ctx, b.options.quick).CombinedOutput()
		if err != nil {
			return fmt.Errorf("benchmarks of %s: %w\n%s", c.pkg, err, bytes.TrimSpace(text))
		}
		after, err := b.primitive.time(p256)
		if err != nil {
			return err
		}
		results := parseBenchmarks(text)
		if len(results) == 0 {
			return fmt.Errorf("%s has no benchmarks:\n%s", c.pkg, bytes.TrimSpace(text))
		}
		raw := float64(before+after) / 2
		for _, r := range results {
			t.row(strings.TrimPrefix(c.pkg, "./"), r.name, fmt.Sprintf("%.0f", r.nanos), r.bytes, r.allocs, fmt.Sprintf("%.3f", r.nanos/raw), ownFigures(r.figures))
		}
	}
	return t.flush()
}

func ownFigures(all []figure) string {
	slices.SortFunc(all, func(a, b figure) int { return strings.Compare(a.unit, b.unit) })
	words := make([]string, len(all))
	for i, f := range all {
		words[i] = strconv.FormatFloat(f.value, 'g', 4, 64) + " " + f.unit
	}
	return strings.Join(words, ", ")
}
