package kerberos

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
)

// Group attributes, MS-PAC 2.2.1.
const (
	groupEnabled  = 0x4
	groupDenyOnly = 0x10
)

var errNDR = errors.New("not well-formed")

// logonInfo is what is used of KERB_VALIDATION_INFO (MS-PAC 2.5).
type logonInfo struct {
	name           string // EffectiveName
	userSID        string
	groups         []string
	userFlags      uint32
	accountControl uint32
}

// ndr reads NDR in little-endian order (C706 chapter 14, MS-RPCE 2.2.6). Everything in KERB_VALIDATION_INFO is aligned to four
// bytes at most. After the first error all reads return zero values; a count never exceeds what the remaining bytes can hold.
type ndr struct {
	b   []byte
	at  int
	err error
}

func (d *ndr) take(n int) []byte {
	if d.err != nil || n < 0 || n > len(d.b)-d.at {
		d.err = errNDR
		return nil
	}
	s := d.b[d.at : d.at+n]
	d.at += n
	return s
}

func (d *ndr) u16() uint16 {
	if s := d.take(2); s != nil {
		return binary.LittleEndian.Uint16(s)
	}
	return 0
}

func (d *ndr) u32() uint32 {
	d.at += -d.at & 3
	if s := d.take(4); s != nil {
		return binary.LittleEndian.Uint32(s)
	}
	return 0
}

// count reads an array's size, which must be want and fit with size bytes per element.
func (d *ndr) count(want uint32, size int) int {
	n := d.u32()
	if d.err == nil && (n != want || int64(n)*int64(size) > int64(len(d.b)-d.at)) {
		d.err = errNDR
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

// text is the head of an RPC_UNICODE_STRING; its characters come later.
type text struct {
	length uint16
	ptr    uint32
}

func (d *ndr) text() text {
	t := text{length: d.u16()}
	d.u16() // MaximumLength
	t.ptr = d.u32()
	return t
}

// chars reads a string's conformant and varying array. What is there may be longer than the string, never shorter.
func (d *ndr) chars(t text) string {
	if t.ptr == 0 {
		return ""
	}
	most, offset, n := d.u32(), d.u32(), d.u32()
	if d.err == nil && (offset != 0 || n > most || n < uint32(t.length/2) || t.length%2 != 0 || int64(n)*2 > int64(len(d.b)-d.at)) {
		d.err = errNDR
	}
	if d.err != nil {
		return ""
	}
	s := d.take(int(n) * 2)
	u := make([]uint16, t.length/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(s[2*i:])
	}
	return string(utf16.Decode(u))
}

// sid reads an RPC_SID: the number of its parts, then the SID.
func (d *ndr) sid() string {
	n := d.u32()
	if n > maxSubAuthorities {
		d.err = errNDR
	}
	b := d.take(8 + 4*int(min(n, maxSubAuthorities)))
	if d.err != nil || uint32(b[1]) != n {
		d.err = errNDR
		return ""
	}
	s, err := FormatSID(b)
	if err != nil {
		d.err = err
	}
	return s
}

// attributes checks a group's attributes and says whether the group counts.
func (d *ndr) attributes(a uint32) bool {
	if a&groupDenyOnly != 0 && d.err == nil {
		d.err = errors.New("a group that counts for denials only, which is not supported")
	}
	return a&groupEnabled != 0
}

// memberships reads GROUP_MEMBERSHIPs: relative ids with attributes.
func (d *ndr) memberships(ptr, want uint32) []uint32 {
	if ptr == 0 {
		if want != 0 {
			d.err = errNDR
		}
		return nil
	}
	var rids []uint32
	for range d.count(want, 8) {
		rid := d.u32()
		if d.attributes(d.u32()) {
			rids = append(rids, rid)
		}
	}
	return rids
}

// parseLogon reads a PAC's logon info: an NDR type serialization (MS-RPCE 2.2.6) of KERB_VALIDATION_INFO.
func parseLogon(b []byte) (*logonInfo, error) {
	d := &ndr{b: b}
	// Version 1, little-endian, header of 8 bytes; then the private header and the referent of the top-level pointer.
	if h := d.take(8); d.err != nil || h[0] != 1 || h[1] != 0x10 || h[2] != 8 || h[3] != 0 {
		return nil, errNDR
	}
	d.take(8)
	if d.u32() == 0 {
		return nil, errNDR
	}
	var l logonInfo
	d.take(6 * 8) // times of logon, logoff, kick-off and password
	var texts [6]text
	for i := range texts { // EffectiveName, FullName, LogonScript, ProfilePath, HomeDirectory, HomeDirectoryDrive
		texts[i] = d.text()
	}
	d.u16() // LogonCount
	d.u16() // BadPasswordCount
	userID, primary := d.u32(), d.u32()
	groups, groupsPtr := d.u32(), d.u32()
	l.userFlags = d.u32()
	d.take(16) // UserSessionKey: zero, MS-PAC 2.5
	server, domain := d.text(), d.text()
	domainPtr := d.u32()
	d.take(8) // Reserved1
	l.accountControl = d.u32()
	d.take(4 + 8 + 8 + 4 + 4) // SubAuthStatus, last logons, FailedILogonCount, Reserved3
	extra, extraPtr := d.u32(), d.u32()
	resourcePtr := d.u32()
	resources, resourcesPtr := d.u32(), d.u32()

	// What the pointers stand for, in their order.
	l.name = d.chars(texts[0])
	for _, t := range texts[1:] {
		d.chars(t)
	}
	rids := d.memberships(groupsPtr, groups)
	d.chars(server)
	d.chars(domain)
	if domainPtr == 0 {
		return nil, errors.New("no domain SID")
	}
	base := d.sid()
	l.extraSIDs(d, extraPtr, extra)
	var resourceBase string
	if resourcePtr != 0 {
		resourceBase = d.sid()
	}
	for _, rid := range d.memberships(resourcesPtr, resources) {
		if resourceBase == "" {
			return nil, errors.New("resource groups of no domain")
		}
		l.groups = append(l.groups, fmt.Sprintf("%s-%d", resourceBase, rid))
	}
	if d.err != nil {
		return nil, d.err
	}
	if userID == 0 || primary == 0 { // then the account is in ExtraSids, which AD does for accounts of other systems
		return nil, errors.New("an account without a SID of its domain")
	}
	l.userSID = fmt.Sprintf("%s-%d", base, userID)
	for _, rid := range append(rids, primary) {
		l.groups = append(l.groups, fmt.Sprintf("%s-%d", base, rid))
	}
	return &l, nil
}

// extraSIDs reads KERB_SID_AND_ATTRIBUTES: pointers with attributes, then the SIDs.
func (l *logonInfo) extraSIDs(d *ndr, ptr, want uint32) {
	if ptr == 0 {
		if want != 0 {
			d.err = errNDR
		}
		return
	}
	counts := make([]bool, d.count(want, 8+12)) // a head of 8 bytes, and a SID of 12 at least
	for i := range counts {
		if d.u32() == 0 {
			d.err = errNDR
		}
		counts[i] = d.attributes(d.u32())
	}
	for _, c := range counts {
		if s := d.sid(); c && d.err == nil {
			l.groups = append(l.groups, s)
		}
	}
}
