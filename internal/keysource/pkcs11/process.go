package pkcs11

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
)

// ProgramName is the file name of the program, without .exe.
const ProgramName = "rolecall-pkcs11"

const (
	adviceInstall = "install rolecall-pkcs11 beside rolecall or on PATH; it is a program of its own because PKCS#11 modules need cgo (make build-pkcs11)"
	adviceSame    = "install rolecall and rolecall-pkcs11 of the same version"
)

// process is a running rolecall-pkcs11.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.ReadCloser
}

// start runs the program at path, or finds it.
func start(path string, stderr io.Writer) (*process, error) {
	if path == "" {
		var err error
		if path, err = find(); err != nil {
			return nil, err
		}
	}
	cmd := exec.Command(path)
	cmd.Stderr = stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, keysource.Errorf(adviceInstall, "cannot start %s: %w", path, err)
	}
	return &process{cmd: cmd, in: in, out: out}, nil
}

func find() (string, error) {
	path, err := keysource.FindProgram(ProgramName)
	if err != nil {
		return "", keysource.Errorf(adviceInstall, "a key on a PKCS#11 token needs the program %s, which is not there", ProgramName)
	}
	return path, nil
}

// call sends a request and waits for its answer. After an error of the connection the process is of no use any more.
func (p *process) call(ctx context.Context, req *wire.Request) (*wire.Response, error) {
	req.Version = wire.Version
	type result struct {
		resp *wire.Response
		err  error
	}
	done := make(chan result, 1)
	go func() {
		resp := &wire.Response{}
		err := wire.Write(p.in, req)
		if err == nil {
			err = wire.Read(p.out, resp)
		}
		done <- result{resp, err}
	}()
	select {
	case <-ctx.Done():
		_ = p.cmd.Process.Kill() // the module hangs; call's goroutine ends with it
		return nil, keysource.Errorf("check the token and its reader", "the PKCS#11 token does not answer: %w", ctx.Err())
	case r := <-done:
		switch {
		case errors.Is(r.err, io.EOF) || errors.Is(r.err, io.ErrClosedPipe) || errors.Is(r.err, os.ErrClosed) || errors.Is(r.err, syscall.EPIPE):
			return nil, keysource.Errorf("it prints the reason above if it knows one; a crash is one of the PKCS#11 module", "%s has ended unexpectedly", ProgramName)
		case r.err != nil:
			return nil, keysource.Errorf(adviceSame, "%s: %w", ProgramName, r.err)
		case r.resp.Version != wire.Version:
			return nil, keysource.Errorf(adviceSame, "%s speaks version %d of the protocol, this program version %d", ProgramName, r.resp.Version, wire.Version)
		case r.resp.Error != nil:
			return nil, &remoteError{*r.resp.Error}
		}
		return r.resp, nil
	}
}

// close ends the program by ending its input, and waits for it.
func (p *process) close() {
	_ = p.in.Close()
	_ = p.cmd.Wait()
}

// remoteError is what the program reports.
type remoteError struct{ e wire.Error }

func (r *remoteError) Error() string     { return r.e.Problem }
func (r *remoteError) Hint() string      { return r.e.Hint }
func (r *remoteError) Details() []string { return r.e.Details }
