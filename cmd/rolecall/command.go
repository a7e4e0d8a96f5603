package main

import "context"

// command is one subcommand.
type command struct {
	name   string
	short  string // one line for the overview
	long   string // shown by --help; may be empty
	flags  []flag
	groups []group // flags that exclude each other
	run    func(ctx context.Context, p *program, in *inputs) error
}

// commands are all of them, in the order of the overview.
func commands() []command {
	return []command{
		credentialProcess(),
		readCertificateData(),
		signString(),
		{name: "version", short: "Print the version", run: printVersion},
	}
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
)

// keyFlags name the key and its certificate.
func keyFlags() []flag {
	return []flag{
		{name: flagCertificate, arg: "FILE", help: "certificate, PEM or DER; further certificates in the file are its chain"},
		{name: flagPrivateKey, arg: "FILE", help: "private key, PEM or DER (default: in the certificate file)"},
		{name: flagPassword, arg: "PASSWORD", help: "password of an encrypted PKCS#8 key; other users can see it in the process list"},
		{name: flagSelector, arg: "SELECTOR", help: "certificate in the system's store; not in this build"},
		{name: flagStoreName, value: "MY", arg: "NAME", help: "Windows certificate store; not in this build"},
		{name: flagLatest, kind: boolFlag, help: "of several matching certificates in the store take the one that expires last; not in this build"},
		{name: flagPKCS11Lib, arg: "FILE", help: "PKCS#11 module; not in this build"},
		{name: flagReusePIN, kind: boolFlag, help: "use the PKCS#11 user PIN for the key as well; not in this build"},
		{name: flagTPMPassword, arg: "PASSWORD", help: "password of a TPM key; not in this build"},
		{name: flagNoTPMPassword, kind: boolFlag, help: "the TPM key has no password; not in this build"},
		{name: flagDebug, kind: boolFlag, help: "tell on stderr what is sent and received, without secrets"},
	}
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
