package userfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

type fakeLists struct {
	user string
	err  error
	got  [2]string
}

func (f *fakeLists) currentUser() (string, error) { return f.user, f.err }

func (f *fakeLists) protect(path, text string) error {
	f.got = [2]string{path, text}
	return f.err
}

func TestAccessList(t *testing.T) {
	f := &fakeLists{user: "S-1-5-21-1-2-3-1001"}
	if err := protectFor(f, "x"); err != nil || f.got != [2]string{"x", "D:P(A;;FA;;;S-1-5-21-1-2-3-1001)(A;;FA;;;SY)(A;;FA;;;BA)"} {
		t.Errorf("%v, %v", f.got, err)
	}
	for _, user := range []string{"", "S-1-", "WD", "S-1-5)(A;;FA;;;WD"} {
		f := &fakeLists{user: user}
		if err := protectFor(f, "x"); user != "S-1-" && err == nil {
			t.Errorf("%q was taken", user)
		}
	}
	if err := protectFor(&fakeLists{user: "S-1-5-18", err: errors.New("no")}, "x"); err == nil {
		t.Error("a failure was passed over")
	}
}

func TestReplaceOwnerOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("a"), 0o664); err != nil {
		t.Fatal(err)
	}
	if err := ReplaceOwnerOnly(path, []byte("b"), 0o664, nil); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
