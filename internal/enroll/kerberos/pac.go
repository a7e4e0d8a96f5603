package kerberos

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
)

const adWin2KPAC = 128 // MS-KILE 2.2.3

// Buffers of a PAC, MS-PAC 2.4.
const (
	bufLogonInfo    = 1
	bufServerSum    = 6
	bufKDCSum       = 7
	bufClientInfo   = 10
	bufUPNInfo      = 12
	bufRequestor    = 18
	maxBuffers      = 64
	signatureHeader = 4
)

// Flags of accounts and logons.
const (
	uacDisabled    = 0x1   // MS-SAMR 2.2.1.12
	uacWorkstation = 0x80  // MS-SAMR 2.2.1.12
	uacServer      = 0x100 // MS-SAMR 2.2.1.12
	userFlagGuest  = 1     // MS-PAC 2.5
)

// identity finds the PAC in the ticket, verifies it and makes an [Identity] of it. PACs of the authenticator do not count: the
// client wrote that.
func (v *verified) identity() (*Identity, error) {
	raw, err := findPAC(v.ticket.AuthorizationData)
	if err != nil {
		return nil, err
	}
	p, err := openPAC(raw, v.serviceKey)
	if err != nil {
		return nil, err
	}
	if err := p.checkClient(strings.Join(v.ticket.CName.NameString, "/"), v.ticket.AuthTime); err != nil {
		return nil, err
	}
	id, err := p.identity()
	if err != nil {
		return nil, err
	}
	id.Realm, id.AuthTime, id.EndTime = v.ticket.CRealm, v.ticket.AuthTime, v.ticket.EndTime
	return id, nil
}

// findPAC returns the one PAC of a ticket: AD-WIN2K-PAC in AD-IF-RELEVANT (MS-KILE 3.3.5.6.4).
func findPAC(data types.AuthorizationData) ([]byte, error) {
	var found []byte
	for _, ad := range data {
		if ad.ADType != adIfRelevant {
			continue
		}
		var inner types.AuthorizationData
		if err := inner.Unmarshal(ad.ADData); err != nil {
			return nil, because(ReasonPAC, err, "authorization data is not well-formed")
		}
		for _, e := range inner {
			if e.ADType != adWin2KPAC {
				continue
			}
			if found != nil {
				return nil, refuse(ReasonPAC, "several PACs in the ticket")
			}
			found = e.ADData
		}
	}
	if found == nil {
		return nil, refuse(ReasonNoPAC, "the ticket has no PAC: its KDC is not Active Directory, or the account is marked to need none")
	}
	return found, nil
}

// pac is the parts of a PAC that are read. Only [openPAC] makes one, and only of what the KDC signed for this service.
type pac struct {
	logon, client, upn, requestor []byte
}

// openPAC verifies the server's checksum (MS-PAC 2.8.1) and then splits the PAC. The KDC's own checksums are not ours to
// verify: only krbtgt's key does.
func openPAC(raw []byte, key types.EncryptionKey) (*pac, error) {
	bufs, err := splitPAC(raw)
	if err != nil {
		return nil, err
	}
	sum, kdc := bufs[bufServerSum], bufs[bufKDCSum]
	kind, size := checksumOf(key.KeyType)
	if size == 0 || len(sum.data) < signatureHeader+size || int32(binary.LittleEndian.Uint32(sum.data)) != kind {
		return nil, refuse(ReasonPAC, "no server checksum of the service key's type")
	}
	if len(kdc.data) < signatureHeader {
		return nil, refuse(ReasonPAC, "no KDC checksum")
	}
	_, kdcSize := checksumOf(etypeOfChecksum(int32(binary.LittleEndian.Uint32(kdc.data))))
	if kdcSize == 0 || len(kdc.data) < signatureHeader+kdcSize {
		return nil, refuse(ReasonPAC, "a KDC checksum of unknown type")
	}
	zeroed := slices.Clone(raw)
	clear(zeroed[sum.offset+signatureHeader:][:size])
	clear(zeroed[kdc.offset+signatureHeader:][:kdcSize])
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, because(ReasonPAC, err, "server checksum")
	}
	if !et.VerifyChecksum(key.KeyValue, zeroed, sum.data[signatureHeader:][:size], keyusage.KERB_NON_KERB_CKSUM_SALT) {
		return nil, refuse(ReasonPAC, "the server checksum is wrong")
	}
	return &pac{bufs[bufLogonInfo].data, bufs[bufClientInfo].data, bufs[bufUPNInfo].data, bufs[bufRequestor].data}, nil
}

// checksumOf gives the type and the size in bytes of the checksum that belongs to an encryption type, MS-PAC 2.8.
func checksumOf(etype int32) (kind int32, size int) {
	switch etype {
	case etypeAES128:
		return 15, 12
	case etypeAES256:
		return 16, 12
	case etypeRC4:
		return -138, 16 // KERB_CHECKSUM_HMAC_MD5
	}
	return 0, 0
}

func etypeOfChecksum(kind int32) int32 {
	for _, et := range []int32{etypeAES128, etypeAES256, etypeRC4} {
		if k, _ := checksumOf(et); k == kind {
			return et
		}
	}
	return 0
}

type pacBuffer struct {
	offset int
	data   []byte
}

