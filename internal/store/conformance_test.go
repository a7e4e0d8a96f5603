package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/arn"
)

// resource is one row type's part of the conformance suite.
type resource[T any] struct {
	row, changed T // the same key
	create, put  func(*Tx, *T) error
	get          func(*Tx) (*T, error)
	remove       func(*Tx) error
	list         func(tx *Tx, limit int, after string) ([]T, string, error)
	numbered     func(i int) T // distinct rows in list order
}

// lifecycle: create, refuse a second one, read, replace, page, delete, miss.
func lifecycle[T any](name string, r resource[T]) func(*testing.T, *DB) {
	return func(t *testing.T, db *DB) {
		read(t, db, func(tx *Tx) error {
			_, err := r.get(tx)
			wantIs(t, name+": get before", err, ErrNotFound)
			return nil
		})
		if r.remove != nil {
			wantIs(t, name+": delete before", db.Update(t.Context(), r.remove), ErrNotFound)
		}
		first := r.create
		if first == nil {
			first = r.put
		}
		update(t, db, func(tx *Tx) error { return first(tx, &r.row) })
		check := func(want T) {
			t.Helper()
			read(t, db, func(tx *Tx) error {
				got, err := r.get(tx)
				if err != nil {
					return err
				}
				if d := cmp.Diff(&want, got); d != "" {
					t.Errorf("%s: -want +got\n%s", name, d)
				}
				return nil
			})
		}
		check(r.row)
		if r.create != nil {
			update(t, db, func(tx *Tx) error {
				wantIs(t, name+": second create", r.create(tx, &r.changed), ErrExists)
				return nil // and the transaction lives on
			})
			check(r.row)
		}
		if r.put != nil {
			update(t, db, func(tx *Tx) error { return r.put(tx, &r.changed) })
			check(r.changed)
		}
		if r.remove != nil {
			update(t, db, r.remove)
			read(t, db, func(tx *Tx) error {
				_, err := r.get(tx)
				wantIs(t, name+": get after delete", err, ErrNotFound)
				return nil
			})
		}
		if r.list != nil {
			pages(t, name, db, first, r)
		}
		err := db.Read(t.Context(), func(tx *Tx) error { return first(tx, &r.row) })
		wantIs(t, name+": write in Read", err, ErrReadOnly)
	}
}

func pages[T any](t *testing.T, name string, db *DB, add func(*Tx, *T) error, r resource[T]) {
	t.Helper()
	var want []T
	update(t, db, func(tx *Tx) error {
		want = nil
		for i := range 7 {
			row := r.numbered(i)
			want = append(want, row)
		}
		for _, i := range []int{3, 0, 6, 1, 5, 2, 4} {
			if err := add(tx, &want[i]); err != nil {
				return err
			}
		}
		return nil
	})
	for _, limit := range []int{1, 3, 7, 100} {
		var got []T
		after, calls := "", 0
		for {
			read(t, db, func(tx *Tx) error {
				rows, next, err := r.list(tx, limit, after)
				got, after = append(got, rows...), next
				return err
			})
			if calls++; after == "" || calls > 20 {
				break
			}
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: pages of %d: -want +got\n%s", name, limit, d)
		}
		if wantCalls := (len(want) + limit - 1) / limit; calls != wantCalls {
			t.Errorf("%s: pages of %d: %d calls, want %d", name, limit, calls, wantCalls)
		}
	}
}

// letters are names whose byte order is not that of a dictionary.
func letter(i int) string { return []string{"+x", "-x", "0", "1a", "_b", "a-a", "ab"}[i] }

func TestResources(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		for _, r := range resourceTests() {
			r(t, db)
		}
	})
}

func resourceTests() []func(*testing.T, *DB) {
	return append(identityTests(), anywhereTests()...)
}

