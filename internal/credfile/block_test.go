package credfile

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func profileOf(name string) *Profile {
	return &Profile{Name: name, Keys: [][2]string{{"region", "eu-west-1"}, {"credential_process", "/bin/x 'a b'"}}}
}

// Every file comes back to the byte after its profile has been written, written again and removed.
func TestBlockIsUndone(t *testing.T) {
	files := []string{
		"", "\n", "[default]\nregion = x", "[default]\r\nregion = x\r\n", "# only a comment", "[profile other]\nregion=1\n\n",
		"\ufeff[profile p2]\nregion = x\ns3 =\n  a = b\n  [profile p]\n", "[profile pp]\nx = y\n# end\n",
	}
	for _, file := range files {
		with, change, err := setBlock([]byte(file), profileOf("p"))
		if err != nil || change != Created || !bytes.HasPrefix(with, []byte(file)) {
			t.Fatalf("%q: %q, %v, %v", file, with, change, err)
		}
		if v, found, ok := Lookup(with, "p", "credential_process"); !found || !ok || v != "/bin/x 'a b'" {
			t.Errorf("%q: %q, %v, %v", file, v, found, ok)
		}
		again, change, err := setBlock(with, profileOf("p"))
		if err != nil || change != Unchanged || !bytes.Equal(again, with) {
			t.Errorf("%q again: %v, %v", file, change, err)
		}
		other := profileOf("p")
		other.Keys[0][1] = "us-east-1"
		changed, change, err := setBlock(with, other)
		if err != nil || change != Updated || bytes.Equal(changed, with) {
			t.Errorf("%q changed: %v, %v", file, change, err)
		}
		without, change, err := removeBlock(changed, "p")
		if err != nil || change != Removed || string(without) != file {
			t.Errorf("%q became %q, %v, %v", file, without, change, err)
		}
	}
}

func TestForeignProfile(t *testing.T) {
	for _, name := range []string{"p", "default"} {
		header := map[string]string{"p": "[ profile  'p' ] ; mine", "default": "[default]"}[name]
		file := "a = b\n" + header + "\r\nregion = r\n# inside\noutput = json\n\n# of the next\n[profile z]\nk = v"
		p := profileOf(name)
		if _, _, err := setBlock([]byte(file), p); err == nil || !strings.Contains(err.Error(), "did not write it") {
			t.Errorf("%s: %v", name, err)
		}
		p.Force = true
		with, change, err := setBlock([]byte(file), p)
		if err != nil || change != Replaced || !strings.Contains(string(with), "#rolecall# # inside\n#rolecall# output = json\n\n# of the next\n[profile z]") {
			t.Fatalf("%s: %q, %v, %v", name, with, change, err)
		}
		if without, _, err := removeBlock(with, name); err != nil || string(without) != file {
			t.Errorf("%s became %q, %v", name, without, err)
		}
	}
}

// What the user puts into the block stays.
func TestUserLinesInBlock(t *testing.T) {
	with, _, err := setBlock([]byte("[default]\n"), profileOf("p"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(with), endMark, "output = json\n"+endMark, 1)
	again, change, err := setBlock([]byte(text), profileOf("p"))
	if err != nil || change != Unchanged || string(again) != text {
		t.Errorf("%v, %v: %q", change, err, again)
	}
	without, _, err := removeBlock([]byte(text), "p")
	if err != nil || string(without) != "[default]\n\n[profile p]\noutput = json\n" {
		t.Errorf("%q, %v", without, err)
	}
	for _, broken := range []string{
		strings.Replace(text, endMark+"p", "", 1), strings.Replace(text, beginMark+"p", "", 1), text + text,
	} {
		if _, _, err := removeBlock([]byte(broken), "p"); err == nil {
			t.Errorf("%q was taken", broken)
		}
	}
	if _, _, err := setBlock([]byte(text+"[profile p]\n"), profileOf("p")); err == nil || !strings.Contains(err.Error(), "twice") {
		t.Errorf("two profiles: %v", err)
	}
	if _, _, err := removeBlock([]byte("[profile p]\n"), "p"); err == nil {
		t.Error("a profile of the user's was removed")
	}
}

func TestConfigFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".aws", "config")
	p := profileOf("p")
	p.DryRun = true
	if change, err := WriteProfile(t.Context(), path, p); err != nil || change != Created {
		t.Fatal(change, err)
	}
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Fatalf("a dry run made the folder: %v", err)
	}
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			if _, err := WriteProfile(t.Context(), path, profileOf(fmt.Sprintf("p%d", i))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 64 {
		if _, _, ok := Lookup(data, fmt.Sprintf("p%d", i), "region"); !ok {
			t.Errorf("profile %d was lost", i)
		}
		if _, err := RemoveProfile(t.Context(), path, fmt.Sprintf("p%d", i), false); err != nil {
			t.Error(err)
		}
	}
	if data, err := os.ReadFile(path); err != nil || len(data) != 0 {
		t.Errorf("left: %q, %v", data, err)
	}
	for name, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

// FuzzBlock: what is there stays, and is there again after a removal.
func FuzzBlock(f *testing.F) {
	f.Add([]byte("[default]\nregion = x"), false)
	f.Add([]byte("[profile p]\r\na = b\n  c\n"), true)
	f.Add([]byte(beginMark+"p\n"+endMark+"p\n"), true)
	f.Fuzz(func(t *testing.T, file []byte, force bool) {
		p := profileOf("p")
		p.Force = force
		with, change, err := setBlock(file, p)
		if err != nil || change != Created && change != Replaced {
			return
		}
		without, _, err := removeBlock(with, "p")
		if err != nil || !bytes.Equal(without, file) {
			t.Errorf("%q became %q, then %q: %v", file, with, without, err)
		}
	})
}
