package blockedkeys

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// listOf is a list of one file.
func listOf(t testing.TB, lines ...string) *List {
	t.Helper()
	l, err := Open([]string{write(t, filepath.Join(t.TempDir(), "list"), lines...)})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func write(t testing.TB, path string, lines ...string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func rsaKey(t testing.TB) *rsa.PublicKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return &k.PublicKey
}

func ecKey(t testing.TB, c elliptic.Curve) *ecdsa.PublicKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &k.PublicKey
}

// A modulus that Debian's OpenSSL made, with its line in openssl-blacklist: Boulder tested its reader of that list with it.
func TestDebianKey(t *testing.T) {
	const modulus = "D673252AF6723C3F72529403EAB7C30DEF3C52F97E799825F4A70191C616ADCF1ECE1113F1625971074C492C592025FDEADBDB146A081826BDF0D77C3C913DCF" +
		"1B6F0B3B78F5108D2E493AD0EEE8CA5C021711ADC13D358E61133870FCD19C8E5C22403959782AA82E72AEE53A3D491E3912CE27B27E1A85EA69C19A527D28F7" +
		"934C9823B7E56FDD657DAC83FDC65BB22A98D843DF73238919781B714C81A5E2AFEC71F5C54AA2A27C590AD94C03C1062D50EFCFFAC743E3C8A3AE056846A1D7" +
		"56EB862BF4224169D467C35215ADE0AFCC11E85FE629AFB802C4786FF2E9C929BCCF502B3D3B8876C6A11785CC398B389F1D86BDD9CB0BD4EC13956EC3FA270D"
	n, ok := new(big.Int).SetString(modulus, 16)
	if !ok {
		t.Fatal("no number")
	}
	l := listOf(t, "# openssl-blacklist", "8df20e6961a16398b85a")
	for _, e := range []int{3, 65537} { // the exponent does not help
		if !l.Contains(&rsa.PublicKey{N: n, E: e}) {
			t.Errorf("the key with exponent %d is not recognised", e)
		}
	}
	if l.Contains(rsaKey(t)) || l.Contains(ecKey(t, elliptic.P256())) {
		t.Error("another key is blocked")
	}
}

// run gives a program its input and returns what it prints.
func run(t *testing.T, in []byte, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.Command(name, args...)
	var errs bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v %s", name, strings.Join(args, " "), err, errs.Bytes())
	}
	return out
}

// digest has OpenSSL hash what it is given.
func digest(t *testing.T, hash string, in []byte) string {
	t.Helper()
	sum, _, _ := strings.Cut(string(run(t, in, "openssl", "dgst", "-r", "-"+hash)), " ")
	return sum
}

func spkiPEM(t *testing.T, pub crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
}

// The entries as the real tools make them.
func TestEntriesOfOpenSSL(t *testing.T) {
	key, other := rsaKey(t), rsaKey(t)
	text := spkiPEM(t, key)
	modulus := run(t, text, "openssl", "rsa", "-pubin", "-noout", "-modulus")
	raw, err := hex.DecodeString(strings.TrimSpace(strings.TrimPrefix(string(modulus), "Modulus=")))
	if err != nil {
		t.Fatal(err)
	}
	ssh := filepath.Join(t.TempDir(), "key.pub")
	if err := os.WriteFile(ssh, run(t, nil, "ssh-keygen", "-i", "-m", "PKCS8", "-f", writeKey(t, text)), 0o600); err != nil {
		t.Fatal(err)
	}
	md5 := strings.Fields(string(run(t, nil, "ssh-keygen", "-l", "-E", "md5", "-f", ssh)))[1]
	md5 = strings.ReplaceAll(strings.TrimPrefix(md5, "MD5:"), ":", "")
	entries := map[string]string{
		"SubjectPublicKeyInfo": digest(t, "sha256", run(t, text, "openssl", "pkey", "-pubin", "-outform", "DER")),
		"modulus":              digest(t, "sha256", raw),
		"badkeys":              digest(t, "sha256", raw)[:30],
		"openssl-blacklist":    digest(t, "sha1", modulus)[20:],
		"openssh-blacklist":    md5[12:],
	}
	for name, entry := range entries {
		for _, l := range []*List{listOf(t, entry), listOf(t, strings.ToUpper(entry)), listOf(t, "# a list", "", "  "+entry+" \r", strings.Repeat("0", len(entry)))} {
			if !l.Contains(key) {
				t.Errorf("%s %s: the key is not recognised", name, entry)
			}
			if l.Contains(other) {
				t.Errorf("%s %s: another key is blocked", name, entry)
			}
		}
		for _, i := range []int{0, len(entry)/2 - 1, len(entry) - 1} { // a digit of another value: all of them count, up to 120 bits
			if i >= 2*longBytes {
				continue
			}
			digit := "0"
			if entry[i] == '0' {
				digit = "1"
			}
			if listOf(t, entry[:i]+digit+entry[i+1:]).Contains(key) {
				t.Errorf("%s: digit %d does not count", name, i)
			}
		}
	}
}

