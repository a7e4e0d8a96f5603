package pkcs11

import (
	"context"
	"errors"
	"io"

	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
)

// Companion is a running rolecall-pkcs11 for one caller at a time.
type Companion struct{ p *process }

// StartCompanion runs the program at path; "" finds it beside this program or on PATH.
func StartCompanion(path string, stderr io.Writer) (*Companion, error) {
	p, err := start(path, stderr)
	if err != nil {
		return nil, err
	}
	return &Companion{p}, nil
}

// Custody sends a request and waits for its answer. After an error the companion is of no use any more: close it. final
// says that trying again could lock the token.
func (c *Companion) Custody(ctx context.Context, req *wire.Custody) (resp *wire.Response, final bool, err error) {
	resp, err = c.p.call(ctx, &wire.Request{Custody: req})
	if err == nil && resp.Need != "" {
		return nil, true, errors.New("rolecall-pkcs11 asks for a PIN that it has")
	}
	remote, ok := errors.AsType[*remoteError](err)
	return resp, ok && remote.e.Final, err
}

// Close ends the program without waiting for what it is about.
func (c *Companion) Close() {
	_ = c.p.cmd.Process.Kill()
	c.p.close()
}

// Kill ends the program as a crash would; its next use fails.
func (c *Companion) Kill() {
	_ = c.p.cmd.Process.Kill()
}
