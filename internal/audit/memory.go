package audit

import (
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/rolecall/rolecall/internal/arn"
)

// memory is the folder of a server that keeps nothing.
type memory struct {
	id       string
	mu       sync.Mutex // guards all below; segments are written and read at the same time
	segments map[uint64]*memorySegment
}

type memorySegment struct {
	mu   sync.Mutex
	data []byte // only ever appended to, so a reader's copy of the slice stays valid
}

func newMemory() *memory { return &memory{id: arn.NewUUID(), segments: map[uint64]*memorySegment{}} }

func (m *memory) List() ([]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Sorted(maps.Keys(m.segments)), nil
}

func (m *memory) Create(number uint64, header []byte) (segmentFile, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.segments[number] != nil {
		return nil, fmt.Errorf("audit: segment %d: %w", number, fs.ErrExist)
	}
	s := &memorySegment{data: slices.Clone(header)}
	m.segments[number] = s
	return s, nil
}

func (m *memory) Open(number uint64) (segmentSource, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.segments[number]
	if s == nil {
		return nil, fmt.Errorf("audit: segment %d: %w", number, fs.ErrNotExist)
	}
	return s, nil
}

func (m *memory) Truncate(number uint64, size int64) error {
	m.mu.Lock()
	s := m.segments[number]
	m.mu.Unlock()
	if s == nil {
		return fs.ErrNotExist
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = slices.Clone(s.data[:min(size, int64(len(s.data)))])
	return nil
}

func (m *memory) Remove(number uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.segments, number)
	return nil
}

// SetAside drops the segment: damaged memory has nobody to look at it, and the Shipper has reported it.
func (m *memory) SetAside(number uint64) (string, error) {
	return "memory", m.Remove(number)
}

func (m *memory) ID() (string, error) { return m.id, nil }

func (m *memory) Close() error { return nil }

func (s *memorySegment) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = append(s.data, p...)
	return len(p), nil
}

func (s *memorySegment) ReadAt(p []byte, off int64) (int, error) {
	s.mu.Lock()
	data := s.data
	s.mu.Unlock()
	if off < 0 || off >= int64(len(data)) {
		return 0, io.EOF
	}
	n := copy(p, data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (s *memorySegment) Size() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.data)), nil
}

func (s *memorySegment) Sync() error  { return nil }
func (s *memorySegment) Close() error { return nil }
