//go:build linux

package tpm

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	_ "crypto/sha512"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"

	"github.com/rolecall/rolecall/internal/keysource"
	"github.com/rolecall/rolecall/internal/keysource/tpm/swtpm"
)

func check(t *testing.T, what string, s crypto.Signer, want crypto.PublicKey, hash crypto.Hash) {
	t.Helper()
	if !keysource.SamePublicKey(s.Public(), want) {
		t.Errorf("%s: another public key", what)
	}
	h := hash.New()
	h.Write([]byte("text"))
	digest := h.Sum(nil)
	sig, err := s.Sign(rand.Reader, digest, hash)
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	ok := false
	switch k := want.(type) {
	case *rsa.PublicKey:
		ok = rsa.VerifyPKCS1v15(k, hash, digest, sig) == nil
	case *ecdsa.PublicKey:
		ok = ecdsa.VerifyASN1(k, digest, sig)
	}
	if !ok {
		t.Errorf("%s: wrong signature", what)
	}
}

func block(file []byte) []byte {
	b, _ := pem.Decode(file)
	return b.Bytes
}

func TestKeyFiles(t *testing.T) {
	tpm := swtpm.New(t)
	withPassword := swtpm.ECC(tpm2.TPMECCNistP256)
	withPassword.Password = "sesame"
	empty := tpm2.ECCSRKTemplate // with coordinates of no length
	empty.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{})
	loose := empty
	loose.ObjectAttributes.FixedTPM, loose.ObjectAttributes.FixedParent = false, false
	rsaPrimary := tpm2.RSASRKTemplate
	rsaPrimary.Unique = tpm2.NewTPMUPublicID(tpm2.TPMAlgRSA, &tpm2.TPM2BPublicKeyRSA{})
	unfixed := swtpm.ECC(tpm2.TPMECCNistP256)
	unfixed.Public.ObjectAttributes.FixedTPM, unfixed.Public.ObjectAttributes.FixedParent = false, false
	sesame := func() ([]byte, error) { return []byte("sesame\x00"), nil }
	for name, tt := range map[string]struct {
		tpl  swtpm.Template
		o    swtpm.Options
		d    Device
		hash crypto.Hash
	}{
		"P-256":               {swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{EmptyAuth: 0xff}, Device{}, crypto.SHA256},
		"P-384":               {swtpm.ECC(tpm2.TPMECCNistP384), swtpm.Options{EmptyAuth: 0xff}, Device{}, crypto.SHA384},
		"P-256 and SHA-512":   {swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{EmptyAuth: 0xff}, Device{}, crypto.SHA512},
		"RSA":                 {swtpm.RSA(tpm2.TPMAlgNull), swtpm.Options{EmptyAuth: 0xff}, Device{}, crypto.SHA256},
		"RSA with a scheme":   {swtpm.RSA(tpm2.TPMAlgRSASSA), swtpm.Options{EmptyAuth: 1}, Device{}, crypto.SHA256}, // not DER, but seen
		"no member emptyAuth": {swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{}, Device{NoPassword: true}, crypto.SHA256},
		"password":            {withPassword, swtpm.Options{}, Device{Password: sesame}, crypto.SHA256},
		"null hierarchy":      {swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{EmptyAuth: 0xff, Hierarchy: tpm2.TPMRHNull}, Device{}, crypto.SHA256},
		"endorsement":         {swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{EmptyAuth: 0xff, Hierarchy: tpm2.TPMRHEndorsement}, Device{}, crypto.SHA256},
		"platform":            {swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{EmptyAuth: 0xff, Hierarchy: tpm2.TPMRHPlatform}, Device{}, crypto.SHA256},
		"persistent parent":   {swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{EmptyAuth: 0xff, Persist: 0x81000010}, Device{}, crypto.SHA256},
		"empty coordinates":   {swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{EmptyAuth: 0xff, Primary: &empty}, Device{}, crypto.SHA256},
		"loose primary":       {unfixed, swtpm.Options{EmptyAuth: 0xff, Primary: &loose}, Device{}, crypto.SHA256},
		"RSA primary":         {swtpm.ECC(tpm2.TPMECCNistP256), swtpm.Options{EmptyAuth: 0xff, Primary: &rsaPrimary}, Device{}, crypto.SHA256},
	} {
		file, pub := tpm.KeyFile(tt.tpl, tt.o)
		d := tt.d
		d.Path = tpm.Path
		s, err := d.Key(context.Background(), block(file))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check(t, name, s, pub, tt.hash)
		if n := tpm.Transient(); n != 0 {
			t.Errorf("%s: %d objects are left in the TPM", name, n)
		}
	}
}

