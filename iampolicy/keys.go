package iampolicy

// Names of the global condition keys, for Context.Set and Context.SetMulti.
const (
	KeyCurrentTime            = "aws:CurrentTime"            // RFC 3339, UTC
	KeyEpochTime              = "aws:EpochTime"              // seconds since 1970
	KeyTokenIssueTime         = "aws:TokenIssueTime"         // RFC 3339; sessions only
	KeyMultiFactorAuthPresent = "aws:MultiFactorAuthPresent" // true or false; temporary credentials only
	KeyMultiFactorAuthAge     = "aws:MultiFactorAuthAge"     // seconds
	KeyPrincipalArn           = "aws:PrincipalArn"           // the user's, or the role's for its sessions
	KeyPrincipalAccount       = "aws:PrincipalAccount"
	KeyPrincipalType          = "aws:PrincipalType" // Account, User, AssumedRole, FederatedUser, Anonymous
	KeyPrincipalIsAWSService  = "aws:PrincipalIsAWSService"
	KeyPrincipalServiceName   = "aws:PrincipalServiceName"
	KeyPrincipalTagPrefix     = "aws:PrincipalTag/" // + tag key, slashes included
	KeyRequestTagPrefix       = "aws:RequestTag/"
	KeyResourceTagPrefix      = "aws:ResourceTag/"
	KeyTagKeys                = "aws:TagKeys" // multivalued
	KeyUserID                 = "aws:userid"
	KeyUsername               = "aws:username" // users only, never role sessions
	KeyFederatedProvider      = "aws:FederatedProvider"
	KeySourceIdentity         = "aws:SourceIdentity"
	KeySourceArn              = "aws:SourceArn"
	KeySourceAccount          = "aws:SourceAccount"
	KeySourceIP               = "aws:SourceIp"
	KeySecureTransport        = "aws:SecureTransport"
	KeyUserAgent              = "aws:UserAgent"
	KeyReferer                = "aws:referer"
	KeyRequestedRegion        = "aws:RequestedRegion"
	KeyResourceAccount        = "aws:ResourceAccount"
	KeyCalledVia              = "aws:CalledVia" // multivalued
	KeyViaAWSService          = "aws:ViaAWSService"
)

// Names of the condition keys that STS and IAM requests carry.
const (
	KeySTSExternalID        = "sts:ExternalId"
	KeySTSRoleSessionName   = "sts:RoleSessionName"
	KeySTSSourceIdentity    = "sts:SourceIdentity"
	KeySTSTransitiveTagKeys = "sts:TransitiveTagKeys" // multivalued
	KeySTSDurationSeconds   = "sts:DurationSeconds"
	KeyPassedToService      = "iam:PassedToService"
	KeyAssociatedResource   = "iam:AssociatedResourceArn"
	KeyPermissionsBoundary  = "iam:PermissionsBoundary"
	KeyPolicyARN            = "iam:PolicyARN"
)
