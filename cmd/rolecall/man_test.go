package main

import (
	"testing"

	"github.com/rolecall/rolecall/internal/manpage"
)

// The manual page is made of the tables that --help shows; -update rewrites it.
func TestManual(t *testing.T) {
	page := &manpage.Page{
		Name: ownName, Section: 1, Short: "temporary AWS credentials for an X.509 certificate",
		Text: `rolecall exchanges a certificate and its private key for temporary credentials of IAM Roles Anywhere, AWS's or that of
rolecalld, and hands them to the AWS CLI and the SDKs. Started under the name aws_signing_helper it behaves as that program does.

Results go to standard output, everything else to standard error.`,
		More: []manpage.Section{
			{Title: "Environment", Text: `AWS_ENDPOINT_URL_ROLESANYWHERE, AWS_ENDPOINT_URL_STS, AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS,
AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT choose the server, AWS_CA_BUNDLE its CA, AWS_MAX_ATTEMPTS the number of attempts.
HTTPS_PROXY and NO_PROXY are honoured. AWS_REGION is not read: requests are signed for the trust anchor's region.
AWS_SHARED_CREDENTIALS_FILE is the file of update, AWS_CONFIG_FILE that of configure and doctor, TPM_DEVICE the TPM, XDG_CACHE_HOME the place of the session cache.`},
			{Title: "Exit status", Text: "0, or 1 after an error."},
			{Title: "Examples", Text: `In the file ~/.aws/config:

  [profile backup]
  credential_process = rolecall credential-process --trust-anchor-arn ARN --profile-arn ARN --role-arn ARN --certificate host.pem --private-key host.key`},
		},
		SeeAlso: []string{"rolecall-pkcs11 1", "rolecalld 8"},
	}
	for _, c := range commands() {
		m := manpage.Command{Name: c.name, Args: c.args, Short: c.short, Text: c.long}
		for _, f := range c.flags {
			text := f.help
			if f.value != "" {
				text += " (default: " + f.value + ")"
			}
			m.Flags = append(m.Flags, manpage.Flag{Name: f.name, Arg: f.arg, Text: text})
		}
		page.Commands = append(page.Commands, m)
	}
	if err := page.Check("../../man/rolecall.1", *updateList); err != nil {
		t.Error(err)
	}
}
