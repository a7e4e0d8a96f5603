package wire

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"fmt"
)

// Custody asks for something with a key of a certificate authority, which is made in a token and stays there. Each
// request has everything it takes to open the token; the program remembers the session and gives the PIN once.
type Custody struct {
	Do     string `json:"do"`
	Module string `json:"module"`
	Token  string `json:"token,omitempty"`  // label; empty: any
	Serial string `json:"serial,omitempty"` // of the token; empty: any
	PIN    string `json:"pin"`

	ID        []byte `json:"id"`                  // CKA_ID
	Label     string `json:"label,omitempty"`     // CKA_LABEL of a new key
	Algorithm string `json:"algorithm,omitempty"` // of a new key, in the API's words
	Public    []byte `json:"public,omitempty"`    // PKIX: which of several keys with the id
	Hash      string `json:"hash,omitempty"`      // as in Sign
	Digest    []byte `json:"digest,omitempty"`
}

// What a Custody request can ask for.
const (
	CustodyGenerate = "generate" // answered with the public key
	CustodySign     = "sign"
	CustodyDelete   = "delete"
)

// CustodyKind is what a kind of key is made by: the bits of an RSA modulus, or the identifier of a curve; nothing for a
// kind that is not known.
func CustodyKind(algorithm string) (bits int, curve asn1.ObjectIdentifier) {
	switch algorithm {
	case "RSA_2048":
		return 2048, nil
	case "RSA_3072":
		return 3072, nil
	case "RSA_4096":
		return 4096, nil
	case "EC_prime256v1":
		return 0, asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}
	case "EC_secp384r1":
		return 0, asn1.ObjectIdentifier{1, 3, 132, 0, 34}
	case "EC_secp521r1":
		return 0, asn1.ObjectIdentifier{1, 3, 132, 0, 35}
	}
	return 0, nil
}

// CustodyAlgorithm is the kind of a key; "" for one that is not known.
func CustodyAlgorithm(pub crypto.PublicKey) string {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA_%d", k.N.BitLen())
	case *ecdsa.PublicKey:
		switch k.Curve {
		case elliptic.P256():
			return "EC_prime256v1"
		case elliptic.P384():
			return "EC_secp384r1"
		case elliptic.P521():
			return "EC_secp521r1"
		}
	}
	return ""
}
