package acmpca_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"
)

// badWorld is what bad input is sent to.
type badWorld struct {
	*rig
	root, sub    string // active; sub has path length 0
	constrained  string // below root, for names in in.example only
	short        string // a root for short-lived certificates
	pending      string // a subordinate that waits for its certificate
	imported     string // a subordinate with a certificate of company's
	importedCert string
	csr          []byte // a good one
	revoked      string // serial
	own          string // serial of root's own certificate
	company      *outside
}

// outside is a CA that is not the server's.
type outside struct {
	t    testing.TB
	key  crypto.Signer
	cert *x509.Certificate
}

func newOutside(t testing.TB, cn string, until time.Time) *outside {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{t: t, key: key, cert: &x509.Certificate{Subject: pkix.Name{CommonName: cn}}}
	o.cert = o.sign(key.Public(), &x509.Certificate{RawSubject: rawName(t, cn)}, func(c *x509.Certificate) { c.NotAfter = until })
	return o
}

func rawName(t testing.TB, cn string) []byte {
	t.Helper()
	raw, err := asn1.Marshal(pkix.Name{CommonName: cn}.ToRDNSequence())
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// sign certifies a CA of the subject of like, changed by mod.
func (o *outside) sign(pub crypto.PublicKey, like *x509.Certificate, mod func(*x509.Certificate)) *x509.Certificate {
	o.t.Helper()
	c := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), RawSubject: like.RawSubject, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	mod(c)
	der, err := x509.CreateCertificate(rand.Reader, c, o.cert, pub, o.key)
	if err != nil {
		o.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		o.t.Fatal(err)
	}
	return cert
}

func (o *outside) pem() []byte { return pemCert(o.cert) }

func pemCert(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

func keep(*x509.Certificate) {}

func newBadWorld(r *rig) *badWorld {
	t := r.t
	w := &badWorld{rig: r, company: newOutside(t, "Company", time.Now().AddDate(1, 0, 0))}
	w.root = r.root("bad input", nil)
	w.sub = r.subordinate(w.root, "below", nil)
	w.short = r.root("short", object{"UsageMode": "SHORT_LIVED_CERTIFICATE"})
	w.pending = r.create("SUBORDINATE", "pending", nil)
	_, w.csr = leaf(t, "host")
	// permitted: dNSName in.example
	constraint := []byte{0x30, 16, 0xa0, 14, 0x30, 12, 0x82, 10, 'i', 'n', '.', 'e', 'x', 'a', 'm', 'p', 'l', 'e'}
	w.constrained = r.create("SUBORDINATE", "constrained", nil)
	_, cert, chain := r.issue(w.root, r.csrOf(w.constrained), object{"TemplateArn": template("SubordinateCACertificate_PathLen0_APIPassthrough"), "Validity": object{"Value": 1, "Type": "YEARS"},
		"ApiPassthrough": object{"Extensions": object{"CustomExtensions": []object{{"ObjectIdentifier": "2.5.29.30", "Value": base64.StdEncoding.EncodeToString(constraint), "Critical": true}}}}})
	r.ok("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": w.constrained, "Certificate": []byte(cert), "CertificateChain": []byte(chain)})
	w.imported = r.create("SUBORDINATE", "imported", nil)
	w.importedCert = string(pemCert(w.signed(w.imported, keep)))
	r.ok("ImportCertificateAuthorityCertificate", object{"CertificateAuthorityArn": w.imported, "Certificate": []byte(w.importedCert), "CertificateChain": w.company.pem()})
	_, text, _ := r.issue(w.root, w.csr, nil)
	w.revoked = colons(parse(t, text))
	r.ok("RevokeCertificate", object{"CertificateAuthorityArn": w.root, "CertificateSerial": w.revoked, "RevocationReason": "SUPERSEDED"})
	w.own = colons(parse(t, r.ok("GetCertificateAuthorityCertificate", object{"CertificateAuthorityArn": w.root})["Certificate"].(string)))
	return w
}

// signed is a certificate of company for the CA's key and name, changed by mod.
func (w *badWorld) signed(ca string, mod func(*x509.Certificate)) *x509.Certificate {
	req := w.request(ca)
	return w.company.sign(req.PublicKey, &x509.Certificate{RawSubject: req.RawSubject}, mod)
}

