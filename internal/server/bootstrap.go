package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/gate"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/sessiontoken"
	"github.com/rolecall/rolecall/internal/store"
)

// KeyRingFile is the key ring's name in the data folder.
const KeyRingFile = "keyring.json"

// rootCredentialsFile holds the first account's root access key; other accounts' files carry their id.
const rootCredentialsFile = "root-credentials"

// Names of server values in the store.
const (
	valueFirstAccount = "first-account"
	valueRingCheck    = "key-ring-check"
)

// ringCheckLabel is the key ring label of a value that only opens under the ring the store was set up with.
const ringCheckLabel = "store-check"

// defaultAccountName is the name of the account that the first start makes.
const defaultAccountName = "default"

// openRing loads the data folder's key ring, or makes one where none is.
func openRing(dir string) (ring *keyring.Ring, created bool, err error) {
	path := filepath.Join(dir, KeyRingFile)
	ring, err = keyring.Load(path)
	if !errors.Is(err, keyring.ErrMissing) {
		return ring, false, err
	}
	if _, statErr := os.Stat(filepath.Join(dir, "rolecall.db")); statErr == nil {
		return nil, false, fmt.Errorf("%w, but there is a store in %s: put the key ring back, nothing in the store can be read without it", err, dir)
	}
	ring, err = keyring.Create(path)
	return ring, true, err
}

// firstStart makes sure that the store belongs to this key ring and has a first account with a root key.
func firstStart(ctx context.Context, db *store.DB, ring *keyring.Ring, cfg *Config) (first arn.AccountID, created bool, err error) {
	if err := errors.Join(checkRing(ctx, db, ring), checkKeys(ctx, db, ring)); err != nil {
		return "", false, err
	}
	first, err = firstAccount(ctx, db)
	if err == nil {
		return first, false, ensureGivenRootKey(ctx, db, ring, cfg, first)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return "", false, err
	}
	made, err := createAccount(ctx, db, ring, cfg, defaultAccountName, true)
	if errors.Is(err, store.ErrExists) {
		if first, readErr := firstAccount(ctx, db); readErr == nil {
			return first, false, ensureGivenRootKey(ctx, db, ring, cfg, first) // another node was quicker
		}
	}
	if err != nil {
		return "", false, err
	}
	return made.ID, true, nil
}

// firstAccount is the account that the first start made, or store.ErrNotFound.
func firstAccount(ctx context.Context, db *store.DB) (first arn.AccountID, err error) {
	err = db.Read(ctx, func(tx *store.Tx) error {
		v, err := tx.GetServerValue(valueFirstAccount)
		if err == nil {
			first = arn.AccountID(v.Value)
		}
		return err
	})
	return first, err
}

var errForeignRing = errors.New("the store was set up with another key ring: copy " + KeyRingFile + " from a node that already serves this store")

// checkRing refuses a store that another key ring has set up, before anything is sealed under the wrong one.
func checkRing(ctx context.Context, db *store.DB, ring *keyring.Ring) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		v, err := tx.GetServerValue(valueRingCheck)
		if errors.Is(err, store.ErrNotFound) {
			return tx.CreateServerValue(&store.ServerValue{Name: valueRingCheck, Value: ring.Seal(ringCheckLabel, nil, []byte("rolecall"))})
		}
		if err != nil {
			return err
		}
		if _, err := ring.Open(ringCheckLabel, nil, v.Value); err != nil {
			return errForeignRing
		}
		return nil
	})
}

// NewAccount is an account that was just made.
type NewAccount struct {
	ID              arn.AccountID
	Name            string
	CredentialsFile string
}

