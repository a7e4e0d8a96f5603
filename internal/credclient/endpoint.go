package credclient

import (
	"net"
	"net/url"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
)

const serviceHost = "rolesanywhere"

// maxEndpoints bounds a list of endpoints.
const maxEndpoints = 16

// endpoints gives the base URLs: --endpoint, else AWS_ENDPOINT_URL_ROLESANYWHERE, else AWS_ENDPOINT_URL, else AWS's own.
func endpoints(cfg *Config, region arn.Region) ([]*url.URL, error) {
	text, from := cfg.Endpoint, "--endpoint"
	if text == "" && !isTrue(cfg.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS")) {
		for _, name := range []string{"AWS_ENDPOINT_URL_ROLESANYWHERE", "AWS_ENDPOINT_URL"} {
			if v := cfg.Getenv(name); v != "" {
				text, from = v, name
				break
			}
		}
	}
	return baseURLs(cfg, from, text, serviceHost, region)
}

// baseURLs reads the list text, which is that of from, or gives AWS's own endpoint of the service if it is empty.
// Their scheme is https, or http to a loopback address: the answer carries the secret key in the clear.
func baseURLs(cfg *Config, from, text, service string, region arn.Region) ([]*url.URL, error) {
	fips, dual := isTrue(cfg.Getenv("AWS_USE_FIPS_ENDPOINT")), isTrue(cfg.Getenv("AWS_USE_DUALSTACK_ENDPOINT"))
	if text == "" {
		return []*url.URL{{Scheme: "https", Host: awsHost(service, region, fips, dual)}}, nil
	}
	// A named endpoint cannot be turned into its FIPS or dual-stack twin, and ignoring FIPS would be worse than refusing.
	if fips {
		return nil, problemf("unset AWS_USE_FIPS_ENDPOINT, or name the FIPS endpoint and unset it", "FIPS and custom endpoint are not supported")
	}
	if dual {
		return nil, problemf("unset AWS_USE_DUALSTACK_ENDPOINT", "dualstack and custom endpoint are not supported")
	}
	var list []*url.URL
	for part := range strings.SplitSeq(text, ",") {
		u, err := parseEndpoint(strings.TrimSpace(part), from)
		if err != nil {
			return nil, err
		}
		if list = append(list, u); len(list) > maxEndpoints {
			return nil, problemf("pass fewer", "more than %d endpoints in %s", maxEndpoints, from)
		}
	}
	return list, nil
}

func parseEndpoint(text, from string) (*url.URL, error) {
	const advice = "pass a URL such as https://rolesanywhere.example.com"
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.Opaque != "" {
		return nil, problemf(advice, "the endpoint of %s is not a URL with a scheme and a host", from)
	}
	if u.User != nil { // not quoted: it may hold a password
		return nil, problemf(advice, "the endpoint of %s has a user name in it", from)
	}
	if u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, problemf(advice, "the endpoint %q of %s has a query or a fragment", text, from)
	}
	switch strings.ToLower(u.Scheme) {
	case "https":
	case "http":
		if !loopback(u.Hostname()) {
			return nil, problemf("use https: the answer holds the secret key; http is for loopback addresses only",
				"the endpoint %q of %s is not encrypted", text, from)
		}
	default:
		return nil, problemf(advice, "the endpoint %q of %s has the scheme %q instead of https", text, from, u.Scheme)
	}
	return u, nil
}

// loopback reports whether host is a loopback address. Of names only localhost is: RFC 6761 §6.3 reserves it.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// awsHost is the host name of AWS's endpoint, by the suffixes of the partition.
func awsHost(service string, region arn.Region, fips, dual bool) string {
	host := service
	if fips {
		host += "-fips"
	}
	plain, dualStack := suffixes(region)
	if dual {
		plain = dualStack
	}
	return host + "." + string(region) + "." + plain
}

// suffixes are the DNS suffixes of the region's partition, for IPv4 and for dual-stack names.
func suffixes(region arn.Region) (plain, dualStack string) {
	switch p := arn.Partition(region); {
	case p == "aws-cn":
		return "amazonaws.com.cn", "api.amazonwebservices.com.cn"
	case p == "aws-iso":
		return "c2s.ic.gov", "api.aws.ic.gov"
	case p == "aws-iso-b":
		return "sc2s.sgov.gov", "api.aws.scloud"
	case p == "aws-eusc":
		return "amazonaws.eu", "api.amazonwebservices.eu"
	case strings.HasPrefix(string(region), "eu-isoe-"):
		return "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"
	case strings.HasPrefix(string(region), "us-isof-"):
		return "csp.hci.ic.gov", "api.aws.hci.ic.gov"
	}
	return "amazonaws.com", "api.aws"
}

// awsSuffixes are the DNS suffixes of all partitions.
func awsSuffixes() []string {
	var list []string
	for _, region := range []arn.Region{"us-east-1", "cn-north-1", "us-iso-east-1", "us-isob-east-1", "eusc-de-east-1", "eu-isoe-west-1", "us-isof-south-1"} {
		plain, dual := suffixes(region)
		list = append(list, plain, dual)
	}
	return list
}

// validRegion keeps a region from changing the host name or the credential scope that it becomes part of.
func validRegion(r arn.Region) bool {
	if len(r) == 0 || len(r) > 63 || r[0] == '-' || r[len(r)-1] == '-' { // RFC 1123 §2.1
		return false
	}
	for _, c := range []byte(r) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func isTrue(s string) bool { return strings.EqualFold(s, "true") }
