package main

import (
	"flag"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/rolecall/rolecall/internal/manpage"
)

var updateManual = flag.Bool("update", false, "rewrite the manual page")

// The manual page is made of the commands that --help shows; -update rewrites it.
func TestManual(t *testing.T) {
	root := rootCommand(func(string) string { return "" })
	page := &manpage.Page{
		Name: "rolecalld", Section: 8, Short: "IAM Roles Anywhere that you run yourself", Text: root.Long,
		More: []manpage.Section{{Title: "Exit status", Text: "0, or 1 after an error."}}, SeeAlso: []string{"rolecall 1"},
	}
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		if c.Runnable() && c.HasParent() {
			page.Commands = append(page.Commands, manual(c))
		}
	}
	walk(root)
	if len(page.Commands) < 5 {
		t.Fatalf("only %d commands", len(page.Commands))
	}
	if err := page.Check("../../man/rolecalld.8", *updateManual); err != nil {
		t.Error(err)
	}
}

func manual(c *cobra.Command) manpage.Command {
	m := manpage.Command{Name: strings.TrimPrefix(c.CommandPath(), "rolecalld "), Short: c.Short, Text: c.Long}
	if c.Example != "" {
		m.Text += "\n\n" + c.Example
	}
	if _, args, ok := strings.Cut(c.Use, " "); ok {
		m.Args = args
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		arg, text := pflag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			text += " (default: " + f.DefValue + ")"
		}
		m.Flags = append(m.Flags, manpage.Flag{Name: f.Name, Arg: arg, Text: text})
	})
	return m
}
