package wire

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// lexer reads one JSON document (RFC 8259) strictly: no trailing commas, comments, lone surrogates or invalid UTF-8.
type lexer struct {
	data  []byte
	pos   int
	depth int
}

// token is the first byte of a value: one of { [ " t f n, or 0 for a number.
type token byte

const numberToken token = '0'

func (l *lexer) fail(what string) *Fault {
	return faultf(SerializationException, "%s at byte %d", what, l.pos)
}

func (l *lexer) space() {
	for l.pos < len(l.data) {
		switch l.data[l.pos] {
		case ' ', '\t', '\r', '\n':
			l.pos++
		default:
			return
		}
	}
}

// next skips white space and says what value begins there.
func (l *lexer) next() (token, *Fault) {
	l.space()
	if l.pos >= len(l.data) {
		return 0, l.fail("Unexpected end of input")
	}
	switch c := l.data[l.pos]; {
	case c == '{', c == '[', c == '"', c == 't', c == 'f', c == 'n':
		return token(c), nil
	case c == '-', c >= '0' && c <= '9':
		return numberToken, nil
	}
	return 0, l.fail("Unexpected character")
}

// open enters an object or a list.
func (l *lexer) open() *Fault {
	l.pos++
	if l.depth++; l.depth > maxDepth {
		return l.fail("The document is nested too deeply")
	}
	return nil
}

// more steps to the next entry of an object or a list; it is false at its end. first is true for the first call.
func (l *lexer) more(end byte, first bool) (bool, *Fault) {
	l.space()
	if l.pos >= len(l.data) {
		return false, l.fail("Unexpected end of input")
	}
	c := l.data[l.pos]
	if c == end {
		l.pos++
		l.depth--
		return false, nil
	}
	if first {
		return true, nil
	}
	if c != ',' {
		return false, l.fail("Unexpected character")
	}
	l.pos++
	l.space()
	if l.pos < len(l.data) && l.data[l.pos] == end {
		return false, l.fail("Unexpected character")
	}
	return true, nil
}

// key reads a member's name and the colon.
func (l *lexer) key() (string, *Fault) {
	l.space()
	if l.pos >= len(l.data) || l.data[l.pos] != '"' {
		return "", l.fail("Expected a member name")
	}
	s, err := l.str()
	if err != nil {
		return "", err
	}
	l.space()
	if l.pos >= len(l.data) || l.data[l.pos] != ':' {
		return "", l.fail("Expected a colon")
	}
	l.pos++
	return s, nil
}

func (l *lexer) literal(word string) *Fault {
	if l.pos+len(word) > len(l.data) || string(l.data[l.pos:l.pos+len(word)]) != word {
		return l.fail("Unexpected character")
	}
	l.pos += len(word)
	return nil
}

// number returns the text of a number.
func (l *lexer) number() (string, *Fault) {
	start := l.pos
	digits := func() bool {
		from := l.pos
		for l.pos < len(l.data) && l.data[l.pos] >= '0' && l.data[l.pos] <= '9' {
			l.pos++
		}
		return l.pos > from
	}
	at := func(set string) bool {
		for i := range len(set) {
			if l.pos < len(l.data) && l.data[l.pos] == set[i] {
				l.pos++
				return true
			}
		}
		return false
	}
	at("-")
	if !at("0") && !digits() {
		return "", l.fail("Malformed number")
	}
	if at(".") && !digits() {
		return "", l.fail("Malformed number")
	}
	if at("eE") {
		at("+-")
		if !digits() {
			return "", l.fail("Malformed number")
		}
	}
	return string(l.data[start:l.pos]), nil
}

// str reads a string.
func (l *lexer) str() (string, *Fault) {
	l.pos++
	start := l.pos
	for l.pos < len(l.data) {
		switch c := l.data[l.pos]; {
		case c == '"':
			s := l.data[start:l.pos]
			if !utf8.Valid(s) {
				return "", l.fail("Invalid UTF-8")
			}
			l.pos++
			return string(s), nil
		case c == '\\':
			return l.escaped(start)
		case c < 0x20:
			return "", l.fail("Control character in a string")
		}
		l.pos++
	}
	return "", l.fail("Unexpected end of input")
}

// escaped continues a string at its first escape.
func (l *lexer) escaped(start int) (string, *Fault) {
	b := append(make([]byte, 0, l.pos-start+32), l.data[start:l.pos]...)
	for l.pos < len(l.data) {
		c := l.data[l.pos]
		switch {
		case c == '"':
			if !utf8.Valid(b) {
				return "", l.fail("Invalid UTF-8")
			}
			l.pos++
			return string(b), nil
		case c < 0x20:
			return "", l.fail("Control character in a string")
		case c != '\\':
			b = append(b, c)
			l.pos++
		default:
			r, err := l.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
		}
	}
	return "", l.fail("Unexpected end of input")
}

var escapes = [256]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (l *lexer) escape() (rune, *Fault) {
	if l.pos+1 >= len(l.data) {
		return 0, l.fail("Unexpected end of input")
	}
	c := l.data[l.pos+1]
	if c != 'u' {
		if escapes[c] == 0 {
			return 0, l.fail("Unknown escape")
		}
		l.pos += 2
		return escapes[c], nil
	}
	r, ok := l.hex4()
	if !ok {
		return 0, l.fail("Unknown escape")
	}
	if !utf16.IsSurrogate(r) {
		return r, nil
	}
	low, ok := l.hex4()
	if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
		return pair, nil
	}
	return 0, l.fail("Lone surrogate")
}

// hex4 reads \uXXXX.
func (l *lexer) hex4() (rune, bool) {
	if l.pos+6 > len(l.data) || l.data[l.pos] != '\\' || l.data[l.pos+1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(l.data[l.pos+2:l.pos+6]), 16, 16)
	if err != nil {
		return 0, false
	}
	l.pos += 6
	return rune(n), true
}

// skip passes over a value that the model does not know.
func (l *lexer) skip() *Fault {
	t, err := l.next()
	if err != nil {
		return err
	}
	switch t {
	case '"':
		_, err = l.str()
	case 't':
		err = l.literal("true")
	case 'f':
		err = l.literal("false")
	case 'n':
		err = l.literal("null")
	case numberToken:
		_, err = l.number()
	default:
		return l.skipContainer(t)
	}
	return err
}

func (l *lexer) skipContainer(t token) *Fault {
	if err := l.open(); err != nil {
		return err
	}
	end := byte(']')
	if t == '{' {
		end = '}'
	}
	for first := true; ; first = false {
		more, err := l.more(end, first)
		if err != nil || !more {
			return err
		}
		if t == '{' {
			if _, err := l.key(); err != nil {
				return err
			}
		}
		if err := l.skip(); err != nil {
			return err
		}
	}
}
