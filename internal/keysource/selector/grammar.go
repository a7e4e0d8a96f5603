package selector

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/rolecall/rolecall/internal/keysource"
)

// Limits of a selector.
const (
	MaxText  = 64 << 10 // bytes
	maxTerms = 32
	maxNames = 64 // attributes of one name
)

const adviceGrammar = `write "Key=x509Subject,Value=CN=host", or a JSON array of {"Key":…,"Value":…}, or file:// and the path of one`

// Parse reads a selector: Key=…,Value=… terms with white space between them, or a JSON array of {"Key","Value"} objects.
// A term ends where white space, "Key=", a known shape and ",Value=" follow, so "Key=" may be part of a value.
func Parse(text string) (*Selector, error) {
	if len(text) > MaxText {
		return nil, keysource.Errorf(adviceGrammar, "the certificate selector is longer than %d bytes", MaxText)
	}
	var pairs [][2]string
	var err error
	if t := strings.TrimSpace(text); strings.HasPrefix(t, "[") || strings.HasPrefix(t, "{") {
		pairs, err = parseJSON([]byte(t))
	} else {
		pairs, err = parseString(t)
	}
	if err != nil {
		return nil, err
	}
	if len(pairs) > maxTerms {
		return nil, keysource.Errorf(adviceGrammar, "the certificate selector has more than %d terms", maxTerms)
	}
	s := &Selector{}
	seen := map[Key]bool{}
	for _, p := range pairs {
		key := Key(p[0])
		if !slices.Contains(keys(), key) {
			return nil, keysource.Errorf(fmt.Sprintf("the keys are %v", keys()), "cert selector contained invalid key %q", p[0])
		}
		if seen[key] {
			return nil, keysource.Errorf("give each key once", "duplicate %s keys can't be present in cert selector", key)
		}
		seen[key] = true
		t, err := newTerm(key, p[1])
		if err != nil {
			return nil, err
		}
		s.terms = append(s.terms, *t)
	}
	return s, nil
}

func parseString(text string) ([][2]string, error) {
	var pairs [][2]string
	for text != "" {
		key, rest, ok := cutTerm(text)
		if !ok {
			return nil, keysource.Errorf(adviceGrammar, "unable to parse cert selector string")
		}
		end := nextTerm(rest)
		value := strings.TrimSpace(rest[:end])
		if value == "" {
			return nil, keysource.Errorf(adviceGrammar, "unable to parse cert selector string: the value of %s is empty", key)
		}
		pairs = append(pairs, [2]string{key, value})
		if len(pairs) > maxTerms {
			break // Parse says so
		}
		text = strings.TrimSpace(rest[end:])
	}
	if len(pairs) == 0 {
		return nil, keysource.Errorf(adviceGrammar, "unable to parse cert selector string: it is empty")
	}
	return pairs, nil
}

// cutTerm splits "Key=NAME,Value=REST".
func cutTerm(text string) (key, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, "Key=")
	if !ok {
		return "", "", false
	}
	key, rest, ok = strings.Cut(text, ",Value=")
	if !ok || key == "" || strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == '=' }) {
		return "", "", false
	}
	return key, rest, true
}

// nextTerm is where the next term begins in text, or its end.
func nextTerm(text string) int {
	for from := 0; ; {
		i := strings.Index(text[from:], "Key=")
		if i < 0 {
			return len(text)
		}
		i += from
		if _, _, ok := cutTerm(text[i:]); ok && i > 0 && strings.ContainsRune(" \t\r\n", rune(text[i-1])) {
			return i
		}
		from = i + len("Key=")
	}
}

func parseJSON(text []byte) ([][2]string, error) {
	type object struct{ Key, Value string }
	var list []object
	if text[0] == '{' {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	err := d.Decode(&list)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("something follows the array")
		}
	}
	if err != nil {
		return nil, keysource.Errorf(adviceGrammar, "unable to parse JSON cert selector: %w", err)
	}
	if len(list) == 0 {
		return nil, keysource.Errorf(adviceGrammar, "the cert selector has no terms")
	}
	var pairs [][2]string
	for _, o := range list {
		if o.Value == "" {
			return nil, keysource.Errorf(adviceGrammar, "the cert selector's value of %q is empty", o.Key)
		}
		pairs = append(pairs, [2]string{o.Key, o.Value})
	}
	return pairs, nil
}

func newTerm(key Key, text string) (*term, error) {
	t := &term{key: key, text: text}
	switch key {
	case Serial, Thumbprint:
		if t.hex = plainHex(text, key == Serial); t.hex == "" {
			return nil, keysource.Errorf("give hexadecimal digits; colons and spaces between them are skipped", "%s %q is not hexadecimal", key, text)
		}
		if n := len(t.hex); key == Thumbprint && n != 40 && n != 64 {
			return nil, keysource.Errorf("give the SHA-1 (40 digits) or the SHA-256 (64 digits) of the certificate", "%s has %d hexadecimal digits", key, n)
		}
	case Subject, Issuer:
		// What is no name can still be equal to the text of an odd one.
		t.name, _ = parseDN(text)
	case SubjectHas, IssuerHas:
		name, err := parseDN(text)
		if err != nil {
			return nil, keysource.Errorf(`write attributes like "CN=host*,O=Example"`, "%s %q is not a list of attributes: %w", key, text, err)
		}
		t.name = name
	case SAN:
		t.san = text
		if kind, value, ok := strings.Cut(text, ":"); ok && slices.Contains(sanKinds(), strings.ToLower(kind)) {
			t.sanKind, t.san = strings.ToLower(kind), value
		}
	}
	return t, nil
}

// plainHex removes separators and, from a number, what does not count. "" means that text is not hexadecimal.
func plainHex(text string, number bool) string {
	text = strings.ToLower(strings.NewReplacer(":", "", " ", "", "-", "", "\u200e", "").Replace(text)) // Windows copies a U+200E along
	if number {
		text = strings.TrimPrefix(text, "0x")
		if len(text)%2 == 1 {
			text = "0" + text
		}
	}
	if _, err := hex.DecodeString(text); err != nil || text == "" {
		return ""
	}
	if number {
		if text = strings.TrimLeft(text, "0"); text == "" {
			text = "0"
		}
	}
	return text
}
