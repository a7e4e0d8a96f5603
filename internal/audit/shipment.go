package audit

import "github.com/rolecall/rolecall/internal/store"

// shipment is what goes into one transaction.
type shipment struct {
	events   []store.Event
	subjects []SubjectSeen
	index    map[subjectKey]int
}

type subjectKey struct {
	account, region, id, serial, issuer string
}

// reset empties the shipment for the next one, in the same memory.
func (b *shipment) reset() {
	clear(b.events)
	clear(b.subjects)
	clear(b.index)
	b.events, b.subjects = b.events[:0], b.subjects[:0]
}

// add keeps events in order, and of each subject's credential only the latest sighting.
func (b *shipment) add(rec *record) {
	b.events = append(b.events, rec.row)
	if !rec.hasSubject {
		return
	}
	sub := &rec.subject
	key := subjectKey{string(sub.Account), string(sub.Region), sub.SubjectID, sub.Serial, sub.Issuer}
	if i, ok := b.index[key]; ok {
		if !sub.SeenAt.Before(b.subjects[i].SeenAt) {
			b.subjects[i] = *sub
		}
		return
	}
	if b.index == nil {
		b.index = map[subjectKey]int{}
	}
	b.index[key] = len(b.subjects)
	b.subjects = append(b.subjects, *sub)
}
