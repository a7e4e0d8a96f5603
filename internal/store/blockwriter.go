package store

import "encoding/binary"

// A block's head is packed and holds, per event in ascending order of time and id, what can be searched; columns equal to those of
// the event before are left out. Its body holds the certificates and then the records, packed in chunks, so that showing a
// few events does not unpack them all.
//
//	head, unpacked: version, count, time of the first event, then per event
//	  flags, same: a byte each
//	  time since the event before: uvarint, microseconds
//	  id: 16 bytes of a UUID, or text
//	  name, source, username, access key id: text; each unless same
//	  resources: their number, then three texts each; unless same
//	  length of the record: uvarint
//	  with a certificate: its index and its place in the record: uvarints
//	body: number of certificates, then length and bytes of each; then per chunk length and bytes, packed
//
// Texts are a uvarint length and bytes.
const (
	blockVersion = 1
	blockChunk   = 64 // events
)

const (
	blockReadOnly byte = 1 << iota
	blockUUID
	blockCert
)

const (
	sameName byte = 1 << iota
	sameSource
	sameUsername
	sameAccessKey
	sameResources
)

// blockWriter makes blocks; its buffers serve one after the other.
type blockWriter struct {
	packer packer
	terms  termSet
	head   []byte
	chunk  []byte
	packed []byte // all chunks
	one    []byte // one chunk, packed
	certs  []byte
}

// block packs at least one event of one account and region, sorted by time and id.
func (w *blockWriter) block(events []*Event) eventBlock {
	first := *events[0]
	first.clean()
	b := eventBlock{account: first.Account, region: first.Region, start: toMicros(first.Time), id: newBlockID(), events: len(events)}
	w.terms.reset()
	certs := map[string]int{}
	w.head = binary.AppendUvarint(append(w.head[:0], blockVersion), uint64(len(events)))
	w.head = binary.AppendVarint(w.head, b.start)
	w.packed, w.chunk, w.certs = w.packed[:0], w.chunk[:0], w.certs[:0]
	var last Event
	last.Time = first.Time
	for i, original := range events {
		e := *original
		e.clean()
		w.addTerms(&e, &last, &b)
		w.addHead(&e, &last)
		if e.hasCert() {
			n, ok := certs[string(e.Cert)]
			if !ok {
				n = len(certs)
				certs[string(e.Cert)] = n
				w.certs = append(binary.AppendUvarint(w.certs, uint64(len(e.Cert))), e.Cert...)
			}
			w.head = binary.AppendUvarint(binary.AppendUvarint(w.head, uint64(n)), uint64(e.CertAt))
		}
		w.chunk = append(w.chunk, e.Body...)
		if (i+1)%blockChunk == 0 || i == len(events)-1 {
			w.endChunk()
		}
		last = e
	}
	b.end = toMicros(last.Time)
	b.filter = w.terms.filter()
	b.head = w.packer.appendPacked(nil, w.head)
	b.body = make([]byte, 0, len(w.certs)+len(w.packed)+binary.MaxVarintLen64)
	b.body = binary.AppendUvarint(b.body, uint64(len(certs)))
	b.body = append(append(b.body, w.certs...), w.packed...)
	return b
}

func (w *blockWriter) endChunk() {
	w.one = w.packer.appendPacked(w.one[:0], w.chunk)
	w.packed = append(binary.AppendUvarint(w.packed, uint64(len(w.one))), w.one...)
	w.chunk = w.chunk[:0]
}

// addTerms adds what the last event did not have: events in a row often agree.
func (w *blockWriter) addTerms(e, last *Event, b *eventBlock) {
	add := func(prefix, value, before string) {
		if value != "" && value != before {
			w.terms.add(termHash(prefix, value))
		}
	}
	if e.foreignID() {
		b.foreign = true
		add(termID, e.ID, "")
	}
	add(termName, e.Name, last.Name)
	add(termSource, e.Source, last.Source)
	add(termUsername, e.Username, last.Username)
	add(termAccessKey, e.AccessKeyID, last.AccessKeyID)
	for i := range e.Resources {
		r, before := &e.Resources[i], EventResource{}
		if i < len(last.Resources) {
			before = last.Resources[i]
		}
		add(termResourceType, r.Type, before.Type)
		add(termResourceName, r.Name, before.Name)
		add(termResourceName, r.ARN, before.ARN)
	}
}

func (w *blockWriter) addHead(e, last *Event) {
	var flags, same byte
	set := func(mask *byte, bit byte, on bool) {
		if on {
			*mask |= bit
		}
	}
	id, uuid := parseUUID(e.ID)
	set(&flags, blockReadOnly, e.ReadOnly)
	set(&flags, blockUUID, uuid)
	set(&flags, blockCert, e.hasCert())
	set(&same, sameName, e.Name == last.Name)
	set(&same, sameSource, e.Source == last.Source)
	set(&same, sameUsername, e.Username == last.Username)
	set(&same, sameAccessKey, e.AccessKeyID == last.AccessKeyID)
	set(&same, sameResources, equalResources(e.Resources, last.Resources))
	h := append(w.head, flags, same)
	h = binary.AppendUvarint(h, uint64(toMicros(e.Time)-toMicros(last.Time)))
	if uuid {
		h = append(h, id[:]...)
	} else {
		h = appendText(h, e.ID)
	}
	for i, s := range [...]string{e.Name, e.Source, e.Username, e.AccessKeyID} {
		if same&(1<<i) == 0 {
			h = appendText(h, s)
		}
	}
	if same&sameResources == 0 {
		h = binary.AppendUvarint(h, uint64(len(e.Resources)))
		for i := range e.Resources {
			r := &e.Resources[i]
			h = appendText(appendText(appendText(h, r.Type), r.Name), r.ARN)
		}
	}
	w.head = binary.AppendUvarint(h, uint64(len(e.Body)))
}

func equalResources(a, b []EventResource) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
