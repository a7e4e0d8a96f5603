package sessiontoken

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/keyring"
)

func TestMintAndOpen(t *testing.T) {
	s, ring := newSealer(t)
	in := certificateSession()
	c := mint(t, s, in)
	if got, err := AccountOf(c.AccessKeyID); err != nil || got != in.Account {
		t.Errorf("AccountOf(%q) = %q, %v", c.AccessKeyID, got, err)
	}
	if !strings.HasPrefix(c.AccessKeyID, "ASIA") || len(c.SecretAccessKey) != SecretLength {
		t.Errorf("access key %q, secret of %d characters", c.AccessKeyID, len(c.SecretAccessKey))
	}
	if !c.Expiration.Equal(in.ExpiresAt) {
		t.Errorf("Expiration = %v, want %v", c.Expiration, in.ExpiresAt)
	}
	if in.AccessKeyID != "" {
		t.Error("Mint changed its argument")
	}
	for name, opener := range map[string]*Sealer{"same": s, "other node": New(ring), "no cache": NewSize(ring, 0)} {
		for range 2 { // the second one from the cache
			got, secret, err := opener.Open(testNow, c.AccessKeyID, c.SessionToken)
			if err != nil {
				t.Fatalf("%s: Open: %v", name, err)
			}
			if secret != c.SecretAccessKey {
				t.Errorf("%s: another secret than minted", name)
			}
			if d := diff(opened(in, c), got); d != "" {
				t.Errorf("%s: (-want +got)\n%s", name, d)
			}
		}
	}
}

func TestSecretsDiffer(t *testing.T) {
	s, _ := newSealer(t)
	a, b := mint(t, s, certificateSession()), mint(t, s, certificateSession())
	if a.AccessKeyID == b.AccessKeyID || a.SecretAccessKey == b.SecretAccessKey || a.SessionToken == b.SessionToken {
		t.Error("two sessions share a credential")
	}
}

func TestExpiry(t *testing.T) {
	s, _ := newSealer(t)
	in := certificateSession()
	in.ExpiresAt = testNow.Add(15*time.Minute + 900*time.Millisecond) // the fraction is cut off
	c := mint(t, s, in)
	for _, tc := range []struct {
		at   time.Duration
		want error
	}{
		{0, nil}, {-5 * time.Minute, nil}, {15*time.Minute - time.Nanosecond, nil}, {15 * time.Minute, ErrExpired}, {time.Hour, ErrExpired},
	} {
		for name, o := range map[string]*Sealer{"cached": s, "cold": NewSize(s.ring, 0)} {
			if _, _, err := o.Open(testNow.Add(tc.at), c.AccessKeyID, c.SessionToken); err != tc.want {
				t.Errorf("%s: after %v: got %v, want %v", name, tc.at, err, tc.want)
			}
		}
	}
	if n := s.Cached(); n != 0 {
		t.Errorf("the expired session is still remembered (%d)", n)
	}
	// Expired and altered: only the alteration may show.
	bad := flip(c.SessionToken, 60)
	if _, _, err := s.Open(testNow.Add(time.Hour), c.AccessKeyID, bad); err != ErrInvalid {
		t.Errorf("altered and expired: got %v, want ErrInvalid", err)
	}
}

// flip changes one bit of the i-th byte behind the base64.
func flip(token string, i int) string {
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return token
	}
	raw[i] ^= 1
	return base64.StdEncoding.EncodeToString(raw)
}

