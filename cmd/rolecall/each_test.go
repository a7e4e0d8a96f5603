package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// sessionCommands are all that take the flags of a session.
func sessionCommands() []string {
	return []string{"credential-process", "update", "serve", "doctor", "configure"}
}

// cmdEach runs every command that makes sessions with the flags: each [-not COMMAND,…] REGEXP FLAG...
// Each must succeed, and the server must have verified a request, or answered an AssumeRole, whose record REGEXP fits.
// With "!" each must fail with a message that REGEXP fits, and post nothing.
func cmdEach(ts *testscript.TestScript, neg bool, args []string) {
	var without []string
	if len(args) > 1 && args[0] == "-not" {
		without, args = strings.Split(args[1], ","), args[2:]
	}
	for _, command := range sessionCommands() {
		if !slices.Contains(without, command) {
			cmdRun(ts, neg, append([]string{command}, args...))
		}
	}
}

// cmdRun is cmdEach for one command: run COMMAND [-stdin FILE] REGEXP FLAG...
// The ARNs, the stub as endpoint and the files ec.pem and ec.pkcs8.key are added unless the flags name others. What
// "ttyin" has set is typed at the terminal.
func cmdRun(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: run COMMAND [-stdin FILE] REGEXP FLAG...")
	}
	command, stdin, args := args[0], "/dev/null", args[1:]
	if args[0] == "-stdin" {
		stdin, args = args[1], args[2:]
	}
	pattern, err := regexp.Compile(args[0])
	ts.Check(err)
	flags := args[1:]
	line := withDefaults(ts, command, flags)
	config, credentials := ts.MkAbs("each-config"), ts.MkAbs("each-credentials")
	ts.Setenv("AWS_CONFIG_FILE", config)
	ts.Setenv("AWS_SHARED_CREDENTIALS_FILE", credentials)
	_, _ = os.Remove(config), os.Remove(credentials) // of the command before
	before := readOrEmpty(ts.MkAbs("requests"))
	if command == "serve" {
		err = untilReady(ts, stdin, line)
	} else {
		err = ts.Exec("sh", append([]string{"-c", `exec rolecall "$@" <"$0"`, stdin}, line...)...)
	}
	news := strings.TrimPrefix(readOrEmpty(ts.MkAbs("requests")), before)
	if neg {
		if said := ts.ReadFile("stderr") + ts.ReadFile("stdout"); err == nil || !pattern.MatchString(said) || strings.Contains(news, "method=POST") {
			ts.Fatalf("%s: %v, sent %q, and said\n%s\nwant a refusal that fits %s", command, err, news, said, pattern)
		}
		return
	}
	if err != nil || !slices.ContainsFunc(strings.Split(news, "\n"), func(l string) bool {
		return (strings.HasPrefix(l, "verified ") || strings.HasPrefix(l, "sts ")) && pattern.MatchString(l)
	}) {
		ts.Fatalf("%s: %v; the server has seen\n%swhich does not fit %s", command, err, news, pattern)
	}
	if slices.Contains(flags, "--debug") && !strings.Contains(ts.ReadFile("stderr"), "debug: > POST ") {
		ts.Fatalf("%s tells nothing", command)
	}
	if strings.Contains(ts.ReadFile("stderr"), "SECRET") {
		ts.Fatalf("a secret is told")
	}
	switch command {
	case "update":
		if !strings.Contains(ts.ReadFile(credentials), "aws_access_key_id = ASIATESTKEY") {
			ts.Fatalf("update wrote no credentials")
		}
	case "configure": // the profile is to work like the check
		for _, f := range flags {
			if strings.HasPrefix(f, "--") && f != "--debug" && !strings.Contains(ts.ReadFile(config), " "+f) {
				ts.Fatalf("%s is not in\n%s", f, ts.ReadFile(config))
			}
		}
	}
}

// withDefaults is the command line with what the flags leave out, and what makes the command end and ask the server.
func withDefaults(ts *testscript.TestScript, command string, flags []string) []string {
	line := []string{command}
	has := func(names ...string) bool {
		return slices.ContainsFunc(flags, func(a string) bool { name, _, _ := strings.Cut(a, "="); return slices.Contains(names, name) })
	}
	for _, f := range [][2]string{{"--role-arn", roleARN}, {"--profile-arn", profileARN}, {"--trust-anchor-arn", anchorARN}, {"--endpoint", ts.Getenv("URL") + "/ok"}} {
		if !has(f[0]) {
			line = append(line, f[:]...)
		}
	}
	if !has("--certificate", "--cert-store", "--cert-selector", "--system-store-name") {
		line = append(line, "--certificate", "ec.pem", "--private-key", "ec.pkcs8.key")
	}
	switch command {
	case "update":
		line = append(line, "--once")
	case "serve":
		line = append(line, "--port", "0")
	case "configure":
		line = append(line, "--check")
	}
	return append(line, flags...)
}

// cmdBroken runs the doctor, who must find exactly one thing wrong, in words that REGEXP fits: broken REGEXP FLAG...
func cmdBroken(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: broken REGEXP FLAG...")
	}
	pattern, err := regexp.Compile("(?m)^FAIL  " + args[0])
	ts.Check(err)
	err = ts.Exec(ownName, withDefaults(ts, "doctor", args[1:])...)
	if said := ts.ReadFile("stdout"); err == nil || strings.Count("\n"+said, "\nFAIL") != 1 || !pattern.MatchString(said) {
		ts.Fatalf("%v, and not just %s in\n%s", err, pattern, said)
	}
}

// untilReady runs a server until it says that it is ready, and then ends it as systemd does.
func untilReady(ts *testscript.TestScript, stdin string, line []string) error {
	dir, err := os.MkdirTemp("", "n") // the path of a socket is short
	ts.Check(err)
	defer os.RemoveAll(dir)
	socket, pid := filepath.Join(dir, "s"), filepath.Join(dir, "pid")
	notified, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	ts.Check(err)
	ended := make(chan error, 1)
	go func() {
		_ = notified.SetReadDeadline(time.Now().Add(20 * time.Second)) // of a socket just made
		b := make([]byte, 100)
		n, err := notified.Read(b)
		if err == nil && !strings.HasPrefix(string(b[:n]), "READY=1") {
			err = fmt.Errorf("systemd is told %q", b[:n])
		}
		if text, failed := os.ReadFile(pid); failed == nil {
			id, _ := strconv.Atoi(strings.TrimSpace(string(text)))
			if p, failed := os.FindProcess(id); failed == nil && id > 0 {
				_ = p.Signal(syscall.SIGTERM) // it may have ended by itself
			}
		}
		ended <- err
	}()
	ts.Setenv("NOTIFY_SOCKET", socket)
	run := ts.Exec("sh", append([]string{"-c", `echo $$ >"$0"; file=$1; shift; exec rolecall "$@" <"$file"`, pid, stdin}, line...)...)
	ts.Setenv("NOTIFY_SOCKET", "")
	notified.Close()
	if err := <-ended; run == nil {
		return err
	}
	return run
}
