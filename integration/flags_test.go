package integration

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The environment says the same as flags do, and a flag wins over it.
func TestEnvironmentEqualsFlags(t *testing.T) {
	dir, address := t.TempDir(), freeAddress(t)
	env := []string{"ROLECALLD_DATA_DIR=" + dir, "ROLECALLD_LISTEN=" + address + ",http://127.0.0.1:0", "ROLECALLD_METRICS_LISTEN=off",
		"ROLECALLD_ACCOUNT_ID=" + testAccount, "ROLECALLD_LOG_FORMAT=json", "ROLECALLD_STORE=sqlite", "ROLECALLD_STALENESS=3s", "ROLECALLD_DRAIN_TIMEOUT=5s"}
	n := serve(t, nodeConfig{bare: true, env: env})
	if n.dir != dir || n.account != testAccount || n.endpoint != "https://"+address {
		t.Errorf("folder %s, account %s, endpoint %s", n.dir, n.account, n.endpoint)
	}
	n.stop(t)
	if log := n.stderr.String(); !strings.HasPrefix(log, "{") || !strings.Contains(log, "5000000000") {
		t.Errorf("log format or drain timeout of the environment are ignored: %s", log)
	}
	won := serve(t, nodeConfig{bare: true, env: env, args: []string{"--listen", "127.0.0.1:0", "--log-format", "text"}})
	if won.endpoint == n.endpoint {
		t.Error("the environment won over a flag")
	}
	won.stop(t)
	if strings.HasPrefix(won.stderr.String(), "{") {
		t.Error("the environment won over --log-format")
	}
	refuse(t, nodeConfig{bare: true, env: append(env, "ROLECALLD_STALENESS=soon")}, "ROLECALLD_STALENESS")
	refuse(t, nodeConfig{bare: true, env: append(env, "ROLECALLD_ACCOUNT_ID=1")}, "account id")
}

var (
	helpFlag    = regexp.MustCompile(`^\s+(?:-\w, )?--([a-z0-9-]+)(.*)$`)
	helpCommand = regexp.MustCompile(`^  ([a-z][a-z-]*)\s{2,}(\S.*)$`)
)

// help walks the help of a program's commands, each of which must have a text, as every flag must.
func help(t *testing.T, name string, path ...string) map[string][]string {
	t.Helper()
	out := mustRun(t, "", environment(t.TempDir()), program(t, name), append(slices.Clone(path), "--help")...)
	command := strings.Join(append([]string{name}, path...), " ")
	flags := map[string][]string{command: nil}
	inCommands := false
	for line := range strings.Lines(out.stdout) {
		line = strings.TrimRight(line, "\n")
		if line != "" && line[0] != ' ' {
			inCommands = strings.Contains(strings.ToLower(line), "commands:")
		}
		if m := helpFlag.FindStringSubmatch(line); m != nil && !inCommands {
			flags[command] = append(flags[command], m[1])
			if words := strings.Fields(m[2]); len(words) < 3 {
				t.Errorf("%s: --%s is not explained: %q", command, m[1], line)
			}
		}
		if m := helpCommand.FindStringSubmatch(line); m != nil && inCommands && m[1] != "help" && m[1] != "completion" {
			for c, f := range help(t, name, append(slices.Clone(path), m[1])...) {
				flags[c] = f
			}
		}
	}
	return flags
}

func TestHelpIsComplete(t *testing.T) {
	daemon := help(t, "rolecalld")
	for command, want := range map[string][]string{
		"rolecalld serve": {"data-dir", "listen", "metrics-listen", "tls-cert", "tls-key", "store", "account-id", "region", "staleness", "log-format", "drain-timeout", "host"},
		// The commands that stand beside it.
		"rolecalld quickstart":     {"dir", "client", "listen", "once", "verbose"},
		"rolecalld account create": {"data-dir", "store", "account-id"},
		"rolecalld account list":   {"data-dir", "store"},
		"rolecalld keys rotate":    {"data-dir", "activate-after"},
		"rolecalld keys list":      {"data-dir"},
		"rolecalld version":        nil,
	} {
		got, known := daemon[command]
		if !known {
			t.Errorf("%s has no help; there is %v", command, daemon)
		}
		for _, flag := range want {
			if !slices.Contains(got, flag) {
				t.Errorf("%s --help does not name --%s", command, flag)
			}
		}
	}
	serveHelp := mustRun(t, "", environment(t.TempDir()), program(t, "rolecalld"), "serve", "--help").stdout
	for _, want := range []string{"ROLECALLD_ROOT_ACCESS_KEY_ID", "ROLECALLD_ROOT_SECRET_ACCESS_KEY", "postgres://", "memory", "loopback", "127.0.0.1:8443"} {
		if !strings.Contains(serveHelp, want) {
			t.Errorf("serve --help does not mention %s", want)
		}
	}
	client := help(t, "rolecall")
	for _, flag := range []string{"certificate", "private-key", "trust-anchor-arn", "profile-arn", "role-arn", "session-duration", "region", "endpoint", "intermediates"} {
		if !slices.Contains(client["rolecall credential-process"], flag) {
			t.Errorf("rolecall credential-process --help does not name --%s; there is %v", flag, client)
		}
	}
}
