package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolecall/rolecall/internal/awspolicy"
	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/store"
)

// ImportedPolicy is what became of one policy of a dump.
type ImportedPolicy struct {
	ARN     string
	Version string // in force now
	New     bool   // false: what was there is as new, or newer
}

// maxDumpFiles bounds a folder of dumps.
const maxDumpFiles = 20_000

// ImportPolicies stores AWS's managed policies from a dump, or from all *.json files of a folder, for every account. It is
// all or nothing: one document that is not valid refuses the rest.
func ImportPolicies(ctx context.Context, cfg Config, path string) (done []ImportedPolicy, err error) {
	policies, err := readDumps(path)
	if err != nil {
		return nil, err
	}
	err = withStore(ctx, &cfg, func(db *store.DB, _ *keyring.Ring) error {
		return db.Update(ctx, func(tx *store.Tx) error {
			done = make([]ImportedPolicy, 0, len(policies))
			for i := range policies {
				p := &policies[i]
				version, imported, err := tx.ImportAWSPolicy(p)
				if errors.Is(err, store.ErrExists) {
					return fmt.Errorf("%s: another policy has its name or its id %s", p.Name, p.ID)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", p.Name, err)
				}
				done = append(done, ImportedPolicy{p.ARN(cfg.partition()), version, imported})
			}
			return nil
		})
	})
	return done, err
}

// ListAWSPolicies lists AWS's managed policies as every account sees them, by name.
func ListAWSPolicies(ctx context.Context, cfg Config) (policies []store.ManagedPolicy, err error) {
	err = withStore(ctx, &cfg, func(db *store.DB, _ *keyring.Ring) error {
		return db.Read(ctx, func(tx *store.Tx) error {
			policies = nil
			for after := ""; ; {
				page, next, err := tx.ListAWSPolicies("", store.MaxPage, after)
				if err != nil {
					return err
				}
				policies = append(policies, page...)
				if next == "" {
					return nil
				}
				after = next
			}
		})
	})
	return policies, err
}

func readDumps(path string) ([]awspolicy.Policy, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = filepath.Glob(filepath.Join(path, "*.json")); err != nil {
			return nil, err
		}
	}
	switch {
	case len(files) == 0:
		return nil, fmt.Errorf("%s has no *.json files", path)
	case len(files) > maxDumpFiles:
		return nil, fmt.Errorf("%s has more than %d files", path, maxDumpFiles)
	}
	var out []awspolicy.Policy
	for _, file := range files {
		policies, err := readDump(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		out = append(out, policies...)
	}
	return out, nil
}

func readDump(file string) ([]awspolicy.Policy, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, awspolicy.MaxDump+1))
	if err != nil {
		return nil, err
	}
	return awspolicy.Read(data, strings.TrimSuffix(filepath.Base(file), ".json"))
}
