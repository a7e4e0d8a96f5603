package xcep

import (
	"encoding/base64"

	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/template"
)

// Response is an answer to GetPolicies.
type Response struct {
	PolicyID string // a GUID in braces; clients keep what they have under it
	Name     string
	// NotChanged tells the client that it has the current policies; the rest is left out.
	NotChanged bool
	CAs        []CA
	Policies   []Policy
}

// CA is a certificate authority with the services that issue from it.
type CA struct {
	Certificate []byte // DER, never empty: Windows refuses an empty one
	URIs        []URI
}

// URI is one enrollment service.
type URI struct {
	Authentication Authentication
	Address        string
}

// Authentication is how a service knows its callers (MS-XCEP 3.1.4.1.3.3).
type Authentication int

// The kinds in use.
const (
	Kerberos         Authentication = 2
	UsernamePassword Authentication = 4
)

// Policy is a template as one caller may use it.
type Policy struct {
	Template           *template.Template
	CA                 int // index into CAs
	Enroll, AutoEnroll bool
}

// nextUpdateHours is after how long a client asks again.
const nextUpdateHours = 8

// group is the kind of an object identifier (MS-XCEP 3.1.4.1.3.16).
type group int

const (
	groupHash       group = 1
	groupPublicKey  group = 3
	groupExtension  group = 6
	groupEnrollment group = 9
)

// oidTable numbers the object identifiers that the policies refer to.
type oidTable struct {
	refs map[oidEntry]int
	list []oidEntry
	name map[oidEntry]string
}

type oidEntry struct {
	value string
	group group
}

func (o *oidTable) ref(value string, g group, name string) int64 {
	e := oidEntry{value, g}
	n, ok := o.refs[e]
	if !ok {
		n = len(o.list) + 1
		o.refs[e], o.name[e] = n, name
		o.list = append(o.list, e)
	}
	return int64(n)
}

// Write builds the message.
func Write(r *Response, relatesTo string) []byte {
	w := &soap.Writer{}
	oids := &oidTable{refs: map[oidEntry]int{}, name: map[oidEntry]string{}}
	w.Begin(ActionResponse, relatesTo)
	w.Open("GetPoliciesResponse", "xmlns", Namespace)
	w.Open("response")
	w.Leaf("policyID", r.PolicyID)
	w.Leaf("policyFriendlyName", r.Name)
	w.Number("nextUpdateHours", nextUpdateHours)
	if r.NotChanged {
		w.Bool("policiesNotChanged", true)
	} else {
		w.Nil("policiesNotChanged")
	}
	if r.NotChanged || len(r.Policies) == 0 {
		w.Nil("policies")
	} else {
		w.Open("policies")
		for i := range r.Policies {
			writePolicy(w, &r.Policies[i], oids)
		}
		w.Close("policies")
	}
	w.Close("response")
	writeCAs(w, r)
	writeOIDs(w, r, oids)
	w.Close("GetPoliciesResponse")
	return w.End()
}

