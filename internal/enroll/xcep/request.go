// Package xcep reads and writes MS-XCEP: which certificate templates a caller may enroll for, and where.
//
// The schema is a sequence of elements: their order is fixed, and an element without a value is there and nil. Whom a
// policy is for is decided by its caller. Start with [ReadRequest] and [Write].
package xcep

import (
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/soap"
	"github.com/rolecall/rolecall/internal/enroll/template"
)

// Namespace of the messages, and their actions.
const (
	Namespace      = "http://schemas.microsoft.com/windows/pki/2009/01/enrollmentpolicy"
	Action         = Namespace + "/IPolicy/GetPolicies"
	ActionResponse = Namespace + "/IPolicy/GetPoliciesResponse"
)

// Request is a GetPolicies (MS-XCEP 3.1.4.1.1.1).
type Request struct {
	LastUpdate    time.Time // when the client got its policies last; zero for never
	PolicyOIDs    []string  // only these templates; none for all
	ClientVersion int       // 0 for no filter: the specification has no such version, and clients mean nil by it
}

// maxPolicyOIDs bounds a request's filter.
const maxPolicyOIDs = 200

// ReadRequest reads the element inside a request's body.
func ReadRequest(body *soap.Element) (*Request, error) {
	if body.Name.Space != Namespace || body.Name.Local != "GetPolicies" {
		return nil, errors.New("xcep: the body is not a GetPolicies")
	}
	client, err := body.Child(Namespace, "client")
	if err != nil {
		return nil, err
	}
	if client == nil {
		return nil, errors.New("xcep: the client element is missing")
	}
	r := &Request{}
	last, err := client.ChildText(Namespace, "lastUpdate")
	if err != nil {
		return nil, err
	}
	if last != "" {
		if r.LastUpdate, err = dateTime(last); err != nil {
			return nil, err
		}
	}
	filter, err := body.Child(Namespace, "requestFilter")
	if err != nil || filter == nil || filter.Nil() {
		return r, err
	}
	return r, r.filter(filter)
}

// dateTime reads xs:dateTime, whose time zone may be missing: then it is UTC.
func dateTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("xcep: lastUpdate is not a date and time")
}

func (r *Request) filter(filter *soap.Element) error {
	oids, err := filter.Child(Namespace, "policyOIDs")
	if err != nil {
		return err
	}
	if oids != nil && !oids.Nil() {
		for _, o := range oids.Children {
			if o.Name.Space != Namespace || o.Name.Local != "oid" || len(r.PolicyOIDs) == maxPolicyOIDs {
				return errors.New("xcep: the list of policy identifiers is not readable or too long")
			}
			r.PolicyOIDs = append(r.PolicyOIDs, o.Text)
		}
	}
	version, err := filter.ChildText(Namespace, "clientVersion")
	if err != nil || version == "" {
		return err
	}
	if r.ClientVersion, err = strconv.Atoi(version); err != nil || r.ClientVersion < 0 {
		return errors.New("xcep: clientVersion is not a number")
	}
	return nil
}

// Wants reports whether the template passes the filter.
func (r *Request) Wants(t *template.Template) bool {
	if len(r.PolicyOIDs) > 0 && !slices.Contains(r.PolicyOIDs, t.OID.String()) {
		return false
	}
	return r.ClientVersion == 0 || t.ClientVersion() <= r.ClientVersion
}
