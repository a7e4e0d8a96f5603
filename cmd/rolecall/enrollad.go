package main

import (
	"context"
	"errors"
	"os/exec"

	"github.com/rolecall/rolecall/internal/keysource"
)

// adProgram enrolls in Active Directory. It is apart so that this program has no Kerberos.
const adProgram = "rolecall-ad"

// adArguments reports that a command line is enroll --ad, and what stands behind.
func adArguments(args []string) ([]string, bool) {
	if len(args) < 2 || args[0] != "enroll" || args[1] != "--ad" {
		return nil, false
	}
	return args[2:], true
}

// enrollAD hands over to rolecall-ad enroll. What it says and its exit code are this command's.
func (p *program) enrollAD(ctx context.Context, args []string) error {
	path, err := keysource.FindProgram(adProgram)
	if err != nil {
		return &problem{text: "enrollment in Active Directory needs the program " + adProgram + ", which is not there", hint: "install " + adProgram + " beside rolecall or on PATH"}
	}
	cmd := exec.CommandContext(ctx, path, append([]string{"enroll"}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = p.stdin, p.stdout, p.stderr
	err = cmd.Run()
	if ended, ok := errors.AsType[*exec.ExitError](err); ok {
		return &exitCode{ended.ExitCode()}
	}
	return err
}

// exitCode ends the program as another one ended, which has said why.
type exitCode struct{ code int }

func (e *exitCode) Error() string { return "the program that was handed over to failed" }
