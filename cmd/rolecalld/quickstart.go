package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/quickstart"
)

func quickstartCommand(getenv func(string) string) *cobra.Command {
	cfg := quickstart.Config{}
	var verbose bool
	cmd := &cobra.Command{
		Use:   "quickstart",
		Short: "Certificate in, credentials out: the whole path in a new folder",
		Long: `Start a server in a new folder and set up everything a workload needs: a CA, a trust anchor, a role,
a profile, an end-entity certificate, and an AWS config file of its own (yours is not touched). Then
get credentials through that config with the rolecall client and show who they belong to. With an S3
gateway (versitygw, which make gateway builds) also what they may do at a real S3 store.

The server stays up until Ctrl-C; the lines to paste for the AWS CLI are printed.`,
		Example: `  rolecalld quickstart
  rolecalld quickstart --dir /tmp/try-rolecall --once`,
		Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), getenv)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Out = cmd.OutOrStdout()
			if verbose {
				cfg.Log = cmd.ErrOrStderr()
			}
			if cfg.Client == "" {
				cfg.Client = besideThisProgram("rolecall")
			}
			if cfg.GatewayRequired = cfg.Gateway != ""; !cfg.GatewayRequired {
				cfg.Gateway = besideThisProgram("versitygw")
			}
			if cfg.Dir == "" {
				cfg.Dir = newFolderName("quickstart")
			}
			return quickstart.Run(cmd.Context(), cfg)
		},
	}
	f := cmd.Flags()
	f.StringVar(&cfg.Dir, "dir", "", "`folder` to create (default: quickstart, or quickstart-2 and so on if that exists)")
	f.StringVar(&cfg.Client, "client", "", "rolecall `program` to use (default: the one beside this program)")
	f.StringVar(&cfg.Gateway, "gateway", "", "versitygw `program` to show S3 with (default: the one beside this program, if there is one)")
	f.StringVar(&cfg.Listen, "listen", "", "`address` to serve on (default: 127.0.0.1:8443, or a free port)")
	f.BoolVar(&cfg.Once, "once", false, "end after the check")
	f.BoolVar(&verbose, "verbose", false, "print the server's log on stderr")
	return cmd
}

// besideThisProgram is name in the folder of the running program.
func besideThisProgram(name string) string {
	self, err := os.Executable()
	if err != nil {
		return name
	}
	return filepath.Join(filepath.Dir(self), name)
}

// newFolderName is base, or base-2, base-3 … if that exists.
func newFolderName(base string) string {
	name := base
	for i := 2; ; i++ {
		if _, err := os.Lstat(name); os.IsNotExist(err) {
			return name
		}
		name = fmt.Sprintf("%s-%d", base, i)
	}
}
