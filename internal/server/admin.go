package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// withStore runs fn on the store and key ring of a data folder that was served before.
func withStore(ctx context.Context, cfg *Config, fn func(*store.DB, *keyring.Ring) error) (err error) {
	if err := cfg.normalise(); err != nil {
		return err
	}
	if cfg.Store == "memory" {
		return errors.New("a memory store cannot be reached from another process")
	}
	// A mistyped folder must not become a new, empty one.
	ring, err := keyring.Load(filepath.Join(cfg.DataDir, KeyRingFile))
	if errors.Is(err, keyring.ErrMissing) {
		return fmt.Errorf("%w: the data folder is one that a server was started on before", err)
	}
	if err != nil {
		return err
	}
	if _, err := cfg.prepareDataDir(); err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{Source: cfg.storeSource(), Partition: cfg.partition()})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := checkRing(ctx, db, ring); err != nil {
		return err
	}
	return fn(db, ring)
}

// CreateAccount adds an account with a root access key of its own; the key is written to a file in the data folder.
func CreateAccount(ctx context.Context, cfg Config, name string) (made *NewAccount, err error) {
	if strings.TrimSpace(name) == "" || len(name) > 128 {
		return nil, errors.New("an account name has 1 to 128 characters")
	}
	err = withStore(ctx, &cfg, func(db *store.DB, ring *keyring.Ring) error {
		if _, _, err := firstStart(ctx, db, ring, &Config{DataDir: cfg.DataDir}); err != nil {
			return err
		}
		made, err = createAccount(ctx, db, ring, &cfg, name, false)
		return err
	})
	return made, err
}

// ListAccounts lists all accounts by id.
func ListAccounts(ctx context.Context, cfg Config) (accounts []store.Account, err error) {
	err = withStore(ctx, &cfg, func(db *store.DB, _ *keyring.Ring) error {
		return db.Read(ctx, func(tx *store.Tx) error {
			accounts = nil
			for after := ""; ; {
				page, next, err := tx.ListAccounts(100, after)
				if err != nil {
					return err
				}
				accounts = append(accounts, page...)
				if next == "" {
					return nil
				}
				after = next
			}
		})
	})
	return accounts, err
}
