// Package jsontext finds what of a text needs no escaping in a JSON string. It escapes nothing: what writes JSON differs in
// how it does that. Start with [Plain].
package jsontext

// Plain is the number of bytes at the start of s that stand for themselves in a JSON string whoever writes it: printable
// ASCII but the quote and the backslash (RFC 8259 §7).
func Plain(s string) int {
	const (
		ones = 0x0101010101010101
		high = 0x8080808080808080
	)
	i := 0
	for ; i+8 <= len(s); i += 8 {
		w := uint64(s[i]) | uint64(s[i+1])<<8 | uint64(s[i+2])<<16 | uint64(s[i+3])<<24 |
			uint64(s[i+4])<<32 | uint64(s[i+5])<<40 | uint64(s[i+6])<<48 | uint64(s[i+7])<<56
		// The high bit of a byte says that it is not ASCII, below a space, a quote or a backslash. A borrow can only set it
		// wrongly above a byte where it is set rightly.
		if (w|(w-' '*ones)|((w^'"'*ones)-ones)|((w^'\\'*ones)-ones))&high != 0 {
			break
		}
	}
	for i < len(s) && s[i] >= ' ' && s[i] < 0x80 && s[i] != '"' && s[i] != '\\' {
		i++
	}
	return i
}
