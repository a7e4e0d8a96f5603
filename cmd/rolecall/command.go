package main

import "context"

// command is one subcommand.
type command struct {
	name   string
	short  string // one line for the overview
	long   string // shown by --help; may be empty
	args   string // the positional arguments in the usage line; empty: none
	flags  []flag
	groups []group // flags that exclude each other
	run    func(ctx context.Context, p *program, in *inputs) error
}

// commandTable has all commands in the order of the overview. They are made when they are needed: a start pays for the
// tables of flags of one command only.
func commandTable() []struct {
	name string
	make func() command
} {
	return []struct {
		name string
		make func() command
	}{
		{"credential-process", credentialProcess},
		{"update", update},
		{"serve", serve},
		{"configure", configure},
		{"doctor", doctor},
		{"enroll", enrollCommand},
		{"read-certificate-data", readCertificateData},
		{"sign-string", signString},
		{"completion", completion},
		{"version", versionCommand},
	}
}

// commands makes all of them.
func commands() []command {
	var list []command
	for _, c := range commandTable() {
		list = append(list, c.make())
	}
	return list
}

func versionCommand() command {
	return command{name: "version", short: "Print the version", run: printVersion}
}

// The names of flags that more than one place uses.
const (
	flagCertificate   = "certificate"
	flagPrivateKey    = "private-key"
	flagIntermediates = "intermediates"
	flagPassword      = "pkcs8-password"
	flagSelector      = "cert-selector"
	flagStoreName     = "system-store-name"
	flagLatest        = "use-latest-expiring-certificate"
	flagPKCS11Lib     = "pkcs11-lib"
	flagReusePIN      = "reuse-pin"
	flagTPMPassword   = "tpm-key-password"
	flagNoTPMPassword = "no-tpm-key-password"
	flagDebug         = "debug"
	flagCertStore     = "cert-store"
	flagPIN           = "pkcs11-pin" // no flag itself: a PIN is never an argument
)

const storeNameHelp = `Windows certificate store: NAME or CurrentUser\NAME, or LocalMachine\NAME; on macOS always the keychains`

// keyFlags name the key and its certificate.
func keyFlags() []flag {
	flags := []flag{
		{name: flagCertificate, arg: "FILE", help: "certificate, PEM, DER or PKCS#12, or a pkcs11: URI; further certificates in the file are its chain"},
		{name: flagPrivateKey, arg: "FILE", help: "private key, PEM or DER, a pkcs11: URI or handle:0x81… (default: where the certificate is)"},
		{name: flagPassword, arg: "PASSWORD", help: "password of an encrypted PKCS#8 key or PKCS#12 file; other users can see it in the process list"},
		{name: flagCertStore, arg: "PATH", help: "folder or file with certificates and their keys, to choose one of"},
		{name: flagSelector, arg: "SELECTOR", help: "which certificate of --cert-store, else of the system's store: Key=…,Value=… terms, JSON, or file:// and the path of JSON"},
		{name: flagStoreName, value: "MY", arg: "NAME", help: storeNameHelp},
		{name: flagLatest, kind: boolFlag, help: "of several matching certificates take the one that expires last"},
		{name: flagPKCS11Lib, arg: "FILE", help: "PKCS#11 module (default: p11-kit's proxy for all configured ones)"},
		{name: flagReusePIN, kind: boolFlag, help: "use the PKCS#11 user PIN for keys that want one for each signature as well"},
		{name: flagTPMPassword, arg: "PASSWORD", help: "password of a TPM key; other users can see it in the process list"},
		{name: flagNoTPMPassword, kind: boolFlag, help: "the TPM key has no password"},
		{name: flagDebug, kind: boolFlag, help: "tell on stderr what is sent and received, without secrets"},
	}
	flags = append(flags, secretFlags(flagPassword, "an encrypted PKCS#8 key or PKCS#12 file")...)
	flags = append(flags, secretFlags(flagTPMPassword, "a TPM key")...)
	return append(flags, secretFlags(flagPIN, "a PKCS#11 token (its PIN)")...)
}

// keyGroups are the exclusions among keyFlags that every command with a key has.
func keyGroups() []group {
	return []group{
		{flagCertificate, flagSelector}, {flagCertificate, flagStoreName},
		{flagPrivateKey, flagSelector}, {flagPrivateKey, flagStoreName}, {flagPrivateKey, flagLatest},
		{flagLatest, flagReusePIN},
		{flagSelector, flagReusePIN}, {flagStoreName, flagReusePIN},
		{flagTPMPassword, flagSelector}, {flagTPMPassword, flagReusePIN},
		{flagNoTPMPassword, flagSelector}, {flagNoTPMPassword, flagTPMPassword},
		{flagPassword, flagTPMPassword},
	}
}
