package integration

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// outputMarker stands above a `text` block that shows what the block before it prints.
const outputMarker = "<!-- output -->"

// outputs finds what a page says its blocks print, by the line of the block's fence as [scripts] counts it.
func outputs(markdown string) (map[int]string, error) {
	lines := strings.Split(markdown, "\n")
	found := map[int]string{}
	block := 0
	for i, line := range lines {
		switch strings.TrimSpace(line) {
		case testMarker:
			block = i + 2
		case outputMarker:
			if block == 0 || found[block] != "" || i+1 >= len(lines) || strings.TrimSpace(lines[i+1]) != "```text" {
				return nil, fmt.Errorf("line %d: the marker is not directly above a text, or the text is of no block", i+1)
			}
			for n := i + 2; n < len(lines) && strings.TrimSpace(lines[n]) != "```"; n++ {
				found[block] += lines[n] + "\n"
			}
		}
	}
	return found, nil
}

func TestOutputsAreFound(t *testing.T) {
	const block, text = testMarker + "\n```sh\ntrue\n```\n", outputMarker + "\n```text\na\n…\n```\n"
	if found, err := outputs("# T\n" + block + text + block); err != nil || len(found) != 1 || found[3] != "a\n…\n" {
		t.Errorf("%v, %v", found, err)
	}
	for _, bad := range []string{text, block + text + text, block + outputMarker + "\n\n```text\n```\n"} {
		if found, err := outputs(bad); err == nil {
			t.Errorf("%q: %v", bad, found)
		}
	}
}

// prints reports whether output is what a page shows: line by line, with … for anything within a line and, alone, for any
// lines. How wide a gap is does not matter.
func prints(want, output string) bool {
	var form strings.Builder
	for line := range strings.Lines(want) {
		if line = strings.TrimSpace(line); line == "…" {
			form.WriteString(`(?:.*\n)*`)
			continue
		}
		words := strings.Fields(line)
		for i := range words {
			words[i] = strings.ReplaceAll(regexp.QuoteMeta(words[i]), "…", ".*")
		}
		form.WriteString(`[ \t]*` + strings.Join(words, `[ \t]+`) + `[ \t]*\n`)
	}
	return regexp.MustCompile(`^` + form.String() + `$`).MatchString(output)
}

func TestPrints(t *testing.T) {
	const output = "ok       one (1)\n\tok\ttwo 17 of 18\n\nend\n"
	for want, ok := range map[string]bool{
		"ok one (1)\nok two … of 18\n\nend\n": true, "…\nend\n": true, "ok one (1)\n…\n": true,
		"ok one (1)\n": false, "ok one (1)\nend\n": false, "…\nok three\n": false, "ok one 1\n…\n": false,
	} {
		if prints(want, output) != ok {
			t.Errorf("%q: got %v", want, !ok)
		}
	}
}

// checkOutputs compares what the blocks of a page printed. Each block's output begins with its heading.
func checkOutputs(t *testing.T, page string, wanted map[int]string, output string) {
	t.Helper()
	for line, want := range wanted {
		_, got, ok := strings.Cut(output, fmt.Sprintf("## %s:%d\n", page, line))
		got, _, _ = strings.Cut(got, "## "+page+":")
		if !ok || !prints(want, got) {
			t.Errorf("%s:%d prints otherwise than the page shows:\n%s", page, line, got)
		}
	}
}
