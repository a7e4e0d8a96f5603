package credfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/rolecall/rolecall/internal/userfile"
)

// ConfigPath is the AWS config file: AWS_CONFIG_FILE, else .aws/config in the home folder.
func ConfigPath(getenv func(string) string) (string, error) {
	if p := getenv("AWS_CONFIG_FILE"); p != "" {
		return p, nil
	}
	return inHome(getenv, "config", "AWS_CONFIG_FILE")
}

// Change says what an edit of the config file did, or would do.
type Change string

// The changes.
const (
	Created   Change = "created"
	Updated   Change = "updated"
	Replaced  Change = "replaced" // a profile of the user's, which stays in comments
	Unchanged Change = "unchanged"
	Removed   Change = "removed"
)

// Profile is what a config file gets.
type Profile struct {
	Name   string      // letters, digits and _ . @ : / + -; "default" is the one without a name
	Keys   [][2]string // name and value, in order; values without line ends
	Force  bool        // replace a profile that this package did not write; its lines stay as comments
	DryRun bool        // write nothing
}

// WriteProfile puts the profile into the config file at path, which then only its owner can use. A missing file is made
// with mode 0600, a missing folder with 0700. A symbolic link is followed and stays.
func WriteProfile(ctx context.Context, path string, p *Profile) (Change, error) {
	return changeConfig(ctx, path, p.DryRun, func(old []byte) ([]byte, Change, error) { return setBlock(old, p) })
}

// RemoveProfile takes out what WriteProfile put in, and puts back what that replaced. It is an error if there is nothing of
// the kind.
func RemoveProfile(ctx context.Context, path, name string, dryRun bool) (Change, error) {
	return changeConfig(ctx, path, dryRun, func(old []byte) ([]byte, Change, error) { return removeBlock(old, name) })
}

func changeConfig(ctx context.Context, path string, dryRun bool, edit func([]byte) ([]byte, Change, error)) (Change, error) {
	if dryRun {
		old, _, err := userfile.Read(path, maxFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fileError(path, err)
		}
		_, change, err := edit(old)
		return change, err
	}
	var change Change
	err := rewrite(ctx, path, userfile.ReplaceOwnerOnly, func(old []byte) (data []byte, err error) {
		data, change, err = edit(old)
		return data, err
	})
	return change, err
}

// Lookup gives the value of a key in a profile of the config file, as the AWS CLI reads it. ok is false if there is none;
// found, whether there is such a profile at all.
func Lookup(file []byte, profile, key string) (value string, found, ok bool) {
	lines := split(file)
	classifyAs(lines, configSection(profile))
	inside := false
	for i := range lines {
		l := &lines[i]
		switch {
		case l.section:
			inside = l.header
			found = found || inside
		case inside && l.key:
			name, v, has := cutKey(string(l.text))
			if has && strings.EqualFold(name, key) {
				value, ok = v, true
			}
		}
	}
	return value, found, ok
}

// HasKeys reports whether the credentials file has keys for the profile: clients prefer them to a credential_process.
func HasKeys(file []byte, profile string) bool {
	lines := split(file)
	classify(lines, profile)
	for i := range lines {
		if lines[i].owner == keyID {
			return true
		}
	}
	return false
}

func cutKey(text string) (name, value string, ok bool) {
	i := strings.IndexAny(text, "=:")
	if i < 0 {
		return "", "", false
	}
	return strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+1:]), true
}

// configSection matches the sections of a profile: [default] and [profile default], else [profile NAME], quoted or not.
func configSection(profile string) func(string) bool {
	return func(section string) bool {
		if section == "default" {
			return profile == "default"
		}
		rest, ok := strings.CutPrefix(section, "profile")
		name := strings.TrimSpace(rest)
		if !ok || name == rest {
			return false
		}
		if n := len(name); n > 1 && (name[0] == '"' || name[0] == '\'') && name[n-1] == name[0] {
			name = name[1 : n-1]
		}
		return name == profile
	}
}

// CheckConfigProfile refuses names that not every client reads in the same way in a section header.
func CheckConfigProfile(name string) error {
	bad := strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.@:/+-", r)
	})
	if name == "" || len(name) > 128 || bad {
		return &Error{fmt.Sprintf("the profile name %q is not one that every AWS client can read", name),
			"use letters, digits and _ . @ : / + -, at most 128", nil}
	}
	return nil
}
