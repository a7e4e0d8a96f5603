//go:build cgo

package token

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/rolecall/rolecall/internal/keysource/pkcs11/uri"
	"github.com/rolecall/rolecall/internal/keysource/pkcs11/wire"
)

// api is what is used of a module; *pkcs11.Ctx has it, and the tests count its calls.
type api interface {
	GetInfo() (pkcs11.Info, error)
	GetSlotList(tokenPresent bool) ([]uint, error)
	GetSlotInfo(slot uint) (pkcs11.SlotInfo, error)
	GetTokenInfo(slot uint) (pkcs11.TokenInfo, error)
	OpenSession(slot, flags uint) (pkcs11.SessionHandle, error)
	CloseSession(pkcs11.SessionHandle) error
	Login(s pkcs11.SessionHandle, user uint, pin string) error
	FindObjectsInit(pkcs11.SessionHandle, []*pkcs11.Attribute) error
	FindObjects(s pkcs11.SessionHandle, limit int) ([]pkcs11.ObjectHandle, bool, error)
	FindObjectsFinal(pkcs11.SessionHandle) error
	GetAttributeValue(pkcs11.SessionHandle, pkcs11.ObjectHandle, []*pkcs11.Attribute) ([]*pkcs11.Attribute, error)
	SignInit(pkcs11.SessionHandle, []*pkcs11.Mechanism, pkcs11.ObjectHandle) error
	Sign(pkcs11.SessionHandle, []byte) ([]byte, error)
	GenerateKeyPair(s pkcs11.SessionHandle, m []*pkcs11.Mechanism, public, private []*pkcs11.Attribute) (pkcs11.ObjectHandle, pkcs11.ObjectHandle, error)
	DestroyObject(pkcs11.SessionHandle, pkcs11.ObjectHandle) error
	Finalize() error
	Destroy()
}

type module struct {
	api
	path string
}

// modulePath decides which module to load: the URI's, the flag's, or p11-kit's proxy for all that are configured.
func modulePath(flag string, uris ...*uri.URI) (string, error) {
	path := ""
	for _, u := range uris {
		if u == nil {
			continue
		}
		p := u.ModulePath
		if p == "" && u.ModuleName != "" {
			p = u.ModuleName + suffix()
		}
		if p != "" && path != "" && p != path {
			return "", problem("name the same module in both", "the URIs of the certificate and the private key name different modules")
		}
		if p != "" {
			path = p
		}
	}
	if path != "" {
		return path, nil
	}
	if flag != "" {
		return flag, nil
	}
	return "p11-kit-proxy" + suffix(), nil
}

func suffix() string {
	switch runtime.GOOS {
	case "windows":
		return ".dll"
	case "darwin":
		return ".dylib"
	}
	return ".so"
}

