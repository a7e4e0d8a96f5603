package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/internal/store"
)

func keysCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Rotate, list and retire the keys of the key ring",
		Long: `The key ring (keyring.json in the data folder) seals session tokens and stored secrets. A rotation adds a
key; older ones go on opening what they sealed, until keys retire. A running server notices the change within a second.`,
	}
	cmd.AddCommand(keysRotateCommand(getenv), keysListCommand(getenv), keysRewrapCommand(getenv), keysRetireCommand(getenv))
	return cmd
}

var errNoDataDir = errors.New("a data folder is needed (--data-dir)")

func openRing(dataDir string) (*keyring.Ring, error) {
	if dataDir == "" {
		return nil, errNoDataDir
	}
	return keyring.Load(filepath.Join(dataDir, server.KeyRingFile))
}

func keysRotateCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	var after time.Duration
	var leave bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Add a key, make it the active one, and seal stored secrets anew under it",
		Long: `Add a key and make it the active one, and seal every stored secret anew under it: access keys, CA keys and
keys of OCSP responders. Servers go on meanwhile. Should it be ended early, keys rewrap does the rest. With several nodes, give --activate-after time enough to copy
keyring.json to every node: a node that meets a session sealed under a key it does not have refuses it. Stored
secrets then stay as they are until keys rewrap.`,
		Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), getenv)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if after < 0 {
				return errors.New("--activate-after cannot be negative")
			}
			if cfg.DataDir == "" {
				return errNoDataDir
			}
			if after == 0 && !leave && !server.HasStore(cfg) {
				return &hintError{errors.New("there is no store whose secrets could be sealed anew"), "name it with --store, or pass --no-rewrap"}
			}
			key, err := server.RotateKey(cmd.Context(), cfg, after)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "key %08x is active from %s\n", key.ID, key.ActiveFrom.Format(time.RFC3339))
			if after > 0 || leave {
				return nil
			}
			return rewrap(cmd, cfg)
		},
	}
	dataDirFlag(cmd.Flags(), &cfg.DataDir)
	storeFlag(cmd.Flags(), &cfg.Store)
	cmd.Flags().BoolVar(&leave, "no-rewrap", false, "leave stored secrets under the keys that they are under")
	cmd.Flags().DurationVar(&after, "activate-after", 0, "wait this `time` before the new key seals anything")
	return cmd
}

func keysListCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys, never their secrets, and what is sealed under them",
		Args:  cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), getenv)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ring, err := openRing(cfg.DataDir)
			if err != nil {
				return err
			}
			var use server.KeyUse
			if server.HasStore(cfg) {
				if use, err = server.KeyUsage(cmd.Context(), cfg); err != nil {
					return err
				}
			}
			active := ring.Active(time.Now())
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tFINGERPRINT\tCREATED\tACTIVE FROM\tACTIVE\tSEALED")
			for _, k := range ring.Keys() {
				mark := ""
				if k.ID == active.ID {
					mark = "yes"
				}
				fmt.Fprintf(w, "%08x\t%s\t%s\t%s\t%s\t%s\n", k.ID, k.Fingerprint(), k.Created.Format(time.RFC3339), k.ActiveFrom.Format(time.RFC3339), mark, sealedText(use, k.ID))
			}
			return w.Flush()
		},
	}
	dataDirFlag(cmd.Flags(), &cfg.DataDir)
	storeFlag(cmd.Flags(), &cfg.Store)
	return cmd
}

// sealedText says what depends on a key; "-" when no store was asked.
func sealedText(use server.KeyUse, id uint32) string {
	if use == nil {
		return "-"
	}
	var parts []string
	for _, kind := range store.SealedKinds() {
		if n := use[id][kind]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, kind))
		}
	}
	if len(parts) == 0 {
		return "nothing stored"
	}
	return strings.Join(parts, ", ")
}

// rewrap reports its progress on stderr.
func rewrap(cmd *cobra.Command, cfg server.Config) error {
	done := map[store.SealedKind]int{}
	total, err := server.RewrapKeys(cmd.Context(), cfg, func(kind store.SealedKind, n int) {
		done[kind] += n
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d sealed anew\n", kind, done[kind])
	})
	if err != nil {
		return &hintError{err, "the new key is active and nothing is lost; keys rewrap does the rest"}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "%d stored secrets sealed anew\n", total)
	return nil
}

func keysRewrapCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "rewrap",
		Short: "Seal stored secrets anew under the active key",
		Long: `Seal every stored secret that is under another key anew under the active one. It works in small transactions
beside running servers, and may be ended and started again at any time.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return rewrap(cmd, cfg) },
	}
	adminFlags(cmd, &cfg, getenv)
	return cmd
}

func keysRetireCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	var endSessions bool
	cmd := &cobra.Command{
		Use:   "retire KEY",
		Short: "Remove a key that no stored secret depends on",
		Long: `Remove a key from the key ring once no stored secret depends on it and no session made under it can be running.
Copy keyring.json to the other nodes afterwards, and keep a backup as long as there are backups of the store from before.`,
		Example: "  rolecalld keys retire 1f2e3d4c --data-dir ./data",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := strconv.ParseUint(args[0], 16, 32)
			if err != nil {
				return fmt.Errorf("%q is not a key: keys list shows them", args[0])
			}
			if err := server.RetireKey(cmd.Context(), cfg, uint32(id), endSessions); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "key %08x is retired\n", id)
			return nil
		},
	}
	adminFlags(cmd, &cfg, getenv)
	cmd.Flags().BoolVar(&endSessions, "end-sessions", false, "end sessions that were made under the key")
	return cmd
}
