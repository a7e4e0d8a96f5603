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
		Name: "rolecall-ad", Section: 1, Short: "certificates of an Active Directory domain for Linux", Text: root.Long,
		More: []manpage.Section{
			{Title: "Environment", Text: "KRB5_CONFIG, KRB5CCNAME and KRB5_KTNAME name Kerberos' files, SSL_CERT_FILE and SSL_CERT_DIR the trusted CAs. certmonger passes none of them on."},
			{Title: "Exit status", Text: "0, or 1 after an error; as a helper of certmonger as described there."},
		},
		SeeAlso: []string{"getcert 1", "rolecall 1", "rolecalld 8", "samba-gpupdate 8"},
	}
	for _, c := range root.Commands() {
		if c.Runnable() && c.Name() != "help" && c.Name() != "completion" {
			page.Commands = append(page.Commands, manual(c))
		}
	}
	if len(page.Commands) != 4 {
		t.Fatalf("%d commands", len(page.Commands))
	}
	if err := page.Check("../../man/rolecall-ad.1", *updateManual); err != nil {
		t.Error(err)
	}
}

func manual(c *cobra.Command) manpage.Command {
	m := manpage.Command{Name: c.Name(), Short: c.Short, Text: c.Long}
	if c.Example != "" {
		m.Text += "\n\n" + c.Example
	}
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		arg, text := pflag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			text += " (default: " + f.DefValue + ")"
		}
		m.Flags = append(m.Flags, manpage.Flag{Name: f.Name, Arg: strings.TrimSpace(arg), Text: text})
	})
	return m
}
