package store

import (
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
)

// kind is the sort of cached row a change concerns. The values are stored: they never change meaning.
type kind string

const (
	kindAccount      kind = "account"
	kindAccessKey    kind = "access-key"
	kindRole         kind = "role"
	kindUser         kind = "user"
	kindGroup        kind = "group"
	kindPolicy       kind = "policy"
	kindTrustAnchor  kind = "trust-anchor"
	kindProfile      kind = "profile"
	kindAnchorCRLs   kind = "anchor-crls" // all CRLs of one trust anchor
	kindAuthority    kind = "certificate-authority"
	kindRevoked      kind = "revoked" // an issuer's revocations of serials that begin alike
	kindAuthorityCRL kind = "authority-crl"
	kindDirectory    kind = "directory"
	kindPolicyHost   kind = "policy-host"          // the directories of one enrollment host
	kindConnector    kind = "connector"            // with its templates and their access entries
	kindConnectors   kind = "directory-connectors" // the connectors of one directory
	kindAuthorityID  kind = "authority-id"         // a private CA by its id alone
	kindResponder    kind = "ocsp-responder"
	kindIssuing      kind = "issuing-authority" // a private CA and its policy
	kindOther        kind = "other"             // bumps the revision; nothing cached
	kindOIDCProvider kind = "oidc-provider"
	kindOIDCIssuer   kind = "oidc-issuer"        // an account's, with its keys
	kindLearned      kind = "learned-revocation" // an anchor's learnt revocations of serials that begin alike
)

// trust tells whether sessions of certificates may depend on rows of the kind.
func (k kind) trust() bool {
	switch k {
	case kindTrustAnchor, kindAnchorCRLs, kindAuthority, kindRevoked, kindLearned:
		return true
	}
	return false
}

// change names one entry of the cached view. It is also the view's key.
type change struct {
	kind    kind
	account arn.AccountID
	region  arn.Region
	id      string // resource id, lower-case name, or policy ARN
}

// changed notes that the transaction touched what the view may hold under c. The revision moves once, at the commit.
func (tx *Tx) changed(k kind, account arn.AccountID, region arn.Region, id string) {
	c := change{k, account, region, id}
	if tx.seen[c] {
		return
	}
	if tx.seen == nil {
		tx.seen = make(map[change]bool)
	}
	tx.seen[c] = true
	tx.changes = append(tx.changes, c)
}

// Revision tells states of the store apart: while it is the same, no row that the view may hold has changed. It is 0 in a
// transaction that has changed such a row itself.
func (tx *Tx) Revision() (int64, error) {
	if len(tx.changes) > 0 {
		return 0, nil
	}
	revision, err := one(tx, func(s scanner, n *int64) error { return s.Scan(n) }, `SELECT value FROM revision`)
	if err != nil {
		return 0, err
	}
	return *revision, nil
}

// recordChanges writes the transaction's changes under the next revision; 0 if there are none. It runs last: from here to
// the commit the transaction holds the revision row's lock, which makes the order of revisions that of commits.
func (tx *Tx) recordChanges() (int64, error) {
	if len(tx.changes) == 0 {
		return 0, nil
	}
	revision, err := one(tx, func(s scanner, n *int64) error { return s.Scan(n) },
		`UPDATE revision SET value = value + 1 WHERE one = 1 RETURNING value`)
	if err != nil {
		return 0, err
	}
	const width, batch = 7, 100
	for at := 0; at < len(tx.changes); at += batch {
		part := tx.changes[at:min(at+batch, len(tx.changes))]
		var q strings.Builder
		q.WriteString(`INSERT INTO changes (revision, n, at, kind, account, region, id) VALUES `)
		tx.eng.values(&q, len(part), width)
		args := make([]any, 0, width*len(part))
		for i, c := range part {
			args = append(args, *revision, at+i, tx.Now.UnixMicro(), string(c.kind), string(c.account), string(c.region), c.id)
		}
		if _, err := tx.exec(q.String(), args...); err != nil {
			return 0, err
		}
	}
	return *revision, nil
}
