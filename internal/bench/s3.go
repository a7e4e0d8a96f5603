package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/server"
	"github.com/rolecall/rolecall/sigv4"
)

const (
	s3Region = "us-east-1" // the home region of the server under test, which the gateway takes over
	s3Object = "/bench/object"
)

// s3 measures a GET of a small object through an S3 gateway whose IAM is rolecalld, against the same gateway with its
// built-in single account, which decides nothing.
func (b *bench) s3(ctx context.Context, out io.Writer, say func(string, ...any)) (err error) {
	say("S3 gateway")
	p := b.target.pkis[p256]
	answer, err := b.target.once(ctx, b.target.sessionPool(p, []*x509.Certificate{p.leaf}))
	if err != nil {
		return err
	}
	session, err := sessionCredentials(answer)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(b.target.dataDir, server.S3GatewayFile))
	if err != nil {
		return err
	}
	admin, whole := gatewayEnvironment(string(text))
	names := [2]string{"built-in account", "rolecalld"}
	var gateways [2]*child
	for i, env := range [2][]string{whole[:2], whole} {
		if gateways[i], err = b.startGateway(ctx, names[i], env); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, gateways[i].stop()) }()
		if err := putObject(ctx, gateways[i].address, admin); err != nil {
			return fmt.Errorf("%s: %w", names[i], err)
		}
	}
	var total [2]side
	var own time.Duration // of rolecalld itself
	pools := [2]*pool{getPool(gateways[0].address, admin), getPool(gateways[1].address, session)}
	var conns [2]*clients
	for i, g := range gateways {
		if conns[i], err = dial(ctx, g.address, b.options.conns); err != nil {
			return err
		}
		defer conns[i].close()
		if _, err := window(ctx, g, conns[i], pools[i], warmUp, maxRequests); err != nil {
			return err
		}
	}
	for range turns {
		for i, g := range gateways {
			before, err := b.target.server.cpu()
			if err != nil {
				return err
			}
			one, err := window(ctx, g, conns[i], pools[i], b.options.time/turns, maxRequests)
			if err != nil {
				return err
			}
			after, err := b.target.server.cpu()
			if err != nil {
				return err
			}
			if i == 1 {
				own += after - before
			}
			total[i].add(one)
		}
	}
	t := newTable(out, "GET of 1 KiB through versitygw: identity and policy from rolecalld, against the gateway's built-in account",
		"req/s", "built-in req/s", "throughput ratio", "CPU µs/req", "of it rolecalld", "built-in CPU µs/req")
	mine := own / time.Duration(max(1, total[1].requests))
	t.row(fmt.Sprintf("%.0f", total[1].rate()), fmt.Sprintf("%.0f", total[0].rate()), fmt.Sprintf("%.2f", total[1].rate()/total[0].rate()),
		micros(total[1].perRequest()+mine), micros(mine), micros(total[0].perRequest()))
	t.note("two questions over the socket per request: the signing key and the decision")
	return t.flush()
}

// gatewayEnvironment reads the environment file: the administrator's key comes first.
func gatewayEnvironment(text string) (admin credentials, env []string) {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "#") {
			continue
		}
		env = append(env, line)
		if v, ok := strings.CutPrefix(line, "ROOT_ACCESS_KEY_ID="); ok {
			admin.AccessKeyID = v
		}
		if v, ok := strings.CutPrefix(line, "ROOT_SECRET_ACCESS_KEY="); ok {
			admin.SecretAccessKey = v
		}
	}
	return admin, env
}

func (b *bench) startGateway(ctx context.Context, name string, env []string) (*child, error) {
	address, err := freePort()
	if err != nil {
		return nil, err
	}
	root := filepath.Join(b.target.dataDir, "s3 "+name)
	files, meta := filepath.Join(root, "files"), filepath.Join(root, "metadata")
	for _, dir := range []string{files, meta} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	program, err := filepath.Abs(b.options.gateway)
	if err != nil {
		return nil, err
	}
	c := &child{name: "versitygw, " + name, address: address, errors: &tail{}, stdin: io.NopCloser(nil), ended: make(chan struct{})}
	c.cmd = exec.CommandContext(ctx, program, "--port", address, "--quiet", "--keep-alive", "--cert", filepath.Join(b.target.dataDir, "tls-server.pem"),
		"--key", filepath.Join(b.target.dataDir, "tls-server.key"), "posix", "--sidecar", meta, files)
	c.cmd.Env = append(append([]string(nil), env...), "VGW_REGION="+s3Region)
	c.cmd.Stdout, c.cmd.Stderr = c.errors, c.errors
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		c.cmd.Wait() //nolint:errcheck // a gateway that ends early fails the requests
		close(c.ended)
	}()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return c, conn.Close()
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%s does not answer: %w\n%s", c.name, err, c.errors), c.stop())
		}
	}
}

// putObject makes the bucket and the object.
func putObject(ctx context.Context, address string, admin credentials) error {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, Timeout: dialTimeout} //nolint:gosec // this program's own child
	defer client.CloseIdleConnections()
	for _, r := range []struct {
		path string
		body []byte
	}{{"/bench", nil}, {s3Object, bytes.Repeat([]byte("x"), 1024)}} {
		req, err := s3Request(address, admin, http.MethodPut, r.path, r.body, time.Now())
		if err != nil {
			return err
		}
		resp, err := client.Do(req.WithContext(ctx))
		if err != nil {
			return err
		}
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return errors.Join(fmt.Errorf("PUT %s: %s %s", r.path, resp.Status, text), err)
		}
	}
	return nil
}

func getPool(address string, c credentials) *pool {
	return &pool{status: http.StatusOK, sign: func(now time.Time) ([][]byte, error) {
		out := make([][]byte, distinct)
		return out, inParallel(len(out), func(i int) error {
			r, err := s3Request(address, c, http.MethodGet, s3Object, nil, now.Add(time.Duration(-i)*time.Second))
			if err == nil {
				out[i], err = requestBytes(r)
			}
			return err
		})
	}}
}

func s3Request(address string, c credentials, method, path string, body []byte, at time.Time) (*http.Request, error) {
	r, err := http.NewRequest(method, "https://"+address+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("User-Agent", "rolecall-bench")
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	return r, sigv4.Sign(r, &sigv4.SignInput{
		AccessKeyID: c.AccessKeyID, SecretAccessKey: c.SecretAccessKey, SessionToken: c.SessionToken,
		Region: s3Region, Service: "s3", Time: at, BodySHA256: hash, Style: sigv4.S3,
	})
}
