// Package arn holds the identifiers that every part of rolecall shares: accounts, regions, partitions and
// Amazon Resource Names. It parses and prints; it knows nothing of whether a resource exists.
// Start with [Parse] and the constructors below it.
package arn

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// AccountID is an account: exactly twelve decimal digits.
type AccountID string

// Region is a region name such as "eu-central-1". rolecall keeps regional resources apart by it.
type Region string

// ARN is a parsed Amazon Resource Name. Region and Account are empty where the service leaves them out.
type ARN struct {
	Partition string
	Service   string
	Region    Region
	Account   AccountID
	Resource  string // everything after the fifth colon, further colons included
}

// MaxLength is the longest ARN that any supported API accepts, in bytes.
const MaxLength = 2048

// ErrSyntax is wrapped by every error of this package.
var ErrSyntax = errors.New("not a valid ARN")

// Parse splits s into its six fields. It does not judge service or resource.
func Parse(s string) (ARN, error) {
	if len(s) > MaxLength {
		return ARN{}, fmt.Errorf("%w: longer than %d bytes", ErrSyntax, MaxLength)
	}
	var f [6]string
	rest, fields := s, 0
	for ; fields < 5; fields++ {
		var more bool
		if f[fields], rest, more = strings.Cut(rest, ":"); !more {
			break
		}
	}
	f[5] = rest
	if fields != 5 || f[0] != "arn" {
		return ARN{}, fmt.Errorf("%w: want arn:partition:service:region:account:resource", ErrSyntax)
	}
	if f[1] == "" || f[2] == "" || f[5] == "" {
		return ARN{}, fmt.Errorf("%w: empty partition, service or resource", ErrSyntax)
	}
	if f[4] != "" {
		if _, err := ParseAccountID(f[4]); err != nil {
			return ARN{}, err
		}
	}
	return ARN{Partition: f[1], Service: f[2], Region: Region(f[3]), Account: AccountID(f[4]), Resource: f[5]}, nil
}

// String is the inverse of [Parse].
func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + string(a.Region) + ":" + string(a.Account) + ":" + a.Resource
}

// ParseAccountID checks that s is twelve decimal digits.
func ParseAccountID(s string) (AccountID, error) {
	if len(s) != 12 {
		return "", fmt.Errorf("%w: an account id has 12 digits", ErrSyntax)
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return "", fmt.Errorf("%w: an account id has 12 digits", ErrSyntax)
		}
	}
	return AccountID(s), nil
}

// Partition is the partition a region belongs to; "aws" for every region it does not know.
func Partition(r Region) string {
	s := string(r)
	switch {
	case strings.HasPrefix(s, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(s, "us-gov-"):
		return "aws-us-gov"
	case strings.HasPrefix(s, "us-iso-"):
		return "aws-iso"
	case strings.HasPrefix(s, "us-isob-"):
		return "aws-iso-b"
	case strings.HasPrefix(s, "eusc-"):
		return "aws-eusc"
	}
	return "aws"
}

// RoleName is the name of the role that a names: the last segment of role/PATH/NAME.
func (a ARN) RoleName() (string, bool) {
	if a.Service != "iam" || !strings.HasPrefix(a.Resource, "role/") {
		return "", false
	}
	name := a.Resource[strings.LastIndexByte(a.Resource, '/')+1:]
	return name, name != ""
}

// Role is arn:PARTITION:iam::ACCOUNT:role/PATH/NAME. The path begins and ends with a slash.
func Role(partition string, account AccountID, path, name string) ARN {
	return iam(partition, account, "role"+path+name)
}

// User is arn:PARTITION:iam::ACCOUNT:user/PATH/NAME.
func User(partition string, account AccountID, path, name string) ARN {
	return iam(partition, account, "user"+path+name)
}

// Policy is arn:PARTITION:iam::ACCOUNT:policy/PATH/NAME.
func Policy(partition string, account AccountID, path, name string) ARN {
	return iam(partition, account, "policy"+path+name)
}

// Root is arn:PARTITION:iam::ACCOUNT:root.
func Root(partition string, account AccountID) ARN {
	return iam(partition, account, "root")
}

// AssumedRole is the ARN of a role session. The role's path is not part of it.
func AssumedRole(partition string, account AccountID, role, session string) ARN {
	return ARN{Partition: partition, Service: "sts", Account: account, Resource: "assumed-role/" + role + "/" + session}
}

// FederatedUser is the ARN of a session that GetFederationToken made.
func FederatedUser(partition string, account AccountID, name string) ARN {
	return ARN{Partition: partition, Service: "sts", Account: account, Resource: "federated-user/" + name}
}

// OIDCProvider is the ARN of an OpenID Connect provider; url is the issuer's without "https://".
func OIDCProvider(partition string, account AccountID, url string) ARN {
	return iam(partition, account, "oidc-provider/"+url)
}

// RolesAnywhere is the ARN of a trust-anchor, profile, crl or subject.
func RolesAnywhere(region Region, account AccountID, kind, id string) ARN {
	return ARN{Partition: Partition(region), Service: "rolesanywhere", Region: region, Account: account, Resource: kind + "/" + id}
}

func iam(partition string, account AccountID, resource string) ARN {
	return ARN{Partition: partition, Service: "iam", Account: account, Resource: resource}
}

// NewUUID is a random version 4 UUID in lower case (RFC 9562 §5.4).
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand documents that it ends the program instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return FormatUUID(b)
}

// FormatUUID prints 16 bytes in the 8-4-4-4-12 form.
func FormatUUID(b [16]byte) string {
	var out [36]byte
	hex.Encode(out[0:8], b[0:4])
	out[8] = '-'
	hex.Encode(out[9:13], b[4:6])
	out[13] = '-'
	hex.Encode(out[14:18], b[6:8])
	out[18] = '-'
	hex.Encode(out[19:23], b[8:10])
	out[23] = '-'
	hex.Encode(out[24:36], b[10:16])
	return string(out[:])
}