// splitPAC reads the PACTYPE structure (MS-PAC 2.3). Every kind of buffer may be there once.
func splitPAC(raw []byte) (map[uint32]pacBuffer, error) {
	if len(raw) < 8 || len(raw) > maxToken {
		return nil, refuse(ReasonPAC, "a PAC of %d bytes", len(raw))
	}
	n := binary.LittleEndian.Uint32(raw)
	if n > maxBuffers || len(raw) < 8+16*int(n) || binary.LittleEndian.Uint32(raw[4:]) != 0 {
		return nil, refuse(ReasonPAC, "not a PAC of version 0 with at most %d buffers", maxBuffers)
	}
	bufs := make(map[uint32]pacBuffer, n)
	for i := range int(n) {
		h := raw[8+16*i:]
		kind, size, offset := binary.LittleEndian.Uint32(h), uint64(binary.LittleEndian.Uint32(h[4:])), binary.LittleEndian.Uint64(h[8:])
		if offset%8 != 0 || offset < uint64(8+16*int(n)) || offset > uint64(len(raw)) || size > uint64(len(raw))-offset {
			return nil, refuse(ReasonPAC, "buffer %d lies outside of the PAC", kind)
		}
		if _, twice := bufs[kind]; twice {
			return nil, refuse(ReasonPAC, "buffer %d is there twice", kind)
		}
		bufs[kind] = pacBuffer{int(offset), raw[offset : offset+size]}
	}
	return bufs, nil
}

// checkClient ties the PAC to the ticket it is in: the name and the time of the logon must be the ticket's (MS-PAC 2.7).
func (p *pac) checkClient(cname string, authTime time.Time) error {
	if len(p.client) < 10 {
		return refuse(ReasonPAC, "no client info")
	}
	size := int(binary.LittleEndian.Uint16(p.client[8:]))
	name, ok := utf16Text(p.client[10:], 0, size)
	if !ok {
		return refuse(ReasonPAC, "client info is not well-formed")
	}
	if at := fileTime(p.client); !at.Equal(authTime) {
		return refuse(ReasonPAC, "the PAC is of a logon at %s, the ticket of one at %s", at.Format(time.RFC3339), authTime.UTC().Format(time.RFC3339))
	}
	if !strings.EqualFold(name, cname) {
		return refuse(ReasonPAC, "the PAC is of %q, the ticket of %q", name, cname)
	}
	return nil
}

// identity reads who the PAC says the caller is.
func (p *pac) identity() (*Identity, error) {
	l, err := parseLogon(p.logon)
	if err != nil {
		return nil, because(ReasonPAC, err, "logon info")
	}
	switch {
	case l.accountControl&uacDisabled != 0:
		return nil, refuse(ReasonAccount, "the account %s is disabled", l.userSID)
	case l.userFlags&userFlagGuest != 0:
		return nil, refuse(ReasonAccount, "a guest logon")
	}
	id := &Identity{UserSID: l.userSID, AccountName: l.name, Computer: l.accountControl&(uacWorkstation|uacServer) != 0}
	id.Groups = append(l.groups, wellKnown...)
	slices.Sort(id.Groups)
	id.Groups = slices.Compact(id.Groups)
	if len(p.requestor) > 0 { // MS-PAC 2.15
		if sid, err := FormatSID(p.requestor); err != nil || sid != l.userSID {
			return nil, refuse(ReasonPAC, "the requestor is not the logon info's account")
		}
	}
	if len(p.upn) > 0 {
		if err := p.readUPN(id); err != nil {
			return nil, err
		}
	}
	return id, nil
}

// readUPN reads UPN_DNS_INFO (MS-PAC 2.10). Its newer form names the account by SID as well.
func (p *pac) readUPN(id *Identity) error {
	b := p.upn
	if len(b) < 12 {
		return refuse(ReasonPAC, "UPN info is not well-formed")
	}
	upn, ok := utf16Text(b, int(binary.LittleEndian.Uint16(b[2:])), int(binary.LittleEndian.Uint16(b)))
	if !ok {
		return refuse(ReasonPAC, "UPN info is not well-formed")
	}
	id.UPN = upn
	if binary.LittleEndian.Uint32(b[8:])&2 == 0 { // flag S: with SAM name and SID
		return nil
	}
	if len(b) < 20 {
		return refuse(ReasonPAC, "UPN info is not well-formed")
	}
	size, at := int(binary.LittleEndian.Uint16(b[16:])), int(binary.LittleEndian.Uint16(b[18:]))
	if at+size > len(b) {
		return refuse(ReasonPAC, "UPN info is not well-formed")
	}
	if sid, err := FormatSID(b[at : at+size]); err != nil || sid != id.UserSID {
		return refuse(ReasonPAC, "UPN info is not of the logon info's account")
	}
	return nil
}

// utf16Text reads size bytes of UTF-16LE at an offset.
func utf16Text(b []byte, at, size int) (string, bool) {
	if size%2 != 0 || at+size > len(b) {
		return "", false
	}
	u := make([]uint16, size/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[at+2*i:])
	}
	return string(utf16.Decode(u)), true
}

// fileTime reads a FILETIME (MS-DTYP 2.3.3): 100 ns since 1601. The largest values mean never.
func fileTime(b []byte) time.Time {
	const to1970 = 116444736000000000
	t := binary.LittleEndian.Uint64(b)
	if t > math.MaxInt64 {
		t = math.MaxInt64
	}
	d := int64(t) - to1970
	return time.Unix(d/1e7, d%1e7*100).UTC()
}
