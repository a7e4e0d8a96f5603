package enroll

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/certchain/dn"
	"github.com/rolecall/rolecall/internal/enroll/cmctest"
	"github.com/rolecall/rolecall/internal/enroll/directory"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/store"
)

// TestIssueToUser: what Windows sends for a user, with a request that asks for other names, purposes and a CA. All of it comes
// from directory and template.
func TestIssueToUser(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", nil, allowed(usersSID))
	k := key(t)
	leaf, response, answer := w.issued(aliceSID, w.windows(cmctest.Request{
		Key: k, Subject: pkix.Name{CommonName: "Administrator"}, DNSNames: []string{"dc1.corp.example.com"},
		Extensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 19}, Value: []byte{0x30, 3, 1, 1, 0xff}},
			{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Value: []byte{0x30, 6, 6, 4, 0x55, 0x1d, 0x25, 0}},
		},
	}, 1))

	if !k.PublicKey.Equal(leaf.PublicKey) {
		t.Error("the certificate has another key")
	}
	if name, err := dn.Parse(leaf.RawSubject); err != nil || name.String() != `emailAddress=alice@example.com,CN=Alice Liddell,OU=Research\, Development,DC=corp,DC=example,DC=com` {
		t.Errorf("subject %s, %v", name, err)
	}
	if len(leaf.DNSNames) > 0 || len(leaf.EmailAddresses) != 1 || leaf.EmailAddresses[0] != "alice@example.com" || leaf.IsCA {
		t.Errorf("names %v %v, CA %v", leaf.DNSNames, leaf.EmailAddresses, leaf.IsCA)
	}
	if san := extension(leaf, "2.5.29.17"); !bytes.Contains(san, []byte("alice@corp.example.com")) {
		t.Errorf("no UPN among the alternative names %x", san)
	}
	if sid := extension(leaf, "1.3.6.1.4.1.311.25.2"); !bytes.Contains(sid, []byte(aliceSID)) {
		t.Errorf("SID extension %q", sid)
	}
	info, err := asn1.Marshal(struct {
		OID          asn1.ObjectIdentifier
		Major, Minor int
	}{oidOf(1), 100, 2})
	if err != nil || !bytes.Equal(extension(leaf, "1.3.6.1.4.1.311.21.7"), info) {
		t.Errorf("template extension %x", extension(leaf, "1.3.6.1.4.1.311.21.7"))
	}
	if got := leaf.ExtKeyUsage; len(got) != 1 || got[0] != x509.ExtKeyUsageClientAuth || len(leaf.UnknownExtKeyUsage) > 0 || leaf.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("usage %v %v %v", got, leaf.UnknownExtKeyUsage, leaf.KeyUsage)
	}
	if extension(leaf, "1.3.6.1.4.1.311.21.10") == nil || len(leaf.CRLDistributionPoints) != 1 {
		t.Errorf("application policies %x, distribution points %v", extension(leaf, "1.3.6.1.4.1.311.21.10"), leaf.CRLDistributionPoints)
	}
	if life := time.Until(leaf.NotAfter); life < 364*24*time.Hour || life > 366*24*time.Hour {
		t.Errorf("it lives for %s", life)
	}
	checkAnswer(t, answer)
	w.verifyCMC(response)

	e := w.event()
	params, _ := e["requestParameters"].(fields)
	out, _ := e["responseElements"].(fields)
	who, _ := e["userIdentity"].(fields)
	if e["eventName"] != "RequestSecurityToken" || e["errorCode"] != nil || params["template"] != "User" || params["format"] != "cmc" || out["requestId"] != "1" || who["principalId"] != aliceSID {
		t.Errorf("event %v", e)
	}
}

// checkAnswer holds the order of elements against MS-WSTEP 3.1.4.1.3.2.
func checkAnswer(t *testing.T, answer string) {
	t.Helper()
	var names []string
	for _, m := range regexp.MustCompile(`<([A-Za-z:]+)[ >/]`).FindAllStringSubmatch(answer, -1) {
		names = append(names, m[1])
	}
	want := "s:Envelope s:Header a:Action a:RelatesTo s:Body RequestSecurityTokenResponseCollection RequestSecurityTokenResponse TokenType DispositionMessage BinarySecurityToken RequestedSecurityToken BinarySecurityToken RequestID"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("elements\n%s\nwant\n%s", got, want)
	}
	for _, part := range []string{"<a:RelatesTo>" + messageID + "</a:RelatesTo>", ">1</RequestID>", `xml:lang="en-US"`, "#X509v3", "secext-1.0.xsd#PKCS7", "RSTRC/wstep</a:Action>"} {
		if !strings.Contains(answer, part) {
			t.Errorf("the answer lacks %s", part)
		}
	}
}

