package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/keysource/find"
)

// asker asks a person; nil: there is none.
type asker func(question string) (string, error)

// complete finds or asks for what configure needs and has not been given.
func (p *program) complete(ctx context.Context, in *inputs) error {
	ask := p.asker()
	if err := p.completeARNs(ctx, in, ask); err != nil {
		return err
	}
	named := false
	for _, flag := range []string{flagCertificate, flagCertStore, flagSelector, flagStoreName, flagLatest} {
		named = named || in.isSet(flag)
	}
	if !named {
		if err := p.completeIdentity(ctx, in, ask); err != nil {
			return err
		}
	}
	var missing []string
	for _, flag := range []string{flagAnchor, flagProfileARN, flagRole} {
		if in.text(flag) == "" {
			missing = append(missing, "--"+flag)
		}
	}
	if !named && in.text(flagCertificate) == "" && in.text(flagSelector) == "" {
		missing = append(missing, "--"+flagCertificate)
	}
	if len(missing) > 0 {
		return &problem{"missing: " + strings.Join(missing, ", "), "pass them, or start this at a terminal to be asked"}
	}
	return nil
}

// completeIdentity looks for a certificate and its key, tells where, and asks which one or, if there is none, for its name.
func (p *program) completeIdentity(ctx context.Context, in *inputs, ask asker) error {
	found := p.search(ctx, find.Places(find.Config{Getenv: p.getenv, GOOS: runtime.GOOS, Module: in.text(flagPKCS11Lib)}))
	if len(found) > 0 {
		var list []string
		for _, id := range found {
			list = append(list, id.String())
		}
		i, err := choose(ask, "certificate", "name one with --certificate and --private-key, or --cert-selector", list)
		if err != nil {
			return err
		}
		for _, f := range found[i].Flags {
			in.set(f[0], f[1])
		}
		return nil
	}
	if ask == nil {
		return nil
	}
	for _, q := range [][2]string{
		{flagCertificate, "Certificate (file or pkcs11: URI)"},
		{flagPrivateKey, "Private key (file, pkcs11: URI or handle:0x81… of a TPM; empty: with the certificate)"},
	} {
		v, err := ask(q[1])
		if err != nil {
			return err
		}
		if v != "" {
			in.set(q[0], v)
		}
	}
	return nil
}

// search gives what the first place has that has anything, and tells of every place that it has looked into.
func (p *program) search(ctx context.Context, places []find.Place) []find.Identity {
	for _, place := range places {
		list, err := place.Look(ctx)
		switch {
		case err != nil:
			p.tell(place.Name + ": " + err.Error())
		case len(list) == 0:
			p.tell(place.Name + ": no certificate with a key")
		case len(list) == 1:
			p.tell(place.Name + ": found " + list[0].String())
			return list
		default:
			p.tell(fmt.Sprintf("%s: found %d certificates", place.Name, len(list)))
			return list
		}
	}
	return nil
}

func (p *program) tell(text string) { fmt.Fprintf(p.stderr, "%s\n", printable(text)) }

func (in *inputs) set(name, value string) { in.values[name], in.given[name] = value, true }

// choose gives the index of the one that is meant: the only one, or what a person says. Without a person several are an error
// with the list.
func choose(ask asker, what, hint string, list []string) (int, error) {
	if len(list) == 1 {
		return 0, nil
	}
	var b strings.Builder
	for i, text := range list {
		fmt.Fprintf(&b, "%d) %s\n", i+1, printable(text))
	}
	if ask == nil {
		return 0, &problem{fmt.Sprintf("%d %ss could be meant: %s", len(list), what, strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "; ")), hint}
	}
	answer, err := ask(b.String() + "Which " + what)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(answer)
	if err != nil || n < 1 || n > len(list) {
		return 0, &problem{fmt.Sprintf("%q is not one of the numbers", answer), ""}
	}
	return n - 1, nil
}

// asker asks at the terminal; nil: standard input is none.
func (p *program) asker() asker {
	f, ok := p.stdin.(*os.File)
	if !ok || !isTerminal(f) {
		return nil
	}
	lines := bufio.NewReader(io.LimitReader(f, 64<<10))
	return func(question string) (string, error) {
		fmt.Fprintf(p.stderr, "%s: ", question)
		line, err := lines.ReadString('\n')
		if err != nil {
			return "", &problem{"nothing was typed", ""}
		}
		return strings.TrimSpace(line), nil
	}
}

// listTime bounds the questions to the server.
const listTime = 20 * time.Second
