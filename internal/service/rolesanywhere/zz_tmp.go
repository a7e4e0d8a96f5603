package rolesanywhere

import "github.com/rolecall/rolecall/internal/store"

const sourceCertificateBundle store.SourceType = "CERTIFICATE_BUNDLE"
