package server

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func memoryConfig() Config {
	return Config{Store: "memory", Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "127.0.0.1:0"}
}

func TestConfigRefusesWhatCannotWork(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"no folder":            {Config{}, "data folder is needed"},
		"unknown store":        {Config{Store: "mysql://x"}, "store is not one of"},
		"cert without key":     {Config{Store: "memory", TLSCert: "c"}, "go together"},
		"half a root key":      {Config{Store: "memory", RootAccessKeyID: "A"}, "go together"},
		"short account":        {Config{Store: "memory", AccountID: "123"}, "12 digits"},
		"metrics not loopback": {Config{Store: "memory", MetricsListen: "0.0.0.0:1"}, "not a loopback"},
		"metrics by name":      {Config{Store: "memory", MetricsListen: "example.com:1"}, "not a loopback"},
		"tiny staleness":       {Config{Store: "memory", Staleness: 1}, "at least 1s"},
		"log format":           {Config{Store: "memory", LogFormat: "xml"}, "text or json"},
		"retention":            {Config{Store: "memory", EventRetention: 1}, "at least 1h"},
	} {
		if err := tc.cfg.normalise(); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, tc.want)
		}
	}
}

func TestPlainHTTPOnLoopbackOnly(t *testing.T) {
	cfg := memoryConfig()
	cfg.Listen = []string{"http://0.0.0.0:0"}
	if s, err := Start(t.Context(), cfg, Output{}); err == nil {
		s.Shutdown()
		t.Fatal("plain HTTP was served beyond loopback")
	}
}

func TestSecondServerOnAFolderIsRefused(t *testing.T) {
	cfg := Config{DataDir: t.TempDir(), Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off"}
	var out bytes.Buffer
	s, err := Start(t.Context(), cfg, Output{Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	if _, err := Start(t.Context(), cfg, Output{}); err == nil || !strings.Contains(err.Error(), "already serves") {
		t.Errorf("second start: %v", err)
	}
	for _, name := range []string{KeyRingFile, rootCredentialsFile, "rolecall.db"} {
		info, err := os.Stat(filepath.Join(cfg.DataDir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", name, info.Mode())
		}
	}
	secret := credential(t, filepath.Join(cfg.DataDir, rootCredentialsFile))
	if strings.Contains(out.String(), secret) {
		t.Error("the first start printed the root secret")
	}
}

// credential is the secret in a credentials file.
func credential(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, secret, ok := strings.Cut(string(text), "aws_secret_access_key = ")
	if !ok {
		t.Fatalf("no secret in %s", path)
	}
	return strings.TrimSpace(secret)
}

func TestALostOrForeignKeyRingIsAnError(t *testing.T) {
	dir := t.TempDir()
	cfg := Config{DataDir: dir, Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off"}
	start := func() error {
		s, err := Start(t.Context(), cfg, Output{})
		if err == nil {
			err = s.Shutdown()
		}
		return err
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	ring := filepath.Join(dir, KeyRingFile)
	saved, err := os.ReadFile(ring)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(ring); err != nil {
		t.Fatal(err)
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), "put the key ring back") {
		t.Errorf("start without a key ring: %v", err)
	}
	if _, err := os.Stat(ring); err == nil {
		t.Error("a new key ring took the place of the lost one")
	}
	other := filepath.Join(t.TempDir(), "other")
	otherCfg := cfg
	otherCfg.DataDir = other
	s, err := Start(t.Context(), otherCfg, Output{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Shutdown(); err != nil {
		t.Fatal(err)
	}
	foreign, err := os.ReadFile(filepath.Join(other, KeyRingFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ring, foreign, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(); err == nil || !strings.Contains(err.Error(), "another key ring") {
		t.Errorf("start with a foreign key ring: %v", err)
	}
	if err := os.WriteFile(ring, saved, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := start(); err != nil {
		t.Errorf("start with the right key ring again: %v", err)
	}
}

func TestHealthAndMetrics(t *testing.T) {
	s, err := Start(t.Context(), memoryConfig(), Output{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Shutdown()
	get := func(url string) (int, string) {
		t.Helper()
		resp, err := http.Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body)
	}
	if code, body := get(s.Endpoint() + healthPath); code != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %q", code, body)
	}
	operations := "http://" + s.operationsAddr
	for path, want := range map[string]string{"/livez": "", "/readyz": "", "/metrics": "rolecall_audit_backlog_bytes"} {
		if code, body := get(operations + path); code != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: %d %.200q", path, code, body)
		}
	}
}
