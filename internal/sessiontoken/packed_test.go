package sessiontoken

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"
)

func noise(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)[:n]
}

func TestPackedSize(t *testing.T) {
	s, _ := newSealer(t)
	base := func() *Session {
		in := certificateSession()
		in.Tags = nil
		return in
	}
	if _, percent, err := s.Mint(testNow, base()); err != nil || percent != 0 {
		t.Errorf("nothing packed: %d%%, %v; want 0%%", percent, err)
	}
	_, percent, err := s.Mint(testNow, certificateSession())
	if err != nil || percent < 1 || percent > 10 {
		t.Errorf("usual certificate: %d%%, %v; want a few percent", percent, err)
	}

	// Text that does not compress grows until it does not fit; the edge is at 100.
	last := 0
	for n := 100; ; n += 100 {
		in := base()
		in.SessionPolicy = noise(n)
		c, percent, err := s.Mint(testNow, in)
		if percent < last && n != deflateFrom/100*100+100 { // there compression sets in

			t.Fatalf("%d bytes take %d%%, fewer took %d%%", n, percent, last)
		}
		last = percent
		if (percent > 100) != (err == ErrTooLarge) {
			t.Fatalf("%d bytes: %d%%, %v", n, percent, err)
		}
		if err == ErrTooLarge {
			if n < PackedLimit {
				t.Errorf("%d bytes are too large, the limit is %d", n, PackedLimit)
			}
			if c != (Credentials{}) {
				t.Error("credentials came with the error")
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(c.SessionToken) > 8192 {
			t.Errorf("token of %d characters", len(c.SessionToken))
		}
	}

	// A real policy is repetitive and fits although it is longer than the limit.
	var p strings.Builder
	p.WriteString(`{"Version":"2012-10-17","Statement":[`)
	for i := range 60 {
		fmt.Fprintf(&p, `{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":"arn:aws:s3:::bucket-%d/*"},`, i)
	}
	p.WriteString(`{"Effect":"Deny","Action":"*","Resource":"*"}]}`)
	in := base()
	in.SessionPolicy = p.String()
	c, percent, err := s.Mint(testNow, in)
	if err != nil || percent > 50 || p.Len() <= PackedLimit {
		t.Fatalf("policy of %d bytes: %d%%, %v", p.Len(), percent, err)
	}
	got, _, err := s.Open(testNow, c.AccessKeyID, c.SessionToken)
	if err != nil || got.SessionPolicy != in.SessionPolicy {
		t.Errorf("the policy did not come back: %v", err)
	}
}

// A small token that would inflate beyond the limit is refused before the memory is spent.
func TestInflateIsBounded(t *testing.T) {
	var c codec
	huge := []byte(strings.Repeat("\x00", 64<<20))
	z, err := c.deflate(huge)
	if err != nil {
		t.Fatal(err)
	}
	d := newDecoder(z)
	if _, err := c.inflate(&d); err == nil {
		t.Error("64 MiB were inflated")
	}
	// The same, with a promise within the limit.
	e := encoder{}
	e.number(2048)
	_, n := skipNumber(z)
	d = newDecoder(append(e.b, z[n:]...))
	if _, err := c.inflate(&d); err == nil {
		t.Error("more than promised was inflated")
	}
	// Something after the end.
	z, err = c.deflate(huge[:2048])
	if err != nil {
		t.Fatal(err)
	}
	d = newDecoder(append(z, 0))
	if _, err := c.inflate(&d); err == nil {
		t.Error("a byte after the stream was ignored")
	}
	d = newDecoder(z)
	if out, err := c.inflate(&d); err != nil || len(out) != 2048 {
		t.Errorf("the honest one: %d bytes, %v", len(out), err)
	}
}

func skipNumber(b []byte) (v uint64, n int) {
	d := newDecoder(b)
	v = d.number(1 << 62)
	return v, len(b) - len(d.b)
}

func FuzzRecord(f *testing.F) {
	var c codec
	for _, in := range []*Session{
		certificateSession(),
		{Type: SessionToken, Account: "123456789012", Partition: "aws", ExpiresAt: testNow.Add(time.Hour)},
		{Type: AssumedRole, Account: "999999999999", Partition: "aws", RoleID: "AROA1", RoleName: "r", SessionName: "s1", Chained: true, SessionPolicy: strings.Repeat(`{"a":"b"}`, 300), PolicyARNs: []string{"arn:aws:iam::1:policy/x"}, Tags: []Tag{{"k", "v"}}, TransitiveKeys: []string{"k"}, ExpiresAt: testNow.Add(time.Minute)},
	} {
		b, _, err := c.append(nil, nil, in, testNow)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	linked, _, err := c.append(nil, nil, linkedSession(), testNow)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(linked)
	f.Add([]byte{})
	f.Add([]byte{1, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		version := byte(2)
		s, err := c.decode(b, version)
		if err != nil {
			version = 1
			if s, err = c.decode(b, version); err != nil {
				return
			}
		}
		// What decodes can be sealed again and means the same.
		again, _, err := c.append(nil, nil, s, testNow)
		if err == ErrTooLarge || err != nil && strings.Contains(err.Error(), "record is too long") {
			return // another compressor may have packed it tighter
		}
		if err != nil {
			t.Fatalf("append of what was decoded: %v", err)
		}
		s2, err := c.decode(again, version)
		if err != nil {
			t.Fatalf("decode of what was appended: %v", err)
		}
		if d := diff(s, s2); d != "" {
			t.Fatalf("(-first +second)\n%s", d)
		}
	})
}

func FuzzOpen(f *testing.F) {
	s, _ := newSealer(f)
	c := mint(f, s, certificateSession())
	f.Add(c.AccessKeyID, c.SessionToken)
	f.Add(c.AccessKeyID, "")
	f.Add("ASIAQNZGKIQY56JQ7WML", "AQ==")
	f.Add(c.AccessKeyID, c.SessionToken[:len(c.SessionToken)-4])
	f.Fuzz(func(t *testing.T, id, token string) {
		_, _, err := s.Open(testNow, id, token)
		if (err == nil) != (id == c.AccessKeyID && token == c.SessionToken) {
			t.Fatalf("Open(%q, %q) = %v", id, token, err)
		}
		if err != nil && err != ErrInvalid {
			t.Fatalf("got %v, want ErrInvalid", err)
		}
	})
}
