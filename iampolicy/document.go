package iampolicy

import (
	"fmt"
	"strconv"
	"unicode/utf8"
)

// document is the syntax tree of a policy: shape-checked, not yet validated by kind.
type document struct {
	version    Version // as written; "" when absent
	hasVersion bool
	id         string
	hasID      bool
	statements []*statementNode
}

type statementNode struct {
	sid        string
	hasSid     bool
	effect     string
	hasEffect  bool
	principal  *principalNode
	notPrinc   bool // principal came from NotPrincipal
	actions    []string
	hasAction  bool
	notAction  bool
	resources  []string
	hasRes     bool
	notRes     bool
	conditions []operatorNode
	start, end int
}

type operatorNode struct {
	name string
	keys []conditionNode
}

type conditionNode struct {
	key    string
	values []string
}

// principalNode is a Principal element: "*", or principals by type.
type principalNode struct {
	any    bool // the plain string form
	text   string
	groups []principalGroup
}

type principalGroup struct {
	kind   string // AWS, Service, Federated, CanonicalUser
	values []string
}

// shapeError carries the element whose shape is wrong; each kind words it differently.
type shapeError struct {
	field  string
	detail string
}

func (e *shapeError) Error() string { return e.detail }

func badShape(field, format string, args ...any) *shapeError {
	return &shapeError{field: field, detail: fmt.Sprintf(format, args...)}
}

func buildDocument(n *node) (*document, *shapeError) {
	if n.kind != nodeObject {
		return nil, badShape("", "the policy is not a JSON object")
	}
	d := &document{}
	for i, key := range n.keys {
		v := n.items[i]
		switch key {
		case "Version":
			if v.kind != nodeString || (Version(v.text) != Version2008 && Version(v.text) != Version2012) {
				return nil, badShape("Version", "Version must be %q or %q", Version2012, Version2008)
			}
			d.version, d.hasVersion = Version(v.text), true
		case "Id":
			if v.kind != nodeString {
				return nil, badShape("Id", "Id must be a string")
			}
			d.id, d.hasID = v.text, true
		case "Statement":
			if err := d.addStatements(v); err != nil {
				return nil, err
			}
		default:
			return nil, badShape(key, "unknown element %s", strconv.Quote(clip(key)))
		}
	}
	if len(d.statements) == 0 {
		return nil, badShape("Statement", "the policy has no statement")
	}
	return d, nil
}

func (d *document) addStatements(v *node) *shapeError {
	items := []*node{v}
	if v.kind == nodeList {
		items = v.items
	}
	for i, item := range items {
		if item.kind != nodeObject {
			return badShape("Statement", "statement %d is not a JSON object", i+1)
		}
		s, err := buildStatement(item)
		if err != nil {
			err.detail = fmt.Sprintf("statement %d: %s", i+1, err.detail)
			return err
		}
		d.statements = append(d.statements, s)
	}
	return nil
}

func buildStatement(n *node) (*statementNode, *shapeError) {
	s := &statementNode{start: n.start, end: n.end}
	for i, key := range n.keys {
		v := n.items[i]
		var err *shapeError
		switch key {
		case "Sid":
			s.hasSid = true
			s.sid, err = stringOf(key, v)
		case "Effect":
			s.hasEffect = true
			s.effect, err = stringOf(key, v)
		case "Principal", "NotPrincipal":
			if s.principal != nil {
				return nil, badShape(key, "Principal and NotPrincipal exclude each other")
			}
			s.notPrinc = key == "NotPrincipal"
			s.principal, err = buildPrincipal(key, v)
		case "Action", "NotAction":
			if s.hasAction {
				return nil, badShape(key, "Action and NotAction exclude each other")
			}
			s.hasAction, s.notAction = true, key == "NotAction"
			s.actions, err = stringsOf(key, v)
		case "Resource", "NotResource":
			if s.hasRes {
				return nil, badShape(key, "Resource and NotResource exclude each other")
			}
			s.hasRes, s.notRes = true, key == "NotResource"
			s.resources, err = stringsOf(key, v)
		case "Condition":
			s.conditions, err = buildConditions(v)
		default:
			err = badShape(key, "unknown element %s", strconv.Quote(clip(key)))
		}
		if err != nil {
			return nil, err
		}
	}
	return s, nil
}

func buildPrincipal(field string, v *node) (*principalNode, *shapeError) {
	switch v.kind {
	case nodeString:
		return &principalNode{any: true, text: v.text}, nil
	case nodeObject:
		p := &principalNode{}
		for i, kind := range v.keys {
			values, err := stringsOf(field, v.items[i])
			if err != nil {
				return nil, err
			}
			p.groups = append(p.groups, principalGroup{kind, values})
		}
		return p, nil
	}
	return nil, badShape(field, "%s must be an object or \"*\"", field)
}

func buildConditions(v *node) ([]operatorNode, *shapeError) {
	if v.kind != nodeObject {
		return nil, badShape("Condition", "Condition must be an object of operators")
	}
	var out []operatorNode
	for i, name := range v.keys {
		block := v.items[i]
		if block.kind != nodeObject {
			return nil, badShape("Condition", "condition operator %s must hold an object of keys", strconv.Quote(clip(name)))
		}
		if len(block.keys) == 0 {
			continue // AWS accepts an empty block, even of an operator it does not know
		}
		if _, ok := parseOperator(name); !ok {
			return nil, badShape("Condition", "unknown condition operator %s", strconv.Quote(clip(name)))
		}
		op := operatorNode{name: name}
		for j, key := range block.keys {
			values, err := scalarsOf(key, block.items[j])
			if err != nil {
				return nil, err
			}
			op.keys = append(op.keys, conditionNode{key, values})
		}
		out = append(out, op)
	}
	return out, nil
}

func stringOf(field string, v *node) (string, *shapeError) {
	if v.kind != nodeString {
		return "", badShape(field, "%s must be a string", field)
	}
	return v.text, nil
}

func stringsOf(field string, v *node) ([]string, *shapeError) {
	if v.kind == nodeString {
		return []string{v.text}, nil
	}
	if v.kind != nodeList {
		return nil, badShape(field, "%s must be a string or a list of strings", field)
	}
	out := make([]string, 0, len(v.items))
	for _, item := range v.items {
		if item.kind != nodeString {
			return nil, badShape(field, "%s must be a string or a list of strings", field)
		}
		out = append(out, item.text)
	}
	return out, nil
}

// scalarsOf reads condition values: strings, numbers and booleans, quoted or not.
func scalarsOf(key string, v *node) ([]string, *shapeError) {
	items := []*node{v}
	if v.kind == nodeList {
		items = v.items
	}
	out := make([]string, 0, len(items))
	for _, item := range items {
		switch item.kind {
		case nodeString, nodeNumber, nodeBool:
			out = append(out, item.text)
		default:
			return nil, badShape("Condition", "values of condition key %s must be strings, numbers or booleans", strconv.Quote(clip(key)))
		}
	}
	return out, nil
}

// Size is a document's length for IAM's size quotas: characters, white space not counted.
func Size(text string) int {
	n := utf8.RuneCountInString(text)
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ' ', '\t', '\n', '\r':
			n--
		}
	}
	return n
}
