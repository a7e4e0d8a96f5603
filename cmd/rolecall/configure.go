package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/credfile"
	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/processline"
	"github.com/rolecall/rolecall/internal/userfile"
)

const (
	flagForce  = "force"
	flagRemove = "remove"
	flagDryRun = "dry-run"
	flagJSON   = "json"
	flagCheck  = "check"
)

func configure() command {
	return command{
		name:  "configure",
		short: "Write a profile with credential_process into the AWS config file",
		long: `Puts a profile into AWS_CONFIG_FILE, or ~/.aws/config, whose credential_process is this program with
the flags given here. Without a certificate among them it looks for one with its key, and tells where:
in the folders of rolecall (its configuration folder, ~/.rolecall, /etc/rolecall and those in them,
/var/lib/rolecall-ad), at what certmonger tracks, in the folders of Debian, Fedora and Puppet, on
Windows and macOS in the certificate stores, and on PKCS#11 tokens if a module is configured. Of
several in one place it asks which. Trust anchor, profile and role are taken from the server's lists
if credentials that may read them are at hand, as for the AWS CLI. What is still missing is asked for
at a terminal, or is an error. Key and certificate are loaded and the ARNs compared before anything
is written.

The rest of the file stays as it is, to the byte. The file is locked, replaced as a whole, and then
only its owner can use it. --remove takes the profile out again and puts back what it replaced.`,
		flags: append(append(sessionFlags(), cacheFlags()...),
			flag{name: flagProfile, value: "default", arg: "NAME", help: "profile to write"},
			flag{name: flagCheck, kind: boolFlag, help: "obtain credentials before anything is written, to prove that it works"},
			flag{name: flagForce, kind: boolFlag, help: "replace a profile that this program did not write; its lines stay as comments"},
			flag{name: flagRemove, kind: boolFlag, help: "take the profile out again"},
			flag{name: flagDryRun, kind: boolFlag, help: "tell what would be done, and write nothing"},
			flag{name: flagJSON, kind: boolFlag, help: "answer with JSON"}),
		groups: append(sessionGroups(), group{flagRemove, flagForce}, group{flagRemove, flagCheck}),
		run:    runConfigure,
	}
}

// configured is what configure did; its JSON is the answer of --json.
type configured struct {
	Profile     string          `json:"profile"`
	File        string          `json:"file"`
	Change      credfile.Change `json:"change"`
	DryRun      bool            `json:"dryRun"`
	Region      string          `json:"region,omitempty"`
	Process     string          `json:"credentialProcess,omitempty"`
	Certificate *shownCert      `json:"certificate,omitempty"`
	AccessKeyID string          `json:"checkedAccessKeyId,omitempty"`
	Try         string          `json:"try,omitempty"`
	Warnings    []string        `json:"warnings,omitempty"`
}

type shownCert struct {
	Subject  string    `json:"subject"`
	Serial   string    `json:"serial"` // hexadecimal
	NotAfter time.Time `json:"notAfter"`
}

func runConfigure(ctx context.Context, p *program, in *inputs) error {
	path, err := credfile.ConfigPath(p.getenv)
	if err != nil {
		return err
	}
	done := &configured{Profile: in.text(flagProfile), File: path, DryRun: in.truth(flagDryRun)}
	if err := credfile.CheckConfigProfile(done.Profile); err != nil {
		return err
	}
	if in.truth(flagRemove) {
		if done.Change, err = credfile.RemoveProfile(ctx, path, done.Profile, done.DryRun); err != nil {
			return err
		}
		return p.tellConfigured(in, done)
	}
	if err := p.complete(ctx, in); err != nil {
		return err
	}
	if list := arnProblems(in); len(list) > 0 {
		return &list[0]
	}
	if done.Process, err = p.processLine(in); err != nil {
		return err
	}
	src, err := source(in)
	if err != nil {
		return err
	}
	id, err := src.Load(ctx)
	if err != nil {
		return err
	}
	done.Warnings = id.Warnings()
	if w := keysource.Validity(id.Leaf(), time.Now()); w != "" {
		done.Warnings = append(done.Warnings, w)
	}
	anchor, err := arn.Parse(in.text(flagAnchor))
	if err != nil {
		return err
	}
	done.Region = string(anchor.Region)
	done.Certificate = &shownCert{id.Leaf().Subject.String(), id.Leaf().SerialNumber.Text(16), id.Leaf().NotAfter.UTC()}
	if in.truth(flagCheck) {
		maker, err := p.newSessionMaker(in)
		if err != nil {
			return err
		}
		creds, err := maker.client.CreateSession(ctx, id, in.request(in.text(flagRole), in.text(flagProfileARN)))
		if err != nil {
			return fmt.Errorf("nothing was written, as the check failed: %w", err)
		}
		done.AccessKeyID = creds.AccessKeyID
	}
	if p.hasStaticKeys(done.Profile) {
		done.Warnings = append(done.Warnings, "the credentials file has keys for this profile, which AWS clients prefer: remove them there")
	}
	done.Change, err = credfile.WriteProfile(ctx, path, &credfile.Profile{
		Name: done.Profile, Force: in.truth(flagForce), DryRun: done.DryRun,
		Keys: [][2]string{{"region", done.Region}, {"credential_process", done.Process}},
	})
	if err != nil {
		return err
	}
	done.Try = "aws sts get-caller-identity"
	if done.Profile != "default" {
		done.Try += " --profile " + done.Profile
	}
	return p.tellConfigured(in, done)
}

