package kerberos

import (
	"crypto"
	"crypto/hmac"
	"crypto/md5"
	"crypto/x509"
	"encoding/binary"
	"fmt"

	_ "crypto/sha256" // the hashes that certificates are signed with
	_ "crypto/sha512"

	"github.com/jcmturner/gokrb5/v8/types"
)

const (
	adIfRelevant = 1   // RFC 4120 §5.2.6.1
	adAPOptions  = 143 // MS-KILE 2.2.3, KERB_AUTH_DATA_AP_OPTIONS
	apOptionsCBT = 0x4000
)

// EndpointBinding is the channel binding tls-server-end-point (RFC 5929 §4) of a connection served with leaf, as an
// authenticator carries it: the MD5 of RFC 4121 §4.1.1.2. It fails for signature algorithms without a hash of their own, such
// as Ed25519, for which the RFC leaves the binding undefined.
func EndpointBinding(leaf *x509.Certificate) ([16]byte, error) {
	h, err := endpointHash(leaf.SignatureAlgorithm)
	if err != nil {
		return [16]byte{}, err
	}
	d := h.New()
	d.Write(leaf.Raw)
	app := append([]byte("tls-server-end-point:"), d.Sum(nil)...)
	b := make([]byte, 16, 20+len(app)) // the addresses' types and lengths: none
	b = binary.LittleEndian.AppendUint32(b, uint32(len(app)))
	return md5.Sum(append(b, app...)), nil
}

// endpointHash is the hash of the signature algorithm, and SHA-256 instead of MD5 and SHA-1.
func endpointHash(alg x509.SignatureAlgorithm) (crypto.Hash, error) {
	switch alg {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1,
		x509.SHA256WithRSA, x509.SHA256WithRSAPSS, x509.ECDSAWithSHA256, x509.DSAWithSHA256:
		return crypto.SHA256, nil
	case x509.SHA384WithRSA, x509.SHA384WithRSAPSS, x509.ECDSAWithSHA384:
		return crypto.SHA384, nil
	case x509.SHA512WithRSA, x509.SHA512WithRSAPSS, x509.ECDSAWithSHA512:
		return crypto.SHA512, nil
	}
	return 0, fmt.Errorf("RFC 5929 defines no channel binding for certificates signed with %s", alg)
}

// checkBinding compares the token's channel binding with the certificate's. bound says that one was there and right.
func (v *verified) checkBinding(mode ChannelBinding, leaf *x509.Certificate) (bound bool, err error) {
	if mode == Off {
		return false, nil
	}
	if v.binding == [16]byte{} {
		if mode == Require {
			return false, refuse(ReasonChannelBinding, "the token is not bound to the TLS channel, which the server requires")
		}
		if v.clientKnowsBindings() {
			return false, refuse(ReasonChannelBinding, "the client binds its tokens to TLS channels, but not this one: it was made for a connection without TLS")
		}
		return false, nil
	}
	if leaf == nil {
		return false, refuse(ReasonChannelBinding, "the token is bound to a TLS channel, and ours is not known")
	}
	want, err := EndpointBinding(leaf)
	if err != nil {
		return false, because(ReasonChannelBinding, err, "the token's channel binding cannot be checked")
	}
	if !hmac.Equal(v.binding[:], want[:]) {
		return false, refuse(ReasonChannelBinding, "the token is bound to another TLS channel: a proxy that ends TLS, or a relayed token")
	}
	return true, nil
}

// clientKnowsBindings looks for KERB_AP_OPTIONS_CBT in the authenticator (MS-KILE 3.2.5.8).
func (v *verified) clientKnowsBindings() bool {
	for _, ad := range v.auth.AuthorizationData {
		if ad.ADType != adIfRelevant {
			continue
		}
		var inner types.AuthorizationData
		if inner.Unmarshal(ad.ADData) != nil {
			continue
		}
		for _, e := range inner {
			if e.ADType == adAPOptions && len(e.ADData) >= 4 && binary.LittleEndian.Uint32(e.ADData)&apOptionsCBT != 0 {
				return true
			}
		}
	}
	return false
}
