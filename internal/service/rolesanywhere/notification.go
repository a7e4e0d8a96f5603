package rolesanywhere

import (
	"context"
	"slices"

	"github.com/rolecall/rolecall/internal/arn"
	"github.com/rolecall/rolecall/internal/awsapi"
	ra "github.com/rolecall/rolecall/internal/awsapi/model/rolesanywhere"
	"github.com/rolecall/rolecall/internal/store"
)

// defaultThreshold is how many days before an expiry its notifications begin.
const defaultThreshold = 45

// notificationEvents are the events that every anchor has a setting for, in the order in which they are shown.
var notificationEvents = [...]ra.NotificationEvent{ra.NotificationEventCaCertificateExpiry, ra.NotificationEventEndEntityCertificateExpiry}

// notificationDetails shows the setting of every event: the stored one, or the default, which is never stored.
func notificationDetails(custom []store.NotificationSetting) []ra.NotificationSettingDetail {
	details := make([]ra.NotificationSettingDetail, 0, len(notificationEvents))
	for _, event := range notificationEvents {
		s := store.NotificationSetting{Channel: string(ra.NotificationChannelAll), Threshold: defaultThreshold, Enabled: true, ConfiguredBy: EventSource}
		if i := indexNotification(custom, string(event), string(ra.NotificationChannelAll)); i >= 0 {
			s = custom[i]
		}
		d := ra.NotificationSettingDetail{
			Enabled: new(s.Enabled), Event: new(event),
			Channel: new(ra.NotificationChannel(s.Channel)), ConfiguredBy: new(s.ConfiguredBy),
		}
		if s.Threshold != 0 {
			d.Threshold = new(int32(s.Threshold))
		}
		details = append(details, d)
	}
	return details
}

func indexNotification(settings []store.NotificationSetting, event, channel string) int {
	return slices.IndexFunc(settings, func(s store.NotificationSetting) bool { return s.Event == event && s.Channel == channel })
}

func channelOf(c *ra.NotificationChannel) string {
	if c == nil {
		return string(ra.NotificationChannelAll)
	}
	return string(*c)
}

// mergeNotifications puts settings over the stored ones of the same event and channel; others stay.
func mergeNotifications(stored []store.NotificationSetting, given []ra.NotificationSetting, account arn.AccountID) ([]store.NotificationSetting, error) {
	out := slices.Clone(stored)
	var seen []store.NotificationSetting
	for _, g := range given {
		s := store.NotificationSetting{
			Event: string(*g.Event), Channel: channelOf(g.Channel), Enabled: *g.Enabled,
			Threshold: int(deref(g.Threshold)), ConfiguredBy: string(account),
		}
		if s.Enabled && g.Threshold == nil {
			return nil, ra.ValidationException("A threshold is required for the enabled notification setting %s", s.Event)
		}
		if indexNotification(seen, s.Event, s.Channel) >= 0 {
			return nil, ra.ValidationException("Duplicate notification setting: %s on channel %s", s.Event, s.Channel)
		}
		seen = append(seen, s)
		if i := indexNotification(out, s.Event, s.Channel); i >= 0 {
			out[i] = s
		} else {
			out = append(out, s)
		}
	}
	return out, nil
}

func putNotificationSettings(_ context.Context, call *awsapi.Call, in *ra.PutNotificationSettingsInput) (*ra.PutNotificationSettingsOutput, error) {
	d, err := changeTrustAnchor(call, *in.TrustAnchorId, func(a *store.TrustAnchor) (err error) {
		a.Notifications, err = mergeNotifications(a.Notifications, in.NotificationSettings, call.Account)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &ra.PutNotificationSettingsOutput{TrustAnchor: d}, nil
}

// resetNotificationSettings returns settings to their defaults. One that is at its default already stays there.
func resetNotificationSettings(_ context.Context, call *awsapi.Call, in *ra.ResetNotificationSettingsInput) (*ra.ResetNotificationSettingsOutput, error) {
	d, err := changeTrustAnchor(call, *in.TrustAnchorId, func(a *store.TrustAnchor) error {
		for _, key := range in.NotificationSettingKeys {
			event, channel := string(*key.Event), channelOf(key.Channel)
			a.Notifications = slices.DeleteFunc(a.Notifications, func(s store.NotificationSetting) bool {
				return s.Event == event && s.Channel == channel
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &ra.ResetNotificationSettingsOutput{TrustAnchor: d}, nil
}
