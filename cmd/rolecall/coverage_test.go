package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var scriptFlag = regexp.MustCompile(`(?:^|\s)--([a-z0-9-]+)`)

// scripted are the flags that a line of a script gives to commands.
func scripted(line string) (commands, flags []string) {
	words := strings.Fields(line)
	for len(words) > 0 && (words[0] == "!" || strings.HasPrefix(words[0], "[")) { // conditions
		words = words[1:]
	}
	if len(words) < 2 {
		return nil, nil
	}
	switch line := strings.Join(words[1:], " "); words[0] {
	case "exec":
		for i, w := range words {
			if (w == ownName || strings.HasSuffix(w, "'"+ownName) || w == officialName) && i+1 < len(words) {
				return []string{words[i+1]}, flagsOf(line)
			}
		}
	case "session":
		flags = flagsOf(line)
		return []string{"credential-process"}, append(flags, flagRole, flagProfileARN, flagAnchor)
	case "run":
		return words[1:2], append(flagsOf(line), flagRole, flagProfileARN, flagAnchor, flagEndpoint)
	case "broken":
		return []string{"doctor"}, append(flagsOf(line), flagRole, flagProfileARN, flagAnchor, flagEndpoint)
	case "each":
		commands = sessionCommands()
		if words[1] == "-not" {
			commands = slices.DeleteFunc(commands, func(c string) bool { return slices.Contains(strings.Split(words[2], ","), c) })
		}
		return commands, append(flagsOf(line), flagRole, flagProfileARN, flagAnchor, flagEndpoint)
	}
	return nil, nil
}

func flagsOf(line string) (flags []string) {
	for _, m := range scriptFlag.FindAllStringSubmatch(line, -1) {
		flags = append(flags, m[1])
	}
	return flags
}

// Every flag of every command is given to the built program by a script.
func TestEveryFlagHasAScript(t *testing.T) {
	scripts, err := filepath.Glob("testdata/script*/*.txtar")
	if err != nil || len(scripts) < 20 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	given := map[string]bool{}
	for _, path := range scripts {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "-- ") { // the files
				break
			}
			commands, flags := scripted(line)
			for _, c := range commands {
				for _, f := range flags {
					given[c+" "+f] = true
				}
			}
		}
	}
	for _, c := range commands() {
		for _, f := range c.flags {
			if !given[c.name+" "+f.name] {
				t.Errorf("no script gives --%s to %s", f.name, c.name)
			}
		}
	}
}

func TestScripted(t *testing.T) {
	for line, want := range map[string]string{
		"exec rolecall update --once --endpoint=x":   "update: once endpoint",
		"[linux] ! exec rolecall serve a --port 0":   "serve: port",
		"each -not serve,doctor 'a --b' --debug":     "credential-process update configure: b debug role-arn profile-arn trust-anchor-arn endpoint",
		"# exec rolecall update --once":              ":",
		"exec sh -c 'rolecall enroll --daemon & x'":  "enroll: daemon",
		"session /ok --no-cache":                     "credential-process: no-cache role-arn profile-arn trust-anchor-arn",
		"stderr 'rolecall update --once is --useful": ":",
	} {
		commands, flags := scripted(line)
		if got := strings.Join(commands, " ") + ": " + strings.Join(flags, " "); strings.TrimSpace(got) != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

// Each check of the doctor is broken by a script, and nothing but it, and is explained in the documentation.
func TestEveryCheckIsBroken(t *testing.T) {
	var source, script, page []byte
	sources, err := filepath.Glob("doctor*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(sources, "testdata/script/doctor-each.txtar", "../../docs/client.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case strings.HasSuffix(path, ".txtar"):
			script = text
		case strings.HasSuffix(path, ".md"):
			page = text
		case !strings.HasSuffix(path, "_test.go"):
			source = append(source, text...)
		}
	}
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile(`x\.(?:add|fail)\("([a-z]+)"`).FindAllSubmatch(source, -1) {
		check := string(m[1])
		if seen[check] {
			continue
		}
		seen[check] = true
		if !regexp.MustCompile(`(?m)^broken '` + check + `  `).Match(script) {
			t.Errorf("no script breaks %q alone", check)
		}
		if !strings.Contains(string(page), "`"+check+"`") {
			t.Errorf("docs/client.md does not explain the check %q", check)
		}
	}
	if len(seen) < 15 {
		t.Errorf("%d checks: %v", len(seen), seen)
	}
}
