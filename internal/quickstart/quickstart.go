// Package quickstart is the guided first minute: it starts a real server in a new folder, sets up everything
// that a workload needs through the public API, gets credentials through the real client and shows who it became.
// It has no way into the server that any other client does not have. Start with [Run].
package quickstart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/awsclient"
	"github.com/rolecall/rolecall/internal/processline"
	"github.com/rolecall/rolecall/internal/server"
)

// Config says where and how the quickstart runs.
type Config struct {
	// Dir is the folder to create. It must not exist yet, or be empty.
	Dir string
	// Client is the rolecall program to use.
	Client string
	// Gateway is the versitygw program to show S3 with. Where it is missing that part is left out, unless GatewayRequired
	// makes it an error.
	Gateway         string
	GatewayRequired bool
	// Listen is the address to serve on. Default: 127.0.0.1:8443, or a free port if that one is taken.
	Listen string
	// Once ends after the check instead of serving until the context ends.
	Once bool
	// Out gets the story, Log the server's log.
	Out, Log io.Writer
}

const (
	region      = "us-east-1"
	roleName    = "quickstart-role"
	profileName = "quickstart"
)

// Run does the whole quickstart. It returns once the context ends, or after the check with Once.
func Run(ctx context.Context, cfg Config) error {
	q := &run{cfg: cfg, began: time.Now()}
	if err := q.prepare(); err != nil {
		return err
	}
	fmt.Fprintf(cfg.Out, "rolecall quickstart in %s\n\n", q.dir)
	srv, err := q.startServer(ctx)
	if err != nil {
		return errors.Join(err, q.cleanUp())
	}
	err = q.setUpAndCheck(ctx)
	if err == nil {
		fmt.Fprintf(cfg.Out, "\nFrom nothing to an identity in %s.\n", round(time.Since(q.began)))
		if !cfg.Once {
			q.printNextSteps()
			<-ctx.Done()
			fmt.Fprintln(cfg.Out, "\nstopping; the folder stays:", q.dir)
		}
	}
	return errors.Join(err, q.cleanUp(), srv.Shutdown())
}

// cleanUp ends what runs beside the server.
func (q *run) cleanUp() error {
	var errs []error
	for i := len(q.cleanups) - 1; i >= 0; i-- {
		errs = append(errs, q.cleanups[i]())
	}
	return errors.Join(errs...)
}

// run is one quickstart under way.
type run struct {
	cfg        Config
	began      time.Time
	dir        string
	client     string // absolute
	endpoint   string
	caBundle   string
	configFile string
	api        *api
	root       awsclient.Keys
	issuerARN  string // of the private CA that issues to workloads
	workload   *workload
	anchorARN  string
	roleARN    string
	profileARN string
	session    awsclient.Keys // what the workload got

	gatewayProgram string // absolute; "" for none
	gateway        *gateway
	cleanups       []func() error
}

