package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/rolecall/rolecall/internal/credclient"
	"github.com/rolecall/rolecall/internal/credfile"
	"github.com/rolecall/rolecall/internal/processline"
	"github.com/rolecall/rolecall/internal/userfile"
)

const flagCA = "ca"

func doctor() command {
	return command{
		name:  "doctor",
		short: "Find out why no credentials come",
		long: `Checks in order: the flags and the profile, the files, key and certificate, the ARNs, name, port,
proxy and TLS of the server, the clock, and then a CreateSession. Nothing but the endpoint (and the
proxy to it) is connected to, and no secret is shown. The exit code is 0 only if all is well.`,
		flags: append(append(sessionFlags(), cacheFlags()...),
			flag{name: flagProfile, arg: "NAME", help: "check the credential_process of this profile of the AWS config file; flags given here come on top"},
			flag{name: flagCA, arg: "FILE", help: "PEM certificates of the trust anchor, to check that the certificate comes from it"},
			flag{name: flagJSON, kind: boolFlag, help: "answer with JSON"}),
		groups: sessionGroups(),
		run:    runDoctor,
	}
}

// status is the outcome of one check.
type status string

const (
	good    status = "ok"
	warning status = "warn"
	bad     status = "fail"
	skipped status = "skip" // something before it failed
)

// finding is one line of the doctor's report. Its JSON, and the names of the checks, are in docs/client.md: programs read them.
type finding struct {
	Check   string   `json:"check"`
	Status  status   `json:"status"`
	Text    string   `json:"text"`
	Details []string `json:"details,omitempty"`
	Hint    string   `json:"hint,omitempty"`
}

// doctorReport is the answer of --json. Members may be added; Version changes when one goes or means something else.
type doctorReport struct {
	Version int       `json:"version"`
	OK      bool      `json:"ok"`
	Checks  []finding `json:"checks"`
}

// examination is one run of the doctor.
type examination struct {
	program *program
	in      *inputs
	list    []finding
}

func (x *examination) add(check string, s status, text, hint string) {
	x.list = append(x.list, finding{Check: check, Status: s, Text: printable(text), Hint: printable(hint)})
}

// fail adds an error, with its own advice where it has some.
func (x *examination) fail(check string, err error) {
	hint := ""
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		hint = hinted.Hint()
	}
	x.add(check, bad, err.Error(), hint)
	var detailed interface{ Details() []string }
	if errors.As(err, &detailed) {
		for _, line := range detailed.Details() {
			f := &x.list[len(x.list)-1]
			f.Details = append(f.Details, printable(line))
		}
	}
}

func (x *examination) count(s status) int {
	n := 0
	for _, f := range x.list {
		if f.Status == s {
			n++
		}
	}
	return n
}

func runDoctor(ctx context.Context, p *program, in *inputs) error {
	x := &examination{program: p, in: in}
	if in.isSet(flagProfile) && !x.profile() {
		return x.report(in)
	}
	id := x.identity(ctx)
	arns := arnProblems(x.in)
	for _, a := range arns {
		x.add("arns", bad, a.text, a.hint)
	}
	if len(arns) == 0 {
		x.add("arns", good, "trust anchor, profile and role are of one account, partition and region", "")
	}
	reached := x.network(ctx)
	switch {
	case id == nil || len(arns) > 0 || !reached:
		x.add("session", skipped, "not tried, because of what failed before", "")
	default:
		cfg := p.clientConfig(x.in)
		client, err := credclient.New(cfg)
		if err != nil {
			x.fail("session", err)
			break
		}
		creds, err := client.CreateSession(ctx, id, x.in.request(x.in.text(flagRole), x.in.text(flagProfileARN)))
		if err != nil {
			x.fail("session", err)
			break
		}
		x.add("session", good, fmt.Sprintf("granted %s until %s", creds.AccessKeyID, creds.Expiration), "")
	}
	return x.report(in)
}

