package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// keyKind is a kind of certificate key.
type keyKind string

const (
	p256    keyKind = "P-256"
	rsa2048 keyKind = "RSA-2048"
)

func newKey(kind keyKind) (crypto.Signer, error) {
	if kind == rsa2048 {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
}

func verify(pub crypto.PublicKey, digest, sig []byte) bool {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, sig)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, sig) == nil
	}
	return false
}

// primitive times raw verifications with one key of each kind.
type primitive struct {
	digest [32]byte
	keys   map[keyKind]crypto.PublicKey
	sigs   map[keyKind][]byte
}

func newPrimitive() (*primitive, error) {
	p := &primitive{digest: sha256.Sum256([]byte("bench")), keys: map[keyKind]crypto.PublicKey{}, sigs: map[keyKind][]byte{}}
	for _, kind := range []keyKind{p256, rsa2048} {
		key, err := newKey(kind)
		if err != nil {
			return nil, err
		}
		if p.sigs[kind], err = key.Sign(rand.Reader, p.digest[:], crypto.SHA256); err != nil {
			return nil, err
		}
		p.keys[kind] = key.Public()
	}
	return p, nil
}

// rawTimes is the CPU time of one raw verification.
type rawTimes struct{ p256, rsa2048 time.Duration }

func (r rawTimes) of(kind keyKind) time.Duration {
	if kind == rsa2048 {
		return r.rsa2048
	}
	return r.p256
}

func mean(a, b rawTimes) rawTimes {
	return rawTimes{p256: (a.p256 + b.p256) / 2, rsa2048: (a.rsa2048 + b.rsa2048) / 2}
}

// rawWindow is how long each primitive is timed for.
const rawWindow = 150 * time.Millisecond

func (p *primitive) times() (rawTimes, error) {
	a, err := p.time(p256)
	if err != nil {
		return rawTimes{}, err
	}
	b, err := p.time(rsa2048)
	return rawTimes{a, b}, err
}

// time is the CPU time of one verification on one thread, which other programs on the machine do not lengthen the way
// they lengthen wall time.
func (p *primitive) time(kind keyKind) (time.Duration, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start, err := cpuTime(unix.RUSAGE_THREAD)
	if err != nil {
		return 0, err
	}
	n := 0
	for {
		for range 200 {
			if !verify(p.keys[kind], p.digest[:], p.sigs[kind]) {
				return 0, errors.New("raw verification failed")
			}
		}
		n += 200
		now, err := cpuTime(unix.RUSAGE_THREAD)
		if err != nil {
			return 0, err
		}
		if now-start >= rawWindow {
			return (now - start) / time.Duration(n), nil
		}
	}
}

// cpuTime is the user and system time of this process or thread.
func cpuTime(who int) (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(who, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// syncTime is the wall time of appending one record to a file in dir and syncing its data, on an idle disk.
func syncTime(dir string) (time.Duration, error) {
	f, err := os.Create(filepath.Join(dir, "sync-probe"))
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const rounds = 100
	record := make([]byte, 2048)
	start := time.Now()
	for range rounds {
		if _, err := f.Write(record); err != nil {
			return 0, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return 0, err
		}
	}
	return time.Since(start) / rounds, nil
}
