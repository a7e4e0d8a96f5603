package certstore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"unsafe"

	"github.com/rolecall/rolecall/internal/keysource"
)

// From SecBase.h.
const (
	errSecSuccess               = 0
	errSecItemNotFound          = -25300
	errSecInteractionNotAllowed = -25308
	errSecAuthFailed            = -25293
	errSecUserCanceled          = -128
)

func native() (system, error) {
	lib, err := loadSecurity()
	if err != nil {
		return nil, keysource.Errorf("pass --certificate and --private-key", "unable to use cert store signer on darwin: %w", err)
	}
	return &keychains{lib}, nil
}

// keychains are those of the user's search list: login, System and what else there is.
type keychains struct{ lib *library }

type keychainStore struct {
	lib        *library
	identities uintptr // CFArray of SecIdentity; 0: none
	count      int
}

func (k *keychains) open(p place) (store, error) {
	if p.machine || p.name != "MY" {
		return nil, keysource.Errorf("leave --system-store-name out", "macOS has no certificate store %s: the keychains of the search list are looked through", p)
	}
	list, n, err := k.lib.matching("kSecClassIdentity")
	if err != nil {
		return nil, err
	}
	return &keychainStore{lib: k.lib, identities: list, count: n}, nil
}

// matching gives references to all items of a class: a CFArray to be released, or 0, and its length.
func (l *library) matching(class string) (list uintptr, n int, err error) {
	keys := [3]uintptr{l.constant("kSecClass"), l.constant("kSecReturnRef"), l.constant("kSecMatchLimit")}
	values := [3]uintptr{l.constant(class), l.constant("kCFBooleanTrue"), l.constant("kSecMatchLimitAll")}
	query := l.call("CFDictionaryCreate", 0, uintptr(unsafe.Pointer(&keys)), uintptr(unsafe.Pointer(&values)), 3,
		l.address("kCFTypeDictionaryKeyCallBacks"), l.address("kCFTypeDictionaryValueCallBacks"))
	if query == 0 {
		return 0, 0, errors.New("CFDictionaryCreate failed")
	}
	defer l.release(query)
	switch status := int32(l.call("SecItemCopyMatching", query, uintptr(unsafe.Pointer(&list)))); status {
	case errSecSuccess:
	case errSecItemNotFound:
		return 0, 0, nil
	default:
		return 0, 0, statusError("cannot read the keychain", int(status))
	}
	n = int(l.call("CFArrayGetCount", list))
	if n > maxEntries {
		l.release(list)
		return 0, 0, fmt.Errorf("the keychains hold more than %d certificates", maxEntries)
	}
	return list, n, nil
}

func statusError(what string, status int) error {
	switch status {
	case errSecInteractionNotAllowed:
		return keysource.Errorf("unlock the keychain: security unlock-keychain", "%s: it is locked, and there is no window to ask in", what)
	case errSecUserCanceled, errSecAuthFailed:
		return keysource.Errorf("allow the use of the key when asked", "%s: it was not allowed", what)
	}
	return keysource.Errorf("security error "+fmt.Sprint(status)+" explains the number", "%s: OSStatus %d", what, status)
}

func (l *library) release(ref uintptr) {
	if ref != 0 {
		l.call("CFRelease", ref)
	}
}

// data copies a CFData and releases it.
func (l *library) data(ref uintptr) []byte {
	if ref == 0 {
		return nil
	}
	defer l.release(ref)
	n, p := int(l.call("CFDataGetLength", ref)), l.call("CFDataGetBytePtr", ref)
	if p == 0 || n <= 0 {
		return nil
	}
	return append([]byte(nil), unsafe.Slice(*(**byte)(unsafe.Pointer(&p)), n)...)
}

func (s *keychainStore) close() { s.lib.release(s.identities) }

func (s *keychainStore) entries() ([]entry, error) {
	list := make([]entry, 0, s.count)
	for i := range s.count {
		der, err := s.certificate(i)
		if err != nil {
			return nil, err
		}
		list = append(list, entry{der: der, hasKey: true}) // an identity is a certificate with its key
	}
	return list, nil
}

func (s *keychainStore) certificate(i int) ([]byte, error) {
	identity := s.lib.call("CFArrayGetValueAtIndex", s.identities, uintptr(i))
	var cert uintptr
	if status := int32(s.lib.call("SecIdentityCopyCertificate", identity, uintptr(unsafe.Pointer(&cert)))); status != errSecSuccess {
		return nil, statusError("cannot read a certificate of the keychain", int(status))
	}
	defer s.lib.release(cert)
	return s.lib.data(s.lib.call("SecCertificateCopyData", cert)), nil
}

// issuers are all certificates of the keychains; those that belong into the chain are found by signature.
func (s *keychainStore) issuers() ([][]byte, error) {
	list, n, err := s.lib.matching("kSecClassCertificate")
	if err != nil {
		return nil, nil // the chain can be completed otherwise, and the server says what is missing
	}
	defer s.lib.release(list)
	var certs [][]byte
	for i := range n {
		cert := s.lib.call("CFArrayGetValueAtIndex", list, uintptr(i))
		certs = append(certs, s.lib.data(s.lib.call("SecCertificateCopyData", cert)))
	}
	return certs, nil
}

func (s *keychainStore) key(i int) (nativeKey, error) {
	der, err := s.certificate(i)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	identity := s.lib.call("CFArrayGetValueAtIndex", s.identities, uintptr(i))
	k := &keychainKey{lib: s.lib}
	if status := int32(s.lib.call("SecIdentityCopyPrivateKey", identity, uintptr(unsafe.Pointer(&k.ref)))); status != errSecSuccess {
		return nil, statusError("cannot open the private key in the keychain", int(status))
	}
	_, k.elliptic = cert.PublicKey.(*ecdsa.PublicKey)
	return k, nil
}

type keychainKey struct {
	lib      *library
	ref      uintptr // SecKey
	elliptic bool
}

func (k *keychainKey) close() {
	k.lib.release(k.ref)
	k.ref = 0
}

// sign may show a window of the system that asks the user.
func (k *keychainKey) sign(digest []byte, hash crypto.Hash) ([]byte, error) {
	bits := map[crypto.Hash]string{crypto.SHA256: "256", crypto.SHA384: "384", crypto.SHA512: "512"}[hash]
	algorithm := "kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA" + bits
	if k.elliptic {
		algorithm = "kSecKeyAlgorithmECDSASignatureDigestX962SHA" + bits
	}
	in := k.lib.call("CFDataCreate", 0, uintptr(unsafe.Pointer(&digest[0])), uintptr(len(digest)))
	if in == 0 {
		return nil, errors.New("CFDataCreate failed")
	}
	defer k.lib.release(in)
	var failure uintptr // CFError
	sig := k.lib.data(k.lib.call("SecKeyCreateSignature", k.ref, k.lib.constant(algorithm), in, uintptr(unsafe.Pointer(&failure))))
	if failure != 0 {
		defer k.lib.release(failure)
		return nil, statusError("the keychain does not sign", int(k.lib.call("CFErrorGetCode", failure)))
	}
	if sig == nil {
		return nil, errors.New("the keychain gives no signature")
	}
	return sig, nil
}
