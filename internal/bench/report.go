package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
)

// report measures section by section and prints each as soon as it is there.
func report(ctx context.Context, o *options, stdout, progress io.Writer) (err error) {
	b := &bench{options: o}
	if b.primitive, err = newPrimitive(); err != nil {
		return err
	}
	if err := b.heading(stdout); err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(progress, "… "+format+"\n", args...) }
	if needsServer(o) {
		if err := b.servers(ctx, stdout, say); err != nil {
			return err
		}
	}
	if o.wants(sectionComponents) {
		return b.components(ctx, stdout, say)
	}
	return nil
}

func needsServer(o *options) bool {
	for _, s := range []string{sectionWarm, sectionCold, sectionIdentity, sectionS3, sectionIssue, sectionEnroll, sectionLookup, sectionScale, sectionMemory} {
		if o.wants(s) {
			return true
		}
	}
	return false
}

func (b *bench) heading(out io.Writer) error {
	raw, err := b.primitive.times()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.options.dir, "rolecall-bench-")
	if err != nil {
		return err
	}
	sync, err := syncTime(dir)
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s, %d CPUs, GOMAXPROCS=%s, %d connections, %s a measurement; client and server share the CPUs\n",
		runtime.Version(), runtime.NumCPU(), orDefault(os.Getenv("GOMAXPROCS"), "unset"), b.options.conns, b.options.time)
	fmt.Fprintf(out, "raw verification: P-256 %s µs, RSA-2048 %s µs of CPU; append and fdatasync %s µs; load %s\n",
		micros(raw.p256), micros(raw.rsa2048), micros(sync), loadAverage())
	return nil
}

func orDefault(s, d string) string {
	if s == "" {
		return d
	}
	return s
}

// loadAverage tells whether the machine was quiet.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil || len(text) < 4 {
		return "unknown"
	}
	return string(text[:4])
}

// servers runs the sections that need rolecalld.
func (b *bench) servers(ctx context.Context, out io.Writer, say func(string, ...any)) (err error) {
	pkis := map[keyKind]*pki{}
	for _, kind := range []keyKind{p256, rsa2048} {
		if pkis[kind], err = newPKI(kind); err != nil {
			return err
		}
	}
	if b.target, err = newTarget(ctx, b.options.server, b.options.dir, pkis); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.target.close()) }()
	for _, s := range []struct {
		name string
		run  func(context.Context, io.Writer, func(string, ...any)) error
	}{
		{sectionWarm, b.warm}, {sectionCold, b.cold}, {sectionIdentity, b.identity}, {sectionS3, b.s3}, {sectionIssue, b.issue}, {sectionEnroll, b.enroll}, {sectionLookup, b.lookup}, {sectionMemory, b.memory}, {sectionScale, b.scale},
	} {
		if !b.options.wants(s.name) {
			continue
		}
		if err := s.run(ctx, out, say); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}
