package wire

import (
	"encoding/base64"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// decodeForm reads the parameters of a query-protocol request into the structure dst. Unknown ones are ignored.
func decodeForm(n *node, f *Form, dst reflect.Value) *Fault {
	if len(n.fields) == 0 {
		return nil
	}
	f.sort()
	return formStructure(n, f, "", dst)
}

func formStructure(n *node, f *Form, prefix string, dst reflect.Value) *Fault {
	for i := range n.fields {
		fd := &n.fields[i]
		name := prefix + fd.name
		if err := formMember(fd, f, name, dst); err != nil {
			return err
		}
	}
	return nil
}

func formMember(fd *field, f *Form, name string, dst reflect.Value) *Fault {
	switch fd.node.shape.Kind {
	case Structure:
		if len(f.under(name+".")) == 0 {
			return nil
		}
		return formStructure(fd.node, f, name+".", fd.slot(dst))
	case List:
		return formList(fd.node, f, name, dst.Field(fd.index))
	case Map:
		return formMap(fd.node, f, name, dst.Field(fd.index))
	}
	v, found, dup := f.get(name)
	if !found {
		return nil
	}
	if dup {
		return faultf(MalformedQueryString, "The parameter %s appears more than once", shown(name))
	}
	return scalarText(fd.node, v, name, fd.slot(dst), MalformedInput)
}

// formList reads NAME.member.N, or NAME.N for a flattened list. SDKs write an empty list as "NAME=".
func formList(n *node, f *Form, name string, dst reflect.Value) *Fault {
	prefix := name + "."
	if !n.shape.Flattened {
		prefix += n.elemName() + "."
	}
	idx, err := indexes(f.under(prefix), prefix)
	if err != nil {
		return err
	}
	if len(idx) == 0 {
		if v, found, _ := f.get(name); found && v == "" {
			dst.Set(reflect.MakeSlice(n.typ, 0, 0))
		}
		return nil
	}
	out := reflect.MakeSlice(n.typ, len(idx), len(idx))
	for i, at := range idx {
		if err := formEntry(n.elem, f, prefix+strconv.Itoa(at), out.Index(i)); err != nil {
			return err
		}
	}
	dst.Set(out)
	return nil
}

func (n *node) elemName() string {
	if n.shape.ElemName != "" {
		return n.shape.ElemName
	}
	return "member"
}

// formMap reads NAME.entry.N.key and .value.
func formMap(n *node, f *Form, name string, dst reflect.Value) *Fault {
	prefix := name + "."
	if !n.shape.Flattened {
		prefix += "entry."
	}
	idx, err := indexes(f.under(prefix), prefix)
	if err != nil || len(idx) == 0 {
		return err
	}
	out := reflect.MakeMapWithSize(n.typ, len(idx))
	for _, at := range idx {
		entry := prefix + strconv.Itoa(at)
		k := reflect.New(n.typ.Key()).Elem()
		if err := formEntry(n.key, f, entry+".key", k); err != nil {
			return err
		}
		if out.MapIndex(k).IsValid() {
			return faultf(MalformedInput, "Duplicate key at %s", shown(entry))
		}
		v := reflect.New(n.elem.typ).Elem()
		if err := formEntry(n.elem, f, entry+".value", v); err != nil {
			return err
		}
		out.SetMapIndex(k, v)
	}
	dst.Set(out)
	return nil
}

// formEntry reads an element of a list or a map.
func formEntry(n *node, f *Form, name string, dst reflect.Value) *Fault {
	switch n.shape.Kind {
	case Structure:
		return formStructure(n, f, name+".", dst)
	case List:
		return formList(n, f, name, dst)
	case Map:
		return formMap(n, f, name, dst)
	}
	v, found, dup := f.get(name)
	if !found || dup {
		return faultf(MalformedInput, "The parameter %s is malformed", shown(name))
	}
	return scalarText(n, v, name, dst, MalformedInput)
}

// indexes is the distinct numbers after prefix, in order. Gaps are closed, as AWS closes them.
func indexes(pairs []pair, prefix string) ([]int, *Fault) {
	var idx []int
	for _, p := range pairs {
		text, _, _ := strings.Cut(p.key[len(prefix):], ".")
		n, err := strconv.Atoi(text)
		// One spelling per number, or two names could mean one element.
		if err != nil || n < 0 || len(text) > 6 || strconv.Itoa(n) != text {
			return nil, faultf(MalformedInput, "The parameter %s is malformed", shown(p.key))
		}
		if len(idx) == 0 || idx[len(idx)-1] != n {
			idx = append(idx, n)
		}
	}
	slices.Sort(idx)
	return slices.Compact(idx), nil
}

// scalarText reads a scalar from a form, a query string, a label or a header.
func scalarText(n *node, v, name string, dst reflect.Value, code FaultCode) *Fault {
	bad := func(what string) *Fault { return faultf(code, "The value of %s is not %s", shown(name), what) }
	switch n.shape.Kind {
	case String:
		if !utf8.ValidString(v) {
			return bad("valid UTF-8")
		}
		dst.SetString(v)
	case Boolean:
		switch {
		case strings.EqualFold(v, "true"):
			dst.SetBool(true)
		case strings.EqualFold(v, "false"):
			dst.SetBool(false)
		default:
			return bad("a boolean")
		}
	case Integer, Long:
		i, err := strconv.ParseInt(v, 10, n.typ.Bits())
		if err != nil {
			return bad("an integer")
		}
		dst.SetInt(i)
	case Float, Double:
		x, err := strconv.ParseFloat(v, n.typ.Bits())
		if err != nil {
			return bad("a number")
		}
		dst.SetFloat(x)
	case Timestamp:
		t, ok := parseTime(v)
		if !ok {
			return bad("a timestamp")
		}
		dst.Set(reflect.ValueOf(t))
	case Blob:
		b, err := base64.StdEncoding.DecodeString(v)
		if err != nil {
			return bad("valid base64")
		}
		dst.SetBytes(nonNil(b))
	default:
		return bad("a scalar")
	}
	return nil
}

// shown keeps a message short, whatever the client sent.
func shown(s string) string {
	if len(s) > 128 {
		return strings.ToValidUTF8(s[:128], "") + "..."
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}
