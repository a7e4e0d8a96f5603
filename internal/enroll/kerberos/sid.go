package kerberos

import (
	"encoding/binary"
	"errors"
	"strconv"
)

var errSID = errors.New("not a well-formed SID")

// maxSubAuthorities is MS-DTYP 2.4.2.2's limit.
const maxSubAuthorities = 15

// FormatSID gives the text form (S-1-5-21-…, MS-DTYP 2.4.2.1) of a binary SID, which must fill b.
func FormatSID(b []byte) (string, error) {
	if len(b) < 8 || b[0] != 1 || b[1] > maxSubAuthorities || len(b) != 8+4*int(b[1]) {
		return "", errSID
	}
	authority := uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:]))
	s := []byte("S-1-")
	if authority < 1<<32 {
		s = strconv.AppendUint(s, authority, 10)
	} else {
		s = append(s, "0x"...)
		s = strconv.AppendUint(s, authority, 16)
	}
	for b = b[8:]; len(b) > 0; b = b[4:] {
		s = append(s, '-')
		s = strconv.AppendUint(s, uint64(binary.LittleEndian.Uint32(b)), 10)
	}
	return string(s), nil
}

var wellKnown = []string{"S-1-1-0", "S-1-5-11", "S-1-5-32-545"}

// WellKnownGroups returns Everyone, Authenticated Users and Users: the groups of every account that logged on, which
// neither a PAC nor tokenGroups need to list (MS-DTYP 2.4.2.4).
func WellKnownGroups() []string { return append([]string(nil), wellKnown...) }
