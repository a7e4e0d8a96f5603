package kerberos

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func seed(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// initToken puts a Kerberos token into a NegTokenInit.
func initToken(mechToken []byte, mechs ...asn1.ObjectIdentifier) []byte {
	var b cryptobyte.Builder
	b.AddASN1(tagGSS, func(b *cryptobyte.Builder) {
		b.AddASN1ObjectIdentifier(oidSPNEGO)
		b.AddASN1(tag0, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1(tag0, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						for _, m := range mechs {
							b.AddASN1ObjectIdentifier(m)
						}
					})
				})
				if mechToken != nil {
					b.AddASN1(tag2, func(b *cryptobyte.Builder) { b.AddASN1OctetString(mechToken) })
				}
			})
		})
	})
	return b.BytesOrPanic()
}

var oidNegoEx = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 311, 2, 2, 30} // MS-SPNG 1.9

func TestMechanisms(t *testing.T) {
	token := seed(t, "token.bin")
	for _, tt := range []struct {
		name  string
		token []byte
		mechs []asn1.ObjectIdentifier
		want  asn1.ObjectIdentifier
		fails Reason
	}{
		{"Kerberos", token, []asn1.ObjectIdentifier{oidKRB5}, oidKRB5, ""},
		{"as Windows", token, []asn1.ObjectIdentifier{oidMSKRB5, oidKRB5, oidNegoEx, oidNTLM}, oidMSKRB5, ""},
		{"Kerberos before", token, []asn1.ObjectIdentifier{oidKRB5, oidMSKRB5}, oidKRB5, ""},
		{"Kerberos last", []byte("NEGOEXTS"), []asn1.ObjectIdentifier{oidNegoEx, oidKRB5}, nil, ReasonMechanism},
		{"only NTLM", []byte("NTLMSSP\x00"), []asn1.ObjectIdentifier{oidNTLM}, nil, ReasonMechanism},
		{"none of ours", token, []asn1.ObjectIdentifier{oidNegoEx, oidNTLM}, nil, ReasonMechanism},
		{"none", token, nil, nil, ReasonMechanism},
		{"no token", nil, []asn1.ObjectIdentifier{oidKRB5}, nil, ReasonToken},
		{"too many", token, slices.Repeat([]asn1.ObjectIdentifier{oidKRB5}, maxMechanisms+1), nil, ReasonToken},
	} {
		n, err := parseToken(initToken(tt.token, tt.mechs...))
		var e *Error
		if tt.fails != "" {
			if !errors.As(err, &e) || e.Reason != tt.fails {
				t.Errorf("%s: %v, want %s", tt.name, err, tt.fails)
			}
			continue
		}
		if err != nil || !n.mechanism.Equal(tt.want) {
			t.Errorf("%s: %+v, %v", tt.name, n, err)
		}
	}
}

func TestReplayCacheIsBounded(t *testing.T) {
	c := newReplayCache(3)
	now := time.Unix(1_000_000, 0)
	reason := func(id byte, at time.Time) Reason {
		var e *Error
		if err := c.add([32]byte{id}, at.Add(time.Minute), at); errors.As(err, &e) {
			return e.Reason
		}
		return ""
	}
	for i, want := range []Reason{"", "", ""} {
		if got := reason(byte(i), now); got != want {
			t.Errorf("%d: %q", i, got)
		}
	}
	if got := reason(1, now); got != ReasonReplay {
		t.Errorf("again: %q", got)
	}
	if got := reason(9, now.Add(2*time.Second)); got != ReasonReplayFull {
		t.Errorf("full: %q", got)
	}
	if got := reason(9, now.Add(2*time.Minute)); got != "" {
		t.Errorf("two minutes later: %q", got)
	}
	if len(c.until) != 1 {
		t.Errorf("%d entries", len(c.until))
	}
}

// What a Samba domain writes is read: the values were compared with the directory's when the seeds were recorded.
func TestRecordedPAC(t *testing.T) {
	for name, groups := range map[string]int{"pac-member.bin": 4, "pac-user.bin": 1} {
		bufs, err := splitPAC(seed(t, name))
		if err != nil {
			t.Fatal(err)
		}
		l, err := parseLogon(bufs[bufLogonInfo].data)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(l.groups)
		domain := slices.DeleteFunc(slices.Compact(l.groups), func(s string) bool { return !strings.HasPrefix(s, "S-1-5-21-") })
		if len(domain) != groups || !strings.HasPrefix(l.userSID, "S-1-5-21-") {
			t.Errorf("%s: %+v", name, l)
		}
		for i := range bufs[bufLogonInfo].data {
			if _, err := parseLogon(bufs[bufLogonInfo].data[:i]); err == nil && i < len(bufs[bufLogonInfo].data)-8 {
				t.Errorf("%s: reads %d of %d bytes without complaint", name, i, len(bufs[bufLogonInfo].data))
			}
		}
	}
}

func FuzzToken(f *testing.F) {
	token := seed(f, "token.bin")
	f.Add(token)
	f.Add(initToken(token, oidMSKRB5, oidKRB5, oidNegoEx, oidNTLM))
	f.Add(initToken([]byte("NEGOEXTS"), oidNegoEx, oidKRB5))
	f.Add([]byte("NTLMSSP\x00"))
	a := &Acceptor{now: time.Now, skew: time.Minute}
	f.Fuzz(func(t *testing.T, raw []byte) {
		n, err := parseToken(raw)
		if err != nil {
			return
		}
		defer func() { recover() }() // the library's reader of KRB_AP_REQ may panic; Accept recovers too
		if _, err := a.verify(n.apReq, time.Now()); err == nil {
			t.Error("a ticket passes without a key")
		}
	})
}

func FuzzPAC(f *testing.F) {
	f.Add(seed(f, "pac-member.bin"))
	f.Add(seed(f, "pac-user.bin"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		bufs, err := splitPAC(raw)
		if err != nil {
			return
		}
		p := &pac{bufs[bufLogonInfo].data, bufs[bufClientInfo].data, bufs[bufUPNInfo].data, bufs[bufRequestor].data}
		_ = p.checkClient("alice", time.Unix(0, 0))
		if id, err := p.identity(); err == nil && !strings.HasPrefix(id.UserSID, "S-1-") {
			t.Errorf("identity %+v", id)
		}
	})
}

func FuzzLogonInfo(f *testing.F) {
	for _, name := range []string{"pac-member.bin", "pac-user.bin"} {
		bufs, err := splitPAC(seed(f, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bufs[bufLogonInfo].data)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseLogon(b)
		if err == nil && len(l.groups) > len(b)/4 {
			t.Errorf("%d groups in %d bytes", len(l.groups), len(b))
		}
	})
}

func FuzzSID(f *testing.F) {
	f.Add([]byte{1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x21, 2, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := FormatSID(b); err == nil && !strings.HasPrefix(s, "S-1-") {
			t.Errorf("%q", s)
		}
	})
}

// TestAnswerInOneLeg is the golden answer to Windows: accept-completed, in the name of the client's first mechanism (MS-KRB5), and
// without a MIC, which would take another leg (RFC 4178 §4.2.2, §5).
func TestAnswerInOneLeg(t *testing.T) {
	n, err := parseToken(initToken(seed(t, "token.bin"), oidMSKRB5, oidKRB5, oidNegoEx, oidNTLM))
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprintf("%x", response(acceptCompleted, n.mechanism, []byte{1, 2, 3}))
	const want = "a11b" + "3019" + "a0030a0100" + "a10b06092a864882f712010202" + "a2050403010203"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
