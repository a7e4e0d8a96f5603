package wire

import (
	"slices"
	"strings"
	"sync"
)

// Form is the parameters of a query-protocol request, from the URL and the body.
type Form struct {
	pairs  []pair
	sorted bool
}

type pair struct{ key, value string }

var forms = sync.Pool{New: func() any { return new(Form) }}

// NewForm splits the URL's query and a form-encoded body. Release it after use.
func NewForm(rawQuery string, body []byte) (*Form, *Fault) {
	f := forms.Get().(*Form)
	if err := f.add(rawQuery, true); err != nil {
		f.Release()
		return nil, err
	}
	if err := f.add(string(body), false); err != nil {
		f.Release()
		return nil, err
	}
	return f, nil
}

// Release gives the form's memory back.
func (f *Form) Release() {
	clear(f.pairs)
	f.pairs, f.sorted = f.pairs[:0], false
	forms.Put(f)
}

func (f *Form) add(s string, url bool) *Fault {
	for s != "" {
		var part string
		part, s, _ = strings.Cut(s, "&")
		if part == "" {
			continue
		}
		if len(f.pairs) >= maxPairs {
			return faultf(MalformedQueryString, "The request has too many parameters")
		}
		k, v, _ := strings.Cut(part, "=")
		key, ok1 := unescape(k)
		value, ok2 := unescape(v)
		if !ok1 || !ok2 {
			return faultf(MalformedQueryString, "The query string is malformed: invalid percent-encoding")
		}
		if len(key) > maxKey {
			return faultf(MalformedQueryString, "The query string is malformed: a parameter name is too long")
		}
		// A presigned URL carries its signature among the parameters.
		if url && len(key) > 6 && strings.EqualFold(key[:6], "x-amz-") {
			continue
		}
		f.pairs = append(f.pairs, pair{key, value})
	}
	return nil
}

// Get is the value of a parameter; found is false if it is absent, and dup is true if it appears more than once.
func (f *Form) get(key string) (value string, found, dup bool) {
	if !f.sorted {
		for i := range f.pairs {
			if f.pairs[i].key == key {
				if found {
					return value, true, true
				}
				value, found = f.pairs[i].value, true
			}
		}
		return value, found, false
	}
	i, ok := slices.BinarySearchFunc(f.pairs, key, comparePair)
	if !ok {
		return "", false, false
	}
	return f.pairs[i].value, true, i+1 < len(f.pairs) && f.pairs[i+1].key == key
}

// Get is the value of a parameter that appears exactly once, else "".
func (f *Form) Get(key string) string {
	v, _, dup := f.get(key)
	if dup {
		return ""
	}
	return v
}

func comparePair(p pair, key string) int { return strings.Compare(p.key, key) }

// sort prepares for lookups by prefix.
func (f *Form) sort() {
	if !f.sorted {
		slices.SortStableFunc(f.pairs, func(a, b pair) int { return strings.Compare(a.key, b.key) })
		f.sorted = true
	}
}

// under is the pairs whose names begin with prefix; the form must be sorted.
func (f *Form) under(prefix string) []pair {
	i, _ := slices.BinarySearchFunc(f.pairs, prefix, comparePair)
	n := i
	for n < len(f.pairs) && strings.HasPrefix(f.pairs[n].key, prefix) {
		n++
	}
	return f.pairs[i:n]
}

// unescape undoes form encoding.
func unescape(s string) (string, bool) {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s, true
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+2 >= len(s) {
				return "", false
			}
			hi, ok1 := unhex(s[i+1])
			lo, ok2 := unhex(s[i+2])
			if !ok1 || !ok2 {
				return "", false
			}
			b = append(b, hi<<4|lo)
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b), true
}

func unhex(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
