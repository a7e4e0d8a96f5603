package wire

import (
	"encoding/base64"
	"reflect"
	"strconv"
)

// decodeJSON reads a JSON object into the structure dst. An empty body is an empty object.
func decodeJSON(n *node, data []byte, dst reflect.Value) *Fault {
	l := &lexer{data: data}
	if l.space(); l.pos == len(data) {
		return nil
	}
	t, err := l.next()
	if err != nil {
		return err
	}
	switch t {
	case '{':
		err = l.structure(n, dst)
	case 'n':
		err = l.literal("null")
	default:
		err = l.wrong(t, Structure)
	}
	if err != nil {
		return err
	}
	if l.space(); l.pos != len(data) {
		return l.fail("Unexpected data after the document")
	}
	return nil
}

// wrong is a value of another type than the model's, in AWS's words.
func (l *lexer) wrong(t token, want Kind) *Fault {
	switch t {
	case '{':
		return faultf(SerializationException, "Start of structure or map found where not expected.")
	case '[':
		return faultf(SerializationException, "Start of list found where not expected")
	}
	switch want {
	case Structure, Map:
		return faultf(SerializationException, "Expected structure or map, or null")
	case List:
		return faultf(SerializationException, "Expected list or null")
	}
	names := map[token]string{'"': "STRING_VALUE", 't': "TRUE_VALUE", 'f': "FALSE_VALUE", numberToken: "NUMBER_VALUE"}
	types := map[Kind]string{String: "a String", Boolean: "a Boolean", Integer: "an Integer", Long: "a Long", Float: "a Float", Double: "a Double", Blob: "a Blob", Timestamp: "a Timestamp"}
	return faultf(SerializationException, "%s can not be converted to %s", names[t], types[want])
}

func (l *lexer) structure(n *node, dst reflect.Value) *Fault {
	if err := l.open(); err != nil {
		return err
	}
	var seen uint64
	for first := true; ; first = false {
		more, err := l.more('}', first)
		if err != nil || !more {
			return err
		}
		name, err := l.key()
		if err != nil {
			return err
		}
		i, ok := n.byName[name]
		if !ok {
			if err := l.skip(); err != nil {
				return err
			}
			continue
		}
		// A name that appears twice reads differently in different parsers.
		if i < 64 {
			if seen&(1<<i) != 0 {
				return faultf(SerializationException, "Duplicate member: %s", name)
			}
			seen |= 1 << i
		} else if !dst.Field(n.fields[i].index).IsNil() {
			return faultf(SerializationException, "Duplicate member: %s", name)
		}
		t, err := l.next()
		if err != nil {
			return err
		}
		if t == 'n' {
			if err := l.literal("null"); err != nil {
				return err
			}
			continue
		}
		if err := l.value(n.fields[i].node, t, n.fields[i].slot(dst)); err != nil {
			return err
		}
	}
}

func (l *lexer) list(n *node, dst reflect.Value) *Fault {
	if err := l.open(); err != nil {
		return err
	}
	out := reflect.MakeSlice(n.typ, 0, 4)
	for first := true; ; first = false {
		more, err := l.more(']', first)
		if err != nil {
			return err
		}
		if !more {
			dst.Set(out)
			return nil
		}
		e := reflect.New(n.elem.typ).Elem()
		if err := l.element(n.elem, e); err != nil {
			return err
		}
		out = reflect.Append(out, e)
	}
}

// element reads an entry of a list or a map, where null has no meaning.
func (l *lexer) element(n *node, dst reflect.Value) *Fault {
	t, err := l.next()
	if err != nil {
		return err
	}
	if t == 'n' {
		return faultf(SerializationException, "null found where not expected")
	}
	return l.value(n, t, dst)
}

func (l *lexer) mapping(n *node, dst reflect.Value) *Fault {
	if err := l.open(); err != nil {
		return err
	}
	out := reflect.MakeMap(n.typ)
	for first := true; ; first = false {
		more, err := l.more('}', first)
		if err != nil {
			return err
		}
		if !more {
			dst.Set(out)
			return nil
		}
		name, err := l.key()
		if err != nil {
			return err
		}
		k := reflect.ValueOf(name).Convert(n.typ.Key())
		if out.MapIndex(k).IsValid() {
			return faultf(SerializationException, "Duplicate member: %s", name)
		}
		e := reflect.New(n.elem.typ).Elem()
		if err := l.element(n.elem, e); err != nil {
			return err
		}
		out.SetMapIndex(k, e)
	}
}

// value reads a value that is not null.
func (l *lexer) value(n *node, t token, dst reflect.Value) *Fault {
	kind := n.shape.Kind
	switch {
	case kind == Structure && t == '{':
		return l.structure(n, dst)
	case kind == Map && t == '{':
		return l.mapping(n, dst)
	case kind == List && t == '[':
		return l.list(n, dst)
	case kind == Boolean && t == 't':
		dst.SetBool(true)
		return l.literal("true")
	case kind == Boolean && t == 'f':
		dst.SetBool(false)
		return l.literal("false")
	case t == '"' && (kind == String || kind == Blob || kind == Timestamp):
		s, err := l.str()
		if err != nil {
			return err
		}
		return l.text(n, s, dst)
	case t == numberToken && (kind == Integer || kind == Long || kind == Float || kind == Double || kind == Timestamp):
		s, err := l.number()
		if err != nil {
			return err
		}
		return l.numeric(n, s, dst)
	}
	return l.wrong(t, kind)
}

func (l *lexer) text(n *node, s string, dst reflect.Value) *Fault {
	switch n.shape.Kind {
	case String:
		dst.SetString(s)
	case Blob:
		b, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return faultf(SerializationException, "A blob is not valid base64")
		}
		dst.SetBytes(nonNil(b))
	default:
		t, ok := parseTime(s)
		if !ok {
			return faultf(SerializationException, "Unable to parse timestamp")
		}
		dst.Set(reflect.ValueOf(t))
	}
	return nil
}

// nonNil keeps an empty value apart from an absent one.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func (l *lexer) numeric(n *node, s string, dst reflect.Value) *Fault {
	switch n.shape.Kind {
	case Integer, Long:
		bits := n.typ.Bits()
		i, err := strconv.ParseInt(s, 10, bits)
		if err != nil {
			// 3600.0 and 36e2 are whole numbers as well.
			f, ferr := strconv.ParseFloat(s, 64)
			if ferr != nil || f < -1<<53 || f > 1<<53 || f != float64(int64(f)) || dst.OverflowInt(int64(f)) {
				return l.wrong(numberToken, n.shape.Kind)
			}
			i = int64(f)
		}
		dst.SetInt(i)
	case Float, Double:
		f, err := strconv.ParseFloat(s, n.typ.Bits())
		if err != nil {
			return l.wrong(numberToken, n.shape.Kind)
		}
		dst.SetFloat(f)
	default:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return l.wrong(numberToken, n.shape.Kind)
		}
		t, ok := timeOfSeconds(f)
		if !ok {
			return faultf(SerializationException, "Unable to parse timestamp")
		}
		dst.Set(reflect.ValueOf(t))
	}
	return nil
}
