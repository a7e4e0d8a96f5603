package authority

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"

	"github.com/rolecall/rolecall/internal/blockedkeys"
	"github.com/rolecall/rolecall/internal/certchain"
)

// Prepare checks a request against its template and its CA, and settles every byte of the certificate but the signature.
// The error is an *[Error].
func Prepare(i *Issuer, r *Request) (*Token, error) {
	t := r.Template
	if err := i.admits(r); err != nil {
		return nil, err
	}
	if err := i.unblocked(r); err != nil {
		return nil, err
	}
	cert := &x509.Certificate{}
	var err error
	if cert.SignatureAlgorithm, err = r.Algorithm.signature(i.PublicKey); err != nil {
		return nil, err
	}
	if cert.NotBefore, cert.NotAfter, err = i.dates(r, t); err != nil {
		return nil, err
	}
	if cert.RawSubject, err = subjectOf(r); err != nil {
		return nil, err
	}
	if cert.ExtraExtensions, err = i.extensions(r, len(cert.RawSubject) == 2); err != nil {
		return nil, err
	}
	if cert.SerialNumber, err = newSerial(); err != nil {
		return nil, err
	}
	if t.Root() && !bytes.Equal(cert.RawSubject, i.Subject) {
		return nil, refuse(BadArgument, "the subject of a root certificate must be that of its certificate authority")
	}
	token := &Token{issuer: i, cert: cert, pub: r.CSR.req.PublicKey, self: t.Root()}
	if err := token.rehearse(t); err != nil {
		return nil, err
	}
	return token, nil
}

// admits decides whether this CA may use this template for this key.
func (i *Issuer) admits(r *Request) error {
	pub, ok := r.CSR.req.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	own := ok && pub.Equal(i.PublicKey)
	switch {
	case r.Template.Root() && !i.RootType:
		return refuse(BadArgument, "template %s is for root certificate authorities", r.Template.name)
	case r.Template.Root() && !own:
		return refuse(BadArgument, "template %s is for the certificate authority's own CSR", r.Template.name)
	case r.Template.Root():
		return nil
	case i.Certificate == nil:
		return refuse(BadArgument, "the certificate authority has no certificate yet")
	case own:
		return refuse(BadArgument, "the CSR is the certificate authority's own: only a root template certifies it")
	case r.Template.CA() && i.Certificate.KeyUsage != 0 && i.Certificate.KeyUsage&x509.KeyUsageCertSign == 0:
		return refuse(BadArgument, "the certificate authority's own certificate does not allow it to sign certificates")
	}
	return nil
}

// unblocked refuses keys that others have. A CA of such a key has no more to say than anybody.
func (i *Issuer) unblocked(r *Request) error {
	if i.Blocked.Contains(r.CSR.req.PublicKey) {
		return &Error{Reason: BadCSR, Text: blockedkeys.Reason, Key: WeakKey}
	}
	if i.Blocked.Contains(i.PublicKey) {
		return refuse(BadArgument, "the certificate authority cannot issue: %s", blockedkeys.Reason)
	}
	return nil
}

// takes reports whether the template lets extensions come from s, and the request has any.
func (r *Request) takes(s source) bool {
	return r.Template.open&s != 0 && (s != fromAPI || r.API != nil)
}

// subjectOf takes the whole name from the API if it gives one, and from the CSR otherwise.
func subjectOf(r *Request) ([]byte, error) {
	raw := r.CSR.req.RawSubject
	if r.takes(fromAPI) && r.API.Subject != nil {
		var err error
		if raw, err = r.API.Subject.DER(); err != nil {
			return nil, err
		}
	}
	// RFC 5280 §4.1.2.6: a CA needs a name.
	if r.Template.CA() && len(raw) <= 2 {
		return nil, refuse(BadArgument, "a CA certificate needs a subject")
	}
	return raw, nil
}

