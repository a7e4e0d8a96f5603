package certstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/rolecall/rolecall/internal/keysource"
)

// From wincrypt.h, bcrypt.h and ncrypt.h; golang.org/x/sys/windows has the rest.
const (
	certKeyProvInfoPropID  = 2
	certKeyContextPropID   = 5
	certNCryptHandlePropID = 78
	bcryptPadPKCS1         = 0x2
	ncryptSilentFlag       = 0x40
	nteSilentContext       = 0x80090022
	nteNoKey               = 0x8009000D
	nteBadKeyset           = 0x80090016
	nteUserCancelled       = 0x80090036
	scardCancelled         = 0x8010006E
	maxSignature           = 1024 // bytes, of RSA with 8192 bits
)

var (
	crypt32         = windows.NewLazySystemDLL("crypt32.dll")
	ncrypt          = windows.NewLazySystemDLL("ncrypt.dll")
	procGetProperty = crypt32.NewProc("CertGetCertificateContextProperty")
	procSignHash    = ncrypt.NewProc("NCryptSignHash")
	procFreeObject  = ncrypt.NewProc("NCryptFreeObject")
)

// paddingInfo is BCRYPT_PKCS1_PADDING_INFO.
type paddingInfo struct{ algorithm *uint16 }

// keyProvInfo is the beginning of CRYPT_KEY_PROV_INFO.
type keyProvInfo struct {
	container, provider *uint16
	providerType        uint32 // 0: a CNG key storage provider
	flags               uint32
	params              uint32
	_                   uintptr
	keySpec             uint32
}

func native() (system, error) { return windowsSystem{}, nil }

type windowsSystem struct{}

type windowsStore struct {
	place    place
	contexts []*windows.CertContext
}

func (windowsSystem) open(p place) (store, error) {
	contexts, err := readStore(p)
	if errors.Is(err, windows.ERROR_FILE_NOT_FOUND) {
		return nil, keysource.Errorf(`check --system-store-name; certmgr.msc and certlm.msc show what there is`, "there is no certificate store %s", p)
	}
	if err != nil {
		return nil, keysource.Errorf("", "cannot open the certificate store %s: %w", p, err)
	}
	return &windowsStore{place: p, contexts: contexts}, nil
}

// readStore gives a context for each certificate, to be freed. The store itself need not stay open.
func readStore(p place) ([]*windows.CertContext, error) {
	name, err := windows.UTF16PtrFromString(p.name)
	if err != nil {
		return nil, err
	}
	flags := uint32(windows.CERT_STORE_OPEN_EXISTING_FLAG | windows.CERT_STORE_READONLY_FLAG | windows.CERT_SYSTEM_STORE_CURRENT_USER)
	if p.machine {
		flags = windows.CERT_STORE_OPEN_EXISTING_FLAG | windows.CERT_STORE_READONLY_FLAG | windows.CERT_SYSTEM_STORE_LOCAL_MACHINE
	}
	h, err := windows.CertOpenStore(windows.CERT_STORE_PROV_SYSTEM_W, 0, 0, flags, uintptr(unsafe.Pointer(name)))
	if err != nil {
		return nil, err
	}
	defer windows.CertCloseStore(h, 0) // contexts hold the store as long as they need it
	var list []*windows.CertContext
	var c *windows.CertContext
	for {
		c, err = windows.CertEnumCertificatesInStore(h, c) // frees the one before
		switch {
		case err != nil && (errors.Is(err, windows.Errno(windows.CRYPT_E_NOT_FOUND)) || errors.Is(err, windows.ERROR_NO_MORE_FILES)):
			return list, nil
		case err == nil && len(list) == maxEntries:
			windows.CertFreeCertificateContext(c)
			err = fmt.Errorf("more than %d certificates", maxEntries)
		}
		if err != nil {
			freeContexts(list)
			return nil, err
		}
		list = append(list, windows.CertDuplicateCertificateContext(c))
	}
}

func freeContexts(list []*windows.CertContext) {
	for _, c := range list {
		windows.CertFreeCertificateContext(c)
	}
}

func (s *windowsStore) close() { freeContexts(s.contexts) }

func derOf(c *windows.CertContext) []byte {
	return append([]byte(nil), unsafe.Slice(c.EncodedCert, c.Length)...)
}

func (s *windowsStore) entries() ([]entry, error) {
	list := make([]entry, len(s.contexts))
	for i, c := range s.contexts {
		list[i] = entry{der: derOf(c), hasKey: hasProperty(c, certKeyProvInfoPropID) || hasProperty(c, certNCryptHandlePropID) || hasProperty(c, certKeyContextPropID)}
	}
	return list, nil
}

// hasProperty reports whether a certificate has a property, without reading it.
func hasProperty(c *windows.CertContext, id uintptr) bool {
	var size uint32
	ok, _, _ := procGetProperty.Call(uintptr(unsafe.Pointer(c)), id, 0, uintptr(unsafe.Pointer(&size)))
	return ok != 0
}

