package file

import (
	"encoding/pem"
	"strings"
	"testing"
)

// A key file must not be able to keep the program busy for minutes or to use up the memory.
func TestWorkLimits(t *testing.T) {
	tests := []struct {
		file   string
		limits workLimits
		want   string
	}{
		{"enc.aes128.key", workLimits{rounds: 2047}, "asks for 2048 PBKDF2 rounds, more than 2047"},
		{"enc.aes128.key", workLimits{rounds: 2048}, ""},
		{"enc.scrypt.key", workLimits{memory: 16<<20 - 1, p: 1}, "memory for scrypt"},
		{"enc.scrypt.key", workLimits{memory: 16 << 20, p: 0}, "memory for scrypt"},
		{"enc.scrypt.key", workLimits{memory: 16 << 20, p: 1}, ""},
	}
	for _, tt := range tests {
		block, _ := pem.Decode(concat(t, tt.file))
		_, err := decryptPKCS8(block.Bytes, []byte("sesame"), tt.limits)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with %+v: got %v, want %q", tt.file, tt.limits, err, tt.want)
		}
	}
}

func TestUnpad(t *testing.T) {
	block := func(tail ...byte) []byte { return append(make([]byte, 16-len(tail)), tail...) }
	for _, tt := range []struct {
		in   []byte
		want int // -1: refused
	}{
		{block(1), 15}, {block(2, 2), 14}, {block(0), -1}, {block(17), -1}, {block(1, 2), -1}, {block(3, 2, 3), -1},
	} {
		out, err := unpad(tt.in)
		if got := len(out); err != nil && tt.want != -1 || err == nil && got != tt.want {
			t.Errorf("%v: %d bytes, %v; want %d", tt.in, got, err, tt.want)
		}
	}
}
