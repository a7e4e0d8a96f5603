package main

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsclient"
	"github.com/rolecall/rolecall/internal/credclient"
	"github.com/rolecall/rolecall/internal/enrollclient"
)

// maxOffers bounds what is read of the server's lists: calls for each.
const maxOffers = 10

// offer is a trust anchor or a profile of the server.
type offer struct {
	Name           string   `json:"name"`
	TrustAnchorARN string   `json:"trustAnchorArn"`
	ProfileARN     string   `json:"profileArn"`
	Enabled        bool     `json:"enabled"`
	RoleARNs       []string `json:"roleArns"`
}

// completeARNs takes the ARNs that have not been given from the server, if credentials to ask it are at hand, else from a person.
func (p *program) completeARNs(ctx context.Context, in *inputs, ask asker) error {
	if in.text(flagAnchor) == "" || in.text(flagProfileARN) == "" || in.text(flagRole) == "" {
		if err := p.offered(ctx, in, ask); err != nil {
			return err
		}
	}
	for _, q := range [][2]string{{flagAnchor, "Trust anchor ARN"}, {flagProfileARN, "Profile ARN"}, {flagRole, "Role ARN"}} {
		if in.text(q[0]) != "" || ask == nil {
			continue
		}
		v, err := ask(q[1])
		if err != nil {
			return err
		}
		in.set(q[0], v)
	}
	return nil
}

// offered asks the server. That it tells nothing is told, and no error.
func (p *program) offered(ctx context.Context, in *inputs, ask asker) error {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	keys, err := enrollclient.FindKeys(ctx, p.getenv)
	if err != nil {
		p.tell("the server is not asked for its trust anchors, profiles and roles: there are no credentials at hand")
		return nil
	}
	anchors, profiles, err := p.lists(ctx, in, awsclient.Keys(keys))
	if err != nil {
		p.tell("the server does not tell its trust anchors and profiles: " + err.Error())
		return nil
	}
	if err := pick(in, ask, flagAnchor, "trust anchor", anchors, func(o offer) string { return o.TrustAnchorARN }); err != nil {
		return err
	}
	if err := pick(in, ask, flagProfileARN, "profile", profiles, func(o offer) string { return o.ProfileARN }); err != nil {
		return err
	}
	var roles []offer
	for _, o := range profiles {
		if o.ProfileARN == in.text(flagProfileARN) {
			for _, role := range o.RoleARNs {
				roles = append(roles, offer{TrustAnchorARN: role})
			}
		}
	}
	return pick(in, ask, flagRole, "role", roles, func(o offer) string { return o.TrustAnchorARN })
}

// pick sets the flag, unless it is given, to what is chosen.
func pick(in *inputs, ask asker, flag, what string, offers []offer, arnOf func(offer) string) error {
	if in.text(flag) != "" || len(offers) == 0 {
		return nil
	}
	var list []string
	for _, o := range offers {
		text := arnOf(o)
		if o.Name != "" {
			text += " (" + o.Name + ")"
		}
		list = append(list, text)
	}
	i, err := choose(ask, what, "name one with --"+flag, list)
	if err != nil {
		return err
	}
	in.set(flag, arnOf(offers[i]))
	in.secrets.program.tell(what + ": " + list[i])
	return nil
}

// lists gives the trust anchors and profiles that are switched on.
func (p *program) lists(ctx context.Context, in *inputs, keys awsclient.Keys) (anchors, profiles []offer, err error) {
	region := arn.Region(in.text(flagRegion))
	for _, flag := range []string{flagAnchor, flagProfileARN} {
		if a, err := arn.Parse(in.text(flag)); err == nil && region == "" {
			region = a.Region
		}
	}
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION"} {
		if region == "" {
			region = arn.Region(p.getenv(name))
		}
	}
	if region == "" {
		return nil, nil, errors.New("the region is not known: pass --region, or set AWS_REGION")
	}
	endpoints, err := credclient.Endpoints(p.clientConfig(in), region)
	if err != nil {
		return nil, nil, err
	}
	client, err := awsclient.New(endpoints[0], p.environment(in)("AWS_CA_BUNDLE"), string(region))
	if err != nil {
		return nil, nil, err
	}
	if anchors, err = list(ctx, client, keys, "/trustanchors"); err != nil {
		return nil, nil, err
	}
	profiles, err = list(ctx, client, keys, "/profiles")
	return anchors, profiles, err
}

func list(ctx context.Context, client *awsclient.Client, keys awsclient.Keys, path string) ([]offer, error) {
	var all []offer
	for next, n := "", 0; n < maxOffers; n++ {
		var page struct {
			TrustAnchors, Profiles []offer
			NextToken              string
		}
		query := ""
		if next != "" {
			query = "?nextToken=" + url.QueryEscape(next)
		}
		if err := client.REST(ctx, keys, "rolesanywhere", http.MethodGet, path+query, nil, &page); err != nil {
			return nil, err
		}
		all = append(append(all, page.TrustAnchors...), page.Profiles...)
		if next = page.NextToken; next == "" {
			break
		}
	}
	return slices.DeleteFunc(all, func(o offer) bool { return !o.Enabled }), nil
}
