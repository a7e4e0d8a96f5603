package iampolicy

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Limits on documents. A policy nests at most six levels deep (document, Statement list,
// statement, Condition, operator, list of values).
const (
	// MaxDocument is the longest document in characters that Parse reads, white space
	// included (the length limit of the PolicyDocument parameter of AWS's IAM API).
	MaxDocument = 131072
	maxDepth    = 8
)

type nodeKind uint8

const (
	nodeString nodeKind = iota
	nodeNumber          // text holds the literal as written
	nodeBool            // text holds "true" or "false"
	nodeNull
	nodeList
	nodeObject
)

// node is one JSON value with its place in the text.
type node struct {
	kind       nodeKind
	text       string
	items      []*node // list elements, or member values in document order
	keys       []string
	start, end int
}

// jsonReader is a strict JSON reader (RFC 8259): no duplicate names, no invalid UTF-8,
// no lone surrogates, nothing after the value. encoding/json keeps the last of two equal
// names, which would let a document say one thing to a reader and another to the engine.
type jsonReader struct {
	text string
	pos  int
}

func readJSON(text string) (*node, error) {
	if len(text) > MaxDocument && (len(text) > MaxDocument*utf8.UTFMax || utf8.RuneCountInString(text) > MaxDocument) {
		return nil, fmt.Errorf("the document is longer than %d characters", MaxDocument)
	}
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("the document is not valid UTF-8")
	}
	r := &jsonReader{text: text}
	r.space()
	n, err := r.value(0)
	if err != nil {
		return nil, err
	}
	r.space()
	if r.pos != len(r.text) {
		return nil, r.fail("text after the end of the document")
	}
	return n, nil
}

func (r *jsonReader) fail(format string, args ...any) error {
	line := 1 + strings.Count(r.text[:r.pos], "\n")
	col := r.pos - strings.LastIndexByte(r.text[:r.pos], '\n')
	return fmt.Errorf("line %d column %d: %s", line, col, fmt.Sprintf(format, args...))
}

