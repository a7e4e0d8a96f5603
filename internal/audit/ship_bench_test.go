package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testdb"
)

// BenchmarkShipStore is the cost of moving one event from the log into a store, all of it: reading the log, the events, the
// subjects, the position. CPU is this process's, PostgreSQL's own is not in it.
func BenchmarkShipStore(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, c := range []struct{ batch, subjects int }{{64, 10}, {defaultMaxBatch, 10}, {defaultMaxBatch, 512}} {
			b.Run(fmt.Sprintf("%s/batch=%d/subjects=%d", engine, c.batch, c.subjects), func(b *testing.B) {
				source := "sqlite:" + filepath.Join(benchDir(b), "rolecall.db")
				if engine == "postgres" {
					source = testdb.Postgres(b)
				}
				benchShip(b, source, c.batch, c.subjects)
			})
		}
	}
}

func benchShip(b *testing.B, source string, batch, subjects int) {
	db, err := store.Open(context.Background(), store.Config{Source: source})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	l, err := NewMemoryLog(Options{Logger: quiet(), MaxBacklog: 1 << 40})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	s, err := NewShipper(ShipperConfig{Log: l, Sink: StoreSink{DB: db}, Logger: quiet(), MaxBatch: batch})
	if err != nil {
		b.Fatal(err)
	}
	appendSubjects(b, l, 2*subjects, subjects) // every subject is known before the clock starts
	if err := s.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	appendSubjects(b, l, b.N, subjects)
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime()
	if err := s.Flush(context.Background()); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(cpuTime()-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u) //nolint:errcheck // cannot fail with these arguments
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// appendSubjects appends n events of so many subjects, in turn.
func appendSubjects(b *testing.B, l *Log, n, subjects int) {
	const writers = 64
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				e := testEvent("")
				e.EventTime = time.Time{}
				name := fmt.Sprintf("workload-%d", i%subjects)
				e.UserIdentity.UserName = name
				e.CreateSession.CertDER = testDER(i % subjects)
				e.CreateSession.Fingerprint = sha256.Sum256(e.CreateSession.CertDER)
				e.Session.AccessKeyID = fmt.Sprintf("ASIAQAAA%012d", i)
				sub := testSubject(e)
				sub.SubjectID, sub.DN, sub.Serial, sub.SeenAt = fmt.Sprintf("1a7c2f1e-8c0b-4d4a-9a43-%012d", i%subjects), "CN="+name, fmt.Sprint(i%subjects), time.Now()
				e.Resources = append(e.Resources, Resource{Type: "AWS::RolesAnywhere::Subject", Name: sub.SubjectID, ARN: "arn:aws:rolesanywhere:eu-central-1:123456789012:subject/" + sub.SubjectID})
				if err := l.Append(context.Background(), e, sub); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
