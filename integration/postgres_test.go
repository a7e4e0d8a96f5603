package integration

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"

	"github.com/rolecall/rolecall/internal/testdb"
)

// gateway stands between a node and its database, so that a test can part them without harm to other tests.
type gateway struct {
	target string
	l      net.Listener
	mu     sync.Mutex // guards what follows
	open   map[net.Conn]bool
	mode   gatewayMode
}

type gatewayMode int

const (
	passing gatewayMode = iota
	refusing
	silent // takes connections and bytes, and answers nothing
)

func newGateway(t *testing.T, target string) *gateway {
	t.Helper()
	g := &gateway{target: target, l: must(net.Listen("tcp", "127.0.0.1:0"))(t), open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		g.set(refusing)
		g.l.Close()
	})
	go func() {
		for {
			conn, err := g.l.Accept()
			if err != nil {
				return
			}
			go g.carry(conn)
		}
	}()
	return g
}

// set changes the mode; connections of before end, unless the gateway goes silent.
func (g *gateway) set(mode gatewayMode) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mode = mode
	if mode != silent {
		for conn := range g.open {
			conn.Close()
		}
	}
}

func (g *gateway) current() gatewayMode {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.mode
}

func (g *gateway) carry(in net.Conn) {
	defer in.Close()
	if g.current() == refusing {
		return
	}
	out, err := net.Dial("tcp", g.target)
	if err != nil {
		return
	}
	defer out.Close()
	g.mu.Lock()
	g.open[in], g.open[out] = true, true
	g.mu.Unlock()
	done := make(chan struct{}, 2)
	for from, to := range map[net.Conn]net.Conn{in: out, out: in} {
		go func() {
			defer func() { done <- struct{}{} }()
			buf := make([]byte, 32<<10)
			for {
				n, err := from.Read(buf)
				if err != nil {
					return
				}
				if g.current() == silent {
					continue
				}
				if _, err := to.Write(buf[:n]); err != nil {
					return
				}
			}
		}()
	}
	<-done
	g.mu.Lock()
	delete(g.open, in)
	delete(g.open, out)
	g.mu.Unlock()
}

// joinNode starts a second node on the store of the first, with a copy of its key ring.
func joinNode(t *testing.T, first *node, store string, args ...string) *node {
	t.Helper()
	dir := t.TempDir()
	ring := must(os.ReadFile(filepath.Join(first.dir, "keyring.json")))(t)
	if err := os.WriteFile(filepath.Join(dir, "keyring.json"), ring, 0o600); err != nil {
		t.Fatal(err)
	}
	n := serve(t, nodeConfig{dir: dir, args: append([]string{"--store", store}, args...)})
	if n.account != first.account {
		t.Fatalf("the second node serves account %s, the first %s", n.account, first.account)
	}
	return n
}

