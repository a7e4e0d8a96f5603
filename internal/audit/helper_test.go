package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/store"
)

// testEvent is a typical CreateSession event named by id.
func testEvent(id string) *Event {
	return &Event{
		EventID: id, EventTime: time.Date(2026, 1, 2, 3, 4, 5, 678901000, time.UTC), RequestID: "3f0c2f5e-6a52-4b53-9f43-1d5f0e0fa7c1",
		EventSource: "rolesanywhere.amazonaws.com", EventName: "CreateSession", Account: "123456789012", Region: "eu-central-1",
		SourceIP: "192.0.2.17", UserAgent: "CredHelper/1.7.1 (go1.24; linux; amd64)",
		UserIdentity: UserIdentity{Type: IdentityAccount, PrincipalID: "0a1b2c", Account: "123456789012"},
		CreateSession: &CreateSessionParams{
			ProfileARN:     "arn:aws:rolesanywhere:eu-central-1:123456789012:profile/5a7c2f1e-8c0b-4d4a-9a43-1d5f0e0fa7c1",
			RoleARN:        "arn:aws:iam::123456789012:role/workload",
			TrustAnchorARN: "arn:aws:rolesanywhere:eu-central-1:123456789012:trust-anchor/9a7c2f1e-8c0b-4d4a-9a43-1d5f0e0fa7c1",
		},
		Session: &CreateSessionResult{
			AccessKeyID: "ASIAQAAAAAAABCDEFGHI", Expiration: time.Date(2026, 1, 2, 4, 4, 5, 0, time.UTC),
			AssumedRoleARN: "arn:aws:sts::123456789012:assumed-role/workload/0a1b2c", AssumedRoleID: "AROAQAAAAAAABCDEFGHI:0a1b2c",
			RoleARN: "arn:aws:iam::123456789012:role/workload", SourceIdentity: "CN=workload",
			SubjectARN:       "arn:aws:rolesanywhere:eu-central-1:123456789012:subject/1a7c2f1e-8c0b-4d4a-9a43-1d5f0e0fa7c1",
			PackedPolicySize: 12,
		},
		Resources: []Resource{{Type: "AWS::IAM::Role", Name: "workload", ARN: "arn:aws:iam::123456789012:role/workload"}},
		TLS:       &TLSDetails{Version: "TLSv1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", ClientProvidedHostHeader: "127.0.0.1:8443"},
	}
}

func testSubject(e *Event) *SubjectSeen {
	return &SubjectSeen{
		Account: "123456789012", Region: "eu-central-1", SubjectID: "1a7c2f1e-8c0b-4d4a-9a43-1d5f0e0fa7c1", DN: "CN=workload",
		SeenAt: e.EventTime, Serial: "0a1b2c", Issuer: "CN=ca", CertDER: e.CreateSession.CertDER,
	}
}