// extensions are in the order of precedence: template, API, CSR. What is there already stays.
func (i *Issuer) extensions(r *Request, noSubject bool) ([]pkix.Extension, error) {
	list, err := i.fixed(r)
	if err != nil {
		return nil, err
	}
	add := func(e pkix.Extension) {
		for _, have := range list {
			if have.Id.Equal(e.Id) {
				return
			}
		}
		list = append(list, e)
	}
	names, ok, err := alternativeNames(r)
	switch {
	case err != nil:
		return nil, err
	case ok:
		// RFC 5280 §4.2.1.6: critical when there is no subject.
		add(pkix.Extension{Id: oidAlternativeName(), Critical: noSubject, Value: names})
	case noSubject:
		return nil, refuse(BadArgument, "a certificate needs a subject or alternative names")
	}
	if r.takes(fromAPI) {
		asked, err := r.API.Extensions.encode()
		if err != nil {
			return nil, err
		}
		for _, e := range asked {
			if e.Id.Equal(oidAlternativeName()) || e.Id.Equal(oidDistributionPoints()) && r.Template.cdp&cdpAPI == 0 {
				continue
			}
			add(e)
		}
	}
	if r.takes(fromCSR) {
		for _, e := range r.CSR.req.Extensions {
			if e.Id.Equal(oidAlternativeName()) || e.Id.Equal(oidDistributionPoints()) && r.Template.cdp&cdpCSR == 0 {
				continue
			}
			add(e)
		}
	}
	return list, nil
}

// fixed are the extensions of template and CA.
func (i *Issuer) fixed(r *Request) ([]pkix.Extension, error) {
	t := r.Template
	var list []pkix.Extension
	add := func(e pkix.Extension, err error) error {
		list = append(list, e)
		return err
	}
	if err := add(basicConstraints(t)); err != nil {
		return nil, err
	}
	subjectKey, err := keyID(r.CSR.req.RawSubjectPublicKeyInfo)
	if err != nil {
		return nil, err
	}
	if err := add(subjectKeyID(subjectKey)); err != nil {
		return nil, err
	}
	if !t.Root() {
		id := i.Certificate.SubjectKeyId
		if len(id) == 0 {
			if id, err = keyID(i.Certificate.RawSubjectPublicKeyInfo); err != nil {
				return nil, err
			}
		}
		if err := add(authorityKeyID(id)); err != nil {
			return nil, err
		}
	}
	if t.usage != 0 {
		if err := add(keyUsage(t.usage)); err != nil {
			return nil, err
		}
	}
	if oids, critical := t.purposes.oids(); len(oids) > 0 {
		if err := add(extendedUsage(oids, critical)); err != nil {
			return nil, err
		}
	}
	if i.DistributionPoint != "" && t.cdp&cdpConfig != 0 {
		if err := add(distributionPoint(i.DistributionPoint)); err != nil {
			return nil, err
		}
	}
	if !t.Root() && i.OCSP+i.CAIssuers != "" {
		if err := add(authorityInfoAccess(i.OCSP, i.CAIssuers)); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// alternativeNames come from the API if it gives any, and from the CSR otherwise.
func alternativeNames(r *Request) (der []byte, ok bool, err error) {
	if r.takes(fromAPI) {
		ext := &r.API.Extensions
		if len(ext.AlternativeNames) > 0 {
			der, err = encodeNames(ext.AlternativeNames)
			return der, true, err
		}
		for _, c := range ext.Custom {
			if c.OID == oidAlternativeName().String() {
				return c.Value, true, checkNames(c.Value)
			}
		}
	}
	e, found := r.CSR.extension(func(e pkix.Extension) bool { return e.Id.Equal(oidAlternativeName()) })
	if !found {
		return nil, false, nil
	}
	return e.Value, true, checkNames(e.Value)
}

// rehearse makes what is to be signed and reads it back, so that nothing which a parser refuses, or which the CA's own
// certificates forbid, is ever signed with the CA's key.
func (t *Token) rehearse(template *Template) error {
	parent := t.issuer.Certificate
	if t.self {
		parent = &x509.Certificate{RawSubject: t.cert.RawSubject}
	}
	d, err := newDraft(t.cert, parent, t.pub, t.issuer.PublicKey)
	if err != nil {
		return err
	}
	cert := d.cert
	signs := cert.KeyUsage&x509.KeyUsageCertSign != 0
	switch {
	case signs && !cert.IsCA: // RFC 5280 §4.2.1.3
		return refuse(BadArgument, "the key usage keyCertSign is for CA certificates")
	case cert.IsCA && cert.KeyUsage != 0 && !signs:
		return refuse(BadArgument, "the key usage of a CA certificate needs keyCertSign")
	}
	if !template.CA() || template.Root() {
		for _, e := range cert.Extensions { // RFC 5280 §4.2.1.10: in CA certificates only
			if e.Id.Equal(oidNameConstraints()) && !cert.IsCA {
				return refuse(BadArgument, "name constraints are for CA certificates")
			}
		}
	}
	t.draft = d
	if t.self {
		return nil
	}
	above := append([]*x509.Certificate{t.issuer.Certificate}, t.issuer.Chain...)
	if err := certchain.CheckIssuance(cert, above); err != nil {
		return refuse(BadArgument, "%s", err.Error())
	}
	return nil
}
