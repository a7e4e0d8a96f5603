package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/server"
)

func accountCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "account",
		Short: "Add and list accounts (tenants)",
		Long: `Add and list accounts. Each has resources, users and a root access key of its own; nothing is shared
between accounts. The commands work on the store directly and may run beside a running server.`,
	}
	cmd.AddCommand(accountCreateCommand(getenv), accountListCommand(getenv))
	return cmd
}

func adminFlags(cmd *cobra.Command, cfg *server.Config, getenv func(string) string) {
	dataDirFlag(cmd.Flags(), &cfg.DataDir)
	storeFlag(cmd.Flags(), &cfg.Store)
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		return flagsFromEnv(cmd.Flags(), getenv)
	}
}

func accountCreateCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Add an account with its own root access key",
		Example: "  rolecalld account create payments --data-dir ./data",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			made, err := server.CreateAccount(cmd.Context(), cfg, args[0])
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "account %s (%s)\nroot access key in %s\n", made.ID, made.Name, made.CredentialsFile)
			return nil
		},
	}
	adminFlags(cmd, &cfg, getenv)
	cmd.Flags().StringVar(&cfg.AccountID, "account-id", "", "12-digit `id` (default: random)")
	return cmd
}

func accountListCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the accounts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			accounts, err := server.ListAccounts(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ACCOUNT\tNAME\tCREATED")
			for _, a := range accounts {
				fmt.Fprintf(w, "%s\t%s\t%s\n", a.ID, a.Name, a.CreatedAt.Format(time.RFC3339))
			}
			return w.Flush()
		},
	}
	adminFlags(cmd, &cfg, getenv)
	return cmd
}
