package main

import (
	"fmt"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/server"
)

func estCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "est",
		Short: "Enrollment profiles: what machines may enroll by themselves (EST, RFC 7030)",
		Long: `Enrollment profiles. Each says which private CA issues, and bounds what clients of
https://HOST/.well-known/est/NAME may ask for; the profile called default answers without a name in the path.
The commands work on the store directly and may run beside a running server.`,
	}
	cmd.AddCommand(estCreateCommand(getenv), estListCommand(getenv), estDeleteCommand(getenv))
	return cmd
}

func estCreateCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	var in server.EnrollmentProfile
	var validity string
	cmd := &cobra.Command{
		Use:     "create NAME",
		Short:   "Add an enrollment profile",
		Example: `  rolecalld est create hosts --ca-arn arn:aws:acm-pca:… --validity 7d --subject-pattern 'CN=*.example.com' --san-pattern 'DNS:*.example.com'`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in.Name = args[0]
			if in.Validity, err = parseDays(validity); err != nil {
				return err
			}
			if err := server.CreateEnrollmentProfile(cmd.Context(), cfg, in); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "enrollment profile %s\n", in.Name)
			return err
		},
	}
	adminFlags(cmd, &cfg, getenv)
	f := cmd.Flags()
	f.StringVar(&in.CA, "ca-arn", "", "private CA that issues (`ARN`)")
	f.StringVar(&in.Template, "template", "EndEntityClientAuthCertificate", "template of the certificates: EndEntityCertificate, EndEntityClientAuthCertificate or EndEntityServerAuthCertificate (`NAME` or ARN)")
	f.StringVar(&validity, "validity", "7d", "lifetime of certificates, as 7d or 12h (`TIME`)")
	f.StringVar(&in.Subject, "subject-pattern", "", "subjects that may be enrolled, such as CN=*.example.com,O=Example; * stands for any characters (`PATTERN`)")
	f.StringArrayVar(&in.Alternatives, "san-pattern", nil, "alternative names that may be enrolled: DNS:, EMAIL: or URI: and a pattern, or IP: and a network; repeatable; none without (`PATTERN`)")
	for _, name := range []string{"ca-arn", "subject-pattern"} {
		if err := cmd.MarkFlagRequired(name); err != nil {
			panic(err) // a name that is not there
		}
	}
	return cmd
}

// parseDays is time.ParseDuration that knows days.
func parseDays(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.Atoi(days)
		if err != nil || n < 1 || n > 36500 {
			return 0, fmt.Errorf("%q is not a number of days", text)
		}
		return time.Duration(n) * 24 * time.Hour, nil
	}
	return time.ParseDuration(text)
}

func estListCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the enrollment profiles",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := server.ListEnrollmentProfiles(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "PROFILE\tACCOUNT\tREGION\tCA\tVALIDITY\tSUBJECT\tALTERNATIVE NAMES")
			for _, p := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Name, p.Account, p.Region, p.Authority, p.Validity, p.Subject, strings.Join(p.Alternatives, " "))
			}
			return w.Flush()
		},
	}
	adminFlags(cmd, &cfg, getenv)
	return cmd
}

func estDeleteCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "delete NAME",
		Short: "Remove an enrollment profile and its tokens; certificates stay valid and are not renewed any more",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return server.DeleteEnrollmentProfile(cmd.Context(), cfg, args[0])
		},
	}
	adminFlags(cmd, &cfg, getenv)
	return cmd
}
