// Package gate answers two questions about every control-plane request: who is calling, and may they. It verifies
// SigV4 signatures with long-term keys from the store or with sessions from their tokens, gathers the policies that
// apply to the caller, and evaluates them. Whatever it cannot decide it refuses.
//
// It does not parse requests (package awsapi does, and calls the gate) and does not judge certificates: CreateSession
// authenticates by itself. Start with [Gate.Authenticate] and [Gate.Authorize].
package gate

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// SecretLabel is the key ring label under which secret access keys of long-term keys are sealed; the associated data
// is the access key id.
const SecretLabel = "access-key"

// Gate implements awsapi.Gate. It is safe for concurrent use.
type Gate struct {
	view   *store.View
	ring   *keyring.Ring
	sealer *sessiontoken.Sealer

	partition string
}

// Config is what a gate works with. All fields are required but Partition.
type Config struct {
	View   *store.View
	Ring   *keyring.Ring
	Sealer *sessiontoken.Sealer
	// Partition is that of every IAM and STS identity, whatever region a request is signed for: callers choose the
	// region, and must not be able to choose how their ARN reads to a Deny. Default: aws.
	Partition string
}

// New makes a gate over one node's cached view.
func New(cfg Config) *Gate {
	if cfg.Partition == "" {
		cfg.Partition = "aws"
	}
	return &Gate{view: cfg.View, ring: cfg.Ring, sealer: cfg.Sealer, partition: cfg.Partition}
}

// Partition is that of all IAM and STS identities of this server.
func (g *Gate) Partition() string { return g.partition }

var _ awsapi.Gate = (*Gate)(nil)

// errToken is the answer to a key or token that names nobody. It does not say which part is wrong.
func errToken() *awsapi.Error {
	return awsapi.Errorf("InvalidClientTokenId", http.StatusForbidden, "The security token included in the request is invalid.")
}

func errExpiredToken() *awsapi.Error {
	return awsapi.Errorf("ExpiredToken", http.StatusForbidden, "The security token included in the request is expired")
}

// longTerm finds the owner of a long-term key and its secret.
func (g *Gate) longTerm(ctx context.Context, keyID string) (*awsapi.Principal, string, error) {
	entry, err := g.view.AccessKey(ctx, keyID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, "", errToken()
	}
	if err != nil {
		return nil, "", err
	}
	key := &entry.Row
	if !key.Active {
		return nil, "", errToken()
	}
	secret, err := entry.Compiled(func(k *store.AccessKey) (any, error) {
		plain, err := g.ring.Open(SecretLabel, []byte(k.ID), k.Secret)
		return string(plain), err
	})
	if err != nil {
		return nil, "", fmt.Errorf("secret of %s: %w", keyID, err)
	}
	p, err := g.owner(ctx, key.Account, key.UserName)
	if err != nil {
		return nil, "", err
	}
	p.AccessKeyID = keyID
	return p, secret.(string), nil
}

// owner is the principal a long-term key belongs to: the account's root if it names no user.
func (g *Gate) owner(ctx context.Context, account arn.AccountID, userName string) (*awsapi.Principal, error) {
	if userName == "" {
		return &awsapi.Principal{Type: awsapi.Root, Account: account, ARN: arn.Root(g.partition, account).String(), UserID: string(account)}, nil
	}
	user, err := g.view.User(ctx, account, userName)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errToken()
	}
	if err != nil {
		return nil, err
	}
	u := &user.Row.User
	return &awsapi.Principal{
		Type: awsapi.User, Account: account, UserName: u.Name, UserID: u.ID,
		ARN: arn.User(g.partition, account, u.Path, u.Name).String(), Tags: principalTags(u.Tags),
	}, nil
}

func principalTags(tags []store.Tag) []awsapi.Tag {
	if len(tags) == 0 {
		return nil
	}
	out := make([]awsapi.Tag, len(tags))
	for i, t := range tags {
		out[i] = awsapi.Tag(t)
	}
	return out
}