func TestPersistent(t *testing.T) {
	tpm := swtpm.New(t)
	tpl := swtpm.ECC(tpm2.TPMECCNistP256)
	tpl.Password = "sesame"
	ec := tpm.Persistent(tpl, 0x81000101)
	rsaKey := tpm.Persistent(swtpm.RSA(tpm2.TPMAlgNull), 0x81000102)
	d := Device{Path: tpm.Path, Password: func() ([]byte, error) { return []byte("sesame"), nil }}
	for _, name := range []string{"handle:0x81000101", "handle:81000101", "handle:0X81000101"} {
		s, err := d.Persistent(context.Background(), name)
		if err != nil {
			t.Fatal(err)
		}
		check(t, name, s, ec, crypto.SHA256)
	}
	none := Device{Path: tpm.Path, NoPassword: true}
	s, err := none.Persistent(context.Background(), "handle:0x81000102")
	if err != nil {
		t.Fatal(err)
	}
	check(t, "RSA", s, rsaKey, crypto.SHA512)
	if _, err := s.Sign(rand.Reader, make([]byte, 32), &rsa.PSSOptions{Hash: crypto.SHA256}); err == nil {
		t.Error("PSS is accepted")
	}
}

func TestRefusals(t *testing.T) {
	tpm := swtpm.New(t)
	tpl := swtpm.ECC(tpm2.TPMECCNistP256)
	tpl.Password = "sesame"
	file, _ := tpm.KeyFile(tpl, swtpm.Options{})
	tpm.Persistent(tpl, 0x81000101)
	other := swtpm.New(t)
	restricted := swtpm.ECC(tpm2.TPMECCNistP256)
	restricted.Public.ObjectAttributes.Restricted = true
	restricted.Public.Parameters = tpm2.NewTPMUPublicParms(tpm2.TPMAlgECC, &tpm2.TPMSECCParms{CurveID: tpm2.TPMECCNistP256,
		Scheme: tpm2.TPMTECCScheme{Scheme: tpm2.TPMAlgECDSA, Details: tpm2.NewTPMUAsymScheme(tpm2.TPMAlgECDSA, &tpm2.TPMSSigSchemeECDSA{HashAlg: tpm2.TPMAlgSHA256})}})
	policy := swtpm.ECC(tpm2.TPMECCNistP256)
	policy.Public.ObjectAttributes.UserWithAuth = false
	pss, _ := tpm.KeyFile(swtpm.RSA(tpm2.TPMAlgRSAPSS), swtpm.Options{EmptyAuth: 0xff})
	bound, _ := tpm.KeyFile(restricted, swtpm.Options{EmptyAuth: 0xff})
	byPolicy, _ := tpm.KeyFile(policy, swtpm.Options{EmptyAuth: 0xff})
	storage := swtpm.Template{Public: tpm2.ECCSRKTemplate}
	storageFile, _ := tpm.KeyFile(storage, swtpm.Options{EmptyAuth: 0xff})
	wrong := func() ([]byte, error) { return []byte("wrong-secret"), nil }
	right := func() ([]byte, error) { return []byte("sesame"), nil }
	digest := sha256.Sum256([]byte("text"))
	use := func(d Device, what any) error {
		var s crypto.Signer
		var err error
		switch v := what.(type) {
		case []byte:
			s, err = d.Key(context.Background(), block(v))
		case string:
			s, err = d.Persistent(context.Background(), v)
		}
		if err != nil {
			return err
		}
		_, err = s.Sign(rand.Reader, digest[:], crypto.SHA256)
		return err
	}
	for _, tt := range []struct {
		d    Device
		what any
		want string
	}{
		{Device{Path: tpm.Path}, file, "has a password and none was given"},
		{Device{Path: tpm.Path}, "handle:0x81000101", "may have a password and none was given"},
		{Device{Path: tpm.Path, Password: wrong}, file, "the password is wrong"},
		{Device{Path: tpm.Path, NoPassword: true}, "handle:0x81000101", "the password is wrong"},
		{Device{Path: tpm.Path, Password: func() ([]byte, error) { return make([]byte, 65), nil }}, file, "longer than 64"},
		{Device{Path: tpm.Path, Password: right}, "handle:0x81000999", "the TPM has no such key"},
		{Device{Path: tpm.Path, Password: right}, "handle:0x40000001", "is not a persistent TPM handle"},
		{Device{Path: tpm.Path, Password: right}, "handle:x", "is not a persistent TPM handle"},
		{Device{Path: other.Path, Password: right}, file, "does not belong to this TPM"},
		{Device{Path: tpm.Path}, pss, "bound to a signature scheme (0x0016)"},
		{Device{Path: tpm.Path}, bound, "is restricted"},
		{Device{Path: tpm.Path}, byPolicy, "only be used with a policy"},
		{Device{Path: tpm.Path}, storageFile, "not for signing"},
		{Device{Path: "/nonexistent", Password: right}, file, "cannot open the TPM: stat /nonexistent: no such file"},
	} {
		err := use(tt.d, tt.what)
		var h interface{ Hint() string }
		if err == nil || !strings.Contains(err.Error(), tt.want) || tt.want != "longer than 64" && (!errors.As(err, &h) || h.Hint() == "") {
			t.Errorf("got %v, want %q and a hint", err, tt.want)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("the password is in %v", err)
		}
	}
	for _, p := range []*swtpm.TPM{tpm, other} {
		if n := p.Transient(); n != 0 {
			t.Errorf("%d objects are left in the TPM", n)
		}
	}
}

