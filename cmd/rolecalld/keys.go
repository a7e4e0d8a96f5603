package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/keyring"
	"github.com/rolecall/rolecall/internal/server"
)

func keysCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Rotate and list the keys of the key ring",
		Long: `The key ring (keyring.json in the data folder) seals session tokens and stored secrets. A rotation adds a
key; older ones go on opening what they sealed. A running server notices the change within a second.`,
	}
	cmd.AddCommand(keysRotateCommand(getenv), keysListCommand(getenv))
	return cmd
}

func openRing(dataDir string) (*keyring.Ring, error) {
	if dataDir == "" {
		return nil, errors.New("a data folder is needed (--data-dir)")
	}
	return keyring.Load(filepath.Join(dataDir, server.KeyRingFile))
}

func keysRotateCommand(getenv func(string) string) *cobra.Command {
	var dataDir string
	var after time.Duration
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Add a key and make it the active one",
		Long: `Add a key and make it the active one. With several nodes, give --activate-after time enough to copy
keyring.json to every node: a node that meets a session sealed under a key it does not have refuses it.`,
		Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), getenv)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if after < 0 {
				return errors.New("--activate-after cannot be negative")
			}
			ring, err := openRing(dataDir)
			if err != nil {
				return err
			}
			key, err := ring.Rotate(time.Now().Add(after))
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "key %08x is active from %s\n", key.ID, key.ActiveFrom.Format(time.RFC3339))
			return nil
		},
	}
	dataDirFlag(cmd.Flags(), &dataDir)
	cmd.Flags().DurationVar(&after, "activate-after", 0, "wait this `time` before the new key seals anything")
	return cmd
}

func keysListCommand(getenv func(string) string) *cobra.Command {
	var dataDir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the keys, never their secrets",
		Args:  cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), getenv)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			ring, err := openRing(dataDir)
			if err != nil {
				return err
			}
			active := ring.Active(time.Now())
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "KEY\tFINGERPRINT\tCREATED\tACTIVE FROM\tACTIVE")
			for _, k := range ring.Keys() {
				mark := ""
				if k.ID == active.ID {
					mark = "yes"
				}
				fmt.Fprintf(w, "%08x\t%s\t%s\t%s\t%s\n", k.ID, k.Fingerprint(), k.Created.Format(time.RFC3339), k.ActiveFrom.Format(time.RFC3339), mark)
			}
			return w.Flush()
		},
	}
	dataDirFlag(cmd.Flags(), &dataDir)
	return cmd
}
