package httpd

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// logins measures how long people wait for the login page to let them in or not, and for the way out, under JupyterHub's
// names and with its values: they are the names of a Python enumeration.
type logins struct {
	in  *prometheus.HistogramVec
	out prometheus.Histogram
}

const (
	loginGood = "LoginStatus.success"
	loginBad  = "LoginStatus.failure"
)

func newLogins() logins {
	l := logins{
		in: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "jupyterhub_login_duration_seconds", Help: "Login request duration, by whether it let somebody in", Buckets: durationBuckets,
		}, []string{"status"}),
		out: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "jupyterhub_logout_duration_seconds", Help: "Logout request duration", Buckets: durationBuckets,
		}),
	}
	for _, status := range []string{loginGood, loginBad} {
		l.in.WithLabelValues(status) // there from the start, at zero
	}
	return l
}

// observe counts a request if it was one of these. An answer that asks for more, a code or a new password, is neither good
// nor bad yet.
func (l logins) observe(method, pattern string, status int, took time.Duration) {
	switch {
	case pattern == "/hub/logout" && status < http.StatusBadRequest:
		l.out.Observe(took.Seconds())
	case pattern != "/hub/login" || method != http.MethodPost:
	case status >= http.StatusBadRequest:
		l.in.WithLabelValues(loginBad).Observe(took.Seconds())
	case status >= http.StatusMultipleChoices:
		l.in.WithLabelValues(loginGood).Observe(took.Seconds())
	}
}
