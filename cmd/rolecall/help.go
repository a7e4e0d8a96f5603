package main

import (
	"fmt"
	"strings"
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

// usage prints the help of one command.
func (p *program) usage(c *command) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\nUsage:\n  %s %s", c.short, p.name, c.name)
	if len(c.flags) > 0 {
		b.WriteString(" [flags]")
	}
	b.WriteString("\n")
	if c.long != "" {
		b.WriteString("\n" + c.long + "\n")
	}
	if len(c.flags) > 0 {
		b.WriteString("\nFlags:\n")
	}
	for _, f := range c.flags {
		fmt.Fprintf(&b, "  %-36s %s", strings.TrimSpace("--"+f.name+" "+f.arg), f.help)
		if f.value != "" {
			fmt.Fprintf(&b, " (default: %s)", f.value)
		}
		b.WriteString("\n")
	}
	return p.output([]byte(b.String()))
}