func (w *badWorld) request(ca string) *x509.CertificateRequest {
	w.t.Helper()
	block, _ := pem.Decode(w.csrOf(ca))
	req, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		w.t.Fatal(err)
	}
	return req
}

// with is a good request for a certificate, with changes.
func (w *badWorld) with(more object) object {
	in := object{"CertificateAuthorityArn": w.root, "Csr": w.csr, "SigningAlgorithm": "SHA256WITHECDSA", "Validity": object{"Value": 1, "Type": "DAYS"}}
	for k, v := range more {
		in[k] = v
	}
	return in
}

const passthrough = "BlankEndEntityCertificate_CSRPassthrough"

// csrCase is a CSR that is refused, also by a template that takes its extensions.
func (w *badWorld) csrCase(name string, csr []byte, text string) badInput {
	return badInput{"CSR: " + name, "IssueCertificate", w.with(object{"Csr": csr, "TemplateArn": template(passthrough)}), "MalformedCSRException", text}
}

func csrOf(t testing.TB, key crypto.Signer, in *x509.CertificateRequest) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, in, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}

func named(cn string) *x509.CertificateRequest {
	return &x509.CertificateRequest{Subject: pkix.Name{CommonName: cn}}
}

func (w *badWorld) badCSRs() []badInput {
	der, _ := pem.Decode(w.csr)
	forged := bytes.Clone(der.Bytes)
	forged[len(forged)-1] ^= 1
	other := bytes.Replace(der.Bytes, []byte("host"), []byte("evil"), 1) // the signature is over another name
	encode := func(kind string, b []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}) }
	key, _ := leaf(w.t, "x")
	return []badInput{
		w.csrCase("forged signature", encode("CERTIFICATE REQUEST", forged), "signature was not made with its key"),
		w.csrCase("signature over another name", encode("CERTIFICATE REQUEST", other), "signature was not made with its key"),
		w.csrCase("not PEM", der.Bytes, "one PEM block"),
		w.csrCase("two of them", append(bytes.Clone(w.csr), w.csr...), "one PEM block"),
		w.csrCase("a certificate", w.company.pem(), "is not a CSR"),
		w.csrCase("truncated", encode("CERTIFICATE REQUEST", der.Bytes[:100]), "cannot be parsed"),
		w.csrCase("more behind it", encode("CERTIFICATE REQUEST", append(bytes.Clone(der.Bytes), 0)), "cannot be parsed"),
		w.csrCase("long common name", csrOf(w.t, key, named(strings.Repeat("x", 65))), "more than 64"),
		{"CSR: 33 KiB", "IssueCertificate", w.with(object{"Csr": make([]byte, 33<<10)}), "ValidationException", "32768"},
		{"CSR: empty", "IssueCertificate", w.with(object{"Csr": []byte{}}), "ValidationException", "csr"},
	}
}

func (w *badWorld) badKeys() []badInput {
	t := w.t
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p, q := bigPrime(t, rand.Int), bigPrime(t, rand.Int)
	return []badInput{
		w.csrCase("RSA 1024", csrOf(t, small, named("x")), "1024 bits"),
		w.csrCase("RSA exponent 3", csrOf(t, rsaKey(t, p, q, 3), named("x")), "exponent 3"),
		w.csrCase("ROCA", csrOf(t, rsaKey(t, bigPrime(t, rocaCandidate), bigPrime(t, rocaCandidate), 65537), named("x")), "CVE-2017-15361"),
		w.csrCase("close primes", csrOf(t, rsaKey(t, p, nextPrime(p), 65537), named("x")), "too close together"),
		w.csrCase("P-224", csrOf(t, p224, named("x")), "curve is not accepted"),
		w.csrCase("Ed25519", csrOf(t, ed, named("x")), "not accepted"),
	}
}

// bigPrime draws numbers until one is a prime of 1024 bits that suits the exponents of the tests.
func bigPrime(t testing.TB, draw func(r io.Reader, most *big.Int) (*big.Int, error)) *big.Int {
	t.Helper()
	high := new(big.Int).Lsh(big.NewInt(3), 1022) // both top bits: the product has 2048 bits
	for range 100_000 {
		p, err := draw(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 1022))
		if err != nil {
			t.Fatal(err)
		}
		if p.BitLen() < 1024 {
			p.Or(p, high).SetBit(p, 0, 1)
		}
		if new(big.Int).Mod(p, big.NewInt(3)).Int64() == 2 && p.ProbablyPrime(10) {
			return p
		}
	}
	t.Fatal("no prime was found")
	return nil
}

