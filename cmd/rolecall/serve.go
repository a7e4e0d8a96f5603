package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/credclient"
	"github.com/rolecall/rolecall/internal/imds"
	"github.com/rolecall/rolecall/internal/userfile"
)

const (
	flagPort           = "port"
	flagHopLimit       = "hop-limit"
	flagListen         = "listen"
	flagAllowNet       = "allow-net"
	flagAllowHost      = "allow-host"
	flagSocketMode     = "socket-mode"
	flagContainerToken = "container-token-file"
)

func serve() command {
	flags := sessionFlags()
	for i := range flags {
		switch flags[i].name {
		case flagRole:
			flags[i].kind, flags[i].help = listFlag, "role to assume; may be repeated, and the first is the one that SDKs find"
		case flagProfileARN:
			flags[i].kind, flags[i].help = listFlag, "Roles Anywhere profile that lists the role; one for all roles, or one for each"
		}
	}
	return command{
		name:  "serve",
		short: "Serve credentials to SDKs as the instance metadata service or the container endpoint does",
		long: `Answers version 2 of the EC2 instance metadata protocol, and with --container-token-file also the
container credentials protocol at ` + imds.PathContainer + `. Credentials are replaced before they expire, when
somebody asks for them; while they are valid a failed refresh changes nothing. Whoever can connect
gets the credentials: the default is 127.0.0.1, other addresses need --allow-net. Sockets that
systemd passes are used, and it is told when the service is ready. SIGTERM ends the service after
the requests that have begun.`,
		flags: append(flags,
			flag{name: flagPort, kind: intFlag, value: "9911", arg: "PORT", help: "port on 127.0.0.1; 0: one that is free"},
			flag{name: flagHopLimit, kind: intFlag, value: "64", arg: "N", help: "time to live of the IP packets of answers, 1 to 255"},
			flag{name: flagListen, kind: listFlag, arg: "ADDRESS", help: "host:port, [address]:port or unix:PATH to listen on; may be repeated, replaces 127.0.0.1"},
			flag{name: flagAllowNet, kind: listFlag, arg: "CIDR", help: "network whose clients are let in besides this machine's; may be repeated"},
			flag{name: flagAllowHost, kind: listFlag, arg: "NAME", help: "name that clients use for this server besides its addresses and localhost; may be repeated"},
			flag{name: flagSocketMode, kind: intFlag, value: "0600", arg: "MODE", help: "mode of a Unix socket"},
			flag{name: flagContainerToken, arg: "FILE", help: "token that clients of the container endpoint must send; made if there is no such file"}),
		groups: sessionGroups(),
		run:    runServe,
	}
}

func runServe(ctx context.Context, p *program, in *inputs) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
	defer stop()
	cfg, err := p.serverConfig(in)
	if err != nil {
		return err
	}
	maker, err := p.newSessionMaker(in)
	if err != nil {
		return err
	}
	region, _, err := credclient.Resolve(p.clientConfig(in), in.request(in.list(flagRole)[0], in.list(flagProfileARN)[0]))
	if err != nil {
		return err
	}
	cfg.Region = region
	var started atomic.Bool // before, a failure is the result of the command
	cfg.Roles = p.servedRoles(ctx, in, cfg.Roles, maker, func(err error) {
		if started.Load() {
			p.log("refresh failed: " + err.Error())
		}
	})
	server, err := imds.New(*cfg)
	if err != nil {
		return err
	}
	listeners, err := p.listen(ctx, in, server)
	if err != nil {
		return err
	}
	for _, r := range cfg.Roles {
		if _, err := r.Get(ctx); err != nil {
			for _, l := range listeners {
				l.Close()
			}
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	started.Store(true)
	p.announce(in, listeners)
	if err := imds.Notify(p.getenv, "READY=1"); err != nil {
		p.warn("cannot tell systemd that the service is ready: " + err.Error())
	}
	defer p.stopping(ctx)()
	return server.Serve(ctx, listeners...)
}

// stopping tells systemd when ctx ends. What it returns waits for that: the program must not end first.
func (p *program) stopping(ctx context.Context) (wait func()) {
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		_ = imds.Notify(p.getenv, "STOPPING=1") // a courtesy
		close(told)
	})
	return func() {
		if !stop() {
			<-told
		}
	}
}

