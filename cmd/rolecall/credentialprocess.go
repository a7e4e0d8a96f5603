package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

func credentialProcess() command {
	return command{
		name:  "credential-process",
		short: "Print temporary credentials for credential_process in an AWS config file",
		long: `Makes one CreateSession request, signed with the key of the certificate, and prints the
credentials as the JSON that credential_process in ~/.aws/config wants.

Without --endpoint the server is AWS_ENDPOINT_URL_ROLESANYWHERE, else AWS_ENDPOINT_URL, else AWS's
own for the region (AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT choose its name). http://
is refused except to a loopback address. AWS_CA_BUNDLE or SSL_CERT_FILE name a file with the CA of
the server; HTTPS_PROXY and NO_PROXY are honoured; AWS_MAX_ATTEMPTS (3) counts the first attempt.

The credentials can be kept in the user's cache folder for the next calls; see --cache and --no-cache.`,
		flags:  append(sessionFlags(), cacheFlags()...),
		groups: sessionGroups(),
		run:    runCredentialProcess,
	}
}

// sessionFlags are the flags of every command that obtains credentials.
func sessionFlags() []flag {
	return append([]flag{
		{name: flagRole, arg: "ARN", help: "role to assume"},
		{name: flagChain, kind: listFlag, arg: "ARN", help: "further roles to assume in order with STS, as a list with commas or repeated; no session is then longer than an hour"},
		{name: flagProfileARN, arg: "ARN", help: "Roles Anywhere profile that lists the role"},
		{name: "trust-anchor-arn", arg: "ARN", help: "trust anchor of the CA that issued the certificate"},
		{name: "session-duration", kind: intFlag, value: "3600", arg: "SECONDS", help: "lifetime of the credentials"},
		{name: "role-session-name", arg: "NAME", help: "name of the session, if the profile accepts one"},
		{name: "region", arg: "REGION", help: "signing region (default: the trust anchor's)"},
		{name: flagEndpoint, kind: listFlag, arg: "URL", help: "server to ask; a path in it is put before /sessions; several, as a list with commas or repeated, are asked in turn"},
		{name: flagSTS, kind: listFlag, arg: "URL", help: "STS for --role-arns (default: AWS_ENDPOINT_URL_STS, else the server of --endpoint unless it is AWS's, else AWS's of the region)"},
		{name: flagCABundle, arg: "FILE", help: "PEM certificates of the CAs that the server's may come from, in place of AWS_CA_BUNDLE"},
		{name: flagIntermediates, arg: "FILE", help: "PEM certificates between this one and the trust anchor's"},
		{name: "no-verify-ssl", kind: boolFlag, help: "accept any server certificate; whoever is in between can read the credentials"},
		{name: "with-proxy", kind: boolFlag, help: "no effect: the proxy variables of the environment are always honoured"},
	}, keyFlags()...)
}

// sessionGroups are the exclusions of every command that obtains credentials.
func sessionGroups() []group {
	return append(keyGroups(), group{flagLatest, flagIntermediates}, group{flagSelector, flagIntermediates})
}

func runCredentialProcess(ctx context.Context, p *program, in *inputs) error {
	creds, err := p.credentials(ctx, in)
	if err != nil {
		return err
	}
	// The member names and their order are those of the AWS CLI's credential_process contract.
	out := []byte(`{"Version":1`)
	for _, member := range [][2]string{
		{"AccessKeyId", creds.AccessKeyID}, {"SecretAccessKey", creds.SecretAccessKey},
		{"SessionToken", creds.SessionToken}, {"Expiration", creds.Expiration},
	} {
		out = append(append(out, `,"`+member[0]+`":`...), jsonString(member[1])...)
	}
	out = append(out, '}')
	return p.output(out)
}

// jsonString is s in JSON. What needs no escapes, as credentials do not, is spared the package, whose first use costs a
// call with cached credentials a tenth of its time.
func jsonString(s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || strings.IndexByte(`"\<>&`, c) >= 0 {
			b, _ := json.Marshal(s) // a string always can be
			return b
		}
	}
	return []byte(`"` + s + `"`)
}

// output writes a result, which gets no newline: scripts compare bytes.
func (p *program) output(b []byte) error {
	if _, err := p.stdout.Write(b); err != nil {
		return fmt.Errorf("cannot write the result: %w", err)
	}
	return nil
}
