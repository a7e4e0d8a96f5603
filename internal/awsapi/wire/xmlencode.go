package wire

import (
	"encoding/base64"
	"reflect"
	"strconv"
	"time"
	"unicode/utf8"
)

// appendXMLMembers appends the members of a structure as elements.
func appendXMLMembers(b []byte, n *node, v reflect.Value) []byte {
	for i := range n.fields {
		f := &n.fields[i]
		if fv, ok := f.get(v); ok {
			b = appendXML(b, f.node, f.name, fv)
		}
	}
	return b
}

func appendXML(b []byte, n *node, name string, v reflect.Value) []byte {
	switch {
	case n.shape.Kind == List && n.shape.Flattened:
		for i := range v.Len() {
			b = appendXML(b, n.elem, name, v.Index(i))
		}
		return b
	case (n.shape.Kind == List || n.shape.Kind == Map) && v.Len() == 0:
		return append(append(append(b, '<'), name...), '/', '>')
	}
	b = append(append(append(b, '<'), name...), '>')
	switch n.shape.Kind {
	case Structure:
		b = appendXMLMembers(b, n, v)
	case List:
		for i := range v.Len() {
			b = appendXML(b, n.elem, n.elemName(), v.Index(i))
		}
	case Map:
		for _, k := range sortedKeys(v) {
			b = append(b, "<entry><key>"...)
			b = AppendXMLText(b, k.String())
			b = append(b, "</key>"...)
			b = appendXML(b, n.elem, "value", v.MapIndex(k))
			b = append(b, "</entry>"...)
		}
	case String:
		b = AppendXMLText(b, v.String())
	case Boolean:
		b = strconv.AppendBool(b, v.Bool())
	case Integer, Long:
		b = strconv.AppendInt(b, v.Int(), 10)
	case Float, Double:
		b = strconv.AppendFloat(b, v.Float(), 'g', -1, v.Type().Bits())
	case Blob:
		b = base64.StdEncoding.AppendEncode(b, v.Bytes())
	case Timestamp:
		b = v.Interface().(time.Time).UTC().AppendFormat(b, layoutSeconds)
	}
	return append(append(append(b, '<', '/'), name...), '>')
}

// AppendXMLText appends s as character data. What XML 1.0 cannot hold becomes U+FFFD.
func AppendXMLText(b []byte, s string) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		size := 1
		var esc string
		switch {
		case c == '&':
			esc = "&amp;"
		case c == '<':
			esc = "&lt;"
		case c == '>':
			esc = "&gt;"
		case c == '\r':
			esc = "&#xD;" // a parser would turn a bare one into a line feed
		case c < 0x20 && c != '\n' && c != '\t':
			esc = "\uFFFD"
		case c >= utf8.RuneSelf:
			var r rune
			r, size = utf8.DecodeRuneInString(s[i:])
			if (r == utf8.RuneError && size == 1) || r == 0xFFFE || r == 0xFFFF {
				esc = "\uFFFD"
			}
		}
		if esc != "" {
			b = append(append(b, s[start:i]...), esc...)
			start = i + size
		}
		i += size
	}
	return append(b, s[start:]...)
}
