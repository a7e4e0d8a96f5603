package manpage

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
)

// Check compares the page with the file at path, or writes that if update is set, and has mandoc(1) look at it.
func (p *Page) Check(path string, update bool) error {
	want := p.Bytes()
	if update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			return err
		}
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, want) {
		return fmt.Errorf("%s does not say what the help says: run the test with -update", path)
	}
	if out, err := exec.Command("mandoc", "-Tlint", "-Wwarning", path).CombinedOutput(); err != nil {
		return fmt.Errorf("mandoc: %w\n%s", err, out)
	}
	return nil
}
