package adtemplate

import (
	"fmt"
	"strconv"
	"strings"
)

// CheckSID takes security identifiers as Windows writes them (MS-DTYP 2.4.2.1): revision 1, at most 15 sub-authorities,
// no superfluous zeros. One in another form would match no group.
func CheckSID(text string) error {
	parts := strings.Split(text, "-")
	if len(parts) < 4 || len(parts) > 3+15 || parts[0] != "S" || parts[1] != "1" {
		return fmt.Errorf("%s is not a security identifier", text)
	}
	// A large authority is written in hex; none that groups have is.
	if n, err := strconv.ParseUint(parts[2], 10, 32); err != nil || strconv.FormatUint(n, 10) != parts[2] {
		return fmt.Errorf("%s is not a security identifier: its authority is out of range", text)
	}
	for _, p := range parts[3:] {
		if !below32(p) {
			return fmt.Errorf("%s is not a security identifier: %s is out of range", text, p)
		}
	}
	return nil
}

// below32 tells whether text is a number below 2^32 in its shortest form.
func below32(text string) bool {
	n, err := strconv.ParseUint(text, 10, 32)
	return err == nil && strconv.FormatUint(n, 10) == text
}
