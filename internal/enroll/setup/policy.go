package setup

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/rolecall/rolecall/internal/enroll"
	"github.com/rolecall/rolecall/internal/enroll/gpo"
)

// Policy is the values of a Group Policy that make computers (in the machine part) or users (in the user part) enroll by
// themselves. With certificate, the CA's certificate is among them, for Samba 4.17.
func (s *Setup) Policy(certificate bool) ([]gpo.Value, error) {
	server := gpo.PolicyServer{
		URL: s.Directory.PolicyServer(), PolicyID: enroll.PolicyID(&s.Directory), FriendlyName: s.Directory.Realm, Auth: gpo.AuthKerberos,
	}
	if len(s.Directory.Keytab) == 0 {
		server.Auth = gpo.AuthPassword
		server.URL = strings.Replace(server.URL, "_CEP_Kerberos/", "_CEP_UsernamePassword/", 1)
	}
	if certificate {
		_, certs, err := s.issuing()
		if err != nil {
			return nil, err
		}
		server.Certificate = certs[0].Raw
	}
	return gpo.AutoEnrollment(gpo.PolicyEnroll|gpo.PolicyRenew|gpo.PolicyTemplate, server)
}

// PowerShell writes values as calls of Set-GPRegistryValue for the policy in the variable $gpo; hive is HKLM or HKCU.
func PowerShell(w io.Writer, hive string, values []gpo.Value) error {
	quote := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
	for _, v := range values {
		var kind, value string
		switch v.Type {
		case gpo.String:
			text, _ := v.Text()
			kind, value = "String", quote(text)
		case gpo.DWord:
			n, _ := v.Number()
			kind, value = "DWord", fmt.Sprint(n)
		case gpo.Binary:
			kind, value = "Binary", "([Convert]::FromBase64String('"+base64.StdEncoding.EncodeToString(v.Data)+"'))"
		default:
			return fmt.Errorf("a value of type %d", v.Type)
		}
		if _, err := fmt.Fprintf(w, "Set-GPRegistryValue -Name $gpo -Key %s -ValueName %s -Type %s -Value %s\n", quote(hive+`\`+v.Key), quote(v.Name), kind, value); err != nil {
			return err
		}
	}
	return nil
}

// missing lists the values that a Registry.pol lacks or has otherwise.
func missing(have, want []gpo.Value) []string {
	var list []string
	for _, w := range want {
		found := false
		for _, h := range have {
			found = found || strings.EqualFold(h.Key, w.Key) && strings.EqualFold(h.Name, w.Name) && h.Type == w.Type && string(h.Data) == string(w.Data)
		}
		if !found {
			list = append(list, w.Key+`\`+w.Name)
		}
	}
	return list
}
