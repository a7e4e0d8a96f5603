package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/issuance"
	"github.com/rolecall/rolecall/internal/server"
)

func caCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ca",
		Short: "Bring an existing CA with its key, and list the private CAs",
		Long: `Bring an existing CA with its key, and list the private CAs of all accounts. New CAs are made through the API
(aws acm-pca create-certificate-authority). The commands work on the store directly and may run beside a running server.`,
	}
	cmd.AddCommand(caImportCommand(getenv), caListCommand(getenv))
	return cmd
}

// envCAPassword has no flag of its own: everybody on a machine sees command lines.
const envCAPassword = "ROLECALLD_CA_PASSWORD"

func caImportCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	var files server.CAFiles
	var account, region, pkcs12 string
	password := secretFrom{env: envCAPassword, prompt: "Password of the CA's key: "}
	var short bool
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Make an existing CA one of an account",
		Long: `Make an existing CA, certificate and key, one of an account. It is ACTIVE at once. The key is sealed under the key
ring, whatever kind of storage the server has for new keys. A subordinate comes with its chain up to the root.
The password of an encrypted key or PKCS#12 file is read from --password-file, --password-fd or
ROLECALLD_CA_PASSWORD in the environment, or asked for at the terminal. What the CA issued before cannot be revoked here: its certificates are not known.`,
		Example: `  rolecalld ca import --data-dir ./data --account 123456789012 --region eu-central-1 --certificate ca.pem --key ca.key --chain root.pem
  rolecalld ca import --data-dir ./data --account 123456789012 --region eu-central-1 --pkcs12 ca.p12 --password-file password`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (pkcs12 == "") == (files.Certificate == "") || account == "" || region == "" {
				return errors.New("--account, --region and either --certificate or --pkcs12 are needed")
			}
			if pkcs12 != "" {
				files.Certificate = pkcs12
			}
			secret, ok, err := password.given(getenv)
			if err != nil {
				return err
			}
			if ok {
				files.Password = func() ([]byte, error) { return []byte(secret), nil }
			}
			files.Ask = func() ([]byte, error) {
				secret, err := password.ask(cmd.Context())
				return []byte(secret), err
			}
			name, err := server.ImportCA(cmd.Context(), cfg, account, region, files, short)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), name)
			return nil
		},
	}
	adminFlags(cmd, &cfg, getenv)
	f := cmd.Flags()
	f.StringVar(&account, "account", "", "12-digit `id` of the account")
	f.StringVar(&region, "region", "", "`region` that the CA is to be in")
	f.StringVar(&files.Certificate, "certificate", "", "`file` with the CA's certificate")
	f.StringVar(&files.Key, "key", "", "`file` with the CA's private key, PEM or DER, encrypted or not")
	f.StringVar(&files.Chain, "chain", "", "PEM `file` with the certificates above a subordinate's")
	f.StringVar(&pkcs12, "pkcs12", "", "PKCS#12 `file` with all of them, instead of the three")
	f.StringVar(&password.file, "password-file", "", "`file` with the password in its first line (default: "+envCAPassword+", or the terminal)")
	f.IntVar(&password.fd, "password-fd", noDescriptor, "open file `descriptor` to read it from, 0 or from 3 on")
	blockedFlag(f, &cfg.BlockedKeys)
	f.BoolVar(&short, "short-lived", false, "the CA issues for at most 7 days")
	return cmd
}

func caListCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the private CAs of all accounts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := server.ListCAs(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "ARN\tTYPE\tSTATUS\tKEY\tNOT AFTER")
			for i := range list {
				ca, key, end := &list[i], "none", "-"
				switch {
				case len(ca.KeyRef) > 0 && ca.KeyRef[0] == '{':
					key = "token"
				case len(ca.KeyRef) > 0:
					key = "sealed"
				}
				if !ca.NotAfter.IsZero() {
					end = ca.NotAfter.Format(time.RFC3339)
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", issuance.ARN(ca), ca.Type, issuance.StatusOf(ca, time.Now()), key, end)
			}
			return w.Flush()
		},
	}
	adminFlags(cmd, &cfg, getenv)
	return cmd
}