// OpenSSL prints no leading zeros, whatever the length.
func TestModulusOfOddLength(t *testing.T) {
	for bits := 2041; bits <= 2049; bits++ {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		key := &rsa.PublicKey{N: n.Add(n, big.NewInt(12345)), E: 65537} // no product of two primes: nobody looks
		entry := digest(t, "sha1", run(t, spkiPEM(t, key), "openssl", "rsa", "-pubin", "-noout", "-modulus"))[20:]
		if !listOf(t, entry).Contains(key) {
			t.Errorf("%d bits: the key is not recognised", bits)
		}
	}
}

func writeKey(t *testing.T, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// Elliptic curve keys go by SubjectPublicKeyInfo and by x, which OpenSSL shows in full and lists hash without leading zeros.
func TestEntriesOfCurves(t *testing.T) {
	for _, c := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		for _, zero := range []bool{false, true} {
			key := ecKey(t, c)
			for range 100_000 { // one in 256, with P-521 one in 2
				if der := spkiDER(t, key); (x(der, c)[0] == 0) == zero {
					break
				}
				key = ecKey(t, c)
			}
			text := spkiPEM(t, key)
			der := run(t, text, "openssl", "pkey", "-pubin", "-outform", "DER")
			short := bytes.TrimLeft(x(der, c), "\x00")
			if zero == (len(short) == (c.Params().BitSize+7)/8) {
				t.Fatal("no such key was found")
			}
			for name, entry := range map[string]string{"SubjectPublicKeyInfo": digest(t, "sha256", der), "x": digest(t, "sha256", short), "badkeys": digest(t, "sha256", short)[:30]} {
				if l := listOf(t, entry); !l.Contains(key) || l.Contains(ecKey(t, c)) {
					t.Errorf("%s, %s, leading zero %v: not told apart", c.Params().Name, name, zero)
				}
			}
		}
	}
}

func spkiDER(t *testing.T, pub crypto.PublicKey) []byte {
	t.Helper()
	block, _ := pem.Decode(spkiPEM(t, pub))
	return block.Bytes
}

// x is the coordinate in an encoded key, at whose end the point is.
func x(der []byte, c elliptic.Curve) []byte {
	n := (c.Params().BitSize + 7) / 8
	return der[len(der)-2*n : len(der)-n]
}

// A list that is not there blocks nothing; what cannot be looked up is blocked.
func TestNoListNoKey(t *testing.T) {
	l, err := Open(nil)
	if l != nil || err != nil {
		t.Fatal(l, err)
	}
	if entries, files := l.Size(); l.Contains(rsaKey(t)) || l.Generation() != 0 || entries+files != 0 {
		t.Error("there is something on no list")
	}
	sum := sha256.Sum256(nil)
	if !listOf(t, hex.EncodeToString(sum[:])).Contains("no key") {
		t.Error("what is no key passed")
	}
}
