package kerberos_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/kerberos"
	"github.com/rolecall/rolecall/internal/enroll/kerberos/initiate"
	"github.com/rolecall/rolecall/internal/testad"
)

func TestMain(m *testing.M) { testad.Main(m) }

func acceptor(t testing.TB, cfg kerberos.Config) *kerberos.Acceptor {
	t.Helper()
	if cfg.Keytab == nil {
		cfg.Keytab = testad.Start(t).Keytab(t, "http")
	}
	a, err := kerberos.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func initiator(t testing.TB, cfg initiate.Config) *initiate.Client {
	t.Helper()
	conf, err := os.ReadFile(testad.Start(t).Path("krb5.conf"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Krb5Conf = string(conf)
	c, err := initiate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// negotiate asks the domain for a ticket and makes a header of it.
func negotiate(t testing.TB, c *initiate.Client, host string, leaf *x509.Certificate) (header string, x *initiate.Exchange) {
	t.Helper()
	err := testad.Start(t).Do(func() (err error) {
		header, x, err = c.Negotiate(host, leaf)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return header, x
}

func wantReason(t *testing.T, err error, want kerberos.Reason, text string) {
	t.Helper()
	var e *kerberos.Error
	if !errors.As(err, &e) || e.Reason != want || !strings.Contains(err.Error(), text) {
		t.Errorf("got error %v, want reason %s with %q", err, want, text)
	}
}

// sid asks the domain's winbind, which has nothing in common with our code.
func sid(t testing.TB, name string) string {
	t.Helper()
	s, _, _ := strings.Cut(testad.Start(t).Run(t, "wbinfo", "-n", name), " ")
	return s
}

func TestIdentities(t *testing.T) {
	d := testad.Start(t)
	ccache, err := os.ReadFile(d.Kinit(t, "bob", testad.Password("bob")))
	if err != nil {
		t.Fatal(err)
	}
	enterprise, err := os.ReadFile(d.Kinit(t, "alice.liddell@corp.example.com", testad.Password("alice"), "-E"))
	if err != nil {
		t.Fatal(err)
	}
	group := func(rid string) string {
		domain := sid(t, "alice")
		return domain[:strings.LastIndex(domain, "-")] + "-" + rid
	}
	everyone := []string{"S-1-1-0", "S-1-5-11", "S-1-5-32-545"}
	alices := append([]string{group("513"), sid(t, "CertUsers"), sid(t, "Nested"), sid(t, "LocalCertGroup")}, everyone...)
	for _, tt := range []struct {
		name    string
		who     initiate.Config
		account string
		upn     string
		groups  []string
	}{
		{"password", initiate.Config{Principal: "alice", Password: testad.Password("alice")}, "alice", "alice.liddell@corp.example.com", alices},
		{"keytab", initiate.Config{Principal: "alice@CORP.EXAMPLE.COM", Keytab: d.Keytab(t, "alice")}, "alice", "alice.liddell@corp.example.com", alices},
		{"enterprise name, ccache", initiate.Config{CCache: enterprise}, "alice", "alice.liddell@corp.example.com", alices},
		{"ccache", initiate.Config{CCache: ccache}, "bob", "bob@corp.example.com", append([]string{group("513")}, everyone...)},
		{"computer", initiate.Config{Principal: "WS2$", Keytab: d.Keytab(t, "ws2")}, "WS2$", "WS2$@corp.example.com", append([]string{group("515")}, everyone...)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header, x := negotiate(t, initiator(t, tt.who), testad.CAHost, nil)
			id, reply, err := acceptor(t, kerberos.Config{}).Accept(header, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := x.Verify(reply); err != nil {
				t.Error(err)
			}
			if want := sid(t, tt.account); id.UserSID != want {
				t.Errorf("SID %s, want %s", id.UserSID, want)
			}
			for _, g := range tt.groups {
				if !slices.Contains(id.Groups, g) {
					t.Errorf("group %s is missing in %v", g, id.Groups)
				}
			}
			// Beyond those: how the identity was asserted (S-1-18-1), and nothing else.
			if extra := len(id.Groups) - len(tt.groups); extra != 1 || !slices.Contains(id.Groups, "S-1-18-1") {
				t.Errorf("%d groups more than expected: %v", extra, id.Groups)
			}
			if id.AccountName != tt.account || id.Realm != testad.Realm || !strings.EqualFold(id.UPN, tt.upn) || id.Computer != (tt.account == "WS2$") || id.ChannelBound {
				t.Errorf("got %+v", id)
			}
			if now := time.Now(); id.AuthTime.After(now.Add(time.Minute)) || !id.EndTime.After(now) {
				t.Errorf("times %v to %v", id.AuthTime, id.EndTime)
			}
		})
	}
}

func TestReplay(t *testing.T) {
	c := initiator(t, initiate.Config{Principal: "alice", Password: testad.Password("alice")})
	header, x := negotiate(t, c, testad.CAHost, nil)
	_, reply, err := acceptor(t, kerberos.Config{}).Accept(header, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = acceptor(t, kerberos.Config{}).Accept(header, nil) // another acceptor, the same keytab
	wantReason(t, err, kerberos.ReasonReplay, "used before")

	header2, x2 := negotiate(t, c, testad.CAHost, nil)
	if err := x2.Verify(reply); err == nil {
		t.Error("the answer to one request passes as the answer to another")
	}
	if err := x.Verify(""); err == nil {
		t.Error("no answer passes")
	}
	if _, reply2, err := acceptor(t, kerberos.Config{}).Accept(header2, nil); err != nil || x2.Verify(reply2) != nil {
		t.Errorf("a second request with the same ticket: %v", err)
	}
}

func TestRefused(t *testing.T) {
	d := testad.Start(t)
	alice := initiator(t, initiate.Config{Principal: "alice", Password: testad.Password("alice")})
	at := func(off time.Duration) func() time.Time { return func() time.Time { return time.Now().Add(off) } }
	future := initiator(t, initiate.Config{Principal: "alice", Password: testad.Password("alice"), Clock: at(20 * time.Hour)})
	other, err := kerberos.New(kerberos.Config{Keytab: d.Keytab(t, "http"), Services: []string{"RPCSS/ca.corp.example.com"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		client *initiate.Client
		host   string
		a      *kerberos.Acceptor
		reason kerberos.Reason
		text   string
	}{
		{"clock fast", alice, testad.CAHost, acceptor(t, kerberos.Config{Clock: at(-390 * time.Second)}), kerberos.ReasonNotYetValid, "6m"},
		{"clock slow", alice, testad.CAHost, acceptor(t, kerberos.Config{Clock: at(390 * time.Second)}), kerberos.ReasonSkew, "by -6m3"},
		{"expired", future, testad.CAHost, acceptor(t, kerberos.Config{Clock: at(20 * time.Hour)}), kerberos.ReasonExpired, "ago"},
		{"other service of the account", alice, testad.CAHost, other, kerberos.ReasonService, "HTTP/ca.corp.example.com"},
		{"RC4", alice, "rc4.corp.example.com", acceptor(t, kerberos.Config{Keytab: slices.Concat(d.Keytab(t, "rc4"), d.Keytab(t, "http")[2:])}), kerberos.ReasonEncryption, "type 23"},
		{"wrong key", alice, testad.CAHost, acceptor(t, kerberos.Config{Keytab: onlyKey(t, d.Keytab(t, "http"), func(k []byte) { k[0] ^= 1 }, 0)}), kerberos.ReasonIntegrity, "keytab"},
		{"old version", alice, testad.CAHost, acceptor(t, kerberos.Config{Keytab: onlyKey(t, d.Keytab(t, "http"), nil, 77)}), kerberos.ReasonNoKey, "export it again"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header, _ := negotiate(t, tt.client, tt.host, nil)
			id, reply, err := tt.a.Accept(header, nil)
			if id != nil || reply != "" {
				t.Errorf("got %v, %q", id, reply)
			}
			wantReason(t, err, tt.reason, tt.text)
		})
	}
}

func TestRC4Allowed(t *testing.T) {
	d := testad.Start(t)
	if _, err := kerberos.New(kerberos.Config{Keytab: d.Keytab(t, "rc4")}); err == nil {
		t.Error("a keytab with RC4 only is of no use without AllowRC4, and nobody says so")
	}
	c := initiator(t, initiate.Config{Principal: "alice", Password: testad.Password("alice")})
	header, x := negotiate(t, c, "rc4.corp.example.com", nil)
	id, reply, err := acceptor(t, kerberos.Config{Keytab: d.Keytab(t, "rc4"), AllowRC4: true}).Accept(header, nil)
	if err != nil {
		t.Fatal(err)
	}
	if id.AccountName != "alice" || x.Verify(reply) != nil {
		t.Errorf("got %+v", id)
	}
}

// certificate makes a self-signed certificate for the host that the tests' server has.
func certificate(t testing.TB) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: testad.CAHost}, DNSNames: []string{testad.CAHost},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func TestChannelBinding(t *testing.T) {
	ours, other := certificate(t).Leaf, certificate(t).Leaf
	c := initiator(t, initiate.Config{Principal: "alice", Password: testad.Password("alice")})
	const ok = kerberos.Reason("")
	for _, tt := range []struct {
		name           string
		mode           kerberos.ChannelBinding
		client, server *x509.Certificate
		want           kerberos.Reason
		bound          bool
	}{
		{"off, none", kerberos.Off, nil, ours, ok, false},
		{"off, other", kerberos.Off, other, ours, ok, false},
		{"allow, none", kerberos.Allow, nil, ours, ok, false},
		{"allow, ours", kerberos.Allow, ours, ours, ok, true},
		{"allow, other", kerberos.Allow, other, ours, kerberos.ReasonChannelBinding, false},
		{"allow, unknown", kerberos.Allow, ours, nil, kerberos.ReasonChannelBinding, false},
		{"require, none", kerberos.Require, nil, ours, kerberos.ReasonChannelBinding, false},
		{"require, ours", kerberos.Require, ours, ours, ok, true},
		{"require, other", kerberos.Require, other, ours, kerberos.ReasonChannelBinding, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header, _ := negotiate(t, c, testad.CAHost, tt.client)
			id, _, err := acceptor(t, kerberos.Config{ChannelBinding: tt.mode}).Accept(header, tt.server)
			if tt.want != ok {
				wantReason(t, err, tt.want, "TLS channel")
			} else if err != nil || id.ChannelBound != tt.bound {
				t.Errorf("got %+v, %v", id, err)
			}
		})
	}
}

// An unmodified curl logs on with the MIT library, which also checks the answer.
func TestCurl(t *testing.T) {
	d := testad.Start(t)
	cert := certificate(t)
	a := acceptor(t, kerberos.Config{})
	l := d.Listen(t, testad.CAHost+":443")
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, reply, err := a.Accept(r.Header.Get("Authorization"), cert.Leaf)
		if err != nil {
			w.Header().Set("WWW-Authenticate", "Negotiate")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.Header().Set("WWW-Authenticate", reply)
		w.Write([]byte("hello " + id.UserSID))
	})}
	go server.Serve(tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}}))
	t.Cleanup(func() { server.Close() })
	pemFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(pemFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]}), 0o600); err != nil {
		t.Fatal(err)
	}
	ccache := d.Kinit(t, "alice", testad.Password("alice"))
	cmd := d.Command(t.Context(), "curl", "-sS", "--noproxy", "*", "--cacert", pemFile, "--negotiate", "-u", ":", "https://"+testad.CAHost+"/")
	cmd.Env = append(cmd.Env, "KRB5CCNAME=FILE:"+ccache)
	out, err := cmd.CombinedOutput()
	if want := "hello " + sid(t, "alice"); err != nil || string(out) != want {
		t.Errorf("curl: %v, %q, want %q", err, out, want)
	}
}

func TestHeaders(t *testing.T) {
	a := acceptor(t, kerberos.Config{})
	token := func(b string) string { return "Negotiate " + base64.StdEncoding.EncodeToString([]byte(b)) }
	for _, tt := range []struct {
		header string
		reason kerberos.Reason
	}{
		{"", kerberos.ReasonHeader},
		{"Basic YWxpY2U6cGFzc3dvcmQ=", kerberos.ReasonHeader},
		{"Negotiate", kerberos.ReasonHeader},
		{"Negotiate !!!", kerberos.ReasonHeader},
		{"Negotiate " + strings.Repeat("A", 200_000), kerberos.ReasonHeader},
		{token(""), kerberos.ReasonToken},
		{token("NTLMSSP\x00\x01\x00\x00\x00"), kerberos.ReasonMechanism},
		{token("\x60\x03\x06\x01\x2a"), kerberos.ReasonToken},
	} {
		_, _, err := a.Accept(tt.header, nil)
		wantReason(t, err, tt.reason, "")
	}
}
