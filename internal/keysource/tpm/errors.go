package tpm

import (
	"errors"
	"fmt"

	"github.com/rolecall/rolecall/internal/keysource"
)

// returnCode is a TPM_RC (part 2 §6.6) other than success.
type returnCode uint32

// base drops which handle, session or parameter a format-one code is about.
func (c returnCode) base() returnCode {
	if c&0x80 != 0 {
		return c & 0xBF
	}
	return c
}

const (
	rcHash       returnCode = 0x083
	rcValue      returnCode = 0x084
	rcHierarchy  returnCode = 0x085
	rcHandle     returnCode = 0x08B
	rcAuthFail   returnCode = 0x08E
	rcScheme     returnCode = 0x092
	rcIntegrity  returnCode = 0x09F
	rcBadAuth    returnCode = 0x0A2
	rcInitialize returnCode = 0x100
	rcMemory     returnCode = 0x902
	rcReference  returnCode = 0x910
	rcLockout    returnCode = 0x921
)

// busy is true for YIELDED, TESTING and RETRY.
func (c returnCode) busy() bool { return c == 0x908 || c == 0x90A || c == 0x922 }

func (c returnCode) Error() string { return fmt.Sprintf("TPM return code 0x%03x", uint32(c)) }

// explain puts a return code into words. what is the object that was used.
func explain(err error, what string) error {
	var c returnCode
	if !errors.As(err, &c) {
		return err
	}
	wrap := func(advice, text string) error {
		return keysource.Errorf(advice, "%s: %s (%w)", what, text, c)
	}
	switch c.base() {
	case rcAuthFail, rcBadAuth:
		return wrap("check the password; the TPM locks itself after a few wrong ones", "the password is wrong")
	case rcLockout:
		return wrap("wait, or clear it with tpm2_dictionarylockout --clear-lockout", "the TPM is locked after wrong passwords")
	case rcHandle, rcReference:
		return wrap("tpm2_getcap handles-persistent lists those that there are", "the TPM has no such key")
	case rcIntegrity:
		return wrap("use the TPM that the key was made with, and one that has not been cleared since", "the key does not belong to this TPM or its parent")
	case rcHash, rcScheme, rcValue:
		return wrap("use SHA-256, or a key without a fixed scheme", "the TPM or the key does not support this kind of signature")
	case rcHierarchy:
		return wrap("the hierarchy must be enabled and have no password", "the hierarchy cannot be used")
	case rcInitialize:
		return wrap("the firmware or the simulator must start the TPM", "the TPM has not been started")
	case rcMemory:
		return wrap("use the resource manager: TPM_DEVICE=/dev/tpmrm0", "the TPM's memory is full")
	}
	return wrap("tpm2_rc_decode explains the code", "the TPM refuses")
}
