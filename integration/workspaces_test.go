package integration

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rolecall/rolecall/internal/enroll/gpo"
	"github.com/rolecall/rolecall/internal/testad"
)

// domainMarker is above the blocks that need a domain.
const domainMarker = "<!-- test: domain -->"

//go:embed workspaces.sh
var domainMachine string

// What an administrator does (docs/ad.md), and then the WorkSpaces story (docs/workspaces.md): in a real domain, each on a
// machine that is its member. The first page ends as it began.
func TestDocumentedDomain(t *testing.T) {
	if asRoot(t) {
		return
	}
	for _, name := range []string{"dbus-daemon", "certmonger", "getcert", "samba-gpupdate", "ldapmodify", "aws", "openssl", "curl"} {
		tool(t, name)
	}
	d := testad.Start(t)
	documented(t, d, "ad.md", "MACHINE=PKI1", "CA_HOST=pki."+testad.DNSDomain, "TRUSTED=ca.pem")
	enableAutoEnrollment(t, d)
	documented(t, d, "workspaces.md", "MACHINE=LX1", "CA_HOST="+testad.CAHost, "TRUSTED=data/tls-ca.pem")
}

// documented runs a page as one session on a new machine of the domain: with its name, the server's, and the file that machines
// trust the server by.
func documented(t *testing.T, d *testad.Domain, page string, variables ...string) {
	t.Run(page, func(t *testing.T) {
		text, err := os.ReadFile("../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		marked := strings.ReplaceAll(string(text), domainMarker, testMarker)
		blocks, err := scripts(marked)
		if err != nil || len(blocks) < 9 {
			t.Fatalf("%d blocks, %v", len(blocks), err)
		}
		wanted, err := outputs(marked)
		if err != nil || len(wanted) < 3 {
			t.Fatalf("%d outputs, %v", len(wanted), err)
		}
		var session strings.Builder
		session.WriteString(domainMachine)
		for _, s := range blocks {
			fmt.Fprintf(&session, "echo '## %s:%d'\n%s", page, s.line, s.text)
		}
		checkOutputs(t, page, wanted, runInDomain(t, d, session.String(), variables...))
	})
}

// asRoot runs the test again as root, if this process is not: namespaces need it.
func asRoot(t *testing.T) bool {
	t.Helper()
	if os.Geteuid() == 0 {
		return false
	}
	out, err := exec.CommandContext(t.Context(), "sudo", "-n", "--preserve-env", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v").CombinedOutput()
	if err != nil {
		t.Errorf("as root: %v\n%s", err, out)
	}
	return true
}

// enableAutoEnrollment writes the policy of the domain into SYSVOL, as an administrator's console does.
func enableAutoEnrollment(t *testing.T, d *testad.Domain) {
	t.Helper()
	const guid = "{31B2F340-016D-11D2-945F-00C04FB984F9}" // the Default Domain Policy
	values := must(gpo.AutoEnrollment(gpo.PolicyEnroll | gpo.PolicyRenew | gpo.PolicyTemplate))(t)
	folder := d.Path("dc/state/sysvol/" + testad.DNSDomain + "/Policies/" + guid)
	if err := os.MkdirAll(filepath.Join(folder, "MACHINE"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"MACHINE/Registry.pol": must(gpo.Marshal(values))(t), "GPT.INI": []byte("[General]\r\nVersion=100\r\n")} {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := d.Command(t.Context(), "ldapmodify", "-H", "ldaps://"+testad.DCHost, "-x", "-D", testad.Admin+"@"+testad.DNSDomain, "-w", testad.AdminPass)
	cmd.Env = append(cmd.Env, "LDAPTLS_CACERT="+d.Path("cert.pem"))
	cmd.Stdin = strings.NewReader("dn: CN=" + guid + ",CN=Policies,CN=System," + testad.BaseDN + "\nchangetype: modify\nreplace: versionNumber\nversionNumber: 100\n-\n" +
		"replace: gPCMachineExtensionNames\ngPCMachineExtensionNames: [{35378EAC-683F-11D2-A89A-00C04FBBCFA2}{0F6B957D-509E-11D1-A7CC-0000F87571E3}]\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ldapmodify: %v\n%s", err, out)
	}
}

// runInDomain runs text as a session on a new machine, stopping at the first failure, and returns what it printed.
func runInDomain(t *testing.T, d *testad.Domain, text string, variables ...string) string {
	t.Helper()
	work := t.TempDir()
	bin := filepath.Dir(gatewayProgram(t))
	for name, data := range map[string]string{"member.password": testad.Password("alice"), "stranger.password": testad.Password("bob"), "service.password": testad.Password("svc-rolecall"), "admin.password": testad.AdminPass} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(data+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sid := func(name string) string {
		s, _, _ := strings.Cut(d.Run(t, "wbinfo", "-n", name), " ")
		return s
	}
	// A mount namespace of its own: D-Bus and certmonger have their paths compiled in.
	cmd := d.Command(t.Context(), "unshare", "--mount", "--pid", "--fork", "--kill-child", "--propagation", "private", "timeout", "-k", "1", "400", "bash", "-eu", "-c", text)
	cmd.Args = append(cmd.Args, "bash")
	cmd.Env = append(environment(work, "AWS_PAGER=", "AWS_EC2_METADATA_DISABLED=true", "PYTHONWARNINGS=ignore", "LC_ALL=C.UTF-8"),
		"PATH="+work+"/shadow:"+bin+string(filepath.ListSeparator)+os.Getenv("PATH"), "WORK="+work, "BIN="+bin, "KRB5_CONFIG="+d.Path("krb5.conf"),
		"DC="+testad.DCHost, "ADMIN="+testad.Admin+"@"+testad.DNSDomain, "ADMIN_PASSWORD_FILE="+work+"/admin.password", "DC_CA="+d.Path("cert.pem"),
		"SYSVOL="+d.Path("dc/state/sysvol/"+testad.DNSDomain+"/Policies"), "SMB_CONF_PATH="+d.Path("dc/etc/smb.conf"), "SERVICE_ACCOUNT="+testad.ServiceUPN, "SERVICE_PASSWORD_FILE="+work+"/service.password", "SERVICE_KEYTAB="+d.Path("http.keytab"),
		"GROUP=CertUsers", "OTHERS=Interns", "GROUP_SID="+sid("CertUsers"), "COMPUTERS_SID="+sid("Domain Computers"), "MEMBER=alice", "STRANGER=bob", "REALM="+testad.Realm, "NETBIOS="+testad.NetBIOS, "MACHINE_ADDRESS="+testad.CAAddress, "MACHINE_CONF="+work+"/smb.conf")
	cmd.Env = append(cmd.Env, variables...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	began := time.Now()
	err := cmd.Run()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(work, "server.log"))
		certmonger, _ := os.ReadFile(filepath.Join(work, "certmonger.log"))
		t.Fatalf("%v: the last block named below failed\n%s\nserver:\n%s\ncertmonger:\n%s", err, &out, log, certmonger)
	}
	nothingRemains(t, work)
	t.Logf("%s\n%s", time.Since(began).Round(100*time.Millisecond), &out)
	return out.String()
}

// nothingRemains looks for processes of a session, and for mounts of it in any namespace: everything in it has its folder in
// the environment.
func nothingRemains(t *testing.T, work string) {
	t.Helper()
	var left []string
	for range 50 {
		left = nil
		for _, file := range []string{"environ", "mountinfo"} {
			for _, path := range must(filepath.Glob("/proc/[0-9]*/" + file))(t) {
				if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(work)) { // an error: it has ended
					left = append(left, path)
				}
			}
		}
		if len(left) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("left behind by the session: %v", left)
}
