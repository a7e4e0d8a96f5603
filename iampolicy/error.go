package iampolicy

// Error is why a document is not a policy. Message is AWS's sentence for the
// MalformedPolicyDocument error; Detail says which part of the document is at fault and
// may be appended to it, since it repeats only what the caller sent.
type Error struct {
	Message string
	Detail  string
}

// Error joins the public sentence and the detail.
func (e *Error) Error() string {
	if e.Detail == "" {
		return e.Message
	}
	return e.Message + ": " + e.Detail
}

// AWS's sentences for identity, managed and session policies.
const (
	msgSyntax            = "Syntax errors in policy."
	msgLegacy            = "The policy failed legacy parsing"
	msgVersion2012       = "Policy document must be version 2012-10-17 or greater."
	msgNoActions         = "Policy statement must contain actions."
	msgNoResources       = "Policy statement must contain resources."
	msgNoVendor          = "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."
	msgManyColons        = "Actions/Condition can contain only one colon."
	msgVendorRegex       = "Resource vendor must be fully qualified and cannot contain regexes."
	msgSidUnique         = "Statement IDs (SID) in a single policy must be unique."
	msgSidCharacters     = "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*"
	msgPrincipalNotHere  = "Policy document should not specify a principal."
	msgIAMPath           = `IAM resource path must either be "*" or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.`
	msgTrustJSON         = "This policy contains invalid Json"
	msgTrustVersion      = "The policy must contain a valid version string"
	msgTrustEmpty        = "Could not parse the policy: Statement is empty!"
	msgTrustSidUnique    = "The Statement Ids in the policy are not unique"
	msgTrustNoPrincipal  = "Missing required field Principal cannot be empty!"
	msgTrustPrincipal    = "Principal must be a JSON object."
	msgTrustNotPrincipal = "AssumeRole policy must not contain NotPrincipal field."
	msgAllowNotPrincipal = "Allow with NotPrincipal is not allowed."
	msgTrustAction       = "AssumeRole policy may only specify STS AssumeRole actions."
	msgTrustResource     = "Has prohibited field Resource"
	msgTrustNotResource  = "AssumeRole policy must not contain resources."
	msgTrustSyntax       = "Syntax error in policy."
)

// missingField is the trust policy sentence for an absent element.
func missingField(name string) string { return "Missing required field " + name }
