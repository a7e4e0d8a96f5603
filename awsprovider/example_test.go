package awsprovider_test

import (
	"context"
	"fmt"
	"log"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/rolecall/rolecall/awsprovider"
)

// Every client of the SDK that is made from this configuration signs with credentials for the certificate.
func ExampleNewCredentials() {
	credentials, err := awsprovider.NewCredentials(awsprovider.Options{
		TrustAnchorARN:  "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/5ad7b3a5-1bd5-4b3c-9d0f-6a8e1f1c2b11",
		ProfileARN:      "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0f3fc0a1-77aa-4c1e-8f2e-2f6f0d4c7e22",
		RoleARN:         "arn:aws:iam::111122223333:role/backup",
		CertificateFile: "/etc/rolecall/backup/cert.pem",
		PrivateKeyFile:  "/etc/rolecall/backup/key.pem",
	})
	if err != nil {
		log.Fatal(err)
	}
	cfg := aws.Config{Region: "eu-central-1", Credentials: credentials}
	fmt.Println(cfg.Region)
	// Output: eu-central-1
}

// A configuration that cannot work is refused before any request.
func ExampleNew() {
	_, err := awsprovider.New(awsprovider.Options{CertificateFile: "host.pem"})
	fmt.Println(err)
	_, err = awsprovider.New(awsprovider.Options{})
	fmt.Println(err)
	// Output:
	// awsprovider: no role ARN given
	// awsprovider: set one of CertificateFile, CertificatePEM, and Signer with Certificate
}

// Without the SDK's cache every call makes a session.
func ExampleProvider_Retrieve() {
	p, err := awsprovider.New(awsprovider.Options{
		TrustAnchorARN:  "arn:aws:rolesanywhere:eu-central-1:111122223333:trust-anchor/5ad7b3a5-1bd5-4b3c-9d0f-6a8e1f1c2b11",
		ProfileARN:      "arn:aws:rolesanywhere:eu-central-1:111122223333:profile/0f3fc0a1-77aa-4c1e-8f2e-2f6f0d4c7e22",
		RoleARN:         "arn:aws:iam::111122223333:role/backup",
		CertificateFile: "nowhere.pem",
	})
	if err != nil {
		log.Fatal(err)
	}
	_, err = p.Retrieve(context.Background())
	fmt.Println(err)
	// Output: awsprovider: cannot read the certificate file nowhere.pem: no such file or directory
}
