package audit

import "slices"

// durable returns what is durable now, in order, for the Shipper.
func (l *Log) durable() []segmentState {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.segments)
}

// forget drops a sealed segment that the Shipper has removed or set aside.
func (l *Log) forget(number uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.segments = slices.DeleteFunc(l.segments, func(s segmentState) bool { return s.sealed && s.number == number })
}

// sealActive has the committer seal segment number soon, if it is the active one.
func (l *Log) sealActive(number uint64) {
	l.mu.Lock()
	ask := l.segments[len(l.segments)-1].number == number
	l.seal = l.seal || ask
	l.mu.Unlock()
	if ask {
		l.nudge()
	}
}
