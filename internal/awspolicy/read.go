package awspolicy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/iampolicy"
)

// Limits of a dump: the whole set of AWS's is 4 MB in 1,500 policies.
const (
	MaxDump     = 64 << 20 // bytes
	maxPolicies = 20_000
)

// record is what `aws iam get-policy` and `aws iam get-policy-version` print, together or the latter alone; with that, the
// ARN stands beside it or the file's name says it.
type record struct {
	Policy        header
	PolicyVersion version
	PolicyArn     string
	Arn           string
}

// header is a policy's description; get-account-authorization-details adds the versions.
type header struct {
	PolicyName        string
	PolicyID          string `json:"PolicyId"`
	Arn               string
	Path              string
	DefaultVersionID  string `json:"DefaultVersionId"`
	CreateDate        date
	UpdateDate        date
	PolicyVersionList []version
}

type version struct {
	VersionID        string `json:"VersionId"`
	IsDefaultVersion bool
	CreateDate       date
	Document         json.RawMessage
}

// date is RFC 3339 or seconds since 1970, as the two generations of the AWS CLI print times.
type date struct{ time.Time }

// UnmarshalJSON reads either form.
func (d *date) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err == nil {
		if seconds < 0 || seconds > 1e11 {
			return errors.New("a time is out of range")
		}
		d.Time = time.Unix(int64(seconds), 0).UTC()
		return nil
	}
	err := json.Unmarshal(b, &d.Time)
	d.Time = d.UTC()
	return err
}

// Read reads a dump, whose name (a policy's name or "", without a path) serves a document that does not say what it is.
// Every document is checked as a managed policy. The forms:
//
//   - {"Policy": {…}, "PolicyVersion": {…}}: the answers of `aws iam get-policy` and `get-policy-version` merged; the latter
//     alone with "PolicyArn" or "Arn" beside it, or with the policy's name as the file's;
//   - a list of those;
//   - {"Policies": [{…, "PolicyVersionList": […]}]}: the answer of `aws iam get-account-authorization-details --filter
//     AWSManagedPolicy`;
//   - {"NAME": {"Version": …, "Statement": …}}: documents by name, path and name ("service-role/NAME") or ARN;
//   - one policy document by itself, named by the file.
func Read(data []byte, name string) ([]Policy, error) {
	if len(data) > MaxDump {
		return nil, fmt.Errorf("the dump is longer than %d bytes", MaxDump)
	}
	var out []Policy
	add := func(p Policy, err error) error {
		if err == nil {
			out = append(out, p)
		}
		if len(out) > maxPolicies {
			return fmt.Errorf("the dump has more than %d policies", maxPolicies)
		}
		return err
	}
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '[' {
		var list []record
		if err := json.Unmarshal(data, &list); err != nil {
			return nil, err
		}
		for i := range list {
			if err := add(list[i].policy("")); err != nil {
				return nil, fmt.Errorf("policy %d of the list: %w", i+1, err)
			}
		}
		return out, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, err
	}
	switch {
	case members["Policies"] != nil:
		var details struct{ Policies []header }
		if err := json.Unmarshal(data, &details); err != nil {
			return nil, err
		}
		for i := range details.Policies {
			h := &details.Policies[i]
			if err := add(h.defaultVersion()); err != nil {
				return nil, fmt.Errorf("policy %d: %w", i+1, err)
			}
		}
	case members["PolicyVersion"] != nil:
		var r record
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, err
		}
		if err := add(r.policy(name)); err != nil {
			return nil, err
		}
	case members["Statement"] != nil:
		if err := add(document(name, data)); err != nil {
			return nil, err
		}
	default:
		for _, key := range sortedKeys(members) {
			if err := add(document(key, members[key])); err != nil {
				return nil, fmt.Errorf("policy %s: %w", key, err)
			}
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the dump has no policies")
	}
	return out, nil
}

func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// policy is a record with its version.
func (r *record) policy(name string) (Policy, error) {
	h := r.Policy
	for _, n := range []string{h.Arn, r.PolicyArn, r.Arn, h.Path + h.PolicyName, name} {
		if n != "" {
			name = n
			break
		}
	}
	return h.with(name, &r.PolicyVersion)
}

// defaultVersion is a policy with the version in force of those listed.
func (h *header) defaultVersion() (Policy, error) {
	for i := range h.PolicyVersionList {
		if v := &h.PolicyVersionList[i]; v.IsDefaultVersion || v.VersionID == h.DefaultVersionID {
			name := h.Arn
			if name == "" {
				name = h.Path + h.PolicyName
			}
			return h.with(name, v)
		}
	}
	return Policy{}, fmt.Errorf("%s has no default version", h.PolicyName)
}

func (h *header) with(name string, v *version) (Policy, error) {
	p, err := document(name, v.Document)
	if err != nil {
		return p, err
	}
	p.Version, p.Created, p.Updated = v.VersionID, h.CreateDate.Time, v.CreateDate.Time
	if p.Updated.IsZero() {
		p.Updated = h.UpdateDate.Time
	}
	if h.PolicyID != "" {
		p.ID = h.PolicyID
	}
	switch {
	case p.Number() == 0 && p.Version != "":
		return p, fmt.Errorf("%s: version %q is not v1, v2, …", p.Name, p.Version)
	case !idPattern.MatchString(p.ID):
		return p, fmt.Errorf("%s: the policy id %q is not valid", p.Name, p.ID)
	}
	return p, nil
}

var (
	namePattern = regexp.MustCompile(`^[\w+=,.@-]{1,128}$`)
	pathPattern = regexp.MustCompile(`^(/|/[\x21-\x7e]{1,510}/)$`)
	idPattern   = regexp.MustCompile(`^ANPA[A-Z0-9]{12,28}$`)
	arnPattern  = regexp.MustCompile(`^arn:aws[a-z-]*:iam::aws:policy(/.*)$`)
)

// document is a policy from a name (or path and name, or ARN) and a document: JSON, or a string with percent-encoded JSON as
// the API itself returns it.
func document(name string, raw json.RawMessage) (Policy, error) {
	full := name
	if m := arnPattern.FindStringSubmatch(name); m != nil {
		full = m[1]
	} else if strings.HasPrefix(name, "arn:") {
		return Policy{}, fmt.Errorf("%q is not the ARN of a policy of AWS's", name)
	}
	at := strings.LastIndexByte(full, '/') + 1
	p := Policy{Name: full[at:], Path: full[:at]}
	switch {
	case p.Path == "" && Get(p.Name) != nil:
		p.Path = Get(p.Name).Path
	case p.Path == "" || p.Path[0] != '/':
		p.Path = "/" + p.Path
	}
	if !namePattern.MatchString(p.Name) || !pathPattern.MatchString(p.Path) {
		return p, fmt.Errorf("%q names no policy", name)
	}
	text, err := plain(raw)
	if err != nil {
		return p, fmt.Errorf("%s: %w", p.Name, err)
	}
	if _, err := iampolicy.Parse(text, iampolicy.Managed); err != nil {
		return p, fmt.Errorf("%s: %w", p.Name, err)
	}
	p.Document, p.ID = text, StableID(p.Name)
	return p, nil
}

func plain(raw json.RawMessage) (string, error) {
	if len(raw) == 0 {
		return "", errors.New("there is no document")
	}
	if raw[0] != '"' {
		return string(raw), nil
	}
	var encoded string
	if err := json.Unmarshal(raw, &encoded); err != nil {
		return "", err
	}
	return url.PathUnescape(encoded)
}
