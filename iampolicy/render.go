package iampolicy

import (
	"cmp"
	"slices"
	"unicode/utf8"
)

// render writes the canonical form: no white space, elements in the grammar's order,
// condition operators and keys sorted, one-element lists as strings.
func (d *document) render() string {
	b := []byte{'{'}
	if d.hasVersion {
		b = append(b, `"Version":`...)
		b = append(appendQuoted(b, string(d.version)), ',')
	}
	if d.hasID {
		b = append(b, `"Id":`...)
		b = append(appendQuoted(b, d.id), ',')
	}
	b = append(b, `"Statement":[`...)
	for i, s := range d.statements {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.append(b)
	}
	return string(append(b, ']', '}'))
}

func (s *statementNode) append(b []byte) []byte {
	b = append(b, '{')
	if s.hasSid {
		b = append(b, `"Sid":`...)
		b = append(appendQuoted(b, s.sid), ',')
	}
	b = append(b, `"Effect":`...)
	b = appendQuoted(b, s.effect)
	if s.principal != nil {
		b = appendElement(b, "Principal", s.notPrinc)
		b = s.principal.append(b)
	}
	b = appendElement(b, "Action", s.notAction)
	b = appendList(b, s.actions)
	if s.hasRes {
		b = appendElement(b, "Resource", s.notRes)
		b = appendList(b, s.resources)
	}
	if len(s.conditions) > 0 {
		b = append(b, `,"Condition":{`...)
		ops := slices.SortedFunc(slices.Values(s.conditions), func(x, y operatorNode) int { return cmp.Compare(x.name, y.name) })
		for i, op := range ops {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendQuoted(b, op.name), ':', '{')
			keys := slices.SortedFunc(slices.Values(op.keys), func(x, y conditionNode) int { return cmp.Compare(x.key, y.key) })
			for j, k := range keys {
				if j > 0 {
					b = append(b, ',')
				}
				b = append(appendQuoted(b, k.key), ':')
				b = appendList(b, k.values)
			}
			b = append(b, '}')
		}
		b = append(b, '}')
	}
	return append(b, '}')
}

func (p *principalNode) append(b []byte) []byte {
	if p.any {
		return appendQuoted(b, p.text)
	}
	b = append(b, '{')
	groups := slices.SortedFunc(slices.Values(p.groups), func(x, y principalGroup) int { return cmp.Compare(x.kind, y.kind) })
	for i, g := range groups {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, g.kind), ':')
		b = appendList(b, g.values)
	}
	return append(b, '}')
}

func appendElement(b []byte, name string, not bool) []byte {
	b = append(b, ',', '"')
	if not {
		b = append(b, "Not"...)
	}
	b = append(b, name...)
	return append(b, '"', ':')
}

func appendList(b []byte, values []string) []byte {
	if len(values) == 1 {
		return appendQuoted(b, values[0])
	}
	b = append(b, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, v)
	}
	return append(b, ']')
}

func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < 0x20 || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
