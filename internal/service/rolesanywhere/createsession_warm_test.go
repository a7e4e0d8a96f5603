package rolesanywhere_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/store"
	"github.com/rolecall/rolecall/internal/testserver"
)

// Whatever is remembered of a certificate and its request, a change of the rows counts for the next session.
func TestWarmSessionsSeeChanges(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	w := newWorld(t, srv, ca)
	who := ca.issue(t, nil)
	send := func() *testserver.Response { return w.send(t, w.call(who)) }
	putRole := func(tx *store.Tx) error { return tx.PutRole(&w.role) }
	putProfile := func(tx *store.Tx) error { return tx.PutProfile(&w.profile) }
	refused := func(when string) {
		t.Helper()
		if resp := send(); resp.Status != http.StatusForbidden {
			t.Errorf("%s: got %d %s", when, resp.Status, resp.Body)
		}
	}
	warm := granted(t, send())
	if again := granted(t, send()); again.arn != warm.arn || again.subject != warm.subject || again.keys.AccessKeyID == warm.keys.AccessKeyID {
		t.Errorf("got %+v after %+v", again, warm)
	}

	policy := w.role.TrustPolicy
	w.role.TrustPolicy = trustPolicy(w.anchorARN(), "another CA")
	w.update(t, putRole)
	refused("the trust policy wants another issuer")
	w.role.TrustPolicy = policy
	w.update(t, putRole)
	granted(t, send())

	mappings := w.profile.Mappings
	w.profile.Mappings = nil
	w.update(t, putProfile)
	refused("no attribute is mapped")
	w.profile.Mappings, w.profile.Duration = mappings, 900
	w.profile.SessionPolicy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
	w.update(t, putProfile)
	short := granted(t, send())
	if left := time.Until(short.expires); left > 900*time.Second {
		t.Errorf("the session lives %s", left)
	}
	if short.packed <= warm.packed {
		t.Errorf("packed size %d with a session policy, %d without", short.packed, warm.packed)
	}

	w.anchor.Enabled = false
	w.update(t, func(tx *store.Tx) error { return tx.PutTrustAnchor(&w.anchor) })
	refused("the trust anchor is disabled")
}

// Requests of one certificate that differ get each what they ask for, and what describes the moment is each one's own.
func TestWarmSessionsAreEachTheirOwn(t *testing.T) {
	srv := testserver.Start(t)
	ca := newCA(t, "Root", nil, nil)
	w := newWorld(t, srv, ca, func(w *world) {
		w.profile.AcceptRoleSessionName = true
		w.role.TrustPolicy = strings.Replace(w.role.TrustPolicy, `"StringEquals":{`, `"StringLike":{"aws:UserAgent":"good*"},"NumericLessThan":{"sts:DurationSeconds":"1200"},"StringEquals":{`, 1)
	})
	who := ca.issue(t, nil)
	send := func(agent, name string, seconds int) *testserver.Response {
		c := w.call(who)
		c.body = fmt.Sprintf(`{"roleSessionName":%q,"durationSeconds":%d}`, name, seconds)
		c.header.Set("User-Agent", agent)
		return w.send(t, c)
	}
	for round := range 3 {
		for _, name := range []string{"first", "second"} {
			agent, seconds := "good-"+name, 900+60*round
			resp := send(agent, name, seconds)
			got := granted(t, resp)
			if !strings.HasSuffix(got.arn, "/"+name) || !strings.HasSuffix(got.roleID, ":"+name) {
				t.Errorf("round %d: got %s and %s for %s", round, got.arn, got.roleID, name)
			}
			id := resp.Header.Get("X-Amzn-Requestid")
			event := waitFor(t, srv, id)[id]
			set := event["responseElements"].(map[string]any)["credentialSet"].([]any)[0].(map[string]any)
			keys, user := set["credentials"].(map[string]any), set["assumedRoleUser"].(map[string]any)
			if left := time.Until(got.expires); left > time.Duration(seconds)*time.Second || left < time.Duration(seconds-60)*time.Second {
				t.Errorf("round %d: the session lives %s", round, left)
			}
			if asked := event["requestParameters"].(map[string]any); asked["durationSeconds"] != float64(seconds) || asked["roleSessionName"] != name {
				t.Errorf("round %d: asked for %v", round, asked)
			}
			if event["userAgent"] != agent || keys["accessKeyId"] != got.keys.AccessKeyID || user["arn"] != got.arn {
				t.Errorf("round %d: recorded %v", round, event)
			}
		}
		if resp := send("bad", "first", 900); resp.Status != http.StatusForbidden {
			t.Errorf("round %d: another user agent got %d %s", round, resp.Status, resp.Body)
		}
		if resp := send("good", "first", 1200); resp.Status != http.StatusForbidden {
			t.Errorf("round %d: too long a session got %d %s", round, resp.Status, resp.Body)
		}
	}
}
