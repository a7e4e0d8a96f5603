package adclient

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/template"
	"github.com/rolecall/rolecall/internal/enroll/xcep"
)

// Policies is what a caller may enroll for.
type Policies struct {
	ID, Name  string
	Templates []Template
	CAs       []CA
}

// Template is one certificate template. Object identifiers are dotted; "" means that the template does not say.
type Template struct {
	Name, OID          string
	Enroll, AutoEnroll bool // what the caller may do
	Machine            bool // for computers; the others are for users
	Subject            bool // the request must hold the subject
	Major, Minor       int
	Validity, Renewal  time.Duration
	Algorithm          string
	MinKeyLength       int // bits
	Hash               string
	CAs                []int // in Policies.CAs
}

// CA is a certificate authority.
type CA struct {
	Certificate *x509.Certificate
	URIs        []URI
}

// URI is where a CA issues certificates.
type URI struct {
	Authentication int // MS-XCEP 3.1.4.1.3.3
	Address        string
	RenewalOnly    bool
}

// Limits of what is read.
const (
	maxTemplates = 2000
	maxPeriod    = 100 * 365 * 24 * time.Hour
)

// Bits of flags that matter here (MS-CRTD 2.4, 2.28).
const (
	generalMachine  = 0x40
	suppliesSubject = 0x1
)

// Policies asks the server for the caller's policies.
func (c *Client) Policies(ctx context.Context) (*Policies, error) {
	_, name := c.authentication()
	to := "https://" + c.cfg.Server + "/ADPolicyProvider_CEP_" + name + "/service.svc/CEP"
	body, err := c.call(ctx, to, xcep.Action, xcep.ActionResponse, func(w *soap.Writer) {
		w.Open("GetPolicies", "xmlns", xcep.Namespace)
		w.Open("client")
		w.Nil("lastUpdate")
		w.Nil("preferredLanguage")
		w.Close("client")
		w.Nil("requestFilter")
		w.Close("GetPolicies")
	})
	if err != nil {
		return nil, err
	}
	p, err := readPolicies(body)
	if err != nil {
		return nil, unreachable("%s: policies: %w", c.cfg.Server, err)
	}
	return p, nil
}

// Template is the template with the name; names are compared as Windows does, without case.
func (p *Policies) Template(name string) (*Template, error) {
	for i := range p.Templates {
		if strings.EqualFold(p.Templates[i].Name, name) {
			return &p.Templates[i], nil
		}
	}
	return nil, fmt.Errorf("%s: %w", name, ErrNoTemplate)
}

// reader keeps the first error.
type reader struct{ err error }

func (r *reader) child(e *soap.Element, name string) *soap.Element {
	if r.err != nil || e == nil {
		return nil
	}
	c, err := e.Child(xcep.Namespace, name)
	r.err = err
	if c != nil && c.Nil() {
		return nil
	}
	return c
}

func (r *reader) children(e *soap.Element, name string) []*soap.Element {
	if e == nil || r.err != nil {
		return nil
	}
	var list []*soap.Element
	for _, c := range e.Children {
		if c.Name.Space == xcep.Namespace && c.Name.Local == name {
			list = append(list, c)
		}
	}
	return list
}

func (r *reader) text(e *soap.Element, name string) string {
	if r.err != nil || e == nil {
		return ""
	}
	text, err := e.ChildText(xcep.Namespace, name)
	r.err = err
	return text
}