func TestTamperedByte(t *testing.T) {
	s, _ := newSealer(t)
	c := mint(t, s, certificateSession())
	if _, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken); err != nil { // now cached
		t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(c.SessionToken)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		if _, _, err := s.Open(testNow, c.AccessKeyID, flip(c.SessionToken, i)); err != ErrInvalid {
			t.Fatalf("byte %d flipped: got %v, want ErrInvalid", i, err)
		}
	}
	for i := range c.SessionToken { // every character, also those that only spell the same bytes differently
		for _, r := range "A/+=\n z" {
			b := []byte(c.SessionToken)
			if rune(b[i]) == r {
				continue
			}
			b[i] = byte(r)
			if _, _, err := s.Open(testNow, c.AccessKeyID, string(b)); err != ErrInvalid {
				t.Fatalf("character %d set to %q: got %v, want ErrInvalid", i, r, err)
			}
		}
	}
	for i := range c.AccessKeyID {
		b := []byte(c.AccessKeyID)
		b[i] ^= 1
		if _, _, err := s.Open(testNow, string(b), c.SessionToken); err != ErrInvalid {
			t.Fatalf("access key id %q: got %v, want ErrInvalid", b, err)
		}
	}
	for n := range c.SessionToken {
		if _, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken[:n]); err != ErrInvalid {
			t.Fatalf("cut to %d characters: got %v, want ErrInvalid", n, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	s, _ := newSealer(t)
	c := mint(t, s, certificateSession())
	other := mint(t, s, certificateSession())
	stranger, _ := newSealer(t)
	foreign := mint(t, stranger, certificateSession())
	for name, tc := range map[string]struct{ id, token string }{
		"empty":             {"", ""},
		"no token":          {c.AccessKeyID, ""},
		"another session's": {other.AccessKeyID, c.SessionToken},
		"another ring's":    {foreign.AccessKeyID, foreign.SessionToken},
		"lower-case id":     {strings.ToLower(c.AccessKeyID), c.SessionToken},
		"id with a tail":    {c.AccessKeyID + "A", c.SessionToken},
		"line break":        {c.AccessKeyID, c.SessionToken[:8] + "\n" + c.SessionToken[8:]},
		"line break at end": {c.AccessKeyID, c.SessionToken + "\r\n"},
		"padding after":     {c.AccessKeyID, c.SessionToken + "===="},
		"twice":             {c.AccessKeyID, c.SessionToken + c.SessionToken},
		"URL alphabet":      {c.AccessKeyID, strings.NewReplacer("+", "-", "/", "_").Replace(c.SessionToken) + "-_-_"},
		"too long":          {c.AccessKeyID, strings.Repeat("A", MaxTokenLength+1)},
		"longest":           {c.AccessKeyID, strings.Repeat("A", MaxTokenLength)},
		"version 2":         {c.AccessKeyID, "Ag" + c.SessionToken[2:]},
		"AWS's own":         {"ASIAQNZGKIQY56JQ7WML", "IQoJb3JpZ2luX2VjEAAaCXVzLWVhc3QtMSJHMEUCIQ=="},
	} {
		if _, _, err := s.Open(testNow, tc.id, tc.token); err != ErrInvalid {
			t.Errorf("%s: got %v, want ErrInvalid", name, err)
		}
	}
	if n := s.Cached(); n != 0 {
		t.Errorf("%d failures are remembered", n)
	}
}

func TestMintRefuses(t *testing.T) {
	s, _ := newSealer(t)
	long := strings.Repeat("x", 4096)
	for name, change := range map[string]func(*Session){
		"account":         func(s *Session) { s.Account = "12345" },
		"no type":         func(s *Session) { s.Type = 0 },
		"federated":       func(s *Session) { s.Type = Federated },
		"unknown type":    func(s *Session) { s.Type = 9 },
		"no partition":    func(s *Session) { s.Partition = "" },
		"no role":         func(s *Session) { s.RoleName = "" },
		"no role id":      func(s *Session) { s.RoleID = "" },
		"no session name": func(s *Session) { s.SessionName = "" },
		"role and user":   func(s *Session) { s.UserName = "alice" },
		"user with role":  func(s *Session) { s.Type, s.Provenance = SessionToken, nil },
		"user without id": func(s *Session) {
			*s = Session{Type: SessionToken, Account: s.Account, Partition: "aws", UserName: "alice", ExpiresAt: s.ExpiresAt}
		},
		"no expiry":           func(s *Session) { s.ExpiresAt = time.Time{} },
		"expired":             func(s *Session) { s.ExpiresAt = testNow },
		"too long a life":     func(s *Session) { s.ExpiresAt = testNow.Add(MaxDuration + time.Second) },
		"chained for 2 hours": func(s *Session) { s.Chained, s.ExpiresAt = true, testNow.Add(2*time.Hour) },
		"issued before 1970":  func(s *Session) { s.IssuedAt = time.Unix(-10, 0); s.ExpiresAt = time.Unix(10, 0) },
		"issuer":              func(s *Session) { s.Provenance.CertIssuer = long },
		"role name":           func(s *Session) { s.RoleName = long },
		"51 tags":             func(s *Session) { s.Tags = make([]Tag, 51) },
		"tag key":             func(s *Session) { s.Tags = []Tag{{Key: long}} },
		"51 policies":         func(s *Session) { s.PolicyARNs = make([]string, 51) },
	} {
		in := certificateSession()
		change(in)
		if c, _, err := s.Mint(testNow, in); !errors.Is(err, ErrSession) || c != (Credentials{}) {
			t.Errorf("%s: got %v, %v, want ErrSession", name, c, err)
		}
	}
}

func TestTypes(t *testing.T) {
	s, _ := newSealer(t)
	for name, in := range map[string]*Session{
		"root":    {Type: SessionToken, Account: "123456789012", Partition: "aws", ExpiresAt: testNow.Add(time.Hour)},
		"user":    {Type: SessionToken, Account: "123456789012", Partition: "aws-cn", UserID: "AIDAQNZGKIQY56JQ7WMLA", UserName: "alice", UserPath: "/", MFA: true, ExpiresAt: testNow.Add(36 * time.Hour)},
		"chained": {Type: AssumedRole, Account: "123456789012", Partition: "aws", RoleID: "AROA1", RoleName: "r", RolePath: "/", SessionName: "s1", Chained: true, TransitiveKeys: []string{"team"}, Tags: []Tag{{"team", ""}}, ExpiresAt: testNow.Add(time.Hour)},
	} {
		c := mint(t, s, in)
		got, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if d := diff(opened(in, c), got); d != "" {
			t.Errorf("%s: (-want +got)\n%s", name, d)
		}
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	s, _ := newSealer(t)
	c := mint(t, s, certificateSession())
	var b strings.Builder
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "c", c)
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "c", c)
	fmt.Fprintf(&b, "%v %+v %#v %s", c, c, c, &c)
	if out := b.String(); strings.Contains(out, c.SecretAccessKey) || strings.Contains(out, c.SessionToken) {
		t.Errorf("a secret is in %s", out)
	}
	if !strings.Contains(b.String(), c.AccessKeyID) {
		t.Error("the access key id is not there either")
	}
}