// Two nodes on one database: what one learns the other acts on within a second.
func TestTwoNodesOnPostgreSQL(t *testing.T) {
	store := testdb.Postgres(t)
	one := serve(t, nodeConfig{dir: t.TempDir(), args: []string{"--store", store}})
	two := joinNode(t, one, store)
	ctx := t.Context()
	c1, c2 := one.as(t, one.root), two.as(t, one.root)
	w := newWorld(t, c1, one.account)
	loginAt := func(n *node) func() error {
		client := n.client()
		return func() error { return errOf(w.createSession(ctx, client, n.endpoint, w.leaf)) }
	}
	at1, at2 := loginAt(one), loginAt(two)
	within(t, time.Second, at2)
	if who := whoAmI(t, one.as(t, w.login(t, two).credentials())); !strings.Contains(who, ":assumed-role/workload/") {
		t.Errorf("a session of one node is %s at the other", who)
	}
	refusedWith := func(login func() error, want string) func() error {
		return func() error {
			if err := login(); err == nil || !strings.Contains(err.Error(), want) {
				return errors.New("not refused with " + want + " but " + errorText(err))
			}
			return nil
		}
	}
	crl := must(c1.anywhere.ImportCrl(ctx, &rolesanywhere.ImportCrlInput{Name: aws.String("crl"), Enabled: aws.Bool(true), CrlData: w.ca.crl(t, 0x1000), TrustAnchorArn: &w.anchorARN}))(t)
	t.Logf("revoked at the other node after %s", within(t, time.Second, refusedWith(at2, "Certificate revoked")))
	if err := at1(); err == nil {
		t.Error("not revoked where the CRL was imported")
	}
	must(c2.anywhere.DeleteCrl(ctx, &rolesanywhere.DeleteCrlInput{CrlId: crl.Crl.CrlId}))(t)
	within(t, time.Second, at1)
	must(c2.anywhere.DisableTrustAnchor(ctx, &rolesanywhere.DisableTrustAnchorInput{TrustAnchorId: &w.anchorID}))(t)
	within(t, time.Second, refusedWith(at1, "disabled"))

	// A node without the ring is told what to do, and disturbs nothing.
	refuse(t, nodeConfig{dir: t.TempDir(), args: []string{"--store", store}}, "another key ring", "keyring.json")
	must(c1.anywhere.EnableTrustAnchor(ctx, &rolesanywhere.EnableTrustAnchorInput{TrustAnchorId: &w.anchorID}))(t)
	within(t, time.Second, at2)
	one.stop(t)
	if err := at2(); err != nil {
		t.Errorf("after the first node's end: %v", err)
	}
	two.stop(t)
	password, _ := must(url.Parse(store))(t).User.Password()
	for _, n := range []*node{one, two} {
		if strings.Contains(n.stdout.String()+n.stderr.String(), password) {
			t.Error("the database's password was printed")
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return "let in"
	}
	return err.Error()
}

// A node that is cut off from its database refuses new sessions after the staleness bound, and lives on until it is back.
func TestNodeCutOffFromPostgreSQL(t *testing.T) {
	for name, mode := range map[string]gatewayMode{"connections refused": refusing, "no answer": silent} {
		t.Run(name, func(t *testing.T) {
			direct := testdb.Postgres(t)
			u := must(url.Parse(direct))(t)
			g := newGateway(t, u.Host)
			u.Host = g.l.Addr().String()
			metrics := freeAddress(t)
			const staleness = 2 * time.Second
			n := serve(t, nodeConfig{dir: t.TempDir(), args: []string{"--store", u.String(), "--staleness", staleness.String(), "--metrics-listen", metrics}})
			w := newWorld(t, n.as(t, n.root), n.account)
			client := n.client()
			login := func() error { return errOf(w.createSession(t.Context(), client, n.endpoint, w.leaf)) }
			if err := login(); err != nil {
				t.Fatal(err)
			}
			g.set(mode)
			began := time.Now()
			if err := login(); err != nil {
				t.Errorf("refused before the staleness bound: %v", err)
			}
			within(t, staleness+2*time.Second, func() error {
				r, ok := errors.AsType[*refused](login())
				if !ok || r.status != http.StatusServiceUnavailable {
					return errors.New("still hands out sessions")
				}
				return nil
			})
			if took := time.Since(began); took < staleness/2 || took > staleness+5*time.Second {
				t.Errorf("refused after %s, the bound is %s: neither early nor held up by a store that hangs", took, staleness)
			}
			if code, _ := get(t, client, n.endpoint+"/healthz"); code != 200 {
				t.Errorf("healthz %d", code)
			}
			if code, _ := get(t, http.DefaultClient, "http://"+metrics+"/livez"); code != 200 {
				t.Errorf("livez %d: a restart would not help", code)
			}
			if code, body := get(t, http.DefaultClient, "http://"+metrics+"/readyz"); code != 503 {
				t.Errorf("readyz %d %s", code, body)
			}
			if !n.up() {
				t.Fatal("the process ended")
			}
			g.set(passing)
			t.Logf("back after %s", within(t, 20*time.Second, login))
			n.stop(t)
		})
	}
}
