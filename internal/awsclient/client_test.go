package awsclient

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFindKeys(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "credentials")
	text := "# c\n[default]\naws_access_key_id = A\naws_secret_access_key=B\n\n[ other ]\naws_access_key_id=C\naws_secret_access_key=D==\naws_session_token=E\n[half]\naws_access_key_id=F\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		env  map[string]string
		want Keys
		ok   bool
	}{
		{map[string]string{"AWS_ACCESS_KEY_ID": "X", "AWS_SECRET_ACCESS_KEY": "Y", "AWS_SHARED_CREDENTIALS_FILE": file}, Keys{"X", "Y", ""}, true},
		{map[string]string{"AWS_ACCESS_KEY_ID": "X", "AWS_SHARED_CREDENTIALS_FILE": file}, Keys{}, false},
		{map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file}, Keys{"A", "B", ""}, true},
		{map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_PROFILE": "other"}, Keys{"C", "D==", "E"}, true},
		{map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_PROFILE": "half"}, Keys{}, false},
		{map[string]string{"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_PROFILE": "none"}, Keys{}, false},
		{map[string]string{"HOME": dir}, Keys{}, false},
		{map[string]string{}, Keys{}, false},
	} {
		got, err := FindKeys(func(name string) string { return tc.env[name] })
		if (err == nil) != tc.ok || got != tc.want {
			t.Errorf("%v: got %v, %v", tc.env, got, err)
		}
	}
}

func TestEndpoints(t *testing.T) {
	for endpoint, want := range map[string]bool{
		"https://creds.example": true, "http://127.0.0.1:1": true, "http://localhost:1": true, "http://[::1]:1": true,
		"http://creds.example": false, "http://10.0.0.1": false, "ftp://127.0.0.1": false, "creds.example": false, "": false,
	} {
		if _, err := New(endpoint, "", "eu-central-1"); (err == nil) != want {
			t.Errorf("%q: %v", endpoint, err)
		}
	}
}
