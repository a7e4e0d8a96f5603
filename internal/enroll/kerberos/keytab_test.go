package kerberos_test

import (
	"testing"

	"github.com/jcmturner/gokrb5/v8/keytab"
)

// onlyKey is a keytab whose keys went through change and, if kvno is not 0, have that version.
func onlyKey(t testing.TB, data []byte, change func(key []byte), kvno uint8) []byte {
	t.Helper()
	kt := keytab.New()
	if err := kt.Unmarshal(data); err != nil {
		t.Fatal(err)
	}
	if len(kt.Entries) == 0 {
		t.Fatal("an empty keytab")
	}
	for i := range kt.Entries {
		e := &kt.Entries[i]
		if change != nil {
			change(e.Key.KeyValue)
		}
		if kvno != 0 {
			e.KVNO8, e.KVNO = kvno, uint32(kvno)
		}
	}
	out, err := kt.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return out
}
