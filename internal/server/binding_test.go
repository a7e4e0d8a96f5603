package server

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/md5" //nolint:gosec // RFC 4121 §4.1.1.2
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/enroll/adtest"
	"github.com/rolecall/rolecall/internal/store"
)

const cepKerberos = "/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"

// bindingServer is a server with a directory, whose TLS certificate the test changes.
type bindingServer struct {
	*Server
	t      *testing.T
	dir    string
	domain *adtest.Domain
	ldap   *adtest.Directory
}

func newBindingServer(t *testing.T) *bindingServer {
	t.Helper()
	b := &bindingServer{t: t, dir: t.TempDir()}
	var err error
	if b.domain, err = adtest.New(adtest.Account{RID: 1106, Name: "alice", CommonName: "Alice", UPN: "alice@corp.example.com"}); err != nil {
		t.Fatal(err)
	}
	if b.ldap, err = b.domain.Serve(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.ldap.Close() })
	b.write(ecdsaKey(t, elliptic.P256()), x509.ECDSAWithSHA256)
	cfg := Config{Store: "memory", Listen: []string{"127.0.0.1:0"}, MetricsListen: "off", TLSCert: b.path("cert.pem"), TLSKey: b.path("key.pem")}
	if b.Server, err = Start(t.Context(), cfg, Output{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Shutdown() })
	b.mode("allow")
	return b
}

func (b *bindingServer) path(name string) string { return filepath.Join(b.dir, name) }

// mode sets the directory's channel binding.
func (b *bindingServer) mode(binding string) {
	b.t.Helper()
	row := &store.Directory{Account: b.account, Region: "us-east-1", ID: "d-0123456789", Realm: adtest.Realm, Domain: adtest.NetBIOS, Servers: []string{b.ldap.URL}, Trust: string(b.ldap.Trust),
		BindUser: adtest.BindUser, ChannelBinding: binding, PolicyHost: adtest.Host}
	enroll.SealCredentials(b.ring, row, b.domain.Keytab(), adtest.BindPassword)
	if err := b.db.Update(b.t.Context(), func(tx *store.Tx) error { return tx.PutDirectory(row) }); err != nil {
		b.t.Fatal(err)
	}
}

func ecdsaKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// write makes the server's certificate: signed by a CA with the algorithm, which is what a binding goes by.
func (b *bindingServer) write(ca crypto.Signer, algorithm x509.SignatureAlgorithm) {
	b.t.Helper()
	key := ecdsaKey(b.t, elliptic.P256())
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: adtest.Host}, DNSNames: []string{adtest.Host}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), SignatureAlgorithm: algorithm}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, &x509.Certificate{Subject: pkix.Name{CommonName: "CA"}, SerialNumber: big.NewInt(1)}, key.Public(), ca)
	if err != nil {
		b.t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: pkcs8}} {
		if err := os.WriteFile(b.path(name), pem.EncodeToMemory(block), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
}

// renew has the running server take a new certificate.
func (b *bindingServer) renew(ca crypto.Signer, algorithm x509.SignatureAlgorithm) {
	b.t.Helper()
	b.write(ca, algorithm)
	if changed, err := b.reloader.Reload(); err != nil || !changed {
		b.t.Fatalf("changed %v, %v", changed, err)
	}
}

// dial opens a connection; the certificate that it is served with is the last one.
func (b *bindingServer) dial(cfg *tls.Config) (*tls.Conn, *x509.Certificate) {
	b.t.Helper()
	cfg.InsecureSkipVerify, cfg.MinVersion, cfg.ServerName = true, tls.VersionTLS12, adtest.Host //nolint:gosec // the server is the test's own
	dialer := &tls.Dialer{Config: cfg, NetDialer: &net.Dialer{Timeout: 10 * time.Second}}
	conn, err := dialer.DialContext(b.t.Context(), "tcp", strings.TrimPrefix(b.Endpoint(), "https://"))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	c := conn.(*tls.Conn)
	return c, c.ConnectionState().PeerCertificates[0]
}

// binding is tls-server-end-point as the specifications have it, written without the server's code.
func binding(leaf *x509.Certificate, hash crypto.Hash) [16]byte {
	h := hash.New()
	h.Write(leaf.Raw)
	data := h.Sum([]byte("tls-server-end-point:"))
	b := binary.LittleEndian.AppendUint32(make([]byte, 16), uint32(len(data)))
	return md5.Sum(append(b, data...)) //nolint:gosec // see the import
}

func (b *bindingServer) header(o adtest.TokenOptions) string {
	b.t.Helper()
	ticket, err := b.domain.Ticket(b.domain.Account(adtest.GroupSID(1106)), adtest.TicketOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	h, err := ticket.Header(o)
	if err != nil {
		b.t.Fatal(err)
	}
	return h
}

const getPolicies = `<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Body><GetPolicies xmlns="http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy" ` +
	`xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><client><lastUpdate i:nil="true"/><preferredLanguage i:nil="true"/></client><requestFilter><policyOIDs i:nil="true"/>` +
	`<clientVersion>0</clientVersion><serverVersion>0</serverVersion></requestFilter></GetPolicies></s:Body></s:Envelope>`

func (b *bindingServer) request(header string) *http.Request {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.Endpoint()+cepKerberos, strings.NewReader(getPolicies))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Host = adtest.Host
	r.Header.Set("Content-Type", "application/soap+xml; charset=utf-8")
	r.Header.Set("Authorization", header)
	return r
}

// ask sends one request on an open connection, which stays open.
func (b *bindingServer) ask(conn net.Conn, header string) (status int, answer string) {
	b.t.Helper()
	r := b.request(header)
	if err := r.Write(conn); err != nil {
		b.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		b.t.Fatal(err)
	}
	return res.StatusCode, res.Header.Get("WWW-Authenticate")
}

// TestChannelBindingOverTLS: every mode, with and without a binding, on connections of their own.
func TestChannelBindingOverTLS(t *testing.T) {
	b := newBindingServer(t)
	for mode, want := range map[string]map[string]int{
		"off":     {"none": 200, "this": 200, "other": 200},
		"allow":   {"none": 200, "this": 200, "other": 401},
		"require": {"none": 401, "this": 200, "other": 401},
	} {
		b.mode(mode)
		for kind, status := range want {
			conn, leaf := b.dial(&tls.Config{})
			o := adtest.TokenOptions{}
			switch kind {
			case "this":
				o.Binding = binding(leaf, crypto.SHA256)
			case "other":
				o.Binding = [16]byte{1}
			}
			if got, _ := b.ask(conn, b.header(o)); got != status {
				t.Errorf("%s, %s: status %d, want %d", mode, kind, got, status)
			}
		}
	}
}

// TestBindingFollowsTheSignature: RFC 5929 §4.1 takes the hash of the certificate's signature, and SHA-256 for MD5 and SHA-1. The
// certificates come one after the other to a running server.
func TestBindingFollowsTheSignature(t *testing.T) {
	b := newBindingServer(t)
	b.mode("require")
	rsaCA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecCA := ecdsaKey(t, elliptic.P384())
	_, edCA, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		ca        crypto.Signer
		algorithm x509.SignatureAlgorithm
		hash      crypto.Hash
	}{
		{ecCA, x509.ECDSAWithSHA256, crypto.SHA256},
		{ecCA, x509.ECDSAWithSHA384, crypto.SHA384},
		{ecCA, x509.ECDSAWithSHA512, crypto.SHA512},
		{ecCA, x509.ECDSAWithSHA1, crypto.SHA256},
		{rsaCA, x509.SHA256WithRSA, crypto.SHA256},
		{rsaCA, x509.SHA384WithRSA, crypto.SHA384},
		{rsaCA, x509.SHA512WithRSA, crypto.SHA512},
		{rsaCA, x509.SHA1WithRSA, crypto.SHA256},
		{rsaCA, x509.SHA256WithRSAPSS, crypto.SHA256},
		{rsaCA, x509.SHA384WithRSAPSS, crypto.SHA384},
		{rsaCA, x509.SHA512WithRSAPSS, crypto.SHA512},
		{edCA, x509.PureEd25519, 0}, // undefined: what is required cannot be had
	} {
		b.renew(tc.ca, tc.algorithm)
		for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
			conn, leaf := b.dial(&tls.Config{})
			if leaf.SignatureAlgorithm != tc.algorithm {
				t.Fatalf("served with a certificate signed by %s", leaf.SignatureAlgorithm)
			}
			want := 401
			if hash == tc.hash {
				want = 200
			}
			if got, _ := b.ask(conn, b.header(adtest.TokenOptions{Binding: binding(leaf, hash)})); got != want {
				t.Errorf("%s with %s: status %d, want %d", tc.algorithm, hash, got, want)
			}
		}
	}
}

