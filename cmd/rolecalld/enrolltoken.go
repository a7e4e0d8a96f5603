package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/server"
)

func enrollTokenCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enroll-token",
		Short: "Tokens with which machines enroll their first certificate",
		Long: `Tokens with which machines enroll their first certificate. The store holds a hash, so that a token is shown
once. The commands work on the store directly and may run beside a running server.`,
	}
	cmd.AddCommand(tokenCreateCommand(getenv), tokenListCommand(getenv), tokenRevokeCommand(getenv))
	return cmd
}

func tokenCreateCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	var in server.EnrollmentToken
	cmd := &cobra.Command{
		Use:     "create",
		Short:   "Make a token and print it; what else there is to say goes to standard error",
		Example: "  rolecalld enroll-token create --profile hosts --subject 'CN=host1.*' > token",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, row, err := server.CreateEnrollmentToken(cmd.Context(), cfg, in)
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.ErrOrStderr(), "enrollment token %s, until %s\n", row.ID, row.ExpiresAt.Format(time.RFC3339))
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
	adminFlags(cmd, &cfg, getenv)
	f := cmd.Flags()
	f.StringVar(&in.Profile, "profile", "default", "enrollment profile (`NAME`)")
	f.StringVar(&in.Subject, "subject", "", "subjects that it enrolls, within those of the profile, such as CN=host1.* (`PATTERN`)")
	f.StringArrayVar(&in.Alternatives, "san", nil, "alternative names that it enrolls, within those of the profile; repeatable (default: the DNS name that the subject's CN is) (`PATTERN`)")
	f.DurationVar(&in.Life, "ttl", 15*time.Minute, "how long it can be used, at most 720h")
	f.IntVar(&in.Uses, "uses", 1, "how many certificates it enrolls")
	if err := cmd.MarkFlagRequired("subject"); err != nil {
		panic(err) // a name that is not there
	}
	return cmd
}

func tokenListCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the tokens, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := server.ListEnrollmentTokens(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "TOKEN\tPROFILE\tUSES LEFT\tEXPIRES\tSUBJECT\tALTERNATIVE NAMES")
			for _, t := range list {
				fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", t.ID, t.Profile, t.UsesLeft, t.ExpiresAt.Format(time.RFC3339), t.Subject, strings.Join(t.Alternatives, " "))
			}
			return w.Flush()
		},
	}
	adminFlags(cmd, &cfg, getenv)
	return cmd
}

func tokenRevokeCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "revoke ID",
		Short: "Remove a token",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return server.RevokeEnrollmentToken(cmd.Context(), cfg, args[0])
		},
	}
	adminFlags(cmd, &cfg, getenv)
	return cmd
}
