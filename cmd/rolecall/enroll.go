package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rolecall/rolecall/internal/enrollclient"
	"github.com/rolecall/rolecall/internal/imds"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11"
	"github.com/rolecall/rolecall/internal/keysource/tpm"
)

// The flags of enroll that its code names more than once.
const (
	flagEST         = "est"
	flagCAARN       = "ca-arn"
	flagFolder      = "directory"
	flagTokenFile   = "token-file"
	flagTokenEnv    = "token-env"
	flagSubject     = "subject"
	flagRenewBefore = "renew-before"
	flagOnRenew     = "on-renew"
	flagCAFile      = "ca-file"
	flagFingerprint = "fingerprint"
)

func enrollCommand() command {
	return command{
		name:  "enroll",
		args:  "[-- ARGUMENT...]",
		short: "Get and renew the certificate itself, over EST or from a private CA",
		long: `Makes a key, has it certified, and puts key.pem and cert.pem (the certificate and what is above it) into
--directory, both in one step, once they were found to work. The first certificate over EST takes a token
(rolecalld enroll-token create); renewals are made with the certificate itself, and each has a new key.
With --ca-arn the certificate comes from AWS Private CA's API, AWS's or rolecalld's, with the credentials
of the environment, the shared credentials file, or credential_process of the profile AWS_PROFILE.
In Active Directory, "rolecall enroll --ad ARGUMENT..." hands over to rolecall-ad enroll.

--renew does nothing before a third of the certificate's life is left: call it from a timer, or pass
--daemon. Arguments after -- are those of the command of --on-renew, which no shell sees.

Keys are files: enroll makes none in a TPM or a PKCS#11 token. It does not run on Windows.`,
		flags: []flag{
			{name: flagFolder, arg: "PATH", help: "folder for key.pem and cert.pem; made if need be"},
			{name: flagEST, arg: "URL", help: "EST server: https://HOST or https://HOST/PROFILE"},
			{name: flagTokenFile, arg: "FILE", help: "enrollment token; read only while there is no certificate to renew with"},
			{name: flagTokenEnv, arg: "NAME", help: "environment variable with the enrollment token"},
			{name: flagCAFile, arg: "FILE", help: "PEM certificates that the server's TLS is trusted by (default: AWS_CA_BUNDLE, else the system's)"},
			{name: flagFingerprint, arg: "SHA256", help: "of the CA of the EST server's TLS certificate, in place of --ca-file"},
			{name: flagCAARN, arg: "ARN", help: "private CA to ask with AWS credentials, in place of --est"},
			{name: flagEndpoint, arg: "URL", help: "of --ca-arn (default: AWS_ENDPOINT_URL_ACM_PCA, else AWS_ENDPOINT_URL, else AWS's of the region)"},
			{name: "template-arn", arg: "ARN", help: "certificate template of --ca-arn (default: the CA's)"},
			{name: "validity-days", kind: intFlag, value: "30", arg: "DAYS", help: "lifetime that --ca-arn is asked for; EST's is the profile's"},
			{name: "signing-algorithm", arg: "NAME", help: "of --ca-arn (default: that of the CA)"},
			{name: flagSubject, arg: "NAME", help: "subject, such as CN=host1.example.com,O=Example (default: that of the certificate to renew)"},
			{name: "san", kind: listFlag, arg: "NAME", help: "alternative name: DNS:, IP:, EMAIL: or URI: and the name; repeatable"},
			{name: "key-type", value: "P-256", allowed: enrollclient.KeyTypes(), arg: "TYPE", help: "P-256, P-384, RSA-2048, RSA-3072 or RSA-4096"},
			{name: flagPrivateKey, arg: "FILE", help: "refused: the key is key.pem in the folder"},
			{name: "renew", kind: boolFlag, help: "leave a certificate that is not due; without it, one that is there is an error"},
			{name: flagRenewBefore, arg: "TIME", help: "how long before its end a certificate is due, such as 12h (default: a third of its life)"},
			{name: "daemon", kind: boolFlag, help: "renew until SIGTERM; tells systemd when there is a certificate (Type=notify)"},
			{name: flagOnRenew, arg: "COMMAND", help: "program to run after each change, with the arguments after --"},
		},
		run: runEnroll,
	}
}

func runEnroll(ctx context.Context, p *program, in *inputs) error {
	c, err := p.enroller(in)
	if err != nil {
		return err
	}
	if in.truth("daemon") {
		c.Renew = true
		return p.enrollLoop(ctx, in, c)
	}
	changed, next, err := c.Run(ctx, time.Now())
	if err != nil {
		return err
	}
	return p.enrolled(ctx, in, changed, next)
}

