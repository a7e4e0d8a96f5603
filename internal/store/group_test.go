package store

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func testGroup(name string) *Group {
	return &Group{Account: acct, Name: name, Path: "/", ID: "AGPA" + name, CreatedAt: t0}
}

// joined puts users a…g into group "G" and a into groups A…G, in another account as well.
func joined(t *testing.T, db *DB) {
	t.Helper()
	update(t, db, func(tx *Tx) error {
		err := tx.CreateGroup(testGroup("hub"))
		for i := range 7 {
			n := string(rune('a' + i))
			err = errors.Join(err, tx.CreateUser(&User{Account: acct, Name: "u" + n, Path: "/", ID: "AIDA" + n, CreatedAt: t0}), tx.CreateGroup(testGroup("g"+n)),
				tx.AddMember(acct, "HUB", "U"+n), tx.AddMember(acct, "G"+n, "ua"), tx.AddMember(acct, "g"+n, "UA"), tx.AddMember(other, "hub", "u"+n))
		}
		return err
	})
}

func TestMembers(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		joined(t, db)
		for _, limit := range []int{1, 3, 7, 100} {
			var users, groups []string
			read(t, db, func(tx *Tx) error {
				for after, n := "", 0; ; n++ {
					rows, next, err := tx.ListMembers(acct, "hUb", limit, after)
					for _, u := range rows {
						users = append(users, u.Name)
					}
					if after = next; err != nil || after == "" || n > 20 {
						break
					}
				}
				for after, n := "", 0; ; n++ {
					rows, next, err := tx.ListUserGroups(acct, "uA", limit, after)
					for _, g := range rows {
						groups = append(groups, g.Name)
					}
					if after = next; err != nil || after == "" || n > 20 {
						return err
					}
				}
			})
			if got := strings.Join(users, " "); got != "ua ub uc ud ue uf ug" {
				t.Errorf("members by %d: %s", limit, got)
			}
			if got := strings.Join(groups, " "); got != "ga gb gc gd ge gf gg hub" {
				t.Errorf("groups by %d: %s", limit, got)
			}
		}
		wantIs(t, "remove one who is not in it", db.Update(t.Context(), func(tx *Tx) error { return tx.RemoveMember(acct, "gb", "ub") }), ErrNotFound)
		update(t, db, func(tx *Tx) error { return tx.RemoveMember(acct, "GA", "UA") })
		read(t, db, func(tx *Tx) error {
			n, err := tx.CountUserGroups(acct, "ua")
			if n != 7 {
				t.Errorf("in %d groups, want 7", n)
			}
			return err
		})
	})
}

// A new name takes everything along, and leaves nothing behind.
func TestRenames(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		joined(t, db)
		update(t, db, func(tx *Tx) error {
			return errors.Join(
				tx.PutInlinePolicy(&InlinePolicy{acct, OwnerGroup, "hub", "p", "{}"}), tx.PutAttachment(&Attachment{acct, OwnerGroup, "hub", "arn:p"}),
				tx.PutInlinePolicy(&InlinePolicy{acct, OwnerUser, "ua", "p", "{}"}), tx.PutAttachment(&Attachment{acct, OwnerUser, "ua", "arn:p"}),
				tx.PutInlinePolicy(&InlinePolicy{acct, OwnerRole, "ua", "p", "{}"}), // not the user's
				tx.CreateAccessKey(&AccessKey{"AKIA1", acct, "ua", []byte{1}, true, t0}))
		})
		wantIs(t, "rename to a taken name", db.Update(t.Context(), func(tx *Tx) error {
			return tx.RenameUser("ua", &User{Account: acct, Name: "UB", Path: "/", ID: "AIDAa", CreatedAt: t0})
		}), ErrExists)
		wantIs(t, "rename to a taken group", db.Update(t.Context(), func(tx *Tx) error { return tx.RenameGroup("hub", testGroup("GA")) }), ErrExists)
		wantIs(t, "rename of nobody", db.Update(t.Context(), func(tx *Tx) error { return tx.RenameGroup("none", testGroup("x")) }), ErrNotFound)
		group, user := "hub", "ua"
		for _, name := range []string{"Z", "z", "hub2"} { // the second only in case
			update(t, db, func(tx *Tx) error {
				g := testGroup(name)
				g.ID = "AGPAhub"
				return errors.Join(tx.RenameGroup(group, g), tx.RenameUser(user, &User{Account: acct, Name: name, Path: "/", ID: "AIDAa", CreatedAt: t0}))
			})
			group, user = name, name
			read(t, db, func(tx *Tx) error { return renamedAre(t, tx, name) })
		}
	})
}

