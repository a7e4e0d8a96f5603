package store

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// View answers reads of hot rows from memory. What it returns was committed; a change made through this node is visible as
// soon as its Update has returned, one made through another node within [Config.Poll] plus a query. It does not check
// [DB.Fresh]: a caller that must not act on old data does. Rows are shared: they must not be modified.
//
// Every method fails with [ErrNotFound] for a missing row, which it remembers too, in a bounded space of its own.
type View struct {
	db    *DB
	cache *cache
	loads atomic.Int64
	trust atomic.Uint64 // see TrustState
	// depths of issuers' revocations.
	depths  depths
	loaders workers
}

func newView(db *DB, entries int) *View {
	return &View{db: db, cache: newCache(entries), loaders: workers{make(chan func())}}
}

// Cached is a row of the view, with room for one compiled form of it.
type Cached[T any] struct {
	Row T

	mu       sync.Mutex // taken to compile
	compiled atomic.Pointer[compiled]
}

type compiled struct {
	form any
	err  error
}

// Compiled returns compile's result for the row, computed at most once as long as the row is cached, errors included.
// All callers for one kind of row must mean the same form.
func (c *Cached[T]) Compiled(compile func(*T) (any, error)) (any, error) {
	if p := c.compiled.Load(); p != nil {
		return p.form, p.err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if p := c.compiled.Load(); p != nil {
		return p.form, p.err
	}
	form, err := compile(&c.Row)
	c.compiled.Store(&compiled{form, err})
	return form, err
}

// RoleBundle is a role with everything that decides what it may do.
type RoleBundle struct {
	Role     Role
	Inline   []InlinePolicy
	Attached []string // policy ARNs
}

// UserBundle is a user with everything that decides what it may do.
type UserBundle struct {
	User     User
	Inline   []InlinePolicy
	Attached []string // policy ARNs
	Groups   []string // folded names of the groups that the user is in
}

// GroupBundle is a group with what its members may do.
type GroupBundle struct {
	Group    Group
	Inline   []InlinePolicy
	Attached []string // policy ARNs
}

// PolicyBundle is a managed policy with the document of its default version.
type PolicyBundle struct {
	Policy   ManagedPolicy
	Document string
}

// Account returns an account.
func (v *View) Account(ctx context.Context, id arn.AccountID) (*Cached[Account], error) {
	return lookup(v, ctx, change{kindAccount, id, "", ""}, func(tx *Tx, k change) (*Account, error) { return tx.GetAccount(k.account) })
}

// AccessKey returns a long-term access key.
func (v *View) AccessKey(ctx context.Context, id string) (*Cached[AccessKey], error) {
	return lookup(v, ctx, change{kindAccessKey, "", "", id}, func(tx *Tx, k change) (*AccessKey, error) { return tx.GetAccessKey(k.id) })
}

// TrustAnchor returns a trust anchor.
func (v *View) TrustAnchor(ctx context.Context, account arn.AccountID, region arn.Region, id string) (*Cached[TrustAnchor], error) {
	return lookup(v, ctx, change{kindTrustAnchor, account, region, id}, func(tx *Tx, k change) (*TrustAnchor, error) {
		return tx.GetTrustAnchor(k.account, k.region, k.id)
	})
}

// Profile returns a profile.
func (v *View) Profile(ctx context.Context, account arn.AccountID, region arn.Region, id string) (*Cached[Profile], error) {
	return lookup(v, ctx, change{kindProfile, account, region, id}, func(tx *Tx, k change) (*Profile, error) {
		return tx.GetProfile(k.account, k.region, k.id)
	})
}

// AnchorCRLs returns all CRLs of a trust anchor, disabled ones included; none is an empty list, not [ErrNotFound].
func (v *View) AnchorCRLs(ctx context.Context, account arn.AccountID, region arn.Region, anchorID string) (*Cached[[]CRL], error) {
	return lookup(v, ctx, change{kindAnchorCRLs, account, region, anchorID}, func(tx *Tx, k change) (*[]CRL, error) {
		crls, err := tx.ListAnchorCRLs(k.account, k.region, k.id)
		return &crls, err
	})
}

// Authority returns a private CA.
func (v *View) Authority(ctx context.Context, account arn.AccountID, region arn.Region, id string) (*Cached[CertificateAuthority], error) {
	return lookup(v, ctx, change{kindAuthority, account, region, id}, func(tx *Tx, k change) (*CertificateAuthority, error) {
		return tx.GetAuthority(k.account, k.region, k.id)
	})
}

// PublicAuthority returns the private CA with the id, whichever account and region it is in: who asks for its certificate
// or for OCSP knows nothing else. Ids are random.
func (v *View) PublicAuthority(ctx context.Context, id string) (*Cached[CertificateAuthority], error) {
	return lookup(v, ctx, change{kindAuthorityID, "", "", id}, func(tx *Tx, k change) (*CertificateAuthority, error) {
		return one(tx, scanAuthority, `SELECT `+authorityColumns+` FROM certificate_authorities WHERE id = $1 LIMIT 1`, k.id)
	})
}

// Role returns a role by name, in any case.
func (v *View) Role(ctx context.Context, account arn.AccountID, name string) (*Cached[RoleBundle], error) {
	return lookupName(v, ctx, kindRole, account, name, loadRole)
}

// User returns a user by name, in any case.
func (v *View) User(ctx context.Context, account arn.AccountID, name string) (*Cached[UserBundle], error) {
	return lookupName(v, ctx, kindUser, account, name, loadUser)
}

// Group returns a group by name, in any case.
func (v *View) Group(ctx context.Context, account arn.AccountID, name string) (*Cached[GroupBundle], error) {
	return lookupName(v, ctx, kindGroup, account, name, loadGroup)
}

// ForgetUser makes the next call for the user, and for each of these groups, read the store. Two entries of the view may
// be of different moments: a caller that finds them to contradict each other looks again.
func (v *View) ForgetUser(account arn.AccountID, user string, groups []string) {
	v.cache.drop(change{kindUser, account, "", nameKey(user)})
	for _, g := range groups {
		v.cache.drop(change{kindGroup, account, "", nameKey(g)})
	}
}

// Policy returns a managed policy, of the account or of AWS. One without its default version is [ErrNotFound].
func (v *View) Policy(ctx context.Context, account arn.AccountID, policyARN string) (*Cached[PolicyBundle], error) {
	return lookup(v, ctx, change{kindPolicy, policyAccount(account, policyARN), "", policyARN}, loadPolicy)
}

// ViewStats is what the view holds and has done since Open.
type ViewStats struct {
	Rows, Absent int   // entries now
	Loads        int64 // misses that went to the store
}

// Stats counts the view's entries. It walks over all shards: for metrics, not for requests.
func (v *View) Stats() ViewStats {
	rows, absent := v.cache.size()
	return ViewStats{rows, absent, v.loads.Load()}
}

func loadRole(tx *Tx, k change) (*RoleBundle, error) {
	role, err := tx.GetRole(k.account, k.id)
	if err != nil {
		return nil, err
	}
	b := &RoleBundle{Role: *role}
	if b.Inline, err = tx.allInline(k.account, OwnerRole, k.id); err != nil {
		return nil, err
	}
	b.Attached, err = tx.allAttached(k.account, OwnerRole, k.id)
	return b, err
}

func loadUser(tx *Tx, k change) (*UserBundle, error) {
	user, err := tx.GetUser(k.account, k.id)
	if err != nil {
		return nil, err
	}
	b := &UserBundle{User: *user}
	if b.Inline, err = tx.allInline(k.account, OwnerUser, k.id); err != nil {
		return nil, err
	}
	if b.Attached, err = tx.allAttached(k.account, OwnerUser, k.id); err != nil {
		return nil, err
	}
	b.Groups, err = tx.allGroups(k.account, k.id)
	return b, err
}

func loadGroup(tx *Tx, k change) (*GroupBundle, error) {
	group, err := tx.GetGroup(k.account, k.id)
	if err != nil {
		return nil, err
	}
	b := &GroupBundle{Group: *group}
	if b.Inline, err = tx.allInline(k.account, OwnerGroup, k.id); err != nil {
		return nil, err
	}
	b.Attached, err = tx.allAttached(k.account, OwnerGroup, k.id)
	return b, err
}

func loadPolicy(tx *Tx, k change) (*PolicyBundle, error) {
	policy, err := tx.GetPolicy(k.account, k.id)
	if err != nil {
		return nil, err
	}
	version, err := tx.GetPolicyVersion(k.account, k.id, policy.DefaultVersion)
	if err != nil {
		return nil, err
	}
	return &PolicyBundle{Policy: *policy, Document: version.Document}, nil
}

// lookup answers from memory, or loads.
func lookup[T any](v *View, ctx context.Context, key change, load func(*Tx, change) (*T, error)) (*Cached[T], error) {
	if e := v.cache.get(key); e != nil {
		return answer[T](e.row, nil)
	}
	return miss(v, ctx, key, load)
}

// lookupName is lookup by a name in any case. Names in lower case, and short ones, fold without allocation.
func lookupName[T any](v *View, ctx context.Context, k kind, account arn.AccountID, name string, load func(*Tx, change) (*T, error)) (*Cached[T], error) {
	var buf [128]byte // IAM names have at most 128 characters
	if e := v.cache.getFolded(k, account, name, buf[:0]); e != nil {
		return answer[T](e.row, nil)
	}
	return miss(v, ctx, change{k, account, "", nameKey(name)}, load)
}

func answer[T any](row any, err error) (*Cached[T], error) {
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, ErrNotFound
	}
	return row.(*Cached[T]), nil
}

