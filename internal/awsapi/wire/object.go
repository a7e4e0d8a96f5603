package wire

// Value is one member of an object that [ReadObject] reads.
type Value struct {
	Name string
	Kind ValueKind
	Text string // of a string (decoded) or of a number (as written)
	Raw  []byte // the document's bytes, of any other value
}

// ValueKind is the JSON type of a [Value].
type ValueKind byte

// The kinds that a reader of flat objects tells apart.
const (
	StringValue ValueKind = '"'
	NumberValue ValueKind = ValueKind(numberToken)
	NullValue   ValueKind = 'n'
	OtherValue  ValueKind = '?' // true, false, an object or a list: read over
)

// ReadObject reads a document that is one JSON object, as strictly as a modelled request, for an operation that no model
// describes. A name may be there once, and at most maxMembers of them. fn is called for each member in order.
func ReadObject(data []byte, maxMembers int, fn func(Value) *Fault) *Fault {
	l := lexer{data: data}
	t, err := l.next()
	if err != nil {
		return err
	}
	if t != '{' {
		return l.fail("Expected an object")
	}
	if err := l.open(); err != nil {
		return err
	}
	seen := make([]string, 0, 8)
	for first := true; ; first = false {
		more, err := l.more('}', first)
		if err != nil {
			return err
		}
		if !more {
			return l.end()
		}
		v, err := l.simpleMember(&seen, maxMembers)
		if err == nil {
			err = fn(v)
		}
		if err != nil {
			return err
		}
	}
}

// simpleMember reads one member of a flat object.
func (l *lexer) simpleMember(seen *[]string, maxMembers int) (v Value, err *Fault) {
	if v.Name, err = l.key(); err != nil {
		return v, err
	}
	if len(*seen) >= maxMembers {
		return v, l.fail("Too many members")
	}
	for _, s := range *seen {
		if s == v.Name {
			return v, l.fail("Duplicate member")
		}
	}
	*seen = append(*seen, v.Name)
	t, err := l.next()
	if err != nil {
		return v, err
	}
	switch v.Kind = ValueKind(t); v.Kind {
	case StringValue:
		v.Text, err = l.str()
	case NumberValue:
		v.Text, err = l.number()
	case NullValue:
		err = l.literal("null")
	default:
		start := l.pos
		v.Kind, err = OtherValue, l.skip()
		v.Raw = l.data[start:l.pos]
	}
	return v, err
}

// end checks that nothing follows the document.
func (l *lexer) end() *Fault {
	l.space()
	if l.pos < len(l.data) {
		return l.fail("Unexpected data after the document")
	}
	return nil
}
