package sessiontoken

import (
	"fmt"
	"time"
)

// The sealed record, in order. Numbers are unsigned varints, strings as in wire.go:
//
//	type(1) ‖ flags(1) ‖ account as a number ‖ partition ‖ issue time (Unix seconds) ‖ life (seconds) ‖
//	role id, name, path ‖ session name ‖ user id, name, path ‖ source identity ‖
//	[region, trust anchor id, profile id, certificate serial, issuer, fingerprint(32)] ‖ [provider] ‖ packed part (packed.go)
//
// In version 2 the first bracket is always there and ends with
//
//	trust anchor's account as a number ‖ number of links ‖ links: issuer name(16), issuer key, serial
//
// The version of the token is the version of the record: a change of this list needs a new one. What stands in brackets
// has a flag, and a flag that a node does not know makes it refuse the record: an addition needs a flag only. Version 2 is
// written only for what version 1 cannot say, so that nodes of both releases work side by side until somebody asks for it.

// Flags.
const (
	flagChained = 1 << iota
	flagMFA
	flagProvenance // the bracketed fields are there
	flagDeflated   // the packed part is compressed
	flagProvider   // the provider is there
	flagsKnown     = 1<<iota - 1
)

// Limits in bytes, for minting and opening alike. They are above what the APIs accept, so that only a mistake in the
// program meets them.
const (
	maxName       = 256      // names, ids, paths of the short kind
	maxPath       = 512      // IAM: paths have up to 512 characters
	maxIdentity   = 1024     // source identity: 256 characters of any script
	maxIssuer     = 2048     // a distinguished name
	maxRecord     = 10 << 10 // the whole record, packed part included
	maxStartYears = 9999
)

// versionOf is the version that says all of s.
func versionOf(s *Session) byte {
	if p := s.Provenance; p != nil && (len(p.Links) > 0 || p.Account != "" && p.Account != s.Account) {
		return 2
	}
	return 1
}

// append appends the record of s; the packed part is made in room if that is long enough. The error wraps [ErrSession] or
// is [ErrTooLarge].
func (c *codec) append(b, room []byte, s *Session, now time.Time) (_ []byte, percent int, err error) {
	account, ok := accountNumber(s.Account)
	if !ok {
		return nil, 0, fmt.Errorf("%w: the account is not twelve digits", ErrSession)
	}
	issued, life, err := times(s, now)
	if err != nil {
		return nil, 0, err
	}
	if err := check(s); err != nil {
		return nil, 0, err
	}
	packed, deflated, percent, err := c.pack(room, s)
	if err != nil {
		return nil, percent, err
	}
	e := encoder{b: b}
	e.byte(byte(s.Type))
	e.byte(flags(s, deflated))
	e.number(account)
	e.string("partition", s.Partition, maxName)
	e.number(uint64(issued.Unix()))
	e.number(uint64(life / time.Second))
	e.string("role id", s.RoleID, maxName)
	e.string("role name", s.RoleName, maxName)
	e.string("role path", s.RolePath, maxPath)
	e.string("session name", s.SessionName, maxName)
	e.string("user id", s.UserID, maxName)
	e.string("user name", s.UserName, maxName)
	e.string("user path", s.UserPath, maxPath)
	e.string("source identity", s.SourceIdentity, maxIdentity)
	if p := s.Provenance; p != nil {
		e.string("region", string(p.Region), maxName)
		e.string("trust anchor id", p.TrustAnchorID, maxName)
		e.string("profile id", p.ProfileID, maxName)
		e.string("certificate serial", p.CertSerial, maxName)
		e.string("certificate issuer", p.CertIssuer, maxIssuer)
		e.b = append(e.b, p.CertFingerprint[:]...)
		if versionOf(s) == 2 {
			if err := e.origin(p); err != nil {
				return nil, percent, err
			}
		}
	}
	if s.Provider != "" {
		e.string("provider", s.Provider, maxARN)
	}
	e.b = append(e.b, packed...)
	if e.tooLong != "" {
		return nil, percent, fmt.Errorf("%w: %s is too long", ErrSession, e.tooLong)
	}
	if len(e.b)-len(b) > maxRecord {
		return nil, percent, fmt.Errorf("%w: the record is too long", ErrSession)
	}
	return e.b, percent, nil
}

