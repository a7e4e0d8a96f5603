package iampolicy

import "strings"

// arnFields is the number of colon-separated components of an ARN:
// arn:partition:service:region:account:resource.
const arnFields = 6

// splitARN cuts an ARN into its components; the last keeps its colons.
func splitARN(s string) (fields [arnFields]string, ok bool) {
	for i := range arnFields - 1 {
		j := strings.IndexByte(s, ':')
		if j < 0 {
			return fields, false
		}
		fields[i], s = s[:j], s[j+1:]
	}
	fields[arnFields-1] = s
	return fields, true
}

// target is the requested resource, cut once for a whole evaluation.
type target struct {
	text   string
	fields [arnFields]string
	isARN  bool
}

func (t *target) set(s string) {
	t.text = s
	t.fields, t.isARN = splitARN(s)
}

// arnPattern matches an ARN component by component, so that a wildcard in one component
// never reaches into the next.
type arnPattern struct {
	any    bool      // "*"
	lead   string    // literal components joined by colons, compared at once
	nlead  int       // how many components lead covers
	fields []pattern // the components after lead
	late   []token   // a variable stands where components could begin: split when matched
	wide   *pattern  // the whole text, where a star before the last component could reach beyond it
}

// arnPlace is where an ARN pattern stands, which decides about variables and about
// patterns of fewer than six components.
type arnPlace uint8

const (
	// In the Resource element of policies without principals AWS reads missing components
	// as "*"; variables may stand only after the fifth colon.
	inIdentity arnPlace = iota
	// In that of resource-based policies a short pattern must end in a star, which then
	// stands for all that is missing.
	inResource
	// In a condition the same holds, and variables may stand anywhere.
	inCondition
)

// compileARN compiles a pattern for its place.
func compileARN(text string, variables bool, place arnPlace) arnPattern {
	if text == "*" {
		return arnPattern{any: true}
	}
	if variables && place == inCondition {
		toks := tokenise(text, true, true)
		if a, ok := arnFromTokens(toks); ok {
			return a
		}
		return arnPattern{late: toks}
	}
	var a arnPattern
	parts := strings.SplitN(text, ":", arnFields)
	for i, part := range parts {
		a.fields = append(a.fields, compilePattern(part, variables && i == arnFields-1))
	}
	a.finish(place == inIdentity)
	if place != inCondition {
		for _, part := range parts[:min(len(parts), arnFields-1)] {
			if strings.HasSuffix(part, "*") {
				p := compilePattern(text, variables)
				a.wide = &p
			}
		}
	}
	return a
}

// arnFromTokens splits tokens at literal colons. It fails when a variable stands where its
// value could add components.
func arnFromTokens(toks []token) (arnPattern, bool) {
	fields := splitTokens(toks)
	for i, f := range fields {
		if i == len(fields)-1 && i == arnFields-1 {
			break
		}
		for _, t := range f {
			if t.kind == tokVariable {
				return arnPattern{}, false
			}
		}
	}
	var a arnPattern
	for _, f := range fields {
		a.fields = append(a.fields, patternOf(f))
	}
	a.finish(false)
	return a, true
}

// splitTokens cuts a token list at the first five colons of its literals.
func splitTokens(toks []token) [][]token {
	fields := [][]token{nil}
	for _, t := range toks {
		if t.kind != tokLiteral {
			last := len(fields) - 1
			fields[last] = append(fields[last], t)
			continue
		}
		text := t.text
		for len(fields) < arnFields {
			before, after, found := strings.Cut(text, ":")
			if !found {
				break
			}
			if before != "" {
				last := len(fields) - 1
				fields[last] = append(fields[last], token{kind: tokLiteral, text: before})
			}
			fields = append(fields, nil)
			text = after
		}
		if text != "" {
			last := len(fields) - 1
			fields[last] = append(fields[last], token{kind: tokLiteral, text: text})
		}
	}
	return fields
}

// finish fills in missing components, always or for a trailing star; without them the
// pattern matches nothing.
func (a *arnPattern) finish(pad bool) {
	n := len(a.fields)
	if n < arnFields {
		last := &a.fields[n-1]
		open := last.shape == shapeAny || last.shape == shapePrefix || last.shape == shapeContains || (last.shape == shapeGeneral && last.close)
		if !open && !pad {
			a.fields = nil
			return
		}
		for len(a.fields) < arnFields {
			a.fields = append(a.fields, pattern{shape: shapeAny})
		}
	}
	for a.nlead < arnFields-1 && a.fields[a.nlead].shape == shapeExact {
		a.lead += a.fields[a.nlead].head + ":"
		a.nlead++
	}
	a.fields = a.fields[a.nlead:]
}

func (a *arnPattern) match(t *target, c *Context) (matched, known bool) {
	switch {
	case a.any:
		return true, true
	case !t.isARN:
		return false, true
	case a.late != nil:
		return a.matchLate(t, c)
	case a.fields == nil || !strings.HasPrefix(t.text, a.lead):
		return false, true
	}
	for i := range a.fields {
		matched, known = a.fields[i].match(t.fields[a.nlead+i], c)
		if !matched {
			return false, known
		}
	}
	return true, true
}

// matchWide lets a star that ends a component of a Resource element stand for colons as well. AWS says that it can (IAM
// User Guide, "IAM JSON policy elements: Resource"), other implementations that it does not.
func (a *arnPattern) matchWide(t *target, c *Context) (matched, known bool) {
	if !t.isARN {
		return false, true
	}
	return a.wide.match(t.text, c)
}

// matchLate puts the values in first and splits afterwards; wildcards in them stay literal.
func (a *arnPattern) matchLate(t *target, c *Context) (matched, known bool) {
	toks := make([]token, 0, len(a.late))
	for i := range a.late {
		k := a.late[i]
		if k.kind == tokVariable {
			v, ok := k.resolve(c)
			if !ok {
				return false, false
			}
			k = token{kind: tokLiteral, text: v}
		}
		toks = append(toks, k)
	}
	now, _ := arnFromTokens(mergeLiterals(toks))
	return now.match(t, c)
}

func mergeLiterals(toks []token) []token {
	out := toks[:0]
	for _, t := range toks {
		if n := len(out); n > 0 && t.kind == tokLiteral && out[n-1].kind == tokLiteral {
			out[n-1].text += t.text
			continue
		}
		out = append(out, t)
	}
	return out
}
