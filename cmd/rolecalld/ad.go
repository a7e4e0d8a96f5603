package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/server"
)

func adCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ad",
		Short: "Set Active Directory up for enrollment",
		Long: `Set Active Directory up so that its members enroll by themselves. The commands work on the store directly and
may run beside a running server.`,
	}
	cmd.AddCommand(adDirectoryCommand(getenv), adCheckCommand(getenv), adPublishCommand(getenv), adPolicyCommand(getenv))
	return cmd
}

func adDirectoryCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "directory",
		Short: "Add, change, list and delete directories",
		Long:  `Directories are Active Directory domains as the server knows them: their ids are what aws pca-connector-ad takes.`,
	}
	cmd.AddCommand(adCreateCommand(getenv), adUpdateCommand(getenv), adListCommand(getenv), adDeleteCommand(getenv))
	return cmd
}

// adFlags are those that all commands about directories have.
type adFlags struct {
	cfg     server.Config
	account string
	region  string
}

func (a *adFlags) add(cmd *cobra.Command, getenv func(string) string) {
	adminFlags(cmd, &a.cfg, getenv)
	cmd.Flags().StringVar(&a.account, "account-id", "", "12-digit `id` (default: the account of the first start)")
	cmd.Flags().StringVar(&a.region, "region", "us-east-1", "`region` of the directory")
}

func (a *adFlags) key(id string) (server.DirectoryKey, error) {
	key := server.DirectoryKey{Region: arn.Region(a.region), ID: id}
	if a.account == "" {
		return key, nil
	}
	var err error
	key.Account, err = arn.ParseAccountID(a.account)
	return key, err
}

// directoryFlags are what describes a directory.
type directoryFlags struct {
	in                           server.Directory
	caFile, passwordFile, keytab string
}

// envBindPassword has no flag of its own: everybody on a machine sees command lines.
const envBindPassword = "ROLECALLD_BIND_PASSWORD"

func (d *directoryFlags) add(f *pflag.FlagSet) {
	f.StringArrayVar(&d.in.Servers, "server", nil, "`URL` of a domain controller, ldaps://HOST; may be given several times")
	f.StringVar(&d.caFile, "ca-file", "", "PEM `file` with the CAs of the domain controllers' certificates (default: the system's)")
	f.StringVar(&d.in.BindUser, "bind-user", "", "`account` that reads the directory: a UPN, a DN or DOMAIN\\name")
	f.StringVar(&d.passwordFile, "bind-password-file", "", "`file` with its password in the first line (default: "+envBindPassword+", or the terminal)")
	f.StringVar(&d.keytab, "keytab", "", "`file` with the keys of HTTP/<policy host>; without one, clients come with passwords only")
	f.StringVar(&d.in.PolicyHost, "policy-host", "", "DNS `name` under which clients reach the server")
	f.StringVar(&d.in.ChannelBinding, "channel-binding", "", "off, allow or require: TLS channel of Kerberos tickets; require keeps out clients that send none (default for a new directory: allow)")
	f.StringVar(&d.in.Realm, "realm", "", "Kerberos `realm` (default: what the domain controller says)")
	f.StringVar(&d.in.Domain, "netbios-domain", "", "NetBIOS `name` of the domain (default: what the domain controller says)")
	f.BoolVar(&d.in.Offline, "offline", false, "do not connect to the domain; needs --realm and --netbios-domain")
}

// read fetches what the flags name. The password is asked for only if it is needed.
func (d *directoryFlags) read(ctx context.Context, getenv func(string) string, passwordNeeded bool) (err error) {
	if d.caFile != "" {
		if d.in.Trust, err = readSmall(d.caFile); err != nil {
			return err
		}
	}
	if d.keytab != "" {
		if d.in.Keytab, err = readSmall(d.keytab); err != nil {
			return err
		}
		if len(d.in.Keytab) == 0 {
			return fmt.Errorf("%s is empty", d.keytab)
		}
	}
	from := secretFrom{file: d.passwordFile, fd: noDescriptor, env: envBindPassword}
	if passwordNeeded {
		from.prompt = "Password of " + d.in.BindUser + ": "
	}
	d.in.BindPassword, err = from.read(ctx, getenv)
	return err
}

func adCreateCommand(getenv func(string) string) *cobra.Command {
	var a adFlags
	var d directoryFlags
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Register an Active Directory domain",
		Long: `Register an Active Directory domain and print the id of the new directory. The command binds to a domain
controller with what it was given before it stores anything; password and keytab are stored sealed.`,
		Example: `  rolecalld ad directory create --server ldaps://dc1.corp.example.com --ca-file dc-ca.pem \
    --bind-user svc-rolecall@corp.example.com --bind-password-file password \
    --keytab http.keytab --policy-host pki.corp.example.com --data-dir ./data`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := a.key("")
			if err != nil {
				return err
			}
			if err := d.read(cmd.Context(), getenv, true); err != nil {
				return err
			}
			made, err := server.CreateDirectory(cmd.Context(), a.cfg, key, d.in)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), made.ID)
			return nil
		},
	}
	a.add(cmd, getenv)
	d.add(cmd.Flags())
	return cmd
}

func adUpdateCommand(getenv func(string) string) *cobra.Command {
	var a adFlags
	var d directoryFlags
	cmd := &cobra.Command{
		Use:   "update ID",
		Short: "Change what is registered of a domain",
		Long: `Change what the flags name and keep the rest, such as a new keytab after the account's password was changed. The
command connects as ad directory create does.`,
		Example: "  rolecalld ad directory update d-0123456789 --keytab new.keytab --data-dir ./data",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := a.key(args[0])
			if err != nil {
				return err
			}
			if err := d.read(cmd.Context(), getenv, d.in.BindUser != ""); err != nil {
				return err
			}
			changed, err := server.UpdateDirectory(cmd.Context(), a.cfg, key, d.in)
			if err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), changed.ID)
			return nil
		},
	}
	a.add(cmd, getenv)
	d.add(cmd.Flags())
	return cmd
}

func adListCommand(getenv func(string) string) *cobra.Command {
	var a adFlags
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the directories of an account",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := a.key("")
			if err != nil {
				return err
			}
			list, err := server.ListDirectories(cmd.Context(), a.cfg, key)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "DIRECTORY\tREALM\tDOMAIN\tPOLICY HOST\tCHANNEL BINDING\tKERBEROS\tSERVERS\tCREATED")
			for i := range list {
				row := &list[i]
				tickets := "yes"
				if len(row.Keytab) == 0 {
					tickets = "no keytab"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row.ID, row.Realm, row.Domain, row.PolicyHost, row.ChannelBinding, tickets,
					strings.Join(row.Servers, " "), row.CreatedAt.Format(time.RFC3339))
			}
			return w.Flush()
		},
	}
	a.add(cmd, getenv)
	return cmd
}

func adDeleteCommand(getenv func(string) string) *cobra.Command {
	var a adFlags
	cmd := &cobra.Command{
		Use:   "delete ID",
		Short: "Delete a directory that nothing uses",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := a.key(args[0])
			if err != nil {
				return err
			}
			return server.DeleteDirectory(cmd.Context(), a.cfg, key)
		},
	}
	a.add(cmd, getenv)
	return cmd
}