// check is what must hold for a record of each type.
func check(s *Session) error {
	switch s.Type {
	case AssumedRole:
		if s.RoleID == "" || s.RoleName == "" || s.SessionName == "" {
			return fmt.Errorf("%w: a role session needs role id, role name and session name", ErrSession)
		}
		if s.UserID != "" || s.UserName != "" || s.UserPath != "" {
			return fmt.Errorf("%w: a role session has no user", ErrSession)
		}
	case Federated:
		if s.RoleID != "" || s.RoleName != "" || s.RolePath != "" || s.Chained || s.Provenance != nil || s.Provider != "" {
			return fmt.Errorf("%w: a federated user's session has no role", ErrSession)
		}
		if s.SessionName == "" || s.UserName != "" && s.UserID == "" {
			return fmt.Errorf("%w: a federated user's session needs a name, and the id of the user behind it", ErrSession)
		}
	case SessionToken:
		if s.Provider != "" {
			return fmt.Errorf("%w: a user's session has no provider", ErrSession)
		}
		if s.RoleID != "" || s.RoleName != "" || s.RolePath != "" || s.Chained || s.Provenance != nil {
			return fmt.Errorf("%w: a user's session has no role", ErrSession)
		}
		if s.UserName != "" && s.UserID == "" {
			return fmt.Errorf("%w: a user's session needs the user id", ErrSession)
		}
	default:
		return fmt.Errorf("%w: type %s cannot be minted", ErrSession, s.Type)
	}
	if s.Partition == "" {
		return fmt.Errorf("%w: the partition is missing", ErrSession)
	}
	return nil
}

// times are the record's: issue time in whole seconds and the life from there.
func times(s *Session, now time.Time) (issued time.Time, life time.Duration, err error) {
	issued = wholeSeconds(s.IssuedAt)
	if s.IssuedAt.IsZero() {
		issued = wholeSeconds(now)
	}
	if issued.Unix() < 0 || issued.Year() > maxStartYears {
		return issued, 0, fmt.Errorf("%w: the issue time is out of range", ErrSession)
	}
	life = wholeSeconds(s.ExpiresAt).Sub(issued)
	most := MaxDuration
	if s.Chained {
		most = MaxChainedDuration
	}
	if life <= 0 || life > most {
		return issued, 0, fmt.Errorf("%w: it must live longer than 0s and at most %s, not %s", ErrSession, most, life)
	}
	return issued, life, nil
}

func flags(s *Session, deflated bool) (f byte) {
	if s.Chained {
		f |= flagChained
	}
	if s.MFA {
		f |= flagMFA
	}
	if s.Provenance != nil {
		f |= flagProvenance
	}
	if deflated {
		f |= flagDeflated
	}
	if s.Provider != "" {
		f |= flagProvider
	}
	return f
}

// decode is the inverse of append. It refuses what append would not write; b may be
// reused afterwards. The input was authenticated, but a record is not trusted to be sane for that.
func (c *codec) decode(b []byte, version byte) (*Session, error) {
	if len(b) > maxRecord {
		return nil, errRecord
	}
	d := newDecoder(b)
	s := &Session{Type: Type(d.byte())}
	f := d.byte()
	account := d.number(accountsBelow - 1)
	s.Partition = d.string(maxName)
	issued := int64(d.number(1 << 48))
	life := time.Duration(d.number(uint64(MaxDuration/time.Second))) * time.Second
	s.RoleID = d.string(maxName)
	s.RoleName = d.string(maxName)
	s.RolePath = d.string(maxPath)
	s.SessionName = d.string(maxName)
	s.UserID = d.string(maxName)
	s.UserName = d.string(maxName)
	s.UserPath = d.string(maxPath)
	s.SourceIdentity = d.string(maxIdentity)
	if f&flagProvenance != 0 {
		s.Provenance = d.provenance()
	}
	if version == 2 {
		d.origin(s.Provenance)
	}
	if f&flagProvider != 0 {
		if s.Provider = d.string(maxARN); s.Provider == "" {
			return nil, errRecord // it would have another spelling without the flag
		}
	}
	if d.bad || f > flagsKnown {
		return nil, errRecord
	}
	s.Chained = f&flagChained != 0
	s.MFA = f&flagMFA != 0
	s.Account = formatAccount(account)
	if s.Provenance != nil && version == 1 {
		s.Provenance.Account = s.Account
	}
	if versionOf(s) != version {
		return nil, errRecord
	}
	s.IssuedAt = time.Unix(issued, 0).UTC()
	s.ExpiresAt = s.IssuedAt.Add(life)
	if err := c.unpack(s, &d, f&flagDeflated != 0); err != nil {
		return nil, err
	}
	if _, _, err := times(s, s.IssuedAt); err != nil {
		return nil, errRecord
	}
	if check(s) != nil {
		return nil, errRecord
	}
	return s, nil
}
