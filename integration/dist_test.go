package integration

import (
	"crypto/sha256"
	"debug/elf"
	"debug/macho"
	"debug/pe"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// distribution builds the native target into a new folder, with a fixed version and time.
func distribution(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	env := append(os.Environ(), "VERSION=v1.2.3-rc1", "SOURCE_DATE_EPOCH=1790000000")
	mustRun(t, "..", env, "scripts/dist", dir, "linux/"+runtime.GOARCH)
	return dir
}

// What is handed out can be built again to the byte, and is what a package manager expects.
func TestDistribution(t *testing.T) {
	for _, name := range []string{"dpkg", "dpkg-deb", "rpm", "systemd-analyze", "tar", "mandoc", "zip"} {
		tool(t, name)
	}
	dir, again := distribution(t), distribution(t)
	first, second := must(os.ReadFile(filepath.Join(dir, "SHA256SUMS")))(t), must(os.ReadFile(filepath.Join(again, "SHA256SUMS")))(t)
	if string(first) != string(second) {
		t.Errorf("two builds differ:\n%s\n%s", first, second)
	}
	lines := strings.Split(strings.TrimSpace(string(first)), "\n")
	if len(lines) != 9 {
		t.Fatalf("%d files, want an archive and eight packages:\n%s", len(lines), first)
	}
	for _, line := range lines {
		sum, name, _ := strings.Cut(line, "  ")
		if got := sha256.Sum256(must(os.ReadFile(filepath.Join(dir, name)))(t)); hex.EncodeToString(got[:]) != sum {
			t.Errorf("%s is not what SHA256SUMS says", name)
		}
	}
	env := environment(t.TempDir())
	t.Run("archive", func(t *testing.T) { tryArchive(t, env, dir) })
	t.Run("deb", func(t *testing.T) { tryDebs(t, env, dir) })
	t.Run("rpm", func(t *testing.T) { tryRPMs(t, env, dir) })
}

// TestTargets compiles every program of every target, and looks at what came out.
func TestTargets(t *testing.T) {
	dir := t.TempDir()
	table := strings.Split(strings.TrimSpace(mustRun(t, "..", os.Environ(), "scripts/dist", "--targets").stdout), "\n")
	var seen []string
	for _, line := range table {
		words := strings.Fields(line)
		target, programs := words[0], words[1:]
		seen = append(seen, target)
		system, arch, _ := strings.Cut(target, "/")
		to := filepath.Join(dir, system+arch) + string(filepath.Separator)
		args := []string{"build", "-trimpath", "-ldflags", "-s -w", "-o", to}
		for _, program := range programs {
			args = append(args, "./cmd/"+program)
		}
		if err := os.Mkdir(to, 0o755); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		mustRun(t, "..", append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch, "GOARM=7"), tool(t, "go"), args...)
		t.Logf("%s: %s", target, time.Since(began).Round(time.Second))
		for _, program := range programs {
			name := to + program
			if system == "windows" {
				name += ".exe"
			}
			if err := checkBinary(name, system, arch); err != nil {
				t.Errorf("%s of %s: %v", program, target, err)
			}
			os.Remove(name)
		}
	}
	want := []string{"linux/amd64", "linux/arm64", "linux/arm", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}
	if !slices.Equal(seen, want) {
		t.Errorf("targets %v, want %v", seen, want)
	}
	if out := run(t, "..", os.Environ(), "scripts/dist", dir, "plan9/386"); out.code == 0 || !strings.Contains(out.stderr, "is no target") {
		t.Errorf("a target that is none: %d %s", out.code, out.stderr)
	}
}

