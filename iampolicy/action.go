package iampolicy

import "strings"

// actionPattern matches "service:Name" without regard to case; * and ? may stand anywhere
// in the name. The text is lower-cased once, when the policy is compiled.
type actionPattern struct {
	shape shape // exact, any, prefix or general
	text  string
}

func compileAction(text string) actionPattern {
	text = lowerText(text)
	switch i := strings.IndexAny(text, "*?"); {
	case i < 0:
		return actionPattern{shapeExact, text}
	case text == "*" || text == "*:*":
		return actionPattern{shape: shapeAny}
	case i == len(text)-1 && text[i] == '*':
		return actionPattern{shapePrefix, text[:i]}
	}
	return actionPattern{shapeGeneral, text}
}

// maxAction is the longest action in bytes that is evaluated; AWS's longest are about half
// as long. A longer one is never allowed.
const maxAction = 128

// loweredAction is the requested action, lower-cased once for a whole evaluation.
type loweredAction struct {
	room [maxAction]byte
	n    int
}

// set fails when the action is too long.
func (a *loweredAction) set(action string) bool {
	if len(action) > maxAction {
		return false
	}
	a.n = len(action)
	for i := 0; i < len(action); i++ {
		a.room[i] = lowerASCII(action[i])
	}
	return true
}

func (p *actionPattern) match(a *loweredAction) bool {
	text := p.text
	switch {
	case p.shape == shapeAny:
		return true
	case p.shape == shapeExact:
		return a.n == len(text) && string(a.room[:a.n]) == text
	case p.shape == shapePrefix:
		return a.n >= len(text) && string(a.room[:len(text)]) == text
	}
	return globBytes(text, a.room[:a.n])
}

// globBytes matches s against a pattern with * and ?. It goes back only to the last star, so the time is at most the product of the lengths.
func globBytes(pattern string, s []byte) bool {
	p, i, star, mark := 0, 0, -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// lowerText lower-cases ASCII letters only, as actions are compared.
func lowerText(s string) string {
	b := []byte(s)
	for i, c := range b {
		b[i] = lowerASCII(c)
	}
	return string(b)
}
