package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/rolecall/rolecall/internal/adtemplate"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/awsclient"
)

func templateCommand(getenv func(string) string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template",
		Short: "Certificate templates for Active Directory, from AD CS's own",
		Long: `Certificate templates for connectors. AWS's console offers AD CS's templates as a start; so do these
commands. For everything else about templates use: aws pca-connector-ad.`,
	}
	cmd.AddCommand(templateCreateCommand(getenv), templateListPredefinedCommand())
	return cmd
}

func templateListPredefinedCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list-predefined",
		Short: "List the predefined templates",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tTITLE\tFOR\tVALIDITY\tPURPOSES")
			for i := range adtemplate.Predefined {
				p := &adtemplate.Predefined[i]
				t := p.Definition().TemplateV2
				who := "users"
				if *t.GeneralFlags.MachineType {
					who = "machines"
				}
				var purposes []string
				for _, policy := range t.Extensions.ApplicationPolicies.Policies {
					purposes = append(purposes, string(*policy.PolicyType))
				}
				v := t.CertificateValidity.ValidityPeriod
				fmt.Fprintf(w, "%s\t%s\t%s\t%d %s\t%s\n", p.Name, p.Title, who, *v.Period, *v.PeriodType, strings.Join(purposes, " "))
			}
			return w.Flush()
		},
	}
}

// templateFlags are those of template create.
type templateFlags struct {
	predefined, connector, name, validity, renewal string
	groupSID, groupName                            string
	autoEnroll                                     bool
	endpoint, caFile                               string
}

func templateCreateCommand(getenv func(string) string) *cobra.Command {
	var in templateFlags
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Make a predefined template in a connector of a running server",
		Long: `Make a template from a predefined one, and let a group of the directory enroll with it. The command asks a
running server as any AWS client would, with the key of AWS_ACCESS_KEY_ID or of a profile (AWS_PROFILE) in
the shared credentials file, and prints the template's ARN.`,
		Example: `  rolecalld template create --predefined UserSignature --connector-arn ARN --validity 7d --renewal 1d \
    --group-sid S-1-5-21-1-2-3-1105 --group-name Engineers --auto-enroll`,
		Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), getenv)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			in.endpoint = cmp.Or(in.endpoint, getenv("AWS_ENDPOINT_URL_PCA_CONNECTOR_AD"), getenv("AWS_ENDPOINT_URL"))
			in.caFile = cmp.Or(in.caFile, getenv("AWS_CA_BUNDLE"))
			name, err := in.create(cmd.Context(), getenv)
			if name != "" { // even if the group could not be let in
				fmt.Fprintln(cmd.OutOrStdout(), name)
			}
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.predefined, "predefined", "", "`name` of the predefined template: see list-predefined")
	f.StringVar(&in.connector, "connector-arn", "", "`ARN` of the connector")
	f.StringVar(&in.name, "name", "", "`name` of the template (default: that of the predefined one)")
	f.StringVar(&in.validity, "validity", "", "how long certificates live: a `number` with h, d, w, m (months) or y")
	f.StringVar(&in.renewal, "renewal", "", "how long before their end they are renewed: a `number` with h, d, w, m (months) or y")
	f.StringVar(&in.groupSID, "group-sid", "", "`SID` of a group that may enroll")
	f.StringVar(&in.groupName, "group-name", "", "the group's `name`, for people")
	f.BoolVar(&in.autoEnroll, "auto-enroll", false, "let the group's members enroll without being asked")
	f.StringVar(&in.endpoint, "endpoint-url", "", "`URL` of the server (default: AWS_ENDPOINT_URL)")
	f.StringVar(&in.caFile, "ca-bundle", "", "PEM `file` with what the server's certificate comes from (default: AWS_CA_BUNDLE, or the system's)")
	return cmd
}