func renamedAre(t *testing.T, tx *Tx, name string) error {
	t.Helper()
	for _, kind := range []OwnerKind{OwnerGroup, OwnerUser} {
		inline, _, err := tx.ListInlinePolicies(acct, kind, name, 10, "")
		if d := cmp.Diff([]InlinePolicy{{acct, kind, name, "p", "{}"}}, inline); err != nil || d != "" {
			t.Errorf("inline: %v %s", err, d)
		}
		attached, _, err := tx.ListAttachments(acct, kind, name, 10, "")
		if d := cmp.Diff([]Attachment{{acct, kind, name, "arn:p"}}, attached); err != nil || d != "" {
			t.Errorf("attached: %v %s", err, d)
		}
		for _, old := range []string{"hub", "ua"} {
			if rest, _, err := tx.ListInlinePolicies(acct, kind, old, 10, ""); err != nil || len(rest) > 0 {
				t.Errorf("left behind: %v %v", rest, err)
			}
		}
	}
	keys, _, err := tx.ListAccessKeys(acct, name, 10, "")
	if err != nil || len(keys) != 1 || keys[0].UserName != name {
		t.Errorf("keys %v %v", keys, err)
	}
	members, _, err := tx.ListMembers(acct, name, 100, "")
	if err != nil || len(members) != 7 {
		t.Errorf("%d members, %v", len(members), err)
	}
	groups, err := tx.CountUserGroups(acct, name)
	if groups != 8 {
		t.Errorf("in %d groups", groups)
	}
	return err
}

func TestAccountAliases(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		set := func(account string, alias string) error {
			return db.Update(t.Context(), func(tx *Tx) error {
				a := &AccountAlias{Account: acct, Alias: alias}
				if account == "other" {
					a.Account = other
				}
				return tx.CreateAccountAlias(a)
			})
		}
		for _, step := range []struct {
			account, alias string
			want           error
		}{{"acct", "one", nil}, {"acct", "one", ErrExists}, {"other", "one", ErrExists}, {"acct", "two", nil}, {"other", "one", nil}, {"acct", "one", ErrExists}} {
			if err := set(step.account, step.alias); !errors.Is(err, step.want) {
				t.Errorf("%s as %s: %v, want %v", step.alias, step.account, err, step.want)
			}
		}
		read(t, db, func(tx *Tx) error {
			got, err := tx.GetAccountAlias(acct)
			if d := cmp.Diff(&AccountAlias{acct, "two"}, got); d != "" {
				t.Error(d)
			}
			return err
		})
		wantIs(t, "delete an alias of another account", db.Update(t.Context(), func(tx *Tx) error { return tx.DeleteAccountAlias(acct, "one") }), ErrNotFound)
		update(t, db, func(tx *Tx) error { return tx.DeleteAccountAlias(acct, "two") })
		read(t, db, func(tx *Tx) error {
			_, err := tx.GetAccountAlias(acct)
			wantIs(t, "get after delete", err, ErrNotFound)
			return nil
		})
	})
}