// found looks a bare file name up where distributions put modules; the system's loader knows only its own folders.
func found(name string) string {
	if strings.ContainsAny(name, `/\`) {
		return name
	}
	for _, pattern := range []string{"/usr/lib/*/pkcs11", "/usr/lib64/pkcs11", "/usr/lib/pkcs11", "/usr/lib/*", "/usr/lib64",
		"/usr/lib", "/usr/local/lib", "/usr/local/lib/pkcs11", "/opt/homebrew/lib", "/opt/homebrew/lib/pkcs11"} {
		for _, try := range []string{name, "lib" + name} {
			if m, err := filepath.Glob(filepath.Join(pattern, try)); err == nil && len(m) > 0 {
				return m[0]
			}
		}
	}
	return name
}

func loadModule(path string, wrap func(api) api) (*module, error) {
	file := found(path)
	if strings.ContainsAny(file, `/\`) {
		if _, err := os.Stat(file); err != nil {
			return nil, problem("check --pkcs11-lib or the URI's module-path", "cannot load the PKCS#11 module %s: %w", path, unwrapPath(err))
		}
	}
	ctx := pkcs11.New(file)
	if ctx == nil {
		return nil, problem("pass --pkcs11-lib FILE with the module of the token's maker; it must be for this processor architecture",
			"cannot load the PKCS#11 module %s", path)
	}
	if err := ctx.Initialize(); err != nil && !isCode(err, pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED) {
		ctx.Destroy()
		return nil, problem("", "the PKCS#11 module %s does not start: %w", path, err)
	}
	m := &module{api: ctx, path: path}
	if wrap != nil {
		m.api = wrap(ctx)
	}
	return m, nil
}

func (m *module) close() {
	_ = m.Finalize() // the process ends or loads another module; nothing depends on it
	m.Destroy()
}

// session is an open session with a token.
type session struct {
	*module
	handle        pkcs11.SessionHandle
	label, serial string
	flags         uint // of the token
}

func (s *session) close() { _ = s.CloseSession(s.handle) } // a token that is gone has closed it

// sessions opens one with every token that the URI fits. There is at least one.
func (m *module) sessions(u *uri.URI) ([]*session, error) {
	if !m.libraryFits(u) {
		return nil, problem("check the library- attributes of the URI", "the PKCS#11 module %s is not the one that the URI describes", m.path)
	}
	slots, err := m.GetSlotList(true)
	if err != nil {
		return nil, problem("", "the PKCS#11 module does not list its slots: %w", err)
	}
	var out []*session
	var seen []string
	for _, slot := range slots {
		info, err := m.GetTokenInfo(slot)
		if err != nil || info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			continue
		}
		seen = append(seen, clean(info.Label))
		if !m.slotFits(u, slot, &info) {
			continue
		}
		h, err := m.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
		if err != nil {
			closeAll(out)
			return nil, problem("", "cannot open a session with the token %q: %w", clean(info.Label), err)
		}
		out = append(out, &session{module: m, handle: h, label: clean(info.Label), serial: clean(info.SerialNumber), flags: info.Flags})
	}
	if len(out) == 0 {
		return nil, problem("check that the token is plugged in and the URI names it; pkcs11-tool --list-slots shows what there is",
			"no token fits the PKCS#11 URI; there are %d: %q", len(seen), seen)
	}
	return out, nil
}

func closeAll(list []*session) {
	for _, s := range list {
		s.close()
	}
}

func (m *module) libraryFits(u *uri.URI) bool {
	if u.LibraryManufacturer == nil && u.LibraryDescription == nil && u.LibraryVersion == nil {
		return true
	}
	info, err := m.GetInfo()
	if err != nil {
		return false
	}
	version := itoa(info.LibraryVersion.Major) + "." + itoa(info.LibraryVersion.Minor)
	return fits(u.LibraryManufacturer, info.ManufacturerID) && fits(u.LibraryDescription, info.LibraryDescription) &&
		(u.LibraryVersion == nil || *u.LibraryVersion == version || *u.LibraryVersion+".0" == version)
}

func (m *module) slotFits(u *uri.URI, slot uint, t *pkcs11.TokenInfo) bool {
	if u.SlotID != nil && *u.SlotID != slot {
		return false
	}
	if !fits(u.Token, t.Label) || !fits(u.Manufacturer, t.ManufacturerID) || !fits(u.Serial, t.SerialNumber) || !fits(u.Model, t.Model) {
		return false
	}
	if u.SlotDescription == nil && u.SlotManufacturer == nil {
		return true
	}
	info, err := m.GetSlotInfo(slot)
	return err == nil && fits(u.SlotDescription, info.SlotDescription) && fits(u.SlotManufacturer, info.ManufacturerID)
}

// fits compares with a text that PKCS#11 pads with spaces to a fixed length.
func fits(want *string, have string) bool { return want == nil || clean(*want) == clean(have) }

func clean(s string) string { return strings.TrimRight(s, " \x00") }

// login unlocks the private objects of the token, if it wants that. The PIN is tried once.
func (s *session) login(pin *string) error {
	if s.flags&pkcs11.CKF_LOGIN_REQUIRED == 0 {
		return nil
	}
	switch {
	case s.flags&pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH != 0:
		pin = new(string) // it is entered at the reader
	case pin == nil:
		return &needPIN{wire.NeedUserPIN, s.label}
	case s.flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return problem("unlock it with the tools of its maker", "the PIN of the token %q is locked", s.label)
	}
	return s.explainLogin(s.Login(s.handle, pkcs11.CKU_USER, *pin))
}

func (s *session) explainLogin(err error) error {
	switch {
	case err == nil, isCode(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN):
		return nil
	case isCode(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE):
		return &failure{fmt.Errorf("the PIN of the token %q is wrong", s.label), "check the PIN; the token locks itself after a few wrong ones", true}
	case isCode(err, pkcs11.CKR_PIN_LOCKED):
		return &failure{fmt.Errorf("the PIN of the token %q is locked", s.label), "unlock it with the tools of its maker", true}
	}
	return &failure{fmt.Errorf("the token %q refuses the login: %w", s.label, err), "", true}
}
