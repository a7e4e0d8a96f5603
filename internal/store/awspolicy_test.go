package store

import (
	"strings"
	"testing"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awspolicy"
)

const (
	awsReadOnly = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess" // embedded as v3
	newDocument = `{"Version":"2012-10-17","Statement":[]}`
)

func TestIsAWSPolicy(t *testing.T) {
	for policy, want := range map[string]bool{
		awsReadOnly: true, "arn:aws-cn:iam::aws:policy/service-role/X": true,
		"arn:aws:iam::123456789012:policy/X":                                       false,
		"arn:aws:iam::123456789012:policy/:iam::aws:policy/AmazonS3ReadOnlyAccess": false,
		"arn:aws:iam::aws:role/X":                                                  false, "arn:iam::aws:policy/X": false, "": false,
	} {
		if IsAWSPolicy(policy) != want {
			t.Errorf("%q: %v", policy, !want)
		}
	}
}

func importPolicy(t *testing.T, db *DB, p awspolicy.Policy, wantVersion string, want bool) {
	t.Helper()
	update(t, db, func(tx *Tx) error {
		version, imported, err := tx.ImportAWSPolicy(&p)
		if err == nil && (version != wantVersion || imported != want) {
			t.Errorf("%s %s: %s, imported %v", p.Name, p.Version, version, imported)
		}
		return err
	})
}

func TestAWSPolicies(t *testing.T) {
	onEngines(t, func(t *testing.T, src string) {
		db := open(t, Config{Source: src})
		embedded := len(awspolicy.All())
		expect := func(version, document string, versions, total int) {
			t.Helper()
			for _, account := range []arn.AccountID{acct, other} {
				b, err := db.View().Policy(t.Context(), account, awsReadOnly)
				if err != nil || b.Row.Policy.DefaultVersion != version || b.Row.Policy.Account != AWSAccount || !strings.Contains(b.Row.Document, document) {
					t.Fatalf("%s sees %+v, %v", account, b, err)
				}
			}
			read(t, db, func(tx *Tx) error {
				rows, _, err := tx.ListPolicyVersions(acct, awsReadOnly, 10, "")
				if err != nil || len(rows) != versions {
					t.Errorf("versions %+v, %v", rows, err)
				}
				var paged []string
				for after := ""; ; {
					rows, next, err := tx.ListPolicyVersions(acct, awsReadOnly, 1, after)
					if err != nil {
						return err
					}
					for _, r := range rows {
						paged = append(paged, r.Version)
					}
					if next == "" {
						break
					}
					after = next
				}
				if len(paged) != versions || paged[len(paged)-1] != version {
					t.Errorf("versions one by one: %q", paged)
				}
				n, last := 0, ""
				for after := ""; ; {
					rows, next, err := tx.ListAWSPolicies("", 7, after)
					if err != nil {
						return err
					}
					for _, r := range rows {
						if nameKey(r.Name) <= last || r.ARN == awsReadOnly && r.DefaultVersion != version {
							t.Errorf("%s %s after %s", r.Name, r.DefaultVersion, last)
						}
						n, last = n+1, nameKey(r.Name)
					}
					if next == "" {
						break
					}
					after = next
				}
				if n != total {
					t.Errorf("%d policies, want %d", n, total)
				}
				return nil
			})
		}
		expect("v3", "s3:Describe*", 1, embedded)
		p := awspolicy.Policy{Name: "AmazonS3ReadOnlyAccess", Path: "/", ID: awspolicy.StableID("AmazonS3ReadOnlyAccess"), Version: "v2", Document: newDocument}
		importPolicy(t, db, p, "v3", false) // older
		p.Version = "v3"
		importPolicy(t, db, p, "v3", false) // the same
		expect("v3", "s3:Describe*", 1, embedded)
		p.Version = "v9"
		importPolicy(t, db, p, "v9", true)
		expect("v9", newDocument, 2, embedded)
		p.Version = ""
		importPolicy(t, db, p, "v9", false) // the same document
		p.Document = newDocument + " "
		importPolicy(t, db, p, "v10", true)
		expect("v10", newDocument+" ", 3, embedded)
		importPolicy(t, db, awspolicy.Policy{Name: "New", Path: "/service-role/", ID: awspolicy.StableID("New"), Document: newDocument}, "v1", true)
		expect("v10", newDocument+" ", 3, embedded+1)
		read(t, db, func(tx *Tx) error {
			rows, _, err := tx.ListPolicies(acct, "", 10, "")
			if err != nil || len(rows) != 0 {
				t.Errorf("the account's own policies: %v %v", rows, err)
			}
			for _, missing := range []string{"arn:aws:iam::aws:policy/New", "arn:aws:iam::aws:policy/x/AmazonS3ReadOnlyAccess", "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess"} {
				_, err := tx.GetPolicy(acct, missing)
				wantIs(t, missing, err, ErrNotFound)
			}
			rows, _, err = tx.ListAWSPolicies("/service-role/N", 1000, "")
			if err != nil || len(rows) != 0 {
				t.Errorf("below half a path: %v %v", rows, err)
			}
			return nil
		})
	})
}

func TestAWSPoliciesOfAnotherPartition(t *testing.T) {
	db := open(t, Config{Source: "memory", Partition: "aws-cn"})
	b, err := db.View().Policy(t.Context(), acct, "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess")
	if err != nil || b.Row.Policy.ARN != "arn:aws-cn:iam::aws:policy/AmazonS3ReadOnlyAccess" {
		t.Fatalf("%+v %v", b, err)
	}
	_, err = db.View().Policy(t.Context(), acct, awsReadOnly)
	wantIs(t, "partition aws", err, ErrNotFound)
}
