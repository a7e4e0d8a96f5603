package iam_test

import (
	"crypto/sha256"
	"encoding/hex"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testserver"
	"github.com/rolecall/rolecall/sigv4"
)

const (
	account = "123456789012"
	trust   = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}]}`
	readS3  = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:Get*","Resource":"*"}]}`
)

// env is a server and one caller of it.
type env struct {
	*testserver.Server
	t    testing.TB
	keys testserver.Keys
}

func start(t testing.TB) *env {
	t.Helper()
	s := testserver.Start(t)
	return &env{Server: s, t: t, keys: s.Root}
}

// as is the same server with another caller.
func (e *env) as(k testserver.Keys) *env { return &env{Server: e.Server, t: e.t, keys: k} }

// reply is a successful answer.
type reply struct {
	t    testing.TB
	body string
}

// do makes a call that must succeed.
func (e *env) do(action string, params ...string) reply {
	e.t.Helper()
	r := e.Query(e.t, e.keys, "iam", action, params...)
	if r.Status != 200 {
		e.t.Fatalf("%s %q: %d %s", action, params, r.Status, r.Body)
	}
	return reply{e.t, string(r.Body)}
}

// refused makes a call that must fail with exactly this.
func (e *env) refused(status int, code, message, action string, params ...string) {
	e.t.Helper()
	gotStatus, gotCode, gotMessage := e.try(action, params...)
	if gotStatus != status || gotCode != code || gotMessage != message {
		e.t.Errorf("%s %q:\n got %d %s %q\nwant %d %s %q", action, params, gotStatus, gotCode, gotMessage, status, code, message)
	}
}

// denied makes a call that policy must forbid, in AWS's sentence.
func (e *env) denied(principal, need, resource, action string, params ...string) {
	e.t.Helper()
	status, code, message := e.try(action, params...)
	want := "User: " + principal + " is not authorized to perform: " + need + " on resource: " + resource + " because "
	if status != 403 || code != "AccessDenied" || !strings.HasPrefix(message, want) {
		e.t.Errorf("%s %q:\n got %d %s %q\nwant 403 AccessDenied %q…", action, params, status, code, message, want)
	}
}

func (e *env) try(action string, params ...string) (status int, code, message string) {
	e.t.Helper()
	r := e.Query(e.t, e.keys, "iam", action, params...)
	b := reply{e.t, string(r.Body)}
	if r.Status == 200 {
		return r.Status, "", b.body
	}
	return r.Status, b.one("Code"), b.one("Message")
}

// all is the text of every element of a name.
func (r reply) all(name string) []string {
	r.t.Helper()
	var out []string
	for _, m := range regexp.MustCompile(`(?s)<`+name+`>(.*?)</`+name+`>`).FindAllStringSubmatch(r.body, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// one is the text of the only element of a name.
func (r reply) one(name string) string {
	r.t.Helper()
	got := r.all(name)
	if len(got) != 1 {
		r.t.Fatalf("%d elements %s in %s", len(got), name, r.body)
	}
	return got[0]
}

// has checks single elements: name, value, name, value.
func (r reply) has(want ...string) reply {
	r.t.Helper()
	for i := 0; i+1 < len(want); i += 2 {
		if got := r.one(want[i]); got != want[i+1] {
			r.t.Errorf("%s is %q, want %q", want[i], got, want[i+1])
		}
	}
	return r
}

// lacks checks that there is no element of any of the names.
func (r reply) lacks(names ...string) reply {
	r.t.Helper()
	for _, name := range names {
		if regexp.MustCompile(`<` + name + `[ />]`).MatchString(r.body) {
			r.t.Errorf("there is an element %s in %s", name, r.body)
		}
	}
	return r
}

// empty checks that each name is an empty element, which for a list is how AWS says that there is none.
func (r reply) empty(names ...string) reply {
	r.t.Helper()
	for _, name := range names {
		if strings.Count(r.body, "<"+name+"/>") != 1 {
			r.t.Errorf("there is no empty %s in %s", name, r.body)
		}
	}
	return r
}

// document is the policy document in an element, decoded.
func (r reply) document(name string) string {
	r.t.Helper()
	raw := r.one(name)
	if strings.ContainsAny(raw, `{}":*, +`) {
		r.t.Errorf("%s is not fully percent-encoded: %s", name, raw)
	}
	text, err := url.PathUnescape(raw)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

func (e *env) role(name string) {
	e.t.Helper()
	e.do("CreateRole", "RoleName", name, "AssumeRolePolicyDocument", trust)
}

// policy creates a managed policy and returns its ARN.
func (e *env) policy(name string) string {
	e.t.Helper()
	return e.do("CreatePolicy", "PolicyName", name, "PolicyDocument", readS3).one("Arn")
}

// user creates a user with a policy and a key, and returns the same server with the user as caller.
func (e *env) user(name, document string) *env {
	e.t.Helper()
	e.do("CreateUser", "UserName", name)
	if document != "" {
		e.do("PutUserPolicy", "UserName", name, "PolicyName", "p", "PolicyDocument", document)
	}
	return e.as(e.key("UserName", name))
}

func (e *env) key(params ...string) testserver.Keys {
	e.t.Helper()
	r := e.do("CreateAccessKey", params...)
	return testserver.Keys{AccessKeyID: r.one("AccessKeyId"), SecretAccessKey: r.one("SecretAccessKey")}
}

// allow is a policy document that allows an action on a resource; conditions are JSON or "".
func allow(action, resource, conditions string) string {
	if conditions != "" {
		conditions = `,"Condition":` + conditions
	}
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"` + action + `","Resource":"` + resource + `"` + conditions + `}]}`
}

func arnOf(resource string) string { return "arn:aws:iam::" + account + ":" + resource }

func itoa(n int) string { return strconv.Itoa(n) }

// in makes a call signed for another region.
func (e *env) in(region, action string, params ...string) (int, string) {
	e.t.Helper()
	form := url.Values{"Action": {action}, "Version": {"2010-05-08"}}
	for i := 0; i+1 < len(params); i += 2 {
		form.Set(params[i], params[i+1])
	}
	body := form.Encode()
	r, err := http.NewRequest(http.MethodPost, e.URL+"/", strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	sum := sha256.Sum256([]byte(body))
	err = sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: e.keys.AccessKeyID, SecretAccessKey: e.keys.SecretAccessKey, Region: region, Service: "iam",
		Time: time.Now(), BodySHA256: hex.EncodeToString(sum[:]),
	})
	if err != nil {
		e.t.Fatal(err)
	}
	resp := e.Send(e.t, r)
	return resp.Status, string(resp.Body)
}
