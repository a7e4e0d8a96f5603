package quickstart

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/rolecall/rolecall/internal/server"
)

// gateway is an S3 gateway that runs beside the server, as a process of its own.
type gateway struct {
	endpoint string
	http     *http.Client
	cmd      *exec.Cmd
	ended    chan struct{} // closed once the process is gone
	output   strings.Builder
}

// maxResponse bounds what is read of an answer or a file, in bytes.
const maxResponse = 1 << 20

const (
	gatewayAddress = "127.0.0.1:7070" // where S3 is served if nobody else does there
	gatewayStart   = 20 * time.Second
	gatewayStop    = 10 * time.Second
	maxSocketPath  = 100 // bytes; the system's limit is a little above
)

// socketPath is where the gateway finds its IAM: in the data folder unless that is too deep for a socket's path.
func (q *run) socketPath() (string, error) {
	path := filepath.Join(q.dir, "data", "s3-iam.sock")
	if len(path) <= maxSocketPath {
		return path, nil
	}
	dir, err := os.MkdirTemp("", "rolecall-s3-") // 0700
	q.cleanups = append(q.cleanups, func() error { return os.RemoveAll(dir) })
	return filepath.Join(dir, "iam.sock"), err
}

// findGateway sets gatewayProgram if the S3 part can run.
func (q *run) findGateway() error {
	if q.cfg.Gateway == "" {
		return nil
	}
	path, err := filepath.Abs(q.cfg.Gateway)
	if err != nil {
		return err
	}
	if _, err := exec.LookPath(path); err == nil {
		q.gatewayProgram = path
	} else if q.cfg.GatewayRequired {
		return fmt.Errorf("the S3 gateway is not there: %w", err)
	}
	return nil
}

// startGateway runs the gateway on files in the quickstart's folder. Its metadata is kept beside them, so that any file
// system will do.
func (q *run) startGateway(ctx context.Context) (string, error) {
	env, err := environmentFile(filepath.Join(q.dir, "data", server.S3GatewayFile))
	if err != nil {
		return "", err
	}
	files, meta := filepath.Join(q.dir, "s3", "files"), filepath.Join(q.dir, "s3", "metadata")
	for _, dir := range []string{files, meta} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
	}
	address, err := freeAddress(gatewayAddress)
	if err != nil {
		return "", err
	}
	trusted, err := os.ReadFile(q.caBundle)
	if err != nil {
		return "", err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(trusted)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}}, Timeout: 30 * time.Second}
	data := filepath.Join(q.dir, "data")
	g := &gateway{http: client, endpoint: "https://" + address, ended: make(chan struct{})}
	g.cmd = exec.Command(q.gatewayProgram, "--port", address, "--cert", filepath.Join(data, "tls-server.pem"), "--key", filepath.Join(data, "tls-server.key"), "--quiet",
		"posix", "--sidecar", meta, files)
	g.cmd.Env = env
	g.cmd.Stdout, g.cmd.Stderr = &g.output, &g.output
	if q.cfg.Log != nil {
		g.cmd.Stdout, g.cmd.Stderr = q.cfg.Log, q.cfg.Log
	}
	if err := g.cmd.Start(); err != nil {
		return "", err
	}
	go func() {
		g.cmd.Wait() //nolint:errcheck // stop asks the process state
		close(g.ended)
	}()
	q.cleanups = append(q.cleanups, g.stop)
	q.gateway = g
	return g.endpoint, g.wait(ctx, address)
}

// wait returns once the gateway accepts connections.
func (g *gateway) wait(ctx context.Context, address string) error {
	deadline := time.Now().Add(gatewayStart)
	for {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-g.ended:
			return fmt.Errorf("the gateway ended: %s\n%s", g.cmd.ProcessState, g.output.String())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the gateway does not answer: %w", err)
		}
	}
}

// stop ends the gateway.
func (g *gateway) stop() error {
	if err := g.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-g.ended:
		return nil
	case <-time.After(gatewayStop):
		return errors.Join(errors.New("the S3 gateway had to be killed"), g.cmd.Process.Kill())
	}
}

// environmentFile reads NAME=VALUE lines.
func environmentFile(path string) ([]string, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxResponse))
	if err != nil {
		return nil, err
	}
	var env []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			env = append(env, line)
		}
	}
	return env, nil
}

// freeAddress is the address wanted, or a free port where that one is taken.
func freeAddress(wanted string) (string, error) {
	l, err := net.Listen("tcp", wanted)
	if err != nil {
		if l, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			return "", err
		}
	}
	return l.Addr().String(), l.Close()
}
