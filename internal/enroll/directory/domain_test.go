package directory_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/enroll/kerberos/initiate"
	"github.com/rolecall/rolecall/internal/testad"
)

func TestMain(m *testing.M) { testad.Main(m) }

func config(t testing.TB) directory.Config {
	t.Helper()
	d := testad.Start(t)
	return directory.Config{Servers: []string{testad.DCHost}, Roots: d.Roots, BindName: testad.ServiceUPN, Password: testad.Password("svc-rolecall"), Dial: d.Dial}
}

func dial(t testing.TB, cfg directory.Config) *directory.Client {
	t.Helper()
	c, err := directory.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// sid asks the domain's winbind, which has nothing in common with our code.
func sid(t testing.TB, name string) string {
	t.Helper()
	s, _, _ := strings.Cut(testad.Start(t).Run(t, "wbinfo", "-n", name), " ")
	return s
}

func TestLookup(t *testing.T) {
	c := dial(t, config(t))
	e, err := c.Lookup(t.Context(), sid(t, "alice"))
	if err != nil {
		t.Fatal(err)
	}
	if e.DN != "CN=alice,CN=Users,"+testad.BaseDN || e.AccountName != "alice" || e.UserPrincipalName != "alice.liddell@corp.example.com" ||
		e.Mail != "alice@corp.example.com" || e.GivenName != "Alice" || e.Surname != "Liddell" || e.DisplayName != "Alice Liddell" || e.CommonName != "alice" ||
		e.Computer || e.DomainController || e.SID != sid(t, "alice") || e.GUID == [16]byte{} {
		t.Errorf("got %+v", e)
	}
	for _, g := range []string{"CertUsers", "Nested", "LocalCertGroup", "Domain Users"} {
		if !slices.Contains(e.Groups, sid(t, g)) {
			t.Errorf("group %s is missing in %v", g, e.Groups)
		}
	}
	want := testad.Start(t).Run(t, "samba-tool", "user", "show", "alice", "-H", testad.Start(t).Path("dc/private/sam.ldb"), "--attributes=objectGUID")
	if !strings.Contains(want, "objectGUID: "+e.GUIDText()+"\n") {
		t.Errorf("GUID %s, want %s", e.GUIDText(), want)
	}

	ws, err := c.Lookup(t.Context(), sid(t, "WS2$"))
	if err != nil {
		t.Fatal(err)
	}
	if !ws.Computer || ws.DomainController || ws.DNSHostName != "ws2.corp.example.com" || !slices.Contains(ws.ServicePrincipals, "HOST/WS2") {
		t.Errorf("got %+v", ws)
	}
	dc, err := c.Lookup(t.Context(), sid(t, "DC1$"))
	if err != nil || !dc.Computer || !dc.DomainController {
		t.Errorf("got %+v, %v", dc, err)
	}
	for _, tt := range []struct {
		sid  string
		want error
	}{
		{sid(t, "dora"), directory.ErrDisabled},
		{sid(t, "CertUsers"), directory.ErrNotFound},
		{"S-1-5-21-1-2-3-4", directory.ErrNotFound},
		{"", directory.ErrInput},
		{"S-1-5-21-1>,CN=Users", directory.ErrInput},
	} {
		if _, err := c.Lookup(t.Context(), tt.sid); !errors.Is(err, tt.want) {
			t.Errorf("%q: %v, want %v", tt.sid, err, tt.want)
		}
	}
}

// The ticket and the directory agree about who alice is, if nothing changed in between.
func TestTicketAndDirectoryAgree(t *testing.T) {
	d := testad.Start(t)
	conf, err := os.ReadFile(d.Path("krb5.conf"))
	if err != nil {
		t.Fatal(err)
	}
	k, err := initiate.New(initiate.Config{Krb5Conf: string(conf), Principal: "alice", Password: testad.Password("alice")})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	var header string
	if err := d.Do(func() (err error) { header, _, err = k.Negotiate(testad.CAHost, nil); return err }); err != nil {
		t.Fatal(err)
	}
	a, err := kerberos.New(kerberos.Config{Keytab: d.Keytab(t, "http")})
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := a.Accept(header, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := dial(t, config(t)).Fresh(t.Context(), id.UserSID)
	if err != nil {
		t.Fatal(err)
	}
	// S-1-18-1 says how the identity was asserted. The directory adds built-in groups, which tickets leave out.
	got := slices.DeleteFunc(slices.Clone(id.Groups), func(s string) bool { return s == "S-1-18-1" })
	want := slices.DeleteFunc(slices.Clone(e.Groups), func(s string) bool { return strings.HasPrefix(s, "S-1-5-32-") && s != "S-1-5-32-545" })
	if !slices.Equal(got, want) {
		t.Errorf("ticket %v\ndirectory %v", got, want)
	}
}

// What changes between two requests is seen by Fresh at once, and by Lookup when the entry's time is over.
func TestGroupChange(t *testing.T) {
	d := testad.Start(t)
	var ahead atomic.Int64
	cfg, began := config(t), time.Now()
	cfg.Clock = func() time.Time { return began.Add(time.Duration(ahead.Load())) } // stands still: the domain may be slow
	c := dial(t, cfg)
	bob, group := sid(t, "bob"), sid(t, "CertUsers")
	has := func(e *directory.Entry, err error) bool {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return slices.Contains(e.Groups, group)
	}
	if has(c.Lookup(t.Context(), bob)) {
		t.Fatal("bob is in the group from the start")
	}
	db := d.Path("dc/private/sam.ldb")
	d.Run(t, "samba-tool", "group", "addmembers", "CertUsers", "bob", "-H", "ldap://"+testad.DCHost, "-U", testad.Admin+"%"+testad.AdminPass)
	t.Cleanup(func() {
		out, err := d.Command(context.Background(), "samba-tool", "group", "removemembers", "CertUsers", "bob", "-H", db).CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	if has(c.Lookup(t.Context(), bob)) {
		t.Error("the entry was not in memory")
	}
	ahead.Store(int64(6 * time.Second))
	if !has(c.Lookup(t.Context(), bob)) {
		t.Error("the entry is in memory for longer than its time")
	}
	ahead.Store(0)
	if !has(c.Fresh(t.Context(), bob)) {
		t.Error("Fresh does not see the change")
	}
}

func TestAuthenticate(t *testing.T) {
	cfg := config(t)
	cfg.FailuresPerMinute = 100
	c := dial(t, cfg)
	for _, tt := range []struct {
		user, password string
		want           error
	}{
		{"alice", testad.Password("alice"), nil},
		{"ALICE", testad.Password("alice"), nil},
		{`CORP\alice`, testad.Password("alice"), nil},
		{`corp.example.com\alice`, testad.Password("alice"), nil},
		{"alice.liddell@corp.example.com", testad.Password("alice"), nil},
		{"alice@CORP.example.com", testad.Password("alice"), nil},
		{"alice", "wrong", directory.ErrCredentials},
		{"alice", "", directory.ErrCredentials},
		{"", "x", directory.ErrInput},
		{"al*", testad.Password("alice"), directory.ErrCredentials},
		{"*)(sAMAccountName=alice", testad.Password("alice"), directory.ErrCredentials},
		{`OTHER\alice`, testad.Password("alice"), directory.ErrCredentials},
		{"alice@other.example.com", testad.Password("alice"), directory.ErrCredentials},
		{"nobody", "x", directory.ErrCredentials},
		{"dora", testad.Password("dora"), directory.ErrCredentials},
	} {
		e, err := c.Authenticate(t.Context(), tt.user, tt.password)
		if !errors.Is(err, tt.want) {
			t.Errorf("%q: %v, want %v", tt.user, err, tt.want)
		}
		if (e != nil) != (tt.want == nil) || e != nil && (e.AccountName != "alice" || !slices.Contains(e.Groups, sid(t, "Nested"))) {
			t.Errorf("%q: %+v", tt.user, e)
		}
		if err != nil && tt.password != "" && tt.password != "x" && strings.Contains(err.Error(), tt.password) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

func TestWrongPasswordsAreLimited(t *testing.T) {
	var ahead atomic.Int64
	cfg, began := config(t), time.Now()
	cfg.Clock = func() time.Time { return began.Add(time.Duration(ahead.Load())) } // stands still: the domain may be slow
	c := dial(t, cfg)
	for range 10 { // right ones do not count
		if _, err := c.Authenticate(t.Context(), "bob", testad.Password("bob")); err != nil {
			t.Fatal(err)
		}
	}
	for i, user := range []string{"bob", `CORP\bob`, "bob@corp.example.com", "BOB"} {
		if _, err := c.Authenticate(t.Context(), user, "wrong"); !errors.Is(err, directory.ErrCredentials) {
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	if _, err := c.Authenticate(t.Context(), "bob", testad.Password("bob")); !errors.Is(err, directory.ErrRateLimited) {
		t.Errorf("after four wrong passwords: %v", err)
	}
	if _, err := c.Authenticate(t.Context(), "alice", testad.Password("alice")); err != nil {
		t.Errorf("another account: %v", err)
	}
	ahead.Store(int64(20 * time.Second))
	if _, err := c.Authenticate(t.Context(), "bob", testad.Password("bob")); err != nil {
		t.Errorf("twenty seconds later: %v", err)
	}
}

// Servers that are not there, hang or have the wrong name are passed over; connections that broke are replaced.
func TestFailover(t *testing.T) {
	d := testad.Start(t)
	hanging := d.Listen(t, testad.CAAddress+":6360") // accepts and says nothing
	defer hanging.Close()
	cfg := config(t)
	cfg.Servers = []string{testad.DCAddress + ":1", testad.DCAddress + ":636", testad.CAAddress + ":6360", testad.DCHost}
	cfg.DialTimeout = 2 * time.Second
	var conns []net.Conn
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := d.Dial(ctx, network, address)
		if err == nil {
			conns = append(conns, c)
		}
		return c, err
	}
	c := dial(t, cfg)
	alice := sid(t, "alice")
	if _, err := c.Fresh(t.Context(), alice); err != nil {
		t.Fatal(err)
	}
	opened := len(conns)
	if _, err := c.Fresh(t.Context(), alice); err != nil || len(conns) != opened {
		t.Errorf("%v; %d connections more", err, len(conns)-opened)
	}
	for _, old := range conns {
		old.Close()
	}
	if _, err := c.Fresh(t.Context(), alice); err != nil || len(conns) != opened+1 {
		t.Errorf("after the connections broke: %v; %d connections more", err, len(conns)-opened)
	}

	for name, change := range map[string]func(*directory.Config){
		"no server":      func(c *directory.Config) { c.Servers = []string{testad.DCAddress + ":1"} },
		"other root":     func(c *directory.Config) { c.Roots = x509.NewCertPool() },
		"wrong name":     func(c *directory.Config) { c.Servers = []string{testad.DCAddress + ":636"} },
		"plain LDAP":     func(c *directory.Config) { c.Servers = []string{testad.DCHost + ":389"} },
		"wrong password": func(c *directory.Config) { c.Password = "wrong" },
	} {
		cfg := config(t)
		cfg.DialTimeout = time.Second
		change(&cfg)
		if _, err := dial(t, cfg).Fresh(t.Context(), alice); !errors.Is(err, directory.ErrUnavailable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := dial(t, config(t)).Lookup(ctx, alice); !errors.Is(err, directory.ErrUnavailable) {
		t.Errorf("an ended context: %v", err)
	}
}
