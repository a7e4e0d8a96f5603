package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a server process that this program has started.
type child struct {
	name    string
	cmd     *exec.Cmd
	address string // host:port of its HTTPS listener
	line    string // what it printed when it was ready
	metrics string // host:port for metrics and profiles; rolecalld only
	stdin   io.Closer
	errors  *tail
	ended   chan struct{}
	err     error // how it ended, valid once ended is closed
}

// readyLine is what both kinds of child print once they answer.
var readyLine = regexp.MustCompile(`ready on https://(\S+)`)

const (
	startTimeout = 30 * time.Second
	stopTimeout  = 30 * time.Second
)

// startChild runs a program until it says that it is ready. GOMAXPROCS and the rest of the environment are passed on
// as they are.
func startChild(ctx context.Context, name, program string, args ...string) (*child, error) {
	c := &child{name: name, errors: &tail{}, ended: make(chan struct{})}
	c.cmd = exec.CommandContext(ctx, program, args...)
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	c.cmd.WaitDelay = stopTimeout
	c.cmd.Stderr = c.errors
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	ready := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if readyLine.MatchString(lines.Text()) {
				ready <- lines.Text()
				break
			}
		}
		io.Copy(io.Discard, stdout) //nolint:errcheck // only keeps the pipe from filling up
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	select {
	case c.line = <-ready:
		c.address = readyLine.FindStringSubmatch(c.line)[1]
		return c, nil
	case <-c.ended:
		return nil, fmt.Errorf("%s ended at its start: %w\n%s", name, c.err, c.errors)
	case <-time.After(startTimeout):
		return nil, errors.Join(fmt.Errorf("%s was not ready after %s", name, startTimeout), c.stop())
	}
}

// startServer runs rolecalld on the data folder and on free loopback ports.
func startServer(ctx context.Context, program, dataDir string) (*child, error) {
	metrics, err := freePort()
	if err != nil {
		return nil, err
	}
	c, err := startChild(ctx, "rolecalld", program, "serve", "--data-dir", dataDir, "--listen", "127.0.0.1:0",
		"--metrics-listen", metrics, "--account-id", string(account), "--s3-iam-socket", filepath.Join(dataDir, "s3-iam.sock"))
	if err != nil {
		return nil, err
	}
	c.metrics = metrics
	return c, nil
}

// freePort is a loopback address that was free a moment ago.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// stop asks the child to end and waits for it. It may be called more than once.
func (c *child) stop() error {
	c.stdin.Close()
	select {
	case <-c.ended:
		return c.err
	default:
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
	case <-time.After(stopTimeout):
		return errors.Join(fmt.Errorf("%s did not end %s after SIGTERM", c.name, stopTimeout), c.cmd.Process.Kill())
	}
	if c.err != nil {
		return fmt.Errorf("%s: %w\n%s", c.name, c.err, c.errors)
	}
	return nil
}

// cpu is the user and system time the child has used so far, to the nanosecond: the sum over its threads (Linux,
// Documentation/scheduler/sched-stats.rst). Go programs keep their threads.
func (c *child) cpu() (total time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for _, file := range threads {
		text, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return 0, err
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, err := strconv.ParseInt(first, 10, 64)
		if err != nil {
			return 0, err
		}
		total += time.Duration(n)
	}
	if total == 0 {
		return 0, errors.New("no times in /proc/PID/task/*/schedstat")
	}
	return total, nil
}

// resident is a memory figure of /proc/PID/status in bytes: VmRSS for now, VmHWM for the highest so far.
func (c *child) resident(field string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if v, ok := strings.CutPrefix(line, field+":"); ok {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("no %s in /proc/PID/status", field)
}

// tail keeps the last bytes of a child's stderr for error messages.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if extra := len(t.text) - 4096; extra > 0 {
		t.text = append(t.text[:0], t.text[extra:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
