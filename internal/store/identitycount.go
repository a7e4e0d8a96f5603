package store

import "github.com/rolecall/rolecall/internal/arn"

// The counts read a range of an index, no rows.

// CountRoles is how many roles the account has.
func (tx *Tx) CountRoles(account arn.AccountID) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM roles WHERE account = $1`, account)
}

// CountUsers is how many users the account has.
func (tx *Tx) CountUsers(account arn.AccountID) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM users WHERE account = $1`, account)
}

// CountGroups is how many groups the account has.
func (tx *Tx) CountGroups(account arn.AccountID) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM iam_groups WHERE account = $1`, account)
}

// CountPolicies is how many customer managed policies the account has.
func (tx *Tx) CountPolicies(account arn.AccountID) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM managed_policies WHERE account = $1`, account)
}

// CountVersions is how many versions the account's policies have together.
func (tx *Tx) CountVersions(account arn.AccountID) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM policy_versions WHERE account = $1`, account)
}

// CountInstanceProfiles is how many instance profiles the account has.
func (tx *Tx) CountInstanceProfiles(account arn.AccountID) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM instance_profiles WHERE account = $1`, account)
}

// CountAccessKeys is how many keys a user has; "" is the root.
func (tx *Tx) CountAccessKeys(account arn.AccountID, userName string) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM access_keys WHERE account = $1 AND user_key = $2`, account, nameKey(userName))
}

// CountOwnerAttachments is how many managed policies are attached to an identity.
func (tx *Tx) CountOwnerAttachments(account arn.AccountID, owner OwnerKind, ownerName string) (int, error) {
	return tx.count(`SELECT COUNT(*) FROM attachments WHERE account = $1 AND owner_kind = $2 AND owner_key = $3`,
		account, string(owner), nameKey(ownerName))
}

// CountBounded is how many roles and users of the account have the policy as their permissions boundary.
func (tx *Tx) CountBounded(account arn.AccountID, policyARN string) (int, error) {
	return tx.count(`SELECT (SELECT COUNT(*) FROM roles WHERE account = $1 AND boundary = $2 AND boundary <> '')
		+ (SELECT COUNT(*) FROM users WHERE account = $1 AND boundary = $2 AND boundary <> '')`, account, policyARN)
}

// ListBoundedRoles pages by folded name through the roles whose permissions boundary is the policy.
func (tx *Tx) ListBoundedRoles(account arn.AccountID, policyARN string, limit int, after string) ([]Role, string, error) {
	return page(tx, scanRole, func(r *Role) string { return nameKey(r.Name) }, limit, `SELECT `+roleColumns+` FROM roles
		WHERE account = $1 AND boundary = $2 AND boundary <> '' AND name_key > $3 ORDER BY name_key LIMIT $4`, account, policyARN, after)
}

// ListBoundedUsers pages by folded name through the users whose permissions boundary is the policy.
func (tx *Tx) ListBoundedUsers(account arn.AccountID, policyARN string, limit int, after string) ([]User, string, error) {
	return page(tx, scanUser, func(u *User) string { return nameKey(u.Name) }, limit, `SELECT `+userColumns+` FROM users
		WHERE account = $1 AND boundary = $2 AND boundary <> '' AND name_key > $3 ORDER BY name_key LIMIT $4`, account, policyARN, after)
}