func TestMemo(t *testing.T) {
	s, _ := newSealer(t)
	c := mint(t, s, certificateSession())
	built := 0
	for range 3 {
		sess, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken)
		if err != nil {
			t.Fatal(err)
		}
		if got := sess.Memo(func() any { built++; return built }); got != 1 {
			t.Errorf("Memo = %v, want 1", got)
		}
	}
	if got := new(Session).Memo(func() any { return 7 }); got != 7 {
		t.Errorf("without Open: Memo = %v, want 7", got)
	}
}

func TestRoundTripAnySession(t *testing.T) {
	s := New(keyring.Ephemeral())
	rapid.Check(t, func(rt *rapid.T) {
		in := genSession(rt)
		c, percent, err := s.Mint(testNow, in)
		if errors.Is(err, ErrTooLarge) && percent > 100 {
			return
		}
		if err != nil {
			rt.Fatalf("Mint: %v", err)
		}
		if percent > 100 || percent < 0 {
			rt.Fatalf("packed %d%%", percent)
		}
		if len(c.SessionToken) > MaxTokenLength {
			rt.Fatalf("token of %d characters", len(c.SessionToken))
		}
		got, secret, err := s.Open(testNow, c.AccessKeyID, c.SessionToken)
		if err != nil || secret != c.SecretAccessKey {
			rt.Fatalf("Open: %v", err)
		}
		if d := diff(opened(in, c), got); d != "" {
			rt.Fatalf("(-want +got)\n%s", d)
		}
	})
}

func genSession(t *rapid.T) *Session {
	str := func(label string, most int) string { return rapid.StringN(0, most/4, most).Draw(t, label) }
	id := rapid.OneOf(rapid.StringMatching(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`),
		rapid.StringMatching(`[0-9a-f]{0,40}`), rapid.StringN(0, 40, 120))
	strs := func(label string, n, most int) (out []string) {
		for range rapid.IntRange(0, n).Draw(t, label) {
			out = append(out, str(label, most))
		}
		return out
	}
	s := &Session{
		Type: AssumedRole, Partition: "aws" + rapid.StringMatching(`(-[a-z]{2}){0,2}`).Draw(t, "partition"),
		Account: arn.AccountID(rapid.StringMatching(`[0-9]{12}`).Draw(t, "account")),
		RoleID:  "A" + id.Draw(t, "role id"), RoleName: "r" + str("role", 64), RolePath: str("path", 500),
		SessionName:    "s" + id.Draw(t, "session name"),
		SourceIdentity: str("source identity", 256),
		SessionPolicy:  str("policy", 3000),
		PolicyARNs:     strs("arns", 10, 100),
		TransitiveKeys: strs("transitive", 5, 100),
		IssuedAt:       testNow.Add(-time.Duration(rapid.IntRange(0, 600_000).Draw(t, "age")) * time.Millisecond),
		ExpiresAt:      testNow.Add(time.Duration(rapid.IntRange(1_000, 2_400_000).Draw(t, "life")) * time.Millisecond),
		Chained:        rapid.Bool().Draw(t, "chained"), MFA: rapid.Bool().Draw(t, "mfa"),
	}
	for range rapid.IntRange(0, 50).Draw(t, "tags") {
		s.Tags = append(s.Tags, Tag{str("tag key", 128), str("tag value", 256)})
	}
	if rapid.Bool().Draw(t, "provenance") {
		s.Provenance = &Provenance{
			Region: arn.Region(str("region", 20)), TrustAnchorID: id.Draw(t, "anchor"), ProfileID: id.Draw(t, "profile"),
			CertSerial: id.Draw(t, "serial"), CertIssuer: str("issuer", 2000), CertFingerprint: [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "fp")),
		}
	}
	return s
}
