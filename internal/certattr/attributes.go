package certattr

import (
	"strings"
	"sync/atomic"
)

// Tag is a session tag. Key has 1 to 128 characters, Value 0 to 256 of the STS tag alphabet.
type Tag struct {
	Key, Value string
}

// Attributes is what a certificate means for a session. It is shared between requests and must
// not be changed, but for Plan.
type Attributes struct {
	Tags           []Tag  // at most MaxTags
	SessionName    string // lower-case hex of the serial number, even length
	SourceIdentity string
	Subject        string // RFC 4514 text
	Issuer         string // RFC 4514 text
	Dropped        Dropped

	// Plan is a place for what CreateSession makes of the attributes and of what goes with them.
	Plan atomic.Value
}

// Dropped names the attributes that are mapped but do not fit into tags, without field prefix.
type Dropped struct {
	Issuer, Subject, SAN []string
}

// Hint returns the sentence that a denial ends with, a space in front, when attributes were
// dropped; otherwise "".
func (a *Attributes) Hint() string {
	d := &a.Dropped
	if len(d.Issuer)+len(d.Subject)+len(d.SAN) == 0 {
		return ""
	}
	list := func(names []string) string { return "[ " + strings.Join(names, ", ") + " ]" }
	return " Some attributes failed to be mapped into session tags. Issuer: " + list(d.Issuer) +
		"; Subject: " + list(d.Subject) + "; SAN: " + list(d.SAN)
}
