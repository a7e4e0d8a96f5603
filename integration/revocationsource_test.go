package integration

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	ratypes "github.com/aws/aws-sdk-go-v2/service/rolesanywhere/types"
)

// checkedAnchors are trust anchors of one imported CA, each with its settings.
type checkedAnchors struct {
	t      testing.TB
	n      *node
	c      *clients
	bundle string
	worlds map[string]*world
}

// with is the trust anchor with the settings "CHECK" or "CHECK soft".
func (a *checkedAnchors) with(settings string) *world {
	a.t.Helper()
	if w := a.worlds[settings]; w != nil {
		return w
	}
	ctx := a.t.Context()
	check, soft := strings.CutSuffix(settings, " soft")
	tags := []ratypes.Tag{{Key: aws.String("rolecall:revocation-check"), Value: &check}}
	if soft {
		tags = append(tags, ratypes.Tag{Key: aws.String("rolecall:revocation-failure"), Value: aws.String("soft")})
	} else {
		tags = append(tags, ratypes.Tag{Key: aws.String("rolecall:end-sessions"), Value: aws.String("true")})
	}
	name := strings.ReplaceAll(settings, " ", "-")
	anchor := must(a.c.anywhere.CreateTrustAnchor(ctx, &rolesanywhere.CreateTrustAnchorInput{Name: &name, Enabled: aws.Bool(true), Source: bundle(a.bundle), Tags: tags}))(a.t)
	role := must(a.c.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(trustPolicy(anywherePrincipal, ""))}))(a.t)
	profile := must(a.c.anywhere.CreateProfile(ctx, &rolesanywhere.CreateProfileInput{Name: &name, Enabled: aws.Bool(true), RoleArns: []string{*role.Role.Arn}}))(a.t)
	w := &world{anchorARN: *anchor.TrustAnchor.TrustAnchorArn, profileARN: *profile.Profile.ProfileArn, roleARN: *role.Role.Arn}
	a.worlds[settings] = w
	return w
}

// ask is nil if the session is as wanted: "" for granted, or part of the refusal.
func (a *checkedAnchors) ask(settings string, leaf *workload, want string) error {
	_, err := a.with(settings).createSession(a.t.Context(), a.n.client(), a.n.endpoint, leaf)
	switch {
	case want == "" && err == nil, want != "" && err != nil && strings.Contains(err.Error(), want):
		return nil
	}
	return errors.New(settings + ": want " + want + ", got " + errorText(err))
}

func (a *checkedAnchors) want(what, settings string, leaf *workload, want string) {
	a.t.Helper()
	if err := a.ask(settings, leaf, want); err != nil {
		a.t.Errorf("%s: %v", what, err)
	}
}

func newCheckedAnchors(t testing.TB, ca *opensslCA) *checkedAnchors {
	n := serveMemory(t, "--revocation-fetch-allow", ca.web, "--revocation-fetch-allow", ca.ocsp, "--revocation-refresh", "1s")
	return &checkedAnchors{t: t, n: n, c: n.as(t, n.root), bundle: ca.pem(), worlds: map[string]*world{}}
}

const (
	byList      = "Certificate revoked: the CRL at "
	byResponder = "Certificate revoked: the OCSP responder says"
	notKnown    = "Untrusted signing certificate: whether the certificate with serial number"
)

