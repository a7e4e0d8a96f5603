package userfile

import (
	"errors"
	"strings"
)

// accessLists is what an owner-only file needs of Windows.
type accessLists interface {
	// currentUser is the security identifier of the user that runs this, as text (S-1-…).
	currentUser() (string, error)
	// protect gives the file the access list that text describes, in place of what it inherits.
	protect(path, text string) error
}

// ownerOnlyList is an access list in the security descriptor definition language (MS-DTYP 2.5.1.1): protected from
// inheritance, all rights to the user, to the system and to the administrators, who could take them anyway.
func ownerOnlyList(user string) (string, error) {
	if !strings.HasPrefix(user, "S-1-") || strings.Trim(user[4:], "0123456789-") != "" {
		return "", errors.New("the user's security identifier is malformed")
	}
	return "D:P(A;;FA;;;" + user + ")(A;;FA;;;SY)(A;;FA;;;BA)", nil
}

// protectFor closes the file to all others.
func protectFor(lists accessLists, path string) error {
	user, err := lists.currentUser()
	if err != nil {
		return err
	}
	text, err := ownerOnlyList(user)
	if err != nil {
		return err
	}
	return lists.protect(path, text)
}