// rocaCandidate is k·M + 65537^a mod M, as the generator of CVE-2017-15361 draws its primes; M is the product of small ones.
func rocaCandidate(r io.Reader, _ *big.Int) (*big.Int, error) {
	m := big.NewInt(1)
	for n := int64(3); n <= 167; n += 2 {
		if big.NewInt(n).ProbablyPrime(10) {
			m.Mul(m, big.NewInt(n))
		}
	}
	a, err := rand.Int(r, m)
	if err != nil {
		return nil, err
	}
	power := new(big.Int).Exp(big.NewInt(65537), a, m)
	least := new(big.Int).Div(new(big.Int).Lsh(big.NewInt(3), 1022), m)
	k, err := rand.Int(r, new(big.Int).Div(new(big.Int).Lsh(big.NewInt(1), 1021), m))
	if err != nil {
		return nil, err
	}
	k.Add(k, least).Add(k, big.NewInt(1))
	return k.Mul(k, m).Add(k, power), nil
}

// nextPrime is the next one above p that suits the exponent 65537.
func nextPrime(p *big.Int) *big.Int {
	q := new(big.Int).Add(p, big.NewInt(2))
	for !q.ProbablyPrime(10) {
		q.Add(q, big.NewInt(2))
	}
	return q
}

// weakKey signs with a key that crypto/rsa does not sign with: PKCS #1 v1.5 with SHA-256, RFC 8017 §8.2.1.
type weakKey struct {
	pub *rsa.PublicKey
	d   *big.Int
}

func (k *weakKey) Public() crypto.PublicKey { return k.pub }

func (k *weakKey) Sign(_ io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
	info := append([]byte{0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20}, digest...)
	m := slices.Concat([]byte{0, 1}, bytes.Repeat([]byte{0xff}, k.pub.Size()-3-len(info)), []byte{0}, info)
	return new(big.Int).Exp(new(big.Int).SetBytes(m), k.d, k.pub.N).FillBytes(make([]byte, k.pub.Size())), nil
}

func rsaKey(t testing.TB, p, q *big.Int, e int) crypto.Signer {
	t.Helper()
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &weakKey{&rsa.PublicKey{N: new(big.Int).Mul(p, q), E: e}, new(big.Int).ModInverse(big.NewInt(int64(e)), phi)}
	if k.d == nil || k.pub.N.BitLen() != 2048 {
		t.Fatalf("there is no key of 2048 bits with exponent %d", e)
	}
	return k
}

