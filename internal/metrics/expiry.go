package metrics

import (
	"cmp"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// expiryCollector shows the days to expiry of trust anchors. Anchors that are gone vanish with the next set.
type expiryCollector struct {
	desc *prometheus.Desc

	mu   sync.Mutex // guards rows
	rows []expiryRow
}

type expiryRow struct {
	arn  string
	days int
}

func newExpiryCollector() *expiryCollector {
	return &expiryCollector{desc: prometheus.NewDesc(namespace+"_trust_anchor_days_to_expiry",
		"Whole days until a trust anchor's certificate expires (AWS/RolesAnywhere DaysToExpiry).", []string{"trust_anchor_arn"}, nil)}
}

func (c *expiryCollector) set(days map[string]int) {
	rows := make([]expiryRow, 0, len(days))
	for arn, n := range days {
		if identifier(arn) == arn {
			rows = append(rows, expiryRow{arn, n})
		}
	}
	slices.SortFunc(rows, func(a, b expiryRow) int { return cmp.Or(cmp.Compare(a.days, b.days), cmp.Compare(a.arn, b.arn)) })
	rows = slices.Clone(rows[:min(len(rows), maxAnchors)])
	c.mu.Lock()
	c.rows = rows
	c.mu.Unlock()
}

func (c *expiryCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.desc }

func (c *expiryCollector) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	rows := c.rows // replaced as a whole, never changed
	c.mu.Unlock()
	for _, r := range rows {
		ch <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, float64(r.days), r.arn)
	}
}
