// Package certificate answers "rolecall read-certificate-data --certificate FILE" as package early does "version", and has
// the answer's form for all other calls of that command.
//
// Keys, tokens and certificate stores are not its business.
// Start with [Describe].
package certificate

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"os"
	"strings"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/file"
)

func init() {
	if len(os.Args) != 4 || os.Args[1] != "read-certificate-data" || os.Args[2] != "--certificate" || !isPath(os.Args[3]) {
		return
	}
	certificates, err := (&file.Source{Certificate: os.Args[3]}).Certificates(context.Background())
	if err != nil {
		return
	}
	if _, err := os.Stdout.Write(Describe(certificates[0]).JSON()); err == nil {
		os.Exit(0)
	}
}

// isPath leaves what has a colon, such as a pkcs11: URI and env:NAME, and standard input to the program.
func isPath(name string) bool { return name != "-" && !strings.Contains(name, ":") }

// Data is the official helper's answer; the order of the members is part of it.
type Data struct {
	KeyType    string
	Data       string // base64 of the DER
	Serial     string // decimal
	Algorithms []string
}

// JSON writes the members without a JSON package, whose first use costs more than the rest of the command: digits, base64
// and names of our own need no escapes.
func (d Data) JSON() []byte {
	algorithms := "[]"
	if len(d.Algorithms) > 0 {
		algorithms = `["` + strings.Join(d.Algorithms, `","`) + `"]`
	}
	return []byte(`{"keyType":"` + d.KeyType + `","certificateData":"` + d.Data + `","serialNumber":"` + d.Serial + `","supportedAlgorithms":` + algorithms + `}`)
}

// Describe says what a certificate says about its key.
func Describe(c *x509.Certificate) Data {
	d := Data{Data: base64.StdEncoding.EncodeToString(c.Raw), Serial: c.SerialNumber.String(), Algorithms: []string{}}
	switch c.PublicKeyAlgorithm {
	case x509.RSA:
		d.KeyType = "RSA"
	case x509.ECDSA:
		d.KeyType = "EC"
	default:
		// Nothing is claimed to be supported for other keys; the official helper lists nameless algorithms there.
		d.KeyType = keysource.MLDSA(c.RawSubjectPublicKeyInfo)
		return d
	}
	for _, hash := range []string{"SHA256", "SHA384", "SHA512"} {
		d.Algorithms = append(d.Algorithms, d.KeyType+hash)
	}
	return d
}
