package main

import (
	"context"
	"os/exec"
	"strings"
	"testing"
)

func script(t *testing.T, shell, name string) string {
	t.Helper()
	var out strings.Builder
	p := &program{name: name, getenv: func(string) string { return "" }, stdout: &out, stderr: &out}
	if err := p.run(context.Background(), []string{"completion", shell}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// bash reads the script and is asked as it asks itself when Tab is pressed.
func TestBashCompletion(t *testing.T) {
	for _, tt := range []struct {
		name, words string // the last word is the one to complete
		want        []string
		not         string
	}{
		{ownName, "rolecall cred", []string{"credential-process"}, "update"},
		{ownName, "rolecall ", []string{"update", "serve", "completion", "help"}, "--role-arn"},
		{ownName, "rolecall update --ro", []string{"--role-arn", "--role-arns", "--role-session-name"}, "--once"},
		{ownName, "rolecall update --on", []string{"--once"}, "--hop-limit"},
		{ownName, "rolecall sign-string --format ", []string{"json", "text", "bin"}, "--digest"},
		{ownName, "rolecall completion ", []string{"bash", "zsh", "fish"}, "--"},
		{ownName, "rolecall serve --certificate completion_t", []string{"completion_test.go"}, "--"},
		{ownName, "rolecall serve --role-arn ", nil, "-"},
		{officialName, "aws_signing_helper vers", []string{"version"}, "update"},
	} {
		words := strings.Split(tt.words, " ")
		ask := script(t, "bash", tt.name) + "\nCOMP_WORDS=(\"$@\")\nCOMP_CWORD=$(($# - 1))\n_" + tt.name + "\nprintf '%s\\n' \"${COMPREPLY[@]}\"\n"
		out, err := exec.Command("bash", append([]string{"--norc", "-euc", ask, "bash"}, words...)...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", tt.words, err, out)
			continue
		}
		got := strings.Fields(string(out))
		for _, want := range tt.want {
			if !strings.Contains("\n"+strings.Join(got, "\n")+"\n", "\n"+want+"\n") {
				t.Errorf("%q: got %q, want %s", tt.words, got, want)
			}
		}
		for _, word := range got {
			if strings.HasPrefix(word, tt.not) {
				t.Errorf("%q: %s does not belong there", tt.words, word)
			}
		}
	}
}

// The scripts of all shells have every command and flag, with quotes in pairs.
func TestCompletionIsComplete(t *testing.T) {
	for shell, prefix := range map[string]string{"bash": "--", "zsh": "--", "fish": "-l "} {
		text := script(t, shell, ownName)
		for _, c := range commands() {
			if !strings.Contains(text, c.name) {
				t.Errorf("%s: no command %s", shell, c.name)
			}
			for _, f := range c.flags {
				if !strings.Contains(text, prefix+f.name) {
					t.Errorf("%s: no flag %s of %s", shell, f.name, c.name)
				}
			}
		}
		plain := strings.NewReplacer(`'\''`, "", `\'`, "").Replace(text)
		for i, line := range strings.Split(plain, "\n") {
			if strings.Count(line, "'")%2 != 0 {
				t.Errorf("%s: line %d has an open quote: %s", shell, i+1, line)
			}
		}
	}
	var out strings.Builder
	p := &program{name: ownName, stdout: &out, stderr: &out}
	for _, args := range [][]string{{"completion"}, {"completion", "tcsh"}, {"completion", "bash", "zsh"}} {
		if err := p.run(context.Background(), args); err == nil || !strings.Contains(err.Error(), "bash, zsh or fish") {
			t.Errorf("%v: %v", args, err)
		}
	}
}