// TestBindingAcrossARenewal: a connection is bound to the certificate it began with, whatever the server has now.
func TestBindingAcrossARenewal(t *testing.T) {
	b := newBindingServer(t)
	b.mode("require")
	cache := tls.NewLRUClientSessionCache(4)
	conn, old := b.dial(&tls.Config{ClientSessionCache: cache})
	to := func(leaf *x509.Certificate) string {
		return b.header(adtest.TokenOptions{Binding: binding(leaf, crypto.SHA256)})
	}
	status := func(what string, conn net.Conn, leaf *x509.Certificate, want int) {
		t.Helper()
		if got, _ := b.ask(conn, to(leaf)); got != want {
			t.Errorf("%s: status %d, want %d", what, got, want)
		}
	}
	status("the first connection", conn, old, 200)
	resumed, leaf := b.dial(&tls.Config{ClientSessionCache: cache})
	if !resumed.ConnectionState().DidResume || !leaf.Equal(old) {
		t.Error("the session was not resumed")
	}
	status("a resumed connection", resumed, old, 200)

	b.renew(ecdsaKey(t, elliptic.P256()), x509.ECDSAWithSHA256)
	fresh, now := b.dial(&tls.Config{})
	if now.Equal(old) {
		t.Fatal("no new certificate")
	}
	status("the old connection, its own", conn, old, 200)
	status("the old connection, the new certificate", conn, now, 401)
	status("the resumed connection, its own", resumed, old, 200)
	status("the new connection, its own", fresh, now, 200)
	status("the new connection, the old certificate", fresh, old, 401)
	again, leaf := b.dial(&tls.Config{ClientSessionCache: cache})
	if again.ConnectionState().DidResume || !leaf.Equal(now) {
		t.Error("a session of the old certificate was resumed")
	}
	status("a connection after that session", again, now, 200)
	b.http2(now, to(now))
}

// http2 asks over HTTP/2, where many requests share what a connection remembers.
func (b *bindingServer) http2(want *x509.Certificate, header string) {
	b.t.Helper()
	transport := &http.Transport{ForceAttemptHTTP2: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
		conn, leaf := b.dial(&tls.Config{NextProtos: []string{"h2"}})
		if !leaf.Equal(want) {
			return nil, errors.New("another certificate")
		}
		return conn, nil
	}}
	defer transport.CloseIdleConnections()
	res, err := (&http.Client{Transport: transport}).Do(b.request(header))
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 || res.ProtoMajor != 2 {
		b.t.Errorf("HTTP/%d: status %d", res.ProtoMajor, res.StatusCode)
	}
}

// TestOneLeg: whatever the order of mechanisms, one request is answered once, with the client's first mechanism, the proof of the
// server and no checksum of the list (RFC 4178 §4.2.2, §5): Windows opens a connection for every leg.
func TestOneLeg(t *testing.T) {
	b := newBindingServer(t)
	for _, mechanisms := range [][]asn1.ObjectIdentifier{
		{adtest.MSKRB5, adtest.KRB5, adtest.NegoEx, adtest.NTLM}, {adtest.KRB5}, {adtest.KRB5, adtest.NTLM}, {adtest.KRB5, adtest.MSKRB5}, {adtest.MSKRB5, adtest.NegoEx, adtest.KRB5},
	} {
		conn, _ := b.dial(&tls.Config{})
		status, answer := b.ask(conn, b.header(adtest.TokenOptions{Mechanisms: mechanisms}))
		raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(answer, "Negotiate "))
		if status != 200 || err != nil {
			t.Errorf("%v: status %d, answer %q", mechanisms, status, answer)
			continue
		}
		tag := func(n uint8) cbasn1.Tag { return cbasn1.Tag(n).ContextSpecific().Constructed() }
		in := cryptobyte.String(raw)
		var choice, seq, part, token cryptobyte.String
		var state int
		var first asn1.ObjectIdentifier
		if !in.ReadASN1(&choice, tag(1)) || !in.Empty() || !choice.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&part, tag(0)) || !part.ReadASN1Enum(&state) ||
			!seq.ReadASN1(&part, tag(1)) || !part.ReadASN1ObjectIdentifier(&first) || !seq.ReadASN1(&part, tag(2)) || !part.ReadASN1(&token, cbasn1.OCTET_STRING) || !seq.Empty() {
			t.Errorf("%v: not a NegTokenResp with mechanism and token, and nothing else: %x", mechanisms, raw)
			continue
		}
		if state != 0 || !first.Equal(mechanisms[0]) || !bytes.Contains(token, []byte{2, 0, 0x6f}) { // TOK_ID, AP-REP
			t.Errorf("%v: state %d, mechanism %s, token %x", mechanisms, state, first, token)
		}
	}
}
