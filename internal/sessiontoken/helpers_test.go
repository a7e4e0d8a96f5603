package sessiontoken

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/rolecall/rolecall/internal/keyring"
)

var testNow = time.Date(2026, 5, 24, 12, 0, 0, 0, time.UTC)

// certificateSession is what CreateSession makes of a usual certificate.
func certificateSession() *Session {
	return &Session{
		Type: AssumedRole, Account: "001234567890", Partition: "aws",
		RoleID: "AROAQNZGKIQY56JQ7WMLA", RoleName: "Backup", RolePath: "/ops/",
		SessionName: "61d5692c1982239b82255b38e6ced2aa34712ff0", SourceIdentity: "CN=backup-01",
		Tags: []Tag{
			{"x509Subject/CN", "backup-01"}, {"x509Subject/O", "Example"}, {"x509Issuer/CN", "Example Issuing CA"},
			{"x509Issuer/O", "Example"}, {"x509SAN/DNS", "backup-01.example.org"},
		},
		ExpiresAt: testNow.Add(time.Hour),
		Provenance: &Provenance{
			Region: "eu-central-1", TrustAnchorID: "8f2e0a10-0000-4000-8000-000000000000",
			ProfileID: "0c9d5b1e-77aa-4f0e-9a57-3d1f7e1f2a3b", CertSerial: "61d5692c1982239b82255b38e6ced2aa34712ff0",
			CertIssuer: "CN=Example Issuing CA,O=Example", CertFingerprint: [32]byte{1, 2, 3, 31: 9},
		},
	}
}

// mint seals sess and fails the test if that fails.
func mint(t testing.TB, s *Sealer, sess *Session) Credentials {
	t.Helper()
	c, _, err := s.Mint(testNow, sess)
	if err != nil {
		t.Fatalf("Mint: %v", err)
	}
	return c
}

// opened is what Open should return for sess.
func opened(sess *Session, c Credentials) *Session {
	want := *sess
	want.AccessKeyID = c.AccessKeyID
	want.memo = nil
	if want.IssuedAt.IsZero() {
		want.IssuedAt = testNow
	}
	want.IssuedAt, want.ExpiresAt = wholeSeconds(want.IssuedAt), wholeSeconds(want.ExpiresAt)
	return &want
}

func diff(want, got *Session) string {
	g, w := *got, *want
	g.memo, w.memo = nil, nil
	if w.Provenance != nil && w.Provenance.Account == "" { // version 1 means the session's
		p := *w.Provenance
		p.Account, w.Provenance = w.Account, &p
	}
	return cmp.Diff(&w, &g, cmp.AllowUnexported(Session{}))
}

func newSealer(t testing.TB) (*Sealer, *keyring.Ring) {
	t.Helper()
	r := keyring.Ephemeral()
	return New(r), r
}

// mintedUnder is the id of the key that sealed token.
func mintedUnder(t testing.TB, token string) uint32 {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	return binary.BigEndian.Uint32(raw[1:])
}

// removeKey takes a key out of the ring's file, as an operator would.
func removeKey(t testing.TB, path string, id uint32) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f map[string]any
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatal(err)
	}
	f["keys"] = slices.DeleteFunc(f["keys"].([]any), func(k any) bool { return k.(map[string]any)["id"] == float64(id) })
	if data, err = json.Marshal(f); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}
