// Package awspolicy holds AWS's own managed policies (arn:aws:iam::aws:policy/…): a curated set as data, one file per
// policy, and the reader of dumps from which more can be imported.
//
// It does not know which account attaches what, and stores nothing: package store lays imported policies over these. The
// documents are AWS's public definitions; the policy ids are made up but never change. Start with [Get] and [Read].
package awspolicy

import (
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed policies/*.json
var files embed.FS

// Policy is one managed policy of AWS's with one version of its document.
type Policy struct {
	Name     string
	Path     string // "/", "/job-function/", "/service-role/", …
	ID       string // ANPA…
	Version  string // "v3"; "" in a dump that does not say
	Document string
	Created  time.Time // of the policy; zero in a dump that does not say
	Updated  time.Time // of the version; likewise
}

// resourcePrefix begins the part of an ARN after the account.
const resourcePrefix = "policy"

// ARN is the policy's ARN in a partition.
func (p *Policy) ARN(partition string) string { return Prefix(partition) + p.Path + p.Name }

// Prefix begins the ARNs of all of AWS's policies in a partition; the path follows.
func Prefix(partition string) string { return "arn:" + partition + ":iam::aws:" + resourcePrefix }

// In is the policy's document in a partition: the ARNs in the embedded documents are those of partition aws.
func (p *Policy) In(partition string) string {
	if partition == "aws" {
		return p.Document
	}
	return strings.ReplaceAll(p.Document, `"arn:aws:`, `"arn:`+partition+`:`)
}

// Number is the number of the version, 0 for none.
func (p *Policy) Number() int { return number(p.Version) }

func number(version string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(version, "v"))
	if err != nil || n < 1 || n > 999_999_999 || version != "v"+strconv.Itoa(n) {
		return 0
	}
	return n
}

// StableID is the id of a policy whose real one is not known: the same on every server.
func StableID(name string) string {
	sum := sha256.Sum256([]byte("aws-managed-policy:" + name))
	return "ANPA" + base32.StdEncoding.EncodeToString(sum[:])[:17]
}

// entry is one embedded file, read when it is first asked for.
type entry struct {
	name string
	load func() *Policy
}

// index lists the embedded policies by name, in the order of folded names.
var index = sync.OnceValue(func() []entry {
	list, err := files.ReadDir("policies")
	if err != nil {
		panic(fmt.Sprintf("awspolicy: %v", err)) // the folder is part of the program
	}
	out := make([]entry, 0, len(list))
	for _, f := range list {
		file := f.Name()
		out = append(out, entry{strings.TrimSuffix(file, ".json"), sync.OnceValue(func() *Policy { return mustLoad(file) })})
	}
	sort.Slice(out, func(i, j int) bool { return strings.ToLower(out[i].name) < strings.ToLower(out[j].name) })
	return out
})

// mustLoad reads an embedded file; a test reads them all.
func mustLoad(file string) *Policy {
	data, err := files.ReadFile("policies/" + file)
	if err != nil {
		panic(fmt.Sprintf("awspolicy: %v", err))
	}
	var r record
	if err := json.Unmarshal(data, &r); err != nil {
		panic(fmt.Sprintf("awspolicy: %s: %v", file, err))
	}
	return &Policy{
		Name: r.Policy.PolicyName, Path: r.Policy.Path, ID: r.Policy.PolicyID, Version: r.PolicyVersion.VersionID,
		Document: string(r.PolicyVersion.Document), Created: r.Policy.CreateDate.Time, Updated: r.Policy.UpdateDate.Time,
	}
}

// Get finds an embedded policy by name, in exactly this case; nil if there is none.
func Get(name string) *Policy {
	list := index()
	folded := strings.ToLower(name)
	i := sort.Search(len(list), func(i int) bool { return strings.ToLower(list[i].name) >= folded })
	if i == len(list) || list[i].name != name {
		return nil
	}
	return list[i].load()
}

// All returns the embedded policies in the order of folded names.
func All() []*Policy {
	list := index()
	out := make([]*Policy, len(list))
	for i := range list {
		out[i] = list[i].load()
	}
	return out
}
