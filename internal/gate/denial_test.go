package gate

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

func statement(effect, action string) string {
	return `{"Version":"2012-10-17","Statement":[{"Sid":"S","Effect":"` + effect + `","Action":"` + action + `","Resource":"*"}]}`
}

// policy stores a managed policy and returns its ARN.
func (r *rig) policy(name, document string) string {
	arn := "arn:aws:iam::123456789012:policy/" + name
	r.put(func(tx *store.Tx) error {
		err := tx.PutPolicy(&store.ManagedPolicy{Account: account, ARN: arn, Name: name, Path: "/", ID: "ANPA" + name, DefaultVersion: "v1", NextVersion: 2, CreatedAt: tx.Now, UpdatedAt: tx.Now})
		if err != nil {
			return err
		}
		return tx.CreatePolicyVersion(&store.PolicyVersion{Account: account, ARN: arn, Version: "v1", Document: document, CreatedAt: tx.Now})
	})
	return arn
}

func (r *rig) bound(boundary string) {
	r.put(func(tx *store.Tx) error {
		role, err := tx.GetRole(account, "worker")
		if err == nil {
			role.Boundary = boundary
			err = tx.PutRole(role)
		}
		return err
	})
}

// decoded is the message of an AccessDenied without its encoded part, and that part opened.
func (r *rig) decoded(err error) (sentence string, m denial) {
	r.t.Helper()
	if code(err) != "AccessDenied" {
		r.t.Fatalf("not denied: %v", err)
	}
	var e *awsapi.Error
	e, _ = err.(*awsapi.Error)
	sentence, encoded, ok := strings.Cut(e.Message, ". Encoded authorization failure message: ")
	if !ok {
		r.t.Fatalf("no encoded message: %s", e.Message)
	}
	text, err := r.DecodeDenial(account, encoded)
	if err != nil {
		r.t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		r.t.Fatal(err)
	}
	return sentence, m
}

