package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/adclient"
)

func certmongerCommand(getenv func(string) string) *cobra.Command {
	c := &caller{getenv: getenv, machine: true}
	cmd := &cobra.Command{
		Use:   "certmonger",
		Short: "Be a helper of certmonger",
		Long: `Carry out one operation for certmonger, which says in CERTMONGER_OPERATION and other variables what it wants. The
program does the same when it is started as cepces-submit, the name that samba-gpupdate looks for in PATH,
/usr/lib/certmonger and /usr/libexec/certmonger.

Without --ccache or --password-file it is the machine that enrolls. The exit code is certmonger's: 0 issued,
2 rejected, 3 server unreachable, 4 wrong configuration, 5 wait for approval, 6 not supported.`,
		Example: `  getcert add-ca -c corp -e '/usr/bin/rolecall-ad certmonger --server=ca.corp.example.com'
  getcert request -c corp -T Computer -k /etc/ssl/private/host.key -f /etc/ssl/certs/host.pem`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.stdin = cmd.InOrStdin()
			if c.principal == "" && len(c.principals) > 0 {
				c.principal = c.principals[0]
			}
			h := adclient.Helper{Open: c.open, Version: version, Getenv: getenv}
			output, code, err := h.Run(cmd.Context())
			if err != nil {
				output = printable(err.Error()) + "\n"                // certmonger shows it as its status
				fmt.Fprint(cmd.ErrOrStderr(), "rolecall-ad: "+output) // and samba-gpupdate this
			}
			if _, err := fmt.Fprint(cmd.OutOrStdout(), output); err != nil {
				return err
			}
			if code != adclient.ExitIssued {
				return &exitError{code}
			}
			return nil
		},
	}
	c.add(cmd)
	cmd.Flags().StringSliceVar(&c.principals, "principals", nil, "the same as --principal, of several `accounts` the first")
	return cmd
}
