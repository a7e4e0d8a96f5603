package awsclient

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// FindKeys looks where the AWS CLI does first: the environment's key, then the shared credentials file with the profile of
// AWS_PROFILE. Neither config files nor metadata services are asked.
func FindKeys(getenv func(string) string) (Keys, error) {
	if id := getenv("AWS_ACCESS_KEY_ID"); id != "" {
		k := Keys{id, getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")}
		if k.SecretAccessKey == "" {
			return Keys{}, fmt.Errorf("AWS_ACCESS_KEY_ID is set but AWS_SECRET_ACCESS_KEY is not")
		}
		return k, nil
	}
	path := getenv("AWS_SHARED_CREDENTIALS_FILE")
	if path == "" {
		home := getenv("HOME")
		if home == "" {
			return Keys{}, fmt.Errorf("no credentials: neither AWS_ACCESS_KEY_ID nor AWS_SHARED_CREDENTIALS_FILE is set")
		}
		path = filepath.Join(home, ".aws", "credentials")
	}
	profile := getenv("AWS_PROFILE")
	if profile == "" {
		profile = "default"
	}
	return ReadCredentials(path, profile)
}

// ReadCredentials reads the keys of a profile in an AWS credentials file.
func ReadCredentials(path, profile string) (Keys, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Keys{}, err
	}
	var k Keys
	section := ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]") {
			section = strings.TrimSpace(line[1 : len(line)-1])
			continue
		}
		name, value, ok := strings.Cut(line, "=")
		if !ok || section != profile || line[0] == '#' || line[0] == ';' {
			continue
		}
		switch value = strings.TrimSpace(value); strings.TrimSpace(name) {
		case "aws_access_key_id":
			k.AccessKeyID = value
		case "aws_secret_access_key":
			k.SecretAccessKey = value
		case "aws_session_token":
			k.SessionToken = value
		}
	}
	if k.AccessKeyID == "" || k.SecretAccessKey == "" {
		return Keys{}, fmt.Errorf("no complete key of profile %s in %s", profile, path)
	}
	return k, nil
}
