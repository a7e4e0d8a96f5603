package quickstart

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/rolecall/rolecall/internal/processline"
)

// credentialProcess reads the command back from the config file: what is checked is what an AWS client would run.
func credentialProcess(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, "credential_process = "); ok {
			return processline.Split(strings.TrimSpace(v), runtime.GOOS)
		}
	}
	return nil, fmt.Errorf("no credential_process in %s", path)
}
