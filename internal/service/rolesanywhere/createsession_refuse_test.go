package rolesanywhere_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

// refusal is bad input of issue 2 with the answer it gets. The known text comes first, our reason after ": ".
type refusal struct {
	name   string
	change func(*world) // rows, before they are written
	send   func(t *testing.T, w *world, who *entity) *testserver.Response

	status  int    // 0 is 403
	code    string // "" is AccessDeniedException
	known   string // ROLE stands for the role's ARN; the whole message if reason is empty
	reason  string // is in what follows
	like    string // instead of reason: what follows need not begin with a colon
	noEvent bool   // it belongs to no account
}

// edited sends the official client's request with a change.
func edited(edit func(*call)) func(*testing.T, *world, *entity) *testserver.Response {
	return func(t *testing.T, w *world, who *entity) *testserver.Response {
		c := w.call(who)
		edit(c)
		return w.send(t, c)
	}
}

// asked sends the request with another body.
func asked(body string) func(*testing.T, *world, *entity) *testserver.Response {
	return edited(func(c *call) { c.body = body })
}

// plainly sends the official client's request as it is.
func plainly(t *testing.T, w *world, who *entity) *testserver.Response { return w.send(t, w.call(who)) }

func TestCreateSessionRefusesSignatures(t *testing.T)   { testRefusals(t, signatureRefusals(t)) }
func TestCreateSessionRefusesCertificates(t *testing.T) { testRefusals(t, certificateRefusals()) }
func TestCreateSessionRefusesResources(t *testing.T)    { testRefusals(t, resourceRefusals()) }
func TestCreateSessionRefusesParameters(t *testing.T)   { testRefusals(t, parameterRefusals()) }

const otherAccount arn.AccountID = "210987654321"

// testRefusals sends one request after the other, comparing the store before and after, and looks their events up at
// the end.
func testRefusals(t *testing.T, cases []refusal) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	err := srv.DB().Update(t.Context(), func(tx *store.Tx) error {
		return tx.CreateAccount(&store.Account{ID: otherAccount, Name: "other"})
	})
	if err != nil {
		t.Fatal(err)
	}
	got := make([]apiError, len(cases))
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) { got[i] = c.run(t, srv, ca) })
	}
	// Events come in order: once the last is there, what is not there will not come.
	last := newWorld(t, srv, ca)
	resp := last.send(t, last.call(ca.issue(t, nil)))
	granted(t, resp)
	events := waitFor(t, srv, resp.Header.Get("X-Amzn-Requestid"))
	for i, c := range cases {
		t.Run(c.name+"/event", func(t *testing.T) { c.checkEvent(t, got[i], events[got[i].requestID]) })
	}
}

func (c *refusal) run(t *testing.T, srv *testserver.Server, ca *entity) apiError {
	change := c.change
	if change == nil {
		change = func(*world) {}
	}
	w := newWorld(t, srv, ca, change)
	who := ca.issue(t, nil)
	before := ""
	w.beforeSend = func() { before = snapshot(t, srv.DB()) } // the case may write rows of its own before
	resp := c.send(t, w, who)
	if before == "" {
		t.Fatal("the case took no snapshot: send through the world")
	}
	if after := snapshot(t, srv.DB()); after != before {
		t.Errorf("the store changed:\n%s\n%s", before, after)
	}
	e := errorOf(t, resp)
	status, code := c.status, c.code
	if status == 0 {
		status = http.StatusForbidden
	}
	if code == "" {
		code = "AccessDeniedException"
	}
	known := strings.ReplaceAll(c.known, "ROLE", w.roleARN())
	if e.status != status || e.code != code {
		t.Errorf("got %d %s (%s), want %d %s", e.status, e.code, e.message, status, code)
	}
	rest, ok := strings.CutPrefix(e.message, known)
	switch {
	case c.like != "" && ok:
		if !strings.Contains(rest, c.like) {
			t.Errorf("got %q, want %q and …%s…", e.message, known, c.like)
		}
	case !ok, c.reason == "" && rest != "":
		t.Errorf("got %q, want %q", e.message, known)
	case c.reason != "" && (!strings.HasPrefix(rest, ": ") || !strings.Contains(rest, c.reason)):
		t.Errorf("got %q, want %q, a colon and …%s…", e.message, known, c.reason)
	}
	return e
}

func (c *refusal) checkEvent(t *testing.T, e apiError, event map[string]any) {
	if c.noEvent {
		if event != nil {
			t.Errorf("got an event in somebody else's account: %v", event)
		}
		return
	}
	if event == nil {
		t.Fatal("no event")
	}
	if event["errorCode"] != e.code || event["errorMessage"] != e.message || event["eventName"] != "CreateSession" ||
		event["eventSource"] != "rolesanywhere.amazonaws.com" || event["responseElements"] != nil {
		t.Errorf("got %v, want the answer %s %q", event, e.code, e.message)
	}
}