// identityTests are accounts and what IAM keeps in them.
func identityTests() []func(*testing.T, *DB) {
	recent := time.Now().UTC().Truncate(time.Microsecond)
	tags := []Tag{{"b", "2"}, {"a", "1"}}
	later := t0.Add(time.Hour)
	return []func(*testing.T, *DB){
		lifecycle("account", resource[Account]{row: Account{acct, "one", t0}, changed: Account{acct, "two", later},
			create: (*Tx).CreateAccount, put: (*Tx).PutAccount,
			get: func(tx *Tx) (*Account, error) { return tx.GetAccount(acct) },
			list: func(tx *Tx, n int, after string) ([]Account, string, error) {
				return tx.ListAccounts(n, max(after, string(acct))) // past the row above
			},
			numbered: func(i int) Account {
				return Account{arn.AccountID(fmt.Sprintf("9%011d", i)), "n", t0}
			}}),
		lifecycle("access key", resource[AccessKey]{
			row:     AccessKey{"AKIA1", acct, "Bob", []byte{1, 0, 255}, true, t0},
			changed: AccessKey{"AKIA1", acct, "bob", []byte{2}, false, later},
			create:  (*Tx).CreateAccessKey, put: (*Tx).PutAccessKey,
			get:    func(tx *Tx) (*AccessKey, error) { return tx.GetAccessKey("AKIA1") },
			remove: func(tx *Tx) error { return tx.DeleteAccessKey("AKIA1") },
			list: func(tx *Tx, n int, a string) ([]AccessKey, string, error) {
				return tx.ListAccessKeys(acct, "BOB", n, a)
			},
			numbered: func(i int) AccessKey { return AccessKey{letter(i), acct, "bob", []byte{1}, true, t0} }}),
		lifecycle("role", resource[Role]{
			row:     Role{acct, "Admin", "/p/", "AROA1", "d\"'é", `{"a":"$1?"}`, 3600, "", tags, t0, []TrustedPrincipal{{"arn:u", "AIDA9"}}},
			changed: Role{acct, "ADMIN", "/", "AROA2", "", "{}", 7200, "arn:b", nil, later, nil},
			create:  (*Tx).CreateRole, put: (*Tx).PutRole,
			get:      func(tx *Tx) (*Role, error) { return tx.GetRole(acct, "aDMIN") },
			remove:   func(tx *Tx) error { return tx.DeleteRole(acct, "admin") },
			list:     func(tx *Tx, n int, a string) ([]Role, string, error) { return tx.ListRoles(acct, "", n, a) },
			numbered: func(i int) Role { return *testRole(letter(i)) }}),
		lifecycle("user", resource[User]{
			row:     User{acct, "Bob", "/p/", "AIDA1", "", tags, t0},
			changed: User{acct, "BOB", "/", "AIDA2", "arn:b", nil, later},
			create:  (*Tx).CreateUser, put: (*Tx).PutUser,
			get:      func(tx *Tx) (*User, error) { return tx.GetUser(acct, "bob") },
			remove:   func(tx *Tx) error { return tx.DeleteUser(acct, "bOb") },
			list:     func(tx *Tx, n int, a string) ([]User, string, error) { return tx.ListUsers(acct, "/", n, a) },
			numbered: func(i int) User { return User{acct, letter(i), "/", "AIDA" + letter(i), "", nil, t0} }}),
		lifecycle("group", resource[Group]{
			row:     Group{acct, "Ops", "/p/", "AGPA1", t0},
			changed: Group{acct, "OPS", "/", "AGPA2", later},
			create:  (*Tx).CreateGroup, put: (*Tx).PutGroup,
			get:      func(tx *Tx) (*Group, error) { return tx.GetGroup(acct, "oPS") },
			remove:   func(tx *Tx) error { return tx.DeleteGroup(acct, "ops") },
			list:     func(tx *Tx, n int, a string) ([]Group, string, error) { return tx.ListGroups(acct, "/", n, a) },
			numbered: func(i int) Group { return Group{acct, letter(i), "/", "AGPA" + letter(i), t0} }}),
		lifecycle("instance profile", resource[InstanceProfile]{
			row:     InstanceProfile{acct, "Web", "/p/", "AIPA1", "", tags, t0},
			changed: InstanceProfile{acct, "WEB", "/", "AIPA2", "app", nil, later},
			create:  (*Tx).CreateInstanceProfile, put: (*Tx).PutInstanceProfile,
			get:    func(tx *Tx) (*InstanceProfile, error) { return tx.GetInstanceProfile(acct, "wEB") },
			remove: func(tx *Tx) error { return tx.DeleteInstanceProfile(acct, "web") },
			list: func(tx *Tx, n int, a string) ([]InstanceProfile, string, error) {
				return tx.ListInstanceProfiles(acct, "", n, a)
			},
			numbered: func(i int) InstanceProfile {
				return InstanceProfile{acct, letter(i), "/", "AIPA" + letter(i), "r", nil, t0}
			}}),
		lifecycle("role deletion", resource[RoleDeletion]{
			row:    RoleDeletion{acct, "task/1", recent},
			create: (*Tx).CreateRoleDeletion, changed: RoleDeletion{acct, "task/1", recent.Add(time.Second)},
			get: func(tx *Tx) (*RoleDeletion, error) { return tx.GetRoleDeletion(acct, "task/1") }}),
		lifecycle("inline policy", resource[InlinePolicy]{
			row:     InlinePolicy{acct, OwnerRole, "R", "P", "{1}"},
			changed: InlinePolicy{acct, OwnerRole, "r", "P", "{2}"},
			put:     (*Tx).PutInlinePolicy,
			get:     func(tx *Tx) (*InlinePolicy, error) { return tx.GetInlinePolicy(acct, OwnerRole, "R", "P") },
			remove:  func(tx *Tx) error { return tx.DeleteInlinePolicy(acct, OwnerRole, "R", "P") },
			list: func(tx *Tx, n int, a string) ([]InlinePolicy, string, error) {
				return tx.ListInlinePolicies(acct, OwnerRole, "r", n, a)
			},
			numbered: func(i int) InlinePolicy { return InlinePolicy{acct, OwnerRole, "r", letter(i), "{}"} }}),
		lifecycle("attachment", resource[Attachment]{
			row: Attachment{acct, OwnerUser, "U", "arn:p"}, changed: Attachment{acct, OwnerUser, "U", "arn:p"},
			put:    (*Tx).PutAttachment,
			get:    func(tx *Tx) (*Attachment, error) { return tx.GetAttachment(acct, OwnerUser, "u", "arn:p") },
			remove: func(tx *Tx) error { return tx.DeleteAttachment(acct, OwnerUser, "u", "arn:p") },
			list: func(tx *Tx, n int, a string) ([]Attachment, string, error) {
				return tx.ListAttachments(acct, OwnerUser, "U", n, a)
			},
			numbered: func(i int) Attachment { return Attachment{acct, OwnerUser, "U", letter(i)} }}),
		lifecycle("policy attachment", resource[Attachment]{
			row: Attachment{acct, OwnerRole, "X", "arn:q"}, changed: Attachment{acct, OwnerRole, "X", "arn:q"},
			put:    (*Tx).PutAttachment,
			get:    func(tx *Tx) (*Attachment, error) { return tx.GetAttachment(acct, OwnerRole, "x", "arn:q") },
			remove: func(tx *Tx) error { return tx.DeleteAttachment(acct, OwnerRole, "x", "arn:q") },
			list: func(tx *Tx, n int, a string) ([]Attachment, string, error) {
				return tx.ListPolicyAttachments(acct, "arn:q", n, a)
			},
			numbered: func(i int) Attachment {
				return Attachment{acct, []OwnerKind{OwnerGroup, OwnerRole, OwnerUser}[i/3], letter(i), "arn:q"}
			}}),
		lifecycle("managed policy", resource[ManagedPolicy]{
			row:     ManagedPolicy{acct, "arn:p", "Pol", "/x/", "ANPA1", "d", "v1", 2, tags, t0, t0},
			changed: ManagedPolicy{acct, "arn:p", "Pol", "/x/", "ANPA1", "e", "v2", 3, nil, t0, later},
			create:  (*Tx).CreatePolicy, put: (*Tx).PutPolicy,
			get:    func(tx *Tx) (*ManagedPolicy, error) { return tx.GetPolicy(acct, "arn:p") },
			remove: func(tx *Tx) error { return tx.DeletePolicy(acct, "arn:p") },
			list:   func(tx *Tx, n int, a string) ([]ManagedPolicy, string, error) { return tx.ListPolicies(acct, "", n, a) },
			numbered: func(i int) ManagedPolicy {
				return ManagedPolicy{acct, "arn:" + letter(i), letter(i), "/", "ANPA" + letter(i), "", "v1", 2, nil, t0, t0}
			}}),
		lifecycle("policy version", resource[PolicyVersion]{
			row: PolicyVersion{acct, "arn:p", "v1", "{}", t0}, changed: PolicyVersion{acct, "arn:p", "v1", "{2}", later},
			create: (*Tx).CreatePolicyVersion,
			get:    func(tx *Tx) (*PolicyVersion, error) { return tx.GetPolicyVersion(acct, "arn:p", "v1") },
			remove: func(tx *Tx) error { return tx.DeletePolicyVersion(acct, "arn:p", "v1") },
			list: func(tx *Tx, n int, a string) ([]PolicyVersion, string, error) {
				return tx.ListPolicyVersions(acct, "arn:p", n, a)
			},
			numbered: func(i int) PolicyVersion { return PolicyVersion{acct, "arn:p", fmt.Sprintf("v%d", 7+i), "{}", t0} }}),
	}
}