// serverConfig reads the flags that need nothing but themselves. Roles are without their functions.
func (p *program) serverConfig(in *inputs) (*imds.Config, error) {
	cfg := &imds.Config{Hosts: in.list(flagAllowHost), HopLimit: in.number(flagHopLimit), Log: p.log}
	if cfg.HopLimit < 1 {
		return nil, &problem{fmt.Sprintf("hop limit %d is not within 1 to 255", cfg.HopLimit), "check --hop-limit"}
	}
	for _, text := range in.list(flagRole) {
		a, err := arn.Parse(text)
		if _, ok := a.RoleName(); err != nil || !ok {
			return nil, &problem{"invalid role ARN", "check --role-arn " + text}
		}
		cfg.Roles = append(cfg.Roles, imds.Role{ARN: a})
	}
	if len(cfg.Roles) == 0 {
		return nil, &problem{"invalid role ARN", "pass --role-arn"}
	}
	if n := len(in.list(flagProfileARN)); n != 1 && n != len(cfg.Roles) {
		return nil, &problem{fmt.Sprintf("%d profile ARNs for %d roles", n, len(cfg.Roles)), "pass --profile-arn once, or once for each --role-arn in the same order"}
	}
	if chain := in.chain(); len(chain) > 0 {
		last, err := arn.Parse(chain[len(chain)-1])
		if _, ok := last.RoleName(); err != nil || !ok || len(cfg.Roles) > 1 {
			return nil, &problem{"--" + flagChain + " needs one --" + flagRole + " and ends with the ARN of a role", "run one server for each chain"}
		}
		cfg.Roles[0].ARN = last // whose name the clients ask for
	}
	for _, text := range in.list(flagAllowNet) {
		n, err := netip.ParsePrefix(text)
		if err != nil || n != n.Masked() {
			return nil, &problem{fmt.Sprintf("%q is not a network", text), "pass --allow-net such as 172.17.0.0/16"}
		}
		if n.Bits() == 0 {
			p.warn("--allow-net " + text + ": everyone who can reach this server gets the credentials")
		}
		cfg.Networks = append(cfg.Networks, n)
	}
	if path := in.text(flagContainerToken); path != "" {
		if err := ensureToken(path); err != nil {
			return nil, err
		}
		cfg.ContainerToken = func() (string, error) { return readToken(path) }
	}
	return cfg, nil
}

// servedRoles gives each role a keeper of its own.
func (p *program) servedRoles(ctx context.Context, in *inputs, roles []imds.Role, maker *sessionMaker, log func(error)) []imds.Role {
	profiles := in.list(flagProfileARN)
	for i := range roles {
		role, profile := in.list(flagRole)[i], profiles[min(i, len(profiles)-1)]
		fetch := func(ctx context.Context) (*credclient.Credentials, error) {
			creds, err := maker.create(ctx, role, profile)
			if err == nil {
				p.log("credentials of " + roles[i].ARN.String() + " obtained, valid until " + creds.Expiration)
			}
			return creds, err
		}
		// A refresh for a request that is being drained may still finish.
		roles[i].Get = credclient.NewKeeper(context.WithoutCancel(ctx), fetch, log).Get
	}
	return roles
}

func (p *program) listen(ctx context.Context, in *inputs, server *imds.Server) ([]net.Listener, error) {
	list, err := server.Passed(p.getenv)
	addresses := in.list(flagListen)
	if len(list)+len(addresses) == 0 || in.isSet(flagPort) {
		addresses = append([]string{fmt.Sprintf("127.0.0.1:%d", in.number(flagPort))}, addresses...)
	}
	for _, a := range addresses {
		if err != nil {
			break
		}
		var l net.Listener
		if l, err = server.Listen(ctx, a, fs.FileMode(in.number(flagSocketMode))); err == nil {
			list = append(list, l)
		}
	}
	if err != nil {
		for _, l := range list {
			l.Close()
		}
		hint := "pass a free --port, or an address with --listen"
		if strings.Contains(err.Error(), "no client network") {
			hint = "pass --allow-net with the network of the clients"
		}
		return nil, &problem{"failed to create listener: " + err.Error(), hint}
	}
	return list, nil
}

// announce tells where the server is, for the first address in the official helper's words.
func (p *program) announce(in *inputs, listeners []net.Listener) {
	for i, l := range listeners {
		tcp, ok := l.Addr().(*net.TCPAddr)
		if i > 0 || !ok {
			p.log("Listening on " + l.Addr().Network() + " " + l.Addr().String())
			continue
		}
		host := tcp.IP.String()
		if tcp.IP.IsUnspecified() {
			host = "localhost"
		}
		base := "http://" + net.JoinHostPort(host, fmt.Sprint(tcp.Port))
		p.log(fmt.Sprintf("Local server started on port: %d", tcp.Port))
		p.log("Make it available to the sdk by running:")
		p.log("export AWS_EC2_METADATA_SERVICE_ENDPOINT=" + base + "/")
		if path := in.text(flagContainerToken); path != "" {
			p.log("or, with the container endpoint:")
			p.log("export AWS_CONTAINER_CREDENTIALS_FULL_URI=" + base + imds.PathContainer + " AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=" + path)
		}
	}
}

// ensureToken makes a token file that only the user can read, unless there is one.
func ensureToken(path string) error {
	_, err := readToken(path)
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	random := make([]byte, 32)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	if err := userfile.Replace(path, []byte(base64.RawURLEncoding.EncodeToString(random)), 0o600, nil); err != nil {
		return &problem{fmt.Sprintf("cannot make the token file: %v", err), "check --" + flagContainerToken}
	}
	return nil
}

func readToken(path string) (string, error) {
	b, _, err := userfile.Read(path, maxSecret)
	if err != nil {
		return "", fmt.Errorf("token file: %w", err)
	}
	token := strings.TrimSpace(string(b))
	if len(token) < 16 || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", &problem{"the token in " + path + " is shorter than 16 characters or has others than printable ASCII ones", "remove the file to have a token made"}
	}
	return token, nil
}