// number reads a number of up to 32 bits, with or without sign; 0 if it is not there.
func (r *reader) number(e *soap.Element, name string) int64 {
	text := r.text(e, name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < -1<<31 || n >= 1<<32 {
		r.fail(name)
		return 0
	}
	return n & 0xffffffff
}

func (r *reader) truth(e *soap.Element, name string) bool {
	switch text := r.text(e, name); text {
	case "true", "1":
		return true
	case "false", "0", "":
		return false
	}
	r.fail(name)
	return false
}

func (r *reader) fail(name string) {
	if r.err == nil {
		r.err = fmt.Errorf("%s is not readable", name)
	}
}

// readPolicies reads a GetPoliciesResponse (MS-XCEP 3.1.4.1.1.2).
func readPolicies(body *soap.Element) (*Policies, error) {
	if body.Name.Space != xcep.Namespace || body.Name.Local != "GetPoliciesResponse" {
		return nil, errors.New("the answer is no GetPoliciesResponse")
	}
	r := &reader{}
	response := r.child(body, "response")
	p := &Policies{ID: r.text(response, "policyID"), Name: r.text(response, "policyFriendlyName")}
	oids := map[int64]string{}
	for _, e := range r.children(r.child(body, "oIDs"), "oID") {
		oids[r.number(e, "oIDReferenceID")] = r.text(e, "value")
	}
	cas := map[int64]int{}
	for _, e := range r.children(r.child(body, "cAs"), "cA") {
		ca := r.authority(e)
		cas[r.number(e, "cAReferenceID")] = len(p.CAs)
		p.CAs = append(p.CAs, ca)
	}
	list := r.children(r.child(response, "policies"), "policy")
	if response == nil || len(list) > maxTemplates {
		return nil, errors.New("the response is missing or has too many templates")
	}
	for _, e := range list {
		t := r.template(e, oids)
		for _, ref := range r.children(r.child(e, "cAs"), "cAReference") {
			n, err := strconv.ParseInt(strings.TrimSpace(ref.Text), 10, 64)
			if i, ok := cas[n]; ok && err == nil {
				t.CAs = append(t.CAs, i)
			}
		}
		p.Templates = append(p.Templates, t)
	}
	if r.err != nil {
		return nil, r.err
	}
	return p, nil
}

func (r *reader) authority(e *soap.Element) CA {
	var ca CA
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(r.text(e, "certificate")), ""))
	if err == nil {
		ca.Certificate, err = x509.ParseCertificate(der)
	}
	if err != nil {
		r.fail("a CA's certificate")
	}
	type entry struct {
		URI
		priority int64
	}
	var list []entry
	for _, u := range r.children(r.child(e, "uris"), "cAURI") {
		list = append(list, entry{URI{int(r.number(u, "clientAuthentication")), r.text(u, "uri"), r.truth(u, "renewalOnly")}, r.number(u, "priority")})
	}
	slices.SortStableFunc(list, func(a, b entry) int { return int(a.priority - b.priority) })
	for _, u := range list {
		ca.URIs = append(ca.URIs, u.URI)
	}
	return ca
}

func (r *reader) template(e *soap.Element, oids map[int64]string) Template {
	a := r.child(e, "attributes")
	validity, permission, revision := r.child(a, "certificateValidity"), r.child(a, "permission"), r.child(a, "revision")
	key := r.child(a, "privateKeyAttributes")
	t := Template{
		Name: r.text(a, "commonName"), OID: oids[r.number(e, "policyOIDReference")],
		Enroll: r.truth(permission, "enroll"), AutoEnroll: r.truth(permission, "autoEnroll"),
		Machine: r.number(a, "generalFlags")&generalMachine != 0, Subject: r.number(a, "subjectNameFlags")&suppliesSubject != 0,
		Major: int(r.number(revision, "majorRevision")), Minor: int(r.number(revision, "minorRevision")),
		Validity: r.seconds(validity, "validityPeriodSeconds"), Renewal: r.seconds(validity, "renewalPeriodSeconds"),
		MinKeyLength: int(r.number(key, "minimalKeyLength")), Algorithm: template.RSA,
	}
	if n := r.number(key, "algorithmOIDReference"); n != 0 {
		t.Algorithm = oids[n]
	}
	if n := r.number(a, "hashAlgorithmOIDReference"); n != 0 {
		t.Hash = oids[n]
	}
	if t.Name == "" || len(t.Name) > 256 {
		r.fail("a template's name")
	}
	return t
}

// seconds reads a period, which Windows' type allows to be longer than any certificate lives.
func (r *reader) seconds(e *soap.Element, name string) time.Duration {
	text := r.text(e, name)
	if text == "" {
		return 0
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		r.fail(name)
	}
	if n > uint64(maxPeriod/time.Second) {
		return maxPeriod
	}
	return time.Duration(n) * time.Second //nolint:gosec // at most maxPeriod
}
