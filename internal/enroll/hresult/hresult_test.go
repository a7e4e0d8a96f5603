package hresult

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
)

// winerror is the part of Windows' winerror.h that is answered, as signed decimals: what clients compare.
var winerror = map[string]int32{
	"E_NOTIMPL": -2147467263, "E_FAIL": -2147467259, "E_ACCESSDENIED": -2147024891, "ERROR_INVALID_DATA": -2147024883, "E_INVALIDARG": -2147024809,
	"NTE_BAD_SIGNATURE": -2146893818, "CRYPT_E_REVOKED": -2146885616, "CERT_E_EXPIRED": -2146762495,
	"CERTSRV_E_BAD_REQUESTSUBJECT": -2146877439, "CERTSRV_E_NO_REQUEST": -2146877438, "CERTSRV_E_BAD_RENEWAL_CERT_ATTRIBUTE": -2146877426,
	"CERTSRV_E_TEMPLATE_DENIED": -2146877422, "CERTSRV_E_ADMIN_DENIED_REQUEST": -2146877420, "CERTSRV_E_WEAK_SIGNATURE_OR_KEY": -2146877418,
	"CERTSRV_E_UNSUPPORTED_CERT_TYPE": -2146875392, "CERTSRV_E_NO_CERT_TYPE": -2146875391, "CERTSRV_E_TEMPLATE_CONFLICT": -2146875390,
	"CERTSRV_E_SIGNATURE_REJECTED": -2146875381, "CERTSRV_E_SUBJECT_UPN_REQUIRED": -2146875379, "CERTSRV_E_SUBJECT_DIRECTORY_GUID_REQUIRED": -2146875378,
	"CERTSRV_E_SUBJECT_DNS_REQUIRED": -2146875377, "CERTSRV_E_KEY_LENGTH": -2146875375, "CERTSRV_E_SUBJECT_EMAIL_REQUIRED": -2146875374,
	"CERTSRV_E_TOO_MANY_SIGNATURES": -2146875371, "CERTSRV_E_RENEWAL_BAD_PUBLIC_KEY": -2146875370,
}

// TestCodes reads this package's constants: each has the number that its name has in Windows, and each name is there once.
func TestCodes(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "hresult.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	left := len(winerror)
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || len(spec.Values) != 1 {
			return true
		}
		value, ok := spec.Values[0].(*ast.BasicLit)
		if !ok {
			return true
		}
		code, err := strconv.ParseUint(value.Value, 0, 32)
		if err != nil {
			t.Fatal(err)
		}
		left--
		if want, known := winerror[Code(code).String()]; !known || Code(code).Signed() != want {
			t.Errorf("%s is %s and %d on the wire, want %d", spec.Names[0].Name, Code(code), Code(code).Signed(), want)
		}
		return true
	})
	if left != 0 {
		t.Errorf("%d more names than constants", left)
	}
	if text := Refuse(TemplateDenied, "No %s", "way").Error(); !strings.Contains(text, "No way. 0x80094012 (CERTSRV_E_TEMPLATE_DENIED)") {
		t.Errorf("text %q", text)
	}
}