// createAccount adds an account with a root key, and writes the key's credentials file before the account exists: a
// crash between the two leaves a file that opens nothing, never an account that nobody can enter.
func createAccount(ctx context.Context, db *store.DB, ring *keyring.Ring, cfg *Config, name string, first bool) (*NewAccount, error) {
	id := arn.AccountID(cfg.AccountID)
	if id == "" {
		var err error
		if id, err = randomAccountID(); err != nil {
			return nil, err
		}
	}
	keyID, secret := cfg.RootAccessKeyID, cfg.RootSecretAccessKey
	if keyID == "" {
		keyID, secret = sessiontoken.NewAccessKeyID(sessiontoken.LongTerm, id), sessiontoken.NewSecret()
	}
	file := filepath.Join(cfg.DataDir, rootCredentialsFile)
	if !first {
		file += "-" + string(id)
	}
	// Only the first account's file may be replaced: it is left over from a first start that did not finish. Another
	// account's file may hold the one copy of its root key.
	err := writeCredentials(file, keyID, secret, first)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("account %s or its credentials file %s exists already", id, file)
	}
	if err != nil {
		return nil, err
	}
	err = db.Update(ctx, func(tx *store.Tx) error {
		if err := tx.CreateAccount(&store.Account{ID: id, Name: name, CreatedAt: tx.Now}); err != nil {
			return err
		}
		if first {
			if err := tx.CreateServerValue(&store.ServerValue{Name: valueFirstAccount, Value: []byte(id)}); err != nil {
				return err
			}
		}
		return tx.CreateAccessKey(&store.AccessKey{ID: keyID, Account: id, Secret: ring.Seal(gate.SecretLabel, []byte(keyID), []byte(secret)), Active: true, CreatedAt: tx.Now})
	})
	if err != nil {
		if rmErr := os.Remove(file); rmErr != nil && !errors.Is(rmErr, fs.ErrNotExist) {
			err = errors.Join(err, rmErr)
		}
		if errors.Is(err, store.ErrExists) {
			return nil, fmt.Errorf("account %s or its root access key exists already: %w", id, err)
		}
		return nil, err
	}
	return &NewAccount{ID: id, Name: name, CredentialsFile: file}, nil
}

// ensureGivenRootKey makes the root key from the environment valid on a store that exists already.
func ensureGivenRootKey(ctx context.Context, db *store.DB, ring *keyring.Ring, cfg *Config, first arn.AccountID) error {
	if cfg.RootAccessKeyID == "" {
		return nil
	}
	id, secret := cfg.RootAccessKeyID, cfg.RootSecretAccessKey
	err := db.Update(ctx, func(tx *store.Tx) error {
		key, err := tx.GetAccessKey(id)
		if err == nil && (key.Account != first || key.UserName != "") {
			return fmt.Errorf("access key %s from the environment belongs to somebody else", id)
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return tx.PutAccessKey(&store.AccessKey{ID: id, Account: first, Secret: ring.Seal(gate.SecretLabel, []byte(id), []byte(secret)), Active: true, CreatedAt: tx.Now})
	})
	if err != nil {
		return err
	}
	return writeCredentials(filepath.Join(cfg.DataDir, rootCredentialsFile), id, secret, true)
}

// randomAccountID draws twelve digits, the first of which is not 0: some tools read account ids as numbers.
func randomAccountID() (arn.AccountID, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
	if err != nil {
		return "", err
	}
	return arn.AccountID(fmt.Sprint(n.Int64() + 100_000_000_000)), nil
}

// writeCredentials writes an AWS credentials file, private to its owner, in one step. Without replace a file that is
// there stays, and the error is fs.ErrExist.
func writeCredentials(path, keyID, secret string, replace bool) error {
	text := "[default]\naws_access_key_id = " + keyID + "\naws_secret_access_key = " + secret + "\n"
	tmp, err := os.CreateTemp(filepath.Dir(path), ".credentials-*") // created 0600
	if err != nil {
		return err
	}
	_, err = tmp.WriteString(text)
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil && replace {
		if err = os.Rename(tmp.Name(), path); err == nil {
			return nil
		}
	} else if err == nil {
		err = os.Link(tmp.Name(), path)
	}
	return errors.Join(err, os.Remove(tmp.Name()))
}
