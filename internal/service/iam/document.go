package iam

import (
	"strings"

	"github.com/rolecall/rolecall/iampolicy"
	"github.com/rolecall/rolecall/internal/store"
)

// encodeDocument is how IAM returns policy documents: every byte but RFC 3986's unreserved ones percent-encoded.
func encodeDocument(text string) *string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(text) * 2)
	for i := range len(text) {
		c := text[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return new(b.String())
}

// checkManaged validates a version of a managed policy.
func checkManaged(text string) error {
	if _, err := iampolicy.Parse(text, iampolicy.Managed); err != nil {
		return malformed(err)
	}
	if iampolicy.Size(text) > maxManagedPolicySize {
		return quota("PolicySize", maxManagedPolicySize)
	}
	return nil
}

// inlineSize is what the inline policies of an owner would measure together with text under name.
func inlineSize(existing []store.InlinePolicy, name, text string) int {
	n := iampolicy.Size(text)
	for _, p := range existing {
		if p.Name != name {
			n += iampolicy.Size(p.Document)
		}
	}
	return n
}
