package integration

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/testdb"
)

// snapshot is every file below a data folder, its mode and a hash of its bytes, but for the lock, which names the process that
// holds it.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == "lock" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		data, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, dir)] = fmt.Sprintf("%s %x", info.Mode(), sha256.Sum256(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// refusedStart runs rolecalld, which has to end with an error by itself.
func refusedStart(t *testing.T, args ...string) (stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program(t, "rolecalld"), args...)
	cmd.Env = environment(t.TempDir())
	var out strings.Builder
	cmd.Stderr = &out
	if err := cmd.Run(); err == nil || ctx.Err() != nil || cmd.ProcessState.ExitCode() != 1 {
		t.Errorf("rolecalld %v: %v, want exit 1", args, err)
	}
	return out.String()
}

// TestLostKeyRing: without the master key, or with another one, nothing starts, the error says what is wrong, and every file
// stays as it is. With the right one everything is there again.
func TestLostKeyRing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	n := serve(t, nodeConfig{dir: dir})
	root, ca, csr := n.root, n.rootCA(t, nil), hostCSR(t)
	n.stop(t)
	ring := filepath.Join(dir, "keyring.json")
	old := must(os.ReadFile(ring))(t)
	mustRun(t, "", environment(t.TempDir()), program(t, "rolecalld"), "keys", "rotate", "--data-dir", dir)
	right := must(os.ReadFile(ring))(t)

	other := serve(t, nodeConfig{dir: t.TempDir()})
	other.stop(t)
	foreign := must(os.ReadFile(filepath.Join(other.dir, "keyring.json")))(t)

	serving := []string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--metrics-listen", "off"}
	commands := [][]string{serving, {"keys", "rotate", "--data-dir", dir}, {"keys", "rotate", "--activate-after", "1h", "--data-dir", dir}, {"keys", "rewrap", "--data-dir", dir},
		{"keys", "list", "--data-dir", dir}, {"ca", "list", "--data-dir", dir}, {"account", "create", "x", "--data-dir", dir}}
	for _, c := range []struct {
		name     string
		data     []byte // nil: no file
		mode     os.FileMode
		want     string
		commands [][]string
	}{
		{"missing", nil, 0, "the key ring is missing", commands},
		{"empty", []byte{}, 0o600, "the key ring is damaged", commands},
		{"truncated", right[:len(right)-40], 0o600, "the key ring is damaged", commands},
		{"one digit off", []byte(strings.Replace(string(right), `"secret": "`, `"secret": "A`, 1)), 0o600, "the key ring is damaged", commands},
		{"readable by all", right, 0o644, "0644", commands},
		{"another server's", foreign, 0o600, "set up with another key ring", commands},
		{"from before the rotation", old, 0o600, "key", [][]string{serving, commands[1], commands[2], commands[3]}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.Remove(ring); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
			if c.data != nil {
				write(t, ring, string(c.data), c.mode)
				if err := os.Chmod(ring, c.mode); err != nil { // whatever the umask
					t.Fatal(err)
				}
			}
			before := snapshot(t, dir)
			for _, args := range c.commands {
				stderr := refusedStart(t, args...)
				if !strings.HasPrefix(stderr, "rolecalld: ") || !strings.Contains(stderr, c.want) {
					t.Errorf("%v: %q, want %q", args, stderr, c.want)
				}
				if after := snapshot(t, dir); !maps.Equal(before, after) {
					t.Fatalf("%v: files have changed\n%v\n%v", args, before, after)
				}
			}
		})
	}
	if err := os.Remove(ring); err != nil {
		t.Fatal(err)
	}
	write(t, ring, string(right), 0o600)
	n = serve(t, nodeConfig{dir: dir})
	n.root = root
	n.mustPCA(t, "IssueCertificate", issueRequest(ca, csr))
	n.stop(t)
}

// TestLostKeyRingOfNode: a new node without a copy of the ring does not start on the others' store, and leaves no ring behind
// that would look like the right one.
func TestLostKeyRingOfNode(t *testing.T) {
	database := testdb.Postgres(t)
	serve(t, nodeConfig{dir: t.TempDir(), args: []string{"--store", database}}).stop(t)
	dir := t.TempDir()
	stderr := refusedStart(t, "serve", "--data-dir", dir, "--store", database, "--listen", "127.0.0.1:0", "--metrics-listen", "off")
	if !strings.Contains(stderr, "set up with another key ring") || !strings.Contains(stderr, "copy keyring.json") {
		t.Errorf("got %q", stderr)
	}
	if _, err := os.Stat(filepath.Join(dir, "keyring.json")); !os.IsNotExist(err) {
		t.Errorf("a key ring was left behind: %v", err)
	}
}
