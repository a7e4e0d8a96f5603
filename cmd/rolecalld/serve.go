package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rolecall/rolecall/internal/server"
)

func serveCommand(getenv func(string) string) *cobra.Command {
	var cfg server.Config
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server until SIGTERM or Ctrl-C; running requests are finished first.

The first start with a data folder creates in it: the first account, the key ring (keyring.json), a
CA and certificate for HTTPS (tls-ca.pem is what clients trust) and the account's root access key
as an AWS credentials file (root-credentials). Keep keyring.json: without it no stored secret and no
session can be read again.

Every flag has an environment variable: ROLECALLD_ and the flag's name in capitals with underscores,
for instance ROLECALLD_DATA_DIR. A list is separated by commas. A flag wins over the environment.
ROLECALLD_ROOT_ACCESS_KEY_ID and ROLECALLD_ROOT_SECRET_ACCESS_KEY, which have no flag, give the first
account's root access key instead of a random one.`,
		Example: `  rolecalld serve --data-dir /var/lib/rolecall --host creds.example.internal --listen 0.0.0.0:8443
  rolecalld serve --store memory --listen http://127.0.0.1:4599
  rolecalld serve --data-dir ./data --store postgres://rolecall@db.example.internal/rolecall`,
		Args: cobra.NoArgs,
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			return flagsFromEnv(cmd.Flags(), getenv)
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg.Version = version
			cfg.RootAccessKeyID = getenv("ROLECALLD_ROOT_ACCESS_KEY_ID")
			cfg.RootSecretAccessKey = getenv("ROLECALLD_ROOT_SECRET_ACCESS_KEY")
			cfg.HSM.PIN = getenv("ROLECALLD_HSM_PIN")
			return server.Run(cmd.Context(), cfg, server.Output{Out: cmd.OutOrStdout(), Log: cmd.ErrOrStderr()})
		},
	}
	f := cmd.Flags()
	dataDirFlag(f, &cfg.DataDir)
	storeFlag(f, &cfg.Store)
	f.StringSliceVar(&cfg.Listen, "listen", []string{server.DefaultListen}, "`address` for the API, repeatable: HOST:PORT is HTTPS, http://HOST:PORT is allowed on loopback only")
	f.StringSliceVar(&cfg.DistributionListen, "distribution-listen", nil, "`address` http://HOST:PORT, repeatable, that serves CRLs, OCSP and CA certificates and nothing else, on any interface")
	f.StringVar(&cfg.S3Endpoint, "s3-endpoint", "", "`URL` of an S3 server for CRLs and audit reports of private CAs")
	f.StringVar(&cfg.S3Region, "s3-region", "", "`region` that requests to the S3 server are signed for (default: --region)")
	f.StringVar(&cfg.S3Credentials, "s3-credentials", "", "AWS credentials `file` for the S3 server")
	f.StringVar(&cfg.S3Profile, "s3-profile", "", "`profile` in that file (default: default)")
	f.StringVar(&cfg.S3CABundle, "s3-ca-bundle", "", "PEM `file` of what the S3 server is trusted by, beside the system's roots")
	f.StringVar(&cfg.MetricsListen, "metrics-listen", "127.0.0.1:8444", "loopback `address` for metrics, health and profiling, or off")
	f.StringVar(&cfg.AuthzTable, "authz-table", "", "JSON `file` that maps HTTP requests to actions: decide for proxies (nginx auth_request, Envoy) by it")
	f.StringVar(&cfg.AuthzListen, "authz-listen", "127.0.0.1:8446", "loopback `address` where proxies ask, with --authz-table")
	f.StringVar(&cfg.TLSCert, "tls-cert", "", "PEM `file` with the server certificate and its chain, instead of one made in the data folder")
	f.StringVar(&cfg.TLSKey, "tls-key", "", "PEM `file` with the server certificate's key")
	f.StringSliceVar(&cfg.Hosts, "host", nil, "further `name` or address for the certificate made in the data folder, repeatable")
	f.StringVar(&cfg.AccountID, "account-id", "", "12-digit `id` of the first account, at the first start only (default: random)")
	f.StringVar(&cfg.Region, "region", "us-east-1", "home `region`: IAM and STS ARNs have its partition; every request chooses its own region")
	f.DurationVar(&cfg.Staleness, "staleness", 10*time.Second, "refuse new sessions after this `time` without contact to the store")
	f.StringVar(&cfg.LogFormat, "log-format", "text", "`format` of the log on stderr: text or json")
	f.StringVar(&cfg.Quotas, "quotas", "off", "AWS's default `quotas` on resources and sessions per second: off or aws")
	f.StringVar(&cfg.OIDCIssuer, "oidc-issuer", "", "`URL` that the accounts' OpenID Connect issuers begin with (default: the first listener's)")
	f.StringSliceVar(&cfg.OIDCAllow, "oidc-allow", nil, "`network` (CIDR) in which OpenID Connect providers may be asked for keys beside public addresses, repeatable")
	f.StringVar(&cfg.OIDCRoots, "oidc-ca", "", "PEM `file` of CAs for OpenID Connect providers, beside the system's")
	f.StringSliceVar(&cfg.RevocationFetchAllow, "revocation-fetch-allow", nil, "`where` revocation of certificates may be asked for, repeatable: CIDR, address or host, with :PORT if not 80 or 443, public or none (default: public)")
	f.DurationVar(&cfg.RevocationRefresh, "revocation-refresh", 10*time.Minute, "`age` at which fetched CRLs and OCSP answers are fetched again")
	f.DurationVar(&cfg.EventRetention, "event-retention", 90*24*time.Hour, "how long events can be looked up")
	f.StringSliceVar(&cfg.S3IAMSockets, "s3-iam-socket", nil, "Unix `socket` for a Versity S3 Gateway, repeatable: PATH for the first account, ACCOUNT=PATH for another (docs/s3.md)")
	f.StringVar(&cfg.S3DataEvents, "s3-data-events", "denied", "which S3 `decisions` are recorded: denied or all")
	hsmFlags(f, &cfg.HSM)
	blockedFlag(f, &cfg.BlockedKeys)
	f.DurationVar(&cfg.DrainTimeout, "drain-timeout", 10*time.Second, "how long running requests may take after SIGTERM")
	return cmd
}

