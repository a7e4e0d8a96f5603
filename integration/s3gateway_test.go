package integration

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/logging"

	"github.com/rolecall/rolecall/sigv4"
)

// gatewayRegion is the home region of the servers that gateways are tested with; the gateway takes it from them.
const gatewayRegion = "us-east-1"

var builtGateway struct {
	once sync.Once
	path string
	err  error
}

// gatewayProgram builds the stock gateway as `make gateway` does, beside the programs under test.
func gatewayProgram(t testing.TB) string {
	t.Helper()
	dir := filepath.Dir(program(t, "rolecalld"))
	builtGateway.once.Do(func() {
		builtGateway.path = filepath.Join(dir, "versitygw")
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", builtGateway.path, "github.com/versity/versitygw/cmd/versitygw")
		cmd.Dir = "../tools/versitygw"
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			builtGateway.err = fmt.Errorf("go build: %w\n%s", err, out)
		}
	})
	if builtGateway.err != nil {
		t.Fatal(builtGateway.err)
	}
	return builtGateway.path
}

// s3Gateway is a running S3 gateway.
type s3Gateway struct {
	*node
	endpoint string
	admin    aws.Credentials // the gateway's own, which passes all policies
	home     string          // with files and metadata
	files    string          // what it stores
	output   *output
	process  *os.Process
	ended    chan struct{}
}

// serveGateway runs an S3 gateway over HTTPS beside n, which has been started with a socket; env is the name of its
// environment file.
func serveGateway(t testing.TB, n *node, env string) *s3Gateway {
	t.Helper()
	return serveGatewayAt(t, n, env, freeAddress(t), t.TempDir())
}

// serveGatewayAt is serveGateway at an address, with what home holds from before.
func serveGatewayAt(t testing.TB, n *node, env, address, home string) *s3Gateway {
	t.Helper()
	g := &s3Gateway{node: n, home: home, files: filepath.Join(home, "files"), output: &output{}, ended: make(chan struct{})}
	metadata := filepath.Join(home, "metadata")
	for _, folder := range []string{g.files, metadata} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	g.endpoint = "https://" + address
	variables := strings.Split(strings.TrimSpace(string(must(os.ReadFile(filepath.Join(n.dir, env)))(t))), "\n")
	for _, v := range variables {
		if id, ok := strings.CutPrefix(v, "ROOT_ACCESS_KEY_ID="); ok {
			g.admin.AccessKeyID = id
		}
		if secret, ok := strings.CutPrefix(v, "ROOT_SECRET_ACCESS_KEY="); ok {
			g.admin.SecretAccessKey = secret
		}
	}
	cmd := exec.Command(gatewayProgram(t), "--port", address, "--cert", filepath.Join(n.dir, "tls-server.pem"), "--key", filepath.Join(n.dir, "tls-server.key"),
		"posix", "--sidecar", metadata, g.files)
	cmd.Env = environment(t.TempDir(), variables[1:]...)
	cmd.Stdout, cmd.Stderr = g.output, g.output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	g.process = cmd.Process
	go func() {
		cmd.Wait()
		close(g.ended)
	}()
	t.Cleanup(func() {
		g.process.Kill()
		<-g.ended
		if t.Failed() {
			t.Logf("versitygw\n%s", g.output)
		}
	})
	within(t, startTimeout, func() error {
		select {
		case <-g.ended:
			t.Fatalf("versitygw ended at its start\n%s", g.output)
		default:
		}
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err
	})
	return g
}

// serveS3 runs a server with a gateway.
func serveS3(t testing.TB, args ...string) *s3Gateway {
	t.Helper()
	dir := t.TempDir()
	n := serve(t, nodeConfig{dir: dir, args: append([]string{"--account-id", testAccount, "--s3-iam-socket", filepath.Join(dir, "s3", "iam.sock")}, args...)})
	return serveGateway(t, n, "s3-gateway.env")
}

// s3 is the SDK's client for creds.
func (g *s3Gateway) s3(t testing.TB, creds aws.Credentials) *s3.Client {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context(),
		config.WithRegion(gatewayRegion), config.WithBaseEndpoint(g.endpoint), config.WithHTTPClient(g.client()),
		config.WithCredentialsProvider(credentials.StaticCredentialsProvider{Value: creds}), config.WithRetryMaxAttempts(1),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}), config.WithLogger(logging.Nop{}))
	if err != nil {
		t.Fatal(err)
	}
	return s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
}

// raw sends one signed S3 request as it stands, path and all. path is what goes over the wire.
func (g *s3Gateway) raw(t testing.TB, creds aws.Credentials, method, path string, body []byte, headers ...string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, g.endpoint+"/", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	path, query, _ := strings.Cut(path, "?")
	if r.URL.Path, err = url.PathUnescape(path); err != nil {
		t.Fatal(err)
	}
	r.URL.RawPath, r.URL.RawQuery = path, query
	if got := r.URL.RequestURI(); got != strings.TrimSuffix(path+"?"+query, "?") {
		t.Fatalf("%s would go out as %s", path, got)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	if err := sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: creds.AccessKeyID, SecretAccessKey: creds.SecretAccessKey, SessionToken: creds.SessionToken,
		Region: gatewayRegion, Service: "s3", Time: time.Now(), BodySHA256: hash, Style: sigv4.S3,
	}); err != nil {
		t.Fatal(err)
	}
	resp, err := g.client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode, string(must(io.ReadAll(resp.Body))(t))
}

// fill makes a bucket with objects, each of which contains its own key.
func (g *s3Gateway) fill(t testing.TB, bucket string, keys ...string) {
	t.Helper()
	c := g.s3(t, g.admin)
	must(c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}))(t)
	for _, key := range keys {
		must(c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader("content of " + key)}))(t)
	}
}

// read gets an object as text.
func read(ctx context.Context, c *s3.Client, bucket, key string) (string, error) {
	out, err := c.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	if err != nil {
		return "", err
	}
	defer out.Body.Close()
	text, err := io.ReadAll(out.Body)
	return string(text), err
}

// s3Code is the error code of an S3 answer, "" for success.
func s3Code(err error) string {
	var api smithy.APIError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &api):
		return api.ErrorCode()
	}
	return err.Error()
}

// putPolicy gives the world's role one inline policy.
func (w *world) putPolicy(t testing.TB, c *clients, name, document string) {
	t.Helper()
	must(c.iam.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &w.roleName, PolicyName: &name, PolicyDocument: &document}))(t)
}

// s3World is newWorld with a role that may do what document says, and nothing else.
func s3World(t testing.TB, g *s3Gateway, document string) (*world, *clients) {
	t.Helper()
	c := g.as(t, g.root)
	w := newWorld(t, c, g.account)
	w.putPolicy(t, c, "everything", document)
	return w, c
}

// statement is one policy statement about S3.
func statement(effect, actions, resources, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	list := func(s string) string { return `["` + strings.Join(strings.Fields(s), `","`) + `"]` }
	return `{"Effect":"` + effect + `","Action":` + list(actions) + `,"Resource":` + list(resources) + condition + `}`
}

func document(statements ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",") + `]}`
}