// An imported CA that OpenSSL runs: lists from a web server, a responder; good, revoked, unknown, silent.
func TestRevocationSourcesOfOpenSSL(t *testing.T) {
	t.Parallel()
	ca := newOpenSSLCA(t)
	ca.publish("ca.crl")
	a := newCheckedAnchors(t, ca)
	all := []string{"crl", "ocsp", "ocsp crl", "crl soft", "ocsp soft"}
	good, bad, stranger := ca.issue("ca.crl", true), ca.issue("ca.crl", true), ca.issue("ca.crl", false)
	ca.respond()
	for _, settings := range all {
		a.want("good", settings, good, "")
		a.want("good for now", settings, bad, "")
	}
	a.want("not in the database", "ocsp", stranger, "it does not know the certificate")
	a.want("not in the database", "ocsp soft", stranger, "")
	a.want("not in the database", "ocsp crl", stranger, "")
	a.want("not in the database", "crl", stranger, "")
	session := toSession(t, a, "ocsp", bad)

	ca.revoke(bad)
	t.Logf("by OCSP refused after %s", within(t, 10*time.Second, func() error { return a.ask("ocsp", bad, byResponder) }))
	within(t, 10*time.Second, func() error { return a.ask("ocsp soft", bad, byResponder) })
	t.Logf("its session refused after %s more", within(t, 10*time.Second, func() error {
		if who, err := session(); err == nil || !strings.Contains(err.Error(), "ExpiredToken") {
			return errors.New("alive as " + who + ": " + errorText(err))
		}
		return nil
	}))
	a.want("before the list is published", "crl", bad, "")
	ca.publish("ca.crl")
	t.Logf("by the list refused after %s", within(t, 10*time.Second, func() error { return a.ask("crl", bad, byList) }))
	within(t, 10*time.Second, func() error { return a.ask("crl soft", bad, byList) })
	for _, settings := range all {
		a.want("another certificate", settings, good, "")
	}

	ca.killResponder()
	late := ca.issue("ca.crl", true)
	a.want("no responder", "ocsp", late, notKnown)
	a.want("no responder", "ocsp soft", late, "")
	a.want("no responder", "ocsp crl", late, "")
	a.want("revoked, no responder", "ocsp soft", bad, byResponder)
	a.want("good in memory, no responder", "ocsp", good, "")
}

// toSession makes a session and returns what its keys are good for.
func toSession(t testing.TB, a *checkedAnchors, settings string, leaf *workload) func() (string, error) {
	t.Helper()
	s := must(a.with(settings).createSession(t.Context(), a.n.client(), a.n.endpoint, leaf))(t)
	c := a.n.as(t, s.credentials())
	return func() (string, error) {
		out, err := c.sts.GetCallerIdentity(t.Context(), nil)
		if err != nil {
			return "", err
		}
		return *out.Arn, nil
	}
}

// Lists that say nothing about the certificate, as OpenSSL writes them, and servers that do not send one.
func TestListsOfOpenSSLThatDoNotCount(t *testing.T) {
	t.Parallel()
	ca := newOpenSSLCA(t)
	other := newOpenSSLCA(t) // of the same name
	a := newCheckedAnchors(t, ca)
	for _, scope := range []string{"plain", "user", "onlyca", "elsewhere", "indirect", "reasons", "delta"} {
		ca.publish(scope+".crl", "-crlexts", scope)
	}
	ca.publish("stale.crl", "-crlsec", "1")
	ca.publish("short.crl", "-crlsec", "4")
	other.publish("other.crl")
	for name, text := range map[string][]byte{
		"other.crl": must(os.ReadFile(filepath.Join(other.dir, "web", "other.crl")))(t), "huge.crl": make([]byte, 33<<20), "page.crl": []byte("<html>Login</html>"),
	} {
		if err := os.WriteFile(filepath.Join(ca.dir, "web", name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	within(t, 5*time.Second, func() error {
		if info := must(os.Stat(filepath.Join(ca.dir, "web", "stale.crl")))(t); time.Since(info.ModTime()) < 2*time.Second {
			return errors.New("not stale yet")
		}
		return nil
	})
	for list, want := range map[string]string{
		"plain.crl": "", "user.crl": "", "onlyca.crl": "it is for other certificates", "elsewhere.crl": "it is for other certificates", "indirect.crl": "it is an indirect list",
		"reasons.crl": "it is for other certificates", "delta.crl": "it is a delta list", "stale.crl": "it is for the time from", "other.crl": "its signature was not made",
		"huge.crl": "larger than", "page.crl": "no DER CertificateList", "absent.crl": "status 404", "moved/ca.crl": "redirects are not followed", "slow/plain.crl": "took too long",
	} {
		leaf := ca.issue(list, true)
		began := time.Now()
		a.want(list, "crl", leaf, want)
		a.want(list, "crl soft", leaf, "")
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s: %s for two sessions", list, took)
		}
	}

	// One that ran out is not used any longer, whatever was found before.
	short := ca.issue("short.crl", true)
	within(t, 10*time.Second, func() error { return a.ask("crl", short, "it is for the time from") })
}
