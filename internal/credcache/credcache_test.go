package credcache

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/credclient"
)

type world struct {
	*Cache
	at    time.Time
	calls atomic.Int32
	err   error
	life  time.Duration
}

func open(t *testing.T) *world {
	t.Helper()
	c, err := Open(filepath.Join(t.TempDir(), "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Cache: c, at: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), life: time.Hour}
	c.now = func() time.Time { return w.at }
	return w
}

func (w *world) fetch(context.Context) (*credclient.Credentials, error) {
	n := w.calls.Add(1)
	if w.err != nil {
		return nil, w.err
	}
	return &credclient.Credentials{AccessKeyID: fmt.Sprint("A", n), SecretAccessKey: "s", SessionToken: "t", Expiration: w.at.Add(w.life).Format(time.RFC3339)}, nil
}

func (w *world) get(k *Key) string {
	c, err := w.Get(context.Background(), k, w.fetch)
	if err != nil {
		return err.Error()
	}
	return c.AccessKeyID
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %s, want %s", what, got, want)
	}
}

func TestLife(t *testing.T) {
	w, k := open(t), &Key{RoleARN: "r"}
	for range 100 {
		want(t, "new", w.get(k), "A1")
	}
	w.at = w.at.Add(35 * time.Minute) // 25 left: before any jitter of the window
	want(t, "before the window", w.get(k), "A1")
	w.at = w.at.Add(6 * time.Minute) // 19 left
	w.err = errors.New("down")
	want(t, "in the window, failing", w.get(k), "A1")
	for range 10 {
		want(t, "at once again", w.get(k), "A1")
	}
	if n := w.calls.Load(); n != 2 {
		t.Errorf("%d calls: a failure is to be followed by a pause", n)
	}
	w.err = nil
	w.at = w.at.Add(time.Minute)
	want(t, "in the window", w.get(k), "A3")
	w.at = w.at.Add(2 * time.Hour)
	w.err = errors.New("down")
	want(t, "expired", w.get(k), "down")
	want(t, "a failure is not an answer for later callers", w.get(k), "down")
	if n := w.calls.Load(); n != 5 {
		t.Errorf("%d calls, want 5", n)
	}
	w.err = nil
	want(t, "up again", w.get(k), "A6")
	w.at = w.at.Add(-time.Hour)
	want(t, "the clock goes back", w.get(k), "A7")
}

// Every member of the key makes a difference.
func TestKeys(t *testing.T) {
	seen := map[string]string{}
	add := func(name string, k *Key) {
		d := k.digest()
		if seen[d] != "" {
			t.Errorf("%s has the digest of %s", name, seen[d])
		}
		seen[d] = name
	}
	add("nothing", &Key{})
	for i := range reflect.TypeFor[Key]().NumField() {
		var k Key
		f := reflect.ValueOf(&k).Elem().Field(i)
		switch f.Kind() {
		case reflect.String:
			f.SetString("x")
		case reflect.Int:
			f.SetInt(1)
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			f.Set(reflect.ValueOf([]string{"x"}))
		default:
			t.Fatalf("%v", f.Kind())
		}
		add(reflect.TypeFor[Key]().Field(i).Name, &k)
	}
	add("a b", &Key{Identity: []string{"a", "b"}})
	add("ab", &Key{Identity: []string{"ab"}})
}

// What is damaged, foreign or open to others is as if it were not there.
func TestUnsound(t *testing.T) {
	w, k := open(t), &Key{}
	want(t, "first", w.get(k), "A1")
	digest := k.digest()
	path := filepath.Join(w.dir, digest)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	n := 1
	for name, data := range map[string]string{
		"empty": "", "torn": string(good[:len(good)/2]), "null": "null", "list": "[]",
		"other version": strings.Replace(string(good), "session 2", "session 1", 1),
		"further line":  string(good) + "\n",
		"other key":     strings.Replace(string(good), digest, "x"+digest[1:], 1),
		"no secret":     strings.Replace(string(good), "\n\"s\"\n", "\n\"\"\n", 1),
		"longer life":   strings.Replace(string(good), "\n"+fmt.Sprint(w.at.Add(w.life).Unix()), "\n"+fmt.Sprint(w.at.Add(2*w.life).Unix()), 1),
		"unquoted":      strings.Replace(string(good), "\n\"s\"\n", "\ns\n", 1),
		"huge":          string(good) + strings.Repeat(" ", maxEntry),
	} {
		if data == string(good) {
			t.Fatalf("%s: nothing was changed", name)
		}
		if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		n++
		want(t, name, w.get(k), fmt.Sprint("A", n))
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	n++
	want(t, "readable by others", w.get(k), fmt.Sprint("A", n))
	want(t, "sound again", w.get(k), fmt.Sprint("A", n))
	if err := os.Chmod(w.dir, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(w.dir); err == nil {
		t.Error("a folder that others can enter was taken")
	}
}

func TestConcurrent(t *testing.T) {
	for name, failure := range map[string]error{"granted": nil, "refused": errors.New("refused")} {
		w := open(t)
		w.now = time.Now
		w.at = time.Now()
		release := make(chan struct{})
		var waiting, all sync.WaitGroup
		for range 64 {
			waiting.Add(1)
			all.Go(func() {
				waiting.Done()
				c, err := w.Get(context.Background(), &Key{}, func(ctx context.Context) (*credclient.Credentials, error) {
					<-release
					w.err = failure
					return w.fetch(ctx)
				})
				if failure == nil && (err != nil || c.AccessKeyID != "A1") || failure != nil && (err == nil || err.Error() != "refused") {
					t.Errorf("%s: %v, %v", name, c, err)
				}
			})
		}
		waiting.Wait()
		time.Sleep(50 * time.Millisecond) // all have looked and are at the lock
		close(release)
		all.Wait()
		if n := w.calls.Load(); n != 1 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}

func TestFolder(t *testing.T) {
	for env, wanted := range map[[2]string]string{
		{"/x", "/home/u"}: "/x/rolecall/sessions", {"x", "/home/u"}: "/home/u/.cache/rolecall/sessions", {"", "/home/u"}: "/home/u/.cache/rolecall/sessions", {"", ""}: "",
	} {
		got := Folder(func(k string) string { return map[string]string{"XDG_CACHE_HOME": env[0], "HOME": env[1]}[k] })
		if got != wanted {
			t.Errorf("%q: %s, want %s", env, got, wanted)
		}
	}
	if _, err := Open(""); err == nil {
		t.Error("no folder, no error")
	}
}

// A damaged file gives no credentials that are not complete, and no panic.
func FuzzEntry(f *testing.F) {
	f.Add([]byte(`{"Version":1,"Key":"k","Credentials":{"AccessKeyID":"a","SecretAccessKey":"b","SessionToken":"c","Expiration":"2031-01-01T00:00:00Z"},"Obtained":"2026-01-01T00:00:00Z","Expires":"2031-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"Version":1,"Key":"k","Failure":"x"}`))
	f.Add([]byte("null"))
	dir := f.TempDir()
	c := &Cache{dir: dir, now: func() time.Time { return time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC) }}
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "k")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		e := c.read(path, "k")
		if e.valid(c.now()) {
			e.due(c.now())
			if e.Credentials.SecretAccessKey == "" || e.Credentials.SessionToken == "" || e.Credentials.AccessKeyID == "" {
				t.Errorf("%+v", e)
			}
		}
	})
}
