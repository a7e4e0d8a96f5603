package main

import (
	"fmt"
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
)

// arnProblems says what is wrong with the three ARNs and the region, each alone and together; nil: nothing.
func arnProblems(in *inputs) []problem {
	var list []problem
	read := func(flag, service, kind, like string) (arn.ARN, bool) {
		text := in.text(flag)
		a, err := arn.Parse(text)
		switch {
		case text == "":
			list = append(list, problem{"no --" + flag + " given", "pass --" + flag + " " + like})
			return a, false
		case err != nil:
			list = append(list, problem{fmt.Sprintf("--%s: %v", flag, err), "it looks like " + like})
			return a, false
		case a.Service != service || !strings.HasPrefix(a.Resource, kind+"/") || a.Account == "" || service == "iam" && a.Region != "" || service != "iam" && a.Region == "":
			list = append(list, problem{fmt.Sprintf("--%s: %s is not the ARN of a %s", flag, text, strings.ReplaceAll(kind, "-", " ")), "it looks like " + like})
			return a, false
		}
		return a, true
	}
	anchor, okA := read(flagAnchor, "rolesanywhere", "trust-anchor", "arn:aws:rolesanywhere:REGION:ACCOUNT:trust-anchor/ID")
	profile, okP := read(flagProfileARN, "rolesanywhere", "profile", "arn:aws:rolesanywhere:REGION:ACCOUNT:profile/ID")
	role, okR := read(flagRole, "iam", "role", "arn:aws:iam::ACCOUNT:role/NAME")
	if okA && okP && anchor.Region != profile.Region {
		list = append(list, problem{fmt.Sprintf("the trust anchor is in %s and the profile in %s", anchor.Region, profile.Region), "use a profile of the trust anchor's region"})
	}
	if region := in.text(flagRegion); okA && region != "" && region != string(anchor.Region) {
		list = append(list, problem{fmt.Sprintf("--region is %s and the trust anchor is in %s", region, anchor.Region), "leave --region out: requests are signed for the trust anchor's region"})
	}
	accounts := func(what string, a arn.ARN) {
		if a.Account != anchor.Account {
			list = append(list, problem{fmt.Sprintf("the trust anchor is in account %s and the %s in %s", anchor.Account, what, a.Account), "trust anchor, profile and role must be in one account; roles of others are reached with --role-arns"})
		}
		if a.Partition != anchor.Partition {
			list = append(list, problem{fmt.Sprintf("the trust anchor is in partition %s and the %s in %s", anchor.Partition, what, a.Partition), "trust anchor, profile and role must be in one partition"})
		}
	}
	if okA && okP {
		accounts("profile", profile)
	}
	if okA && okR {
		accounts("role", role)
	}
	return list
}
