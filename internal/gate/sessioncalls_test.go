package gate

import (
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// What sessions of users may not call is refused in AWS's words, whatever the user's policies allow.
func TestSessionsOfUsers(t *testing.T) {
	r := newRig(t)
	r.put(func(tx *store.Tx) error {
		if err := tx.CreateUser(&store.User{Account: account, Name: "bob", Path: "/", ID: "AIDABOB", CreatedAt: tx.Now}); err != nil {
			return err
		}
		return tx.PutInlinePolicy(&store.InlinePolicy{Account: account, Owner: store.OwnerUser, OwnerName: "bob", Name: "p", Document: statement("Allow", "*")})
	})
	user := awsapi.Principal{Type: awsapi.User, Account: account, UserName: "bob", UserID: "AIDABOB", ARN: "arn:aws:iam::123456789012:user/bob"}
	token, mfa, federated := user, user, user
	token.Session = &sessiontoken.Session{Type: sessiontoken.SessionToken, Account: account, UserName: "bob"}
	mfa.Session = &sessiontoken.Session{Type: sessiontoken.SessionToken, Account: account, UserName: "bob", MFA: true}
	federated.Type, federated.ARN = awsapi.FederatedUser, "arn:aws:sts::123456789012:federated-user/eve"
	federated.Session = &sessiontoken.Session{Type: sessiontoken.Federated, Account: account, UserName: "bob", SessionPolicy: statement("Allow", "*")}
	const refused = "AccessDenied"
	for _, c := range []struct {
		who     *awsapi.Principal
		action  string
		code    string // "" is allowed
		message string
	}{
		{&user, "iam:GetUser", "", ""},
		{&mfa, "iam:GetUser", "", ""},
		{&token, "iam:GetUser", "InvalidClientTokenId", "The security token included in the request is invalid: a session of GetSessionToken without MFA calls no IAM operation"},
		{&token, "IAM:getuser", "InvalidClientTokenId", "The security token included in the request is invalid: a session of GetSessionToken without MFA calls no IAM operation"},
		{&federated, "iam:GetUser", "InvalidClientTokenId", "The security token included in the request is invalid: a session of GetFederationToken calls no IAM operation"},
		{&token, "sts:GetCallerIdentity", "", ""},
		{&token, "sts:AssumeRole", "", ""},
		{&token, "sts:GetAccessKeyInfo", refused, "Cannot call GetAccessKeyInfo with session credentials"},
		{&mfa, "sts:GetAccessKeyInfo", refused, "Cannot call GetAccessKeyInfo with session credentials"},
		{&federated, "sts:GetCallerIdentity", "", ""},
		{&federated, "sts:AssumeRole", refused, "Cannot call AssumeRole with session credentials"},
		{&federated, "sts:DecodeAuthorizationMessage", refused, "Cannot call DecodeAuthorizationMessage with session credentials"},
		{&federated, "rolesanywhere:ListProfiles", "", ""},
		{&token, "rolesanywhere:ListProfiles", "", ""},
	} {
		err := r.Authorize(t.Context(), c.who, call(), awsapi.Need{Action: c.action})
		switch {
		case c.code == "" && err != nil:
			t.Errorf("%s of %s: %v", c.action, c.who.ARN, err)
		case c.code == refused:
			sentence, m := r.decoded(err)
			if sentence != c.message || !strings.HasPrefix(m.Explanation, "a session of Get") || m.Context.Principal.ARN != c.who.ARN || m.Context.Action != c.action || m.ExplicitDeny || m.Allowed {
				t.Errorf("%s of %s: %s, %+v", c.action, c.who.ARN, sentence, m)
			}
		case c.code != "" && (code(err) != c.code || err.(*awsapi.Error).Message != c.message):
			t.Errorf("%s of %s: %v", c.action, c.who.ARN, err)
		}
	}
}

// A federated user learns no role names: one that is not there answers like one that is.
func TestNoSuchRoleForFederatedUsers(t *testing.T) {
	r := newRig(t)
	r.role("worker", "AROAFIRST0000000000AA")
	c := call()
	c.Principal = &awsapi.Principal{Type: awsapi.FederatedUser, Account: account, ARN: "arn:aws:sts::123456789012:federated-user/eve",
		Session: &sessiontoken.Session{Type: sessiontoken.Federated, Account: account}}
	entry, err := r.view.Role(t.Context(), account, "worker")
	if err != nil {
		t.Fatal(err)
	}
	there, _ := r.decoded(r.AuthorizeAssume(t.Context(), c, entry, "sts:AssumeRole", nil))
	gone, _ := r.decoded(r.NoSuchRole(c, "arn:aws:iam::123456789012:role/gone", "sts:AssumeRole", nil))
	if there != gone || !strings.HasPrefix(there, "Cannot call AssumeRole") {
		t.Errorf("%q and %q", there, gone)
	}
}

// Operations that make sessions of users take long-term keys only, and say so in AWS's words.
func TestLongTermOnly(t *testing.T) {
	r := newRig(t)
	c := call()
	c.Op = &awsapi.Operation{Service: "sts", Name: "GetSessionToken"}
	c.Principal = &awsapi.Principal{Type: awsapi.Root, Account: account, ARN: "arn:aws:iam::123456789012:root"}
	if err := r.LongTermOnly(c); err != nil {
		t.Errorf("root's key: %v", err)
	}
	c.Principal = &awsapi.Principal{Type: awsapi.AssumedRole, Account: account, ARN: "arn:aws:sts::123456789012:assumed-role/worker/s",
		Session: &sessiontoken.Session{Type: sessiontoken.AssumedRole, Account: account}}
	sentence, m := r.decoded(r.LongTermOnly(c))
	if sentence != "Cannot call GetSessionToken with session credentials" || m.Explanation != "only long-term keys call GetSessionToken" || m.Context.Action != "sts:GetSessionToken" {
		t.Errorf("%s, %+v", sentence, m)
	}
}
