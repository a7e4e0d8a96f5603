package wire

import (
	"errors"
	"fmt"
	"reflect"
	"time"
)

// Plan is a compiled operation: its shapes tied to the Go types that hold them, its patterns compiled. A Plan is
// immutable and safe for concurrent use.
type Plan struct {
	Op      *Operation
	in, out *node
	route   route
	hasBody bool // some input member travels in the body
}

// node is a shape tied to a Go type.
type node struct {
	shape   *Shape
	typ     reflect.Type // without the pointer of a member
	fields  []field      // of a structure
	byName  map[string]int
	elem    *node
	key     *node
	pattern *Pattern
}

// field is a member tied to a field of the Go structure.
type field struct {
	member *Member
	name   string // on the wire
	lower  string // in messages and audit events: AWS writes the first letter in lower case there
	index  int
	node   *node
	mask   bool
}

var timeType = reflect.TypeFor[time.Time]()

// Compile ties op to the Go structures in and out. It fails if a member has no field or a field no member, so that a
// plan that exists is complete.
func Compile(op *Operation, in, out reflect.Type) (*Plan, error) {
	p := &Plan{Op: op}
	var err error
	if p.in, err = compileRoot(op.Input, in); err != nil {
		return nil, fmt.Errorf("%s input: %w", op.Action(), err)
	}
	if p.out, err = compileRoot(op.Output, out); err != nil {
		return nil, fmt.Errorf("%s output: %w", op.Action(), err)
	}
	for _, f := range p.out.fields {
		if f.member.In != InBody {
			return nil, fmt.Errorf("%s output: member %s is not in the body", op.Action(), f.member.Name)
		}
	}
	for _, f := range p.in.fields {
		if f.member.In == InBody {
			p.hasBody = true
		} else if op.Protocol != RESTJSON {
			return nil, fmt.Errorf("%s input: member %s has a location", op.Action(), f.member.Name)
		} else if f.member.In == InURI && (f.node.shape.Kind != String || !f.member.Required) {
			return nil, fmt.Errorf("%s input: label %s is not a required string", op.Action(), f.member.Name)
		}
	}
	p.route, err = parseRoute(op.Path)
	return p, err
}

func compileRoot(s *Shape, t reflect.Type) (*node, error) {
	if s == nil {
		if t.Kind() != reflect.Struct || t.NumField() != 0 {
			return nil, fmt.Errorf("%s has fields but the operation has no shape", t)
		}
		return &node{shape: &Shape{Kind: Structure}, typ: t}, nil
	}
	if s.Kind != Structure {
		return nil, errors.New("not a structure")
	}
	return compile(s, t)
}

var scalarKinds = map[Kind]reflect.Kind{
	String: reflect.String, Boolean: reflect.Bool, Integer: reflect.Int32, Long: reflect.Int64,
	Float: reflect.Float32, Double: reflect.Float64,
}

func compile(s *Shape, t reflect.Type) (*node, error) {
	n := &node{shape: s, typ: t}
	bad := fmt.Errorf("shape %s does not fit Go type %s", s.Name, t)
	switch s.Kind {
	case Structure:
		if t.Kind() != reflect.Struct || t.NumField() != len(s.Members) {
			return nil, bad
		}
		return n, n.compileMembers()
	case List:
		if t.Kind() != reflect.Slice {
			return nil, bad
		}
		var err error
		n.elem, err = compile(s.Elem, t.Elem())
		return n, err
	case Map:
		if t.Kind() != reflect.Map || t.Key().Kind() != reflect.String {
			return nil, bad
		}
		var err error
		if n.key, err = compile(s.Key, t.Key()); err != nil {
			return nil, err
		}
		n.elem, err = compile(s.Elem, t.Elem())
		return n, err
	case Blob:
		if t.Kind() != reflect.Slice || t.Elem().Kind() != reflect.Uint8 {
			return nil, bad
		}
		return n, nil
	case Timestamp:
		if t != timeType {
			return nil, bad
		}
		return n, nil
	}
	if want, ok := scalarKinds[s.Kind]; !ok || t.Kind() != want {
		return nil, bad
	}
	if s.Pattern != "" {
		p, err := CompilePattern(s.Pattern)
		if err != nil {
			return nil, fmt.Errorf("shape %s: %w", s.Name, err)
		}
		n.pattern = p
	}
	return n, nil
}

func (n *node) compileMembers() error {
	n.byName = make(map[string]int, len(n.shape.Members))
	for i := range n.shape.Members {
		m := &n.shape.Members[i]
		sf, ok := n.typ.FieldByName(m.Field)
		if !ok || len(sf.Index) != 1 {
			return fmt.Errorf("shape %s: %s has no field %s", n.shape.Name, n.typ, m.Field)
		}
		t := sf.Type
		switch m.Shape.Kind {
		case List, Map, Blob:
		default:
			if t.Kind() != reflect.Pointer {
				return fmt.Errorf("shape %s: field %s is not a pointer", n.shape.Name, m.Field)
			}
			t = t.Elem()
		}
		c, err := compile(m.Shape, t)
		if err != nil {
			return err
		}
		n.fields = append(n.fields, field{
			member: m, name: m.OnWire(), lower: lowerFirst(m.Name), index: sf.Index[0], node: c,
			mask: m.Sensitive || m.Shape.Sensitive,
		})
		if m.In == InBody {
			n.byName[m.OnWire()] = i
		}
	}
	return nil
}

func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}

// slot makes room for the member and returns where its value goes, behind the pointer where the field is one.
func (f *field) slot(structure reflect.Value) reflect.Value {
	dst := structure.Field(f.index)
	if dst.Kind() == reflect.Pointer {
		p := reflect.New(f.node.typ)
		dst.Set(p)
		return p.Elem()
	}
	return dst
}

// get is the member's value without its pointer; ok is false if it is absent.
func (f *field) get(structure reflect.Value) (v reflect.Value, ok bool) {
	v = structure.Field(f.index)
	if v.IsNil() {
		return v, false
	}
	if v.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	return v, true
}
