package audit

import (
	"bytes"
	"testing"
)

func TestArenaKeepsUntilRecycled(t *testing.T) {
	var a arena
	for round := range 3 {
		var kept, want [][]byte
		for i := range 2 * (maxArenas + 2) * arenaSize / 5000 {
			b := bytes.Repeat([]byte{byte(i), byte(round)}, 2500)
			kept, want = append(kept, a.keep(b)), append(want, bytes.Clone(b))
			clear(b) // keep has a copy
		}
		big := a.keep(make([]byte, arenaSize))
		if len(big) != arenaSize {
			t.Errorf("a long string has %d bytes", len(big))
		}
		for i := range kept {
			if !bytes.Equal(kept[i], want[i]) {
				t.Fatalf("round %d: string %d has changed", round, i)
			}
			if cap(kept[i]) != len(kept[i]) {
				t.Fatal("appending to a string would change its neighbour")
			}
		}
		a.recycle()
		if len(a.pieces) != maxArenas {
			t.Errorf("%d pieces are kept, want %d", len(a.pieces), maxArenas)
		}
	}
}
