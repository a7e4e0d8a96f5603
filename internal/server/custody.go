package server

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/rolecall/rolecall/internal/authority"
	"github.com/rolecall/rolecall/internal/hsm"
	"github.com/rolecall/rolecall/internal/keyring"
)

// HSM is the PKCS#11 token that keeps keys of CAs. The zero value is none.
type HSM struct {
	// Module is the file of the PKCS#11 module.
	Module string
	// Token and Serial are the token's label and serial number; one of them is required with a module.
	Token, Serial string
	// PINFile holds the user PIN; PIN is the PIN itself, for one that comes from the environment.
	PINFile, PIN string
}

func (h *HSM) check() error {
	switch {
	case h.Module == "" && (h.Token != "" || h.Serial != "" || h.PINFile != ""):
		return errors.New("--hsm-token, --hsm-serial and --hsm-pin-file go with --hsm-module")
	case h.Module == "":
		return nil
	case h.Token == "" && h.Serial == "":
		return errors.New("--hsm-module needs --hsm-token or --hsm-serial")
	case h.PINFile == "" && h.PIN == "":
		return errors.New("--hsm-module needs a PIN: --hsm-pin-file, or ROLECALLD_HSM_PIN in the environment")
	}
	return nil
}

// maxPIN bounds a PIN file, in bytes.
const maxPIN = 1024

func (h *HSM) pin() (string, error) {
	if h.PINFile == "" {
		return h.PIN, nil
	}
	data, err := os.ReadFile(h.PINFile)
	if err != nil {
		return "", fmt.Errorf("PIN of the token: %w", err)
	}
	if pin := strings.TrimRight(string(data), "\r\n"); pin != "" && len(pin) <= maxPIN {
		return pin, nil
	}
	return "", fmt.Errorf("PIN of the token: %s is empty or too long", h.PINFile)
}

// caKeys is where the keys of CAs are. close ends what runs for them.
func (c *Config) caKeys(ring *keyring.Ring) (keys authority.Keys, closer func() error, err error) {
	sealed := authority.SealedKeys{Ring: ring}
	if c.HSM.Module == "" {
		return hsm.Keys{Sealed: sealed}, func() error { return nil }, nil
	}
	pin, err := c.HSM.pin()
	if err != nil {
		return nil, nil, err
	}
	t := hsm.NewToken(hsm.Config{Module: c.HSM.Module, Label: c.HSM.Token, Serial: c.HSM.Serial, PIN: pin, Stderr: os.Stderr})
	return hsm.Keys{Sealed: sealed, Token: t}, t.Close, nil
}
