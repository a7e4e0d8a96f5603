package tpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"
)

// handle is a TPM_HANDLE (part 2 §7).
type handle uint32

const (
	handleOwner       handle = 0x40000001
	handleNull        handle = 0x40000007
	handleEndorsement handle = 0x4000000B
	handlePlatform    handle = 0x4000000C
	handlePassword    handle = 0x40000009 // TPM_RS_PW
	rangePersistent          = 0x81
)

func (h handle) hierarchy() bool {
	return h == handleOwner || h == handleNull || h == handleEndorsement || h == handlePlatform
}

// storage reports whether h can be the parent of a key in a file.
func (h handle) storage() bool { return h.hierarchy() || h>>24 == rangePersistent }

// Command codes (part 2 §6.5.2) and structure tags.
const (
	ccCreatePrimary = 0x131
	ccLoad          = 0x157
	ccSign          = 0x15D
	ccFlushContext  = 0x165
	ccReadPublic    = 0x173

	tagNoSessions = 0x8001
	tagSessions   = 0x8002
	tagHashCheck  = 0x8024
)

// maxAuth bounds a password, in bytes; TPMs take at most the size of a digest.
const maxAuth = 64

// command is one command: its handles, the passwords of those that need one, and its parameters.
type command struct {
	code    uint32
	handles []handle
	auth    [][]byte // one per leading handle that is authorised; nil: no sessions
	params  []byte
}

func (c *command) encode() []byte {
	tag := uint16(tagNoSessions)
	if c.auth != nil {
		tag = tagSessions
	}
	b := binary.BigEndian.AppendUint16(nil, tag)
	b = append(b, 0, 0, 0, 0) // size
	b = binary.BigEndian.AppendUint32(b, c.code)
	for _, h := range c.handles {
		b = binary.BigEndian.AppendUint32(b, uint32(h))
	}
	if c.auth != nil {
		var area []byte
		for _, password := range c.auth {
			area = binary.BigEndian.AppendUint32(area, uint32(handlePassword))
			area = append(area, 0, 0, 0) // nonce, attributes
			area = appendSized(area, password)
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(area)))
		b = append(b, area...)
	}
	b = append(b, c.params...)
	binary.BigEndian.PutUint32(b[2:], uint32(len(b)))
	return b
}

func appendSized(b, inner []byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(len(inner))), inner...)
}

// response gives the handle (if the command returns one) and the parameters of an answer.
func response(b []byte, withHandle bool) (handle, *reader, error) {
	r := &reader{b: b}
	tag, size, code := r.u16(), r.u32(), r.u32()
	if r.failed || int(size) != len(b) || tag != tagSessions && tag != tagNoSessions {
		return 0, nil, errors.New("the TPM's answer is malformed")
	}
	if code != 0 {
		return 0, nil, returnCode(code)
	}
	var h handle
	if withHandle {
		h = handle(r.u32())
	}
	if tag == tagSessions {
		n := r.u32()
		if r.failed || uint64(n) > uint64(len(r.b)) {
			return 0, nil, errors.New("the TPM's answer is malformed")
		}
		r.b = r.b[:n]
	}
	if r.failed {
		return 0, nil, errors.New("the TPM's answer is malformed")
	}
	return h, r, nil
}

// run sends a command, again while the TPM is busy with itself.
func (c *conn) run(cmd *command, withHandle bool) (handle, *reader, error) {
	for attempt := 0; ; attempt++ {
		b, err := c.exchange(cmd.encode())
		if err != nil {
			return 0, nil, err
		}
		h, r, err := response(b, withHandle)
		var code returnCode
		if errors.As(err, &code) && code.busy() && attempt < 20 {
			time.Sleep(time.Duration(attempt+1) * 20 * time.Millisecond)
			continue
		}
		return h, r, err
	}
}

func (c *conn) readPublic(h handle) ([]byte, error) {
	_, r, err := c.run(&command{code: ccReadPublic, handles: []handle{h}}, false)
	if err != nil {
		return nil, explain(err, fmt.Sprintf("the key 0x%08x", uint32(h)))
	}
	area := r.bytes()
	if r.failed {
		return nil, errors.New("the TPM's answer is malformed")
	}
	return area, nil
}

func (c *conn) createPrimary(hierarchy handle, template []byte) (handle, error) {
	params := []byte{0, 4, 0, 0, 0, 0} // no password, no data
	params = appendSized(params, template)
	params = append(params, 0, 0, 0, 0, 0, 0) // no outside information, no PCRs
	h, _, err := c.run(&command{ccCreatePrimary, []handle{hierarchy}, [][]byte{nil}, params}, true)
	return h, err
}

func (c *conn) load(parent handle, k *key) (handle, error) {
	params := append(append([]byte{}, k.privateArea...), k.publicArea...)
	h, _, err := c.run(&command{ccLoad, []handle{parent}, [][]byte{nil}, params}, true)
	return h, err
}

// flush removes a transient object. An error is of no consequence for the result; resource managers flush at close too.
func (c *conn) flush(h handle) {
	_, _, _ = c.run(&command{code: ccFlushContext, params: binary.BigEndian.AppendUint32(nil, uint32(h))}, false)
}

// sign gives the TPMT_SIGNATURE.
func (c *conn) sign(h handle, password, digest []byte, scheme, hash algorithm) (*reader, error) {
	params := appendSized(nil, digest)
	params = binary.BigEndian.AppendUint16(params, uint16(scheme))
	params = binary.BigEndian.AppendUint16(params, uint16(hash))
	params = binary.BigEndian.AppendUint16(params, tagHashCheck) // no ticket: the key is not restricted
	params = binary.BigEndian.AppendUint32(params, uint32(handleNull))
	params = append(params, 0, 0)
	_, r, err := c.run(&command{ccSign, []handle{h}, [][]byte{password}, params}, false)
	return r, err
}