// create returns the template's ARN as soon as there is one, with or without an error.
func (in *templateFlags) create(ctx context.Context, getenv func(string) string) (string, error) {
	connector, err := arn.Parse(in.connector)
	switch {
	case in.connector == "":
		return "", &hintError{errors.New("no connector given"), "name it with --connector-arn; aws pca-connector-ad list-connectors shows them"}
	case err != nil || connector.Service != "pca-connector-ad":
		return "", fmt.Errorf("%q is not the ARN of a connector", in.connector)
	case (in.groupName != "" || in.autoEnroll) && in.groupSID == "":
		return "", &hintError{errors.New("--group-name and --auto-enroll need a group"), "name it with --group-sid"}
	case in.endpoint == "":
		return "", &hintError{errors.New("no server given"), "set --endpoint-url or AWS_ENDPOINT_URL"}
	}
	if in.groupSID != "" {
		if err := adtemplate.CheckSID(in.groupSID); err != nil {
			return "", err
		}
	}
	preset, ok := adtemplate.FindPredefined(in.predefined)
	if !ok {
		return "", &hintError{fmt.Errorf("there is no predefined template %q", in.predefined), "rolecalld template list-predefined shows them"}
	}
	name := cmp.Or(in.name, preset.Name)
	definition, err := in.definition(name, preset)
	if err != nil {
		return "", err
	}
	keys, err := awsclient.FindKeys(getenv)
	if err != nil {
		return "", &hintError{err, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_SHARED_CREDENTIALS_FILE to the server's root-credentials"}
	}
	client, err := awsclient.New(in.endpoint, in.caFile, string(connector.Region))
	if err != nil {
		return "", err
	}
	var made struct{ TemplateArn string }
	body := map[string]any{"ConnectorArn": in.connector, "Name": name, "Definition": definition, "ClientToken": arn.NewUUID()}
	if err := client.REST(ctx, keys, "pca-connector-ad", http.MethodPost, "/templates", body, &made); err != nil || in.groupSID == "" {
		return made.TemplateArn, err
	}
	rights := map[string]string{"Enroll": "ALLOW"}
	if in.autoEnroll {
		rights["AutoEnroll"] = "ALLOW"
	}
	entry := map[string]any{"GroupSecurityIdentifier": in.groupSID, "GroupDisplayName": cmp.Or(in.groupName, in.groupSID), "AccessRights": rights}
	return made.TemplateArn, client.REST(ctx, keys, "pca-connector-ad", http.MethodPost,
		"/templates/"+url.PathEscape(made.TemplateArn)+"/accessControlEntries", entry, &struct{}{})
}

// definition is the preset with the flags' changes, as JSON without what is not set.
func (in *templateFlags) definition(name string, preset *adtemplate.Preset) (any, error) {
	d := preset.Definition()
	for _, f := range []struct {
		flag, text string
		to         **pcaconnectorad.ValidityPeriod
	}{{"validity", in.validity, &d.TemplateV2.CertificateValidity.ValidityPeriod}, {"renewal", in.renewal, &d.TemplateV2.CertificateValidity.RenewalPeriod}} {
		if f.text == "" {
			continue
		}
		p, ok := parsePeriod(f.text)
		if !ok {
			return nil, fmt.Errorf("--%s: %q is not a number with h, d, w, m or y", f.flag, f.text)
		}
		*f.to = p
	}
	if in.autoEnroll {
		d.TemplateV2.GeneralFlags.AutoEnrollment = new(true)
	}
	if err := adtemplate.Check(name, d); err != nil {
		return nil, err
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, err
	}
	return withoutNull(tree), nil
}

// parsePeriod reads texts such as 7d.
func parsePeriod(text string) (*pcaconnectorad.ValidityPeriod, bool) {
	if len(text) < 2 {
		return nil, false
	}
	unit, ok := map[byte]pcaconnectorad.ValidityPeriodType{
		'h': pcaconnectorad.ValidityPeriodTypeHours, 'd': pcaconnectorad.ValidityPeriodTypeDays, 'w': pcaconnectorad.ValidityPeriodTypeWeeks,
		'm': pcaconnectorad.ValidityPeriodTypeMonths, 'y': pcaconnectorad.ValidityPeriodTypeYears,
	}[text[len(text)-1]]
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 32)
	return &pcaconnectorad.ValidityPeriod{Period: &n, PeriodType: &unit}, ok && err == nil && n > 0
}

// withoutNull leaves out members that are null: an AWS API need not take them for absent.
func withoutNull(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil {
				delete(v, k)
			} else {
				v[k] = withoutNull(e)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNull(v[i])
		}
	}
	return v
}
