//go:build linux

// Package swtpm runs a software TPM on a Unix socket for tests and makes keys in it with an independent implementation,
// go-tpm. scripts/deps installs swtpm. It is not linked into any program. Start with [New].
package swtpm

import (
	"crypto"
	"encoding/asn1"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
	"github.com/google/go-tpm/tpm2/transport/linuxudstpm"
)

// TPM is a running software TPM.
type TPM struct {
	t    testing.TB
	Path string // of the socket
}

// New starts one; it ends with the test.
func New(t testing.TB) *TPM {
	t.Helper()
	dir, err := os.MkdirTemp("", "tpm") // t.TempDir's names can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	k := &TPM{t: t, Path: filepath.Join(dir, "sock")}
	cmd := exec.Command("swtpm", "socket", "--tpm2", "--tpmstate", "dir="+dir, "--server", "type=unixio,path="+k.Path,
		"--ctrl", "type=unixio,path="+filepath.Join(dir, "ctrl"), "--flags", "not-need-init,startup-clear")
	if err := cmd.Start(); err != nil {
		t.Fatalf("swtpm: %v (run scripts/deps)", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	for range 200 {
		if _, err := os.Stat(k.Path); err == nil {
			return k
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatal("swtpm does not start")
	return nil
}

// Run opens a connection for f.
func (k *TPM) Run(f func(t transport.TPM)) {
	k.t.Helper()
	c, err := linuxudstpm.Open(k.Path)
	if err != nil {
		k.t.Fatal(err)
	}
	defer c.Close()
	f(c)
}

// Template of a signing key.
type Template struct {
	Public   tpm2.TPMTPublic
	Password string
}

// ECC is a template for a key on a curve.
func ECC(curve tpm2.TPMECCCurve) Template {
	return Template{Public: tpm2.TPMTPublic{Type: tpm2.TPMAlgECC, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: attributes(),
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: curve})}}
}

// RSA is a template for a key of 2048 bits. scheme may be TPMAlgNull.
func RSA(scheme tpm2.TPMIAlgHash) Template {
	p := &tpm2.TPMSRSAParms{KeyBits: 2048}
	switch scheme {
	case tpm2.TPMAlgRSASSA:
		p.Scheme = tpm2.TPMTRSAScheme{Scheme: tpm2.TPMAlgRSASSA, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgRSASSA, &tpm2.TPMSSigSchemeRSASSA{HashAlg: tpm2.TPMAlgSHA256})}
	case tpm2.TPMAlgRSAPSS:
		p.Scheme = tpm2.TPMTRSAScheme{Scheme: tpm2.TPMAlgRSAPSS, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgRSAPSS, &tpm2.TPMSSigSchemeRSAPSS{HashAlg: tpm2.TPMAlgSHA256})}
	}
	return Template{Public: tpm2.TPMTPublic{Type: tpm2.TPMAlgRSA, NameAlg: tpm2.TPMAlgSHA256, ObjectAttributes: attributes(),
		Parameters: tpm2.NewTPMUPublicParms(tpm2.TPMAlgRSA, p)}}
}

func attributes() tpm2.TPMAObject {
	return tpm2.TPMAObject{FixedTPM: true, FixedParent: true, SensitiveDataOrigin: true, UserWithAuth: true, SignEncrypt: true}
}

// Parent makes a storage primary by one of go-tpm's templates.
func (k *TPM) parent(c transport.TPM, hierarchy tpm2.TPMHandle, template tpm2.TPMTPublic) *tpm2.CreatePrimaryResponse {
	k.t.Helper()
	rsp, err := tpm2.CreatePrimary{PrimaryHandle: hierarchy, InPublic: tpm2.New2B(template)}.Execute(c)
	if err != nil {
		k.t.Fatal(err)
	}
	return rsp
}

// Options of a key file.
type Options struct {
	Hierarchy tpm2.TPMHandle   // 0: owner
	Primary   *tpm2.TPMTPublic // nil: the elliptic curve storage root key
	Persist   tpm2.TPMHandle   // of the parent; 0: it stays in the hierarchy
	EmptyAuth byte             // of the BOOLEAN; 0: none is written
}

func flush(c transport.TPM, h tpm2.TPMHandle) { _, _ = tpm2.FlushContext{FlushHandle: h}.Execute(c) }