func TestParseKey(t *testing.T) {
	area := func(b ...byte) []byte { return b }
	members := func(m ...byte) []byte { return swtpm.EncodeKey(0x40000001, 0xff, area(0, 0), area(0, 0), m) }
	for name, tt := range map[string]struct {
		der  []byte
		want string
	}{
		"nothing":       {nil, "malformed"},
		"sealed":        {append([]byte{0x30, 8, 6, 6}, 0x67, 0x81, 0x05, 0x0a, 0x01, 0x05), "another kind of object (2.23.133.10.1.5)"},
		"policy":        {members(0xa1, 2, 0x30, 0), "needs a policy"},
		"importable":    {members(0xa2, 2, 4, 0), "importable"},
		"auth policy":   {members(0xa3, 2, 0x30, 0), "needs a policy"},
		"unknown":       {members(0xa9, 2, 4, 0), "unknown member [9]"},
		"bad rsaParent": {members(0xa5, 2, 4, 0), "malformed"},
		"empty area":    {members(), "neither an RSA nor"},
		"parent":        {swtpm.EncodeKey(0x80000001, 0, area(0, 0), area(0, 0)), "neither a hierarchy nor"},
		"negative":      {swtpm.EncodeKey(-1, 0, area(0, 0), area(0, 0)), "malformed"},
		"short area":    {swtpm.EncodeKey(0x40000001, 0, area(0, 9), area(0, 0)), "malformed"},
		"long area":     {swtpm.EncodeKey(0x40000001, 0, make([]byte, maxArea+1), area(0, 0)), "malformed"},
	} {
		_, err := parseKey(tt.der)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", name, err, tt.want)
		}
	}
}

func seeds(f *testing.F) {
	for _, tpl := range []swtpm.Template{swtpm.ECC(tpm2.TPMECCNistP256), swtpm.RSA(tpm2.TPMAlgRSASSA)} {
		public := tpm2.Marshal(tpm2.New2B(tpl.Public))
		f.Add(swtpm.EncodeKey(0x40000001, 1, public, []byte{0, 1, 7}))
		f.Add(public[2:])
	}
	f.Add([]byte{0x80, 2, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 4, 0, 2, 1, 2, 0, 0})
	f.Add([]byte{0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x8b})
}

// FuzzParse: key files, public areas and answers of a TPM are outside bytes.
func FuzzParse(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := parseKey(b); err == nil && (k.public == nil || k.public.key == nil) {
			t.Fatal("a key without its public part")
		}
		if p, err := parsePublic(b); err == nil && (p.key == nil || keysource.CheckPublicKey(p.key) != nil) {
			t.Fatal("a public key that nothing can use")
		}
		for _, withHandle := range []bool{false, true} {
			if _, r, err := response(b, withHandle); err == nil {
				if sig := r.bytes(); len(sig) > len(b) {
					t.Fatal("more than there was")
				}
			}
		}
	})
}
