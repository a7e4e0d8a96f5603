package keysource

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
)

// FindProgram finds a companion by its name without .exe: beside this program, then beside what a link to it points to,
// then on PATH. It never takes one of the current folder.
func FindProgram(name string) (string, error) {
	if runtime.GOOS == "windows" {
		name += ".exe"
	}
	if self, err := os.Executable(); err == nil {
		places := []string{self}
		if target, err := filepath.EvalSymlinks(self); err == nil && target != self {
			places = append(places, target)
		}
		for _, p := range places {
			path := filepath.Join(filepath.Dir(p), name)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
				return path, nil
			}
		}
	}
	return exec.LookPath(name)
}