// KeyFile makes a key and gives it as a TSS2 PRIVATE KEY in PEM, and its public part.
func (k *TPM) KeyFile(tpl Template, o Options) (file []byte, public crypto.PublicKey) {
	k.t.Helper()
	if o.Hierarchy == 0 {
		o.Hierarchy = tpm2.TPMRHOwner
	}
	if o.Primary == nil {
		o.Primary = &tpm2.ECCSRKTemplate
	}
	var der []byte
	k.Run(func(c transport.TPM) {
		primary := k.parent(c, o.Hierarchy, *o.Primary)
		defer flush(c, primary.ObjectHandle)
		created, err := tpm2.Create{
			ParentHandle: tpm2.NamedHandle{Handle: primary.ObjectHandle, Name: primary.Name},
			InSensitive:  tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte(tpl.Password)}}},
			InPublic:     tpm2.New2B(tpl.Public),
		}.Execute(c)
		if err != nil {
			k.t.Fatal(err)
		}
		parent := int64(o.Hierarchy)
		if o.Persist != 0 {
			k.persist(c, primary.ObjectHandle, primary.Name, o.Persist)
			parent = int64(o.Persist)
		}
		public = k.publicOf(created.OutPublic)
		der = EncodeKey(parent, o.EmptyAuth, tpm2.Marshal(created.OutPublic), tpm2.Marshal(created.OutPrivate))
	})
	return pem.EncodeToMemory(&pem.Block{Type: "TSS2 PRIVATE KEY", Bytes: der}), public
}

// Persistent makes a primary signing key and keeps it under a handle.
func (k *TPM) Persistent(tpl Template, h tpm2.TPMHandle) (public crypto.PublicKey) {
	k.t.Helper()
	k.Run(func(c transport.TPM) {
		rsp, err := tpm2.CreatePrimary{PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(tpl.Public),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte(tpl.Password)}}}}.Execute(c)
		if err != nil {
			k.t.Fatal(err)
		}
		defer flush(c, rsp.ObjectHandle)
		k.persist(c, rsp.ObjectHandle, rsp.Name, h)
		public = k.publicOf(rsp.OutPublic)
	})
	return public
}

func (k *TPM) persist(c transport.TPM, from tpm2.TPMHandle, name tpm2.TPM2BName, to tpm2.TPMHandle) {
	k.t.Helper()
	if _, err := (tpm2.EvictControl{Auth: tpm2.TPMRHOwner, ObjectHandle: &tpm2.NamedHandle{Handle: from, Name: name}, PersistentHandle: to}).Execute(c); err != nil {
		k.t.Fatal(err)
	}
}

func (k *TPM) publicOf(p tpm2.TPM2BPublic) crypto.PublicKey {
	k.t.Helper()
	area, err := p.Contents()
	if err != nil {
		k.t.Fatal(err)
	}
	pub, err := tpm2.Pub(*area)
	if err != nil {
		k.t.Fatal(err)
	}
	return pub
}

// Transient counts the objects that are loaded: what a client leaves behind.
func (k *TPM) Transient() (n int) {
	k.t.Helper()
	k.Run(func(c transport.TPM) {
		rsp, err := tpm2.GetCapability{Capability: tpm2.TPMCapHandles, Property: 0x80000000, PropertyCount: 100}.Execute(c)
		if err != nil {
			k.t.Fatal(err)
		}
		list, err := rsp.CapabilityData.Data.Handles()
		if err != nil {
			k.t.Fatal(err)
		}
		n = len(list.Handle)
	})
	return n
}

// EncodeKey writes a TPMKey with the areas as the TPM gave them. members are put before the parent.
func EncodeKey(parent int64, emptyAuth byte, public, private []byte, members ...[]byte) []byte {
	enc := func(v any) []byte {
		b, err := asn1.Marshal(v)
		if err != nil {
			panic(err) // no value of the tests fails
		}
		return b
	}
	body := enc(asn1.ObjectIdentifier{2, 23, 133, 10, 1, 3})
	if emptyAuth != 0 {
		body = append(body, 0xa0, 3, 1, 1, emptyAuth)
	}
	for _, m := range members {
		body = append(body, m...)
	}
	body = append(append(append(body, enc(parent)...), enc(public)...), enc(private)...)
	return enc(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: body})
}
