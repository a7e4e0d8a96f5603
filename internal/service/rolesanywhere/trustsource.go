package rolesanywhere

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/certchain"
	"github.com/rolecall/rolecall/internal/store"
)

// nullMember is AWS's text for a member that its model calls optional and the service requires.
func nullMember(path string) *awsapi.Error {
	return ra.ValidationException("1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", path)
}

// checkSource validates where an anchor's certificates come from and returns it as it is stored, byte for byte.
func (s *Service) checkSource(call *awsapi.Call, src *ra.Source) (store.SourceType, string, error) {
	if src.SourceType == nil {
		return "", "", nullMember("source.sourceType")
	}
	if src.SourceData == nil {
		return "", "", nullMember("source.sourceData")
	}
	switch *src.SourceType {
	case ra.TrustAnchorTypeCertificateBundle:
		bundle := src.SourceData.X509CertificateData
		if bundle == nil {
			return "", "", nullMember("source.sourceData.x509CertificateData")
		}
		if !storable(*bundle) {
			return "", "", ra.ValidationException("Invalid CA certificate: the bundle holds a NUL character")
		}
		anchors, err := certchain.ParseAnchors(*bundle)
		if err == nil {
			err = anchors.CheckKeys(s.cfg.Blocked)
		}
		if err != nil {
			return "", "", chainValidation(err)
		}
		return sourceCertificateBundle, *bundle, nil
	case ra.TrustAnchorTypeAwsAcmPca:
		pca := src.SourceData.AcmPcaArn
		if pca == nil {
			return "", "", nullMember("source.sourceData.acmPcaArn")
		}
		if why := checkPCA(call, *pca); why != "" {
			return "", "", ra.ValidationException("Invalid certificate authority ARN: %s", why)
		}
		return sourceACMPCA, *pca, nil
	}
	return "", "", ra.ValidationException("Source type %s is not supported", *src.SourceType)
}

// checkPCA says what is wrong with the ARN of a private CA. The CA itself is looked for when the anchor is used.
func checkPCA(call *awsapi.Call, text string) string {
	a, err := arn.Parse(text)
	id, isCA := strings.CutPrefix(a.Resource, "certificate-authority/")
	switch {
	case err != nil || a.Service != "acm-pca" || !isCA || !isID(id):
		return clip(text) + " does not name a certificate authority"
	case a.Partition != call.Partition || a.Region != call.Region:
		return fmt.Sprintf("the certificate authority is not in region %s", call.Region)
	case a.Account != call.Account:
		return "the certificate authority belongs to another account"
	}
	return ""
}

// chainValidation turns package certchain's finding about a certificate or list into a ValidationException.
func chainValidation(err error) error {
	if ce, ok := errors.AsType[*certchain.Error](err); ok {
		return ra.ValidationException("%s", ce.Error())
	}
	return err
}
