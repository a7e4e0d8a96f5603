package pcaconnectorad

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rolecall/rolecall/internal/adtemplate"
	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	"github.com/rolecall/rolecall/internal/awsapi/model/acmpca"
	ad "github.com/rolecall/rolecall/internal/awsapi/model/pcaconnectorad"
	"github.com/rolecall/rolecall/internal/store"
)

// firstMajor is the major revision that AD CS gives a template of schema 2 and above.
const firstMajor = 100

func (s *Service) createTemplate(_ context.Context, call *awsapi.Call, in *ad.CreateTemplateInput) (*ad.CreateTemplateOutput, error) {
	request := *in
	request.ClientToken = nil
	name, err := once(call, in.ClientToken, request, func() (string, error) { return addTemplate(call, in) })
	return &ad.CreateTemplateOutput{TemplateArn: &name}, err
}

func addTemplate(call *awsapi.Call, in *ad.CreateTemplateInput) (string, error) {
	c, err := findConnector(call, *in.ConnectorArn)
	if err != nil {
		return "", err
	}
	if err := usable(c.Status, kindConnector, *in.ConnectorArn); err != nil {
		return "", err
	}
	definition, err := definitionText(call, c, *in.Name, in.Definition)
	if err != nil {
		return "", err
	}
	n, err := call.Tx.CountConnectorTemplates(call.Account, call.Region, c.ID)
	if err != nil {
		return "", err
	}
	if n >= maxTemplates {
		return "", overQuota(kindConnector.auditType(), *in.ConnectorArn, maxTemplates, "templates of a connector")
	}
	t := &store.ConnectorTemplate{
		Account: call.Account, Region: call.Region, Connector: c.ID, ID: arn.NewUUID(), Name: *in.Name, Definition: definition,
		PolicySchema: adtemplate.Schema(in.Definition), Major: firstMajor, Status: active, CreatedAt: call.Now, UpdatedAt: call.Now,
	}
	if t.Tags, err = mergeTags(nil, in.Tags); err != nil {
		return "", err
	}
	// A taken object identifier cannot be told from a taken name: it is drawn again a few times.
	for range 4 {
		t.ObjectIdentifier = newObjectIdentifier(c.ID)
		if err = call.Tx.CreateConnectorTemplate(t); !errors.Is(err, store.ErrExists) {
			return templateRef(c.ID, t.ID).arn(call), err
		}
	}
	return "", conflict(kindTemplate.auditType(), *in.Name, "The connector has a template with the name %s already", *in.Name)
}

// newObjectIdentifier is 1.3.6.1.4.1.311.21.8 (the enterprise templates of AD CS), six arcs of the connector, and a random
// one. It has at most 64 characters, as the API's type demands, and all arcs are far below 2^32, above which Windows
// drops the policy.
func newObjectIdentifier(connector string) string {
	var b strings.Builder
	b.WriteString("1.3.6.1.4.1.311.21.8")
	sum := sha256.Sum256([]byte("template object identifiers of connector " + connector))
	for i := range 6 {
		fmt.Fprintf(&b, ".%d", binary.BigEndian.Uint16(sum[2*i:]))
	}
	var last [4]byte
	rand.Read(last[:])
	fmt.Fprintf(&b, ".%d", 1+binary.BigEndian.Uint32(last[:])>>9) // 23 bits
	return b.String()
}

// shortLife is the longest life of what a short-lived CA issues.
const shortLife = 7 * 24 * time.Hour

// definitionText checks a definition and returns it as it is stored.
func definitionText(call *awsapi.Call, c *store.Connector, name string, d *ad.TemplateDefinition) (string, error) {
	if err := adtemplate.Check(name, d); err != nil {
		return "", invalid("Invalid template definition: %s", err)
	}
	ca, err := authorityOf(call.Tx, call.Account, call.Region, c.Authority)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", err
	}
	if err == nil && ca.UsageMode == string(acmpca.CertificateAuthorityUsageModeShortLivedCertificate) && adtemplate.Validity(d) > shortLife {
		return "", invalid("Invalid template definition: the connector's certificate authority issues certificates of at most 7 days")
	}
	text, err := json.Marshal(d)
	return string(text), err
}

func findTemplate(call *awsapi.Call, text string) (*store.ConnectorTemplate, error) {
	r, err := parse(call, text, kindTemplate)
	if err != nil {
		return nil, err
	}
	t, err := call.Tx.GetConnectorTemplate(call.Account, call.Region, r.connector, r.template)
	if errors.Is(err, store.ErrNotFound) {
		return nil, notFound(r.kind, text)
	}
	return t, err
}

