package processline

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func wordCases() [][]string {
	return [][]string{
		{"/usr/bin/rolecall", "a", "b=c"},
		{"/opt/my app/rolecall", "--certificate", "/tmp/it's a #1; $HOME `x` \\ \"q\" é.pem"},
		{"/x", "", "a #b", "a ;b", "*", "~", "-", "end "},
	}
}

// The AWS CLI's own splitting, and a shell's, see the words that were meant.
func TestWordsPOSIX(t *testing.T) {
	const script = `import json,sys;from botocore.compat import compat_shell_split as s;print(json.dumps(s(sys.argv[1],sys.argv[2])))`
	for _, words := range wordCases() {
		line, err := Join(words, "linux")
		if err != nil || strings.Contains(line, " #") || strings.Contains(line, " ;") {
			t.Fatalf("%q: %q, %v", words, line, err)
		}
		if got, err := Split(line, "linux"); err != nil || !slices.Equal(got, words) {
			t.Errorf("%s: own reader sees %q, %v", line, got, err)
		}
		out, err := exec.Command("sh", "-c", `printf '%s\n' `+line).Output()
		if err != nil || string(out) != strings.Join(words, "\n")+"\n" {
			t.Errorf("%s: sh sees %q, %v", line, out, err)
		}
		if got := pythonSplit(t, script, line, "linux"); !slices.Equal(got, words) {
			t.Errorf("%s: botocore sees %q", line, got)
		}
	}
	for _, words := range [][]string{
		{`C:\Program Files\rolecall\rolecall.exe`, `C:\a b\`, "plain", "", "Key=x509Subject,Value=CN=my host", `\\share\a b`},
		{`C:\x\rolecall.exe`, "a&b", `C:\a\`},
	} {
		line, err := Join(words, "windows")
		if err != nil || line[0] == '"' {
			t.Fatalf("%q: %q, %v", words, line, err)
		}
		if got, err := Split(line, "windows"); err != nil || !slices.Equal(got, words) {
			t.Errorf("%s: own reader sees %q, %v", line, got, err)
		}
		if got := pythonSplit(t, script, line, "win32"); !slices.Equal(got, words) {
			t.Errorf("%s: botocore sees %q", line, got)
		}
	}
	for _, bad := range []string{`a"b`, "%PATH%", "a #b", "a\nb"} {
		if line, err := Join([]string{bad}, "windows"); err == nil {
			t.Errorf("%q became %q", bad, line)
		}
	}
}

func pythonSplit(t *testing.T, script, line, system string) []string {
	t.Helper()
	out, err := exec.Command("python3", "-c", script, line, system).Output()
	if err != nil {
		t.Fatalf("botocore: %v", err)
	}
	var words []string
	if err := json.Unmarshal(out, &words); err != nil {
		t.Fatal(err)
	}
	return words
}

// FuzzSplit: no line breaks the readers, and what they read can be written again.
func FuzzSplit(f *testing.F) {
	f.Add(`/a' 'b "c\"d" e\ f`)
	f.Add("\x87'\x87")
	f.Add(`C:"\Program Files\x.exe" a\\"b c" "`)
	f.Fuzz(func(t *testing.T, line string) {
		for _, system := range []string{"linux", "windows"} {
			words, err := Split(line, system)
			if err != nil {
				continue
			}
			again, err := Join(words, system)
			if err != nil {
				continue
			}
			if got, err := Split(again, system); err != nil || !slices.Equal(got, words) {
				t.Errorf("%s: %q is %q, then %q: %v", system, line, words, got, err)
			}
		}
	})
}
