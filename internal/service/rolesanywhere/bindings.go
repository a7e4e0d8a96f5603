package rolesanywhere

import (
	"context"
	"strings"

	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
)

// handler does the work of an authorized call.
type handler[In, Out any] func(context.Context, *awsapi.Call, *In) (*Out, error)

// Bindings lists the control plane's operations. CreateSession is not among them: no API model describes it.
func (s *Service) Bindings() []awsapi.Binding {
	var all []awsapi.Binding
	all = append(all, s.trustAnchorBindings()...)
	all = append(all, s.profileBindings()...)
	all = append(all, s.crlBindings()...)
	all = append(all, subjectBindings()...)
	return append(all, tagBindings()...)
}

func (s *Service) trustAnchorBindings() []awsapi.Binding {
	id := func(in *ra.ScalarTrustAnchorRequest) *string { return in.TrustAnchorId }
	name := func(out *ra.TrustAnchorDetailResponse) *string { return out.TrustAnchor.TrustAnchorArn }
	return []awsapi.Binding{
		bindCreate(ra.OpCreateTrustAnchor, kindTrustAnchor, func(in *ra.CreateTrustAnchorInput) []ra.Tag { return in.Tags }, s.createTrustAnchor, name),
		bindItem(ra.OpGetTrustAnchor, kindTrustAnchor, id, getTrustAnchor, name),
		bindItem(ra.OpUpdateTrustAnchor, kindTrustAnchor, func(in *ra.UpdateTrustAnchorInput) *string { return in.TrustAnchorId }, s.updateTrustAnchor, name),
		bindItem(ra.OpEnableTrustAnchor, kindTrustAnchor, id, setTrustAnchorEnabled(true), name),
		bindItem(ra.OpDisableTrustAnchor, kindTrustAnchor, id, setTrustAnchorEnabled(false), name),
		bindItem(ra.OpDeleteTrustAnchor, kindTrustAnchor, id, deleteTrustAnchor, name),
		awsapi.Bind(ra.OpListTrustAnchors, needList(kindTrustAnchor), listTrustAnchors),
		bindItem(ra.OpPutNotificationSettings, kindTrustAnchor, func(in *ra.PutNotificationSettingsInput) *string { return in.TrustAnchorId }, putNotificationSettings,
			func(out *ra.PutNotificationSettingsOutput) *string { return out.TrustAnchor.TrustAnchorArn }),
		bindItem(ra.OpResetNotificationSettings, kindTrustAnchor, func(in *ra.ResetNotificationSettingsInput) *string { return in.TrustAnchorId }, resetNotificationSettings,
			func(out *ra.ResetNotificationSettingsOutput) *string { return out.TrustAnchor.TrustAnchorArn }),
	}
}

func (s *Service) profileBindings() []awsapi.Binding {
	id := func(in *ra.ScalarProfileRequest) *string { return in.ProfileId }
	name := func(out *ra.ProfileDetailResponse) *string { return out.Profile.ProfileArn }
	return []awsapi.Binding{
		bindCreate(ra.OpCreateProfile, kindProfile, func(in *ra.CreateProfileInput) []ra.Tag { return in.Tags }, s.createProfile, name,
			func(_ *awsapi.Call, in *ra.CreateProfileInput) ([]awsapi.Need, error) {
				return passRoles(in.RoleArns, ""), nil
			}),
		bindItem(ra.OpGetProfile, kindProfile, id, getProfile, name),
		bindItem(ra.OpUpdateProfile, kindProfile, func(in *ra.UpdateProfileInput) *string { return in.ProfileId }, updateProfile, name, passUpdatedRoles),
		bindItem(ra.OpEnableProfile, kindProfile, id, setProfileEnabled(true), name,
			func(call *awsapi.Call, in *ra.ScalarProfileRequest) ([]awsapi.Need, error) {
				return passStoredRoles(call, *in.ProfileId)
			}),
		bindItem(ra.OpDisableProfile, kindProfile, id, setProfileEnabled(false), name),
		bindItem(ra.OpDeleteProfile, kindProfile, id, deleteProfile, name),
		awsapi.Bind(ra.OpListProfiles, needList(kindProfile), listProfiles),
		bindItem(ra.OpPutAttributeMapping, kindProfile, func(in *ra.PutAttributeMappingInput) *string { return in.ProfileId }, putAttributeMapping,
			func(out *ra.PutAttributeMappingOutput) *string { return out.Profile.ProfileArn }),
		bindItem(ra.OpDeleteAttributeMapping, kindProfile, func(in *ra.DeleteAttributeMappingInput) *string { return in.ProfileId }, deleteAttributeMapping,
			func(out *ra.DeleteAttributeMappingOutput) *string { return out.Profile.ProfileArn }),
	}
}