// changeable is findTemplate for those that are not being deleted.
func changeable(call *awsapi.Call, text string) (*store.ConnectorTemplate, error) {
	t, err := findTemplate(call, text)
	if err != nil {
		return nil, err
	}
	if t.Status != active {
		return nil, conflict(kindTemplate.auditType(), text, "Template %s is not in the correct state for this operation: it is %s", clip(text), t.Status)
	}
	return t, nil
}

func getTemplate(_ context.Context, call *awsapi.Call, in *ad.GetTemplateInput) (*ad.GetTemplateOutput, error) {
	t, err := findTemplate(call, *in.TemplateArn)
	if err != nil {
		return nil, err
	}
	summary, err := templateSummary(call, t)
	if err != nil {
		return nil, err
	}
	detail := ad.Template(summary)
	return &ad.GetTemplateOutput{Template: &detail}, nil
}

func templateSummary(call *awsapi.Call, t *store.ConnectorTemplate) (ad.TemplateSummary, error) {
	d := new(ad.TemplateDefinition)
	if err := json.Unmarshal([]byte(t.Definition), d); err != nil {
		return ad.TemplateSummary{}, fmt.Errorf("stored definition of template %s: %w", t.ID, err)
	}
	return ad.TemplateSummary{
		Arn: new(templateRef(t.Connector, t.ID).arn(call)), ConnectorArn: new(connectorRef(t.Connector).arn(call)), Name: &t.Name, Definition: d,
		ObjectIdentifier: &t.ObjectIdentifier, PolicySchema: new(int32(t.PolicySchema)), Status: new(ad.TemplateStatus(t.Status)),
		Revision:  &ad.TemplateRevision{MajorRevision: new(int32(t.Major)), MinorRevision: new(int32(t.Minor))},
		CreatedAt: &t.CreatedAt, UpdatedAt: &t.UpdatedAt,
	}, nil
}

// updateTemplate moves the minor revision, or, when all holders are to enroll again, the major one.
func updateTemplate(_ context.Context, call *awsapi.Call, in *ad.UpdateTemplateInput) (*ad.UpdateTemplateOutput, error) {
	t, err := changeable(call, *in.TemplateArn)
	if err != nil {
		return nil, err
	}
	again := deref(in.ReenrollAllCertificateHolders)
	if in.Definition == nil && !again {
		return nil, invalid("An update needs a definition, or ReenrollAllCertificateHolders")
	}
	if in.Definition != nil {
		c, err := call.Tx.GetConnector(call.Account, call.Region, t.Connector)
		if err != nil {
			return nil, err
		}
		if t.Definition, err = definitionText(call, c, t.Name, in.Definition); err != nil {
			return nil, err
		}
		schema := adtemplate.Schema(in.Definition)
		if schema < t.PolicySchema {
			return nil, invalid("A template of schema %d cannot go back to schema %d", t.PolicySchema, schema)
		}
		t.PolicySchema = schema
	}
	if again {
		t.Major, t.Minor = t.Major+1, 0
	} else {
		t.Minor++
	}
	t.UpdatedAt = call.Now
	return &ad.UpdateTemplateOutput{}, call.Tx.PutConnectorTemplate(t)
}

func (s *Service) deleteTemplate(_ context.Context, call *awsapi.Call, in *ad.DeleteTemplateInput) (*ad.DeleteTemplateOutput, error) {
	t, err := findTemplate(call, *in.TemplateArn)
	if err != nil {
		return nil, err
	}
	t.Status, t.UpdatedAt = deleting, call.Now
	s.worker.Nudge()
	return &ad.DeleteTemplateOutput{}, call.Tx.PutConnectorTemplate(t)
}

func listTemplates(_ context.Context, call *awsapi.Call, in *ad.ListTemplatesInput) (*ad.ListTemplatesOutput, error) {
	c, err := findConnector(call, *in.ConnectorArn)
	if err != nil {
		return nil, err
	}
	rows, next, err := listPage(call, in.MaxResults, in.NextToken, c.ID,
		func(limit int, after string) ([]store.ConnectorTemplate, string, error) {
			return call.Tx.ListConnectorTemplates(call.Account, call.Region, c.ID, limit, after)
		},
		func(t *store.ConnectorTemplate) (ad.TemplateSummary, string, int, error) {
			summary, err := templateSummary(call, t)
			return summary, t.ID, len(t.Definition), err
		})
	return &ad.ListTemplatesOutput{Templates: rows, NextToken: next}, err
}
