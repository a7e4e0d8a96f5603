package sessiontoken

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/keyring"
)

// vectorRing is a ring whose secret is 00 01 … 1f.
const vectorRing = `{"format":"rolecall-keyring","version":1,"keys":[{"id":7,"created":"2026-01-01T00:00:00Z",
"activeFrom":"2026-01-01T00:00:00Z","secret":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","check":"6f3cda1802ac4895"}]}`

func loadVectorRing(t *testing.T) *keyring.Ring {
	t.Helper()
	path := filepath.Join(t.TempDir(), "ring")
	if err := os.WriteFile(path, []byte(vectorRing), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := keyring.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Tokens live across upgrades and between nodes of different versions: what version 1 minted must open forever.
func TestVersion1Vector(t *testing.T) {
	const (
		id     = "ASIAQASMWALJBPH6AN57"
		secret = "fboK6CY5sdYl9U1UHlcZHjLi0E2Q8lxzyJZqY+y0"
		token  = "AQAAAAcmymbz52Wr8qOAxCVKjbc5kZZ0+xC6kOFLX9AtMcmp6N5IqKMP3FkkBS2/QNpabzM5seSFxuLUrhVDAOgGKlHBkfnhv8u/23MW/oF+fAtBxucBBaJVsq7IzicAbkC7xstvhPDxeXcNg/DFsuOq/+0yhZuOQ34yvOPkIIfU4RsRpI66wgxvPAZqUwbJFUwirqie8htyrqWT0703NC0Eyo1KB6NzSy06K3AfJAW2zt+p6qETSJblfMR/NLL535eB9YVP5Y78cMWXzD7koBv1uq9VyXz8BS6oGJgne5CLPNjbyOslImcwzl9hWupnKN9/id5IL2Tn/cdY9eA5coJ9JtBXJlGGZZMNaskYHB7k6SDbaQIQnls17OSu/KoaYOG2NyCfwxdh3kpjuKjBtTNqg1N45fwhY9I9Z3NuR0nYSwTf7JNGYYuZ7B/n8RbZ5GUNe8kzACHmPSyfXqfHb7vwVQDGdd0qhQSXuDdXWAz9ErCBy29rvpVBpdj7BGpANVF0IRRVcnJjIPXbNHnywmznPp8/8A=="
	)
	s := New(loadVectorRing(t))
	got, gotSecret, err := s.Open(testNow, id, token)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if gotSecret != secret {
		t.Errorf("secret = %q, want %q", gotSecret, secret)
	}
	if d := diff(opened(certificateSession(), Credentials{AccessKeyID: id}), got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if _, _, err := s.Open(testNow.Add(time.Hour), id, token); err != ErrExpired {
		t.Errorf("an hour later: %v, want ErrExpired", err)
	}
}
