package wire

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"sort"
	"strings"
	"sync"
	"unicode/utf8"
)

// Pattern is a compiled constraint of a model. The zero value matches everything.
type Pattern struct {
	ranges []rune // pairs: the whole pattern is one character class, repeated
	ascii  [2]uint64
	empty  bool                  // a class pattern that also takes the empty string
	re     func() *regexp.Regexp // compiled at its first use: most patterns of a model never meet a value
}

// patterns remembers what CompilePattern returned: models use the same few patterns hundreds of times.
var patterns sync.Map // of string to *Pattern

// javaOnly replaces patterns with constructs that RE2 lacks. Each replacement is equivalent together with the length
// limits that the models set beside it.
var javaOnly = map[string]string{
	// Letters and digits, single dashes between them; 3..63 characters.
	`^[a-z0-9]([a-z0-9]|-(?!-)){1,61}[a-z0-9]$`: `[a-z0-9]+(-[a-z0-9]+)*`,
	// Printable ASCII but \ ' + , ; < = > # ", and not spaces only.
	`^(?!^\s+$)((?![\x5c'\x2b,;<=>#\x22])([\x20-\x7E]))+$`: ` *[!$-&(-*\--:?-\[\]-~][ !$-&(-*\--:?-\[\]-~]*`,
}

// CompilePattern translates a model's Java pattern. The whole value has to match, as with Java's matches().
func CompilePattern(java string) (*Pattern, error) {
	if p, ok := patterns.Load(java); ok {
		return p.(*Pattern), nil
	}
	p, err := compilePattern(java)
	if err != nil {
		return nil, err
	}
	shared, _ := patterns.LoadOrStore(java, p)
	return shared.(*Pattern), nil
}

func compilePattern(java string) (*Pattern, error) {
	text, ok := javaOnly[java]
	if !ok {
		text = translate(java)
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("pattern %q: %w", java, err)
	}
	if (tree.Op == syntax.OpStar || tree.Op == syntax.OpPlus) && tree.Sub[0].Op == syntax.OpCharClass && tree.Flags&syntax.FoldCase == 0 {
		return classPattern(tree.Sub[0].Rune, tree.Op == syntax.OpStar), nil
	}
	return &Pattern{re: sync.OnceValue(func() *regexp.Regexp {
		re, err := regexp.Compile(`\A(?:` + text + `)\z`)
		if err != nil {
			return nil // it parsed, so it can only be too large: then nothing matches
		}
		return re
	})}, nil
}

// Usable reports whether the pattern can match at all: one that is too large for the engine refuses every value.
func (p *Pattern) Usable() bool { return p.re == nil || p.re() != nil }

func classPattern(ranges []rune, empty bool) *Pattern {
	p := &Pattern{ranges: ranges, empty: empty}
	for i := 0; i < len(ranges); i += 2 {
		for r := ranges[i]; r <= ranges[i+1] && r < utf8.RuneSelf; r++ {
			p.ascii[r>>6] |= 1 << (r & 63)
		}
	}
	return p
}

// Match reports whether the whole of s satisfies the pattern.
func (p *Pattern) Match(s string) bool {
	if p.re != nil {
		re := p.re()
		return re != nil && re.MatchString(s)
	}
	if s == "" {
		return p.empty || p.ranges == nil
	}
	if p.ranges == nil {
		return true
	}
	for _, r := range s {
		if r < utf8.RuneSelf {
			if p.ascii[r>>6]&(1<<(r&63)) == 0 {
				return false
			}
		} else if !p.inRanges(r) {
			return false
		}
	}
	return true
}

func (p *Pattern) inRanges(r rune) bool {
	i := sort.Search(len(p.ranges)/2, func(i int) bool { return p.ranges[2*i+1] >= r })
	return i < len(p.ranges)/2 && p.ranges[2*i] <= r
}

// translate rewrites what Java and RE2 spell differently: \uXXXX, and the line ends that a dot leaves out.
func translate(java string) string {
	var b strings.Builder
	class := false
	for i := 0; i < len(java); i++ {
		c := java[i]
		switch {
		case c == '\\' && i+5 < len(java) && java[i+1] == 'u':
			n := 4
			// The models write supplementary code points with five or six digits.
			if strings.HasPrefix(java[i+2:], "10000") {
				n = 5
			} else if strings.HasPrefix(java[i+2:], "10FFFF") {
				n = 6
			}
			b.WriteString(`\x{` + java[i+2:i+2+n] + `}`)
			i += 1 + n
		case c == '\\' && i+1 < len(java):
			b.WriteString(java[i : i+2])
			i++
		case c == '[':
			class = true
			b.WriteByte(c)
		case c == ']':
			class = false
			b.WriteByte(c)
		case c == '.' && !class:
			b.WriteString(`[^\n\r\x{85}\x{2028}\x{2029}]`)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