func (r *jsonReader) space() {
	for r.pos < len(r.text) {
		switch r.text[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

func (r *jsonReader) peek() byte {
	if r.pos < len(r.text) {
		return r.text[r.pos]
	}
	return 0
}

func (r *jsonReader) value(depth int) (*node, error) {
	if depth > maxDepth {
		return nil, r.fail("nested too deep")
	}
	n := &node{start: r.pos}
	var err error
	switch c := r.peek(); {
	case c == '{':
		n.kind = nodeObject
		err = r.object(n, depth)
	case c == '[':
		n.kind = nodeList
		err = r.list(n, depth)
	case c == '"':
		n.kind = nodeString
		n.text, err = r.str()
	case c == '-' || (c >= '0' && c <= '9'):
		n.kind = nodeNumber
		n.text, err = r.number()
	default:
		err = r.word(n)
	}
	n.end = r.pos
	return n, err
}

func (r *jsonReader) word(n *node) error {
	for _, w := range [...]struct {
		text string
		kind nodeKind
	}{{"true", nodeBool}, {"false", nodeBool}, {"null", nodeNull}} {
		if strings.HasPrefix(r.text[r.pos:], w.text) {
			r.pos += len(w.text)
			n.kind, n.text = w.kind, w.text
			return nil
		}
	}
	if r.pos == len(r.text) {
		return r.fail("unexpected end of the document")
	}
	return r.fail("unexpected character")
}

func (r *jsonReader) object(n *node, depth int) error {
	seen := map[string]bool{}
	return r.sequence('}', func() error {
		if r.peek() != '"' {
			return r.fail("expected a member name")
		}
		key, err := r.str()
		if err != nil {
			return err
		}
		if seen[key] {
			return r.fail("duplicate member %s", strconv.Quote(clip(key)))
		}
		seen[key] = true
		r.space()
		if r.peek() != ':' {
			return r.fail("expected a colon")
		}
		r.pos++
		r.space()
		v, err := r.value(depth + 1)
		if err != nil {
			return err
		}
		n.keys = append(n.keys, key)
		n.items = append(n.items, v)
		return nil
	})
}

func (r *jsonReader) list(n *node, depth int) error {
	return r.sequence(']', func() error {
		v, err := r.value(depth + 1)
		n.items = append(n.items, v)
		return err
	})
}

// sequence reads comma-separated items up to the closing character.
func (r *jsonReader) sequence(closing byte, item func() error) error {
	r.pos++
	r.space()
	if r.peek() == closing {
		r.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		r.space()
		switch r.peek() {
		case ',':
			r.pos++
			r.space()
		case closing:
			r.pos++
			return nil
		default:
			return r.fail("expected a comma or %q", closing)
		}
	}
}

func (r *jsonReader) number() (string, error) {
	start := r.pos
	digits := func() int {
		from := r.pos
		for c := r.peek(); c >= '0' && c <= '9'; c = r.peek() {
			r.pos++
		}
		return r.pos - from
	}
	if r.peek() == '-' {
		r.pos++
	}
	if r.peek() == '0' {
		r.pos++
	} else if digits() == 0 {
		return "", r.fail("malformed number")
	}
	if r.peek() == '.' {
		r.pos++
		if digits() == 0 {
			return "", r.fail("malformed number")
		}
	}
	if c := r.peek(); c == 'e' || c == 'E' {
		r.pos++
		if c := r.peek(); c == '+' || c == '-' {
			r.pos++
		}
		if digits() == 0 {
			return "", r.fail("malformed number")
		}
	}
	return r.text[start:r.pos], nil
}

func (r *jsonReader) str() (string, error) {
	r.pos++
	start := r.pos
	for r.pos < len(r.text) {
		switch c := r.text[r.pos]; {
		case c == '"':
			s := r.text[start:r.pos]
			r.pos++
			return s, nil
		case c == '\\':
			return r.escaped(start)
		case c < 0x20:
			return "", r.fail("control character in a string")
		default:
			r.pos++
		}
	}
	return "", r.fail("unterminated string")
}

// escaped continues a string from its first backslash.
func (r *jsonReader) escaped(start int) (string, error) {
	b := []byte(r.text[start:r.pos])
	for r.pos < len(r.text) {
		c := r.text[r.pos]
		r.pos++
		switch {
		case c == '"':
			return string(b), nil
		case c < 0x20:
			return "", r.fail("control character in a string")
		case c != '\\':
			b = append(b, c)
			continue
		}
		e := r.peek()
		r.pos++
		if i := strings.IndexByte(`"\/bfnrt`, e); e != 0 && i >= 0 {
			b = append(b, "\"\\/\b\f\n\r\t"[i])
			continue
		}
		if e != 'u' {
			r.pos = min(r.pos, len(r.text))
			return "", r.fail("unknown escape")
		}
		v, err := r.unicode()
		if err != nil {
			return "", err
		}
		b = utf8.AppendRune(b, v)
	}
	return "", r.fail("unterminated string")
}

// unicode reads the digits of \uXXXX and the second half of a surrogate pair.
func (r *jsonReader) unicode() (rune, error) {
	v, ok := r.hex4()
	if !ok {
		return 0, r.fail("malformed \\u escape")
	}
	if !utf16.IsSurrogate(v) {
		return v, nil
	}
	if !strings.HasPrefix(r.text[r.pos:], `\u`) {
		return 0, r.fail("lone surrogate")
	}
	r.pos += 2
	low, ok := r.hex4()
	if v = utf16.DecodeRune(v, low); !ok || v == utf8.RuneError {
		return 0, r.fail("lone surrogate")
	}
	return v, nil
}

func (r *jsonReader) hex4() (rune, bool) {
	if len(r.text)-r.pos < 4 {
		return 0, false
	}
	v, err := strconv.ParseUint(r.text[r.pos:r.pos+4], 16, 16)
	if err != nil {
		return 0, false
	}
	r.pos += 4
	return rune(v), true
}

// clip keeps what an error message repeats of the caller's text short.
func clip(s string) string {
	const limit = 100
	if len(s) <= limit {
		return s
	}
	for i := range s {
		if i > limit {
			return s[:i] + "…"
		}
	}
	return s
}