// testDER stands for certificate number n; the log does not look into certificates.
func testDER(n int) []byte {
	r := rand.New(rand.NewPCG(uint64(n), 7))
	b := make([]byte, 900)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func openTest(t testing.TB, dir string, opts Options) *Log {
	t.Helper()
	if opts.Logger == nil {
		opts.Logger = quiet()
	}
	l, err := OpenLog(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func mustAppend(t testing.TB, l *Log, ids ...string) {
	t.Helper()
	for _, id := range ids {
		e := testEvent(id)
		if err := l.Append(t.Context(), e, testSubject(e)); err != nil {
			t.Fatalf("Append(%s): %v", id, err)
		}
	}
}

func ids(prefix string, n int) []string {
	var s []string
	for i := range n {
		s = append(s, fmt.Sprintf("%s-%04d", prefix, i))
	}
	return s
}

// readAll reads every record of the log's durable segments.
func readAll(t testing.TB, l *Log) []string {
	t.Helper()
	var got []string
	for _, seg := range l.durable() {
		r, err := openSegment(l.folder, seg.number)
		if err != nil {
			t.Fatal(err)
		}
		for {
			rec, err := r.next(seg.size, nil)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("segment %d: %v", seg.number, err)
			}
			got = append(got, rec.row.ID)
		}
		r.close()
	}
	return got
}

// memorySink is a store that counts events it has already, and fails while err is set; with late, only after it has stored.
type memorySink struct {
	mu       sync.Mutex
	err      error
	late     bool
	position map[string][]byte
	calls    int
	order    []string // ids in the order of their first insertion
	events   map[string]store.Event
	subjects []SubjectSeen
	repeats  int
}

func (s *memorySink) Position(_ context.Context, log string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.position[log], nil
}

func (s *memorySink) Ship(_ context.Context, b *Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	if s.err != nil && !s.late {
		return s.err
	}
	if !bytes.Equal(s.position[b.Log], b.From) {
		return store.ErrMoved
	}
	if s.events == nil {
		s.events = map[string]store.Event{}
		s.position = map[string][]byte{}
	}
	s.position[b.Log] = b.To
	for _, e := range b.Events {
		e.Body, e.Cert, e.CertAt = bytes.Clone(e.WholeBody()), nil, 0
		if _, ok := s.events[e.ID]; ok {
			s.repeats++
			continue
		}
		s.events[e.ID] = e
		s.order = append(s.order, e.ID)
	}
	s.subjects = append(s.subjects, b.Subjects...)
	return s.err
}

func (s *memorySink) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

func (s *memorySink) ids() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.order...)
}

func newTestShipper(t testing.TB, l *Log, sink Sink) *Shipper {
	t.Helper()
	s, err := NewShipper(ShipperConfig{Log: l, Sink: sink, Logger: quiet(), Interval: 5 * time.Millisecond, MaxBatch: 7})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// faulty is a folder whose files fail on demand, and which can lose what was not synced, like a disk without power.
type faulty struct {
	*memory
	mu       sync.Mutex
	writeErr error
	partial  int // bytes written before writeErr
	syncErr  error
	hold     chan struct{} // Sync waits for it
	synced   map[uint64]int64
}

func newFaulty() *faulty { return &faulty{memory: newMemory(), synced: map[uint64]int64{}} }

func (f *faulty) Create(number uint64, header []byte) (segmentFile, error) {
	f.mu.Lock()
	err := f.writeErr
	f.mu.Unlock()
	if err != nil {
		return nil, describe("creating a segment", err)
	}
	file, err := f.memory.Create(number, header)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.synced[number] = int64(len(header))
	f.mu.Unlock()
	return &faultyFile{file.(*memorySegment), f, number}, nil
}

type faultyFile struct {
	*memorySegment
	f      *faulty
	number uint64
}

func (x *faultyFile) Write(p []byte) (int, error) {
	x.f.mu.Lock()
	err, partial := x.f.writeErr, x.f.partial
	x.f.mu.Unlock()
	if err != nil {
		n, _ := x.memorySegment.Write(p[:min(partial, len(p))])
		return n, err
	}
	return x.memorySegment.Write(p)
}

func (x *faultyFile) Sync() error {
	x.f.mu.Lock()
	err, hold := x.f.syncErr, x.f.hold
	x.f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if err != nil {
		return err
	}
	size, _ := x.Size()
	x.f.mu.Lock()
	x.f.synced[x.number] = size
	x.f.mu.Unlock()
	return nil
}

func (f *faulty) set(change func(*faulty)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// afterPowerLoss is the folder as a machine without power may leave it: unsynced bytes are partly there, partly lost, partly zero.
func (f *faulty) afterPowerLoss(r *rand.Rand) *memory {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := newMemory()
	for n, s := range f.segments {
		data := bytes.Clone(s.data)
		synced := f.synced[n]
		if tail := data[synced:]; len(tail) > 0 {
			tail = tail[:r.IntN(len(tail)+1)]
			for i := 0; i+64 < len(tail); i += 64 { // sectors that never arrived
				if r.IntN(8) == 0 {
					clear(tail[i : i+64])
				}
			}
			data = data[:synced+int64(len(tail))]
		}
		m.segments[n] = &memorySegment{data: data}
	}
	return m
}
