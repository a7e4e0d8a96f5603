package file

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"strings"

	"github.com/rolecall/rolecall/internal/keysource"
)

// maxCertificates bounds how many certificates one file may hold.
const maxCertificates = 32

// Advice for what this source does not read.
const (
	adviceLegacy  = "convert it with: openssl pkey -in KEY -out NEWKEY (add -aes256 for a key that stays encrypted)"
	adviceOpenSSH = "convert a copy of it with: ssh-keygen -p -m PKCS8 -f COPY"
	adviceDamaged = "check that the file is complete and is what its header says"
	adviceOneKey  = "keep only the key that belongs to the certificate"
)

// parsed is what one file holds.
type parsed struct {
	key          *rawKey // nil: none
	certificates []*x509.Certificate
	pkcs12       []byte // a whole PKCS#12 file, which holds key and certificates; nil: none
	tss2         []byte // the DER of a key that a TPM holds; nil: none

	many bool      // several keys may be there: they go to keys
	keys []*rawKey // with many
}

// parse reads the PEM blocks of data or, if there is none, one DER value. Text around PEM blocks is skipped (RFC 7468 §2).
func parse(data []byte) (*parsed, error) {
	p := &parsed{}
	if err := p.read(data); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *parsed) read(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return keysource.Errorf(adviceDamaged, "the file is empty")
	}
	if !bytes.Contains(data, pemBegin()) {
		return p.der(data)
	}
	read, rest := 0, data
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		read++
		if err := p.block(block); err != nil {
			return err
		}
	}
	// pem.Decode skips what it cannot read. That must not go unnoticed: the next certificate would become the leaf.
	if begun := bytes.Count(data, pemBegin()); begun > read {
		return keysource.Errorf(adviceDamaged, "%d of %d PEM blocks are damaged", begun-read, begun)
	}
	return nil
}

func pemBegin() []byte { return []byte("-----BEGIN ") }

func (p *parsed) block(b *pem.Block) error {
	switch b.Type {
	case "CERTIFICATE", "X509 CERTIFICATE":
		return p.certificate(b.Bytes)
	case "EC PARAMETERS":
		return nil // openssl ecparam -genkey writes the curve before the key, which names it again
	case "PRIVATE KEY":
		return p.setKey(&rawKey{form: pkcs8, der: b.Bytes})
	case "ENCRYPTED PRIVATE KEY":
		return p.setKey(&rawKey{form: pkcs8, der: b.Bytes, encrypted: true})
	case "EC PRIVATE KEY", "RSA PRIVATE KEY":
		if strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") { // RFC 1421 §4.6.1.1
			return keysource.Errorf(adviceLegacy, "the key is encrypted in the old PEM way (Proc-Type header), whose protection is weak")
		}
		form := sec1
		if b.Type == "RSA PRIVATE KEY" {
			form = pkcs1
		}
		return p.setKey(&rawKey{form: form, der: b.Bytes})
	case "TSS2 PRIVATE KEY":
		return p.setTSS2(b.Bytes)
	case "OPENSSH PRIVATE KEY":
		return keysource.Errorf(adviceOpenSSH, "the key is in OpenSSH's own form")
	}
	return keysource.Errorf("keep only certificates and one private key in the file", "unexpected PEM block %q", b.Type)
}

// der reads one DER value: a certificate or a key, whichever it parses as. Their structures exclude each other.
func (p *parsed) der(data []byte) error {
	if data[0] != 0x30 { // every one of them is a SEQUENCE
		return keysource.Errorf("pass a PEM or DER file", "the file holds neither PEM nor DER")
	}
	if c, err := x509.ParseCertificate(data); err == nil {
		p.certificates = append(p.certificates, c)
		return nil
	}
	if isPKCS12(data) {
		p.pkcs12 = data
		return nil
	}
	if key := recognise(data); key != nil {
		return p.setKey(key)
	}
	return keysource.Errorf(adviceDamaged, "the file holds no certificate and no private key that can be read")
}

func (p *parsed) certificate(der []byte) error {
	if len(p.certificates) == maxCertificates {
		return keysource.Errorf("keep only the certificates between the key's and the trust anchor's", "more than %d certificates", maxCertificates)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return keysource.Errorf(adviceDamaged, "certificate %d: %w", len(p.certificates)+1, err)
	}
	p.certificates = append(p.certificates, c)
	return nil
}

func (p *parsed) setTSS2(der []byte) error {
	if p.key != nil || p.tss2 != nil {
		return keysource.Errorf(adviceOneKey, "more than one private key")
	}
	p.tss2 = der
	return nil
}

func (p *parsed) setKey(k *rawKey) error {
	if p.many {
		if p.keys = append(p.keys, k); len(p.keys) > maxCertificates {
			return keysource.Errorf("keep only the keys of the certificates", "more than %d private keys", maxCertificates)
		}
		return nil
	}
	if p.key != nil || p.tss2 != nil {
		return keysource.Errorf(adviceOneKey, "more than one private key")
	}
	p.key = k
	return nil
}