// anywhereTests are the resources of Roles Anywhere, and the server's own values.
func anywhereTests() []func(*testing.T, *DB) {
	tags := []Tag{{"b", "2"}, {"a", "1"}}
	later := t0.Add(time.Hour)
	return []func(*testing.T, *DB){
		lifecycle("trust anchor", resource[TrustAnchor]{
			row:     TrustAnchor{acct, region, "id", "n", true, "CERTIFICATE_BUNDLE", "PEM", []NotificationSetting{{"E", "ALL", 45, true, "me"}}, tags, t0, t0},
			changed: TrustAnchor{acct, region, "id", "m", false, "AWS_ACM_PCA", "arn", nil, nil, t0, later},
			create:  (*Tx).CreateTrustAnchor, put: (*Tx).PutTrustAnchor,
			get:    func(tx *Tx) (*TrustAnchor, error) { return tx.GetTrustAnchor(acct, region, "id") },
			remove: func(tx *Tx) error { return tx.DeleteTrustAnchor(acct, region, "id") },
			list: func(tx *Tx, n int, a string) ([]TrustAnchor, string, error) {
				return tx.ListTrustAnchors(acct, region, n, a)
			},
			numbered: func(i int) TrustAnchor {
				return TrustAnchor{Account: acct, Region: region, ID: letter(i), Name: "same", SourceType: "S", CreatedAt: t0, UpdatedAt: t0}
			}}),
		lifecycle("profile", resource[Profile]{
			row: Profile{acct, region, "id", "n", true, true, "{}", []string{"arn:b", "arn:a"}, []string{"m"}, 3600, true,
				[]AttributeMapping{{"x509Subject", []string{"*"}}}, "me", tags, t0, t0},
			changed: Profile{Account: acct, Region: region, ID: "id", Name: "m", Duration: 900, CreatedAt: t0, UpdatedAt: later},
			create:  (*Tx).CreateProfile, put: (*Tx).PutProfile,
			get:    func(tx *Tx) (*Profile, error) { return tx.GetProfile(acct, region, "id") },
			remove: func(tx *Tx) error { return tx.DeleteProfile(acct, region, "id") },
			list:   func(tx *Tx, n int, a string) ([]Profile, string, error) { return tx.ListProfiles(acct, region, n, a) },
			numbered: func(i int) Profile {
				return Profile{Account: acct, Region: region, ID: letter(i), CreatedAt: t0, UpdatedAt: t0}
			}}),
		lifecycle("CRL", resource[CRL]{
			row:     CRL{acct, region, "id", "n", true, []byte{0, 1, 255}, "ta1", tags, t0, t0},
			changed: CRL{acct, region, "id", "m", false, nil, "ta2", nil, t0, later},
			create:  (*Tx).CreateCRL, put: (*Tx).PutCRL,
			get:    func(tx *Tx) (*CRL, error) { return tx.GetCRL(acct, region, "id") },
			remove: func(tx *Tx) error { return tx.DeleteCRL(acct, region, "id") },
			list:   func(tx *Tx, n int, a string) ([]CRL, string, error) { return tx.ListCRLs(acct, region, n, a) },
			numbered: func(i int) CRL {
				return CRL{Account: acct, Region: region, ID: letter(i), Data: []byte{1}, TrustAnchorID: "ta1", CreatedAt: t0, UpdatedAt: t0}
			}}),
		lifecycle("subject", resource[Subject]{
			row: Subject{acct, region, "~", "CN=a", true, tags, t0, t0, t0, []SubjectCredential{{Serial: "01", Issuer: "CN=ca", SeenAt: t0, CertPEM: "PEM", Enabled: true, Failed: false}}},
			changed: Subject{acct, region, "~", "CN=a", false, nil, t0, later, later, []SubjectCredential{{Serial: "02", Issuer: "CN=ca", SeenAt: later, CertPEM: "PEM", Enabled: true, Failed: true},
				{Serial: "01", Issuer: "CN=ca", SeenAt: t0, CertPEM: "PEM", Enabled: true}}},
			put: (*Tx).PutSubject,
			get: func(tx *Tx) (*Subject, error) { return tx.GetSubject(acct, region, "~") },
			list: func(tx *Tx, n int, a string) ([]Subject, string, error) {
				rows, next, err := tx.ListSubjects(acct, region, n, a)
				rows = slices.DeleteFunc(rows, func(s Subject) bool { return s.ID == "~" }) // there is no DeleteSubject
				if len(rows) > 0 && next == letter(6) {
					next = ""
				}
				return rows, next, err
			},
			numbered: func(i int) Subject {
				return Subject{Account: acct, Region: region, ID: letter(i), DN: "CN=x", CreatedAt: t0, UpdatedAt: t0, LastSeenAt: t0}
			}}),
		lifecycle("server value", resource[ServerValue]{
			row: ServerValue{"n", []byte{0, 1}}, changed: ServerValue{"n", nil},
			create: (*Tx).CreateServerValue, put: (*Tx).PutServerValue,
			get:      func(tx *Tx) (*ServerValue, error) { return tx.GetServerValue("n") },
			remove:   func(tx *Tx) error { return tx.DeleteServerValue("n") },
			list:     (*Tx).ListServerValues,
			numbered: func(i int) ServerValue { return ServerValue{letter(i), []byte{1}} }}),
	}
}

