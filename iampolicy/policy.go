package iampolicy

import (
	"strings"
	"unicode/utf8"
)

// Policy is a compiled policy document. It does not change after Parse and may be used by
// any number of goroutines.
type Policy struct {
	kind       Kind
	source     string
	name       string
	doc        *document
	version    Version
	statements []statement  // side by side in memory
	denies     []*statement // the same statements by effect, in document order
	allows     []*statement
}

// statement is one compiled statement.
type statement struct {
	index      int
	sid        string
	deny       bool
	principals *principalSet
	notPrinc   bool
	actions    []actionPattern
	notAction  bool
	resources  []arnPattern // nil in trust policies: the role itself
	notRes     bool
	conditions []*condition
	pinned     bool // has a positive condition on aws:PrincipalArn
	start, end int
}

// Parse reads, validates and compiles a document of the given kind. The error is an
// *Error. Size quotas are the caller's: see Size.
func Parse(text string, kind Kind) (*Policy, error) {
	d, err := parseDocument(text, kind)
	if err != nil {
		return nil, err
	}
	return compile(d, text, kind)
}

func compile(d *document, text string, kind Kind) (*Policy, error) {
	p := &Policy{kind: kind, source: text, doc: d, version: d.version}
	if !d.hasVersion {
		p.version = Version2008
	}
	p.statements = make([]statement, len(d.statements))
	for i, n := range d.statements {
		s := &p.statements[i]
		if err := s.compile(n, i, kind, p.version); err != nil {
			return nil, err
		}
		if s.deny {
			p.denies = append(p.denies, s)
		} else {
			p.allows = append(p.allows, s)
		}
	}
	return p, nil
}

func (s *statement) compile(n *statementNode, index int, kind Kind, version Version) error {
	*s = statement{
		index: index, sid: n.sid, deny: n.effect == string(Deny),
		notAction: n.notAction, notRes: n.notRes, notPrinc: n.notPrinc, start: n.start, end: n.end,
	}
	if kind.hasPrincipal() {
		set, bad := compilePrincipal(n.principal)
		if bad != nil {
			return &Error{Message: bad.message(), Detail: nth(index)}
		}
		s.principals = set
	}
	for _, a := range n.actions {
		s.actions = append(s.actions, compileAction(a))
	}
	place := inIdentity
	if kind.hasPrincipal() {
		place = inResource
	}
	for _, r := range n.resources {
		s.resources = append(s.resources, compileARN(r, version == Version2012, place))
	}
	for _, op := range n.conditions {
		for _, k := range op.keys {
			c := compileCondition(op.name, k, version)
			s.conditions = append(s.conditions, c)
			if equalKey(k.key, KeyPrincipalArn) && c.positive() {
				s.pinned = true
			}
		}
	}
	return nil
}

// positive reports whether the condition needs its key to be present and to fit.
func (c *condition) positive() bool {
	return !c.negated && !c.ifExists && c.set != setAll && c.family != famNull
}

// Kind is the kind that the document was parsed as.
func (p *Policy) Kind() Kind { return p.kind }

// Version is the language version that applies: Version2008 when the document names none.
func (p *Policy) Version() Version { return p.version }

// Source is the document as it was given to Parse.
func (p *Policy) Source() string { return p.source }

// String is the document in canonical JSON; parsing it gives a policy that decides alike.
func (p *Policy) String() string { return p.doc.render() }

// Named returns the policy under a name (a policy's ARN or name) for explanations. The
// compiled form is shared.
func (p *Policy) Named(name string) *Policy {
	q := *p
	q.name = name
	return &q
}

// Name is the name given with Named.
func (p *Policy) Name() string { return p.name }

// StatementInfo describes one statement of a policy.
type StatementInfo struct {
	Sid    string
	Effect Effect
	// Start and End are byte offsets into Source: the statement is Source()[Start:End].
	Start, End int
}

// Statements describes the statements in document order.
func (p *Policy) Statements() []StatementInfo {
	out := make([]StatementInfo, 0, len(p.statements))
	for i := range p.statements {
		s := &p.statements[i]
		out = append(out, StatementInfo{Sid: s.sid, Effect: s.effect(), Start: s.start, End: s.end})
	}
	return out
}

func (s *statement) effect() Effect {
	if s.deny {
		return Deny
	}
	return Allow
}

// ContextKeys lists the condition keys that the policy reads, in conditions and in
// variables, in document order, each once.
func (p *Policy) ContextKeys() []string {
	var out []string
	seen := map[string]bool{}
	add := func(k *contextKey) {
		if lower := foldKey(k.name); !seen[lower] {
			seen[lower] = true
			out = append(out, k.name)
		}
	}
	addPattern := func(q *pattern) {
		for i := range q.vars {
			add(&q.vars[i].key)
		}
	}
	addARN := func(a *arnPattern) {
		for i := range a.fields {
			addPattern(&a.fields[i])
		}
		for i := range a.late {
			if a.late[i].kind == tokVariable {
				add(&a.late[i].key)
			}
		}
	}
	for i := range p.statements {
		s := &p.statements[i]
		for i := range s.resources {
			addARN(&s.resources[i])
		}
		for _, c := range s.conditions {
			add(&c.key)
			for i := range c.strings {
				addPattern(&c.strings[i])
			}
			for i := range c.arns {
				addARN(&c.arns[i])
			}
		}
	}
	return out
}

func foldKey(s string) string {
	b := make([]rune, 0, len(s))
	for _, r := range s {
		b = append(b, foldRune(r))
	}
	return string(b)
}

// Position is the line and the column, in characters, of a byte offset into Source; both count from 1.
func (p *Policy) Position(offset int) (line, column int) {
	before := p.source[:min(max(offset, 0), len(p.source))]
	at := strings.LastIndexByte(before, '\n') + 1
	return 1 + strings.Count(before, "\n"), 1 + utf8.RuneCountInString(before[at:])
}