func (w *badWorld) badExtensions() []badInput {
	key, _ := leaf(w.t, "x")
	extended := func(list ...pkix.Extension) []byte {
		return csrOf(w.t, key, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}, ExtraExtensions: list})
	}
	ext := func(value []byte, oid ...int) pkix.Extension { return pkix.Extension{Id: oid, Value: value} }
	octets := func(n int) []byte {
		der, err := asn1.Marshal(make([]byte, n))
		if err != nil {
			w.t.Fatal(err)
		}
		return der
	}
	var many []pkix.Extension
	for i := range 151 {
		many = append(many, ext([]byte{5, 0}, 1, 2, 3, i))
	}
	api := func(name string, extensions object, text string) badInput {
		return badInput{"API: " + name, "IssueCertificate", w.with(object{"TemplateArn": template("BlankEndEntityCertificate_APIPassthrough"), "ApiPassthrough": object{"Extensions": extensions}}), "InvalidArgsException", text}
	}
	custom := func(oid string, value []byte) object {
		return object{"CustomExtensions": []object{{"ObjectIdentifier": oid, "Value": base64.StdEncoding.EncodeToString(value)}}}
	}
	through := func(name string, csr []byte, code, text string) badInput {
		c := w.csrCase(name, csr, text)
		c.code = code
		return c
	}
	shaped := func(c badInput) badInput { // refused by the API's model
		c.code = "ValidationException"
		return c
	}
	return []badInput{
		w.csrCase("extension of 9 KiB", extended(ext(octets(9<<10), 1, 2, 3)), "at most 8192"),
		w.csrCase("151 extensions", extended(many...), "more than 150 extensions"),
		w.csrCase("extension that is no DER", extended(ext([]byte("junk"), 1, 2, 3)), "not one DER element"),
		w.csrCase("extension twice", extended(ext([]byte{5, 0}, 1, 2, 3), ext([]byte{5, 0}, 1, 2, 3)), "duplicate requested extensions"),
		w.csrCase("alternative names that are none", extended(ext([]byte{0x30, 3, 0x82, 5, 'a'}, 2, 5, 29, 17)), "alternative name"),
		through("extended key usage that is none", extended(ext([]byte{5, 0}, 2, 5, 29, 37)), "InvalidArgsException", "extended key usage"),
		through("key usage that is none", extended(ext([]byte{5, 0}, 2, 5, 29, 15)), "InvalidArgsException", "key usage"),
		api("extension that is no DER", custom("1.2.3", []byte("junk")), "not one DER element"),
		shaped(api("extension of no object identifier", custom("9.9.9", []byte{5, 0}), "9.9.9")),
		api("name constraints for a leaf", custom("2.5.29.30", []byte{0x30, 0}), "name constraints"),
		api("alternative name of no kind", object{"SubjectAlternativeNames": []object{{}}}, "name"),
		api("alternative name of two kinds", object{"SubjectAlternativeNames": []object{{"DnsName": "a.example", "IpAddress": "::1"}}}, "name"),
		api("address that is none", object{"SubjectAlternativeNames": []object{{"IpAddress": "1.2.3"}}}, "1.2.3"),
		shaped(api("usage that is none", object{"ExtendedKeyUsage": []object{{"ExtendedKeyUsageObjectIdentifier": "x"}}}, "extendedKeyUsage")),
	}
}

func (w *badWorld) badRequests() []badInput {
	issue := func(name string, more object, code, text string) badInput {
		return badInput{"request: " + name, "IssueCertificate", w.with(more), code, text}
	}
	outOfBounds := object{"CertificateAuthorityArn": w.constrained, "TemplateArn": template("EndEntityCertificate_APIPassthrough"),
		"ApiPassthrough": object{"Extensions": object{"SubjectAlternativeNames": []object{{"DnsName": "a.in.example"}, {"DnsName": "a.out.example"}}}}}
	key, _ := leaf(w.t, "x")
	inCSR := object{"CertificateAuthorityArn": w.constrained, "TemplateArn": template(passthrough),
		"Csr": csrOf(w.t, key, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}, DNSNames: []string{"in.example.evil"}})}
	return []badInput{
		issue("names outside of the CA's constraints", outOfBounds, "InvalidArgsException", "a.out.example"),
		issue("names in the CSR outside of the CA's constraints", inCSR, "InvalidArgsException", "in.example.evil"),
		issue("template that there is not", object{"TemplateArn": template("EndEntityCertificate_Nothing")}, "InvalidArgsException", "EndEntityCertificate_Nothing"),
		issue("root template at a subordinate", object{"CertificateAuthorityArn": w.sub, "TemplateArn": template("RootCACertificate")}, "InvalidArgsException", "for root certificate authorities"),
		issue("root template for another's CSR", object{"TemplateArn": template("RootCACertificate")}, "InvalidArgsException", "own CSR"),
		issue("the CA's own CSR by another template", object{"Csr": w.csrOf(w.root)}, "InvalidArgsException", "only a root template"),
		issue("CA template beyond the path length", object{"CertificateAuthorityArn": w.sub, "TemplateArn": template("SubordinateCACertificate_PathLen0")}, "InvalidArgsException", "allows 0 CA certificates below it"),
		issue("CA that has no certificate", object{"CertificateAuthorityArn": w.pending}, "InvalidStateException", "PENDING_CERTIFICATE"),
		issue("algorithm of another key", object{"SigningAlgorithm": "SHA256WITHRSA"}, "InvalidArgsException", "does not fit the key"),
		issue("longer than the CA lives", object{"Validity": object{"Value": 11, "Type": "YEARS"}}, "ValidationException", "after"),
		issue("longer than short-lived", object{"CertificateAuthorityArn": w.short, "Validity": object{"Value": 8, "Type": "DAYS"}}, "ValidationException", "7 days"),
		issue("date that is none", object{"Validity": object{"Value": 20261332000000, "Type": "END_DATE"}}, "ValidationException", "is not a date"),
		issue("in the past", object{"Validity": object{"Value": 1, "Type": "ABSOLUTE"}}, "ValidationException", ""),
	}
}

