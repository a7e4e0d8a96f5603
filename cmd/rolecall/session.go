package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/credclient"
)

// The names of the flags that say what to ask for and whom.
const (
	flagRole       = "role-arn"
	flagProfileARN = "profile-arn"
	flagAnchor     = "trust-anchor-arn"
	flagDuration   = "session-duration"
	flagSession    = "role-session-name"
	flagRegion     = "region"
	flagEndpoint   = "endpoint"
	flagNoVerify   = "no-verify-ssl"
	flagChain      = "role-arns"
	flagSTS        = "sts-endpoint"
	flagCABundle   = "ca-bundle"
)

// sessionMaker exchanges the identity that the flags name for credentials, as often as it is asked. It loads key and
// certificate anew each time: they may have been rotated.
type sessionMaker struct {
	program *program
	in      *inputs
	client  *credclient.Client
}

func (p *program) newSessionMaker(in *inputs) (*sessionMaker, error) {
	client, err := credclient.New(p.clientConfig(in))
	if err != nil {
		return nil, err
	}
	if in.truth(flagNoVerify) {
		p.warn("--no-verify-ssl: the server is not verified, and whoever is in between can read the credentials")
	}
	return &sessionMaker{program: p, in: in, client: client}, nil
}

func (p *program) clientConfig(in *inputs) credclient.Config {
	cfg := credclient.Config{
		Region:      arn.Region(in.text(flagRegion)),
		Endpoint:    strings.Join(in.list(flagEndpoint), ","),
		STSEndpoint: strings.Join(in.list(flagSTS), ","),
		NoVerifyTLS: in.truth(flagNoVerify),
		Getenv:      p.environment(in),
		UserAgent:   ownName + "/" + currentVersion(),
	}
	if in.truth(flagDebug) {
		cfg.Debug = func(line string) { fmt.Fprintf(p.stderr, "%s: debug: %s\n", p.name, printable(line)) }
	}
	return cfg
}

// environment is that of the program, with --ca-bundle in the place of its variable.
func (p *program) environment(in *inputs) func(string) string {
	return func(name string) string {
		if name == "AWS_CA_BUNDLE" && in.isSet(flagCABundle) {
			return in.text(flagCABundle)
		}
		return p.getenv(name)
	}
}

func (m *sessionMaker) create(ctx context.Context, role, profile string) (*credclient.Credentials, error) {
	id, err := m.program.loadIdentity(ctx, m.in)
	if err != nil {
		return nil, err
	}
	return m.client.CreateSession(ctx, id, m.in.request(role, profile))
}

func (in *inputs) request(role, profile string) *credclient.Request {
	return &credclient.Request{
		RoleARN:         role,
		ProfileARN:      profile,
		TrustAnchorARN:  in.text(flagAnchor),
		DurationSeconds: in.number(flagDuration),
		SessionName:     in.text(flagSession),
		Chain:           in.chain(),
	}
}

// chain are the roles of --role-arns, which may be repeated and hold lists.
func (in *inputs) chain() []string {
	var roles []string
	for _, text := range in.list(flagChain) {
		for role := range strings.SplitSeq(text, ",") {
			roles = append(roles, strings.TrimSpace(role))
		}
	}
	return roles
}
