package audit

import (
	"encoding/pem"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/store"
)

// Records reach a real store, and shipping them a second time changes nothing.
func TestStoreSink(t *testing.T) {
	for _, source := range []string{"memory", "sqlite:" + filepath.Join(t.TempDir(), "rolecall.db")} {
		db, err := store.Open(t.Context(), store.Config{Source: source})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		l := openTest(t, t.TempDir(), Options{SegmentBytes: 8 << 10})
		const n = 40
		for _, id := range ids("e", n) {
			e := testEvent(id)
			e.CreateSession.CertDER = testDER(1)
			e.UserAgent, e.UserIdentity.UserName = "nul \x00 and \xff", "name \x00 \xff"
			if err := l.Append(t.Context(), e, testSubject(e)); err != nil {
				t.Fatal(err)
			}
		}
		first := newTestFlush(t, l, StoreSink{db})
		if st := first.Stats(); st.Shipped != n || st.Failures != 0 {
			t.Errorf("%s: stats = %+v", source, st)
		}
		want := storeState(t, db)
		if len(want.events) != n {
			t.Fatalf("%s: %d events, want %d", source, len(want.events), n)
		}
		e := testEvent("e-0000")
		e.CreateSession.CertDER = testDER(1)
		e.UserAgent, e.UserIdentity.UserName = "nul \x00 and \xff", "name \x00 \xff"
		row := e.Row()
		for _, got := range want.events {
			if got.ID == row.ID {
				if diff := cmp.Diff(row, got); diff != "" {
					t.Errorf("%s: stored event (-want +got):\n%s", source, diff)
				}
			}
		}
		wantPEM := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: testDER(1)}))
		if c := want.subject.Credentials; len(c) != 1 || c[0].CertPEM != wantPEM || c[0].Failed || !c[0].Enabled {
			t.Errorf("%s: credentials = %+v", source, c)
		}
		second := newTestShipper(t, l, StoreSink{db}) // as after a restart
		if err := second.Flush(t.Context()); err != nil || second.Stats().Shipped != 0 {
			t.Errorf("%s: shipped %d events again, %v", source, second.Stats().Shipped, err)
		}
		err = StoreSink{db}.Ship(t.Context(), &Batch{Log: l.id, To: []byte("x"), Events: want.events, Subjects: []SubjectSeen{*testSubject(e)}})
		if !errors.Is(err, store.ErrMoved) {
			t.Errorf("%s: a batch from another position: %v", source, err)
		}
		got := storeState(t, db)
		if diff := cmp.Diff(want.events, got.events); diff != "" {
			t.Errorf("%s: shipping twice changed events:\n%s", source, diff)
		}
		if diff := cmp.Diff(want.subject, got.subject); diff != "" {
			t.Errorf("%s: shipping twice changed the subject:\n%s", source, diff)
		}
	}
}

type stored struct {
	events  []store.Event
	subject *store.Subject
}

func storeState(t *testing.T, db *store.DB) (s stored) {
	t.Helper()
	err := db.Read(t.Context(), func(tx *store.Tx) error {
		s = stored{}
		filter := &store.EventFilter{Account: "123456789012", Region: "eu-central-1"}
		var err error
		if s.events, _, err = tx.LookupEvents(filter, store.MaxEventPage, ""); err != nil {
			return err
		}
		sub := testSubject(testEvent("x"))
		s.subject, err = tx.GetSubject(sub.Account, sub.Region, sub.SubjectID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSubjectRow(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	got := (&SubjectSeen{Account: "1", Region: "r", SubjectID: "s", DN: "CN=x", SeenAt: at, Serial: "0a", Issuer: "CN=ca", Failed: true}).row(nil)
	want := store.Subject{
		Account: "1", Region: "r", ID: "s", DN: "CN=x", Enabled: true, CreatedAt: at, UpdatedAt: at, LastSeenAt: at,
		Credentials: []store.SubjectCredential{{Serial: "0a", Issuer: "CN=ca", SeenAt: at, Enabled: true, Failed: true}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}
}