func (w *badWorld) badImports() []badInput {
	in := func(name string, cert, chain []byte, code, text string) badInput {
		o := object{"CertificateAuthorityArn": w.pending, "Certificate": cert}
		if chain != nil {
			o["CertificateChain"] = chain
		}
		return badInput{"import: " + name, "ImportCertificateAuthorityCertificate", o, code, text}
	}
	signed := func(mod func(*x509.Certificate)) []byte { return pemCert(w.signed(w.pending, mod)) }
	chain := w.company.pem()
	good := w.signed(w.pending, keep)
	forged := bytes.Clone(good.Raw)
	forged[len(forged)-1] ^= 1
	brief := newOutside(w.t, "Brief", time.Now().Add(time.Hour))
	req := w.request(w.pending)
	outlives := pemCert(brief.sign(req.PublicKey, &x509.Certificate{RawSubject: req.RawSubject}, keep))
	other, _ := leaf(w.t, "x")
	again := func(name, ca string, cert, chain []byte, code, text string) badInput {
		c := in(name, cert, chain, code, text)
		c.in["CertificateAuthorityArn"] = ca
		return c
	}
	ownRoot := []byte(w.ok("GetCertificateAuthorityCertificate", object{"CertificateAuthorityArn": w.root})["Certificate"].(string))
	return []badInput{
		in("another key", pemCert(w.company.sign(other.Public(), &x509.Certificate{RawSubject: req.RawSubject}, keep)), chain, "CertificateMismatchException", "public key is not that"),
		in("another name", signed(func(c *x509.Certificate) { c.RawSubject = rawName(w.t, "other") }), chain, "CertificateMismatchException", "subject is not that"),
		in("outlives its issuer", outlives, brief.pem(), "MalformedCertificateException", "outlives its issuer"),
		in("no CA", signed(func(c *x509.Certificate) { c.IsCA = false }), chain, "MalformedCertificateException", "basic constraints"),
		in("may not sign certificates", signed(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), chain, "MalformedCertificateException", "keyCertSign"),
		in("expired", signed(func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }), chain, "MalformedCertificateException", "expired"),
		in("forged", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: forged}), chain, "MalformedCertificateException", ""),
		in("without its chain", pemCert(good), nil, "InvalidRequestException", "comes with its chain"),
		in("another's chain", pemCert(good), brief.pem(), "MalformedCertificateException", ""),
		in("garbage", []byte("garbage"), chain, "MalformedCertificateException", "PEM"),
		in("garbage for a chain", pemCert(good), []byte("garbage"), "MalformedCertificateException", "PEM"),
		in("two certificates", append(pemCert(good), chain...), chain, "MalformedCertificateException", ""),
		again("a second time", w.imported, []byte(w.importedCert), chain, "InvalidRequestException", "already"),
		again("a root's, a second time", w.root, ownRoot, nil, "InvalidRequestException", "already"),
		again("a root's with a chain", w.root, ownRoot, chain, "InvalidRequestException", "without a chain"),
	}
}

func (w *badWorld) badRevocations() []badInput {
	revoke := func(name, serial, reason, code, text string) badInput {
		return badInput{"revoke: " + name, "RevokeCertificate", object{"CertificateAuthorityArn": w.root, "CertificateSerial": serial, "RevocationReason": reason}, code, text}
	}
	return []badInput{
		revoke("unknown serial", "00:11:22:33", "KEY_COMPROMISE", "ResourceNotFoundException", "Could not find certificate"),
		revoke("no serial", "xyz", "KEY_COMPROMISE", "InvalidRequestException", "is not the serial number"),
		revoke("unknown reason", w.revoked, "BOREDOM", "ValidationException", "revocationReason"),
		revoke("a second time", w.revoked, "KEY_COMPROMISE", "RequestAlreadyProcessedException", "already been revoked"),
		revoke("the root itself", w.own, "KEY_COMPROMISE", "InvalidRequestException", "self-signed"),
	}
}
