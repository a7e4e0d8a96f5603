package find

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rolecall/rolecall/internal/userfile"
)

// tracked gives the identities of certmonger's requests whose certificate and key are files. The requests are root's to read.
func (cfg *Config) tracked(ctx context.Context) ([]Identity, error) {
	dir := cfg.Getenv("CERTMONGER_REQUESTS_DIR") // certmonger's own variable
	if dir == "" {
		dir = filepath.Join(cfg.Root, "/var/lib/certmonger/requests")
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Identity
	for _, e := range entries[:min(len(entries), maxFiles)] {
		data, _, err := userfile.Read(filepath.Join(dir, e.Name()), requestSize)
		if err != nil {
			continue
		}
		if certificate, key, ok := trackedFiles(data); ok {
			if id, ok := load(ctx, certificate, key); ok {
				list = append(list, id)
			}
		}
	}
	return list, nil
}

// trackedFiles reads a request: lines NAME=VALUE, and lines that begin with a blank, which go on with the value before.
func trackedFiles(data []byte) (certificate, key string, ok bool) {
	values := map[string]string{}
	for line := range bytes.Lines(data) {
		name, value, found := strings.Cut(strings.TrimRight(string(line), "\r\n"), "=")
		if found && !strings.HasPrefix(name, " ") {
			values[name] = value
		}
	}
	certificate, key = values["cert_storage_location"], values["key_storage_location"]
	ok = values["cert_storage_type"] == "FILE" && values["key_storage_type"] == "FILE" && filepath.IsAbs(certificate) && filepath.IsAbs(key) && !strings.ContainsAny(certificate+key, "\r\x00")
	return certificate, key, ok
}
