package certstore

import (
	"fmt"
	"sync"
	"syscall"
	"unsafe"
)

// The frameworks are loaded with dlopen, which is imported from libSystem as golang.org/x/sys/unix imports its functions:
// by a linker directive and a jump in assembly. So the program needs neither cgo nor Apple's linker.

//go:cgo_import_dynamic libc_dlopen dlopen "/usr/lib/libSystem.B.dylib"
//go:cgo_import_dynamic libc_dlsym dlsym "/usr/lib/libSystem.B.dylib"

var dlopenAddress, dlsymAddress uintptr // set in library_darwin.s

// syscall6X calls a C function of up to six integer or pointer arguments on a system stack.
//
//go:linkname syscall6X syscall.syscall6X
func syscall6X(fn, a1, a2, a3, a4, a5, a6 uintptr) (r1, r2 uintptr, err syscall.Errno)

const (
	security = "/System/Library/Frameworks/Security.framework/Versions/A/Security" // its dependencies, CoreFoundation too, come with it
	rtldLazy = 0x1
)

// library is a loaded framework.
type library struct {
	handle uintptr

	mu      sync.Mutex // guards symbols
	symbols map[string]uintptr
}

var loadSecurity = sync.OnceValues(func() (*library, error) {
	path := append([]byte(security), 0)
	h, _, _ := syscall6X(dlopenAddress, uintptr(unsafe.Pointer(&path[0])), rtldLazy, 0, 0, 0, 0)
	if h == 0 {
		return nil, fmt.Errorf("cannot load %s", security)
	}
	l := &library{handle: h, symbols: map[string]uintptr{}}
	for _, name := range symbolNames() { // all at once: nothing can be missing later
		symbol := append([]byte(name), 0)
		address, _, _ := syscall6X(dlsymAddress, h, uintptr(unsafe.Pointer(&symbol[0])), 0, 0, 0, 0)
		if address == 0 {
			return nil, fmt.Errorf("this version of macOS lacks %s", name)
		}
		l.symbols[name] = address
	}
	return l, nil
})

// symbolNames are the functions and constants that are used.
func symbolNames() []string {
	return []string{
		"CFRelease", "CFArrayGetCount", "CFArrayGetValueAtIndex", "CFDataCreate", "CFDataGetLength", "CFDataGetBytePtr",
		"CFDictionaryCreate", "CFErrorGetCode", "kCFBooleanTrue", "kCFTypeDictionaryKeyCallBacks", "kCFTypeDictionaryValueCallBacks",
		"SecItemCopyMatching", "SecIdentityCopyCertificate", "SecIdentityCopyPrivateKey", "SecCertificateCopyData", "SecKeyCreateSignature",
		"kSecClass", "kSecClassIdentity", "kSecClassCertificate", "kSecReturnRef", "kSecMatchLimit", "kSecMatchLimitAll",
		"kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA256", "kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA384", "kSecKeyAlgorithmRSASignatureDigestPKCS1v15SHA512",
		"kSecKeyAlgorithmECDSASignatureDigestX962SHA256", "kSecKeyAlgorithmECDSASignatureDigestX962SHA384", "kSecKeyAlgorithmECDSASignatureDigestX962SHA512",
	}
}

// address is where a symbol is. One that symbolNames does not have is a mistake in this package.
func (l *library) address(name string) uintptr {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.symbols[name]
	if a == 0 {
		panic("certstore: unlisted symbol " + name)
	}
	return a
}

// call calls a function. Pointers converted to uintptr in the call stay where they are until it returns.
//
//go:uintptrescapes
func (l *library) call(name string, args ...uintptr) uintptr {
	var a [6]uintptr
	copy(a[:], args)
	r, _, _ := syscall6X(l.address(name), a[0], a[1], a[2], a[3], a[4], a[5])
	return r
}

// constant is the value of a variable of pointer size, such as a CFStringRef.
func (l *library) constant(name string) uintptr {
	a := l.address(name)
	return **(**uintptr)(unsafe.Pointer(&a)) // the memory is C's, so its address may be an integer
}
