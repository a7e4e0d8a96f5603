package store

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awspolicy"
)

// AWSAccount stands where AWS's managed policies have their account. It is no account: nobody belongs to it.
const AWSAccount arn.AccountID = "aws"

// AWS's managed policies are there in every account: the embedded ones, under those of the table that were imported with a
// newer version. The methods for managed policies find them by ARN whatever account asks; a row's Account is AWSAccount.

// IsAWSPolicy reports whether an ARN has the form of one of AWS's managed policies, in any partition. It is on the way of
// every request.
func IsAWSPolicy(policyARN string) bool {
	rest, ok := strings.CutPrefix(policyARN, "arn:")
	if !ok {
		return false
	}
	partition, rest, ok := strings.Cut(rest, ":")
	return ok && partition != "" && strings.HasPrefix(rest, "iam::aws:policy/")
}

// policyAccount is the account whose rows an ARN is among.
func policyAccount(account arn.AccountID, policyARN string) arn.AccountID {
	if IsAWSPolicy(policyARN) {
		return AWSAccount
	}
	return account
}

// embeddedPolicy is the embedded policy with this ARN; nil if there is none in the store's partition.
func (tx *Tx) embeddedPolicy(policyARN string) *awspolicy.Policy {
	partition := tx.db.cfg.Partition
	if !strings.HasPrefix(policyARN, awspolicy.Prefix(partition)+"/") {
		return nil
	}
	p := awspolicy.Get(policyARN[strings.LastIndexByte(policyARN, '/')+1:])
	if p == nil || p.ARN(partition) != policyARN {
		return nil
	}
	return p
}

func (tx *Tx) embeddedRow(p *awspolicy.Policy) ManagedPolicy {
	return ManagedPolicy{
		Account: AWSAccount, ARN: p.ARN(tx.db.cfg.Partition), Name: p.Name, Path: p.Path, ID: p.ID,
		DefaultVersion: p.Version, NextVersion: p.Number() + 1, CreatedAt: p.Created, UpdatedAt: p.Updated,
	}
}

func (tx *Tx) embeddedVersion(p *awspolicy.Policy) PolicyVersion {
	partition := tx.db.cfg.Partition
	return PolicyVersion{Account: AWSAccount, ARN: p.ARN(partition), Version: p.Version, Document: p.In(partition), CreatedAt: p.Updated}
}

// newer reports whether an imported policy stands before the embedded one.
func newer(row *ManagedPolicy, p *awspolicy.Policy) bool {
	n, _ := versionNumber(row.DefaultVersion)
	return p == nil || n > p.Number()
}

// overEmbedded chooses between what the table says and the embedded policy.
func (tx *Tx) overEmbedded(row *ManagedPolicy, err error, policyARN string) (*ManagedPolicy, error) {
	p := tx.embeddedPolicy(policyARN)
	if err == nil && newer(row, p) || err != nil && (p == nil || !errors.Is(err, ErrNotFound)) {
		return row, err
	}
	e := tx.embeddedRow(p)
	return &e, nil
}

// ListAWSPolicies pages by folded name through AWS's policies of the store's partition whose path begins with pathPrefix.
func (tx *Tx) ListAWSPolicies(pathPrefix string, limit int, after string) ([]ManagedPolicy, string, error) {
	if limit < 1 || limit > MaxPage {
		limit = MaxPage
	}
	imported, err := tx.importedPolicies()
	if err != nil {
		return nil, "", err
	}
	var out []ManagedPolicy
	for _, p := range awspolicy.All() {
		row := tx.embeddedRow(p)
		if i := imported[nameKey(p.Name)]; i == nil || i.ARN != row.ARN || !newer(i, p) {
			delete(imported, nameKey(p.Name))
			out = append(out, row)
		}
	}
	for _, row := range imported {
		out = append(out, *row)
	}
	out = slices.DeleteFunc(out, func(p ManagedPolicy) bool {
		return nameKey(p.Name) <= after || !strings.HasPrefix(p.Path, pathPrefix)
	})
	slices.SortFunc(out, func(a, b ManagedPolicy) int { return cmp.Compare(nameKey(a.Name), nameKey(b.Name)) })
	if len(out) > limit {
		return out[:limit], nameKey(out[limit-1].Name), nil
	}
	return out, "", nil
}

// importedPolicies are the table's policies of the store's partition, by folded name.
func (tx *Tx) importedPolicies() (map[string]*ManagedPolicy, error) {
	out := map[string]*ManagedPolicy{}
	prefix := awspolicy.Prefix(tx.db.cfg.Partition) + "/"
	for after := ""; ; {
		rows, next, err := tx.ListPolicies(AWSAccount, "", MaxPage, after)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if strings.HasPrefix(rows[i].ARN, prefix) {
				out[nameKey(rows[i].Name)] = &rows[i]
			}
		}
		if next == "" {
			return out, nil
		}
		after = next
	}
}

// ImportAWSPolicy stores one of AWS's policies if it is newer than what is there, and reports whether it was. One without a
// version becomes the next one, unless its document is already in force. Its partition is the store's.
func (tx *Tx) ImportAWSPolicy(p *awspolicy.Policy) (version string, imported bool, err error) {
	policyARN := p.ARN(tx.db.cfg.Partition)
	now, err := tx.GetPolicy(AWSAccount, policyARN)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", false, err
	}
	row := ManagedPolicy{Account: AWSAccount, ARN: policyARN, Name: p.Name, Path: p.Path, ID: p.ID, CreatedAt: p.Created, UpdatedAt: p.Updated}
	next := max(p.Number(), 1)
	if now != nil {
		old, _ := versionNumber(now.DefaultVersion)
		current, err := tx.GetPolicyVersion(AWSAccount, policyARN, now.DefaultVersion)
		if err != nil {
			return "", false, err
		}
		if p.Version == "" {
			next = old + 1
		}
		if next <= old || p.Version == "" && current.Document == p.Document {
			return now.DefaultVersion, false, nil
		}
		row.ID, row.CreatedAt = now.ID, now.CreatedAt
	}
	for _, at := range []*time.Time{&row.CreatedAt, &row.UpdatedAt} {
		if at.IsZero() {
			*at = tx.Now
		}
	}
	row.DefaultVersion, row.NextVersion = versionName(next), next+1
	if err := tx.PutPolicy(&row); err != nil {
		return "", false, err
	}
	v := PolicyVersion{Account: AWSAccount, ARN: policyARN, Version: row.DefaultVersion, Document: p.Document, CreatedAt: row.UpdatedAt}
	return v.Version, true, tx.CreatePolicyVersion(&v)
}
