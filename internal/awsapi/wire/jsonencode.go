package wire

import (
	"encoding/base64"
	"reflect"
	"sort"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/rolecall/rolecall/internal/jsontext"
)

// Hidden stands for a sensitive value in an audit event, as in CloudTrail.
const Hidden = "HIDDEN_DUE_TO_SECURITY_REASONS"

// jsonWriter appends JSON. In an audit event names begin in lower case, sensitive values are hidden and times are text.
type jsonWriter struct{ audit bool }

func (w jsonWriter) structure(b []byte, n *node, v reflect.Value) []byte {
	b = append(b, '{')
	first := true
	for i := range n.fields {
		f := &n.fields[i]
		fv, ok := f.get(v)
		if !ok {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		name := f.name
		if w.audit {
			name = f.lower
		}
		b = AppendJSONString(b, name)
		b = append(b, ':')
		if w.audit && f.mask {
			b = append(b, `"`+Hidden+`"`...)
			continue
		}
		b = w.value(b, f.node, fv)
	}
	return append(b, '}')
}

func (w jsonWriter) value(b []byte, n *node, v reflect.Value) []byte {
	if w.audit && n.shape.Sensitive {
		return append(b, `"`+Hidden+`"`...)
	}
	switch n.shape.Kind {
	case Structure:
		return w.structure(b, n, v)
	case List:
		b = append(b, '[')
		for i := range v.Len() {
			if i > 0 {
				b = append(b, ',')
			}
			b = w.value(b, n.elem, v.Index(i))
		}
		return append(b, ']')
	case Map:
		return w.mapping(b, n, v)
	case String:
		return AppendJSONString(b, v.String())
	case Boolean:
		return strconv.AppendBool(b, v.Bool())
	case Integer, Long:
		return strconv.AppendInt(b, v.Int(), 10)
	case Float, Double:
		return strconv.AppendFloat(b, v.Float(), 'g', -1, v.Type().Bits())
	case Blob:
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
		return append(b, '"')
	}
	t := v.Interface().(time.Time)
	if w.audit {
		return appendJSONTime(b, &Shape{Format: ISO8601}, t)
	}
	return appendJSONTime(b, n.shape, t)
}

func (w jsonWriter) mapping(b []byte, n *node, v reflect.Value) []byte {
	b = append(b, '{')
	for i, k := range sortedKeys(v) {
		if i > 0 {
			b = append(b, ',')
		}
		b = AppendJSONString(b, k.String())
		b = append(b, ':')
		b = w.value(b, n.elem, v.MapIndex(k))
	}
	return append(b, '}')
}

// sortedKeys makes the order of a map's entries stable.
func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	sort.Slice(keys, func(i, j int) bool { return keys[i].String() < keys[j].String() })
	return keys
}

const hexDigits = "0123456789abcdef"

// AppendJSONString appends s as a JSON string; invalid UTF-8 becomes U+FFFD.
func AppendJSONString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; ; {
		i += jsontext.Plain(s[i:])
		if i == len(s) {
			break
		}
		c := s[i]
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			b = append(b, s[start:i]...)
			b = append(b, "\uFFFD"...)
			i++
			start = i
			continue
		}
		b = append(b, s[start:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		start = i
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}
