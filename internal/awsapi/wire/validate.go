package wire

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Validate checks a decoded input against its model. The error is a *[Fault] that names every violation in AWS's words.
func (p *Plan) Validate(in any) error {
	v := validator{}
	v.structure(p.in, reflect.ValueOf(in).Elem(), "")
	if v.count == 0 {
		return nil
	}
	plural := "s"
	if v.count == 1 {
		plural = ""
	}
	return &Fault{Code: ValidationFailure, Message: fmt.Sprintf("%d validation error%s detected: %s", v.count, plural, strings.Join(v.failures, "; "))}
}

type validator struct {
	failures []string
	count    int
}

// fail records one violation. A sensitive value is not repeated.
func (v *validator) fail(path, value string, hide bool, constraint string) {
	if v.count++; v.count > maxFailures {
		return
	}
	switch {
	case hide:
		v.failures = append(v.failures, "Value at '"+path+"' failed to satisfy constraint: "+constraint)
	default:
		v.failures = append(v.failures, "Value "+value+" at '"+path+"' failed to satisfy constraint: "+constraint)
	}
}

const notNull = "Member must not be null"

func (v *validator) structure(n *node, s reflect.Value, prefix string) {
	set := 0
	for i := range n.fields {
		f := &n.fields[i]
		fv, ok := f.get(s)
		if !ok {
			if f.member.Required {
				v.fail(prefix+f.lower, "null", false, notNull)
			}
			continue
		}
		set++
		v.value(f.node, fv, prefix+f.lower, f.mask)
	}
	if n.shape.Union && set != 1 {
		v.fail(strings.TrimSuffix(prefix, "."), quoteValue(n, s), false, "Member must have exactly one of its members set")
	}
}

func (v *validator) value(n *node, x reflect.Value, path string, hide bool) {
	hide = hide || n.shape.Sensitive
	switch n.shape.Kind {
	case Structure:
		v.structure(n, x, path+".")
		return
	case List:
		v.check(n, x, path, hide)
		v.elements(n, x, path, hide)
		return
	case Map:
		v.check(n, x, path, hide)
		v.entries(n, x, path, hide)
		return
	}
	v.check(n, x, path, hide)
}

// check reports every constraint that a value itself breaks.
func (v *validator) check(n *node, x reflect.Value, path string, hide bool) {
	if n.satisfied(x) {
		return
	}
	for _, c := range n.constraints() {
		if !c.holds(x) {
			v.fail(path, quoteValue(n, x), hide, c.text)
		}
	}
}

// elements checks the entries of a list: structures one by one, scalars as AWS does, in one violation for the list.
func (v *validator) elements(n *node, x reflect.Value, path string, hide bool) {
	if n.elem.scalar() {
		for i := range x.Len() {
			if !n.elem.satisfied(x.Index(i)) {
				v.fail(path, quoteValue(n, x), hide || n.elem.shape.Sensitive, "Member must satisfy constraint: ["+n.elem.allConstraints()+"]")
				return
			}
		}
		return
	}
	for i := range x.Len() {
		v.value(n.elem, x.Index(i), path+"."+strconv.Itoa(i+1)+"."+n.elemName(), hide)
	}
}

func (v *validator) entries(n *node, x reflect.Value, path string, hide bool) {
	hide = hide || n.elem.shape.Sensitive || n.key.shape.Sensitive
	badKey, badValue := false, false
	for _, k := range sortedKeys(x) {
		if !n.key.satisfied(k) && !badKey {
			badKey = true
			v.fail(path, quoteValue(n, x), hide, "Map keys must satisfy constraint: ["+n.key.allConstraints()+"]")
		}
		e := x.MapIndex(k)
		if !n.elem.scalar() {
			v.value(n.elem, e, path+"."+shown(k.String())+".member", hide)
		} else if !n.elem.satisfied(e) && !badValue {
			badValue = true
			v.fail(path, quoteValue(n, x), hide, "Map value must satisfy constraint: ["+n.elem.allConstraints()+"]")
		}
	}
}

func (n *node) scalar() bool {
	switch n.shape.Kind {
	case Structure, List, Map:
		return false
	}
	return true
}

