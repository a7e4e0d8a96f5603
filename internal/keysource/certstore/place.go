package certstore

import (
	"strings"

	"github.com/rolecall/rolecall/internal/keysource"
)

// place names a store.
type place struct {
	machine bool   // LocalMachine instead of CurrentUser
	name    string // such as MY
}

func (p place) String() string {
	if p.machine {
		return `LocalMachine\` + p.name
	}
	return `CurrentUser\` + p.name
}

// maxName bounds the name of a store, in bytes.
const maxName = 256

// parsePlace reads NAME, as the official helper has it, which is the current user's; or LOCATION\NAME, with or without
// PowerShell's Cert:\ before it.
func parsePlace(text string) (place, error) {
	rest := text
	if cut, ok := cutFold(rest, `Cert:\`); ok {
		rest = cut
	}
	p := place{}
	if cut, ok := cutFold(rest, `LocalMachine\`); ok {
		p.machine, rest = true, cut
	} else if cut, ok := cutFold(rest, `CurrentUser\`); ok {
		rest = cut
	}
	if text == "" {
		rest = "MY"
	}
	if rest == "" || len(rest) > maxName || strings.ContainsAny(rest, "\\/\x00") {
		return place{}, keysource.Errorf(`pass MY, or CurrentUser\MY or LocalMachine\MY`, "%q is not the name of a certificate store", text)
	}
	p.name = rest
	for _, known := range []string{"MY", "Root", "Trust", "CA"} { // the official helper's; others are taken as they are
		if strings.EqualFold(rest, known) {
			p.name = known
		}
	}
	return p, nil
}

func cutFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
