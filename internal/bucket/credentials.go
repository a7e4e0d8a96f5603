package bucket

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// maxCredentialsFile bounds a credentials file, in bytes.
const maxCredentialsFile = 1 << 20

type credentials struct{ id, secret, token string }

// readCredentials reads a profile of an AWS credentials file. The file's text appears in no error.
func readCredentials(path, profile string) (credentials, error) {
	f, err := os.Open(path)
	if err != nil {
		return credentials{}, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCredentialsFile+1))
	if err != nil {
		return credentials{}, err
	}
	if len(text) > maxCredentialsFile {
		return credentials{}, errors.New(path + " is too large for a credentials file")
	}
	c, found := parseCredentials(text, profile)
	switch {
	case !found:
		return c, fmt.Errorf("%s has no profile %q", path, profile)
	case c.id == "" || c.secret == "":
		return c, fmt.Errorf("profile %q in %s lacks aws_access_key_id or aws_secret_access_key", profile, path)
	}
	return c, nil
}

func parseCredentials(text []byte, profile string) (c credentials, found bool) {
	within := false
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, maxCredentialsFile)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if rest, ok := strings.CutPrefix(line, "["); ok {
			name, _, closed := strings.Cut(rest, "]")
			within = closed && strings.TrimSpace(name) == profile
			found = found || within
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !within || !ok || line[0] == '#' || line[0] == ';' {
			continue
		}
		switch value = strings.TrimSpace(value); strings.ToLower(strings.TrimSpace(key)) {
		case "aws_access_key_id":
			c.id = value
		case "aws_secret_access_key":
			c.secret = value
		case "aws_session_token":
			c.token = value
		}
	}
	return c, found
}
