package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/rolecall/rolecall/internal/server"
)

// terminal is a pseudo-terminal: ours is what a person sees and types at.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ours.Close() })
	conn := must(ours.SyscallConn())(t)
	var n int
	err = conn.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}

func echoes(t *testing.T, tty *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// caFiles is a served data folder, its account, and an existing CA in a folder: with an encrypted key, and as PKCS#12 with and
// without a password.
func caFiles(t *testing.T) (data, account, dir string) {
	t.Helper()
	data, dir = t.TempDir(), t.TempDir()
	srv, err := server.Start(t.Context(), server.Config{DataDir: data, Listen: []string{"http://127.0.0.1:0"}, MetricsListen: "off"}, server.Output{})
	if err != nil {
		t.Fatal(err)
	}
	account = string(srv.Account())
	if err := srv.Shutdown(); err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{
		"req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -keyout ca.key -out ca.pem -days 30 -subj /CN=Old -addext keyUsage=critical,keyCertSign,cRLSign",
		"pkcs8 -topk8 -v2 aes-256-cbc -in ca.key -passout pass:sesame -out locked.key",
		"pkcs12 -export -in ca.pem -inkey ca.key -passout pass:sesame -out locked.p12",
		"pkcs12 -export -in ca.pem -inkey ca.key -passout pass: -out open.p12",
	} {
		cmd := exec.Command("openssl", strings.Fields(args)...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("openssl %s: %v\n%s", args, err, out)
		}
	}
	return data, account, dir
}

// importCommand is rolecalld ca import, in a session of its own: without a terminal, unless it is given one.
func importCommand(t *testing.T, data, account, region, dir string, tty *os.File, files ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), must(os.Executable())(t), append([]string{"ca", "import", "--data-dir", data, "--account", account, "--region", region}, files...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), envRun+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if tty != nil {
		cmd.SysProcAttr.Setctty, cmd.SysProcAttr.Ctty = true, 3
		cmd.ExtraFiles = []*os.File{tty}
	}
	return cmd
}

// screen reads what is shown until text is, for at most 30 s.
func screen(t *testing.T, ours *os.File, text string) (shown string) {
	t.Helper()
	if err := ours.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for !strings.Contains(shown, text) {
		b := make([]byte, 1024)
		n, err := ours.Read(b)
		if shown += string(b[:n]); err != nil {
			t.Fatalf("%v, shown was %q, not %q", err, shown, text)
		}
	}
	return shown
}

// TestPasswordAtTerminal types the password of an existing CA's key: it is asked for when one is needed, is never shown, and
// the terminal is as before afterwards, also after an interrupt.
func TestPasswordAtTerminal(t *testing.T) {
	data, account, dir := caFiles(t)
	for i, c := range []struct {
		files []string
		typed string
		want  string // on the standard error; "" if the CA is to be imported
	}{
		{[]string{"--certificate", "ca.pem", "--key", "locked.key"}, "sesame\n", ""},
		{[]string{"--pkcs12", "locked.p12"}, "sesame\n", ""},
		{[]string{"--pkcs12", "locked.p12"}, "wrong\n", "password"},
		{[]string{"--pkcs12", "locked.p12"}, "\n", "no password was typed"},
		{[]string{"--pkcs12", "locked.p12"}, "ses\x03", "interrupted"},
	} {
		ours, theirs := terminal(t)
		cmd := importCommand(t, data, account, fmt.Sprintf("eu-west-%d", i+1), dir, theirs, c.files...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		shown := screen(t, ours, "Password of the CA's key: ")
		for range 1000 { // the prompt comes before the terminal is switched
			if !echoes(t, theirs) {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if echoes(t, theirs) {
			t.Error("the terminal shows what is typed")
		}
		if _, err := ours.WriteString(c.typed); err != nil {
			t.Fatal(err)
		}
		err := cmd.Wait()
		if c.want == "" && (err != nil || !strings.HasPrefix(stdout.String(), "arn:aws:acm-pca:")) {
			t.Errorf("%v: %v, %s%s", c.files, err, &stdout, &stderr)
		}
		if c.want != "" && (err == nil || !strings.Contains(stderr.String(), c.want)) {
			t.Errorf("%q typed: %v, %q, want %q", c.typed, err, &stderr, c.want)
		}
		if !echoes(t, theirs) {
			t.Errorf("%q typed: the terminal is left without echo", c.typed)
		}
		if all := shown + stdout.String() + stderr.String(); strings.Contains(all, "sesame") {
			t.Errorf("the password was shown: %q", all)
		}
	}
}

// TestPasswordElsewhere gives the password in the other ways; without one, and without a terminal, the program says so. What
// has no password needs none.
func TestPasswordElsewhere(t *testing.T) {
	data, account, dir := caFiles(t)
	file := filepath.Join(dir, "password")
	if err := os.WriteFile(file, []byte("sesame\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	locked, open := []string{"--certificate", "ca.pem", "--key", "locked.key"}, []string{"--pkcs12", "open.p12"}
	for i, c := range []struct {
		files      []string
		env, stdin string
		want       string
	}{
		{files: append(locked, "--password-file", "password")},
		{files: locked, env: envCAPassword + "=sesame"},
		{files: append(locked, "--password-fd", "0"), stdin: "sesame\n"},
		{files: open},
		{files: []string{"--certificate", "ca.pem", "--key", "ca.key"}},
		{files: locked, want: "no password given, and no terminal to ask for it"},
		{files: append(locked, "--password-fd", "0"), want: "no password in its first line"},
		{files: append(locked, "--password-fd", "1"), want: "descriptor 1 is not one to read from"},
		{files: append(locked, "--password-fd", "0", "--password-file", "password"), want: "not from both"},
		{files: append(locked, "--password-file", "ca.pem"), want: "password"},
	} {
		cmd := importCommand(t, data, account, fmt.Sprintf("eu-west-%d", i+1), dir, nil, c.files...)
		cmd.Env = append(cmd.Env, c.env)
		cmd.Stdin = strings.NewReader(c.stdin)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		err := cmd.Run()
		if c.want == "" && err != nil {
			t.Errorf("%v: %v, %s", c.files, err, &stderr)
		}
		if c.want != "" && (err == nil || !strings.Contains(stderr.String(), c.want)) {
			t.Errorf("%v: %v, %q, want %q", c.files, err, &stderr, c.want)
		}
	}
}