// hasStaticKeys reports whether the credentials file has keys for the profile. One that cannot be read is passed over.
func (p *program) hasStaticKeys(profile string) bool {
	path, err := credfile.Path(p.getenv)
	if err != nil {
		return false
	}
	data, _, err := userfile.Read(path, 16<<20)
	return err == nil && credfile.HasKeys(data, profile)
}

func (p *program) tellConfigured(in *inputs, c *configured) error {
	for _, w := range c.Warnings {
		p.warn(w)
	}
	if in.truth(flagJSON) {
		out, err := plainJSON(c)
		if err != nil {
			return err
		}
		return p.output(out)
	}
	var b strings.Builder
	would := ""
	if c.DryRun {
		would = " (dry run: nothing was written)"
	}
	fmt.Fprintf(&b, "profile %s %s in %s%s\n", c.Profile, c.Change, c.File, would)
	if c.Certificate != nil {
		fmt.Fprintf(&b, "certificate  %s, serial %s, valid until %s\n", printable(c.Certificate.Subject), c.Certificate.Serial, c.Certificate.NotAfter.Format(time.DateOnly))
		fmt.Fprintf(&b, "region       %s\nprocess      %s\n", c.Region, c.Process)
	}
	if c.AccessKeyID != "" {
		fmt.Fprintf(&b, "checked      the server granted %s\n", printable(c.AccessKeyID))
	}
	if c.Try != "" {
		fmt.Fprintf(&b, "try          %s\n", c.Try)
	}
	return p.output([]byte(b.String()))
}

// plainJSON is v as indented JSON with a line end, its < > & as they are.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// processLine is the value of credential_process: this program and every flag that was given.
func (p *program) processLine(in *inputs) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", &problem{"cannot find this program: " + err.Error(), ""}
	}
	if p.name == officialName { // a link: what it points to would behave otherwise
		self = filepath.Join(filepath.Dir(self), officialName)
		if _, err := os.Stat(self); err != nil {
			return "", &problem{"cannot find this program: " + err.Error(), "start it by its full path as rolecall"}
		}
	}
	words := []string{self, "credential-process"}
	for _, f := range append(sessionFlags(), cacheFlags()...) {
		values := in.list(f.name)
		if f.kind != listFlag {
			values = []string{in.text(f.name)}
		}
		if !in.isSet(f.name) || f.name == flagDebug {
			continue
		}
		if err := unattended(f.name, in.text(f.name)); err != nil {
			return "", err
		}
		for _, v := range values {
			switch {
			case f.kind == boolFlag && v == "true":
				words = append(words, "--"+f.name)
				continue
			case f.kind == boolFlag:
				words = append(words, "--"+f.name+"="+v)
				continue
			case f.takesPath() || f.name == flagSelector:
				if v, err = absolute(v); err != nil {
					return "", err
				}
			}
			words = append(words, "--"+f.name, v)
		}
	}
	line, err := processline.Join(words, runtime.GOOS)
	if err != nil {
		return "", &problem{"the command cannot be written into a config file: " + err.Error(), "rename the file or folder"}
	}
	return line, nil
}

// unattended refuses what cannot work, or is not safe, in a line that is kept and started by others.
func unattended(name, value string) error {
	for _, secret := range secretNames() {
		switch name {
		case secret:
			return &problem{"--" + name + " would put the password into the config file", "use --" + name + "-file or --" + name + "-env"}
		case secret + fromPrompt, secret + fromFD:
			return &problem{"--" + name + " cannot be used by a program that starts by itself", "use --" + secret + "-file or --" + secret + "-env"}
		}
	}
	if (name == flagCertificate || name == flagPrivateKey || name == flagIntermediates) && (value == stdinName || strings.HasPrefix(value, fdPrefix)) {
		return &problem{"--" + name + " " + value + " is there for this call only", "name a file"}
	}
	return nil
}

// absolute makes the path of a file absolute; what is none stays.
func absolute(v string) (string, error) {
	for _, prefix := range []string{"pkcs11:", "handle:", envPrefix, "Key=", "[", "{"} {
		if v == "" || strings.HasPrefix(v, prefix) {
			return v, nil
		}
	}
	path, isURL := strings.CutPrefix(v, "file://")
	full, err := filepath.Abs(path)
	if isURL {
		full = "file://" + full
	}
	return full, err
}
