// Package certificate answers "rolecall read-certificate-data --certificate FILE" as package early does "version", and has
// the answer's form for all other calls of that command.
//
// It reads no more of a certificate than the answer says, and knows only a file with one certificate in PEM and the usual
// kinds of keys: crypto/x509 costs more than the rest of the command. All else is left to the program.
// Start with [Data] and, for what is read here, [read].
package certificate

import (
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"os"
	"strings"

	"github.com/rolecall/rolecall/internal/userfile"
)

// maxFile is the longest file that is read here, in bytes. The program reads longer ones.
const maxFile = 64 << 10

func init() {
	if len(os.Args) != 4 || os.Args[1] != "read-certificate-data" || os.Args[2] != "--certificate" || !isPath(os.Args[3]) {
		return
	}
	text, _, err := userfile.Read(os.Args[3], maxFile)
	if err != nil {
		return
	}
	data, ok := read(text)
	if !ok {
		return
	}
	if _, err := os.Stdout.Write(data.JSON()); err == nil {
		os.Exit(0)
	}
}

// isPath leaves what has a colon, such as a pkcs11: URI and env:NAME, and standard input to the program.
func isPath(name string) bool { return name != "-" && !strings.Contains(name, ":") }

// Data is the official helper's answer; the order of the members is part of it.
type Data struct {
	KeyType    string // RSA or EC; for other keys a name of ours or ""
	DER        []byte
	Serial     *big.Int
	Algorithms []string
}

// SetAlgorithms claims what each of the supported keys can sign with. Nothing is claimed for other keys; the official helper lists
// nameless algorithms there.
func (d *Data) SetAlgorithms() {
	for _, hash := range []string{"SHA256", "SHA384", "SHA512"} {
		d.Algorithms = append(d.Algorithms, d.KeyType+hash)
	}
}

// JSON writes the members without a JSON package, whose first use costs more than the rest of the command: digits, base64
// and names of our own need no escapes.
func (d *Data) JSON() []byte {
	algorithms := "[]"
	if len(d.Algorithms) > 0 {
		algorithms = `["` + strings.Join(d.Algorithms, `","`) + `"]`
	}
	return []byte(`{"keyType":"` + d.KeyType + `","certificateData":"` + base64.StdEncoding.EncodeToString(d.DER) +
		`","serialNumber":"` + d.Serial.String() + `","supportedAlgorithms":` + algorithms + `}`)
}

// read describes the only certificate in text.
func read(text []byte) (d Data, ok bool) {
	block, rest := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0 || len(strings.TrimSpace(string(rest))) > 0 ||
		!strings.HasPrefix(string(text), "-----BEGIN CERTIFICATE-----") {
		return Data{}, false
	}
	serial, algorithm, ok := parse(block.Bytes)
	if !ok {
		return Data{}, false
	}
	d = Data{DER: block.Bytes, Serial: new(big.Int).SetBytes(serial)}
	switch algorithm {
	case oidRSA:
		d.KeyType = "RSA"
	case oidEC:
		d.KeyType = "EC"
	default:
		return Data{}, false
	}
	d.SetAlgorithms()
	return d, true
}
