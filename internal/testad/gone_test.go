package testad

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const hang = "ROLECALL_TESTAD_HANG"

// TestHang is what TestNothingRemains kills: it has a domain and waits.
func TestHang(t *testing.T) {
	if os.Getenv(hang) == "" {
		return // only with its parent
	}
	d := Start(t)
	fmt.Printf("domain %d %s\n", d.pid, d.Dir)
	time.Sleep(5 * time.Minute)
}

// A killed test process leaves no process, no namespace and no file.
func TestNothingRemains(t *testing.T) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestHang$", "-test.v")
	cmd.Env = append(os.Environ(), hang+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pid int
	var dir string
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		if line := lines.Text(); strings.HasPrefix(line, "domain ") {
			if _, err := fmt.Sscanf(line, "domain %d %s", &pid, &dir); err != nil {
				t.Error(err)
			}
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // killed
	if pid == 0 {
		t.Fatal("the domain did not come up")
	}
	for range 500 {
		_, procErr := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
		_, dirErr := os.Stat(dir)
		if errors.Is(procErr, fs.ErrNotExist) && errors.Is(dirErr, fs.ErrNotExist) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("after ten seconds, process %d or folder %s is still there", pid, dir)
}
