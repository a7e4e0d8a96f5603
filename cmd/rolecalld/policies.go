package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/server"
)

func policiesCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policies",
		Short: "Import and list AWS's managed policies",
		Long: `Import and list AWS's managed policies (arn:aws:iam::aws:policy/…). A selection of them is built in; the rest,
and newer versions, can be imported from an AWS account. They are the same for all accounts. The commands work on
the store directly and may run beside a running server.`,
	}
	cmd.AddCommand(policiesImportCommand(getenv), policiesListCommand(getenv))
	return cmd
}

func regionFlag(cmd *cobra.Command, p *string) {
	cmd.Flags().StringVar(p, "region", "us-east-1", "the server's home `region`: its partition is that of the policies")
}

func policiesImportCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "import FILE|FOLDER",
		Short: "Import AWS's managed policies from JSON, for all accounts",
		Long: `Import AWS's managed policies from a JSON file, or from all *.json files of a folder. A policy takes effect
if its version is newer than the one there is. A file holds one of:

  {"Policy": {…}, "PolicyVersion": {…}}    the answers of aws iam get-policy and get-policy-version merged;
                                           the latter alone if "PolicyArn" stands beside it, or if the file's
                                           name is the policy's
  [ … ]                                    a list of those
  {"Policies": […]}                        the answer of aws iam get-account-authorization-details,
                                           filtered for AWSManagedPolicy
  {"NAME": {"Version": …, …}, …}           documents by name, path and name, or ARN; without versions: each
                                           replaces one that differs`,
		Example: `  aws iam get-account-authorization-details --filter AWSManagedPolicy > used.json
  rolecalld policies import used.json --data-dir ./data`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			done, err := server.ImportPolicies(cmd.Context(), cfg, args[0])
			if err != nil {
				return err
			}
			imported := 0
			for _, p := range done {
				if p.New {
					imported++
					fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", p.ARN, p.Version)
				}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d imported, %d not newer than what is there\n", imported, len(done)-imported)
			return nil
		},
	}
	adminFlags(cmd, &cfg, getenv)
	regionFlag(cmd, &cfg.Region)
	return cmd
}

func policiesListCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List AWS's managed policies that there are",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			policies, err := server.ListAWSPolicies(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "POLICY\tVERSION\tUPDATED")
			for i := range policies {
				p := &policies[i]
				fmt.Fprintf(w, "%s\t%s\t%s\n", p.ARN, p.DefaultVersion, p.UpdatedAt.Format(time.RFC3339))
			}
			return w.Flush()
		},
	}
	adminFlags(cmd, &cfg, getenv)
	regionFlag(cmd, &cfg.Region)
	return cmd
}
