package main

import (
	"flag"
	"testing"

	"github.com/rolecall/rolecall/internal/manpage"
)

var updateManual = flag.Bool("update", false, "rewrite the manual page")

func TestManual(t *testing.T) {
	page := &manpage.Page{
		Name: "rolecall-pkcs11", Section: 1, Short: "signs with keys on PKCS#11 tokens for rolecall",
		Text: `rolecall starts this program when a pkcs11: URI names the key, and speaks with it over pipes. It loads the module of the token,
which rolecall, built without cgo, cannot. It takes no arguments but --version, and is of no use by hand.

It must lie beside rolecall or on PATH.`,
		SeeAlso: []string{"rolecall 1"},
	}
	if err := page.Check("../../man/rolecall-pkcs11.1", *updateManual); err != nil {
		t.Error(err)
	}
}
