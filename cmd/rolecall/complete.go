package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/file"
)

// complete finds or asks for what configure needs and has not been given.
func (p *program) complete(ctx context.Context, in *inputs) error {
	ask := p.asker()
	for _, flag := range []string{flagAnchor, flagProfileARN, flagRole} {
		if in.text(flag) == "" && ask != nil {
			v, err := ask(map[string]string{flagAnchor: "Trust anchor ARN", flagProfileARN: "Profile ARN", flagRole: "Role ARN"}[flag])
			if err != nil {
				return err
			}
			in.set(flag, v)
		}
	}
	named := false
	for _, flag := range []string{flagCertificate, flagCertStore, flagSelector, flagStoreName, flagLatest} {
		named = named || in.isSet(flag)
	}
	var found []file.Pair
	if !named {
		found = p.identities(ctx)
		if len(found) > 0 {
			chosen := found[0]
			if len(found) > 1 {
				i, err := choose(ask, found)
				if err != nil {
					return err
				}
				chosen = found[i]
			}
			in.set(flagCertificate, chosen.Where)
			if chosen.Key != chosen.Where {
				in.set(flagPrivateKey, chosen.Key)
			}
		} else if ask != nil {
			for _, flag := range []string{flagCertificate, flagPrivateKey} {
				v, err := ask(map[string]string{flagCertificate: "Certificate (file or pkcs11: URI)", flagPrivateKey: "Private key (empty: with the certificate)"}[flag])
				if err != nil {
					return err
				}
				if v != "" {
					in.set(flag, v)
				}
			}
		}
	}
	var missing []string
	for _, flag := range []string{flagAnchor, flagProfileARN, flagRole} {
		if in.text(flag) == "" {
			missing = append(missing, "--"+flag)
		}
	}
	if !named && in.text(flagCertificate) == "" {
		missing = append(missing, "--"+flagCertificate)
	}
	if len(missing) > 0 {
		return &problem{"missing: " + strings.Join(missing, ", "), "pass them, or start this at a terminal to be asked"}
	}
	return nil
}

func (in *inputs) set(name, value string) { in.values[name], in.given[name] = value, true }

// identityFolders are where certificates are looked for, in order. Folders in them count as well.
func (p *program) identityFolders() []string {
	var list []string
	if dir := p.getenv("XDG_CONFIG_HOME"); dir != "" {
		list = append(list, filepath.Join(dir, ownName))
	}
	for _, name := range []string{"HOME", "USERPROFILE"} {
		if home := p.getenv(name); home != "" {
			list = append(list, filepath.Join(home, ".config", ownName), filepath.Join(home, "."+ownName))
		}
	}
	for _, name := range []string{"APPDATA", "LOCALAPPDATA", "PROGRAMDATA"} {
		if dir := p.getenv(name); dir != "" {
			list = append(list, filepath.Join(dir, ownName))
		}
	}
	return append(list, "/etc/rolecall")
}

// maxFolders bounds the folders that are looked into.
const maxFolders = 64

// identities are the usable certificates with keys in the first folder that has any. What cannot be read is passed over.
func (p *program) identities(ctx context.Context) []file.Pair {
	looked := 0
	for _, dir := range p.identityFolders() {
		dirs := []string{dir}
		entries, _ := os.ReadDir(dir) // none: there is nothing to find
		for _, e := range entries {
			if e.IsDir() {
				dirs = append(dirs, filepath.Join(dir, e.Name()))
			}
		}
		var usable []file.Pair
		for _, d := range dirs {
			if looked++; looked > maxFolders {
				break
			}
			pairs, err := (&file.Store{Path: d}).Pairs(ctx)
			if err != nil {
				continue
			}
			for _, c := range pairs {
				if !c.Certificate.IsCA && keysource.Validity(c.Certificate, time.Now()) == "" {
					usable = append(usable, c)
				}
			}
		}
		if len(usable) > 0 {
			return usable
		}
	}
	return nil
}

func choose(ask func(string) (string, error), found []file.Pair) (int, error) {
	var b strings.Builder
	for i, c := range found {
		fmt.Fprintf(&b, "%d) %s\n", i+1, printable(c.String()))
	}
	if ask == nil {
		return 0, &problem{fmt.Sprintf("%d certificates could be meant: %s", len(found), strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "; ")), "name one with --certificate and --private-key"}
	}
	answer, err := ask(b.String() + "Which certificate")
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(answer)
	if err != nil || n < 1 || n > len(found) {
		return 0, &problem{fmt.Sprintf("%q is not one of the numbers", answer), ""}
	}
	return n - 1, nil
}

// asker asks at the terminal; nil: standard input is none.
func (p *program) asker() func(string) (string, error) {
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
