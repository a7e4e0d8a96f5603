package integration

import (
	"context"
	"net/http"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/pcaconnectorad"
	"github.com/aws/aws-sdk-go-v2/service/rolesanywhere"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/logging"
	"github.com/aws/smithy-go/middleware"
)

const region = "eu-central-1"

// clients are the AWS SDK's, for one set of credentials on one server.
type clients struct {
	anywhere   *rolesanywhere.Client
	iam        *iam.Client
	sts        *sts.Client
	trail      *cloudtrail.Client
	connectors *pcaconnectorad.Client
	sent       *requestCounter
}

// requestCounter counts what goes over the wire, retries included.
type requestCounter struct {
	next http.RoundTripper
	mu   sync.Mutex
	n    int
	last *http.Response
}

func (c *requestCounter) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.last = resp
	return resp, err
}

func (c *requestCounter) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// as makes the SDK's clients for creds, with the SDK's own retries and defaults.
func (n *node) as(t testing.TB, creds aws.Credentials, more ...func(*config.LoadOptions) error) *clients {
	t.Helper()
	hc := n.client()
	counter := &requestCounter{next: hc.Transport}
	hc.Transport = counter
	options := append([]func(*config.LoadOptions) error{
		config.WithRegion(region), config.WithBaseEndpoint(n.endpoint), config.WithHTTPClient(hc),
		config.WithCredentialsProvider(credentials.StaticCredentialsProvider{Value: creds}),
		config.WithSharedConfigFiles([]string{}), config.WithSharedCredentialsFiles([]string{}), config.WithLogger(logging.Nop{}),
	}, more...)
	cfg, err := config.LoadDefaultConfig(t.Context(), options...)
	if err != nil {
		t.Fatal(err)
	}
	return &clients{
		anywhere: rolesanywhere.NewFromConfig(cfg), iam: iam.NewFromConfig(cfg),
		sts: sts.NewFromConfig(cfg), trail: cloudtrail.NewFromConfig(cfg), connectors: pcaconnectorad.NewFromConfig(cfg), sent: counter,
	}
}

// callLog remembers which operations succeeded.
type callLog struct {
	mu   sync.Mutex
	done map[string]bool
}

// option records every successful call of the clients made with it.
func (l *callLog) option() func(*config.LoadOptions) error {
	return config.WithAPIOptions([]func(*middleware.Stack) error{func(stack *middleware.Stack) error {
		return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("callLog", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
			out, meta, err := next.HandleInitialize(ctx, in)
			if err == nil {
				l.mu.Lock()
				defer l.mu.Unlock()
				l.done[awsmiddleware.GetOperationName(ctx)] = true
			}
			return out, meta, err
		}), middleware.After)
	}})
}

// must returns v, or ends the test.
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// toSDK turns what a login returned into the SDK's credentials.
func toSDK(id, secret, token *string) aws.Credentials {
	return aws.Credentials{AccessKeyID: aws.ToString(id), SecretAccessKey: aws.ToString(secret), SessionToken: aws.ToString(token)}
}
