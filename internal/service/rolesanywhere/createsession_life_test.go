package rolesanywhere_test

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/audit"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/metrics"
	"github.com/rolecall/rolecall/internal/service/rolesanywhere"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

// A revocation list counts from the moment it is put, and no longer once it is disabled or gone.
func TestCreateSessionRevocation(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	w := newWorld(t, srv, ca)
	who, other := ca.issue(t, nil), ca.issue(t, nil, func(c *x509.Certificate) { c.Subject.CommonName = "other" })
	status := func(want int, when string) *testserver.Response {
		t.Helper()
		resp := w.send(t, w.call(who))
		if resp.Status != want {
			t.Errorf("%s: got %d %s, want %d", when, resp.Status, resp.Body, want)
		}
		return resp
	}
	subject := granted(t, status(http.StatusCreated, "before")).subject
	crl := w.crl(t, ca.crl(t, who.cert.SerialNumber))
	revoked := errorOf(t, status(http.StatusForbidden, "revoked"))
	granted(t, w.send(t, w.call(other)))

	crl.Enabled = false
	w.update(t, func(tx *store.Tx) error { return tx.PutCRL(crl) })
	status(http.StatusCreated, "list disabled")
	crl.Enabled = true
	w.update(t, func(tx *store.Tx) error { return tx.PutCRL(crl) })
	last := errorOf(t, status(http.StatusForbidden, "list enabled again"))
	if revoked.message != last.message || revoked.code != "AccessDeniedException" {
		t.Errorf("got %v and %v", revoked, last)
	}

	// The subject remembers that its certificate was refused the last time.
	event := waitFor(t, srv, last.requestID)[last.requestID]
	if event["errorMessage"] != last.message {
		t.Errorf("got %v", event)
	}
	var row *store.Subject
	err := srv.DB().Read(t.Context(), func(tx *store.Tx) (err error) {
		row, err = tx.GetSubject(account, testserver.Region, subject[strings.LastIndexByte(subject, '/')+1:])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(row.Credentials) != 1 || !row.Credentials[0].Failed || row.Credentials[0].Serial != hexSerial(who.cert.SerialNumber) {
		t.Errorf("got %+v, want one failed credential", row.Credentials)
	}
	w.update(t, func(tx *store.Tx) error { return tx.DeleteCRL(account, testserver.Region, crl.ID) })
	status(http.StatusCreated, "list deleted")
}

// A role that was deleted and made again under its name is another role: sessions of the old one end.
func TestSessionOfRecreatedRole(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	w := newWorld(t, srv, ca)
	who := ca.issue(t, nil)
	old := granted(t, w.send(t, w.call(who)))
	if got, _ := identity(t, srv, old.keys); got != old.arn {
		t.Fatalf("got %q, want %q", got, old.arn)
	}
	refused := func(when string) {
		t.Helper()
		got, resp := identity(t, srv, old.keys)
		if got != "" || resp.Status != http.StatusForbidden || !strings.Contains(string(resp.Body), "<Code>InvalidClientTokenId</Code>") {
			t.Errorf("%s: got %d %s", when, resp.Status, resp.Body)
		}
	}
	w.update(t, func(tx *store.Tx) error { return tx.DeleteRole(account, w.role.Name) })
	refused("deleted")
	w.role.ID = sessiontoken.NewID(sessiontoken.RoleIDPrefix)
	w.update(t, func(tx *store.Tx) error { return tx.CreateRole(&w.role) })
	refused("made again")
	fresh := granted(t, w.send(t, w.call(who)))
	if got, _ := identity(t, srv, fresh.keys); got != fresh.arn {
		t.Errorf("got %q, want %q", got, fresh.arn)
	}
	if fresh.roleID == old.roleID {
		t.Error("the new role has the old id")
	}
}

// Sessions from before and after rotations of the key ring go on working while everything is in use.
func TestKeyRotationUnderLoad(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	w := newWorld(t, srv, ca)
	who := ca.issue(t, nil)
	const workers, rotations = 4, 8

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	minted := make([]int, workers)
	for i := range workers {
		wg.Go(func() {
			var held []session
			for n := 0; ctx.Err() == nil; n++ {
				resp := w.send(t, w.call(who))
				if resp.Status != http.StatusCreated {
					t.Errorf("worker %d: %d %s", i, resp.Status, resp.Body)
					return
				}
				held = append(held, granted(t, resp))
				minted[i]++
				// The oldest, the newest and one between them.
				for _, s := range []session{held[0], held[len(held)-1], held[n*7%len(held)]} {
					if got, r := identity(t, srv, s.keys); got != s.arn {
						t.Errorf("worker %d: %d %s, want %s", i, r.Status, r.Body, s.arn)
						return
					}
				}
			}
		})
	}
	first := granted(t, w.send(t, w.call(who)))
	before := len(srv.Ring().Keys())
	for range rotations {
		if _, err := srv.Ring().Rotate(time.Now()); err != nil {
			t.Error(err)
			break
		}
		// A session under the new key, beside those of the workers.
		s := granted(t, w.send(t, w.call(who)))
		for _, k := range []testserver.Keys{first.keys, s.keys} {
			if got, r := identity(t, srv, k); got != s.arn {
				t.Errorf("%d %s", r.Status, r.Body)
			}
		}
	}
	stop()
	wg.Wait()
	if got := len(srv.Ring().Keys()); got != before+rotations {
		t.Errorf("%d keys, want %d", got, before+rotations)
	}
	for i, n := range minted {
		if n == 0 {
			t.Errorf("worker %d did nothing", i)
		}
	}
}

// A node that has lost its store for longer than the bound refuses: it may not know of a revocation.
func TestCreateSessionOnStaleNode(t *testing.T) {
	db, err := store.Open(t.Context(), store.Config{Source: "memory", Staleness: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	log, err := audit.NewMemoryLog(audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := log.Close(); err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	ring := keyring.Ephemeral()
	sealer := sessiontoken.New(ring)
	guard := gate.New(gate.Config{View: db.View(), Ring: ring, Sealer: sealer})
	ahead := time.Duration(0) // how long ago this node last reached its store, as it believes
	router := awsapi.NewRouter(awsapi.Config{Gate: guard, DB: db, Audit: log, Clock: func() time.Time { return time.Now().Add(ahead) }})
	service := rolesanywhere.New(rolesanywhere.Config{DB: db, Gate: guard, Sealer: sealer, Audit: log, Metrics: metrics.New()})
	router.HandleRaw("rolesanywhere", http.MethodPost, "/sessions", service.CreateSession)
	web := httptest.NewServer(router)
	t.Cleanup(web.Close)

	ca := newCA(t, "Root", nil, nil)
	w := newWorldIn(t, db, ca)
	err = db.Update(t.Context(), func(tx *store.Tx) error { return tx.PutAccount(&store.Account{ID: account, Name: "a"}) })
	if err != nil {
		t.Fatal(err)
	}
	who := ca.issue(t, nil)
	client := &testserver.Server{URL: web.URL}
	granted(t, client.Send(t, w.call(who).request(t, web.URL)))

	records := log.Stats().Records
	ahead = time.Minute
	c := w.call(who)
	c.when = time.Now().Add(ahead)
	e := errorOf(t, client.Send(t, c.request(t, web.URL)))
	if e.status != http.StatusServiceUnavailable || e.code != "ServiceUnavailableException" || !strings.Contains(e.message, "lost contact with its store") {
		t.Errorf("got %+v", e)
	}
	if got := log.Stats().Records; got != records+1 {
		t.Errorf("%d records of the refusal, want 1", got-records)
	}
	ahead = 0
	granted(t, client.Send(t, w.call(who).request(t, web.URL)))

	// An audit log that takes nothing means no credentials.
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	e = errorOf(t, client.Send(t, w.call(who).request(t, web.URL)))
	if e.status != http.StatusInternalServerError || e.code != "InternalFailure" || strings.Contains(e.message, "audit") {
		t.Errorf("got %+v", e)
	}
}

// A message that ends before its body does is answered all the same. It is no complete request, so nothing is recorded.
func TestCreateSessionTruncatedMessage(t *testing.T) {
	srv := testserver.Start(t)
	w := newWorld(t, srv, newCA(t, "Root", nil, nil))
	before := snapshot(t, srv.DB())
	for _, chunked := range []bool{false, true} {
		t.Run(fmt.Sprintf("chunked %t", chunked), func(t *testing.T) {
			conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			r := w.call(w.ca.issue(t, nil)).request(t, srv.URL)
			var head strings.Builder
			fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\n", r.URL.RequestURI(), r.URL.Host)
			if err := r.Header.Write(&head); err != nil {
				t.Fatal(err)
			}
			if chunked {
				head.WriteString("Transfer-Encoding: chunked\r\n\r\n18\r\n{\"durationSec")
			} else {
				head.WriteString("Content-Length: 24\r\n\r\n{\"durationSec")
			}
			if _, err := io.WriteString(conn, head.String()); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			resp, err := http.ReadResponse(bufio.NewReader(conn), r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			e := errorOf(t, &testserver.Response{Status: resp.StatusCode, Header: resp.Header, Body: body})
			if e.status != http.StatusBadRequest || e.code != "IncompleteBody" || !json.Valid(body) {
				t.Errorf("got %+v", e)
			}
		})
	}
	if after := snapshot(t, srv.DB()); after != before {
		t.Error("the store changed")
	}
}
