package s3iam

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestGatewayFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s3-gateway.env")
	first, err := OpenGatewayFile(path, "/run/x/iam.sock", "us-east-1", account)
	if err != nil {
		t.Fatal(err)
	}
	if first.Root == first.Key || first.Root.Secret == first.Key.Secret || len(first.Key.Secret) != 40 {
		t.Errorf("keys %d and %d characters, or one for both purposes", len(first.Root.Secret), len(first.Key.Secret))
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	again, err := OpenGatewayFile(path, "/run/x/iam.sock", "us-east-1", account)
	if err != nil || *again != *first {
		t.Errorf("a second start: %v", err)
	}
	moved, err := OpenGatewayFile(path, "/run/y/iam.sock", "eu-west-1", account)
	if err != nil || moved.Key != first.Key || moved.Root != first.Root {
		t.Errorf("another socket: %v", err)
	}
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), "\nVGW_IAM_STANDALONE_ENDPOINT=/run/y/iam.sock\n") || !strings.Contains(string(text), "\nVGW_REGION=eu-west-1\n") {
		t.Errorf("the file did not follow: %s, %v", text, err)
	}
	for name, socket := range map[string]string{"reads as a network address": "/run/x:1", "quotes": "/run/'x'", "a second line": "/run/x\nROOT_ACCESS_KEY_ID=x"} {
		if _, err := OpenGatewayFile(path, socket, "us-east-1", account); err == nil {
			t.Errorf("socket path that %s was taken", name)
		}
	}
	for name, change := range map[string]func(string) string{
		"a key is missing": func(s string) string { return strings.ReplaceAll(s, "VGW_IAM_STANDALONE_SECRET", "X") },
		"one key for both": func(s string) string {
			s = strings.ReplaceAll(s, first.Root.ID, first.Key.ID)
			return strings.ReplaceAll(s, first.Root.Secret, first.Key.Secret)
		},
	} {
		if err := os.WriteFile(path, []byte(change(string(text))), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenGatewayFile(path, "/run/y/iam.sock", "eu-west-1", account); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	if err := os.WriteFile(path, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenGatewayFile(path, "/run/y/iam.sock", "eu-west-1", account); err == nil {
		t.Error("a file that others can read was taken")
	}
}
