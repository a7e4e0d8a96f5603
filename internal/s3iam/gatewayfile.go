package s3iam

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/keyring/privatefile"
	"github.com/rolecall/rolecall/internal/sessiontoken"
)

// GatewayFile is what a gateway has to be started with: a file of environment variables, for systemd's EnvironmentFile= or a
// shell. It holds two keys that are nothing to the account: Root is the gateway's own administrator, who passes all
// policies; Key signs the gateway's calls to this server.
type GatewayFile struct {
	Socket string // absolute
	Region string // that S3 clients sign for
	Root   Key
	Key    Key
}

// The variables that versitygw reads.
const (
	varRootID     = "ROOT_ACCESS_KEY_ID"
	varRootSecret = "ROOT_SECRET_ACCESS_KEY"
	varSocket     = "VGW_IAM_STANDALONE_ENDPOINT"
	varID         = "VGW_IAM_STANDALONE_ACCESS"
	varSecret     = "VGW_IAM_STANDALONE_SECRET"
	varRegion     = "VGW_REGION"
)

const maxGatewayFile = 64 << 10

// OpenGatewayFile reads the file, or makes it with new keys. Where the socket or the region has changed, the file follows
// and keeps its keys.
func OpenGatewayFile(path, socket, region string, account arn.AccountID) (*GatewayFile, error) {
	// The gateway takes what reads as HOST:PORT for a TCP address.
	if _, _, err := net.SplitHostPort(socket); err == nil {
		return nil, fmt.Errorf("the S3 gateway would read the socket path %s as a network address: use one without a colon", socket)
	}
	if strings.ContainsAny(socket, "\n\r\"'\\$` ") {
		return nil, fmt.Errorf("the socket path %q has characters that an environment file cannot hold", socket)
	}
	f, err := readGatewayFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		f = &GatewayFile{Root: newKey(account), Key: newKey(account)}
	} else if err != nil {
		return nil, err
	}
	if f.Socket == socket && f.Region == region {
		return f, nil
	}
	f.Socket, f.Region = socket, region
	return f, privatefile.Write(path, f.text())
}

func newKey(account arn.AccountID) Key {
	return Key{ID: sessiontoken.NewAccessKeyID(sessiontoken.LongTerm, account), Secret: sessiontoken.NewSecret()}
}

func (f *GatewayFile) text() []byte {
	var b strings.Builder
	b.WriteString("# For versitygw: made by rolecalld, which reads it again at its start.\n")
	for _, v := range f.Environment() {
		b.WriteString(v + "\n")
	}
	return []byte(b.String())
}

// Environment is the file's content as a process gets it. It holds secrets.
func (f *GatewayFile) Environment() []string {
	return []string{
		varRootID + "=" + f.Root.ID, varRootSecret + "=" + f.Root.Secret,
		varSocket + "=" + f.Socket, varID + "=" + f.Key.ID, varSecret + "=" + f.Key.Secret, varRegion + "=" + f.Region,
	}
}

func readGatewayFile(path string) (*GatewayFile, error) {
	text, _, err := privatefile.Read(path, maxGatewayFile)
	if err != nil {
		return nil, err
	}
	f := &GatewayFile{}
	into := map[string]*string{
		varRootID: &f.Root.ID, varRootSecret: &f.Root.Secret, varSocket: &f.Socket,
		varID: &f.Key.ID, varSecret: &f.Key.Secret, varRegion: &f.Region,
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if at := into[name]; at != nil {
			*at = value
		}
	}
	for _, name := range []string{varRootID, varRootSecret, varID, varSecret} {
		if *into[name] == "" {
			return nil, fmt.Errorf("%s has no %s: put it back, or remove the file for new keys", path, name)
		}
	}
	if f.Root == f.Key {
		return nil, fmt.Errorf("%s uses one key for two purposes", path)
	}
	return f, nil
}