func TestUniqueness(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		update(t, db, func(tx *Tx) error {
			if err := tx.CreateRole(testRole("Admin")); err != nil {
				return err
			}
			same := testRole("Admin")
			same.Name, same.ID = "aDmin", "AROAother"
			wantIs(t, "role with the name in another case", tx.CreateRole(same), ErrExists)
			same.Name = "other"
			same.ID = "AROAAdmin"
			wantIs(t, "role with a taken id", tx.CreateRole(same), ErrExists)
			same.Account, same.Name, same.ID = other, "Admin", "AROAelse"
			return tx.CreateRole(same) // another account
		})
		policy := &ManagedPolicy{Account: acct, ARN: "arn:a", Name: "P", ID: "ANPA1", DefaultVersion: "v1", CreatedAt: t0, UpdatedAt: t0}
		update(t, db, func(tx *Tx) error { return tx.CreatePolicy(policy) })
		twin := *policy
		twin.ARN, twin.Name, twin.ID = "arn:path/p", "p", "ANPA2"
		update(t, db, func(tx *Tx) error {
			wantIs(t, "policy with a taken name", tx.CreatePolicy(&twin), ErrExists)
			return nil
		})
		err := db.Update(t.Context(), func(tx *Tx) error { return tx.PutPolicy(&twin) })
		wantIs(t, "put of a policy with a taken name", err, ErrExists)
	})
}

