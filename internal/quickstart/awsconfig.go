package quickstart

import (
	"fmt"
	"os"
	"strings"
)

// quoteWord writes one word of a credential_process line the way AWS clients split it: double quotes around what
// holds spaces or quotes, backslash before a double quote or a backslash.
func quoteWord(w string) string {
	if w != "" && !strings.ContainsAny(w, " \t\"'\\") {
		return w
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(w) + `"`
}

// splitWords is the inverse of joining quoted words with spaces.
func splitWords(line string) ([]string, error) {
	var words []string
	var w strings.Builder
	quoted, started := false, false
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch {
		case quoted && c == '\\' && i+1 < len(line):
			i++
			w.WriteByte(line[i])
		case c == '"':
			quoted, started = !quoted, true
		case !quoted && (c == ' ' || c == '\t'):
			if started {
				words = append(words, w.String())
				w.Reset()
				started = false
			}
		default:
			w.WriteByte(c)
			started = true
		}
	}
	if quoted {
		return nil, fmt.Errorf("unclosed quote in %q", line)
	}
	if started {
		words = append(words, w.String())
	}
	return words, nil
}

// credentialProcess reads the command back from the config file: what is checked is what an AWS client would run.
func credentialProcess(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "credential_process = "); ok {
			return splitWords(strings.TrimSpace(v))
		}
	}
	return nil, fmt.Errorf("no credential_process in %s", path)
}