// verifyCMC has OpenSSL check a CMC response against the root.
func (w *world) verifyCMC(der []byte) {
	w.t.Helper()
	dir := w.t.TempDir()
	cmc, root := filepath.Join(dir, "cmc"), filepath.Join(dir, "root")
	err := errors.Join(os.WriteFile(cmc, der, 0o600), os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: w.root.Raw}), 0o600))
	if err != nil {
		w.t.Fatal(err)
	}
	if out, err := exec.Command("openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", cmc, "-CAfile", root, "-purpose", "any", "-out", filepath.Join(dir, "content")).CombinedOutput(); err != nil {
		w.t.Errorf("openssl: %v\n%s", err, out)
	}
}

// TestIssueToMachine: certmonger's request, a PKCS #10 that names the template by its name, at an RSA CA.
func TestIssueToMachine(t *testing.T) {
	w := newWorld(t)
	w.addCA("GENERAL_PURPOSE", authority.RSA2048)
	w.template(1, "Computer", machine, allowed(hostsSID))
	k := key(t)
	der := cmctest.Request{Key: k, Subject: pkix.Name{CommonName: "other.example.com"}, Extensions: []pkix.Extension{cmctest.TemplateName(t, "computer")}}.DER(t)
	leaf, response, _ := w.issued(hostSID, der)
	if leaf.Subject.CommonName != "ws2.corp.example.com" || len(leaf.DNSNames) != 1 || leaf.DNSNames[0] != "ws2.corp.example.com" {
		t.Errorf("names %s %v", leaf.Subject, leaf.DNSNames)
	}
	w.verifyCMC(response)
}

func TestNamesFromEveryFlag(t *testing.T) {
	w := newWorld(t)
	w.template(1, "All", func(d fields) {
		d["SubjectNameFlags"] = fields{"RequireCommonName": true, "SanRequireDirectoryGuid": true, "SanRequireDomainDns": true, "SanRequireSpn": true}
		d["EnrollmentFlags"] = fields{"NoSecurityExtension": true}
	}, allowed(usersSID))
	leaf, _, _ := w.issued(aliceSID, w.windows(cmctest.Request{Key: key(t)}, 1))
	san := extension(leaf, "2.5.29.17")
	if leaf.Subject.String() != "CN=Alice Liddell" || !bytes.Contains(san, []byte{4, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}) ||
		!bytes.Contains(san, []byte("alice@corp.example.com")) || len(leaf.DNSNames) != 1 || leaf.DNSNames[0] != "corp.example.com" {
		t.Errorf("subject %s, alternatives %x", leaf.Subject, san)
	}
	if extension(leaf, "1.3.6.1.4.1.311.25.2") != nil {
		t.Error("a SID although the template wants none")
	}
}

