package bucket

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestValidName(t *testing.T) {
	for name, want := range map[string]bool{
		"abc": true, "a-b.c1": true, strings.Repeat("a", 63): true,
		"ab": false, strings.Repeat("a", 64): false, "A-b": false, "a_b": false, "a/b": false, "../..": false, "-ab": false, "ab-": false, "a..b": false, ".ab": false, "1.2.3.4": false, "a?b": false, "": false,
	} {
		if ValidName(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}

func credentialsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCredentials(t *testing.T) {
	path := credentialsFile(t, "aws_access_key_id=none\n[a]\n# c\naws_access_key_id = x = y\n[ b ] ; two\nAWS_ACCESS_KEY_ID=id\r\naws_secret_access_key = se cret \naws_session_token=tok\n[c]\naws_access_key_id=z\n")
	got, err := readCredentials(path, "b")
	if want := (credentials{"id", "se cret", "tok"}); err != nil || got != want {
		t.Errorf("got %q %v", got, err)
	}
	for _, profile := range []string{"a", "c", "default", ""} {
		if _, err := readCredentials(path, profile); err == nil {
			t.Errorf("profile %q was read", profile)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := credentialsFile(t, "[default]\naws_access_key_id=a\naws_secret_access_key=b\n")
	for _, c := range []Config{
		{Endpoint: "ftp://x"}, {Endpoint: "http://u:p@x"}, {Endpoint: "http://x/path"}, {Endpoint: "http://x?q"}, {Endpoint: "x"}, {Endpoint: ""},
		{Endpoint: "http://x", Credentials: good + "x"}, {Endpoint: "https://x", CABundle: good},
	} {
		if c.Credentials == "" {
			c.Credentials = good
		}
		c.Profile = "default"
		if _, err := New(c); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}

// TestNoRedirects: an answer cannot send the client, with its signature, elsewhere; an error document is bounded and clean.
func TestNoRedirects(t *testing.T) {
	followed := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed = true }))
	defer other.Close()
	s3 := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/abc/moved" {
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
			return
		}
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "<Error><Code>AccessDenied</Code><Message>"+strings.Repeat("no\x07 ", 500)+"</Message></Error>")
	}))
	defer s3.Close()
	c, err := New(Config{Endpoint: s3.URL, Region: "r", Profile: "p", Credentials: credentialsFile(t, "[p]\naws_access_key_id=a\naws_secret_access_key=b\n")})
	if err != nil {
		t.Fatal(err)
	}
	for key, status := range map[string]int{"moved": 307, "denied": 403} {
		err := c.Put(t.Context(), &Object{Bucket: "abc", Key: key, Body: bytes.NewReader([]byte("x"))})
		var e *Error
		if !errors.As(err, &e) || e.Status != status || len(e.Error()) > 400 {
			t.Errorf("%s: %v", key, err)
		}
	}
	if followed {
		t.Error("a redirect was followed")
	}
}