// issuers are the intermediate certificates of the same location; that of the current user shows the machine's too.
func (s *windowsStore) issuers() ([][]byte, error) {
	contexts, err := readStore(place{machine: s.place.machine, name: "CA"})
	if err != nil {
		return nil, nil // the chain can be completed otherwise, and the server says what is missing
	}
	defer freeContexts(contexts)
	var list [][]byte
	for _, c := range contexts {
		list = append(list, derOf(c))
	}
	return list, nil
}

// key opens the key through CNG. Keys that only an old CryptoAPI provider can open are refused: many such providers know no
// SHA-256, and software keys can be moved to a CNG provider.
func (s *windowsStore) key(i int) (nativeKey, error) {
	c := s.contexts[i]
	k := &windowsKey{context: windows.CertDuplicateCertificateContext(c)}
	var spec uint32
	err := windows.CryptAcquireCertificatePrivateKey(c, windows.CRYPT_ACQUIRE_ONLY_NCRYPT_KEY_FLAG, nil, &k.handle, &spec, &k.owned)
	if err == nil && spec != windows.CERT_NCRYPT_KEY_SPEC {
		err = errors.New("it is not a key of CNG")
	}
	if err != nil {
		k.close()
		if provider := legacyProvider(c); provider != "" {
			return nil, keysource.Errorf(`export it to a file and import that with: certutil -csp "Microsoft Software Key Storage Provider" -importpfx FILE`,
				"the private key is held by the old cryptographic provider %q, which this client does not use: %w", provider, err)
		}
		return nil, keysource.Errorf("let the user who runs this use the key: certlm.msc, All Tasks, Manage Private Keys", "cannot open the private key of %s: %w", s.place, err)
	}
	if cert, err := x509.ParseCertificate(derOf(c)); err == nil {
		_, k.elliptic = cert.PublicKey.(*ecdsa.PublicKey)
	}
	return k, nil
}

// legacyProvider is the name of the CryptoAPI provider of a key, "" if it has none or one of CNG.
func legacyProvider(c *windows.CertContext) string {
	var size uint32
	ok, _, _ := procGetProperty.Call(uintptr(unsafe.Pointer(c)), certKeyProvInfoPropID, 0, uintptr(unsafe.Pointer(&size)))
	if ok == 0 || uintptr(size) < unsafe.Sizeof(keyProvInfo{}) || size > 1<<16 {
		return ""
	}
	buffer := make([]uint64, (size+7)/8) // aligned for the pointers in it, which point into it
	ok, _, _ = procGetProperty.Call(uintptr(unsafe.Pointer(c)), certKeyProvInfoPropID, uintptr(unsafe.Pointer(&buffer[0])), uintptr(unsafe.Pointer(&size)))
	info := (*keyProvInfo)(unsafe.Pointer(&buffer[0]))
	if ok == 0 || info.providerType == 0 || info.provider == nil {
		return ""
	}
	return windows.UTF16PtrToString(info.provider)
}

type windowsKey struct {
	context  *windows.CertContext // a handle that is not owned lives as long as it does
	handle   windows.Handle       // NCRYPT_KEY_HANDLE
	owned    bool
	elliptic bool
}

func (k *windowsKey) close() {
	if k.owned {
		procFreeObject.Call(uintptr(k.handle))
		k.owned = false
	}
	if k.context != nil {
		windows.CertFreeCertificateContext(k.context)
		k.context = nil
	}
}

// sign asks silently first, and lets the provider show a window, for a PIN or a touch, only if it says that it must.
func (k *windowsKey) sign(digest []byte, hash crypto.Hash) ([]byte, error) {
	sig, status := k.signHash(digest, hash, ncryptSilentFlag)
	if status == nteSilentContext {
		sig, status = k.signHash(digest, hash, 0)
	}
	switch status {
	case 0:
	case nteUserCancelled, scardCancelled:
		return nil, errors.New("the window that asks for the use of the key was closed")
	case nteNoKey, nteBadKeyset:
		return nil, keysource.Errorf("import the certificate again together with its key", "the private key of the certificate is gone: %w", windows.Errno(status))
	default:
		return nil, fmt.Errorf("the key storage provider does not sign: %w", windows.Errno(status))
	}
	if k.elliptic {
		return encodeECDSA(sig)
	}
	return sig, nil
}

// signHash gives the provider's signature and its SECURITY_STATUS, 0 for success.
func (k *windowsKey) signHash(digest []byte, hash crypto.Hash, flags uintptr) ([]byte, uint32) {
	var padding paddingInfo
	var info unsafe.Pointer
	if !k.elliptic {
		name := map[crypto.Hash]string{crypto.SHA256: "SHA256", crypto.SHA384: "SHA384", crypto.SHA512: "SHA512"}[hash]
		padding.algorithm, _ = windows.UTF16PtrFromString(name) // constants without a zero byte
		info, flags = unsafe.Pointer(&padding), flags|bcryptPadPKCS1
	}
	out, size := make([]byte, maxSignature), uint32(0)
	status, _, _ := procSignHash.Call(uintptr(k.handle), uintptr(info), uintptr(unsafe.Pointer(&digest[0])), uintptr(len(digest)),
		uintptr(unsafe.Pointer(&out[0])), uintptr(len(out)), uintptr(unsafe.Pointer(&size)), flags)
	return out[:min(size, maxSignature)], uint32(status)
}
