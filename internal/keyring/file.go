package keyring

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/rolecall/rolecall/internal/keyring/privatefile"
)

// formatName and formatVersion head the file. A program that does not know the version refuses the file.
const (
	formatName    = "rolecall-keyring"
	formatVersion = 1
)

// file is the JSON form of a ring.
type file struct {
	Format  string    `json:"format"`
	Version int       `json:"version"`
	Keys    []fileKey `json:"keys"`
}

type fileKey struct {
	ID         uint32    `json:"id"`
	Created    time.Time `json:"created"`
	ActiveFrom time.Time `json:"activeFrom"`
	Secret     string    `json:"secret"` // standard base64 of 32 bytes
	Check      string    `json:"check"`  // fingerprint; shows a damaged secret before anything is sealed under it
}

func encode(keys []*Key) ([]byte, error) {
	f := file{Format: formatName, Version: formatVersion}
	for _, k := range keys {
		f.Keys = append(f.Keys, fileKey{
			ID: k.ID, Created: k.Created, ActiveFrom: k.ActiveFrom,
			Secret: base64.StdEncoding.EncodeToString(k.secret[:]),
			Check:  k.Fingerprint(),
		})
	}
	data, err := json.MarshalIndent(f, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode key ring: %w", err)
	}
	return append(data, '\n'), nil
}

// readFile reads and checks the ring at path.
func readFile(path string) ([]*Key, fs.FileInfo, error) {
	data, info, err := privatefile.Read(path, MaxFileBytes)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil, fmt.Errorf("%w: no file at %s: restore it from a backup or copy it from another node; "+
			"nothing that was sealed under it can be read without it", ErrMissing, path)
	case errors.Is(err, privatefile.ErrTooBig):
		return nil, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	case err != nil:
		return nil, nil, fmt.Errorf("key ring: %w", err)
	}
	keys, err := decode(data)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s: %w", ErrCorrupt, path, err)
	}
	return keys, info, nil
}

// decode parses a ring. Its errors never quote the content.
func decode(data []byte) ([]*Key, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var f file
	if err := dec.Decode(&f); err != nil {
		return nil, fmt.Errorf("not a key ring in JSON (problem near byte %d of %d)", dec.InputOffset(), len(data))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more data after the key ring")
	}
	if f.Format != formatName {
		return nil, fmt.Errorf("format is not %q", formatName)
	}
	if f.Version != formatVersion {
		return nil, fmt.Errorf("version %d is not known to this program, which reads version %d", f.Version, formatVersion)
	}
	if len(f.Keys) == 0 {
		return nil, errors.New("it holds no key")
	}
	if len(f.Keys) > MaxKeys {
		return nil, fmt.Errorf("it holds more than %d keys", MaxKeys)
	}
	keys := make([]*Key, 0, len(f.Keys))
	seen := make(map[uint32]bool, len(f.Keys))
	for i, fk := range f.Keys {
		k, err := fk.key()
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", i, err)
		}
		if seen[k.ID] {
			return nil, fmt.Errorf("entry %d: key id %d is there twice", i, k.ID)
		}
		seen[k.ID] = true
		keys = append(keys, k)
	}
	sortKeys(keys)
	return keys, nil
}

func (fk *fileKey) key() (*Key, error) {
	if fk.ID == 0 {
		return nil, errors.New("key id 0")
	}
	if fk.ActiveFrom.IsZero() || fk.Created.IsZero() {
		return nil, errors.New("a time is missing")
	}
	secret, err := base64.StdEncoding.Strict().DecodeString(fk.Secret)
	if err != nil || len(secret) != secretSize {
		return nil, fmt.Errorf("the secret is not base64 of %d bytes", secretSize)
	}
	k := &Key{ID: fk.ID, Created: fk.Created.UTC(), ActiveFrom: fk.ActiveFrom.UTC(), secret: (*[secretSize]byte)(secret)}
	if subtle.ConstantTimeCompare([]byte(k.Fingerprint()), []byte(fk.Check)) != 1 {
		return nil, errors.New("the secret does not fit its check value")
	}
	return k, nil
}
