package tpm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"time"

	"github.com/rolecall/rolecall/internal/keysource"
)

// maxResponse bounds an answer, in bytes (TPM_PT_MAX_RESPONSE_SIZE is 4096 or less).
const maxResponse = 4096

// conn is an open TPM. It serves one command at a time.
type conn struct {
	rw io.ReadWriteCloser
}

func (c *conn) close() { _ = c.rw.Close() } // nothing was buffered

// dial opens a device or a Unix socket.
func dial(ctx context.Context, path string) (*conn, error) {
	paths := []string{path}
	if path == "" {
		paths = []string{"/dev/tpmrm0", "/dev/tpm0"}
	}
	var err error
	for _, p := range paths {
		var c *conn
		if c, err = dialPath(ctx, p); err == nil {
			return c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	advice := "set TPM_DEVICE to the device file or the Unix socket of the TPM"
	if errors.Is(err, fs.ErrPermission) {
		advice = "let the user who runs this use the device; on most systems that is the group tss"
	}
	return nil, keysource.Errorf(advice, "cannot open the TPM: %w", err)
}

func dialPath(ctx context.Context, path string) (*conn, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&fs.ModeSocket == 0 {
		f, err := openDevice(path)
		if err != nil {
			return nil, err
		}
		return &conn{f}, nil
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(patience)
	}
	nc, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return &conn{nc}, nc.SetDeadline(deadline)
}

// exchange sends a command in one write, as devices demand, and reads its answer.
func (c *conn) exchange(cmd []byte) ([]byte, error) {
	if _, err := c.rw.Write(cmd); err != nil {
		return nil, fmt.Errorf("cannot send to the TPM: %w", err)
	}
	buf := make([]byte, maxResponse)
	n, err := io.ReadAtLeast(c.rw, buf, 10) // devices give the whole answer in one read
	if err != nil {
		return nil, fmt.Errorf("cannot read from the TPM: %w", err)
	}
	size := int(binary.BigEndian.Uint32(buf[2:]))
	if size < 10 || size > maxResponse || n > size {
		return nil, errors.New("the TPM's answer is malformed")
	}
	if _, err := io.ReadFull(c.rw, buf[n:size]); err != nil {
		return nil, fmt.Errorf("cannot read from the TPM: %w", err)
	}
	return buf[:size], nil
}
