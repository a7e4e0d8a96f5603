// Package testdb starts what tests need beside the programs themselves: a private PostgreSQL server. It is for tests only
// and installs nothing: what is missing is a test failure that says how to get it. Start with [Postgres].
package testdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// binaries is where Debian's postgresql-15 keeps initdb and postgres.
const binaries = "/usr/lib/postgresql/15/bin"

// server is a running PostgreSQL.
type server struct {
	admin     url.URL
	databases atomic.Int64
}

// shared starts the server on first use. One per test process, whatever packages' helpers ask: a start takes a second.
var shared = sync.OnceValues(start)

// Postgres returns the URL of a new, empty database. It is dropped at the end of the test; the server ends with the process,
// however that ends.
func Postgres(t testing.TB) string {
	t.Helper()
	s, err := shared()
	if err != nil {
		t.Fatalf("PostgreSQL 15: %v\nhint: run `make deps`", err)
	}
	name := fmt.Sprintf("test_%d", s.databases.Add(1))
	if err := s.exec(`CREATE DATABASE ` + name + ` TEMPLATE template0`); err != nil {
		t.Fatalf("PostgreSQL 15: %v", err)
	}
	t.Cleanup(func() {
		if err := s.exec(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Errorf("PostgreSQL 15: %v", err)
		}
	})
	u := s.admin
	u.Path = "/" + name
	return u.String()
}

func (s *server) exec(q string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	db, err := sql.Open("pgx", s.admin.String())
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, q)
	return err
}

// supervise runs the server until its standard input ends, which it does when the test process is gone, killed or not.
// Then it stops the server at once and removes its folder. $1 is the folder, the rest the server's command.
const supervise = `
dir=$1; shift
"$@" >"$dir/log" 2>&1 </dev/null &
pid=$!
cat >/dev/null
kill -QUIT $pid
wait $pid
cd / && rm -rf "$dir"
`

func start() (*server, error) {
	for _, name := range []string{"initdb", "postgres"} {
		if _, err := os.Stat(filepath.Join(binaries, name)); err != nil {
			return nil, err
		}
	}
	var s *server
	var err error
	for range 3 { // another process may take the free port first
		var dir string
		if dir, err = os.MkdirTemp("", "rolecall-postgres-"); err != nil {
			return nil, err
		}
		if s, err = startIn(dir); err == nil {
			return s, nil
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return nil, err
}

func startIn(dir string) (*server, error) {
	attr, err := unprivileged(dir)
	if err != nil {
		return nil, err
	}
	password, data := rand.Text(), filepath.Join(dir, "data")
	pwfile := filepath.Join(dir, "password")
	if err := os.WriteFile(pwfile, []byte(password+"\n"), 0o600); err != nil {
		return nil, err
	}
	if attr.Credential != nil {
		if err := os.Chown(pwfile, int(attr.Credential.Uid), int(attr.Credential.Gid)); err != nil {
			return nil, err
		}
	}
	// A locale that does not sort bytewise: an ORDER BY that relies on the default shows.
	initdb := exec.Command(filepath.Join(binaries, "initdb"), "--pgdata", data, "--username", "rolecall", "--pwfile", pwfile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--locale-provider", "icu", "--icu-locale", "en-US", "--no-sync")
	initdb.Dir, initdb.SysProcAttr = dir, attr
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return launch(dir, data, password, attr)
}

func launch(dir, data, password string, attr *syscall.SysProcAttr) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{"-c", supervise, "sh", dir, filepath.Join(binaries, "postgres"), "-D", data, "-p", strconv.Itoa(port)}
	for _, setting := range []string{"listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "full_page_writes=off",
		"max_connections=200", "shared_buffers=32MB", "autovacuum_naptime=1min"} {
		args = append(args, "-c", setting)
	}
	cmd := exec.Command("/bin/sh", args...)
	cmd.Dir, cmd.SysProcAttr = dir, attr
	lifeline, err := cmd.StdinPipe() // never closed: it ends with this process
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	exited := make(chan struct{})
	go func() {
		cmd.Wait() // reaps; why it ended is in the log
		close(exited)
	}()
	s := &server{admin: url.URL{Scheme: "postgres", User: url.UserPassword("rolecall", password),
		Host: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Path: "/postgres", RawQuery: "sslmode=disable"}}
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if err = s.exec(`SELECT 1`); err == nil {
			return s, nil
		}
		if log, _ := os.ReadFile(filepath.Join(dir, "log")); strings.Contains(string(log), "FATAL:  could not create any TCP/IP sockets") {
			break
		}
	}
	log, _ := os.ReadFile(filepath.Join(dir, "log"))
	lifeline.Close()
	<-exited
	return nil, fmt.Errorf("the server does not answer: %w\n%s", err, log)
}

// unprivileged gives dir to the account the server runs as: PostgreSQL refuses to run as root.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	// A group of its own: Ctrl-C on the tests must leave the supervisor alive to clean up.
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Geteuid() != 0 {
		return attr, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return nil, err
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, err
	}
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
	return attr, os.Chown(dir, int(uid), int(gid))
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