// TestIssueRefused: every refusal has its code, an event, and no certificate.
func TestIssueRefused(t *testing.T) {
	weakRSA := func(bits int) *rsa.PrivateKey {
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
	user := func(w *world) { w.template(1, "User", nil, allowed(usersSID)) }
	needs := func(flag string) func(*world) {
		return func(w *world) {
			w.template(1, "User", func(d fields) { d["SubjectNameFlags"] = fields{flag: true} }, allowed(usersSID))
			w.people.entries[aliceSID] = &directory.Entry{SID: aliceSID, DN: "CN=a,O=corp", Groups: []string{usersSID}}
		}
	}
	ask := func(w *world) []byte { return w.windows(cmctest.Request{Key: key(w.t)}, 1) }
	rsaTemplate := func(w *world) {
		w.template(1, "User", func(d fields) {
			d["PrivateKeyAttributes"] = fields{"Algorithm": "RSA", "KeySpec": "SIGNATURE", "MinimalKeyLength": 3072}
		}, allowed(usersSID))
	}
	for name, tc := range map[string]struct {
		prepare func(*world)
		request func(*world) []byte
		sid     string
		want    hresult.Code
	}{
		"no entry for the caller": {func(w *world) { w.template(1, "User", nil, allowed("S-1-5-21-1-2-3-9999")) }, ask, aliceSID, hresult.TemplateDenied},
		"auto-enrollment alone":   {func(w *world) { w.template(1, "User", nil, store.TemplateAccess{SID: usersSID, AutoEnroll: "ALLOW"}) }, ask, aliceSID, hresult.TemplateDenied},
		"deny beats allow": {func(w *world) {
			w.template(1, "User", nil, allowed(usersSID), store.TemplateAccess{SID: aliceSID, Enroll: "DENY"})
		}, ask, aliceSID, hresult.TemplateDenied},
		"a group only in the ticket": {func(w *world) {
			w.template(1, "User", nil, allowed("S-1-5-21-1-2-3-7"))
			w.people.tickets[aliceSID] = []string{"S-1-5-21-1-2-3-7"}
		}, ask, aliceSID, hresult.TemplateDenied},
		"a deny only in the ticket": {func(w *world) {
			w.template(1, "User", nil, allowed(usersSID), store.TemplateAccess{SID: "S-1-5-21-1-2-3-7", Enroll: "DENY"})
			w.people.tickets[aliceSID] = []string{"S-1-5-21-1-2-3-7"}
		}, ask, aliceSID, hresult.TemplateDenied},
		"a machine at a user's template": {func(w *world) { w.template(1, "User", nil, allowed(hostsSID)) }, ask, hostSID, hresult.TemplateDenied},
		"a user at a machine's template": {func(w *world) { w.template(1, "Computer", machine, allowed(usersSID)) }, ask, aliceSID, hresult.TemplateDenied},
		"disabled account":               {func(w *world) { user(w); w.people.entries[aliceSID].AccountControl = 2 }, ask, aliceSID, hresult.AccessDenied},
		"deleted account":                {func(w *world) { user(w); delete(w.people.entries, aliceSID) }, ask, aliceSID, hresult.AccessDenied},
		"the directory does not answer":  {func(w *world) { user(w); w.people.fails = directory.ErrUnavailable }, ask, aliceSID, hresult.Failure},
		"no template in the request":     {user, func(w *world) []byte { return w.windows(cmctest.Request{Key: key(t)}, 0) }, aliceSID, hresult.NoType},
		"unknown template":               {user, func(w *world) []byte { return w.windows(cmctest.Request{Key: key(t)}, 9) }, aliceSID, hresult.UnsupportedType},
		"two templates": {func(w *world) { user(w); w.template(2, "Other", nil, allowed(usersSID)) }, func(w *world) []byte {
			return w.windows(cmctest.Request{Key: key(t), Extensions: []pkix.Extension{cmctest.TemplateName(t, "Other")}}, 1)
		}, aliceSID, hresult.TypeConflict},
		"template with a definition that nobody knows": {func(w *world) {
			w.template(1, "User", func(d fields) { d["PrivateKeyFlags"] = fields{"ClientVersion": "WINDOWS_95"} }, allowed(usersSID))
		}, ask, aliceSID, hresult.UnsupportedType},
		"P-384 for P-256":       {user, func(w *world) []byte { return w.windows(cmctest.Request{Key: p384}, 1) }, aliceSID, hresult.WeakKey},
		"RSA for P-256":         {user, func(w *world) []byte { return w.windows(cmctest.Request{Key: weakRSA(2048)}, 1) }, aliceSID, hresult.WeakKey},
		"RSA 2048 for RSA 3072": {rsaTemplate, func(w *world) []byte { return w.windows(cmctest.Request{Key: weakRSA(2048)}, 1) }, aliceSID, hresult.KeyLength},
		"RSA 1024":              {rsaTemplate, func(w *world) []byte { return w.windows(cmctest.Request{Key: weakRSA(1024)}, 1) }, aliceSID, hresult.KeyLength},
		"SHA-256 for SHA-384": {func(w *world) {
			w.template(1, "User", func(d fields) { d["HashAlgorithm"] = "SHA384" }, allowed(usersSID))
		},
			ask, aliceSID, hresult.WeakKey},
		"no DNS name for a machine": {func(w *world) {
			w.template(1, "Computer", machine, allowed(hostsSID))
			w.people.entries[hostSID].DNSHostName = ""
		}, ask, hostSID, hresult.DNSRequired},
		"no UPN":                  {needs("SanRequireUpn"), ask, aliceSID, hresult.UPNRequired},
		"no mail":                 {needs("SanRequireEmail"), ask, aliceSID, hresult.EmailRequired},
		"no mail for the subject": {needs("RequireEmail"), ask, aliceSID, hresult.EmailRequired},
		"no DNS name":             {needs("SanRequireDns"), ask, aliceSID, hresult.DNSRequired},
		"no domain":               {needs("SanRequireDomainDns"), ask, aliceSID, hresult.DNSRequired},
		"no GUID":                 {needs("SanRequireDirectoryGuid"), ask, aliceSID, hresult.GUIDRequired},
		"no common name":          {needs("RequireCommonName"), ask, aliceSID, hresult.BadSubject},
		"no names at all": {func(w *world) {
			w.template(1, "User", func(d fields) { d["SubjectNameFlags"] = fields{} }, allowed(usersSID))
		}, ask, aliceSID, hresult.BadSubject},
		"mail that is no mailbox":    {func(w *world) { user(w); w.people.entries[aliceSID].Mail = "a b@c" }, ask, aliceSID, hresult.BadSubject},
		"a year at a short-lived CA": {func(w *world) { user(w); w.addCA("SHORT_LIVED_CERTIFICATE", authority.P256) }, ask, aliceSID, hresult.AdminDenied},
		"disabled CA": {func(w *world) {
			user(w)
			w.update(func(tx *store.Tx) error {
				ca, err := tx.GetAuthority(account, region, caID)
				ca.Status = "DISABLED"
				return errors.Join(err, tx.PutAuthority(ca))
			})
		}, ask, aliceSID, hresult.AdminDenied},
		"connector that is not active": {func(w *world) {
			user(w)
			w.update(func(tx *store.Tx) error {
				c, err := tx.GetConnector(account, region, connectorID)
				c.Status = "DELETING"
				return errors.Join(err, tx.PutConnector(c))
			})
		}, ask, aliceSID, hresult.UnsupportedType},
		"rubbish":          {user, func(*world) []byte { return []byte("rubbish") }, aliceSID, hresult.InvalidData},
		"the CA's own key": {user, func(w *world) []byte { return []byte{0x30, 0} }, aliceSID, hresult.InvalidData},
		"proof by another's key": {user, func(w *world) []byte {
			der := cmctest.Request{Key: key(t), Extensions: []pkix.Extension{cmctest.TemplateInfo(t, oidOf(1), 100, 2)}}.DER(t)
			return cmctest.Sign(t, cmctest.TypePKIData, cmctest.PKIData(t, der, 1, ""), cmctest.Signer{Key: key(t)})
		}, aliceSID, hresult.Signature},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			tc.prepare(w)
			w.refused(tc.want, w.send(tc.sid, cesPath, rst(issueType, tc.request(w), "")).Body.String())
			if e := w.event(); e["eventName"] != "RequestSecurityToken" || e["errorCode"] == nil {
				t.Errorf("event %v", e)
			}
			w.issuedCount(0)
		})
	}
}

