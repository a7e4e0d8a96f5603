package initiate

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/types"
)

// Nothing but the service's own answer passes, whatever a server sends. That the real answer passes is tested with the acceptor.
func FuzzVerify(f *testing.F) {
	answer, err := os.ReadFile(filepath.Join("testdata", "answer.bin")) // to another request, recorded by the acceptor's tests
	if err != nil {
		f.Fatal(err)
	}
	f.Add(answer)
	f.Add([]byte("\xa1\x07\x30\x05\xa0\x03\x0a\x01\x02")) // reject
	f.Add([]byte{})
	x := &Exchange{key: types.EncryptionKey{KeyType: 18, KeyValue: make([]byte, 32)}, ctime: time.Unix(1_700_000_000, 0)}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := x.Verify("Negotiate " + base64.StdEncoding.EncodeToString(raw)); err == nil {
			t.Errorf("%x passes", raw)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"nothing":        {Principal: "alice"},
		"two":            {Principal: "alice", Password: "x", Keytab: []byte{5, 2}},
		"keytab":         {Principal: "alice", Keytab: []byte("\x05\x02\x00\x00\x00\x10garbage")},
		"cache":          {CCache: []byte("\x05\x04\x00")},
		"empty cache":    {CCache: []byte{}},
		"unknown config": {Principal: "alice", Password: "x", Krb5Conf: "[libdefaults]\n default_tkt_enctypes = ,\n clockskew = -\n"},
	} {
		if c, err := New(cfg); err == nil {
			c.Close()
			t.Errorf("%s: no error", name)
		}
	}
}
