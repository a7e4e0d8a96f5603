package template

import "slices"

// Access is what one group or account may do with a template.
type Access struct {
	SID        string
	Enroll     string // ALLOW, DENY or ""
	AutoEnroll string // ALLOW, DENY or ""
}

// Allows says what somebody may do who has the SIDs: sids are those of now, and stale those that a ticket brought. A Deny
// for any of them beats every Allow, and only SIDs of now allow. autoEnroll is never true without enroll.
func (t *Template) Allows(sids, stale []string) (enroll, autoEnroll bool) {
	var denied, deniedAuto bool
	for _, a := range t.access {
		has := slices.Contains(sids, a.SID)
		if !has && !slices.Contains(stale, a.SID) {
			continue
		}
		denied = denied || a.Enroll == deny
		deniedAuto = deniedAuto || a.AutoEnroll == deny
		enroll = enroll || has && a.Enroll == allow
		autoEnroll = autoEnroll || has && a.AutoEnroll == allow
	}
	enroll = enroll && !denied
	return enroll, enroll && autoEnroll && !deniedAuto
}

// The values of an access right.
const (
	allow = "ALLOW"
	deny  = "DENY"
)
