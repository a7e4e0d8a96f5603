// Package manpage writes manual pages in mdoc(7) from the tables that a program's help comes from, so that the two cannot
// drift apart. Tests of the programs use it to check what lies in the folder man, and to rewrite it; nothing else does.
// Start with [Page.Text].
package manpage

import (
	"fmt"
	"strings"
)

// Date is the date on the pages. It is fixed, so that a build is the same on every day; move it with a release.
const Date = "November 22, 2026"

// Page is a manual page. Texts are plain: paragraphs are separated by empty lines, and lines that begin with two spaces
// are shown as they are.
type Page struct {
	Name     string
	Section  int
	Short    string // one line without a full stop
	Text     string
	Commands []Command
	More     []Section
	SeeAlso  []string // such as "rolecalld 8"
}

// Command is a subcommand.
type Command struct {
	Name  string
	Args  string // placeholders of the synopsis; may be empty
	Short string
	Text  string // may be empty
	Flags []Flag
}

// Flag is a flag with two dashes.
type Flag struct{ Name, Arg, Text string }

// Section is a heading with text.
type Section struct{ Title, Text string }

// Bytes is the page.
func (p *Page) Bytes() []byte {
	var b strings.Builder
	fmt.Fprintf(&b, ".Dd %s\n.Dt %s %d\n.Os\n.Sh NAME\n.Nm %s\n.Nd %s\n.Sh SYNOPSIS\n", Date, strings.ToUpper(p.Name), p.Section, p.Name, macroText(p.Short))
	for _, c := range p.Commands {
		fmt.Fprintf(&b, ".Nm\n.Cm %s\n", c.Name)
		if len(c.Flags) > 0 {
			b.WriteString(".Op Ar flags\n")
		}
		if c.Args != "" {
			fmt.Fprintf(&b, ".Ar %s\n", c.Args)
		}
	}
	if len(p.Commands) == 0 {
		b.WriteString(".Nm\n")
	}
	b.WriteString(".Sh DESCRIPTION\n")
	b.WriteString(text(p.Text))
	if len(p.Commands) > 0 {
		b.WriteString(".Sh COMMANDS\n")
	}
	for _, c := range p.Commands {
		fmt.Fprintf(&b, ".Ss %s\n%s", macroText(c.Name), text(c.Short+"."))
		if body := strings.Trim(c.Text, "\n"); strings.HasPrefix(body, "  ") {
			b.WriteString(text(body))
		} else if body != "" {
			b.WriteString(".Pp\n" + text(body))
		}
		if len(c.Flags) == 0 {
			continue
		}
		b.WriteString(".Bl -tag -width Ds\n")
		for _, f := range c.Flags {
			fmt.Fprintf(&b, ".It Fl \\-%s", strings.ReplaceAll(f.Name, "-", "\\-"))
			if f.Arg != "" {
				fmt.Fprintf(&b, " Ar %s", macroText(f.Arg))
			}
			b.WriteString("\n" + text(f.Text))
		}
		b.WriteString(".El\n")
	}
	for _, s := range p.More {
		fmt.Fprintf(&b, ".Sh %s\n%s", strings.ToUpper(s.Title), text(s.Text))
	}
	if len(p.SeeAlso) > 0 {
		b.WriteString(".Sh SEE ALSO\n")
		for i, s := range p.SeeAlso {
			comma := " ,"
			if i == len(p.SeeAlso)-1 {
				comma = ""
			}
			fmt.Fprintf(&b, ".Xr %s%s\n", s, comma)
		}
	}
	return []byte(b.String())
}

// text writes paragraphs and literal lines.
func text(s string) string {
	var b strings.Builder
	literal, gap := false, false
	for line := range strings.SplitSeq(strings.Trim(s, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			gap = true
			continue
		}
		switch isLiteral := strings.HasPrefix(line, "  "); {
		case isLiteral && !literal:
			b.WriteString(".Bd -literal -offset indent\n")
			literal = true
		case !isLiteral && literal:
			b.WriteString(".Ed\n")
			literal = false
			if gap {
				b.WriteString(".Pp\n")
			}
		case gap && !literal:
			b.WriteString(".Pp\n")
		}
		gap = false
		if !literal {
			line = strings.TrimSpace(line)
		} else {
			line = line[2:]
		}
		if literal {
			b.WriteString(escape(line) + "\n")
			continue
		}
		for sentence := range strings.SplitSeq(strings.ReplaceAll(line, ". ", ".\n"), "\n") { // roff sets the space after a sentence
			b.WriteString(escape(sentence) + "\n")
		}
	}
	if literal {
		b.WriteString(".Ed\n")
	}
	return b.String()
}

// escape keeps a text line from being read as a request, and its characters as they are.
func escape(s string) string {
	s = strings.ReplaceAll(s, `\`, `\e`)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

// macroText keeps words on a macro line from being read as macros.
func macroText(s string) string {
	words := strings.Fields(strings.ReplaceAll(s, `\`, `\e`))
	for i, w := range words {
		if len(w) <= 3 || strings.ContainsAny(w[:1], `.,:;()[]?!|"`) {
			words[i] = `\&` + w
		}
	}
	return strings.Join(words, " ")
}
