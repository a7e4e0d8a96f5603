package store

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// ManagedPolicy is a customer managed policy, or one of AWS's (see [AWSAccount]). Its name is unique in the account without
// regard to case.
type ManagedPolicy struct {
	Account        arn.AccountID
	ARN            string
	Name           string
	Path           string
	ID             string // ANPA…
	Description    string
	DefaultVersion string // "v1"
	NextVersion    int    // number of the version created next
	Tags           []Tag
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// PolicyVersion is one document of a managed policy.
type PolicyVersion struct {
	Account   arn.AccountID
	ARN       string
	Version   string // "v1", "v2", …
	Document  string
	CreatedAt time.Time
}

const policyColumns = `account, arn, name_key, name, path, id, description, default_version, next_version, tags, created_at, updated_at`

func scanPolicy(s scanner, p *ManagedPolicy) error {
	var key string
	return s.Scan(&p.Account, &p.ARN, &key, &p.Name, &p.Path, &p.ID, &p.Description, &p.DefaultVersion, &p.NextVersion,
		list[Tag]{&p.Tags}, micros{&p.CreatedAt}, micros{&p.UpdatedAt})
}

func (p *ManagedPolicy) args() []any {
	return []any{p.Account, p.ARN, nameKey(p.Name), p.Name, p.Path, p.ID, p.Description, p.DefaultVersion, p.NextVersion,
		toList(p.Tags), toMicros(p.CreatedAt), toMicros(p.UpdatedAt)}
}

// CreatePolicy adds a managed policy.
func (tx *Tx) CreatePolicy(p *ManagedPolicy) error {
	tx.changed(kindPolicy, p.Account, "", p.ARN)
	return tx.insert(`INSERT INTO managed_policies (`+policyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`, p.args()...)
}

// PutPolicy adds or replaces a managed policy. A name taken by another ARN is [ErrExists].
func (tx *Tx) PutPolicy(p *ManagedPolicy) error {
	tx.changed(kindPolicy, p.Account, "", p.ARN)
	_, err := tx.exec(`INSERT INTO managed_policies (`+policyColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (account, arn) DO UPDATE SET name_key = excluded.name_key, name = excluded.name, path = excluded.path, id = excluded.id,
		description = excluded.description, default_version = excluded.default_version, next_version = excluded.next_version,
		tags = excluded.tags, created_at = excluded.created_at, updated_at = excluded.updated_at`, p.args()...)
	return err
}

// GetPolicy reads one managed policy, of the account or of AWS.
func (tx *Tx) GetPolicy(account arn.AccountID, policyARN string) (*ManagedPolicy, error) {
	owner := policyAccount(account, policyARN)
	row, err := one(tx, scanPolicy, `SELECT `+policyColumns+` FROM managed_policies WHERE account = $1 AND arn = $2`, owner, policyARN)
	if owner == AWSAccount {
		return tx.overEmbedded(row, err, policyARN)
	}
	return row, err
}

// DeletePolicy removes the policy and its versions. Attachments are the caller's to check first.
func (tx *Tx) DeletePolicy(account arn.AccountID, policyARN string) error {
	tx.changed(kindPolicy, account, "", policyARN)
	if _, err := tx.exec(`DELETE FROM policy_versions WHERE account = $1 AND arn = $2`, account, policyARN); err != nil {
		return err
	}
	return tx.remove(`DELETE FROM managed_policies WHERE account = $1 AND arn = $2`, account, policyARN)
}

// ListPolicies pages by folded name through the policies whose path begins with pathPrefix ("" or "/" for all).
func (tx *Tx) ListPolicies(account arn.AccountID, pathPrefix string, limit int, after string) ([]ManagedPolicy, string, error) {
	where, args := pathFilter(pathPrefix, account, after)
	return page(tx, scanPolicy, func(p *ManagedPolicy) string { return nameKey(p.Name) }, limit,
		`SELECT `+policyColumns+` FROM managed_policies WHERE account = $1 AND name_key > $2 `+where, args...)
}

const versionColumns = `account, arn, number, document, created_at`

func scanVersion(s scanner, v *PolicyVersion) error {
	var number int
	if err := s.Scan(&v.Account, &v.ARN, &number, &v.Document, micros{&v.CreatedAt}); err != nil {
		return err
	}
	v.Version = versionName(number)
	return nil
}

func versionName(number int) string { return "v" + strconv.Itoa(number) }

// versionNumber reads "v12". Anything else names no version.
func versionNumber(version string) (int, bool) {
	digits, ok := strings.CutPrefix(version, "v")
	if !ok || digits == "" || len(digits) > 9 || digits[0] == '0' {
		return 0, false
	}
	n := 0
	for i := range len(digits) {
		if digits[i] < '0' || digits[i] > '9' {
			return 0, false
		}
		n = 10*n + int(digits[i]-'0')
	}
	return n, true
}

// CreatePolicyVersion adds a version.
func (tx *Tx) CreatePolicyVersion(v *PolicyVersion) error {
	number, ok := versionNumber(v.Version)
	if !ok {
		return fmt.Errorf("store: policy version %q is not v1, v2, …", v.Version)
	}
	tx.changed(kindPolicy, v.Account, "", v.ARN)
	return tx.insert(`INSERT INTO policy_versions (`+versionColumns+`) VALUES ($1, $2, $3, $4, $5)`,
		v.Account, v.ARN, number, v.Document, toMicros(v.CreatedAt))
}

// GetPolicyVersion reads one version.
func (tx *Tx) GetPolicyVersion(account arn.AccountID, policyARN, version string) (*PolicyVersion, error) {
	number, ok := versionNumber(version)
	if !ok {
		return nil, ErrNotFound
	}
	if p := tx.embeddedPolicy(policyARN); p != nil && p.Version == version {
		v := tx.embeddedVersion(p)
		return &v, nil
	}
	return one(tx, scanVersion, `SELECT `+versionColumns+` FROM policy_versions WHERE account = $1 AND arn = $2 AND number = $3`,
		policyAccount(account, policyARN), policyARN, number)
}

// DeletePolicyVersion removes one version.
func (tx *Tx) DeletePolicyVersion(account arn.AccountID, policyARN, version string) error {
	number, ok := versionNumber(version)
	if !ok {
		return ErrNotFound
	}
	tx.changed(kindPolicy, account, "", policyARN)
	return tx.remove(`DELETE FROM policy_versions WHERE account = $1 AND arn = $2 AND number = $3`, account, policyARN, number)
}

// ListPolicyVersions pages through a policy's versions, the oldest first. The key to continue after is a version.
func (tx *Tx) ListPolicyVersions(account arn.AccountID, policyARN string, limit int, after string) ([]PolicyVersion, string, error) {
	number, _ := versionNumber(after) // 0 for the first page
	rows, next, err := page(tx, scanVersion, func(v *PolicyVersion) string { return v.Version }, limit,
		`SELECT `+versionColumns+` FROM policy_versions WHERE account = $1 AND arn = $2 AND number > $3 ORDER BY number LIMIT $4`,
		policyAccount(account, policyARN), policyARN, number)
	if p := tx.embeddedPolicy(policyARN); p != nil && err == nil && p.Number() > number {
		return withEmbedded(rows, next, tx.embeddedVersion(p), limit)
	}
	return rows, next, err
}

// withEmbedded puts the embedded version of a policy of AWS's into a page of those imported.
func withEmbedded(rows []PolicyVersion, next string, v PolicyVersion, limit int) ([]PolicyVersion, string, error) {
	order := func(row PolicyVersion, version string) int {
		a, _ := versionNumber(row.Version)
		b, _ := versionNumber(version)
		return a - b
	}
	at, found := slices.BinarySearchFunc(rows, v.Version, order)
	if found || at == len(rows) && next != "" {
		return rows, next, nil // imported as well, or on a later page
	}
	rows = slices.Insert(rows, at, v)
	if limit >= 1 && len(rows) > limit {
		rows = rows[:limit]
		next = rows[limit-1].Version
	}
	return rows, next, nil
}

// CountPolicyVersions is how many versions of the policy are stored.
func (tx *Tx) CountPolicyVersions(account arn.AccountID, policyARN string) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM policy_versions WHERE account = $1 AND arn = $2`, policyAccount(account, policyARN), policyARN)
}
