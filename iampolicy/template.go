package iampolicy

import "strings"

// token is one piece of a pattern: literal text, a wildcard or a policy variable.
type token struct {
	kind       tokenKind
	text       string     // literal
	key        contextKey // variable
	fallback   string     // the variable's default
	hasDefault bool
}

type tokenKind uint8

const (
	tokLiteral tokenKind = iota
	tokOne               // ?
	tokMany              // *
	tokVariable
)

// tokenise splits policy text into tokens. Wildcards and variables are recognised only
// where asked: StringEquals has no wildcards, and version 2008-10-17 has no variables.
func tokenise(text string, wildcards, variables bool) []token {
	var out []token
	var lit strings.Builder
	flush := func() {
		if lit.Len() > 0 {
			out = append(out, token{kind: tokLiteral, text: lit.String()})
			lit.Reset()
		}
	}
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case wildcards && c == '*':
			flush()
			if len(out) == 0 || out[len(out)-1].kind != tokMany {
				out = append(out, token{kind: tokMany})
			}
			i++
		case wildcards && c == '?':
			flush()
			out = append(out, token{kind: tokOne})
			i++
		case variables && c == '$' && strings.HasPrefix(text[i:], "${"):
			end := strings.IndexByte(text[i:], '}')
			if end < 0 { // not a variable: the text stands for itself
				lit.WriteString(text[i:])
				i = len(text)
				continue
			}
			body := text[i+2 : i+end]
			i += end + 1
			if body == "*" || body == "?" || body == "$" {
				lit.WriteString(body)
				continue
			}
			flush()
			out = append(out, variable(body))
		default:
			lit.WriteByte(c)
			i++
		}
	}
	flush()
	return out
}

// variable reads the inside of ${…}: a key, or a key and a default: ${key, 'text'}.
func variable(body string) token {
	t := token{kind: tokVariable}
	name, rest, found := strings.Cut(body, ",")
	if found {
		rest = strings.TrimSpace(rest)
		if len(rest) >= 2 && rest[0] == '\'' && rest[len(rest)-1] == '\'' {
			t.fallback, t.hasDefault = rest[1:len(rest)-1], true
		} else {
			name = body // not a default; such a key is never present
		}
	}
	t.key = newContextKey(strings.TrimSpace(name))
	return t
}

// resolve is the variable's value. It fails when the key is absent and has no default, and
// when the key is multivalued: those cannot be variables.
func (t *token) resolve(c *Context) (string, bool) {
	e := c.find(&t.key)
	switch {
	case e == nil:
		return t.fallback, t.hasDefault
	case e.multi || e.count != 1:
		return "", false
	}
	return c.values[e.from], true
}