// hsmFlags says where the keys of private CAs are. The PIN itself has no flag: arguments can be read by others.
func hsmFlags(f *pflag.FlagSet, h *server.HSM) {
	f.StringVar(&h.Module, "hsm-module", "", "PKCS#11 module `file` of the token that keeps the keys of private CAs (default: none)")
	f.StringVar(&h.Token, "hsm-token", "", "`label` of the token")
	f.StringVar(&h.Serial, "hsm-serial", "", "`serial` number of the token")
	f.StringVar(&h.PINFile, "hsm-pin-file", "", "`file` with the token's PIN, instead of ROLECALLD_HSM_PIN in the environment")
}

func blockedFlag(f *pflag.FlagSet, p *[]string) {
	f.StringSliceVar(p, "blocked-keys", nil, "`file` or folder, repeatable, with public keys that are refused because others have the private key (docs/ca.md)")
}

func dataDirFlag(f *pflag.FlagSet, p *string) {
	f.StringVar(p, "data-dir", "", "`folder` for the key ring, the TLS CA, the audit log and the embedded store")
}

func storeFlag(f *pflag.FlagSet, p *string) {
	f.StringVar(p, "store", "sqlite", "where resources live: sqlite (in the data folder), postgres://… or memory")
}

// flagsFromEnv gives every flag that the command line left out the value of its environment variable.
func flagsFromEnv(flags *pflag.FlagSet, getenv func(string) string) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		name := "ROLECALLD_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		v := getenv(name)
		if f.Changed || v == "" || err != nil {
			return
		}
		if e := flags.Set(f.Name, v); e != nil {
			err = fmt.Errorf("environment variable %s: %w", name, e)
		}
	})
	return err
}
