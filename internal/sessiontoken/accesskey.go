package sessiontoken

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/rolecall/rolecall/internal/arn"
)

// Prefix is the start of an access key id and says what it is.
type Prefix string

// The prefixes of access key ids.
const (
	LongTerm  Prefix = "AKIA" // of a user or the root
	Temporary Prefix = "ASIA" // of a session
)

// Prefixes of unique ids, for [NewID].
const (
	RoleIDPrefix            = "AROA"
	UserIDPrefix            = "AIDA"
	PolicyIDPrefix          = "ANPA"
	GroupIDPrefix           = "AGPA"
	InstanceProfileIDPrefix = "AIPA"
)

// AccessKeyIDLength is the length of every access key id, in characters.
const AccessKeyIDLength = 20

// SecretLength is the length of every secret access key, in characters.
const SecretLength = 40

// After its prefix an access key id is 80 bits in base32: a one, the account as a 40-bit number, 39 random bits. It is
// the layout of AWS's own keys of recent years, so tools that read an account out of a key read ours too, and the
// other way round.
const (
	accountShift  = 7 // of the account within the first 48 bits
	accountMark   = 1 << 47
	accountBits   = 1<<40 - 1
	accountsBelow = 1_000_000_000_000
)

// ErrAccessKeyID is wrapped by [AccountOf].
var ErrAccessKeyID = errors.New("not an access key id that names an account")

// NewAccessKeyID draws an access key id of account. It is empty if account is not twelve digits.
func NewAccessKeyID(prefix Prefix, account arn.AccountID) string {
	n, ok := accountNumber(account)
	if !ok {
		return ""
	}
	var b [10]byte
	rand.Read(b[:]) // never fails: crypto/rand documents that it ends the program instead
	var head [8]byte
	low := uint64(b[5]) & (1<<accountShift - 1)
	binary.BigEndian.PutUint64(head[:], accountMark|n<<accountShift|low)
	copy(b[:6], head[2:])
	var out [AccessKeyIDLength]byte
	copy(out[:4], prefix)
	base32.StdEncoding.Encode(out[4:], b[:])
	return string(out[:])
}

// AccountOf reads the account out of an access key id. It says nothing about whether the key exists.
func AccountOf(accessKeyID string) (arn.AccountID, error) {
	if len(accessKeyID) != AccessKeyIDLength {
		return "", fmt.Errorf("%w: want %d characters", ErrAccessKeyID, AccessKeyIDLength)
	}
	if p := Prefix(accessKeyID[:4]); p != LongTerm && p != Temporary {
		return "", fmt.Errorf("%w: want it to begin with %s or %s", ErrAccessKeyID, LongTerm, Temporary)
	}
	var src [AccessKeyIDLength - 4]byte
	copy(src[:], accessKeyID[4:])
	for _, c := range src { // the decoder skips line breaks, an id has none
		if (c < 'A' || c > 'Z') && (c < '2' || c > '7') {
			return "", fmt.Errorf("%w: want the characters A-Z and 2-7", ErrAccessKeyID)
		}
	}
	var b [10]byte
	if _, err := base32.StdEncoding.Decode(b[:], src[:]); err != nil {
		return "", fmt.Errorf("%w: not base32", ErrAccessKeyID)
	}
	var head [8]byte
	copy(head[2:], b[:6])
	v := binary.BigEndian.Uint64(head[:])
	if v&accountMark == 0 {
		return "", fmt.Errorf("%w: it is of the older kind that carries none", ErrAccessKeyID)
	}
	n := v >> accountShift & accountBits
	if n >= accountsBelow {
		return "", fmt.Errorf("%w: the account is out of range", ErrAccessKeyID)
	}
	return formatAccount(n), nil
}

// NewSecret draws a long-term secret access key: 240 random bits as 40 characters of base64.
func NewSecret() string {
	var b [SecretLength / 4 * 3]byte
	rand.Read(b[:])
	return base64.StdEncoding.EncodeToString(b[:])
}

// NewID draws a unique id such as a role's AROA…: the prefix and 17 random characters of base32 (85 bits).
func NewID(prefix string) string {
	var b [11]byte // 88 bits, 17.6 characters
	rand.Read(b[:])
	return prefix + base32.StdEncoding.EncodeToString(b[:])[:17]
}

func accountNumber(a arn.AccountID) (uint64, bool) {
	if _, err := arn.ParseAccountID(string(a)); err != nil {
		return 0, false
	}
	n, err := strconv.ParseUint(string(a), 10, 64)
	return n, err == nil
}

// formatAccount prints n < 10¹² with its leading zeros.
func formatAccount(n uint64) arn.AccountID {
	var b [12]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = byte('0' + n%10)
		n /= 10
	}
	return arn.AccountID(b[:])
}
