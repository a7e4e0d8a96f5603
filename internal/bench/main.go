// Package main is `make bench`: it measures bin/rolecalld against the least that the same work could cost on this
// machine in this run, and prints ratios.
//
// The server under test runs as a child process on a temporary data folder. The floor is this same program in another
// child process: a bare Go HTTPS handler that verifies one signature. Both get the same requests from the same client,
// in turns. Times of processes are CPU times, because clock speeds drift; raw signature verifications are timed beside
// every measurement for the same reason.
//
// It checks nothing: a failed request ends the run with an error, a missed goal is only marked. It needs Linux (/proc).
//
// Start reading at report.go for what is measured, pair.go for how.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintf(os.Stderr, "bench: %v\n", err)
		os.Exit(1)
	}
}

// Sections of the report, in the order they run in.
const (
	sectionWarm       = "warm"
	sectionCold       = "cold"
	sectionIdentity   = "identity"
	sectionS3         = "s3"
	sectionIssue      = "issue"
	sectionEnroll     = "enroll"
	sectionLookup     = "lookup"
	sectionScale      = "scale"
	sectionMemory     = "memory"
	sectionComponents = "components"
)

const allSections = "warm,cold,identity,s3,issue,enroll,lookup,scale,memory,components"

// options are the command line.
type options struct {
	server     string        // rolecalld under test
	gateway    string        // versitygw, for the S3 section
	dir        string        // parent of the temporary data folder: its disk is measured
	time       time.Duration // of one measurement
	conns      int
	sessions   int
	scale      []int
	issued     []int // certificates in the store when some are issued
	rows       []int // certificates in the store when some are looked up
	sections   []string
	cpuprofile string
	coldLeaves int
	quick      bool
}

func parseOptions(args []string, stderr io.Writer) (*options, error) {
	o := &options{coldLeaves: 12_288}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.StringVar(&o.server, "server", "bin/rolecalld", "server under test")
	f.StringVar(&o.gateway, "gateway", "bin/versitygw", "S3 gateway beside it (make gateway)")
	f.StringVar(&o.dir, "dir", "", "folder on the disk to measure with (default: the system's temporary folder)")
	f.DurationVar(&o.time, "time", 5*time.Second, "duration of one measurement")
	f.IntVar(&o.conns, "conns", 16, "connections")
	f.IntVar(&o.sessions, "sessions", 50_000, "sessions before the resident memory is read")
	million := f.Bool("million", false, "a million sessions before the resident memory is read")
	scale := f.String("scale", "10,1000,100000", "numbers of anchors, roles and subjects in the store")
	issued := f.String("issued", "0,1000000", "numbers of certificates in the store for IssueCertificate")
	rows := f.String("rows", "1000,100000", "numbers of certificates in the store for lookups; 10000000 takes 10 GB of disk")
	only := f.String("only", allSections, "sections to run")
	f.BoolVar(&o.quick, "quick", false, "one second for each measurement, smaller stores: for a first look only")
	f.StringVar(&o.cpuprofile, "cpuprofile", "", "write CPU profiles of the server: to `file`.P-256 and file.RSA-2048 (warm CreateSession), file.identity (GetCallerIdentity), file.issue.P-256 and file.issue.RSA-2048 (IssueCertificate) and file.enroll (renewals in Active Directory)")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if o.quick {
		o.time, o.coldLeaves, *scale = time.Second, 8192, "10,1000"
		*issued, *rows = "0,20000", "1000,20000"
		o.sessions = min(o.sessions, 10_000)
	}
	if *million {
		o.sessions = 1_000_000
	}
	if o.time < 100*time.Millisecond || o.conns < 1 || o.sessions < 1 || f.NArg() > 0 {
		return nil, errors.New("-time is at least 100ms, -conns and -sessions at least 1, and there are no arguments")
	}
	known := strings.Split(allSections, ",")
	o.sections = strings.Split(*only, ",")
	for _, s := range o.sections {
		if !slices.Contains(known, s) {
			return nil, fmt.Errorf("section %q is not one of %s", s, allSections)
		}
	}
	var err error
	if o.scale, err = growing("scale", *scale, 1); err != nil {
		return nil, err
	}
	if o.issued, err = growing("issued", *issued, 0); err != nil {
		return nil, err
	}
	o.rows, err = growing("rows", *rows, 1000)
	return o, err
}

// growing reads a list of numbers, none below least.
func growing(name, text string, least int) (list []int, err error) {
	for word := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(word)
		if err != nil || n < least || len(list) > 0 && n < list[len(list)-1] {
			return nil, fmt.Errorf("-%s %q is not a growing list of numbers", name, text)
		}
		list = append(list, n)
	}
	return list, nil
}

func (o *options) wants(section string) bool { return slices.Contains(o.sections, section) }

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == floorMode {
		return runFloor(ctx, args[1:], os.Stdin, stdout)
	}
	o, err := parseOptions(args, stderr)
	if err != nil {
		return err
	}
	return report(ctx, o, stdout, stderr)
}