func writePolicy(w *soap.Writer, p *Policy, oids *oidTable) {
	t := p.Template
	w.Open("policy")
	w.Number("policyOIDReference", oids.ref(t.OID.String(), groupEnrollment, t.Name))
	w.Open("cAs")
	w.Number("cAReference", int64(p.CA))
	w.Close("cAs")
	w.Open("attributes")
	w.Leaf("commonName", t.Name)
	w.Number("policySchema", int64(t.Schema))
	w.Open("certificateValidity")
	w.Number("validityPeriodSeconds", int64(t.Validity.Seconds()))
	w.Number("renewalPeriodSeconds", int64(t.Renewal.Seconds()))
	w.Close("certificateValidity")
	w.Open("permission")
	w.Bool("enroll", p.Enroll)
	w.Bool("autoEnroll", p.AutoEnroll)
	w.Close("permission")
	writeKey(w, t, oids)
	w.Open("revision")
	w.Number("majorRevision", int64(t.Major))
	w.Number("minorRevision", int64(t.Minor))
	w.Close("revision")
	if len(t.Superseded) == 0 {
		w.Nil("supersededPolicies")
	} else {
		w.Open("supersededPolicies")
		for _, name := range t.Superseded {
			w.Leaf("commonName", name)
		}
		w.Close("supersededPolicies")
	}
	w.Number("privateKeyFlags", int64(t.KeyFlags))
	w.Number("subjectNameFlags", int64(t.SubjectFlags))
	w.Number("enrollmentFlags", int64(t.EnrollmentFlags))
	w.Number("generalFlags", int64(t.GeneralFlags))
	if t.Hash == "" || t.Schema < 3 {
		w.Nil("hashAlgorithmOIDReference")
	} else {
		w.Number("hashAlgorithmOIDReference", oids.ref(t.Hash, groupHash, digestName(t.Hash)))
	}
	w.Nil("rARequirements")
	w.Nil("keyArchivalAttributes")
	w.Open("extensions")
	for _, e := range t.Extensions {
		w.Open("extension")
		w.Number("oIDReference", oids.ref(e.OID, groupExtension, e.Name))
		w.Bool("critical", e.Critical)
		w.Leaf("value", base64.StdEncoding.EncodeToString(e.Value))
		w.Close("extension")
	}
	w.Close("extensions")
	w.Close("attributes")
	w.Close("policy")
}

func writeKey(w *soap.Writer, t *template.Template, oids *oidTable) {
	w.Open("privateKeyAttributes")
	w.Number("minimalKeyLength", int64(t.MinKeyLength))
	w.Number("keySpec", int64(t.KeySpec))
	if t.KeyUsage == 0 {
		w.Nil("keyUsageProperty")
	} else {
		w.Number("keyUsageProperty", int64(t.KeyUsage))
	}
	w.Nil("permissions")
	if t.Schema < 3 {
		w.Nil("algorithmOIDReference")
	} else {
		w.Number("algorithmOIDReference", oids.ref(t.Algorithm, groupPublicKey, keyName(t.Algorithm)))
	}
	w.Open("cryptoProviders")
	for _, provider := range t.Providers {
		w.Leaf("provider", provider)
	}
	w.Close("cryptoProviders")
	w.Close("privateKeyAttributes")
}

// digestName and keyName are the names that Windows registers.
func digestName(oid string) string {
	return map[string]string{template.SHA256: "sha256", template.SHA384: "sha384", template.SHA512: "sha512"}[oid]
}

func keyName(oid string) string {
	return map[string]string{template.RSA: "RSA", template.P256: "ECDH_P256", template.P384: "ECDH_P384", template.P521: "ECDH_P521"}[oid]
}

func writeCAs(w *soap.Writer, r *Response) {
	if r.NotChanged || len(r.CAs) == 0 {
		w.Nil("cAs")
		return
	}
	w.Open("cAs")
	for i, ca := range r.CAs {
		w.Open("cA")
		w.Open("uris")
		for n, uri := range ca.URIs {
			w.Open("cAURI")
			w.Number("clientAuthentication", int64(uri.Authentication))
			w.Leaf("uri", uri.Address)
			w.Number("priority", int64(n+1))
			w.Bool("renewalOnly", false)
			w.Close("cAURI")
		}
		w.Close("uris")
		w.Leaf("certificate", base64.StdEncoding.EncodeToString(ca.Certificate))
		w.Bool("enrollPermission", true)
		w.Number("cAReferenceID", int64(i))
		w.Close("cA")
	}
	w.Close("cAs")
}

func writeOIDs(w *soap.Writer, r *Response, oids *oidTable) {
	if r.NotChanged || len(oids.list) == 0 {
		w.Nil("oIDs")
		return
	}
	w.Open("oIDs")
	for i, e := range oids.list {
		w.Open("oID")
		w.Leaf("value", e.value)
		w.Number("group", int64(e.group))
		w.Number("oIDReferenceID", int64(i+1))
		w.Leaf("defaultName", oids.name[e])
		w.Close("oID")
	}
	w.Close("oIDs")
}
