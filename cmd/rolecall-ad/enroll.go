package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/adclient"
)

// machineFolder is where a machine's certificates are.
const machineFolder = "/var/lib/rolecall-ad"

func enrollCommand(getenv func(string) string) *cobra.Command {
	c := &caller{getenv: getenv}
	var in adclient.Enrollment
	var daemon, once bool
	cmd := &cobra.Command{
		Use:   "enroll",
		Short: "Enroll for certificates, and renew those that end soon",
		Long: `Enroll for the templates that this account may enroll for automatically, or for those named with --template.
Each has a folder TEMPLATE with key.pem, cert.pem (with the CAs below the root) and chain.pem. The folder is
replaced in one step, and only by a certificate that was checked.

A certificate is renewed, with a new key, when its template says so: its renewal period before the end, or for
a new major version of the template. Run the command often, or let it run as a daemon.`,
		Example: `  rolecall-ad enroll --server ca.corp.example.com --template UserSignature
  rolecall credential-process --certificate ~/.local/share/rolecall-ad/UserSignature/cert.pem \
    --private-key ~/.local/share/rolecall-ad/UserSignature/key.pem …`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if daemon && once {
				return errors.New("--daemon and --once exclude each other")
			}
			if in.Folder == "" {
				var err error
				if in.Folder, err = defaultFolder(getenv, c.machine); err != nil {
					return err
				}
			}
			c.stdin = cmd.InOrStdin()
			in.Report = func(format string, args ...any) {
				fmt.Fprintln(cmd.OutOrStdout(), printable(fmt.Sprintf(format, args...)))
			}
			if !daemon {
				_, err := enroll(cmd.Context(), c, in)
				return err
			}
			return serve(cmd.Context(), func(ctx context.Context) (time.Time, error) {
				next, err := enroll(ctx, c, in)
				if err != nil && ctx.Err() == nil {
					fmt.Fprintf(cmd.ErrOrStderr(), "rolecall-ad: %s\n", printable(err.Error()))
				}
				return next, err
			})
		},
	}
	c.add(cmd)
	f := cmd.Flags()
	f.BoolVar(&c.machine, "machine", false, "enroll this machine, with the keys of its keytab")
	f.StringVar(&in.Folder, "folder", "", "`folder` of the certificates (default: ~/.local/share/rolecall-ad, with --machine "+machineFolder+")")
	f.StringArrayVar(&in.Templates, "template", nil, "`name` of a template; may be given several times (default: all for automatic enrollment)")
	f.BoolVar(&in.Force, "force", false, "enroll although the certificates are good")
	f.BoolVar(&daemon, "daemon", false, "stay, and renew when it is time")
	f.BoolVar(&once, "once", false, "look once and end (the default)")
	return cmd
}

// enroll is one run.
func enroll(ctx context.Context, c *caller, in adclient.Enrollment) (time.Time, error) {
	var err error
	if in.Client, in.Machine, err = c.open(); err != nil {
		return time.Time{}, err
	}
	in.Subject = c.principal
	return in.Run(ctx)
}

func defaultFolder(getenv func(string) string, machine bool) (string, error) {
	if machine {
		return machineFolder, nil
	}
	if data := getenv("XDG_DATA_HOME"); filepath.IsAbs(data) {
		return filepath.Join(data, "rolecall-ad"), nil
	}
	home := getenv("HOME")
	if home == "" {
		var err error
		if home, err = os.UserHomeDir(); err != nil {
			return "", err
		}
	}
	return filepath.Join(home, ".local", "share", "rolecall-ad"), nil
}

// Waits of the daemon: after a failure twice as long each time, and never so long that a clock set forward goes unnoticed.
const (
	firstRetry = time.Minute
	longest    = time.Hour
)

// serve calls work until ctx ends.
func serve(ctx context.Context, work func(ctx context.Context) (next time.Time, err error)) error {
	retry := firstRetry
	for {
		next, err := work(ctx)
		wait := min(max(time.Until(next), time.Second), longest)
		if err != nil {
			wait = retry
			retry = min(2*retry, longest)
		} else {
			retry = firstRetry
		}
		wait += rand.N(wait/10 + 1) // machines that were started together come apart
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}
