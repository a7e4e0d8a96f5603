package enroll_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	jasn1 "github.com/jcmturner/gofork/encoding/asn1"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"github.com/rolecall/rolecall/internal/enroll/adtest"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/soap"
)

// attack is one request that must come to nothing.
type attack struct {
	name string
	// request makes it. What is left empty is as in a sound request for a certificate.
	request func(w *wire) request
	status  int
	code    hresult.Code // of the fault; 0 for none
	event   string       // errorCode of the event
	text    string       // in the event's message or explanation
}

type request struct {
	path, contentType, authorization, body string
}

// spoilt changes one byte of a PAC's buffer after it was signed.
func spoilt(kind uint32, at int) func([]byte) error {
	return func(pac []byte) error {
		b, err := adtest.Buffer(pac, kind)
		if err == nil {
			b[at] ^= 1
		}
		return err
	}
}

// strangers are requests of which nobody learns more than that they are not authenticated.
func strangers() []attack {
	ticket := func(o adtest.TicketOptions) func(*wire) request {
		return func(w *wire) request {
			return request{authorization: w.token(w.ticket(w.alice, o), adtest.TokenOptions{})}
		}
	}
	token := func(o adtest.TokenOptions) func(*wire) request {
		return func(w *wire) request {
			return request{authorization: w.token(w.ticket(w.alice, adtest.TicketOptions{}), o)}
		}
	}
	other := types.EncryptionKey{KeyType: 18, KeyValue: make([]byte, 32)}
	list := []attack{
		{name: "a ticket for another host of the account", request: ticket(adtest.TicketOptions{Service: "HTTP/intranet.corp.example.com"}), text: "intranet"},
		{name: "a ticket for another service of the account", request: ticket(adtest.TicketOptions{Service: "cifs/" + adtest.Host}), text: "cifs"},
		{name: "a ticket of another key", request: ticket(adtest.TicketOptions{Key: &other}), text: "does not open"},
		{name: "an expired ticket", request: ticket(adtest.TicketOptions{Age: 10 * time.Hour, Life: 9 * time.Hour}), text: "the ticket ended"},
		{name: "a ticket of the future", request: ticket(adtest.TicketOptions{Age: -time.Hour}), text: "the ticket starts"},
		{name: "a replayed ticket", request: func(w *wire) request {
			h := w.header(w.alice)
			if got := w.send(cep, soapType, "sound", h, []byte(envelope(policiesMessage))); got.status != 200 {
				w.t.Fatalf("%d %s", got.status, got.body)
			}
			return request{authorization: h}
		}, text: "used before"},
		{name: "an old authenticator", request: token(adtest.TokenOptions{Authenticator: func(a *types.Authenticator) { a.CTime = a.CTime.Add(-time.Hour) }}), text: "clock differs"},
		{name: "an authenticator of another account", request: token(adtest.TokenOptions{Authenticator: func(a *types.Authenticator) { a.CName.NameString = []string{"bob"} }}), text: "another client"},
		{name: "no PAC", request: ticket(adtest.TicketOptions{NoPAC: true}), text: "no PAC"},
		{name: "a PAC with a broken server checksum", request: ticket(adtest.TicketOptions{Spoil: spoilt(adtest.ServerChecksum, 4)}), text: "checksum is wrong"},
		{name: "a PAC with another group", request: ticket(adtest.TicketOptions{Spoil: spoilt(adtest.LogonInfo, 200)}), text: "checksum is wrong"},
		{name: "a PAC with a server checksum of another type", request: ticket(adtest.TicketOptions{Spoil: spoilt(adtest.ServerChecksum, 0)}), text: "no server checksum"},
		{name: "a PAC with a KDC checksum of no type", request: ticket(adtest.TicketOptions{Spoil: spoilt(adtest.KDCChecksum, 1)}), text: "KDC checksum of unknown type"},
		{name: "a PAC of another account", request: ticket(adtest.TicketOptions{PAC: func(p adtest.PAC) { p[adtest.ClientInfo][10] = 'b' }}), text: "the ticket of"},
		{name: "a PAC that is no NDR", request: ticket(adtest.TicketOptions{PAC: func(p adtest.PAC) { p[adtest.LogonInfo] = p[adtest.LogonInfo][:64] }}), text: "logon info"},
		{name: "a PAC whose counts lie", request: ticket(adtest.TicketOptions{PAC: func(p adtest.PAC) {
			for i := 16; i < len(p[adtest.LogonInfo])-4; i += 4 {
				if b := p[adtest.LogonInfo][i:]; b[0] == 2 && b[1] == 0 && b[2] == 0 { // two groups
					copy(b, []byte{0xff, 0xff, 0xff, 0x7f})
				}
			}
		}}), text: "logon info"},
		{name: "an AP-REQ that makes the library panic", request: token(adtest.TokenOptions{Request: func(r *messages.APReq) { r.APOptions = jasn1.BitString{} }}), text: "panic"},
		{name: "a ticket that makes the library panic", request: ticket(adtest.TicketOptions{Part: func(p *messages.EncTicketPart) { p.Flags = jasn1.BitString{} }}), text: "panic"},
		{name: "Kerberos behind another mechanism", request: token(adtest.TokenOptions{Mechanisms: []asn1.ObjectIdentifier{adtest.NegoEx, adtest.MSKRB5}}), text: "prefers mechanism"},
		{name: "NTLM", request: func(*wire) request { return request{authorization: "Negotiate TlRMTVNTUAABAAAA"} }, text: "NTLM"},
		{name: "rubbish", request: func(*wire) request { return request{authorization: "Negotiate YIIBIjANBgk="} }, text: "not a GSS-API token"},
		{name: "a huge token", request: func(*wire) request { return request{authorization: "Negotiate " + strings.Repeat("A", 200_000)} }, text: "longer than"},
		{name: "a channel of somebody else", request: token(adtest.TokenOptions{Binding: [16]byte{1}}), text: "another TLS channel"},
	}
	for i := range list {
		list[i].status, list[i].event = http.StatusUnauthorized, "AccessDenied"
	}
	return list
}

