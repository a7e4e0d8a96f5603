package main

import (
	"fmt"
	"slices"
	"strings"
)

// helpWidth is the width of help texts, in characters; helpIndent where the text of a flag begins.
const (
	helpWidth  = 100
	helpIndent = 30
)

// overview prints the commands. It goes to stdout: it is what was asked for.
func (p *program) overview() error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s obtains temporary AWS credentials with an X.509 certificate (IAM Roles Anywhere).\n\nUsage:\n  %s COMMAND [flags]\n\nCommands:\n", p.name, p.name)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-22s %s\n", c.name, c.short)
	}
	fmt.Fprintf(&b, "  %-22s %s\n\n%s COMMAND --help lists the flags of a command.\n", "help", "Explain a command", p.name)
	return p.output([]byte(b.String()))
}

// section is a heading of the help and the flags under it.
type section struct {
	title string
	names []string // the beginnings of flag names; a section without takes what no other has
}

// sections order the flags for a reader; within one they keep the order of the command.
func sections() []section {
	return []section{
		{"What to obtain", []string{flagRole, flagProfileARN, flagAnchor, flagDuration, flagSession}},
		{"Key and certificate", []string{flagCertificate, flagPrivateKey, flagIntermediates}},
		{"Of this command", nil},
		{"Server", []string{flagEndpoint, flagSTS, flagCABundle, flagRegion, flagNoVerify, "with-proxy", flagDebug}},
		{"Choosing one of several certificates", []string{flagCertStore, flagSelector, flagStoreName, flagLatest}},
		{"Tokens and TPM", []string{flagPKCS11Lib, flagReusePIN, flagNoTPMPassword}},
		{"Passwords", []string{flagPassword, flagTPMPassword, flagPIN}},
	}
}

// sectionOf is the index of a flag's section, by the longest beginning that fits: role-arns goes with role-arn.
func sectionOf(name string) int {
	best, length := 2, 0
	for i, s := range sections() {
		for _, n := range s.names {
			if strings.HasPrefix(name, n) && len(n) > length {
				best, length = i, len(n)
			}
		}
	}
	return best
}

// usage prints the help of one command.
func (p *program) usage(c *command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s", c.short, strings.TrimSpace(p.name+" "+c.name+" "+c.args))
	if len(c.flags) > 0 {
		b.WriteString(" [flags]")
	}
	b.WriteString("\n")
	if c.long != "" {
		b.WriteString("\n" + c.long + "\n")
	}
	for i, s := range sections() {
		flags := slices.DeleteFunc(slices.Clone(c.flags), func(f flag) bool { return sectionOf(f.name) != i })
		if len(flags) == 0 {
			continue
		}
		b.WriteString("\n" + s.title + ":\n")
		for _, f := range flags {
			b.WriteString(f.describe())
		}
	}
	return p.output([]byte(b.String()))
}

// describe is the entry of a flag, its text wrapped and indented.
func (f *flag) describe() string {
	head := "  " + strings.TrimSpace("--"+f.name+" "+f.arg)
	text := f.help
	if f.value != "" {
		text += " (default: " + f.value + ")"
	}
	var b strings.Builder
	b.WriteString(head)
	column := len(head)
	if column >= helpIndent-1 { // a long one pushes its text to the right
		b.WriteString(" ")
		column++
	}
	for i, word := range strings.Fields(text) {
		if i > 0 && column+1+len([]rune(word)) > helpWidth {
			b.WriteString("\n")
			column = 0
		}
		if column < helpIndent {
			b.WriteString(strings.Repeat(" ", helpIndent-column))
			column = helpIndent
		} else {
			b.WriteString(" ")
			column++
		}
		b.WriteString(word)
		column += len([]rune(word))
	}
	return b.String() + "\n"
}
