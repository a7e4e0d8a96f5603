package tpm

import (
	"encoding/asn1"

	"github.com/rolecall/rolecall/internal/keysource"
)

const (
	adviceFile     = "make the key with openssl (tpm2 provider), tpm2tss-genkey or create_tpm2_key, without a policy"
	maxArea        = 4096 // bytes of a public or private area; TPMs have far less memory
	oidLoadableKey = "2.23.133.10.1.3"
)

// key is a parsed TSS2 PRIVATE KEY (ASN.1 Specification for TPM 2.0 Key Files, TPMKey).
type key struct {
	emptyAuth   bool
	rsaParent   bool
	parent      handle
	public      *public
	publicArea  []byte // TPM2B_PUBLIC
	privateArea []byte // TPM2B_PRIVATE
}

// parseKey reads the DER of a key file.
func parseKey(der []byte) (*key, error) {
	malformed := keysource.Errorf("check that the file is complete", "the TPM key file is malformed")
	var outer asn1.RawValue
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 || outer.Tag != asn1.TagSequence || !outer.IsCompound {
		return nil, malformed
	}
	var oid asn1.ObjectIdentifier
	rest, err := asn1.Unmarshal(outer.Bytes, &oid)
	if err != nil {
		return nil, malformed
	}
	if oid.String() != oidLoadableKey {
		return nil, keysource.Errorf(adviceFile, "the TPM key file holds another kind of object (%s) than a loadable key", oid)
	}
	k := &key{}
	for {
		var v asn1.RawValue
		next, err := asn1.Unmarshal(rest, &v)
		if err != nil {
			return nil, malformed
		}
		if v.Class != asn1.ClassContextSpecific {
			break
		}
		rest = next
		switch v.Tag {
		case 0, 5: // emptyAuth, rsaParent: explicit BOOLEANs, of which some tools write TRUE as 1, against DER
			var b asn1.RawValue
			if tail, err := asn1.Unmarshal(v.Bytes, &b); err != nil || len(tail) > 0 || b.Tag != asn1.TagBoolean || len(b.Bytes) != 1 {
				return nil, malformed
			}
			if v.Tag == 0 {
				k.emptyAuth = b.Bytes[0] != 0
			} else {
				k.rsaParent = b.Bytes[0] != 0
			}
		case 1, 3:
			return nil, keysource.Errorf(adviceFile, "the TPM key needs a policy, which is not supported")
		case 2:
			return nil, keysource.Errorf(adviceFile, "the TPM key is importable, which is not supported: load it once and save it as a loadable key")
		case 4: // description
		default: // what is not understood may restrict the key's use
			return nil, keysource.Errorf(adviceFile, "the TPM key file has an unknown member [%d]", v.Tag)
		}
	}
	var tail struct {
		Parent          int64
		Public, Private []byte
	}
	if err := unmarshalMembers(rest, &tail.Parent, &tail.Public, &tail.Private); err != nil || tail.Parent < 0 || tail.Parent > 0xffffffff ||
		len(tail.Public) > maxArea || len(tail.Private) > maxArea {
		return nil, malformed
	}
	k.parent, k.publicArea, k.privateArea = handle(tail.Parent), tail.Public, tail.Private
	if !k.parent.storage() {
		return nil, keysource.Errorf(adviceFile, "the TPM key's parent 0x%08x is neither a hierarchy nor a persistent key", uint32(k.parent))
	}
	area, rest2, ok := sized(tail.Public)
	if !ok || len(rest2) > 0 {
		return nil, malformed
	}
	if _, rest2, ok = sized(tail.Private); !ok || len(rest2) > 0 {
		return nil, malformed
	}
	if k.public, err = parsePublic(area); err != nil {
		return nil, err
	}
	return k, k.public.usable()
}

func unmarshalMembers(b []byte, out ...any) error {
	for _, v := range out {
		rest, err := asn1.Unmarshal(b, v)
		if err != nil {
			return err
		}
		b = rest
	}
	if len(b) > 0 {
		return asn1.SyntaxError{Msg: "trailing data"}
	}
	return nil
}
