package store

import (
	"time"

	"github.com/rolecall/rolecall/internal/arn"
)

// RoleDeletion remembers that a service-linked role was deleted, for whoever asks after the task.
type RoleDeletion struct {
	Account   arn.AccountID
	Task      string
	DeletedAt time.Time
}

// roleDeletionsKept is how long a task can be asked after.
const roleDeletionsKept = 30 * 24 * time.Hour

func scanRoleDeletion(s scanner, d *RoleDeletion) error {
	return s.Scan(&d.Account, &d.Task, micros{&d.DeletedAt})
}

// CreateRoleDeletion adds a task, and forgets those of the account that are older than 30 days.
func (tx *Tx) CreateRoleDeletion(d *RoleDeletion) error {
	tx.changed(kindOther, d.Account, "", d.Task)
	if _, err := tx.exec(`DELETE FROM role_deletions WHERE account = $1 AND deleted_at < $2`, d.Account, toMicros(tx.Now.Add(-roleDeletionsKept))); err != nil {
		return err
	}
	return tx.insert(`INSERT INTO role_deletions (account, task, deleted_at) VALUES ($1, $2, $3)`, d.Account, d.Task, toMicros(d.DeletedAt))
}

// GetRoleDeletion reads a task.
func (tx *Tx) GetRoleDeletion(account arn.AccountID, task string) (*RoleDeletion, error) {
	return one(tx, scanRoleDeletion, `SELECT account, task, deleted_at FROM role_deletions WHERE account = $1 AND task = $2`, account, task)
}
