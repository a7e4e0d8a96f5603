package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/enroll/gpo"
	"github.com/rolecall/rolecall/internal/enroll/setup"
	"github.com/rolecall/rolecall/internal/keyring/privatefile"
	"github.com/rolecall/rolecall/internal/server"
)

// adTimeout bounds what a command does in the directory.
const adTimeout = 2 * time.Minute

func adCheckCommand(getenv func(string) string) *cobra.Command {
	var a adFlags
	var asJSON bool
	var pol string
	var opt setup.Options
	cmd := &cobra.Command{
		Use:   "check ID",
		Short: "Check all that enrollment needs, and say how to repair it",
		Long: `Check, in order: domain controllers, TLS, bind and clock; service principal name, account, keytab and a
Kerberos ticket; registration, connector and CA; what is published in the forest; group policy; the policy host's TLS
certificate; templates and who may enroll. It changes nothing. The exit status is 1 if there is a problem. Run it on the
server: it sees the network and the clock from there.`,
		Example: "  rolecalld ad check d-0123456789 --data-dir ./data",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := a.key(args[0])
			if err != nil {
				return err
			}
			if pol != "" {
				if opt.RegistryPol, err = readSmall(pol); err != nil {
					return err
				}
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), adTimeout)
			defer cancel()
			return server.DirectorySetup(ctx, a.cfg, key, func(s *setup.Setup) error {
				return writeResults(cmd.OutOrStdout(), s.Check(ctx, opt), asJSON)
			})
		},
	}
	a.add(cmd, getenv)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the results as JSON")
	cmd.Flags().StringVar(&pol, "registry-pol", "", "Registry.pol `file` of the group policy, to check its values")
	cmd.Flags().StringVar(&opt.PolicyAddress, "policy-address", "", "`address` where the policy host is looked at (default: port 443 of its name)")
	return cmd
}

// writeResults prints what was found; a problem is an error.
func writeResults(w io.Writer, results []setup.Result, asJSON bool) error {
	problems := 0
	for _, r := range results {
		if r.State == setup.Problem {
			problems++
		}
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		if err := e.Encode(map[string]any{"ok": problems == 0, "results": results}); err != nil {
			return err
		}
	} else {
		for _, r := range results {
			fmt.Fprintf(w, "%-8s %s: %s\n", r.State, r.Subject, r.Text)
			if r.Fix != "" {
				fmt.Fprintf(w, "         fix: %s\n", r.Fix)
			}
		}
	}
	if problems > 0 {
		return fmt.Errorf("problems found: %d", problems)
	}
	return nil
}

// envAdminPassword is the administrator's password for ad publish.
const envAdminPassword = "ROLECALLD_ADMIN_PASSWORD"

func adPublishCommand(getenv func(string) string) *cobra.Command {
	var a adFlags
	var user, file string
	var remove bool
	cmd := &cobra.Command{
		Use:   "publish ID",
		Short: "Publish the connector's CA in the forest",
		Long: `Publish the connector's CA in the forest: NTAuthCertificates (its certificates may log on), Certification
Authorities (its root is trusted), AIA, and Enrollment Services (Samba's clients find the server). What is there already
stays; a second call changes nothing. The directory's account needs the right to write there, which AD gives to enterprise
administrators; --admin-user names one for this call alone.`,
		Example: "  rolecalld ad publish d-0123456789 --admin-user administrator@corp.example.com --data-dir ./data",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := a.key(args[0])
			if err != nil {
				return err
			}
			secret := ""
			if user != "" {
				from := secretFrom{file: file, fd: noDescriptor, env: envAdminPassword, prompt: "Password of " + user + ": "}
				if secret, err = from.read(cmd.Context(), getenv); err != nil {
					return err
				}
			} else if file != "" {
				return errors.New("--admin-password-file needs --admin-user")
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), adTimeout)
			defer cancel()
			return server.DirectorySetup(ctx, a.cfg, key, func(s *setup.Setup) error {
				client, err := s.Open(user, secret)
				if err != nil {
					return err
				}
				defer client.Close()
				do, verb := s.Publish, "published"
				if remove {
					do, verb = s.Withdraw, "removed"
				}
				changed, err := do(ctx, client)
				for _, dn := range changed {
					fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", verb, dn)
				}
				if err != nil && strings.Contains(err.Error(), "Insufficient") {
					return &hintError{err, "use --admin-user with an enterprise administrator, or delegate the right to write there"}
				}
				if err == nil && len(changed) == 0 {
					fmt.Fprintln(cmd.OutOrStdout(), "nothing to change")
				}
				return err
			})
		},
	}
	a.add(cmd, getenv)
	f := cmd.Flags()
	f.StringVar(&user, "admin-user", "", "`account` to do it as, for this call: a UPN, a DN or DOMAIN\\name (default: the directory's account)")
	f.StringVar(&file, "admin-password-file", "", "`file` with its password in the first line (default: "+envAdminPassword+", or the terminal)")
	f.BoolVar(&remove, "remove", false, "take the CA out again; a root above it stays")
	return cmd
}

func adPolicyCommand(getenv func(string) string) *cobra.Command {
	var a adFlags
	var pol string
	var certificate bool
	cmd := &cobra.Command{
		Use:   "policy ID",
		Short: "Print or write the Group Policy values that turn auto-enrollment on",
		Long: `Print the values of a Group Policy as calls of PowerShell's Set-GPRegistryValue, for computers and for users,
or put them into a Registry.pol, of the policy's Machine or User folder. Other values of the file stay. After writing into
SYSVOL, raise the version in the policy's GPT.INI and in its object, or clients take no notice.`,
		Example: `  rolecalld ad policy d-0123456789 --data-dir ./data
  rolecalld ad policy d-0123456789 --registry-pol Machine/Registry.pol --data-dir ./data`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			key, err := a.key(args[0])
			if err != nil {
				return err
			}
			return server.DirectorySetup(cmd.Context(), a.cfg, key, func(s *setup.Setup) error {
				values, err := s.Policy(certificate)
				if err != nil {
					return err
				}
				if pol != "" {
					return mergePolicy(pol, values)
				}
				out := cmd.OutOrStdout()
				fmt.Fprintln(out, "$gpo = 'Certificate auto-enrollment'")
				if err := setup.PowerShell(out, "HKLM", values); err != nil {
					return err
				}
				return setup.PowerShell(out, "HKCU", values)
			})
		},
	}
	a.add(cmd, getenv)
	cmd.Flags().StringVar(&pol, "registry-pol", "", "Registry.pol `file` to put the values into; made if it is not there")
	cmd.Flags().BoolVar(&certificate, "with-ca-certificate", false, "add the CA's certificate, for Samba 4.17 without ad publish")
	return cmd
}

func mergePolicy(path string, values []gpo.Value) error {
	mode := fs.FileMode(0o644)
	var old []gpo.Value
	info, err := os.Stat(path)
	if err == nil {
		mode = info.Mode().Perm()
		var data []byte
		if data, err = os.ReadFile(path); err != nil {
			return err
		}
		if old, err = gpo.Parse(data); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	data, err := gpo.Marshal(gpo.Merge(old, values))
	if err != nil {
		return err
	}
	return privatefile.WriteMode(path, data, mode)
}
