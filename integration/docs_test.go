package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const testMarker = "<!-- test -->"

// script is one fenced block of a document that is marked as a test.
type script struct {
	line int // of the fence
	text string
}

// scripts finds the `sh` blocks directly below a marker. A marker above anything else is an error: it would look tested.
func scripts(markdown string) (found []script, err error) {
	lines := strings.Split(strings.ReplaceAll(markdown, "\r\n", "\n"), "\n")
	fenced := false
	for i := 0; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		if strings.HasPrefix(line, "```") {
			fenced = !fenced
		}
		if fenced || line != testMarker {
			continue
		}
		if i+1 >= len(lines) || strings.TrimSpace(lines[i+1]) != "```sh" {
			return nil, fmt.Errorf("line %d: the marker is not directly above a block of sh", i+1)
		}
		end := i + 2
		for end < len(lines) && strings.TrimSpace(lines[end]) != "```" {
			end++
		}
		if end == len(lines) {
			return nil, fmt.Errorf("line %d: the block does not end", i+2)
		}
		found = append(found, script{i + 2, strings.Join(lines[i+2:end], "\n") + "\n"})
		i = end
	}
	return found, nil
}

func TestScriptsAreFound(t *testing.T) {
	const fence = "```"
	text := "# T\n\n" + testMarker + "\n" + fence + "sh\necho one\n\necho two\n" + fence + "\n\n" + fence + "sh\nexit 1\n" + fence + "\n" + testMarker + "\n" + fence + "sh\ntrue\n" + fence + "\n" +
		fence + "\n" + testMarker + "\n" + fence + "\n"
	found, err := scripts(text)
	if err != nil || len(found) != 2 || found[0] != (script{4, "echo one\n\necho two\n"}) || found[1].text != "true\n" {
		t.Errorf("found %+v, %v", found, err)
	}
	for _, bad := range []string{testMarker, testMarker + "\n\n" + fence + "sh\ntrue\n" + fence, testMarker + "\n" + fence + "go\n" + fence, testMarker + "\n" + fence + "sh\ntrue\n"} {
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
		var session strings.Builder
		for _, s := range found {
			fmt.Fprintf(&session, "echo '## %s:%d'\n%s", filepath.Base(path), s.line, s.text)
		}
		t.Run(filepath.Base(path), func(t *testing.T) { runScript(t, session.String()) })
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
	cmd := exec.Command("sh", "-eu", "-c", text)
	var out output
	cmd.Dir, cmd.Stdout, cmd.Stderr = work, &out, &out
	cmd.Env = append(environment(home, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true"), "PATH="+bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
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