func TestBounded(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		update(t, db, func(tx *Tx) error {
			var err error
			for i := range 5 {
				r := testRole(letter(i))
				u := &User{Account: acct, Name: letter(i), Path: "/", ID: "AIDA" + letter(i), CreatedAt: t0}
				if i > 0 {
					r.Boundary, u.Boundary = "arn:b", "arn:b"
				}
				err = errors.Join(err, tx.CreateRole(r), tx.CreateUser(u))
			}
			p := func(name, role string) *InstanceProfile {
				return &InstanceProfile{Account: acct, Name: name, Path: "/", ID: "AIPA" + name, RoleKey: role, CreatedAt: t0}
			}
			return errors.Join(err, tx.CreateInstanceProfile(p("x", "A")), tx.CreateInstanceProfile(p("y", "")), tx.CreateInstanceProfile(p("z", "a")))
		})
		read(t, db, func(tx *Tx) error {
			n, err := tx.CountBounded(acct, "arn:b")
			none, err2 := tx.CountBounded(acct, "")
			if n != 8 || none != 0 {
				t.Errorf("bounded %d, unbounded counted %d", n, none)
			}
			roles, next, err3 := tx.ListBoundedRoles(acct, "arn:b", 3, "")
			rest, _, err4 := tx.ListBoundedRoles(acct, "arn:b", 3, next)
			users, _, err5 := tx.ListBoundedUsers(acct, "arn:b", 10, "")
			if len(roles) != 3 || len(rest) != 1 || len(users) != 4 || rest[0].Name != letter(4) {
				t.Errorf("roles %d + %d, users %d", len(roles), len(rest), len(users))
			}
			profiles, _, err6 := tx.ListRoleInstanceProfiles(acct, "A", 10, "")
			none2, _, err7 := tx.ListRoleInstanceProfiles(acct, "", 10, "")
			if len(profiles) != 2 || len(none2) != 0 {
				t.Errorf("profiles of the role %d, of no role %d", len(profiles), len(none2))
			}
			return errors.Join(err, err2, err3, err4, err5, err6, err7)
		})
	})
}

// Counts and lists of what a policy bounds read an index, not the table.
func TestIdentityIndexes(t *testing.T) {
	db := open(t, Config{Source: source(t, "sqlite")})
	for q, index := range map[string]string{
		`SELECT COUNT(*) FROM roles WHERE account = ? AND boundary = ? AND boundary <> ''`:                                            "roles_boundary",
		`SELECT COUNT(*) FROM users WHERE account = ? AND boundary = ? AND boundary <> ''`:                                            "users_boundary",
		`SELECT name FROM instance_profiles WHERE account = ? AND role_key = ? AND role_key <> '' AND name_key > ? ORDER BY name_key`: "instance_profiles_role",
		`SELECT COUNT(*) FROM group_members WHERE account = ? AND user_key = ?`:                                                       "group_members_user",
	} {
		args := []any{"a", "b", "c"}[:strings.Count(q, "?")]
		rows, err := db.eng.write.Query("EXPLAIN QUERY PLAN "+q, args...)
		if err != nil {
			t.Fatal(err)
		}
		plan := ""
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			plan += detail + "\n"
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(plan, "USING COVERING INDEX "+index) && !strings.Contains(plan, "USING INDEX "+index) || strings.Contains(plan, "SCAN") {
			t.Errorf("%s\nreads %s", q, plan)
		}
	}
}

func TestRoleDeletionsAreForgotten(t *testing.T) {
	now := t0
	db := open(t, Config{Source: "memory", Clock: func() time.Time { return now }})
	for i := range 3 {
		update(t, db, func(tx *Tx) error {
			return tx.CreateRoleDeletion(&RoleDeletion{acct, fmt.Sprint(i), tx.Now})
		})
		now = now.Add(20 * 24 * time.Hour)
	}
	read(t, db, func(tx *Tx) error {
		_, err := tx.GetRoleDeletion(acct, "0")
		wantIs(t, "after 40 days", err, ErrNotFound)
		_, err = tx.GetRoleDeletion(acct, "1")
		return err
	})
}

// Roles that were there before trust policies were tied to ids are read as tied to none.
func TestRolesFromBeforeGroups(t *testing.T) {
	onShared(t, func(t *testing.T, src string) {
		e, err := openEngine(t.Context(), src)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.migrate(t.Context(), embeddedMigrations()[:2]); err != nil {
			t.Fatal(err)
		}
		if _, err := e.write.Exec(`INSERT INTO roles (account, name_key, name, path, id, description, trust_policy, max_session, boundary, tags, created_at)
			VALUES ('` + string(acct) + `', 'old', 'Old', '/', 'AROAold', '', '{}', 3600, '', '[]', 1)`); err != nil {
			t.Fatal(err)
		}
		if err := e.close(); err != nil {
			t.Fatal(err)
		}
		read(t, open(t, Config{Source: src}), func(tx *Tx) error {
			r, err := tx.GetRole(acct, "old")
			if err == nil && (r.Name != "Old" || r.Trusted != nil) {
				t.Errorf("got %+v", r)
			}
			return err
		})
	})
}
