package integration

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// entryOf is a certificate's key on a list of blocked keys.
func entryOf(a *authority) string {
	sum := sha256.Sum256(a.cert.RawSubjectPublicKeyInfo)
	return hex.EncodeToString(sum[:])
}

// A list of blocked keys that cannot be read in full stops the start, before anything is written.
func TestBadBlockedKeysAreRefused(t *testing.T) {
	lists := t.TempDir()
	list := filepath.Join(lists, "list")
	for text, want := range map[string]string{
		"": "has no entries", strings.Repeat("0", 64) + "\nnot an entry\n": "line 2: an entry is 64, 30 or 20 hex digits and nothing else",
		strings.Repeat("0", 63): "line 1: an entry is",
	} {
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "data")
		refuse(t, nodeConfig{dir: dir, args: []string{"--blocked-keys", list}}, "blocked keys: "+list, want)
		refuse(t, nodeConfig{dir: dir, env: []string{"ROLECALLD_BLOCKED_KEYS=" + lists}}, "blocked keys: "+list, want)
		if _, err := os.Stat(dir); err == nil {
			t.Error("the refused start has made a data folder")
		}
	}
	refuse(t, nodeConfig{dir: t.TempDir(), args: []string{"--blocked-keys", list + ".missing"}}, list+".missing", "no such file")
}

// The built server takes a changed list over while it runs, keeps the old one if the new one is damaged, and ca import looks as well.
func TestBlockedKeysWhileRunning(t *testing.T) {
	ca := newAuthority(t, "Leaked")
	list := filepath.Join(t.TempDir(), "list")
	replace := func(text string) {
		t.Helper()
		if err := os.WriteFile(list+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(list+".new", list); err != nil {
			t.Fatal(err)
		}
	}
	replace(strings.Repeat("0", 64) + "\n")
	n := serve(t, nodeConfig{dir: t.TempDir(), args: []string{"--blocked-keys", list}})
	logged := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(60 * time.Second); !strings.Contains(n.stderr.String(), text); time.Sleep(100 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("the log lacks %q", text)
			}
		}
	}
	logged(`msg="keys are blocked" entries=1 files=1`)
	replace("cut sho")
	logged("the list in use stays")
	replace(strings.Repeat("0", 64) + "\n" + entryOf(ca) + "\n")
	logged("in use\" entries=2 files=1")

	cert, key := (&workload{cert: ca.cert, key: ca.key}).files(t)
	args := []string{"ca", "import", "--account", n.account, "--region", region, "--certificate", cert, "--key", key, "--data-dir", n.dir}
	env := environment(t.TempDir())
	got := run(t, "", env, program(t, "rolecalld"), append(args, "--blocked-keys", list)...)
	if got.code != 1 || !strings.Contains(got.stderr, "the certificate of CN=Leaked cannot be used: the key is on the server's list of blocked keys") {
		t.Errorf("exit %d, %s", got.code, got.stderr)
	}
	mustRun(t, "", env, program(t, "rolecalld"), args...) // without the flag there is no list
}