// Every kind of policy that can decide is named in AWS's sentence, and the encoded message says the same and more.
func TestDenialsNameTheKindOfPolicy(t *testing.T) {
	everything := statement("Allow", "*")
	const head = "User: arn:aws:sts::123456789012:assumed-role/worker/s1 is not authorized to perform: a:Go on resource: *"
	for _, c := range []struct {
		name, want, source string
		change             func(*rig, *sessiontoken.Session)
	}{
		{"identity, implicit", " because no identity-based policy allows the a:Go action", "", func(r *rig, _ *sessiontoken.Session) { r.allow("worker", statement("Allow", "a:Come")) }},
		{"identity, explicit", " with an explicit deny in an identity-based policy", "p", func(r *rig, _ *sessiontoken.Session) { r.allow("worker", statement("Deny", "a:*")) }},
		{"attached, explicit", " with an explicit deny in an identity-based policy", "arn:aws:iam::123456789012:policy/no", func(r *rig, _ *sessiontoken.Session) {
			no := r.policy("no", statement("Deny", "a:Go"))
			r.put(func(tx *store.Tx) error {
				return tx.PutAttachment(&store.Attachment{Account: account, Owner: store.OwnerRole, OwnerName: "worker", PolicyARN: no})
			})
		}},
		{"AWS's, explicit", " with an explicit deny in an identity-based policy", "arn:aws:iam::aws:policy/AWSDenyAll", func(r *rig, _ *sessiontoken.Session) {
			r.put(func(tx *store.Tx) error {
				return tx.PutAttachment(&store.Attachment{Account: account, Owner: store.OwnerRole, OwnerName: "worker", PolicyARN: "arn:aws:iam::aws:policy/AWSDenyAll"})
			})
		}},
		{"boundary, implicit", " because no permissions boundary allows the a:Go action", "", func(r *rig, _ *sessiontoken.Session) { r.bound(r.policy("b", statement("Allow", "a:Come"))) }},
		{"boundary, explicit", " with an explicit deny in a permissions boundary", "arn:aws:iam::123456789012:policy/b", func(r *rig, _ *sessiontoken.Session) { r.bound(r.policy("b", statement("Deny", "a:Go"))) }},
		{"boundary of AWS's", " because no permissions boundary allows the a:Go action", "", func(r *rig, _ *sessiontoken.Session) { r.bound("arn:aws:iam::aws:policy/AmazonS3FullAccess") }},
		{"session, implicit", " because no session policy allows the a:Go action", "", func(_ *rig, s *sessiontoken.Session) { s.SessionPolicy = statement("Allow", "a:Come") }},
		{"session, explicit", " with an explicit deny in a session policy", "session policy", func(_ *rig, s *sessiontoken.Session) { s.SessionPolicy = statement("Deny", "a:Go") }},
		{"managed session policy, explicit", " with an explicit deny in a session policy", "arn:aws:iam::123456789012:policy/no", func(r *rig, s *sessiontoken.Session) {
			s.PolicyARNs = []string{r.policy("no", statement("Deny", "a:Go"))}
		}},
		{"session policy of AWS's", " because no session policy allows the a:Go action", "", func(_ *rig, s *sessiontoken.Session) {
			s.PolicyARNs = []string{"arn:aws:iam::aws:policy/AmazonS3FullAccess"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.role("worker", "AROAFIRST0000000000AA")
			r.allow("worker", everything)
			p := r.authenticate(r.session("worker", "AROAFIRST0000000000AA", func(s *sessiontoken.Session) { c.change(r, s) }))
			sentence, m := r.decoded(r.Authorize(t.Context(), p, call(), awsapi.Need{Action: "a:Go"}))
			r.checkDenial(sentence, head+c.want, m, c.source)
		})
	}
}

func (r *rig) checkDenial(sentence, want string, m denial, source string) {
	r.t.Helper()
	if sentence != want {
		r.t.Errorf("\n got %s\nwant %s", sentence, want)
	}
	explicit := strings.Contains(want, "explicit deny")
	if m.Allowed || m.ExplicitDeny != explicit || len(m.MatchedStatements.Items) != map[bool]int{true: 1}[explicit] {
		r.t.Errorf("encoded: %+v", m)
	}
	if explicit && (m.MatchedStatements.Items[0].Policy != source || m.MatchedStatements.Items[0].StatementID != "S" && !strings.HasPrefix(source, "arn:aws:iam::aws:")) {
		r.t.Errorf("encoded statement: %+v, want one of %s", m.MatchedStatements.Items[0], source)
	}
	if !strings.Contains(want, m.Context.Action) || m.Context.Action == "" || len(m.Context.Conditions.Items) == 0 {
		r.t.Errorf("encoded context: %+v", m.Context)
	}
}

// Assuming a role names the trust policy too. A role that is not there answers like one that refuses.
func TestDenialsOfAssumeRole(t *testing.T) {
	const role = "arn:aws:iam::123456789012:role/worker"
	trustOf := func(effect, principal string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"123456789012"},"Action":"sts:TagSession"},{"Sid":"S","Effect":"` + effect + `","Principal":{"AWS":"` + principal + `"},"Action":"sts:AssumeRole"}]}`
	}
	const head = "User: arn:aws:iam::123456789012:user/bob is not authorized to perform: sts:AssumeRole on resource: " + role
	r := newRig(t)
	r.put(func(tx *store.Tx) error {
		return tx.CreateUser(&store.User{Account: account, Name: "bob", Path: "/", ID: "AIDABOB", CreatedAt: tx.Now})
	})
	c := call()
	c.Principal = &awsapi.Principal{Type: awsapi.User, Account: account, UserName: "bob", UserID: "AIDABOB", ARN: "arn:aws:iam::123456789012:user/bob"}
	assume := func(trust string) error {
		r.put(func(tx *store.Tx) error {
			return tx.PutRole(&store.Role{Account: account, Name: "worker", Path: "/", ID: "AROAFIRST0000000000AA", TrustPolicy: trust, MaxSession: 3600, CreatedAt: tx.Now})
		})
		entry, err := r.view.Role(t.Context(), account, "worker")
		if err != nil {
			t.Fatal(err)
		}
		return r.AuthorizeAssume(t.Context(), c, entry, "sts:AssumeRole", func(*iampolicy.Context) {})
	}
	for _, x := range []struct{ trust, want string }{
		{trustOf("Allow", "arn:aws:iam::123456789012:user/eve"), " because no role trust policy allows the sts:AssumeRole action"},
		{trustOf("Deny", "*"), " with an explicit deny in the role trust policy"},
		{trustOf("Allow", "123456789012"), " because no identity-based policy allows the sts:AssumeRole action"},
	} {
		sentence, m := r.decoded(assume(x.trust))
		r.checkDenial(sentence, head+x.want, m, "trust policy of role worker")
	}
	sentence, m := r.decoded(r.NoSuchRole(c, role, "sts:AssumeRole", nil))
	r.checkDenial(sentence, head+" because no role trust policy allows the sts:AssumeRole action", m, "")
	if err := assume(trustOf("Allow", "arn:aws:iam::123456789012:user/bob")); err != nil {
		t.Errorf("a user that the trust policy names: %v", err)
	}
	root := &awsapi.Principal{Type: awsapi.Root, Account: account, ARN: "arn:aws:iam::123456789012:root"}
	sentence, m = r.decoded(r.Authorize(t.Context(), root, call(), awsapi.Need{Action: "a:Go", Resource: "arn:aws:iam::210987654321:role/x"}))
	r.checkDenial(sentence, "User: arn:aws:iam::123456789012:root is not authorized to perform: a:Go on resource: arn:aws:iam::210987654321:role/x because no resource-based policy allows the a:Go action", m, "")
}