// messagesOf are of a member who is authenticated and sends what is no message, or not one of this protocol.
func badMessages() []attack {
	body := func(change func(sound string) string) func(*wire) request {
		return func(w *wire) request {
			return request{authorization: w.header(w.alice), body: change(issueMessage(w.windows("User", cmctest.Request{})))}
		}
	}
	replace := func(old, with string) func(*wire) request {
		return body(func(s string) string {
			if !strings.Contains(s, old) {
				panic(old)
			}
			return strings.Replace(s, old, with, 1)
		})
	}
	laughs := `<!DOCTYPE s [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>`
	list := []attack{
		{name: "no XML", request: body(func(string) string { return "hello" })},
		{name: "cut short", request: body(func(s string) string { return s[:len(s)-20] })},
		{name: "entity expansion", request: body(func(s string) string { return laughs + strings.Replace(s, ">x<", ">&c;<", 1) })},
		{name: "an external entity", request: body(func(s string) string {
			return `<!DOCTYPE s [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + strings.Replace(s, ">x<", ">&a;<", 1)
		})},
		{name: "an entity that nobody declared", request: replace(">x<", ">&a;<")},
		{name: "depth", request: body(func(string) string { return envelope(strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000)) })},
		{name: "many elements", request: body(func(string) string { return envelope("<a>" + strings.Repeat("<b/>", 20_000) + "</a>") })},
		{name: "SOAP 1.1", request: replace("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/")},
		{name: "two bodies", request: replace("</s:Envelope>", "<s:Body><a/></s:Body></s:Envelope>")},
		{name: "a request of no namespace", request: replace(` xmlns="http://docs.oasis-open.org/ws-sx/ws-trust/200512"`, ``)},
		{name: "a request of WS-Trust 1.2", request: replace("http://docs.oasis-open.org/ws-sx/ws-trust/200512", "http://schemas.xmlsoap.org/ws/2005/02/trust")},
		{name: "a token of another namespace", request: replace("oasis-200401-wss-wssecurity-secext-1.0.xsd", "other.xsd")},
		{name: "a request of the other service", request: body(func(string) string { return envelope(policiesMessage) })},
		{name: "an enrollment at the policy service", request: func(w *wire) request {
			return request{path: cep, authorization: w.header(w.alice), body: issueMessage(w.windows("User", cmctest.Request{}))}
		}},
	}
	for i := range list {
		list[i].status, list[i].event = http.StatusInternalServerError, hresult.InvalidArgument.String()
	}
	for _, i := range []int{9, 10, 11, 12} { // read, and refused by what is in them
		list[i].code = hresult.InvalidArgument
	}
	return append(list,
		attack{name: "a huge message", request: body(func(s string) string { return s + strings.Repeat(" ", soap.MaxBytes) }), status: http.StatusRequestEntityTooLarge, event: "RequestEntityTooLarge"},
		attack{name: "another content type", request: func(w *wire) request {
			return request{contentType: "text/xml", authorization: w.header(w.alice)}
		}, status: http.StatusUnsupportedMediaType, event: "UnsupportedMediaType"},
		attack{name: "no base64", request: replace(`EncodingType="y">`, `EncodingType="y">!`), status: 500, code: hresult.InvalidData, event: hresult.InvalidData.String()},
	)
}

// badRequests are of members who ask for what they may not have.
func badRequests(t *testing.T, w *wire, own *ecdsa.PrivateKey, cert, revoked *x509.Certificate) []attack {
	t.Helper()
	rsaKey := func(bits int) crypto.Signer {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	foreign, foreignKey := imitation(t, cert)
	der := func(make func() []byte) func(*wire) request {
		return func(w *wire) request { return request{authorization: w.header(w.alice), body: issueMessage(make())} }
	}
	ask := func(template string, r cmctest.Request) func(*wire) request {
		return der(func() []byte { return w.windows(template, r) })
	}
	by := func(rid uint32, make func() []byte) func(*wire) request {
		return func(w *wire) request {
			return request{authorization: w.header(w.domain.Account(adtest.GroupSID(rid))), body: issueMessage(make())}
		}
	}
	names := func(e pkix.Extension) cmctest.Request { return cmctest.Request{Extensions: []pkix.Extension{e}} }
	list := []attack{
		{name: "another user's UPN", request: ask("User", names(cmctest.UPN(t, "bob@corp.example.com"))), code: hresult.BadSubject, text: "user principal name"},
		{name: "another user's SID", request: ask("User", names(cmctest.SID(t, adtest.GroupSID(500)))), code: hresult.BadSubject, text: "SID"},
		{name: "another user's SID as a URI", request: ask("User", names(cmctest.SIDName(t, adtest.GroupSID(500)))), code: hresult.BadSubject, text: "SID"},
		{name: "RSA 1024", request: ask("Strong", cmctest.Request{Key: rsaKey(1024)}), code: hresult.KeyLength, text: "1024 bits"},
		{name: "RSA 2048 for 3072", request: ask("Strong", cmctest.Request{Key: rsaKey(2048)}), code: hresult.KeyLength, text: "2048 bits"},
		{name: "RSA for P-256", request: ask("User", cmctest.Request{Key: rsaKey(2048)}), code: hresult.WeakKey},
		{name: "P-384 for P-256", request: ask("User", cmctest.Request{Key: p384}), code: hresult.WeakKey},
		{name: "SHA-1", request: der(func() []byte {
			return cmctest.Request{Key: newKey(t), SHA1: true, Extensions: []pkix.Extension{w.templateInfo("User")}}.DER(t)
		}), code: hresult.WeakKey, text: "SHA-1"},
		{name: "somebody else's key", request: der(func() []byte {
			inner := cmctest.Request{Key: newKey(t), Breaks: true, Extensions: []pkix.Extension{w.templateInfo("User")}}.DER(t)
			return cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, inner, 1, ""), cmctest.Signer{Key: newKey(t)})
		}), code: hresult.Signature},
		{name: "no template", request: der(func() []byte { return cmctest.Request{Key: newKey(t)}.DER(t) }), code: hresult.NoType},
		{name: "no request", request: der(func() []byte { return []byte("hello") }), code: hresult.InvalidData},
		{name: "renewal signed by a revoked certificate", request: der(func() []byte { return w.renewal(own, revoked) }), code: hresult.Revoked},
		{name: "renewal signed by a foreign certificate", request: der(func() []byte { return w.renewal(foreignKey, foreign) }), code: hresult.Signature},
		{name: "renewal of another user's certificate", request: by(1107, func() []byte { return w.renewal(own, cert) }), code: hresult.Signature},
		{name: "renewal that names a certificate and does not sign with it", request: der(func() []byte {
			k := newKey(t)
			inner := cmctest.Request{Key: k, Renews: cert.Raw, Breaks: true, Extensions: []pkix.Extension{w.templateInfo("User")}}.DER(t)
			return cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, inner, 1, ""), cmctest.Signer{Key: k})
		}), code: hresult.BadRenewal},
		{name: "a group that is denied", request: by(1108, func() []byte { return w.windows("User", cmctest.Request{}) }), code: hresult.TemplateDenied},
		{name: "an account that was disabled since it logged on", request: func(w *wire) request {
			h := w.header(w.alice)
			w.domain.Change(w.alice.SID(), func(a *adtest.Account) { a.Disabled = true })
			return request{authorization: h}
		}, code: hresult.AccessDenied, text: "disabled"},
		{name: "a group that was lost between policy and enrollment", request: func(w *wire) request {
			got := w.send(cep, soapType, "sound", w.header(w.alice), []byte(envelope(policiesMessage)))
			if !strings.Contains(got.body, "<commonName>User</commonName>") {
				w.t.Fatalf("no policy: %d %s", got.status, got.body)
			}
			h := w.header(w.alice) // the ticket still has the group
			w.domain.Change(w.alice.SID(), func(a *adtest.Account) { a.Groups = nil })
			return request{authorization: h}
		}, code: hresult.TemplateDenied},
	}
	for i := range list {
		list[i].status, list[i].event = http.StatusInternalServerError, list[i].code.String()
	}
	return list
}

// imitation is a certificate of the same names and serial, signed by another CA of the same name.
func imitation(t *testing.T, real *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	k := newKey(t)
	tmpl := *real
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, &x509.Certificate{RawSubject: real.RawIssuer}, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, k
}

// TestAttacks sends what an attacker would to a whole server over HTTPS: every request is refused with the status and the
// HRESULT it deserves, is in the audit log, and leaves the store as it was.
func TestAttacks(t *testing.T) {
	w := newWire(t, "allow")
	own := newKey(t)
	cert := w.enrolled(w.alice, w.windows("User", cmctest.Request{Key: own}))
	revoked := w.enrolled(w.alice, w.windows("User", cmctest.Request{Key: own}))
	w.pca("RevokeCertificate", object{"CertificateAuthorityArn": w.caARN, "CertificateSerial": fmt.Sprintf("%x", revoked.SerialNumber), "RevocationReason": "KEY_COMPROMISE"})
	before := w.issued()
	rows := append(append(strangers(), badMessages()...), badRequests(t, w, own, cert, revoked)...)
	for n := 0; n < len(rows); n += 15 { // fewer than strangers have records of at a time
		batch := rows[n:min(n+15, len(rows))]
		for i := range batch {
			t.Run(batch[i].name, func(t *testing.T) {
				w.t = t
				batch[i].send(w, fmt.Sprintf("attack %d", n+i))
				if got := w.issued(); got != before {
					t.Errorf("%d certificates, before it were %d", got, before)
				}
			})
		}
		w.t = t
		for i := range batch {
			e := w.event(fmt.Sprintf("attack %d", n+i))
			extra, _ := e["additionalEventData"].(object)
			if e["errorCode"] != batch[i].event || !strings.Contains(fmt.Sprint(e["errorMessage"], extra["explanation"]), batch[i].text) || e["responseElements"] != nil {
				t.Errorf("%s: event %v", batch[i].name, e)
			}
		}
	}
	w.enrolled(w.alice, w.windows("User", cmctest.Request{})) // the server still does its work
	w.enrolled(w.alice, w.renewal(own, cert))
	if n := w.issued(); n != before+2 {
		t.Errorf("%d certificates, want %d", n, before+2)
	}
}

// send sends it and checks the answer. The account is whole again afterwards.
func (tc *attack) send(w *wire, agent string) {
	w.t.Helper()
	sound := *w.alice
	r := tc.request(w)
	if r.path == "" {
		r.path = w.ces
	}
	if r.contentType == "" {
		r.contentType = soapType
	}
	if r.body == "" {
		r.body = issueMessage(w.windows("User", cmctest.Request{}))
	}
	got := w.send(r.path, r.contentType, agent, r.authorization, []byte(r.body))
	w.domain.Change(sound.SID(), func(a *adtest.Account) { *a = sound })
	if got.status != tc.status {
		w.t.Errorf("status %d, want %d: %s", got.status, tc.status, got.body)
	}
	if want := fmt.Sprintf("<ErrorCode>%d</ErrorCode>", tc.code.Signed()); tc.code != 0 && !strings.Contains(got.body, want) || tc.code == 0 && strings.Contains(got.body, "<ErrorCode>") {
		w.t.Errorf("want %s (0x%08x), got %s", tc.code, uint32(tc.code), got.body)
	}
	if tc.status == http.StatusUnauthorized && (got.header.Get("WWW-Authenticate") != "Negotiate" || got.body != "unauthorized\n") {
		w.t.Errorf("a stranger learns %q and %q", got.header.Get("WWW-Authenticate"), got.body)
	}
}

// TestNoCertificateAuthentication: a client certificate is no ticket. Renewals are told by the signature in the request, beside
// the ticket or the password; the address for certificates alone is neither served nor named to clients.
func TestNoCertificateAuthentication(t *testing.T) {
	w := newWire(t, "allow")
	own := newKey(t)
	cert := w.enrolled(w.alice, w.windows("User", cmctest.Request{Key: own}))
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: w.roots, MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: own}},
	}}}
	defer client.CloseIdleConnections()
	for _, path := range []string{w.ces, strings.Replace(w.ces, "_Kerberos", "_Certificate", 1), strings.Replace(w.ces, "_Kerberos", "_UsernamePassword", 1)} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, w.URL+path, strings.NewReader(issueMessage(w.renewal(own, cert))))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = adtest.Host
		r.Header.Set("Content-Type", soapType)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode == http.StatusOK {
			t.Errorf("%s: issued to a client certificate alone", path)
		}
	}
	if n := w.issued(); n != 2 { // the CA's own and the first
		t.Errorf("%d certificates", n)
	}
	got := w.send(cep, soapType, "sound", w.header(w.alice), []byte(envelope(policiesMessage)))
	if strings.Contains(got.body, "<clientAuthentication>8<") || strings.Contains(got.body, "<renewalOnly>true<") || !strings.Contains(got.body, "<clientAuthentication>2<") {
		t.Errorf("addresses: %s", got.body)
	}
}