// refused checks that an answer is a fault with the code.
func (w *world) refused(want hresult.Code, answer string) {
	w.t.Helper()
	if !strings.Contains(answer, fmt.Sprintf("<ErrorCode>%d</ErrorCode>", want.Signed())) {
		w.t.Errorf("want %s, got %s", want, answer)
	}
}

func (w *world) issuedCount(want int) {
	w.t.Helper()
	if err := w.db.Read(w.t.Context(), func(tx *store.Tx) error {
		list, _, err := tx.ListIssuedCertificates(account, region, caID, 100, "")
		if len(list) != want {
			w.t.Errorf("%d certificates, want %d", len(list), want)
		}
		return err
	}); err != nil {
		w.t.Fatal(err)
	}
}

// TestValidityEndsWithTheCA: a template that outlives the CA is cut.
func TestValidityEndsWithTheCA(t *testing.T) {
	w := newWorld(t)
	w.template(1, "User", func(d fields) {
		d["CertificateValidity"] = fields{"ValidityPeriod": fields{"Period": 30, "PeriodType": "YEARS"}, "RenewalPeriod": fields{"Period": 6, "PeriodType": "WEEKS"}}
	}, allowed(usersSID))
	leaf, _, _ := w.issued(aliceSID, w.windows(cmctest.Request{Key: key(t)}, 1))
	if !leaf.NotAfter.Equal(w.root.NotAfter) {
		t.Errorf("it ends at %s, the CA at %s", leaf.NotAfter, w.root.NotAfter)
	}
}