// satisfied is the quick answer for a value that breaks nothing.
func (n *node) satisfied(x reflect.Value) bool {
	s := n.shape
	if s.Min.Set || s.Max.Set {
		size := n.size(x)
		if s.Min.Set && size < s.Min.N || s.Max.Set && size > s.Max.N {
			return false
		}
	}
	if n.pattern != nil && !n.pattern.Match(x.String()) {
		return false
	}
	return len(s.Enum) == 0 || slices.Contains(s.Enum, x.String())
}

// size is what Min and Max bound. Lengths of text are in characters, not bytes.
func (n *node) size(x reflect.Value) int64 {
	switch n.shape.Kind {
	case String:
		return int64(utf8.RuneCountInString(x.String()))
	case Integer, Long:
		return x.Int()
	case Float, Double:
		return int64(x.Float())
	case List, Map, Blob:
		return int64(x.Len())
	}
	return 0
}

type constraint struct {
	text  string
	holds func(reflect.Value) bool
}

// constraints spells out a shape's own constraints, in the order in which AWS reports them.
func (n *node) constraints() []constraint {
	var cs []constraint
	s := n.shape
	what := "length"
	switch s.Kind {
	case Integer, Long, Float, Double:
		what = "value"
	}
	if len(s.Enum) > 0 {
		cs = append(cs, constraint{"Member must satisfy enum value set: [" + strings.Join(s.Enum, ", ") + "]", func(x reflect.Value) bool { return slices.Contains(s.Enum, x.String()) }})
	}
	if n.pattern != nil {
		cs = append(cs, constraint{"Member must satisfy regular expression pattern: " + s.Pattern, func(x reflect.Value) bool { return n.pattern.Match(x.String()) }})
	}
	if s.Max.Set {
		cs = append(cs, constraint{fmt.Sprintf("Member must have %s less than or equal to %d", what, s.Max.N), func(x reflect.Value) bool { return n.size(x) <= s.Max.N }})
	}
	if s.Min.Set {
		cs = append(cs, constraint{fmt.Sprintf("Member must have %s greater than or equal to %d", what, s.Min.N), func(x reflect.Value) bool { return n.size(x) >= s.Min.N }})
	}
	return cs
}

// allConstraints lists what every element must satisfy: for lists of scalars AWS repeats the whole set, sizes first.
func (n *node) allConstraints() string {
	var sizes, rest []string
	for _, c := range n.constraints() {
		if strings.HasPrefix(c.text, "Member must have") {
			sizes = append(sizes, c.text)
		} else {
			rest = append(rest, c.text)
		}
	}
	return strings.Join(append(append(sizes, rest...), notNull), ", ")
}

// quoteValue writes a value as it appears in a message.
func quoteValue(n *node, x reflect.Value) string {
	b := appendShown([]byte{'\''}, n, x, false)
	if len(b) > maxShown {
		b = append(b[:maxShown], "..."...)
	}
	return strings.ToValidUTF8(string(b), "") + "'"
}

func appendShown(b []byte, n *node, x reflect.Value, hide bool) []byte {
	if hide || n.shape.Sensitive {
		return append(b, "***"...)
	}
	if len(b) > maxShown {
		return b
	}
	switch n.shape.Kind {
	case String:
		return append(b, x.String()...)
	case Boolean:
		return strconv.AppendBool(b, x.Bool())
	case Integer, Long:
		return strconv.AppendInt(b, x.Int(), 10)
	case Float, Double:
		return strconv.AppendFloat(b, x.Float(), 'g', -1, 64)
	case Blob:
		return append(b, fmt.Sprintf("%d bytes", x.Len())...)
	case Timestamp:
		return x.Interface().(time.Time).AppendFormat(b, layoutSeconds)
	case List:
		b = append(b, '[')
		for i := range x.Len() {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = appendShown(b, n.elem, x.Index(i), false)
		}
		return append(b, ']')
	case Map:
		b = append(b, '{')
		for i, k := range sortedKeys(x) {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(appendShown(b, n.key, k, false), '=')
			b = appendShown(b, n.elem, x.MapIndex(k), false)
		}
		return append(b, '}')
	}
	b = append(append(b, n.shape.Name...), '(')
	first := true
	for i := range n.fields {
		f := &n.fields[i]
		fv, ok := f.get(x)
		if !ok {
			continue
		}
		if !first {
			b = append(b, ", "...)
		}
		first = false
		b = append(append(b, f.lower...), '=')
		b = appendShown(b, f.node, fv, f.mask)
	}
	return append(b, ')')
}