func TestPathPrefix(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		for name, path := range map[string]string{"a": "/", "b": "/x/", "c": "/x/y/", "d": "/xz/", "e": "/w/"} {
			r := testRole(name)
			r.Path = path
			update(t, db, func(tx *Tx) error { return tx.CreateRole(r) })
		}
		for prefix, want := range map[string]string{"": "a b c d e", "/": "a b c d e", "/x/": "b c", "/x": "b c d", "/x/y/": "c", "/q/": ""} {
			read(t, db, func(tx *Tx) error {
				roles, _, err := tx.ListRoles(acct, prefix, 10, "")
				var got []string
				for _, r := range roles {
					got = append(got, r.Name)
				}
				if g := strings.Join(got, " "); g != want {
					t.Errorf("prefix %q: got %q, want %q", prefix, g, want)
				}
				return err
			})
		}
	})
}

func TestCounts(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		update(t, db, func(tx *Tx) error {
			for i := range 3 {
				id := fmt.Sprint(i)
				for _, err := range []error{
					tx.PutTrustAnchor(&TrustAnchor{Account: acct, Region: region, ID: id}),
					tx.PutProfile(&Profile{Account: acct, Region: region, ID: id}),
					tx.PutCRL(&CRL{Account: acct, Region: region, ID: id, TrustAnchorID: "t"}),
					tx.PutAttachment(&Attachment{acct, OwnerRole, "r" + id, "arn:p"}),
					tx.CreatePolicyVersion(&PolicyVersion{acct, "arn:p", "v" + fmt.Sprint(i+1), "{}", t0}),
				} {
					if err != nil {
						return err
					}
				}
			}
			return nil
		})
		for name, count := range map[string]func(*Tx) (int, error){
			"anchors":     func(tx *Tx) (int, error) { return tx.CountTrustAnchors(acct, region) },
			"profiles":    func(tx *Tx) (int, error) { return tx.CountProfiles(acct, region) },
			"CRLs":        func(tx *Tx) (int, error) { return tx.CountAnchorCRLs(acct, region, "t") },
			"attachments": func(tx *Tx) (int, error) { return tx.CountAttachments(acct, "arn:p") },
			"versions":    func(tx *Tx) (int, error) { return tx.CountPolicyVersions(acct, "arn:p") },
		} {
			read(t, db, func(tx *Tx) error {
				got, err := count(tx)
				if got != 3 {
					t.Errorf("%s: got %d, want 3", name, got)
				}
				return err
			})
		}
	})
}
