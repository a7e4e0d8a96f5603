package iampolicy

import (
	"strings"
	"unicode/utf8"
)

// pattern is compiled policy text that a value is matched against. The common shapes are
// told apart when the policy is compiled; only the rest walks tokens.
type pattern struct {
	shape shape
	fold  bool   // compare without regard to case; only for patterns without wildcards
	head  string // literal before the wildcard, or all of it
	tail  string // literal after the wildcard
	minLn int
	parts []chunk // shapeGeneral: what stands between the stars
	open  bool    // shapeGeneral: begins with a star
	close bool    // shapeGeneral: ends with a star
	vars  []token // shapeGeneral: the variables, in order
}

type shape uint8

const (
	shapeExact    shape = iota
	shapeAny            // *
	shapePrefix         // head*
	shapeSuffix         // *tail
	shapeSurround       // head*tail
	shapeContains       // *head*
	shapeGeneral
)

// chunk is a run of tokens without a star; variables are numbered in vars.
type chunk []token

// compilePattern compiles text in which * and ? are wildcards.
func compilePattern(text string, variables bool) pattern {
	return patternOf(tokenise(text, true, variables))
}

// compileExact compiles text without wildcards.
func compileExact(text string, variables, fold bool) pattern {
	p := patternOf(tokenise(text, false, variables))
	p.fold = fold
	return p
}

func patternOf(toks []token) pattern {
	lit := func(i int) bool { return toks[i].kind == tokLiteral }
	many := func(i int) bool { return toks[i].kind == tokMany }
	switch n := len(toks); {
	case n == 0:
		return pattern{shape: shapeExact}
	case n == 1 && lit(0):
		return pattern{shape: shapeExact, head: toks[0].text}
	case n == 1 && many(0):
		return pattern{shape: shapeAny}
	case n == 2 && lit(0) && many(1):
		return pattern{shape: shapePrefix, head: toks[0].text}
	case n == 2 && many(0) && lit(1):
		return pattern{shape: shapeSuffix, tail: toks[1].text}
	case n == 3 && lit(0) && many(1) && lit(2):
		return pattern{shape: shapeSurround, head: toks[0].text, tail: toks[2].text, minLn: len(toks[0].text) + len(toks[2].text)}
	case n == 3 && many(0) && lit(1) && many(2):
		return pattern{shape: shapeContains, head: toks[1].text}
	}
	p := pattern{shape: shapeGeneral}
	p.open = many(0)
	p.close = many(len(toks) - 1)
	var part chunk
	for _, t := range toks {
		if t.kind == tokMany {
			if len(part) > 0 {
				p.parts = append(p.parts, part)
			}
			part = nil
			continue
		}
		if t.kind == tokVariable {
			p.vars = append(p.vars, t)
		}
		part = append(part, t)
	}
	if len(part) > 0 {
		p.parts = append(p.parts, part)
	}
	return p
}

// match reports whether s matches. known is false when a variable has no value: the
// pattern is then null and matches nothing.
func (p *pattern) match(s string, c *Context) (matched, known bool) {
	switch p.shape {
	case shapeExact:
		if p.fold {
			return equalKey(s, p.head), true
		}
		return s == p.head, true
	case shapeAny:
		return true, true
	case shapePrefix:
		return strings.HasPrefix(s, p.head), true
	case shapeSuffix:
		return strings.HasSuffix(s, p.tail), true
	case shapeSurround:
		return len(s) >= p.minLn && strings.HasPrefix(s, p.head) && strings.HasSuffix(s, p.tail), true
	case shapeContains:
		return strings.Contains(s, p.head), true
	}
	var room [6]string
	values := room[:0]
	for i := range p.vars {
		v, ok := p.vars[i].resolve(c)
		if !ok {
			return false, false
		}
		values = append(values, v)
	}
	return p.general(s, values), true
}

// general matches by chunks: the first and last are anchored unless a star stands outside
// them, and each one between takes its leftmost place, which is never worse than another.
// The time is at most the product of the lengths, whatever the pattern.
func (p *pattern) general(s string, values []string) bool {
	parts := p.parts
	anchored := !p.open && !p.close && len(parts) == 1
	if !p.open {
		rest, used, ok := parts[0].cut(s, values, p.fold)
		if !ok {
			return false
		}
		if anchored {
			return rest == ""
		}
		s, values, parts = rest, values[used:], parts[1:]
	}
	for i, part := range parts {
		if i == len(parts)-1 && !p.close {
			return part.ends(s, values)
		}
		for {
			rest, used, ok := part.cut(s, values, p.fold)
			if ok {
				s, values = rest, values[used:]
				break
			}
			if s == "" {
				return false
			}
			_, n := utf8.DecodeRuneInString(s)
			s = s[n:]
		}
	}
	return true
}

// cut matches the chunk at the start of s and returns what follows it.
func (k chunk) cut(s string, values []string, fold bool) (rest string, used int, ok bool) {
	for i := range k {
		if k[i].kind == tokOne {
			if s == "" {
				return "", 0, false
			}
			_, n := utf8.DecodeRuneInString(s)
			s = s[n:]
			continue
		}
		text := k[i].text
		if k[i].kind == tokVariable {
			text = values[used]
			used++
		}
		if fold {
			s, ok = trimPrefixFold(s, text)
		} else {
			s, ok = strings.CutPrefix(s, text)
		}
		if !ok {
			return "", 0, false
		}
	}
	return s, used, true
}

// ends matches the chunk at the end of s; values holds exactly its variables.
func (k chunk) ends(s string, values []string) bool {
	for i := len(k) - 1; i >= 0; i-- {
		if k[i].kind == tokOne {
			if s == "" {
				return false
			}
			_, n := utf8.DecodeLastRuneInString(s)
			s = s[:len(s)-n]
			continue
		}
		text := k[i].text
		if k[i].kind == tokVariable {
			text = values[len(values)-1]
			values = values[:len(values)-1]
		}
		var ok bool
		if s, ok = strings.CutSuffix(s, text); !ok {
			return false
		}
	}
	return true
}

// hasVariables reports whether matching needs the context.
func (p *pattern) hasVariables() bool { return len(p.vars) > 0 }
