package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// signaturesOfOne is how often the CA signs for one enrollment: the certificate, and the CMC response around it.
const signaturesOfOne = 2

// rush is the load that two CPUs are asked about: so many users renew within the hour.
const (
	rushUsers = 10_000
	rushTime  = time.Hour
	rushCPUs  = 2
)

// enroll measures Active Directory's clients: their policies, and renewals with Kerberos, channel binding and LDAPS, against the
// bare signatures of the CA. There is no KDC: the tickets are made with the keytab's key, and the directory is played by this
// process, whose CPU time does not count.
func (b *bench) enroll(ctx context.Context, out io.Writer, say func(string, ...any)) (err error) {
	say("enrollment: %d accounts with a certificate of each CA", enrollAccounts)
	e, err := newEnrollWorld(ctx, b.target, b.options.conns)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.directory.Close()) }()
	sign := map[keyKind]time.Duration{}
	for _, kind := range []keyKind{p256, rsa2048} {
		if sign[kind], err = signTime(kind); err != nil {
			return err
		}
	}
	t := newTable(out, fmt.Sprintf("Enrollment in Active Directory with %d clients: Kerberos with channel binding, LDAPS, durable before it is answered", b.options.conns),
		"what", "connections", "/s", "CPU µs", "CA's signatures µs", "their share", "client µs", "idle CPUs", "fdatasync µs")
	var windows struct{ policies, p256, rsa2048 time.Duration }
	for _, row := range []struct {
		name string
		kind keyKind // "" for policies
		legs bool
		cost *time.Duration
	}{
		{"GetPolicies, 11 templates", "", false, nil},
		{"GetPolicies, 11 templates", "", true, &windows.policies},
		{"renewal, P-256 CA", p256, false, nil},
		{"renewal, P-256 CA", p256, true, &windows.p256},
		{"renewal, RSA-2048 CA and keys", rsa2048, false, nil},
		{"renewal, RSA-2048 CA and keys", rsa2048, true, &windows.rsa2048},
	} {
		connections := "keep-alive"
		if row.legs {
			connections = "one per leg, as Windows"
		}
		say("enrollment: %s, %s", row.name, connections)
		got, err := e.measure(ctx, row.kind, row.legs, b.options.time)
		if err != nil {
			return fmt.Errorf("%s: %w", row.name, err)
		}
		if row.cost != nil {
			*row.cost = got.perRequest()
		}
		sync, err := syncTime(b.target.dataDir)
		if err != nil {
			return err
		}
		floor, share := "–", "–"
		if row.kind != "" {
			signatures := signaturesOfOne * sign[row.kind]
			floor, share = micros(signatures), fmt.Sprintf("%.0f %%", 100*float64(signatures)/float64(got.perRequest()))
		}
		t.row(row.name, connections, fmt.Sprintf("%.0f", got.rate()), micros(got.perRequest()), floor, share, micros(got.clientPerRequest()), fmt.Sprintf("%.2f", got.idleCPUs()), micros(sync))
	}
	for _, kind := range []struct {
		name    string
		renewal time.Duration
	}{{"a P-256", windows.p256}, {"an RSA-2048", windows.rsa2048}} {
		t.note(rush(kind.name, windows.policies+kind.renewal))
	}
	if b.options.cpuprofile != "" {
		if err := e.profile(ctx, b.options.cpuprofile+".enroll", b.options.time, say); err != nil {
			return err
		}
	}
	return t.flush()
}

// rush says what part of the CPUs the hour takes: every user asks for policies and renews one certificate, as Windows does.
func rush(ca string, each time.Duration) string {
	whole := rushUsers * each
	return fmt.Sprintf("%d users who renew within %s at %s CA: %.1f s of CPU time, %.2f %% of %d CPUs",
		rushUsers, rushTime, ca, whole.Seconds(), 100*whole.Seconds()/(rushCPUs*rushTime.Seconds()), rushCPUs)
}

// signTime is the CPU time of one bare signature on one thread.
func signTime(kind keyKind) (time.Duration, error) {
	key, err := newKey(kind)
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256([]byte("bench"))
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start, err := cpuTime(unix.RUSAGE_THREAD)
	if err != nil {
		return 0, err
	}
	for n := 1; ; n++ {
		if _, err := key.Sign(rand.Reader, digest[:], crypto.SHA256); err != nil {
			return 0, err
		}
		now, err := cpuTime(unix.RUSAGE_THREAD)
		if err != nil {
			return 0, err
		}
		if now-start >= rawWindow {
			return (now - start) / time.Duration(n), nil
		}
	}
}
