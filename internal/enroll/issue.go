package enroll

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/authority"
	pca "github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	"github.com/rolecall/rolecall/internal/enroll/cmc"
	"github.com/rolecall/rolecall/internal/enroll/hresult"
	"github.com/rolecall/rolecall/internal/enroll/names"
	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/template"
	"github.com/rolecall/rolecall/internal/enroll/wstep"
	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/store"
)

// issued is a certificate that was issued, now or before.
type issued struct {
	ca   *store.CertificateAuthority
	leaf *x509.Certificate
	arn  string
}

// blank is the template of the CA that leaves all but its own to the caller: the CA's distribution points are added.
const blank = "arn:aws:acm-pca:::template/BlankEndEntityCertificate_APIPassthrough/V1"

// enroll answers a RequestSecurityToken.
func (h *Handler) enroll(ctx context.Context, a *attempt, m *soap.Message) ([]byte, error) {
	rst, err := wstep.ReadRequest(m.Body)
	if err != nil {
		if hresult.Of(err) == nil {
			err = hresult.Refuse(hresult.InvalidArgument, "The request cannot be read: %s", err)
		}
		return nil, err
	}
	list, err := h.connectors(ctx, a.site)
	if err != nil {
		return nil, err
	}
	for _, c := range list {
		if c.authority == a.endpoint.authority {
			a.connector = c
		}
	}
	if a.connector == nil {
		return nil, hresult.Refuse(hresult.UnsupportedType, "No connector of the directory issues at this address")
	}
	bodyPartID := int64(1)
	if rst.Type == wstep.QueryStatus {
		a.operation = "QueryTokenStatus"
		err = h.status(ctx, a, rst)
	} else {
		bodyPartID, err = h.issue(ctx, a, rst)
	}
	if err != nil {
		return nil, err
	}
	return h.respond(a, bodyPartID, m.MessageID)
}

// respond signs the CMC response and writes the message.
func (h *Handler) respond(a *attempt, bodyPartID int64, messageID string) ([]byte, error) {
	issuer, err := h.cfg.Issuer.Load(a.cert.ca)
	if err != nil {
		return nil, err
	}
	response, err := cmc.Respond(issuer, cmc.Response{
		BodyPartID: bodyPartID, Text: "Issued", Leaf: a.cert.leaf, Chain: append([]*x509.Certificate{issuer.Certificate}, issuer.Chain...),
	})
	if err != nil {
		return nil, err
	}
	return wstep.Write(&wstep.Issued{Leaf: a.cert.leaf.Raw, CMC: response, RequestID: a.requestID}, messageID), nil
}

// issue checks a certificate request and issues. Everything that the certificate says of its holder comes from the
// directory and the template; of the request, the key alone.
func (h *Handler) issue(ctx context.Context, a *attempt, rst *wstep.Request) (bodyPartID int64, err error) {
	req, err := cmc.Parse(rst.Token, h.cfg.Requests)
	if err != nil {
		return 0, err
	}
	a.form, a.renewal = req.Form, req.Renews != nil
	if a.template, err = findTemplate(a.connector.templates, req, rst.Template); err != nil {
		return 0, err
	}
	if enroll, _ := a.caller.may(a.template); !enroll {
		return 0, hresult.Refuse(hresult.TemplateDenied, "The permissions on the certificate template do not allow the current user to enroll for this type of certificate")
	}
	if err := checkKey(a.template, req); err != nil {
		return 0, err
	}
	if err := checkClaims(req, a.caller.entry); err != nil {
		return 0, err
	}
	api, err := contents(a.template, a.caller)
	if err != nil {
		return 0, err
	}
	id, err := h.nextID(ctx, a.connector)
	if err != nil {
		return 0, err
	}
	var made *issued
	err = h.cfg.DB.Join(ctx, func(tx *store.Tx) (err error) {
		defer func() {
			if p := recover(); p != nil { // this may be another goroutine, with other callers' work
				h.cfg.Log.Error("panic in enrollment", "operation", a.operation, "request", a.id, "panic", p, "stack", string(debug.Stack()))
				made, err = nil, fmt.Errorf("panic: %v", p)
			}
		}()
		made, err = h.issueIn(tx, a, req, api, id)
		return err
	})
	if err != nil {
		return 0, err
	}
	a.cert = made // not before it is durable
	a.requestID = strconv.FormatInt(id, 10)
	return req.BodyPartID, nil
}

// findTemplate finds the template by the extensions, which the client signed, then by the controls around them, then by the
// message's context. Names are compared in any case, as AD does. Two that are both named must be the same.
func findTemplate(list []*template.Template, req *cmc.Request, context string) (*template.Template, error) {
	name := req.TemplateName
	if name == "" {
		name = context
	}
	var byOID, byName *template.Template
	for _, t := range list {
		if req.TemplateOID != "" && t.OID.String() == req.TemplateOID {
			byOID = t
		}
		if name != "" && (strings.EqualFold(t.Name, name) || t.OID.String() == name) {
			byName = t
		}
	}
	switch {
	case req.TemplateOID == "" && name == "":
		return nil, hresult.Refuse(hresult.NoType, "The request contains no certificate template information")
	case req.TemplateOID != "" && byOID == nil, req.TemplateOID == "" && byName == nil:
		return nil, hresult.Refuse(hresult.UnsupportedType, "The requested certificate template is not supported by this certification authority")
	case byOID != nil && byName != nil && byOID != byName:
		return nil, hresult.Refuse(hresult.TypeConflict, "The request names two certificate templates")
	case byOID != nil:
		return byOID, nil
	}
	return byName, nil
}

