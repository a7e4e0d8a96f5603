package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"
)

func policyCommand(getenv func(string) string) *cobra.Command {
	c := &caller{getenv: getenv}
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Show what this account may enroll for",
		Long:  `Ask the enrollment policy server for the templates of this account, and show them with their CAs.`,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.stdin = cmd.InOrStdin()
			client, _, err := c.open()
			if err != nil {
				return err
			}
			policies, err := client.Policies(cmd.Context())
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "TEMPLATE\tFOR\tENROLL\tAUTOMATIC\tKEY\tVALIDITY\tRENEWAL\tVERSION\tCA")
			for i := range policies.Templates {
				t := &policies.Templates[i]
				who, ca := "users", "-"
				if t.Machine {
					who = "machines"
				}
				if len(t.CAs) > 0 {
					ca = policies.CAs[t.CAs[0]].Certificate.Subject.String()
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d.%d\t%s\n", printable(t.Name), who, yes(t.Enroll), yes(t.AutoEnroll), t.Key(), t.Validity, t.Renewal, t.Major, t.Minor, printable(ca))
			}
			return w.Flush()
		},
	}
	c.add(cmd)
	cmd.Flags().BoolVar(&c.machine, "machine", false, "ask as this machine, with the keys of its keytab")
	return cmd
}

func yes(v bool) string {
	if v {
		return "yes"
	}
	return "no"
}