// enroller is made of the flags.
func (p *program) enroller(in *inputs) (*enrollclient.Client, error) {
	if runtime.GOOS == "windows" {
		return nil, &problem{"enroll does not run on Windows", "use the system's own enrollment"}
	}
	if key := in.text(flagPrivateKey); key != "" {
		if strings.HasPrefix(key, pkcs11.Prefix) || strings.HasPrefix(key, tpm.HandlePrefix) {
			return nil, &problem{"enroll makes no keys in TPMs or PKCS#11 tokens", "leave --private-key out for a key in a file"}
		}
		return nil, &problem{"--private-key cannot be chosen", "the key is key.pem in --directory"}
	}
	for _, pair := range [][2]string{{flagEST, flagCAARN}, {flagTokenFile, flagTokenEnv}, {flagCAFile, flagFingerprint}, {flagCAARN, flagFingerprint}} {
		if in.isSet(pair[0]) && in.isSet(pair[1]) {
			return nil, &problem{"--" + pair[0] + " and --" + pair[1] + " exclude each other", "use one of them"}
		}
	}
	if in.text(flagFolder) == "" {
		return nil, &problem{"no folder given", "pass --directory PATH"}
	}
	c := &enrollclient.Client{Folder: enrollclient.Folder{Path: in.text(flagFolder)}, KeyType: in.text("key-type"), Renew: in.truth("renew")}
	var err error
	if text := in.text(flagRenewBefore); text != "" {
		if c.RenewBefore, err = time.ParseDuration(text); err != nil || c.RenewBefore <= 0 {
			return nil, &problem{"--renew-before is not a time", "write 12h or 30m"}
		}
	}
	if in.text(flagSubject) != "" {
		if c.Names, err = enrollclient.ParseNames(in.text(flagSubject), in.list("san")); err != nil {
			return nil, err
		}
	} else if len(in.list("san")) > 0 {
		return nil, &problem{"--san without --subject", "pass both, or neither to renew with the names of the certificate"}
	}
	c.Issuer, err = p.issuer(in)
	return c, err
}

func (p *program) issuer(in *inputs) (enrollclient.Issuer, error) {
	caFile := in.text(flagCAFile)
	if caFile == "" && !in.isSet(flagFingerprint) {
		caFile = p.getenv("AWS_CA_BUNDLE")
	}
	switch {
	case in.text(flagEST) != "":
		return enrollclient.NewEST(in.text(flagEST), caFile, in.text(flagFingerprint), func() (string, error) { return p.token(in) })
	case in.text(flagCAARN) != "":
		roots, err := enrollclient.Roots(caFile)
		if err != nil {
			return nil, err
		}
		endpoint := in.text(flagEndpoint)
		for _, name := range []string{"AWS_ENDPOINT_URL_ACM_PCA", "AWS_ENDPOINT_URL"} {
			if endpoint == "" {
				endpoint = p.getenv(name)
			}
		}
		return &enrollclient.PrivateCA{
			CA: in.text(flagCAARN), Template: in.text("template-arn"), Days: in.number("validity-days"), Algorithm: in.text("signing-algorithm"), Endpoint: endpoint, Roots: roots,
			Keys: func(ctx context.Context) (enrollclient.Keys, error) { return enrollclient.FindKeys(ctx, p.getenv) },
		}, nil
	}
	return nil, &problem{"no issuer given", "pass --est URL, or --ca-arn ARN"}
}

// token reads the enrollment token. It is never an argument, and no message repeats it.
func (p *program) token(in *inputs) (string, error) {
	text := ""
	switch {
	case in.text(flagTokenEnv) != "":
		text = p.getenv(in.text(flagTokenEnv))
	case in.text(flagTokenFile) != "":
		b, err := os.ReadFile(in.text(flagTokenFile))
		if err != nil {
			return "", err
		}
		text = string(b)
	}
	if text = strings.TrimSpace(text); text == "" {
		return "", &enrollclient.Error{Problem: "there is no certificate to renew with, and no token", Advice: "pass --token-file or --token-env; rolecalld enroll-token create makes a token", Permanent: true}
	}
	return text, nil
}

// enrolled reports a run and runs the command of --on-renew.
func (p *program) enrolled(ctx context.Context, in *inputs, changed bool, next time.Time) error {
	if !changed {
		fmt.Fprintf(p.stderr, "%s: the certificate is not due before %s\n", p.name, next.UTC().Format(time.RFC3339))
		return nil
	}
	fmt.Fprintf(p.stderr, "%s: new certificate in %s, to be renewed from %s\n", p.name, in.text(flagFolder), next.UTC().Format(time.RFC3339))
	if name := in.text(flagOnRenew); name != "" {
		cmd := exec.CommandContext(ctx, name, in.args...)
		cmd.Stdout, cmd.Stderr = p.stderr, p.stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("the certificate was renewed, but the command of --on-renew failed: %w", err)
		}
	}
	return nil
}

// enrollLoop renews until SIGTERM. What cannot get better by itself ends it.
func (p *program) enrollLoop(ctx context.Context, in *inputs, c *enrollclient.Client) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	tell := func(state string) {
		if err := imds.Notify(p.getenv, state); err != nil {
			p.warn("cannot notify systemd: " + err.Error())
		}
	}
	defer p.stopping(ctx)()
	var ready sync.Once
	d := &enrollclient.Daemon{
		Client: c,
		Done: func(ctx context.Context, changed bool, next time.Time) {
			if changed {
				if err := p.enrolled(ctx, in, changed, next); err != nil {
					p.warn(err.Error())
				}
			}
			ready.Do(func() { tell("READY=1") }) // there is a certificate that works
		},
		Failed: func(err error) { p.warn(err.Error()) },
	}
	return d.Run(ctx)
}
