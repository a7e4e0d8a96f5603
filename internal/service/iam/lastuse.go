package iam

import (
	"strings"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	api "github.com/rolecall/rolecall/internal/awsapi/model/iam"
	"github.com/rolecall/rolecall/internal/store"
)

// latestUse updates use from the newest event of the key in a region, if that is newer.
func latestUse(c *awsapi.Call, key, region string, use *api.AccessKeyLastUsed) error {
	events, _, err := c.Tx.LookupEvents(&store.EventFilter{Account: c.Account, Region: arn.Region(region), AccessKeyID: key}, 1, "")
	if err != nil || len(events) == 0 {
		return err
	}
	e := &events[0]
	if use.LastUsedDate == nil || e.Time.After(*use.LastUsedDate) {
		service, _, _ := strings.Cut(e.Source, ".")
		use.LastUsedDate, use.ServiceName, use.Region = &e.Time, &service, new(string(e.Region))
	}
	return nil
}
