package sessiontoken

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
)

func linkedSession() *Session {
	s := certificateSession()
	p := *s.Provenance
	p.Account = s.Account
	p.Links = []Link{
		{IssuerName: [16]byte{1, 2}, IssuerKey: strings.Repeat("ab", 32), Serial: "01"},
		{IssuerName: [16]byte{3}, IssuerKey: strings.Repeat("0f", 32), Serial: "7f00112233"},
	}
	s.Provenance = &p
	return s
}

func versionOfToken(t testing.TB, token string) byte {
	t.Helper()
	raw, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	return raw[0]
}

// Tokens without what only version 2 can say stay readable for nodes of an older release.
func TestTokenVersions(t *testing.T) {
	s, _ := newSealer(t)
	abroad := certificateSession()
	p := *abroad.Provenance
	p.Account = "999999999999"
	abroad.Provenance = &p
	home := certificateSession()
	q := *home.Provenance
	q.Account = home.Account
	home.Provenance = &q
	for name, c := range map[string]struct {
		in   *Session
		want byte
	}{
		"no account": {certificateSession(), 1}, "own account": {home, 1}, "another account": {abroad, 2}, "links": {linkedSession(), 2},
	} {
		t.Run(name, func(t *testing.T) {
			creds := mint(t, s, c.in)
			if got := versionOfToken(t, creds.SessionToken); got != c.want {
				t.Errorf("version %d, want %d", got, c.want)
			}
			got, _, err := s.Open(testNow, creds.AccessKeyID, creds.SessionToken)
			if err != nil {
				t.Fatal(err)
			}
			want := *c.in
			want.AccessKeyID, want.IssuedAt = creds.AccessKeyID, testNow
			if d := diff(&want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

func TestOriginIsChecked(t *testing.T) {
	s, _ := newSealer(t)
	for name, spoil := range map[string]func(*Provenance){
		"too many links": func(p *Provenance) { p.Links = make([]Link, MaxLinks+1) },
		"short key":      func(p *Provenance) { p.Links[0].IssuerKey = "ab" },
		"no serial":      func(p *Provenance) { p.Links[0].Serial = "" },
		"no account":     func(p *Provenance) { p.Account = "" },
	} {
		in := linkedSession()
		spoil(in.Provenance)
		if _, _, err := s.Mint(testNow, in); !errors.Is(err, ErrSession) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var c codec
	b, _, err := c.append(nil, nil, linkedSession(), testNow)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.decode(b, 1); err == nil {
		t.Error("a record of version 2 was read as version 1")
	}
	for n := range b {
		if _, err := c.decode(b[:n], 2); err == nil {
			t.Errorf("%d of %d bytes were taken", n, len(b))
		}
	}
}
