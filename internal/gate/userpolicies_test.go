package gate

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

const (
	look       = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:GetUser","Resource":"*"}]}`
	bobKey     = "AKIABOB0000000000001"
	gonePolicy = "arn:aws:iam::123456789012:policy/gone"
)

var lookNeed = awsapi.Need{Action: "iam:GetUser"}

// bob is a user in the groups a and b; a's inline policy lets him look.
func bob(tx *store.Tx) error {
	return errors.Join(
		tx.CreateUser(&store.User{Account: account, Name: "bob", Path: "/", ID: "AIDABOB", CreatedAt: tx.Now}),
		tx.CreateGroup(&store.Group{Account: account, Name: "A", Path: "/", ID: "AGPAA", CreatedAt: tx.Now}),
		tx.CreateGroup(&store.Group{Account: account, Name: "b", Path: "/", ID: "AGPAB", CreatedAt: tx.Now}),
		tx.AddMember(account, "a", "bob"), tx.AddMember(account, "b", "bob"),
		tx.PutInlinePolicy(&store.InlinePolicy{Account: account, Owner: store.OwnerGroup, OwnerName: "A", Name: "p", Document: look}))
}

func bobPrincipal() *awsapi.Principal {
	return &awsapi.Principal{Type: awsapi.User, Account: account, UserName: "bob", UserID: "AIDABOB", ARN: "arn:aws:iam::123456789012:user/bob", AccessKeyID: bobKey}
}

// Decisions by groups read the view only.
func TestGroupsCostNoSQL(t *testing.T) {
	r := newRig(t)
	r.put(bob)
	if err := r.Authorize(t.Context(), bobPrincipal(), call(), lookNeed); err != nil {
		t.Fatal(err)
	}
	loads := r.view.Stats().Loads
	for range 50 {
		if err := r.Authorize(t.Context(), bobPrincipal(), call(), lookNeed); err != nil {
			t.Fatal(err)
		}
	}
	if got := r.view.Stats().Loads; got != loads {
		t.Errorf("%d loads for 50 decisions", got-loads)
	}
	// The user's own compiled policies are not what the groups' were added to.
	r.put(func(tx *store.Tx) error {
		return tx.PutInlinePolicy(&store.InlinePolicy{Account: account, Owner: store.OwnerUser, OwnerName: "bob", Name: "own", Document: look})
	})
	for range 3 {
		set, err := r.PolicySet(t.Context(), bobPrincipal())
		if err != nil || len(set.Identity) != 2 {
			t.Fatalf("%d policies, %v", len(set.Identity), err)
		}
	}
}

// A policy of a group that cannot be read may be a Deny: the decision fails instead of going on without it.
func TestGroupPoliciesThatCannotBeRead(t *testing.T) {
	for name, breakIt := range map[string]func(*store.Tx) error{
		"attached policy that is gone": func(tx *store.Tx) error {
			return tx.PutAttachment(&store.Attachment{Account: account, Owner: store.OwnerGroup, OwnerName: "b", PolicyARN: gonePolicy})
		},
		"inline policy that does not parse": func(tx *store.Tx) error {
			return tx.PutInlinePolicy(&store.InlinePolicy{Account: account, Owner: store.OwnerGroup, OwnerName: "b", Name: "p", Document: `{"Version":`})
		},
		"group that is gone": func(tx *store.Tx) error { return tx.DeleteGroup(account, "b") },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.put(bob)
			if err := r.Authorize(t.Context(), bobPrincipal(), call(), lookNeed); err != nil {
				t.Fatal(err)
			}
			r.put(breakIt)
			err := r.Authorize(t.Context(), bobPrincipal(), call(), lookNeed)
			if err == nil || code(err) == "AccessDenied" || !strings.Contains(err.Error(), "b") {
				t.Errorf("got %v, want an error that is no decision", err)
			}
		})
	}
}

// What one node changes about groups holds on another within a second, and never as an error on the way.
func TestGroupsOnTwoNodes(t *testing.T) {
	source := "sqlite:" + filepath.Join(t.TempDir(), "rolecall.db")
	open := func() *store.DB {
		db, err := store.Open(t.Context(), store.Config{Source: source})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	writer, reader := open(), open()
	g := New(Config{View: reader.View(), Ring: keyring.Ephemeral(), Sealer: sessiontoken.New(keyring.Ephemeral())})
	change := func(fn func(*store.Tx) error) {
		t.Helper()
		if err := writer.Update(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	within := func(what string, allowed bool) {
		t.Helper()
		for start := time.Now(); ; time.Sleep(time.Millisecond) {
			err := g.Authorize(t.Context(), bobPrincipal(), call(), lookNeed)
			if err != nil && code(err) != "AccessDenied" {
				t.Fatalf("%s: %v", what, err)
			}
			if (err == nil) == allowed {
				return
			}
			if took := time.Since(start); took > time.Second {
				t.Fatalf("%s: not after %v", what, took)
			}
		}
	}
	change(bob)
	within("at first", true)
	change(func(tx *store.Tx) error { return tx.RemoveMember(account, "a", "bob") })
	within("out of the group", false)
	change(func(tx *store.Tx) error { return tx.AddMember(account, "a", "bob") })
	within("back in it", true)
	change(func(tx *store.Tx) error { return tx.DeleteInlinePolicy(account, store.OwnerGroup, "a", "p") })
	within("without the policy", false)
	for i, name := range []string{"c", "A", "d"} { // the reader may know the old name still, or that there is no such group
		change(func(tx *store.Tx) error {
			old := []string{"a", "c", "A"}[i]
			return errors.Join(tx.RenameGroup(old, &store.Group{Account: account, Name: name, Path: "/", ID: "AGPAA", CreatedAt: tx.Now}),
				tx.PutInlinePolicy(&store.InlinePolicy{Account: account, Owner: store.OwnerGroup, OwnerName: name, Name: "p", Document: look}))
		})
		within("renamed to "+name, true)
		change(func(tx *store.Tx) error { return tx.DeleteInlinePolicy(account, store.OwnerGroup, name, "p") })
		within("and without the policy", false)
	}
}
