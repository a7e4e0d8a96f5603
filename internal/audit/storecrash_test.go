package audit

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	crashStoreEnv = "AUDIT_CRASH_STORE"
	crashDB       = "rolecall.db"
	storeRounds   = 20
	storeAccounts = 3
)

func crashAccount(i int) arn.AccountID { return arn.AccountID(fmt.Sprintf("%012d", i%storeAccounts)) }

// storeChild appends with eight writers and ships into SQLite, in blocks and in rows, until it is killed.
func storeChild(dir, _ string) error {
	ctx := context.Background()
	l, err := OpenLog(filepath.Join(dir, "log"), Options{SegmentBytes: 128 << 10, Logger: quiet()})
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{Source: "sqlite:" + filepath.Join(dir, crashDB)})
	if err != nil {
		return err
	}
	s, err := NewShipper(ShipperConfig{Log: l, Sink: StoreSink{DB: db}, Interval: time.Millisecond, MaxBatch: 70, Logger: quiet()})
	if err != nil {
		return err
	}
	go s.Run(ctx)
	fmt.Println("ready")
	failed := make(chan error, 8)
	for w := range 8 {
		go func() {
			for i := 0; ; i++ {
				e := testEvent("")
				e.EventTime, e.Account = time.Time{}, crashAccount(w*w+i)
				e.CreateSession.CertDER = testDER(i % 4)
				sub := testSubject(e)
				sub.SubjectID, sub.SeenAt, sub.Serial = fmt.Sprint("subject-", i%5), time.Now(), fmt.Sprint(i%4)
				if err := l.Append(ctx, e, sub); err != nil {
					failed <- err
					return
				}
				os.Stdout.WriteString(e.EventID + "\n")
			}
		}()
	}
	return <-failed
}

// Every acknowledged record is in the store exactly once after SIGKILL at any moment, whatever was under way: nothing identifies an
// event of a block, so only the position can prevent a repetition.
func TestKilledProcessShipsOnce(t *testing.T) {
	dir := t.TempDir()
	r := newRand(uint64(time.Now().UnixNano()))
	var acked []string
	for round := range storeRounds {
		acked = append(acked, crashRound(t, dir, round, time.Duration(r.IntN(80))*time.Millisecond, crashStoreEnv+"=1")...)
	}
	l := openTest(t, filepath.Join(dir, "log"), Options{})
	db, err := store.Open(t.Context(), store.Config{Source: "sqlite:" + filepath.Join(dir, crashDB)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	newTestFlush(t, l, StoreSink{db})
	if n := asideCount(filepath.Join(dir, "log")); n != 0 {
		t.Errorf("%d segments were taken for damaged", n)
	}
	stored := map[string]int{}
	for i := range storeAccounts {
		for _, id := range storedIDs(t, db, crashAccount(i)) {
			stored[id]++
		}
	}
	for id, n := range stored {
		if n != 1 {
			t.Errorf("%s is in the store %d times", id, n)
		}
	}
	for _, id := range acked {
		if stored[id] == 0 {
			t.Errorf("acknowledged record %s is lost", id)
		}
	}
	if len(acked) < 10*storeRounds {
		t.Errorf("only %d records acknowledged in %d rounds: the test is too weak", len(acked), storeRounds)
	}
	t.Logf("%d kills, %d acknowledged, %d stored", storeRounds, len(acked), len(stored))
}

func storedIDs(t *testing.T, db *store.DB, account arn.AccountID) (ids []string) {
	t.Helper()
	for after := ""; ; {
		err := db.Read(t.Context(), func(tx *store.Tx) error {
			page, next, err := tx.LookupEvents(&store.EventFilter{Account: account, Region: "eu-central-1"}, store.MaxEventPage, after)
			for i := range page {
				ids = append(ids, page[i].ID)
			}
			after = next
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		if after == "" {
			return ids
		}
	}
}
