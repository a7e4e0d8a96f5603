package file

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/pbkdf2"
	"crypto/sha1" // PBKDF2's default PRF; HMAC-SHA1 is not broken
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"hash"

	"golang.org/x/crypto/scrypt"

	"github.com/rolecall/rolecall/internal/keysource"
)

// Bounds on the work that a key file can ask for. OpenSSL's defaults are 2048 to 600,000 rounds and N=16384, r=8, p=1.
type workLimits struct {
	rounds int // of PBKDF2
	memory int // of scrypt, bytes: 128·N·r (RFC 7914 §2)
	p      int // of scrypt
}

const maxSalt = 1024 // bytes

func defaultLimits() workLimits { return workLimits{rounds: 10_000_000, memory: 256 << 20, p: 16} }

const adviceCipher = "encrypt it again with: openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEWKEY"

type encryptedKey struct { // RFC 5958 §3
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct { // RFC 8018 A.4
	KDF, Cipher pkix.AlgorithmIdentifier
}

type pbkdf2Params struct { // RFC 8018 A.2
	Salt      []byte
	Rounds    int
	KeyLength int                      `asn1:"optional"`
	PRF       pkix.AlgorithmIdentifier `asn1:"optional"`
}

type scryptParams struct { // RFC 7914 §7.1
	Salt      []byte
	N, R, P   int
	KeyLength int `asn1:"optional"`
}

// decryptPKCS8 gives the PrivateKeyInfo inside an EncryptedPrivateKeyInfo that uses PBES2 with AES-CBC.
func decryptPKCS8(der, password []byte, limits workLimits) ([]byte, error) {
	var e encryptedKey
	if !unmarshal(der, &e) {
		return nil, keysource.Errorf(adviceDamaged, "the encrypted private key is malformed")
	}
	if o := e.Algorithm.Algorithm.String(); o != "1.2.840.113549.1.5.13" {
		return nil, keysource.Errorf(adviceCipher, "the private key is encrypted with an old scheme (%s) instead of PBES2", o)
	}
	var p pbes2Params
	if !unmarshal(e.Algorithm.Parameters.FullBytes, &p) {
		return nil, keysource.Errorf(adviceDamaged, "the encrypted private key's parameters are malformed")
	}
	size, err := aesKeySize(p.Cipher.Algorithm)
	if err != nil {
		return nil, err
	}
	var iv []byte
	if !unmarshal(p.Cipher.Parameters.FullBytes, &iv) || len(iv) != aes.BlockSize ||
		len(e.Data) == 0 || len(e.Data)%aes.BlockSize != 0 {
		return nil, keysource.Errorf(adviceDamaged, "the encrypted private key's data are malformed")
	}
	key, err := deriveKey(p.KDF, password, size, limits)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	plain := make([]byte, len(e.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, e.Data)
	return unpad(plain)
}

// unpad removes the padding of RFC 8018 §6.1.1. Timing tells nothing to anyone: the file's owner holds the key.
func unpad(b []byte) ([]byte, error) {
	n := int(b[len(b)-1])
	if n == 0 || n > aes.BlockSize {
		return nil, wrongPassword()
	}
	for _, c := range b[len(b)-n:] {
		if int(c) != n {
			return nil, wrongPassword()
		}
	}
	return b[:len(b)-n], nil
}

func wrongPassword() error {
	return keysource.Errorf("check the password", "the private key cannot be decrypted with this password")
}

func aesKeySize(oid asn1.ObjectIdentifier) (int, error) {
	switch oid.String() { // NIST CSOR: aes128-CBC, aes192-CBC, aes256-CBC
	case "2.16.840.1.101.3.4.1.2":
		return 16, nil
	case "2.16.840.1.101.3.4.1.22":
		return 24, nil
	case "2.16.840.1.101.3.4.1.42":
		return 32, nil
	}
	return 0, keysource.Errorf(adviceCipher, "the private key is encrypted with a cipher (%s) other than AES-CBC", oid)
}

func deriveKey(kdf pkix.AlgorithmIdentifier, password []byte, size int, limits workLimits) ([]byte, error) {
	switch oid := kdf.Algorithm.String(); oid {
	case "1.2.840.113549.1.5.12":
		var p pbkdf2Params
		if !unmarshal(kdf.Parameters.FullBytes, &p) || p.Rounds < 1 || len(p.Salt) > maxSalt || !lengthFits(p.KeyLength, size) {
			return nil, keysource.Errorf(adviceDamaged, "the PBKDF2 parameters of the private key are malformed")
		}
		if p.Rounds > limits.rounds {
			return nil, keysource.Errorf(adviceCipher, "the private key asks for %d PBKDF2 rounds, more than %d", p.Rounds, limits.rounds)
		}
		h, err := prf(p.PRF.Algorithm)
		if err != nil {
			return nil, err
		}
		return pbkdf2.Key(h, string(password), p.Salt, p.Rounds, size)
	case "1.3.6.1.4.1.11591.4.11":
		var p scryptParams
		if !unmarshal(kdf.Parameters.FullBytes, &p) || p.N < 2 || p.R < 1 || p.P < 1 || len(p.Salt) > maxSalt || !lengthFits(p.KeyLength, size) {
			return nil, keysource.Errorf(adviceDamaged, "the scrypt parameters of the private key are malformed")
		}
		if p.P > limits.p || p.R > limits.memory/128 || p.N > limits.memory/128/p.R {
			return nil, keysource.Errorf(adviceCipher, "the private key asks for more than %d MiB of memory for scrypt", limits.memory>>20)
		}
		key, err := scrypt.Key(password, p.Salt, p.N, p.R, p.P, size)
		if err != nil {
			return nil, keysource.Errorf(adviceDamaged, "the scrypt parameters of the private key are malformed: %w", err)
		}
		return key, nil
	default:
		return nil, keysource.Errorf(adviceCipher, "the password of the private key is hashed in an unknown way (%s)", oid)
	}
}

func prf(oid asn1.ObjectIdentifier) (func() hash.Hash, error) {
	if len(oid) == 0 {
		return sha1.New, nil // RFC 8018 A.2: the default
	}
	switch oid.String() { // RFC 8018 B.1.2
	case "1.2.840.113549.2.7":
		return sha1.New, nil
	case "1.2.840.113549.2.8":
		return sha256.New224, nil
	case "1.2.840.113549.2.9":
		return sha256.New, nil
	case "1.2.840.113549.2.10":
		return sha512.New384, nil
	case "1.2.840.113549.2.11":
		return sha512.New, nil
	case "1.2.840.113549.2.12":
		return sha512.New512_224, nil
	case "1.2.840.113549.2.13":
		return sha512.New512_256, nil
	}
	return nil, keysource.Errorf(adviceCipher, "the private key's password is hashed with an unsupported function (%s)", oid)
}

// lengthFits: the key length is optional and must be the cipher's when it is there.
func lengthFits(have, want int) bool { return have == 0 || have == want }

func unmarshal(der []byte, v any) bool {
	rest, err := asn1.Unmarshal(der, v)
	return err == nil && len(rest) == 0
}