// temporary opens a session token and checks that whom it speaks for still exists.
func (g *Gate) temporary(ctx context.Context, keyID, token string, now time.Time) (*awsapi.Principal, string, error) {
	if token == "" {
		return nil, "", errToken()
	}
	sess, secret, err := g.sealer.Open(now, keyID, token)
	switch {
	case errors.Is(err, sessiontoken.ErrExpired):
		return nil, "", errExpiredToken()
	case err != nil:
		return nil, "", errToken()
	}
	p, err := g.SessionPrincipal(ctx, sess)
	return p, secret, err
}

// SessionPrincipal is who an opened session speaks for now. The role, or the user, must still be the one the session
// was made for: a role deleted and created again under the same name is another role.
func (g *Gate) SessionPrincipal(ctx context.Context, sess *sessiontoken.Session) (*awsapi.Principal, error) {
	if sess.Type != sessiontoken.AssumedRole {
		p, err := g.owner(ctx, sess.Account, sess.UserName)
		if err != nil {
			return nil, err
		}
		if p.Type == awsapi.User && p.UserID != sess.UserID {
			return nil, errToken()
		}
		if sess.Type == sessiontoken.Federated {
			return federatedUser(sess, p), nil
		}
		p.Session, p.AccessKeyID = sess, sess.AccessKeyID
		return p, nil
	}
	if err := g.stillLives(ctx, sess); err != nil {
		return nil, err
	}
	role, err := g.view.Role(ctx, sess.Account, sess.RoleName)
	if errors.Is(err, store.ErrNotFound) || err == nil && role.Row.Role.ID != sess.RoleID {
		return nil, errToken()
	}
	if err != nil {
		return nil, err
	}
	memo := memoOf(sess)
	if b := memo.bound.Load(); b != nil && b.role == role {
		return b.principal, nil
	}
	p := assumedRole(sess, &role.Row.Role)
	memo.bound.Store(&boundPrincipal{role: role, principal: p})
	return p, nil
}

// assumedRole is shared by all requests of a session: nobody changes it.
func assumedRole(sess *sessiontoken.Session, role *store.Role) *awsapi.Principal {
	return &awsapi.Principal{
		Type: awsapi.AssumedRole, Account: sess.Account,
		ARN:     arn.AssumedRole(sess.Partition, sess.Account, role.Name, sess.SessionName).String(),
		RoleARN: arn.Role(sess.Partition, sess.Account, role.Path, role.Name).String(),
		UserID:  role.ID + ":" + sess.SessionName, AccessKeyID: sess.AccessKeyID, Session: sess,
		Tags: sessionTags(role.Tags, sess.Tags),
	}
}

// federatedUser is a session of GetFederationToken; owner, the user or root that asked for it, stands behind it.
func federatedUser(sess *sessiontoken.Session, owner *awsapi.Principal) *awsapi.Principal {
	own := make([]store.Tag, len(owner.Tags))
	for i, t := range owner.Tags {
		own[i] = store.Tag(t)
	}
	return &awsapi.Principal{
		Type: awsapi.FederatedUser, Account: sess.Account,
		ARN:    arn.FederatedUser(sess.Partition, sess.Account, sess.SessionName).String(),
		UserID: string(sess.Account) + ":" + sess.SessionName, UserName: owner.UserName,
		AccessKeyID: sess.AccessKeyID, Session: sess, Tags: sessionTags(own, sess.Tags),
	}
}

// sessionTags are the role's own tags, each overridden by a session tag of the same key (compared without case).
func sessionTags(role []store.Tag, session []sessiontoken.Tag) []awsapi.Tag {
	out := make([]awsapi.Tag, 0, len(role)+len(session))
	for _, t := range session {
		out = append(out, awsapi.Tag(t))
	}
	for _, t := range role {
		if !hasTag(out[:len(session)], t.Key) {
			out = append(out, awsapi.Tag(t))
		}
	}
	return out
}
