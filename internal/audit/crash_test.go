package audit

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	crashDirEnv   = "AUDIT_CRASH_DIR"
	crashRoundEnv = "AUDIT_CRASH_ROUND"
	crashStore    = "store.txt"
	crashRounds   = 25
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDirEnv); dir != "" {
		child := crashChild
		if os.Getenv(crashStoreEnv) != "" {
			child = storeChild
		}
		if err := child(dir, os.Getenv(crashRoundEnv)); err != nil {
			fmt.Fprintln(os.Stderr, "child:", err)
			os.Exit(3)
		}
	}
	os.Exit(m.Run())
}

// fileSink appends the ids it is given to a file, in one write per batch: a store that survives the death of the process. It knows no
// positions, so that what is left in the log comes again after a crash.
type fileSink struct{ f *os.File }

func (s fileSink) Position(context.Context, string) ([]byte, error) { return nil, nil }

func (s fileSink) Ship(_ context.Context, batch *Batch) error {
	var b strings.Builder
	for _, e := range batch.Events {
		b.WriteString(e.ID + "\n")
	}
	_, err := s.f.WriteString(b.String())
	return err
}

// crashChild appends with eight writers and prints every acknowledged id, shipping all the while, until it is killed.
func crashChild(dir, round string) error {
	l, err := OpenLog(filepath.Join(dir, "log"), Options{SegmentBytes: 48 << 10, Logger: quiet()})
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, crashStore), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	s, err := NewShipper(ShipperConfig{Log: l, Sink: fileSink{f}, Interval: 2 * time.Millisecond, MaxBatch: 20, Logger: quiet()})
	if err != nil {
		return err
	}
	go s.Run(context.Background())
	fmt.Println("ready")
	var wg sync.WaitGroup
	failed := make(chan error, 8)
	for w := range 8 {
		wg.Go(func() {
			for i := 0; ; i++ {
				e := testEvent(fmt.Sprintf("%s.%d-%06d", round, w, i))
				e.CreateSession.CertDER = testDER(i % 4)
				if err := l.Append(context.Background(), e, testSubject(e)); err != nil {
					failed <- err
					return
				}
				os.Stdout.WriteString(e.EventID + "\n")
			}
		})
	}
	wg.Wait()
	return <-failed
}

// Every acknowledged record is in the log or the store after SIGKILL at any moment: exactly once in the log, in each writer's order.
func TestKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	r := newRand(uint64(time.Now().UnixNano()))
	var acked []string
	for round := range crashRounds {
		acked = append(acked, crashRound(t, dir, round, time.Duration(r.IntN(60))*time.Millisecond, "")...)
	}
	if len(acked) < crashRounds {
		t.Fatalf("only %d records acknowledged in %d rounds: the test is too weak", len(acked), crashRounds)
	}

	l := openTest(t, filepath.Join(dir, "log"), Options{})
	inLog := map[string]int{}
	for _, id := range readAll(t, l) {
		if inLog[id]++; inLog[id] > 1 {
			t.Errorf("%s is in the log twice", id)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, crashStore), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	newTestFlush(t, l, fileSink{f})
	data, err := os.ReadFile(filepath.Join(dir, crashStore))
	if err != nil {
		t.Fatal(err)
	}
	stored := map[string]bool{}
	last := map[string]string{}
	for line := range strings.Lines(string(data)) {
		id := strings.TrimSuffix(line, "\n")
		if stored[id] {
			continue // repeated after a crash; a store keeps it once
		}
		stored[id] = true
		writer, _, _ := strings.Cut(id, "-")
		if id <= last[writer] {
			t.Errorf("%s was first shipped after %s", id, last[writer])
		}
		last[writer] = id
	}
	for _, id := range acked {
		if !stored[id] {
			t.Errorf("acknowledged record %s is lost", id)
		}
	}
	if n := asideCount(filepath.Join(dir, "log")); n != 0 {
		t.Errorf("%d segments were taken for damaged", n)
	}
	t.Logf("%d kills, %d acknowledged, %d stored", crashRounds, len(acked), len(stored))
}

// crashRound runs a child, kills it some time after it is ready, and returns what it acknowledged.
func crashRound(t *testing.T, dir string, round int, after time.Duration, env string) []string {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDirEnv+"="+dir, fmt.Sprintf("%s=%03d", crashRoundEnv, round), env)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(out)
	if line, err := in.ReadString('\n'); line != "ready\n" {
		t.Fatalf("round %d: child said %q, %v", round, line, err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Signal(syscall.SIGKILL) })
	defer timer.Stop()
	text, err := io.ReadAll(in)
	if err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // it was killed: its status says only that
	if ws, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || ws.Signal() != syscall.SIGKILL {
		t.Fatalf("round %d: child ended by itself: %v", round, cmd.ProcessState)
	}
	var ids []string
	for line := range strings.Lines(string(text)) {
		if id, whole := strings.CutSuffix(line, "\n"); whole {
			ids = append(ids, id)
		}
	}
	return ids
}