// profile takes the flags of a profile's credential_process; false: there is nothing further to check.
func (x *examination) profile() bool {
	name := x.in.text(flagProfile)
	path, err := credfile.ConfigPath(x.program.getenv)
	if err != nil {
		x.fail("profile", err)
		return false
	}
	data, info, err := userfile.Read(path, 16<<20)
	if err != nil {
		x.add("profile", bad, "cannot read the AWS config file: "+err.Error(), "rolecall configure writes one; AWS_CONFIG_FILE names another")
		return false
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		x.add("profile", bad, fmt.Sprintf("other users can change %s, and so the program that is started (mode %04o)", path, info.Mode().Perm()), "chmod 600 "+path)
	}
	line, found, ok := credfile.Lookup(data, name, "credential_process")
	if !ok {
		text := fmt.Sprintf("no profile %q in %s", name, path)
		if found {
			text = fmt.Sprintf("the profile %q in %s has no credential_process", name, path)
		}
		x.add("profile", bad, text, "write it with rolecall configure --profile "+name)
		return false
	}
	words, err := processline.Split(line, runtime.GOOS)
	if err != nil || len(words) < 2 {
		x.add("profile", bad, "the credential_process cannot be split into words", "write it with rolecall configure --force")
		return false
	}
	base := strings.TrimSuffix(strings.ToLower(filepath.Base(words[0])), ".exe")
	if !slices.Contains([]string{ownName, officialName}, base) || words[1] != "credential-process" {
		x.add("profile", bad, fmt.Sprintf("the credential_process starts %s, not rolecall credential-process", words[0]), "only profiles of rolecall and aws_signing_helper can be checked")
		return false
	}
	if filepath.IsAbs(words[0]) {
		if _, err := os.Stat(words[0]); err != nil {
			x.add("profile", bad, "the program of the credential_process is not there: "+err.Error(), "install it there, or run rolecall configure again")
		}
	}
	cmd := credentialProcess()
	read, err := parseFlags(cmd.flags, words[2:])
	if err == nil {
		if err = read.exclusions(cmd.groups); err == nil {
			err = read.oneSecretEach()
		}
	}
	if err != nil {
		x.add("profile", bad, "the flags of the credential_process are wrong: "+err.Error(), "rolecall credential-process --help shows what is possible")
		return false
	}
	for given := range x.in.given {
		if _, known := read.values[given]; known {
			read.set(given, x.in.text(given))
			read.lists[given] = x.in.list(given)
		}
	}
	read.values[flagCA] = x.in.text(flagCA)
	read.secrets.program = x.program
	x.in = read
	if x.program.hasStaticKeys(name) {
		x.add("profile", warning, "the credentials file has keys for this profile, which AWS clients prefer", "remove them there")
	}
	x.add("profile", good, fmt.Sprintf("%q in %s", name, path), "")
	return true
}

// report prints the findings. It is an error if one of them is bad.
func (x *examination) report(in *inputs) error {
	failed := x.count(bad)
	var out []byte
	var err error
	if in.truth(flagJSON) {
		out, err = plainJSON(doctorReport{1, failed == 0, x.list})
	} else {
		out = x.text(x.program.signs())
	}
	if err == nil {
		err = x.program.output(out)
	}
	if err == nil && failed > 0 {
		err = fmt.Errorf("%d of %d checks failed", failed, len(x.list))
	}
	return err
}

// signs are how outcomes are shown: words, and signs where a terminal can show them.
func (p *program) signs() map[status]string {
	f, ok := p.stdout.(*os.File)
	locale := p.getenv("LC_ALL") + p.getenv("LC_CTYPE") + p.getenv("LANG")
	unicode := strings.Contains(strings.ToUpper(strings.ReplaceAll(locale, "-", "")), "UTF8") || p.getenv("WT_SESSION") != ""
	if ok && isTerminal(f) && unicode {
		return map[status]string{good: "✓", warning: "!", bad: "✗", skipped: "–"}
	}
	return map[status]string{good: "ok  ", warning: "warn", bad: "FAIL", skipped: "skip"}
}

func (x *examination) text(signs map[status]string) []byte {
	var b strings.Builder
	for _, f := range x.list {
		fmt.Fprintf(&b, "%s  %-12s %s\n", signs[f.Status], f.Check, f.Text)
		further := f.Details
		if f.Hint != "" {
			further = append(slices.Clip(further), "hint: "+f.Hint)
		}
		for _, line := range further {
			fmt.Fprintf(&b, "%s  %-12s %s\n", strings.Repeat(" ", len([]rune(signs[f.Status]))), "", line)
		}
	}
	return []byte(b.String())
}
