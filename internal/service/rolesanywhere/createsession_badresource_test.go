package rolesanywhere_test

import (
	"crypto/x509"
	"net/http"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

// with sends the request with one parameter replaced.
func with(name string, value func(*world) string) func(*testing.T, *world, *entity) *testserver.Response {
	return func(t *testing.T, w *world, who *entity) *testserver.Response {
		c := w.call(who)
		c.query = w.arns()
		c.query.Set(name, value(w))
		return w.send(t, c)
	}
}

func replaced(in func(*world) string, old, new string) func(*world) string {
	return func(w *world) string { return strings.Replace(in(w), old, new, 1) }
}

func resourceRefusals() []refusal {
	const (
		noAnchor  = "Specified Trust Anchor wasn't found."
		noProfile = "Invalid or empty profile provided."
		notListed = "Requested Role isn't one of those listed in the Profile."
		unable    = "Unable to assume role for ROLE."
	)
	newID := arn.NewUUID()
	trust := func(edit func(string) string) func(*world) {
		return func(w *world) { w.role.TrustPolicy = edit(w.role.TrustPolicy) }
	}
	without := func(old, new string) func(*world) {
		return trust(func(s string) string { return strings.Replace(s, old, new, 1) })
	}
	return []refusal{
		{name: "unknown trust anchor", known: noAnchor, send: with("trustAnchorArn", func(w *world) string {
			return strings.Replace(w.anchorARN(), w.anchor.ID, newID, 1)
		})},
		{name: "trust anchor of another account", known: noAnchor, noEvent: true, // it is in the other account
			send: with("trustAnchorArn", replaced((*world).anchorARN, string(account), string(otherAccount)))},
		{name: "trust anchor of no account", known: noAnchor, noEvent: true, send: with("trustAnchorArn", replaced((*world).anchorARN, string(account), "999999999999"))},
		{name: "trust anchor of another region", noEvent: true, // it is in us-east-1
			known: "Invalid signature", reason: "the trust anchor is in us-east-1", send: with("trustAnchorArn", replaced((*world).anchorARN, testserver.Region, "us-east-1"))},
		{name: "trust anchor of another region, signed for it", known: noAnchor, send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			c := w.call(who)
			c.region = "us-east-1"
			c.query.Set("trustAnchorArn", strings.Replace(w.anchorARN(), testserver.Region, "us-east-1", 1))
			return w.send(t, c)
		}, noEvent: true /* it is there, too */},
		{name: "trust anchor of another partition", known: noAnchor, send: with("trustAnchorArn", replaced((*world).anchorARN, "arn:aws:", "arn:aws-cn:"))},
		{name: "disabled trust anchor", known: "Specified Trust Anchor is disabled.", change: func(w *world) { w.anchor.Enabled = false }, send: plainly},
		{name: "trust anchor disabled after use", known: "Specified Trust Anchor is disabled.", send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			granted(t, w.send(t, w.call(who)))
			w.anchor.Enabled = false
			w.update(t, func(tx *store.Tx) error { return tx.PutTrustAnchor(&w.anchor) })
			return w.send(t, w.call(who))
		}},
		{name: "trust anchor deleted after use", known: noAnchor, send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			granted(t, w.send(t, w.call(who)))
			w.update(t, func(tx *store.Tx) error { return tx.DeleteTrustAnchor(account, testserver.Region, w.anchor.ID) })
			return w.send(t, w.call(who))
		}},
		{name: "trust anchor with another CA after use", known: "Untrusted signing certificate", reason: " ", send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			granted(t, w.send(t, w.call(who)))
			w.anchor.SourceData = newCA(t, "Root", nil, nil).pem()
			w.update(t, func(tx *store.Tx) error { return tx.PutTrustAnchor(&w.anchor) })
			return w.send(t, w.call(who))
		}},
		{name: "unknown profile", known: noProfile, send: with("profileArn", func(w *world) string { return strings.Replace(w.profileARN(), w.profile.ID, newID, 1) })},
		{name: "profile of another account", known: noProfile, reason: "account and region", send: with("profileArn", replaced((*world).profileARN, string(account), string(otherAccount)))},
		{name: "profile of another region", known: noProfile, reason: "account and region", send: with("profileArn", replaced((*world).profileARN, testserver.Region, "us-east-1"))},
		{name: "disabled profile", known: noProfile, reason: "disabled", change: func(w *world) { w.profile.Enabled = false }, send: plainly},
		{name: "profile disabled after use", known: noProfile, reason: "disabled", send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			granted(t, w.send(t, w.call(who)))
			w.profile.Enabled = false
			w.update(t, func(tx *store.Tx) error { return tx.PutProfile(&w.profile) })
			return w.send(t, w.call(who))
		}},
		{name: "role not in the profile", known: notListed, change: func(w *world) { w.profile.RoleARNs = []string{w.roleARN() + "x"} }, send: plainly},
		{name: "empty profile", known: notListed, change: func(w *world) { w.profile.RoleARNs = nil }, send: plainly},
		{name: "role of another account", known: unable, reason: "another account", change: func(w *world) {
			w.role.Account = otherAccount
			w.profile.RoleARNs = []string{w.roleARN()}
		}, send: plainly},
		{name: "role with another path", known: "Unable to assume role for ", like: ":role/path/", change: func(w *world) {
			w.profile.RoleARNs = []string{strings.Replace(w.roleARN(), ":role/", ":role/path/", 1)}
		}, send: with("roleArn", replaced((*world).roleARN, ":role/", ":role/path/"))},
		{name: "role in another case", known: "Unable to assume role for ", like: "WORKER", change: func(w *world) {
			w.profile.RoleARNs = []string{strings.Replace(w.roleARN(), "Worker", "WORKER", 1)}
		}, send: with("roleArn", replaced((*world).roleARN, "Worker", "WORKER"))},
		{name: "deleted role", known: unable, send: func(t *testing.T, w *world, who *entity) *testserver.Response {
			granted(t, w.send(t, w.call(who)))
			w.update(t, func(tx *store.Tx) error { return tx.DeleteRole(account, w.role.Name) })
			return w.send(t, w.call(who))
		}},
		{name: "trust policy pins another anchor", known: unable, reason: "does not allow sts:AssumeRole", change: func(w *world) {
			w.role.TrustPolicy = trustPolicy(strings.Replace(w.anchorARN(), w.anchor.ID, newID, 1), "Root")
		}, send: plainly},
		{name: "trust policy pins another issuer", known: unable, reason: "does not allow sts:AssumeRole", change: func(w *world) {
			w.role.TrustPolicy = trustPolicy(w.anchorARN(), "Another Root")
		}, send: plainly},
		{name: "trust policy without sts:TagSession", known: unable, reason: "does not allow sts:TagSession", change: without(`"sts:TagSession",`, ""), send: plainly},
		{name: "trust policy without sts:SetSourceIdentity", known: unable, reason: "does not allow sts:SetSourceIdentity", change: without(`,"sts:SetSourceIdentity"`, ""), send: plainly},
		{name: "trust policy without sts:AssumeRole", known: unable, reason: "does not allow sts:AssumeRole", change: without(`"sts:AssumeRole",`, ""), send: plainly},
		{name: "trust policy for another service", known: unable, reason: "does not allow sts:AssumeRole", change: without("rolesanywhere.amazonaws.com", "ec2.amazonaws.com"), send: plainly},
		{name: "trust policy denies", known: unable, reason: "does not allow sts:AssumeRole", change: without(`"Statement":[`,
			`"Statement":[{"Effect":"Deny","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":"sts:AssumeRole"},`), send: plainly},
		{name: "attribute that does not map", known: unable, like: " Some attributes failed to be mapped into session tags. Issuer: [  ]; Subject: [ OU ]; SAN: [  ]: ", change: func(w *world) {
			w.role.TrustPolicy = strings.Replace(w.role.TrustPolicy, "x509Issuer/CN", "x509Subject/OU", 1)
		}, send: issued(p256, func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"with (parentheses)"} })},
		{name: "duration above the role's maximum", known: unable + " The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", reason: "7200 against 3600",
			change: func(w *world) { w.profile.Duration = 7200 }, send: asked(`{"durationSeconds":7200}`)},
		{name: "profile's duration above the role's maximum", known: unable + " The requested DurationSeconds exceeds the MaxSessionDuration set for this role.", reason: "7200 against 3600",
			change: func(w *world) { w.profile.Duration = 7200 }, send: asked(``)},
		{name: "managed session policy is missing", known: unable, reason: "does not exist", change: func(w *world) {
			w.profile.ManagedPolicyARNs = []string{"arn:aws:iam::123456789012:policy/None"}
		}, send: plainly},
		{name: "session name not allowed", known: "Not authorized to set roleSessionName", send: asked(`{"roleSessionName":"me"}`)},
	}
}

