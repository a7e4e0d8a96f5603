package metrics

import (
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

const namespace = "rolecall"

// maxSeries bounds the distinct {service, operation, code} triples. The API has a few hundred operations with a few codes each.
const maxSeries = 4096

// Registry holds the server's metrics. Its methods may be called from many goroutines.
type Registry struct {
	reg *prometheus.Registry

	requests *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	success  *prometheus.CounterVec
	failure  *prometheus.CounterVec
	expiry   *expiryCollector

	// resolved spares the hot path the label hashing of the vectors above.
	resolved sync.Map // requestKey → *requestSeries
	count    atomic.Int64
	created  sync.Map // trust anchor's ARN → prometheus.Counter, of success

	anchors labelSet
	errors  labelSet
}

type requestKey struct{ service, operation, code string }

type requestSeries struct {
	count   prometheus.Counter
	latency prometheus.Observer
}

// New makes a Registry with the Go runtime's and the process's own metrics in it.
func New() *Registry {
	r := &Registry{
		reg: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "requests_total",
			Help: "Requests answered, by service, operation and result code (OK or the error code).",
		}, []string{"service", "operation", "code"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: namespace, Name: "request_duration_seconds",
			Help:    "Time from the received header to the written answer, by service and operation.",
			Buckets: []float64{.00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 10},
		}, []string{"service", "operation"}),
		success: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "sessions_success_total",
			Help: "Sessions created, by trust anchor (AWS/RolesAnywhere Success).",
		}, []string{"operation", "trust_anchor_arn"}),
		failure: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: namespace, Name: "sessions_failure_total",
			Help: "Sessions refused, by the kind of error (AWS/RolesAnywhere Failure).",
		}, []string{"operation", "error_type"}),
		expiry:  newExpiryCollector(),
		anchors: labelSet{limit: maxAnchors},
		errors:  labelSet{limit: maxErrorTypes},
	}
	r.reg.MustRegister(r.requests, r.latency, r.success, r.failure, r.expiry,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return r
}

// Handler serves the metrics in Prometheus's format.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.reg, promhttp.HandlerOpts{EnableOpenMetrics: true, MaxRequestsInFlight: 4})
}

// CodeOK is the code of a request that succeeded.
const CodeOK = "OK"

// Request counts one answered request. service and operation name what the server routed to, never what the caller wrote; code is
// CodeOK or the error's code. Values that are no identifiers, and triples beyond the bound, count as "other".
func (r *Registry) Request(service, operation, code string, took time.Duration) {
	key := requestKey{service, operation, code}
	s, ok := r.resolved.Load(key)
	if !ok {
		s = r.resolve(key)
	}
	series := s.(*requestSeries)
	series.count.Inc()
	series.latency.Observe(took.Seconds())
}

func (r *Registry) resolve(key requestKey) any {
	bounded := requestKey{identifier(key.service), identifier(key.operation), identifier(key.code)}
	if bounded != key || r.count.Load() >= maxSeries {
		// Strange keys are not remembered: only their bounded form has a series.
		bounded = requestKey{Other, Other, Other}
	}
	s := &requestSeries{
		count:   r.requests.WithLabelValues(bounded.service, bounded.operation, bounded.code),
		latency: r.latency.WithLabelValues(bounded.service, bounded.operation),
	}
	if bounded != key {
		return s
	}
	actual, loaded := r.resolved.LoadOrStore(key, s)
	if !loaded {
		r.count.Add(1)
	}
	return actual
}

// Operation is the dimension Operation of AWS/RolesAnywhere; CreateSession is its only value.
const Operation = "CreateSession"

// SessionCreated counts a session of a trust anchor. Beyond 1,000 anchors, further ones count as "other".
func (r *Registry) SessionCreated(trustAnchorARN string) {
	if c, ok := r.created.Load(trustAnchorARN); ok {
		c.(prometheus.Counter).Inc()
		return
	}
	label := r.anchors.bound(trustAnchorARN)
	c := r.success.WithLabelValues(Operation, label)
	c.Inc()
	if label == trustAnchorARN { // there are only so many of these
		r.created.Store(label, c)
	}
}

// SessionRefused counts a refused CreateSession by its error code.
func (r *Registry) SessionRefused(errorType string) {
	r.failure.WithLabelValues(Operation, r.errors.bound(identifier(errorType))).Inc()
}

// SetDaysToExpiry replaces the days to expiry of all trust anchors' certificates. Only the 1,000 that expire soonest are shown.
func (r *Registry) SetDaysToExpiry(days map[string]int) { r.expiry.set(days) }
