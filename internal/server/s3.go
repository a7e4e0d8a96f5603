package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/s3iam"
)

// S3GatewayFile is the name, in the data folder, of what the first account's S3 gateway is started with; other accounts' files
// carry their id.
const S3GatewayFile = "s3-gateway.env"

// s3IdleTimeout is long because the peer is one process that keeps its connections: one that ends between two of its
// requests would cost it an error.
const s3IdleTimeout = 24 * time.Hour

// serveS3IAM opens the sockets on which S3 gateways ask for identities and decisions.
func (s *Server) serveS3IAM(ctx context.Context) error {
	seen := map[arn.AccountID]bool{}
	for _, spec := range s.cfg.S3IAMSockets {
		account, path := s.account, spec
		if before, after, ok := strings.Cut(spec, "="); ok {
			id, err := arn.ParseAccountID(before)
			if err != nil {
				return fmt.Errorf("--s3-iam-socket %s: %q is not an account id of 12 digits", spec, before)
			}
			account, path = id, after
		}
		if seen[account] {
			return fmt.Errorf("--s3-iam-socket %s: account %s has a socket already", spec, account)
		}
		seen[account] = true
		if err := s.serveS3Gateway(ctx, account, path); err != nil {
			return fmt.Errorf("--s3-iam-socket %s: %w", spec, err)
		}
	}
	return nil
}

func (s *Server) serveS3Gateway(ctx context.Context, account arn.AccountID, path string) error {
	if _, err := s.db.View().Account(ctx, account); err != nil {
		return fmt.Errorf("account %s: %w", account, err)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	name := S3GatewayFile
	if account != s.account {
		name = strings.TrimSuffix(name, ".env") + "-" + string(account) + ".env"
	}
	file, err := s3iam.OpenGatewayFile(filepath.Join(s.cfg.DataDir, name), path, s.cfg.Region, account)
	if err != nil {
		return err
	}
	l, err := listenPrivate(path)
	if err != nil {
		return err
	}
	srv := &http.Server{
		Handler: s3iam.New(s3iam.Config{
			Gate: s.guard, View: s.db.View(), Audit: s.audit, Metrics: s.metrics, Log: s.log, Fresh: s.db.Fresh,
			Account: account, Key: file.Key, Version: s.cfg.Version, AllDecisions: s.cfg.S3DataEvents == "all",
		}),
		ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: s3IdleTimeout,
		MaxHeaderBytes: 64 << 10,
		ErrorLog:       slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.servers = append(s.servers, srv)
	s.work(func() {
		if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("S3 gateway's socket %s: %w", path, err)
		}
	})
	s.log.Info("serving an S3 gateway", "account", account, "socket", path, "environment", filepath.Join(s.cfg.DataDir, name))
	return nil
}

// listenPrivate listens on a Unix socket that only this user can reach. A socket that a dead process left is replaced.
func listenPrivate(path string) (net.Listener, error) {
	if len(path) >= len(unix.RawSockaddrUnix{}.Path) {
		return nil, fmt.Errorf("the path has %d bytes, a Unix socket's has fewer than %d", len(path), len(unix.RawSockaddrUnix{}.Path))
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// The folder's mode, not the socket's, keeps others out while the socket is made.
	if info, err := os.Stat(dir); err != nil {
		return nil, err
	} else if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("other users can enter the folder %s: its mode is %#o, want 0700", dir, info.Mode().Perm())
	}
	if err := removeStale(path); err != nil {
		return nil, err
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// removeStale removes a socket that nobody listens on.
func removeStale(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("%s is there already and is not a socket", path)
	}
	c, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		c.Close()
		return fmt.Errorf("another process listens on %s", path)
	}
	if !errors.Is(err, unix.ECONNREFUSED) {
		return err
	}
	return os.Remove(path)
}