// checkBinary reports what is wrong with a program for a system: another machine, or, on Linux, a loader that musl or an
// empty container may not have.
func checkBinary(path, system, arch string) error {
	switch system {
	case "linux":
		f, err := elf.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		want := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64, "arm": elf.EM_ARM}[arch]
		libraries, err := f.ImportedLibraries()
		if err != nil || f.Machine != want || len(libraries) != 0 || f.Section(".interp") != nil {
			return fmt.Errorf("%s, libraries %v, loader %v: %w", f.Machine, libraries, f.Section(".interp") != nil, err)
		}
	case "darwin":
		f, err := macho.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if want := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[arch]; f.Cpu != want {
			return fmt.Errorf("for %s", f.Cpu)
		}
	case "windows":
		f, err := pe.Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		if want := map[string]uint16{"amd64": pe.IMAGE_FILE_MACHINE_AMD64, "arm64": pe.IMAGE_FILE_MACHINE_ARM64}[arch]; f.Machine != want {
			return fmt.Errorf("for machine %#x", f.Machine)
		}
	}
	return nil
}

func one(t *testing.T, pattern string) string {
	t.Helper()
	names := must(filepath.Glob(pattern))(t)
	if len(names) != 1 {
		t.Fatalf("%s: %v", pattern, names)
	}
	return names[0]
}

func tryArchive(t *testing.T, env []string, dir string) {
	to := t.TempDir()
	mustRun(t, to, env, "tar", "-xzf", one(t, filepath.Join(dir, "rolecall-*.tar.gz")))
	folder := one(t, filepath.Join(to, "*"))
	for _, name := range []string{"rolecall", "rolecalld", "rolecall-ad"} {
		path := filepath.Join(folder, name)
		if got := mustRun(t, "", env, path, "version").stdout; got != "1.2.3~rc1\n" {
			t.Errorf("%s version: %q", name, got)
		}
		f := must(elf.Open(path))(t)
		if libs, err := f.ImportedLibraries(); err != nil || len(libs) != 0 || f.Section(".interp") != nil {
			t.Errorf("%s is not static: %v, %v", name, libs, err)
		}
		f.Close()
		if size := must(os.Stat(path))(t).Size(); name == "rolecall" && runtime.GOARCH == "amd64" && size >= 8<<20 {
			t.Errorf("the client has %d bytes, at most 8 MiB are allowed", size)
		}
	}
	for _, page := range must(filepath.Glob(filepath.Join(folder, "man", "*.gz")))(t) {
		mustRun(t, "", env, "mandoc", "-Tutf8", page)
	}
}

// contents are the files of both kinds of packages, besides those below /usr/share/doc and folders.
func packageFiles() map[string][]string {
	return map[string][]string{
		"rolecall": {"/usr/bin/rolecall", "/usr/lib/systemd/system/rolecall-serve@.service", "/usr/lib/systemd/system/rolecall-serve@.socket",
			"/usr/lib/systemd/system/rolecall-renew@.service", "/usr/lib/systemd/system/rolecall-renew@.timer",
			"/usr/share/bash-completion/completions/rolecall", "/usr/share/fish/vendor_completions.d/rolecall.fish", "/usr/share/man/man1/rolecall.1.gz",
			"/usr/share/zsh/site-functions/_rolecall"},
		"rolecalld": {"/usr/bin/rolecalld", "/usr/lib/systemd/system/rolecalld.service", "/usr/lib/sysusers.d/rolecalld.conf",
			"/usr/share/bash-completion/completions/rolecalld", "/usr/share/fish/vendor_completions.d/rolecalld.fish", "/usr/share/man/man8/rolecalld.8.gz",
			"/usr/share/zsh/site-functions/_rolecalld"},
		"rolecall-ad": {"/usr/bin/rolecall-ad", "/usr/lib/systemd/system/rolecall-ad.service", "/usr/lib/systemd/system/rolecall-ad.timer",
			"/usr/share/bash-completion/completions/rolecall-ad", "/usr/share/man/man1/rolecall-ad.1.gz"},
		"rolecall-pkcs11": {"/usr/bin/rolecall-pkcs11", "/usr/share/man/man1/rolecall-pkcs11.1.gz"},
	}
}