// checkKey holds the request's key and signature against the template.
func checkKey(t *template.Template, req *cmc.Request) error {
	bits, kind := 0, ""
	switch key := req.CSR.Request().PublicKey.(type) {
	case *rsa.PublicKey:
		bits, kind = key.N.BitLen(), template.RSA
	case *ecdsa.PublicKey:
		bits = key.Curve.Params().BitSize
		kind = map[int]string{256: template.P256, 384: template.P384, 521: template.P521}[bits]
	}
	if kind != t.Algorithm {
		return hresult.Refuse(hresult.WeakKey, "The template is for keys of another kind")
	}
	if bits < t.MinKeyLength {
		return hresult.Refuse(hresult.KeyLength, "The public key has %d bits, the template asks for %d", bits, t.MinKeyLength)
	}
	least := map[string]crypto.Hash{template.SHA256: crypto.SHA256, template.SHA384: crypto.SHA384, template.SHA512: crypto.SHA512}[t.Hash]
	if least != 0 && req.Hash.Size() < least.Size() {
		return hresult.Refuse(hresult.WeakKey, "The request is signed with %s, the template asks for %s", req.Hash, least)
	}
	return nil
}

// contents is what the certificate is to hold beside key and dates.
func contents(t *template.Template, c *caller) (*authority.Passthrough, error) {
	n, err := names.Build(t, c.entry)
	if err != nil {
		return nil, err
	}
	api := &authority.Passthrough{Subject: &n.Subject}
	custom := func(oid string, value []byte, critical bool) {
		api.Extensions.Custom = append(api.Extensions.Custom, authority.CustomExtension{OID: oid, Value: value, Critical: critical})
	}
	for _, e := range t.Extensions {
		custom(e.OID, e.Value, e.Critical)
	}
	if n.Alternatives != nil {
		custom("2.5.29.17", n.Alternatives, false)
	}
	if t.Secured() {
		sid, err := securityExtension(c.sid)
		if err != nil {
			return nil, err
		}
		custom(oidSecurity, sid, false)
	}
	return api, nil
}

// oidSecurity is the extension that binds a certificate to its holder's SID (MS-WCCE 2.2.2.7.7.4).
const oidSecurity = "1.3.6.1.4.1.311.25.2"

// securityExtension is a SEQUENCE of one OtherName whose value is the SID's text.
func securityExtension(sid string) ([]byte, error) {
	type otherName struct {
		ID    asn1.ObjectIdentifier
		Value []byte `asn1:"explicit,tag:0"`
	}
	return asn1.Marshal(struct {
		Name otherName `asn1:"tag:0"`
	}{otherName{asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 25, 2, 1}, []byte(sid)}})
}

// issueIn is the part of issuing that is one transaction.
func (h *Handler) issueIn(tx *store.Tx, a *attempt, req *cmc.Request, api *authority.Passthrough, id int64) (*issued, error) {
	c := a.connector
	ca, err := tx.GetAuthority(c.row.Account, c.row.Region, c.authority)
	if err != nil {
		return nil, err
	}
	if string(issuance.StatusOf(ca, tx.Now)) != active {
		return nil, hresult.Refuse(hresult.AdminDenied, "The certification authority does not issue now")
	}
	if req.Renews != nil {
		if err := checkRenewal(tx, a, ca, req); err != nil {
			return nil, err
		}
	}
	algorithm, err := signingAlgorithm(ca)
	if err != nil {
		return nil, err
	}
	form, err := authority.FindTemplate(blank)
	if err != nil {
		return nil, err
	}
	cert, err := h.cfg.Issuer.Issue(tx, ca, &authority.Request{
		CSR: req.CSR, Template: form, Algorithm: algorithm, API: api, Now: tx.Now,
		Validity: authority.Validity{Type: authority.Absolute, Value: lastMoment(a.template, ca, tx.Now).Unix()},
	})
	if err != nil {
		return nil, refusalOf(err)
	}
	return &issued{ca: ca, leaf: cert.Certificate, arn: cert.ARN}, tx.CreateEnrollmentRequest(&store.EnrollmentRequest{
		Account: ca.Account, Region: ca.Region, Connector: c.row.ID, ID: id, Authority: ca.ID, Serial: cert.Serial,
		SID: a.caller.sid, Template: a.template.ID, CreatedAt: tx.Now,
	})
}

// lastMoment is the template's validity, cut where the CA's own certificate ends, as AD CS does. A CA for short-lived
// certificates refuses what is longer than it issues.
func lastMoment(t *template.Template, ca *store.CertificateAuthority, now time.Time) time.Time {
	end := now.Add(t.Validity)
	if end.After(ca.NotAfter) {
		end = ca.NotAfter
	}
	return end
}

func signingAlgorithm(ca *store.CertificateAuthority) (authority.SigningAlgorithm, error) {
	var c pca.CertificateAuthorityConfiguration
	if err := json.Unmarshal([]byte(ca.Configuration), &c); err != nil || c.SigningAlgorithm == nil {
		return "", fmt.Errorf("stored configuration of certificate authority %s cannot be read", ca.ID)
	}
	return authority.SigningAlgorithm(*c.SigningAlgorithm), nil
}

// refusalOf gives what the CA's engine refused a code.
func refusalOf(err error) error {
	var e *authority.Error
	if !errors.As(err, &e) {
		return err
	}
	code := hresult.BadSubject
	switch {
	case e.Reason == authority.BadValidity:
		code = hresult.AdminDenied
	case e.Key != "":
		code = hresult.WeakKey
	}
	return hresult.Refuse(code, "The certification authority refused the request: %s", e.Text)
}