func (s *Service) crlBindings() []awsapi.Binding {
	id := func(in *ra.ScalarCrlRequest) *string { return in.CrlId }
	name := func(out *ra.CrlDetailResponse) *string { return out.Crl.CrlArn }
	return []awsapi.Binding{
		bindCreate(ra.OpImportCrl, kindCRL, func(in *ra.ImportCrlInput) []ra.Tag { return in.Tags }, s.importCRL, name),
		bindItem(ra.OpGetCrl, kindCRL, id, getCRL, name),
		bindItem(ra.OpUpdateCrl, kindCRL, func(in *ra.UpdateCrlInput) *string { return in.CrlId }, updateCRL, name),
		bindItem(ra.OpEnableCrl, kindCRL, id, setCRLEnabled(true), name),
		bindItem(ra.OpDisableCrl, kindCRL, id, setCRLEnabled(false), name),
		bindItem(ra.OpDeleteCrl, kindCRL, id, deleteCRL, name),
		awsapi.Bind(ra.OpListCrls, needList(kindCRL), listCRLs),
	}
}

func subjectBindings() []awsapi.Binding {
	return []awsapi.Binding{
		bindItem(ra.OpGetSubject, kindSubject, func(in *ra.GetSubjectInput) *string { return in.SubjectId }, getSubject,
			func(out *ra.GetSubjectOutput) *string { return out.Subject.SubjectArn }),
		awsapi.Bind(ra.OpListSubjects, needList(kindSubject), listSubjects),
	}
}

func tagBindings() []awsapi.Binding {
	return []awsapi.Binding{
		awsapi.Bind(ra.OpTagResource, tagNeed, tagResource,
			awsapi.Record(func(in *ra.TagResourceInput, _ *ra.TagResourceOutput) []awsapi.Resource {
				return namedByARN(in.ResourceArn)
			})),
		awsapi.Bind(ra.OpUntagResource, untagNeed, untagResource,
			awsapi.Record(func(in *ra.UntagResourceInput, _ *ra.UntagResourceOutput) []awsapi.Resource {
				return namedByARN(in.ResourceArn)
			})),
		// The action has no resource level: its policies name "*".
		awsapi.Bind(ra.OpListTagsForResource, anyResource[ra.ListTagsForResourceInput], listTagsForResource,
			awsapi.Record(func(in *ra.ListTagsForResourceInput, _ *ra.ListTagsForResourceOutput) []awsapi.Resource {
				return namedByARN(in.ResourceArn)
			})),
	}
}

// bindCreate binds an operation that makes a resource, which the answer names.
func bindCreate[In, Out any](op *awsapi.Operation, k resourceKind, tags func(*In) []ra.Tag, fn handler[In, Out], name func(*Out) *string, more ...moreNeeds[In]) awsapi.Binding {
	need := func(_ context.Context, call *awsapi.Call, in *In) ([]awsapi.Need, error) {
		return withMore(needCreate(call, k, tags(in)), call, in, more)
	}
	return awsapi.Bind(op, need, fn, awsapi.Record(func(_ *In, out *Out) []awsapi.Resource {
		if out == nil {
			return nil
		}
		return []awsapi.Resource{auditResource(k, name(out))}
	}))
}

// bindItem binds an operation on one resource, which the input names.
func bindItem[In, Out any](op *awsapi.Operation, k resourceKind, id func(*In) *string, fn handler[In, Out], name func(*Out) *string, more ...moreNeeds[In]) awsapi.Binding {
	need := func(_ context.Context, call *awsapi.Call, in *In) ([]awsapi.Need, error) {
		first, err := needOn(call, k, *id(in))
		if err != nil {
			return nil, err
		}
		return withMore([]awsapi.Need{first}, call, in, more)
	}
	return awsapi.Bind(op, need, fn, awsapi.Record(func(in *In, out *Out) []awsapi.Resource {
		switch {
		case out != nil:
			return []awsapi.Resource{auditResource(k, name(out))}
		case id(in) != nil:
			return []awsapi.Resource{{Type: k.auditType(), Name: clip(*id(in))}}
		}
		return nil
	}))
}

func withMore[In any](needs []awsapi.Need, call *awsapi.Call, in *In, more []moreNeeds[In]) ([]awsapi.Need, error) {
	for _, m := range more {
		extra, err := m(call, in)
		if err != nil {
			return nil, err
		}
		needs = append(needs, extra...)
	}
	return needs, nil
}

// auditResource names a resource of the answer.
func auditResource(k resourceKind, name *string) awsapi.Resource {
	text := deref(name)
	return awsapi.Resource{Type: k.auditType(), Name: text[strings.LastIndexByte(text, '/')+1:], ARN: text}
}

// namedByARN names what a tagging call is about, as far as its ARN can be read.
func namedByARN(text *string) []awsapi.Resource {
	if text == nil {
		return nil
	}
	for _, k := range []resourceKind{kindTrustAnchor, kindProfile, kindCRL, kindSubject} {
		if strings.Contains(*text, ":"+string(k)+"/") {
			return []awsapi.Resource{auditResource(k, text)}
		}
	}
	return nil
}
