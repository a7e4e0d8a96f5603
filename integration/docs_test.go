package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const testMarker = "<!-- test -->"

// printedMarker stands above a block that shows what a file contains at this point, "…" standing for anything.
var printedMarker = regexp.MustCompile(`^<!-- printed: (\S+) -->$`)

// script is one fenced block of a document that is marked as a test.
type script struct {
	line    int // of the fence
	text    string
	printed string // the file whose contents the text shows; "" for commands
}

// scripts finds the `sh` blocks directly below a marker, and the `text` and `json` blocks below one for what was printed. A
// marker above anything else is an error: it would look tested.
func scripts(markdown string) (found []script, err error) {
	lines := strings.Split(strings.ReplaceAll(markdown, "\r\n", "\n"), "\n")
	fenced := false
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		printed := ""
		if m := printedMarker.FindStringSubmatch(line); m != nil {
			printed = m[1]
		}
		if fenced || line != testMarker && printed == "" {
			continue
		}
		fence := ""
		if i+1 < len(lines) {
			fence = strings.TrimSpace(lines[i+1])
		}
		if printed == "" && fence != "```sh" || printed != "" && fence != "```text" && fence != "```json" {
			return nil, fmt.Errorf("line %d: the marker is not directly above a block of sh, text or json", i+1)
		}
		end := i + 2
		for end < len(lines) && strings.TrimSpace(lines[end]) != "```" {
			end++
		}
		if end == len(lines) {
			return nil, fmt.Errorf("line %d: the block does not end", i+2)
		}
		found = append(found, script{i + 2, strings.Join(lines[i+2:end], "\n") + "\n", printed})
		i = end
	}
	return found, nil
}

func TestScriptsAreFound(t *testing.T) {
	const fence = "```"
	text := "# T\n\n" + testMarker + "\n" + fence + "sh\necho one\n\necho two\n" + fence + "\n\n" + fence + "sh\nexit 1\n" + fence + "\n" + testMarker + "\n" + fence + "sh\ntrue\n" + fence + "\n" +
		fence + "\n" + testMarker + "\n" + fence + "\n"
	found, err := scripts(text)
	if err != nil || len(found) != 2 || found[0] != (script{4, "echo one\n\necho two\n", ""}) || found[1].text != "true\n" {
		t.Errorf("found %+v, %v", found, err)
	}
	const shown = "<!-- printed: out.txt -->"
	found, err = scripts(shown + "\n" + fence + "text\na\n" + fence + "\n" + fence + "\n" + shown + "\n" + fence + "\n")
	if err != nil || len(found) != 1 || found[0] != (script{2, "a\n", "out.txt"}) {
		t.Errorf("found %+v, %v", found, err)
	}
	for _, bad := range []string{testMarker, shown, shown + "\n" + fence + "sh\ntrue\n" + fence, testMarker + "\n\n" + fence + "sh\ntrue\n" + fence, testMarker + "\n" + fence + "go\n" + fence, testMarker + "\n" + fence + "sh\ntrue\n"} {
		if found, err := scripts(bad); err == nil {
			t.Errorf("%q: found %+v", bad, found)
		}
	}
}

// What the documents tell people to type works. The blocks of one document are one session, as a reader's terminal is: they
// run in one shell, one after the other, in an empty folder with the programs on PATH and in bin/.
func TestDocumentedCommands(t *testing.T) {
	documents := append([]string{"../README.md"}, must(filepath.Glob("../docs/*.md"))(t)...)
	for _, path := range documents {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		found, err := scripts(string(text))
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if len(found) == 0 {
			continue
		}
		t.Run(filepath.Base(path), func(t *testing.T) { runDocument(t, filepath.Base(path), found) })
	}
}

// runDocument runs the commands of a document and compares what it says was printed.
func runDocument(t *testing.T, name string, found []script) {
	t.Helper()
	kept := t.TempDir()
	var session strings.Builder
	for i, s := range found {
		fmt.Fprintf(&session, "echo '## %s:%d'\n", name, s.line)
		if s.printed == "" {
			session.WriteString(s.text)
		} else {
			fmt.Fprintf(&session, "cp %s '%s/%d'\n", s.printed, kept, i)
		}
	}
	runScript(t, session.String())
	for i, s := range found {
		if s.printed == "" || t.Failed() {
			continue
		}
		if got := string(must(os.ReadFile(filepath.Join(kept, strconv.Itoa(i))))(t)); !shows(s.text, got) {
			t.Errorf("%s:%d: %s contains\n%s\nand the page shows\n%s", name, s.line, s.printed, got, s.text)
		}
	}
}

// shows reports whether a block shows a text: letter for letter but for space at its ends, "…" standing for anything.
func shows(block, text string) bool {
	parts := strings.Split(strings.TrimSpace(block), "…")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	return regexp.MustCompile(`(?s)^` + strings.Join(parts, ".*") + `$`).MatchString(strings.TrimSpace(text))
}

func TestShownIsPrinted(t *testing.T) {
	for _, c := range []struct {
		block, text string
		want        bool
	}{
		{"a\nb\n", "a\nb", true},
		{"a.b\n", "axb\n", false},
		{"a…b\n", "\na 1\n2 b\n", true},
		{"a…\n", "b a", false},
		{"a\n", "a\nb\n", false},
		{"", "a", false},
	} {
		if got := shows(c.block, c.text); got != c.want {
			t.Errorf("%q shows %q: %t", c.block, c.text, got)
		}
	}
}

const scriptTimeout = 3 * time.Minute

// runScript runs text as a person pastes it, stopping at the first failure. What it leaves running is ended with it.
func runScript(t *testing.T, text string) {
	t.Helper()
	work, home := t.TempDir(), t.TempDir()
	bin := filepath.Dir(gatewayProgram(t)) // with rolecalld and rolecall
	if err := os.Symlink(bin, filepath.Join(work, "bin")); err != nil {
		t.Fatal(err)
	}
	path := bin + string(filepath.ListSeparator) + os.Getenv("PATH")
	if strings.Contains(text, "--hsm-module") {
		path = companion(t) + string(filepath.ListSeparator) + path
	}
	cmd := exec.Command("sh", "-eu", "-c", text)
	var out output
	cmd.Dir, cmd.Stdout, cmd.Stderr = work, &out, &out
	cmd.Env = append(environment(home, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true"), "PATH="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // a server left in the background holds the pipes
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end := func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	timeout := time.AfterFunc(scriptTimeout, end)
	state, err := cmd.Process.Wait()
	timeout.Stop()
	end()
	cmd.Wait()
	if err != nil || !state.Success() {
		t.Errorf("%v %v: the last block named below failed\n%s", err, state, &out)
	}
}
