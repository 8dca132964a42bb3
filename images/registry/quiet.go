package registry

import (
	"sync"

	"github.com/sirupsen/logrus"
)

var quietOnce sync.Once

// quiet drops the log of distribution and of nobody else.
//
// distribution logs to logrus' global logger and has no way to be given
// another. The global is shared (the authenticator's packages log to it), so
// its output and level stay; only its formatter is wrapped, once, by one that
// makes nothing of the entries that distribution marks with go.version.
func quiet() {
	quietOnce.Do(func() {
		std := logrus.StandardLogger()
		std.SetFormatter(dropDistribution{std.Formatter})
	})
}

type dropDistribution struct{ inner logrus.Formatter }

func (f dropDistribution) Format(e *logrus.Entry) ([]byte, error) {
	if _, ok := e.Data["go.version"]; ok {
		return nil, nil
	}
	return f.inner.Format(e)
}
