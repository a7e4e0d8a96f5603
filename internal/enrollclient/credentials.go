package enrollclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/awsclient"
)

const processTimeout = time.Minute

// FindKeys looks where the AWS CLI does: the environment's key, the shared credentials file, then credential_process of the
// config file, for the profile of AWS_PROFILE. There are no metadata services and no SSO.
func FindKeys(ctx context.Context, getenv func(string) string) (Keys, error) {
	k, first := awsclient.FindKeys(getenv)
	if first == nil {
		return Keys(k), nil
	}
	if getenv("AWS_ACCESS_KEY_ID") != "" {
		return Keys{}, first
	}
	path := getenv("AWS_CONFIG_FILE")
	if path == "" && getenv("HOME") != "" {
		path = filepath.Join(getenv("HOME"), ".aws", "config")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return Keys{}, first
	}
	command := setting(string(text), getenv("AWS_PROFILE"), "credential_process")
	if command == "" {
		return Keys{}, first
	}
	return runProcess(ctx, command)
}

// setting finds a value of a profile in a config file.
func setting(text, profile, name string) string {
	want := "profile " + profile
	if profile == "" || profile == "default" {
		want = "default"
	}
	section, found := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = strings.Join(strings.Fields(line[1:len(line)-1]), " ")
			continue
		}
		if key, value, ok := strings.Cut(line, "="); ok && section == want && strings.TrimSpace(key) == name {
			found = strings.TrimSpace(value)
		}
	}
	return found
}

// runProcess runs a credential_process as the AWS CLI does: split at white space outside of quotes, without a shell.
func runProcess(ctx context.Context, command string) (Keys, error) {
	args, err := words(command)
	if err != nil || len(args) == 0 {
		return Keys{}, errors.New("credential_process has an open quote or no command")
	}
	ctx, cancel := context.WithTimeout(ctx, processTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, os.Stderr
	if err := cmd.Run(); err != nil {
		return Keys{}, fmt.Errorf("credential_process: %w", err)
	}
	var c struct {
		Version                      int
		AccessKeyId, SecretAccessKey string //nolint:revive // the format's name
		SessionToken                 string
	}
	if err := json.Unmarshal(out.Bytes(), &c); err != nil || c.Version != 1 || c.AccessKeyId == "" || c.SecretAccessKey == "" {
		return Keys{}, errors.New("credential_process did not print credentials")
	}
	return Keys{c.AccessKeyId, c.SecretAccessKey, c.SessionToken}, nil
}

// words splits as a POSIX shell does, without expanding anything.
func words(text string) (list []string, err error) {
	var b strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote != 0 && c == quote:
			quote = 0
		case quote != '\'' && c == '\\' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
			in = true
		case quote != 0:
			b.WriteByte(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == ' ' || c == '\t':
			if in {
				list = append(list, b.String())
			}
			b.Reset()
			in = false
		default:
			b.WriteByte(c)
			in = true
		}
	}
	if quote != 0 {
		return nil, errors.New("an open quote")
	}
	if in {
		list = append(list, b.String())
	}
	return list, nil
}