func (q *run) prepare() error {
	dir, err := filepath.Abs(q.cfg.Dir)
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("the folder %s is not empty: the quickstart wants a new one", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	q.dir = dir
	q.client, err = filepath.Abs(q.cfg.Client)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath(q.client); err != nil {
		return fmt.Errorf("the client program is not there: %w", err)
	}
	return q.findGateway()
}

// step runs one step and prints what came of it, with its time.
func (q *run) step(what string, do func() (string, error)) error {
	start := time.Now()
	result, err := do()
	if err != nil {
		fmt.Fprintf(q.cfg.Out, "  FAILED  %s\n", what)
		return fmt.Errorf("%s: %w", what, err)
	}
	fmt.Fprintf(q.cfg.Out, "%8s  %s\n", round(time.Since(start)), what)
	if result != "" {
		fmt.Fprintf(q.cfg.Out, "          %s\n", result)
	}
	return nil
}

func round(d time.Duration) time.Duration {
	if d < 100*time.Millisecond {
		return d.Round(100 * time.Microsecond)
	}
	return d.Round(10 * time.Millisecond)
}

func (q *run) startServer(ctx context.Context) (*server.Server, error) {
	var srv *server.Server
	data := filepath.Join(q.dir, "data")
	err := q.step("start the server: SQLite store, key ring, HTTPS", func() (string, error) {
		listen, err := q.listenAddress()
		if err != nil {
			return "", err
		}
		cfg := server.Config{DataDir: data, Listen: []string{listen}, MetricsListen: "off", Region: region}
		if q.gatewayProgram != "" {
			socket, err := q.socketPath()
			if err != nil {
				return "", err
			}
			cfg.S3IAMSockets = []string{socket}
		}
		// The server's own context: Ctrl-C ends the quickstart, which then shuts the server down in order.
		srv, err = server.Start(context.WithoutCancel(ctx), cfg, server.Output{Log: q.cfg.Log})
		if err != nil {
			return "", err
		}
		q.endpoint, q.caBundle = srv.Endpoint(), filepath.Join(data, "tls-ca.pem")
		return q.endpoint, nil
	})
	return srv, err
}

// listenAddress is the configured address, or the usual one, or a free port where the usual one is taken.
func (q *run) listenAddress() (string, error) {
	if q.cfg.Listen != "" {
		return q.cfg.Listen, nil
	}
	return freeAddress(server.DefaultListen)
}

// step is one thing that the quickstart does.
type step struct {
	what string
	do   func(context.Context) (string, error)
}

func (q *run) setUpAndCheck(ctx context.Context) (err error) {
	if q.root, err = awsclient.ReadCredentials(filepath.Join(q.dir, "data", "root-credentials"), "default"); err != nil {
		return err
	}
	client, err := awsclient.New(q.endpoint, q.caBundle, region)
	if err != nil {
		return err
	}
	q.api = &api{client}
	steps := []step{
		{"create a private CA: a root, and under it one for short-lived certificates", q.createCA},
		{"issue a certificate for CN=" + subjectCN + ", for seven days", q.issue},
		{"create a trust anchor for the private CA", q.trustAnchor},
		{"create a role that trusts only this anchor and this issuer", q.role},
		{"create a profile for the role", q.profile},
		{"write an AWS config file with a credential_process", q.awsConfig},
		{"get credentials through that profile and ask who they belong to", q.identity},
	}
	if q.gatewayProgram != "" {
		steps = append(steps, q.s3Steps()...)
	}
	for _, s := range steps {
		if err := q.step(s.what, func() (string, error) { return s.do(ctx) }); err != nil {
			return err
		}
	}
	if q.gatewayProgram == "" {
		fmt.Fprintf(q.cfg.Out, "          no S3: there is no versitygw beside this program (make gateway builds it)\n")
	}
	return nil
}

func (q *run) createCA(ctx context.Context) (_ string, err error) {
	q.issuerARN, err = (&privateCA{q.api, q.root}).hierarchy(ctx, rootCN, issuerCN)
	return q.issuerARN, err
}

// issue gets the workload its certificate. Only the request leaves the workload.
func (q *run) issue(ctx context.Context) (string, error) {
	const days = 7
	var csr string
	var err error
	if q.workload, csr, err = newWorkload(q.dir); err != nil {
		return "", err
	}
	cert, _, err := (&privateCA{q.api, q.root}).issue(ctx, q.issuerARN, csr, "EndEntityClientAuthCertificate", days)
	if err != nil {
		return "", err
	}
	return q.workload.certFile, os.WriteFile(q.workload.certFile, []byte(cert+"\n"), 0o644)
}

func (q *run) trustAnchor(ctx context.Context) (_ string, err error) {
	q.anchorARN, err = q.api.createTrustAnchor(ctx, q.root, "quickstart", q.issuerARN)
	return q.anchorARN, err
}

func (q *run) role(ctx context.Context) (_ string, err error) {
	trust, err := json.Marshal(map[string]any{
		"Version": "2012-10-17",
		"Statement": []any{map[string]any{
			"Effect":    "Allow",
			"Principal": map[string]any{"Service": "rolesanywhere.amazonaws.com"},
			"Action":    []string{"sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"},
			"Condition": map[string]any{
				"ArnEquals":    map[string]any{"aws:SourceArn": q.anchorARN},
				"StringEquals": map[string]any{"aws:PrincipalTag/x509Issuer/CN": issuerCN},
			},
		}},
	})
	if err != nil {
		return "", err
	}
	if q.roleARN, err = q.api.createRole(ctx, q.root, roleName, string(trust)); err != nil {
		return "", err
	}
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["rolesanywhere:List*","rolesanywhere:Get*"],"Resource":"*"}]}`
	return q.roleARN, q.api.putRolePolicy(ctx, q.root, roleName, "look-around", policy)
}

func (q *run) profile(ctx context.Context) (_ string, err error) {
	q.profileARN, err = q.api.createProfile(ctx, q.root, "quickstart", q.roleARN)
	return q.profileARN, err
}

// awsConfig writes a config file of its own, never the user's.
func (q *run) awsConfig(context.Context) (string, error) {
	q.configFile = filepath.Join(q.dir, "aws-config")
	command := []string{
		q.client, "credential-process", "--no-cache", "--endpoint", q.endpoint,
		"--certificate", q.workload.certFile, "--private-key", q.workload.keyFile,
		"--trust-anchor-arn", q.anchorARN, "--profile-arn", q.profileARN, "--role-arn", q.roleARN,
	}
	line, err := processline.Join(command, runtime.GOOS)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("[profile %s]\nregion = %s\nendpoint_url = %s\nca_bundle = %s\ncredential_process = %s\n",
		profileName, region, q.endpoint, q.caBundle, line)
	return q.configFile, os.WriteFile(q.configFile, []byte(text), 0o600)
}

// identity does what an SDK does with the profile: it runs the configured command and uses what it prints.
func (q *run) identity(ctx context.Context) (string, error) {
	command, err := credentialProcess(q.configFile)
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = append(os.Environ(), "AWS_CA_BUNDLE="+q.caBundle)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, strings.TrimSpace(stderr.String()))
	}
	var c struct {
		Version                                   int
		AccessKeyID                               string `json:"AccessKeyId"`
		SecretAccessKey, SessionToken, Expiration string
	}
	if err := json.Unmarshal(out, &c); err != nil || c.Version != 1 {
		return "", fmt.Errorf("the client's output is not what a credential_process prints: %w", err)
	}
	q.session = awsclient.Keys{AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken}
	who, err := q.api.whoAmI(ctx, q.session)
	if err != nil {
		return "", err
	}
	if !strings.Contains(who.Arn, ":assumed-role/"+roleName+"/") {
		return "", fmt.Errorf("became %s instead of a session of %s", who.Arn, roleName)
	}
	return fmt.Sprintf("you are %s until %s", who.Arn, c.Expiration), nil
}

// printNextSteps prints lines to paste. Older AWS CLIs know neither AWS_ENDPOINT_URL (before 2.13) nor AWS_REGION (1.x) and
// would talk to AWS itself: hence the flag and AWS_DEFAULT_REGION.
func (q *run) printNextSteps() {
	fmt.Fprintf(q.cfg.Out, `
The server is running. In another terminal, as the workload:

  export AWS_CONFIG_FILE=%[1]s
  export AWS_PROFILE=%[2]s AWS_CA_BUNDLE=%[3]s AWS_ENDPOINT_URL=%[4]s
  aws --endpoint-url %[4]s sts get-caller-identity
  aws --endpoint-url %[4]s rolesanywhere list-trust-anchors
%[7]s
and as the administrator:

  export AWS_SHARED_CREDENTIALS_FILE=%[5]s AWS_PROFILE=default AWS_DEFAULT_REGION=%[6]s
  export AWS_CA_BUNDLE=%[3]s AWS_ENDPOINT_URL=%[4]s
  aws --endpoint-url %[4]s rolesanywhere list-subjects
  aws --endpoint-url %[4]s cloudtrail lookup-events --max-items 5

Ctrl-C stops the server.
`, q.configFile, profileName, q.caBundle, q.endpoint, filepath.Join(q.dir, "data", "root-credentials"), region, q.s3Line())
}