func parameterRefusals() []refusal {
	const serialization = "the body is not a JSON object of the expected form"
	malformed := func(name, body string) refusal {
		return refusal{name: name, status: 400, code: "SerializationException", known: serialization, send: asked(body)}
	}
	invalid := func(name, problem string, send func(*testing.T, *world, *entity) *testserver.Response) refusal {
		return refusal{name: name, status: 400, code: "ValidationException", known: "1 validation error detected", reason: problem, send: send}
	}
	drop := func(name string) func(*testing.T, *world, *entity) *testserver.Response {
		return edited(func(c *call) { c.query.Del(name) })
	}
	list := []refusal{
		malformed("truncated JSON", `{"durationSeconds":36`), malformed("JSON that ends early", `{"durationSeconds":3600`),
		malformed("not JSON", `durationSeconds=3600`), malformed("an array", `[]`), malformed("null", `null`),
		malformed("two objects", `{}{}`), malformed("a member twice", `{"durationSeconds":900,"durationSeconds":3600}`),
		malformed("number for a string", `{"roleSessionName":7}`), malformed("not UTF-8", "{\"roleSessionName\":\"\xff\"}"),
		malformed("deep", `{"a":`+strings.Repeat("[", 20000)),
		invalid("no trust anchor", "Value at 'trustAnchorArn' failed to satisfy constraint: Member must not be null", drop("trustAnchorArn")),
		invalid("no profile", "'profileArn'", drop("profileArn")), invalid("no role", "'roleArn'", drop("roleArn")),
		invalid("no ARN", "Member must be the ARN of a role", with("roleArn", func(*world) string { return "role/x" })),
		invalid("user for a role", "Member must be the ARN of a role", with("roleArn", func(*world) string { return "arn:aws:iam::123456789012:user/x" })),
		invalid("two roles in the query", "Member must be given once", edited(func(c *call) { c.query.Add("roleArn", "arn:aws:iam::123456789012:role/x") })),
		invalid("role differs between query and body", "'roleArn' failed to satisfy constraint: Member must be given once", asked(`{"roleArn":"arn:aws:iam::123456789012:role/x"}`)),
		invalid("duration too short", "Value '899' at 'durationSeconds' failed to satisfy constraint: Member must have value greater than or equal to 900", asked(`{"durationSeconds":899}`)),
		invalid("duration too long", "Value '43201' at 'durationSeconds' failed to satisfy constraint: Member must have value less than or equal to 43200", asked(`{"durationSeconds":43201}`)),
		invalid("fraction", "Member must be an integer", asked(`{"durationSeconds":900.5}`)),
		invalid("session name with spaces", "'roleSessionName'", asked(`{"roleSessionName":"a b"}`)),
		{name: "several at once", status: 400, code: "ValidationException", known: "3 validation errors detected", reason: "'profileArn'",
			send: edited(func(c *call) { c.query.Del("profileArn"); c.body = `{"durationSeconds":1,"roleSessionName":"a b"}` })},
		{name: "malformed query", status: 400, code: "ValidationException", known: "the query string is malformed", reason: " ", noEvent: true,
			send: tampered(func(r *http.Request) { r.URL.RawQuery += "&%zz" })},
	}
	for i := range list {
		if list[i].name == "no trust anchor" {
			list[i].noEvent = true // nothing says whose it is
		}
	}
	return list
}
