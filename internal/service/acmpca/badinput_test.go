package acmpca_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // reads the server's store beside it

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/testserver"
)

// badInput is bad input of issue 4 with its answer.
type badInput struct {
	name, operation string
	in              object
	code, text      string // text is in the message
}

// answer is what came.
type answer struct{ code, text, requestID string }

// TestBadInput sends one bad request after the other. Each gets AWS's exception with a reason, leaves an event that says the
// same, and changes no row.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	s := testserver.StartWith(t, func(c *server.Config) { c.Store, c.DataDir = "sqlite", dir })
	r := &rig{t, s, s.Root}
	w := newBadWorld(r)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "rolecall.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	cases := slices.Concat(w.badCSRs(), w.badKeys(), w.badExtensions(), w.badRequests(), w.badImports(), w.badRevocations())
	got := make([]answer, len(cases))
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before := rows(t, db)
			got[i] = r.bad(t, &c)
			if after := rows(t, db); after != before {
				t.Errorf("the store has changed:\n%s", firstDifference(before, after))
			}
		})
	}
	r.ok("IssueCertificate", w.with(nil))
	// Events of refusals come in order: once the last is there, what is not there will not come.
	events := r.eventsUntil(r.bad(t, &cases[0]).requestID)
	for i, c := range cases {
		t.Run(c.name+"/event", func(t *testing.T) {
			e := events[got[i].requestID]
			if e["errorCode"] != got[i].code || e["errorMessage"] != got[i].text || e["eventName"] != c.operation || e["eventSource"] != "acm-pca.amazonaws.com" || e["responseElements"] != nil {
				t.Errorf("got the event %v for the answer %s %q", e, got[i].code, got[i].text)
			}
		})
	}
}

func (r *rig) bad(t *testing.T, c *badInput) answer {
	res := r.JSON11(t, r.keys, "acm-pca", "ACMPrivateCA."+c.operation, c.in)
	var out struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(res.Body, &out); err != nil {
		t.Fatalf("%d %q", res.Status, res.Body)
	}
	if out.Type = out.Type[strings.LastIndexByte(out.Type, '#')+1:]; res.Status != 400 || out.Type != c.code || !strings.Contains(out.Message, c.text) {
		t.Errorf("got %d %s %q, want 400 %s …%s…", res.Status, out.Type, out.Message, c.code, c.text)
	}
	return answer{out.Type, out.Message, res.Header.Get("X-Amzn-Requestid")}
}

// rows is every row of the store, but for those of events.
func rows(t *testing.T, db *sql.DB) string {
	t.Helper()
	tables := values(t, db, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'event%' AND name NOT LIKE 'sqlite%' AND name <> 'log_positions' ORDER BY name`)
	if len(tables) < 20 {
		t.Fatalf("there are only the tables %v", tables)
	}
	var b strings.Builder
	for _, table := range tables {
		for _, row := range values(t, db, `SELECT * FROM `+table+` ORDER BY 1, 2`) {
			fmt.Fprintf(&b, "%s: %s\n", table, row)
		}
	}
	return b.String()
}

// values are the rows of a query, each as text.
func values(t *testing.T, db *sql.DB, query string) (list []string) {
	t.Helper()
	found, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	columns, err := found.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for found.Next() {
		row, to := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := found.Scan(to...); err != nil {
			t.Fatal(err)
		}
		var texts []string
		for _, v := range row {
			texts = append(texts, string(v))
		}
		list = append(list, strings.Join(texts, "|"))
	}
	if err := found.Err(); err != nil {
		t.Fatal(err)
	}
	return list
}

func firstDifference(before, after string) string {
	old := strings.Split(before, "\n")
	for line := range strings.SplitSeq(after, "\n") {
		if !slices.Contains(old, line) {
			return fmt.Sprintf("%.500q is new", line)
		}
	}
	return "something is gone"
}

// eventsUntil is every event by the id of its request, once that of the last request is there.
func (r *rig) eventsUntil(last string) map[string]map[string]any {
	r.t.Helper()
	events := map[string]map[string]any{}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		clear(events)
		for token := any(nil); ; {
			in := object{"MaxResults": 50}
			if token != nil {
				in["NextToken"] = token
			}
			var out struct {
				Events    []struct{ CloudTrailEvent string }
				NextToken *string
			}
			if err := json.Unmarshal(r.JSON11(r.t, r.keys, "cloudtrail", "CloudTrail_20131101.LookupEvents", in).Body, &out); err != nil {
				r.t.Fatal(err)
			}
			for _, e := range out.Events {
				event := map[string]any{}
				if err := json.Unmarshal([]byte(e.CloudTrailEvent), &event); err != nil {
					r.t.Fatal(err)
				}
				id, _ := event["requestID"].(string)
				events[id] = event
			}
			if out.NextToken == nil {
				break
			}
			token = *out.NextToken
		}
		if events[last] != nil {
			return events
		}
	}
	r.t.Fatalf("no event of request %s", last)
	return nil
}
