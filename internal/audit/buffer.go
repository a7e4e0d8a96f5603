package audit

import "sync"

// maxPooled keeps one huge event from pinning its buffer.
const maxPooled = 64 << 10

// buffers recycles the buffers that events are encoded into.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

func getBuffer() *[]byte { return buffers.Get().(*[]byte) }

func putBuffer(b *[]byte) {
	if cap(*b) <= maxPooled {
		buffers.Put(b)
	}
}
