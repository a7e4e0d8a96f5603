package dn

import (
	"encoding/hex"
	"strings"
)

// String writes the name as RFC 4514 text: last RDN first, "," between RDNs, "+" inside one, and
// the short names of this package, which know more types than RFC 4514 §3.
func (n Name) String() string {
	var b strings.Builder
	for i := len(n) - 1; i >= 0; i-- {
		if i != len(n)-1 {
			b.WriteByte(',')
		}
		for j, attr := range n[i] {
			if j > 0 {
				b.WriteByte('+')
			}
			writeAttribute(&b, attr)
		}
	}
	return b.String()
}

func writeAttribute(b *strings.Builder, attr Attribute) {
	b.WriteString(attr.Type.Label())
	b.WriteByte('=')
	// RFC 4514 §2.4: no string form known for the value, or a dotted type: hex of its DER.
	if _, known := shortName(attr.Type); !known || !attr.IsString {
		b.WriteByte('#')
		b.WriteString(hex.EncodeToString(attr.Raw))
		return
	}
	escape(b, attr.Value)
}

// escape writes a value with RFC 4514 §2.4's escapes. Control characters are written as hex pairs
// too, so that a name cannot break a log line.
func escape(b *strings.Builder, value string) {
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case strings.IndexByte(`,+"\<>;=`, c) >= 0,
			c == '#' && i == 0,
			c == ' ' && (i == 0 || i == len(value)-1):
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < 0x20 || c == 0x7f:
			b.WriteByte('\\')
			b.WriteString(hex.EncodeToString([]byte{c}))
		default:
			b.WriteByte(c)
		}
	}
}
