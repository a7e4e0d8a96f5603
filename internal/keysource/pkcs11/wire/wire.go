// Package wire is the private protocol between rolecall and rolecall-pkcs11, the program that may load a PKCS#11 module.
//
// rolecall starts the program without arguments and speaks to it over its standard input and output: each message is a
// length of four bytes, big-endian, and so many bytes of JSON; each [Request] gets one [Response]. PINs travel in requests
// only, never in arguments or the environment. Both programs come from one build: a version that differs is an error.
// Start with [Request].
package wire

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Version changes with every change of the messages.
const Version = 2

// MaxMessage bounds the JSON of one message, in bytes.
const MaxMessage = 1 << 20

// Request asks for exactly one thing.
type Request struct {
	Version int      `json:"version"`
	Open    *Open    `json:"open,omitempty"`
	Sign    *Sign    `json:"sign,omitempty"`
	List    *Open    `json:"list,omitempty"` // certificates that fit; PrivateKey, PIN and Leaf play no part
	Custody *Custody `json:"custody,omitempty"`
}

// Open finds a key and its certificate.
type Open struct {
	Module      string  `json:"module,omitempty"`      // path; the URI's module-path wins; both empty: p11-kit's proxy
	Certificate string  `json:"certificate,omitempty"` // URI; empty: Leaf is the certificate
	PrivateKey  string  `json:"privateKey,omitempty"`  // URI; empty: the key that belongs to the certificate
	Leaf        []byte  `json:"leaf,omitempty"`        // DER of a certificate from elsewhere, to choose the key by
	Latest      bool    `json:"latest,omitempty"`      // of several certificates take the one that expires last
	PIN         *string `json:"pin,omitempty"`
	ReusePIN    bool    `json:"reusePin,omitempty"` // for signatures too
}

// Sign makes one signature. RSA is PKCS#1 v1.5, ECDSA gives ASN.1 DER.
type Sign struct {
	Handle int     `json:"handle"`
	Hash   string  `json:"hash"` // SHA-256, SHA-384 or SHA-512
	Digest []byte  `json:"digest"`
	PIN    *string `json:"pin,omitempty"` // for a key that wants one for every signature
}

// Need says that the same request is to be repeated with a PIN.
type Need string

// What a PIN is needed for.
const (
	NeedUserPIN Need = "user"
	NeedKeyPIN  Need = "key" // CKA_ALWAYS_AUTHENTICATE
)

// Response answers a request. Error or Need is set, or what was asked for.
type Response struct {
	Version      int      `json:"version"`
	Error        *Error   `json:"error,omitempty"`
	Need         Need     `json:"need,omitempty"`
	Token        string   `json:"token,omitempty"`        // label, to say which PIN is needed
	Handle       int      `json:"handle,omitempty"`       // of the key, for Sign
	Certificates [][]byte `json:"certificates,omitempty"` // DER, the leaf first, then its issuers without the root
	URIs         []string `json:"uris,omitempty"`         // List: one for each of Certificates
	PublicKey    []byte   `json:"publicKey,omitempty"`    // DER of the SubjectPublicKeyInfo; empty: the token does not tell
	Signature    []byte   `json:"signature,omitempty"`
}

// Error is a problem in words, without a secret.
type Error struct {
	Problem string   `json:"problem"`
	Hint    string   `json:"hint,omitempty"`
	Details []string `json:"details,omitempty"`
	Final   bool     `json:"final,omitempty"` // trying again could lock the token
}

// Write sends a message, a *Request or *Response.
func Write(w io.Writer, message any) error {
	body, err := json.Marshal(message)
	if err != nil {
		return err
	}
	if len(body) > MaxMessage {
		return fmt.Errorf("a message of %d bytes is too long", len(body))
	}
	_, err = w.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(body))), body...))
	return err
}

// Read receives a message. io.EOF means that the other side has ended between messages.
func Read(r io.Reader, message any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > MaxMessage {
		return fmt.Errorf("a message of %d bytes is too long", n)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return fmt.Errorf("a message is cut off: %w", noEOF(err))
	}
	if err := json.Unmarshal(body, message); err != nil {
		return errors.New("a message is malformed") // its text could hold a PIN
	}
	return nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