// loadTimeout bounds a load, which serves several callers and so obeys none of their contexts.
const loadTimeout = 10 * time.Second

func miss[T any](v *View, ctx context.Context, key change, load func(*Tx, change) (*T, error)) (*Cached[T], error) {
	key.id = strings.Clone(key.id) // it may be a piece of a whole request
	e, l, mine := v.cache.start(key)
	if e != nil {
		return answer[T](e.row, nil)
	}
	if mine {
		v.loaders.run(func() {
			row, err := loadRow(v.db, key, load)
			v.loads.Add(1)
			if row != nil {
				l.row = row
			}
			if err != nil && !errors.Is(err, ErrNotFound) {
				l.err = err
			}
			v.cache.finish(key, l, l.err == nil)
		})
	}
	select {
	case <-l.done:
		return answer[T](l.row, l.err)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func loadRow[T any](db *DB, key change, load func(*Tx, change) (*T, error)) (*Cached[T], error) {
	ctx, cancel := context.WithTimeout(context.Background(), loadTimeout)
	defer cancel()
	var c *Cached[T]
	err := db.readFrom(ctx, db.eng.loads, func(tx *Tx) error {
		row, err := load(tx, key)
		if err != nil {
			return err
		}
		c = &Cached[T]{Row: *row}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// invalidate forgets what the changes concern.
func (v *View) invalidate(changes []change) {
	trust := false
	for _, c := range changes {
		if c.kind != kindOther {
			v.cache.drop(c)
		}
		trust = trust || c.kind.trust()
	}
	if trust {
		v.trust.Add(1) // after the drops: who reads the new number reads new rows
	}
}

func (v *View) dropAll() {
	v.cache.dropAll()
	v.trust.Add(1)
}

// TrustState is another number after every change of what sessions of certificates depend on: trust anchors, lists,
// revocations, private CAs. Whoever reads it before the view may keep a finding for as long as it stays the same.
func (v *View) TrustState() uint64 { return v.trust.Load() }
