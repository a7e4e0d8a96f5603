package revocation

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"math/big"
	"net/http"
	"runtime"
	"runtime/metrics"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// largeCRL is a list of n entries as CAs write them: 20 byte serial numbers and a reason.
func largeCRL(t testing.TB, ca *testCA, n int) (der []byte, last *big.Int) {
	t.Helper()
	now, serials := time.Now(), make([]byte, n*20)
	rand.Read(serials)
	algorithm := func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes([]byte{6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2}) }) // ECDSA with SHA-256
	}
	var tbs cryptobyte.Builder
	tbs.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		algorithm(b)
		b.AddBytes(ca.cert.RawSubject)
		b.AddASN1UTCTime(now.Add(-time.Minute))
		b.AddASN1UTCTime(now.Add(time.Hour))
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			date := []byte(now.UTC().Format("060102150405Z"))
			for i := range n {
				serial := serials[i*20 : i*20+20]
				serial[0] = serial[0]&0x7f | 0x40 // positive and minimal
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(serial) })
					b.AddASN1(cbasn1.UTCTime, func(b *cryptobyte.Builder) { b.AddBytes(date) })
					b.AddBytes([]byte{0x30, 12, 0x30, 10, 6, 3, 0x55, 0x1d, 0x15, 4, 3, 10, 1, 1})
				})
			}
		})
	})
	signed, err := tbs.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(signed)
	signature, err := ecdsa.SignASN1(rand.Reader, ca.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(signed)
		algorithm(b)
		b.AddASN1BitString(signature)
	})
	if der, err = out.Bytes(); err != nil {
		t.Fatal(err)
	}
	return der, new(big.Int).SetBytes(serials[len(serials)-20:])
}

func heapObjects() uint64 {
	m := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(m)
	return m[0].Value.Uint64()
}

// peakHeap is the most that fn adds to the heap, garbage included, in bytes.
func peakHeap(fn func()) uint64 {
	runtime.GC()
	runtime.GC()
	base := heapObjects()
	var peak atomic.Uint64
	peak.Store(base)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			case <-time.After(100 * time.Microsecond):
				peak.Store(max(peak.Load(), heapObjects()))
			}
		}
	}()
	fn()
	peak.Store(max(peak.Load(), heapObjects()))
	close(stop)
	<-stopped
	return peak.Load() - base
}

// A list of 500,000 entries needs little more memory than its size while it is fetched and parsed, and later.
func TestMemoryOfALargeList(t *testing.T) {
	ca := makeCert(t, nil, isCA)
	der, last := largeCRL(t, ca, 500_000)
	for name, c := range map[string]struct {
		announced bool
		most      float64 // times the list's size
	}{"announced": {true, 1.6}, "not announced": {false, 2.7}} {
		src := newSource(t, func(w http.ResponseWriter, _ *http.Request) {
			if c.announced {
				w.Header().Set("Content-Length", strconv.Itoa(len(der)))
			}
			for at := 0; at < len(der); at += 1 << 16 {
				w.Write(der[at:min(len(der), at+1<<16)])
			}
		})
		checker, _ := newTestChecker(t, src.host())
		var l *list
		var err error
		peak := peakHeap(func() { l, err = checker.load(t.Context(), src.URL+"/ca.crl", ca.cert, nil) })
		if err != nil {
			t.Fatal(err)
		}
		size := float64(len(der))
		t.Logf("%s: %d bytes, peak %.2f times that", name, len(der), float64(peak)/size)
		if float64(peak) > c.most*size {
			t.Errorf("%s: a peak of %d bytes for a list of %d", name, peak, len(der))
		}
		if yes, reason := l.crl.Revoked(last, ca.cert.RawSubject); !yes || reason != "keyCompromise" || l.crl.Len() != 500_000 {
			t.Errorf("%s: %t %s of %d", name, yes, reason, l.crl.Len())
		}
	}
}
