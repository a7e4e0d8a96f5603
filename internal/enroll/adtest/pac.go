package adtest

import (
	"encoding/binary"
	"fmt"
	"time"
	"unicode/utf16"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Kinds of a PAC's buffers, MS-PAC 2.4.
const (
	LogonInfo      = 1
	ServerChecksum = 6
	KDCChecksum    = 7
	ClientInfo     = 10
	UPNInfo        = 12
)

// PAC is what a ticket says about an account: buffers by kind, in no order. The checksums are made by [Domain.Ticket].
type PAC map[uint32][]byte

// pac is the account's PAC for a logon at the time given.
func pac(a *Account, logon time.Time) (PAC, error) {
	info, err := logonInfo(a)
	if err != nil {
		return nil, err
	}
	client := binary.LittleEndian.AppendUint64(nil, fileTime(logon))
	name := units(a.Name)
	client = append(binary.LittleEndian.AppendUint16(client, uint16(len(name))), name...)
	upn := units(a.UPN)
	domain := units(Realm)
	names := binary.LittleEndian.AppendUint16(nil, uint16(len(upn)))
	names = binary.LittleEndian.AppendUint16(names, 16)
	names = binary.LittleEndian.AppendUint16(names, uint16(len(domain)))
	names = binary.LittleEndian.AppendUint16(names, uint16(16+len(upn)))
	names = append(names, make([]byte, 8)...) // flags and padding
	names = append(append(names, upn...), domain...)
	return PAC{LogonInfo: info, ClientInfo: client, UPNInfo: names}, nil
}

// bytes writes the PAC (MS-PAC 2.3) and signs it: for the service, then for the KDC (2.8).
func (p PAC) bytes(service, kdc types.EncryptionKey) ([]byte, error) {
	p[ServerChecksum], p[KDCChecksum] = checksum(), checksum()
	order := []uint32{LogonInfo, ClientInfo, UPNInfo, ServerChecksum, KDCChecksum}
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(order)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	at := 8 + 16*len(order)
	offsets := map[uint32]int{}
	for _, kind := range order {
		offsets[kind] = at
		b = binary.LittleEndian.AppendUint32(b, kind)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(p[kind])))
		b = binary.LittleEndian.AppendUint64(b, uint64(at))
		at += (len(p[kind]) + 7) / 8 * 8
	}
	b = append(b, make([]byte, at-len(b))...)
	for _, kind := range order {
		copy(b[offsets[kind]:], p[kind])
	}
	server, err := sign(service, b)
	if err != nil {
		return nil, err
	}
	whole, err := sign(kdc, server)
	if err != nil {
		return nil, err
	}
	copy(b[offsets[ServerChecksum]+4:], server)
	copy(b[offsets[KDCChecksum]+4:], whole)
	return b, nil
}

// checksum is room for a checksum of type hmac-sha1-96-aes256.
func checksum() []byte { return append([]byte{16, 0, 0, 0}, make([]byte, 12)...) }

func sign(key types.EncryptionKey, data []byte) ([]byte, error) {
	et, err := crypto.GetEtype(key.KeyType)
	if err != nil {
		return nil, err
	}
	return et.GetChecksumHash(key.KeyValue, data, keyusage.KERB_NON_KERB_CKSUM_SALT)
}

// Buffer is where a PAC's bytes hold a buffer, to be spoilt.
func Buffer(pac []byte, kind uint32) ([]byte, error) {
	for i := range int(binary.LittleEndian.Uint32(pac)) {
		h := pac[8+16*i:]
		if binary.LittleEndian.Uint32(h) == kind {
			return pac[binary.LittleEndian.Uint64(h[8:]):][:binary.LittleEndian.Uint32(h[4:])], nil
		}
	}
	return nil, fmt.Errorf("adtest: the PAC has no buffer %d", kind)
}

// fileTime is a FILETIME (MS-DTYP 2.3.3), whole seconds as in a ticket.
func fileTime(t time.Time) uint64 { return uint64(t.Unix())*1e7 + 116444736000000000 }

func units(s string) []byte {
	var b []byte
	for _, u := range utf16.Encode([]rune(s)) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return b
}

// ndr writes NDR (MS-RPCE 2.2.6): what is fixed, and behind it what its pointers stand for.
type ndr struct {
	head, body []byte
	referent   uint32
}

func (n *ndr) u16(v uint16) { n.head = binary.LittleEndian.AppendUint16(n.head, v) }
func (n *ndr) u32(v uint32) { n.head = binary.LittleEndian.AppendUint32(n.head, v) }

func (n *ndr) defer32(values ...uint32) {
	for len(n.body)%4 != 0 {
		n.body = append(n.body, 0)
	}
	for _, v := range values {
		n.body = binary.LittleEndian.AppendUint32(n.body, v)
	}
}

// pointer writes a referent to the head; what it points to comes next in the body.
func (n *ndr) pointer() {
	n.referent += 4
	n.u32(0x00020000 + n.referent)
}

func (n *ndr) text(s string) {
	b := units(s)
	n.u16(uint16(len(b)))
	n.u16(uint16(len(b)))
	if s == "" {
		n.u32(0)
		return
	}
	n.pointer()
	count := uint32(len(b) / 2)
	n.defer32(count, 0, count)
	n.body = append(n.body, b...)
}

// logonInfo is KERB_VALIDATION_INFO (MS-PAC 2.5).
func logonInfo(a *Account) ([]byte, error) {
	n := &ndr{}
	n.pointer()
	n.head = append(n.head, make([]byte, 6*8)...)
	for _, s := range []string{a.Name, a.CommonName, "", "", "", ""} {
		n.text(s)
	}
	n.u32(0) // logon and bad password counts
	n.u32(a.RID)
	primary := uint32(513)
	if a.Computer {
		primary = 515
	}
	n.u32(primary)
	groups := append([]uint32{primary}, a.Groups...)
	n.u32(uint32(len(groups)))
	n.pointer()
	n.defer32(uint32(len(groups)))
	for _, rid := range groups {
		n.defer32(rid, 7) // mandatory, enabled by default, enabled
	}
	n.u32(0x20) // LOGON_EXTRA_SIDS
	n.head = append(n.head, make([]byte, 16)...)
	n.text("DC1")
	n.text(NetBIOS)
	n.pointer()
	domain, err := binarySID(SID)
	if err != nil {
		return nil, err
	}
	n.defer32(uint32(domain[1]))
	n.body = append(n.body, domain...)
	n.u32(0)
	n.u32(0)
	control := uint32(0x10) // a normal account
	if a.Computer {
		control = 0x80
	}
	n.u32(control)
	n.head = append(n.head, make([]byte, 4+8+8+4+4)...)
	asserted, err := binarySID("S-1-18-1")
	if err != nil {
		return nil, err
	}
	n.u32(1)
	n.pointer()
	n.defer32(1, 0x00020100, 7, uint32(asserted[1]))
	n.body = append(n.body, asserted...)
	for range 3 { // no resource groups
		n.u32(0)
	}
	inside := append(n.head, n.body...)
	for len(inside)%8 != 0 {
		inside = append(inside, 0)
	}
	b := []byte{1, 0x10, 8, 0, 0xcc, 0xcc, 0xcc, 0xcc}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(inside)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	return append(b, inside...), nil
}