// tryDebs looks into the packages and installs them into a folder, scripts included.
func tryDebs(t *testing.T, env []string, dir string) {
	root := t.TempDir()
	for _, sub := range []string{"var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"} {
		if err := os.MkdirAll(filepath.Join(root, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"var/lib/dpkg/status", "var/lib/dpkg/available"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	env = append(env, "PATH=/usr/sbin:/sbin:"+os.Getenv("PATH")) // dpkg looks for ldconfig and start-stop-daemon
	for _, name := range []string{"rolecall", "rolecalld", "rolecall-pkcs11", "rolecall-ad"} {
		deb := one(t, filepath.Join(dir, name+"_*.deb"))
		list := mustRun(t, "", env, "dpkg-deb", "-c", deb).stdout
		for _, path := range packageFiles()[name] {
			if !strings.Contains(list, " ."+path+"\n") {
				t.Errorf("%s lacks %s:\n%s", name, path, list)
			}
		}
		if strings.Count(list, "root/root") != strings.Count(list, "\n") {
			t.Errorf("%s has files of somebody else than root:\n%s", name, list)
		}
		fields := mustRun(t, "", env, "dpkg-deb", "-f", deb, "Package", "Version", "Architecture").stdout
		if !strings.Contains(fields, "Version: 1.2.3~rc1\n") || !strings.Contains(fields, "Package: "+name+"\n") {
			t.Errorf("fields of %s:\n%s", name, fields)
		}
		mustRun(t, "", env, "dpkg", "--root="+root, "--force-script-chrootless", "--force-depends", "--log="+filepath.Join(root, "log"), "-i", deb)
	}
	if got := mustRun(t, "", env, filepath.Join(root, "usr/bin/rolecall"), "version").stdout; got != "1.2.3~rc1\n" {
		t.Errorf("the installed client says %q", got)
	}
	if passwd := must(os.ReadFile(filepath.Join(root, "etc/passwd")))(t); !strings.Contains(string(passwd), "rolecalld:") {
		t.Errorf("the installation made no user: %s", passwd)
	}
	units := filepath.Join(root, "usr/lib/systemd/system")
	for _, unit := range []string{"rolecalld.service", "rolecall-serve@.service", "rolecall-serve@.socket", "rolecall-renew@.service", "rolecall-renew@.timer", "rolecall-ad.service", "rolecall-ad.timer"} {
		unit = strings.Replace(unit, "@", "@host", 1)
		// What systemd finds wrong beyond these units is of the machine that tests.
		cmd := exec.CommandContext(t.Context(), "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", "--root="+root, unit)
		cmd.Env = append(env, "SYSTEMD_UNIT_PATH="+units+":")
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 { // an unknown key is only a warning
			t.Errorf("%s: %v\n%s", unit, err, out)
		}
	}
	mustRun(t, "", env, "dpkg", "--root="+root, "--force-script-chrootless", "--log="+filepath.Join(root, "log"), "-r", "rolecalld")
	if _, err := os.Stat(filepath.Join(root, "usr/bin/rolecalld")); !os.IsNotExist(err) {
		t.Errorf("after the removal: %v", err)
	}
}

func tryRPMs(t *testing.T, env []string, dir string) {
	for name, want := range packageFiles() {
		rpm := one(t, filepath.Join(dir, name+"-1*.rpm"))
		list := strings.Fields(mustRun(t, "", env, "rpm", "-qlp", rpm).stdout)
		for _, path := range want {
			if !slices.Contains(list, path) {
				t.Errorf("%s lacks %s: %v", name, path, list)
			}
		}
		if got := mustRun(t, "", env, "rpm", "-qp", "--qf", "%{NAME} %{VERSION} %{LICENSE}", rpm).stdout; got != name+" 1.2.3~rc1 Apache-2.0" {
			t.Errorf("tags of %s: %s", name, got)
		}
		mustRun(t, "", env, "rpm", "-K", "--nosignature", rpm)
	}
}
