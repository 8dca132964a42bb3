package registry

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// Transport sends requests straight to the registry, without a network, for
// reading what is in a folder with the code that reads any registry. Responses
// are held in memory: it is for manifests and lists, not for layers.
func (r *Registry) Transport() http.RoundTripper { return local{r} }

type local struct{ handler http.Handler }

func (l local) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		defer req.Body.Close()
	} else {
		req = req.Clone(req.Context())
		req.Body = http.NoBody // as a server's handler is promised
	}
	w := &response{header: http.Header{}}
	l.handler.ServeHTTP(w, req)
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return &http.Response{
		Status: http.StatusText(w.status), StatusCode: w.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: w.header, Body: io.NopCloser(&w.body), ContentLength: length(req, w), Request: req,
	}, nil
}

func length(req *http.Request, w *response) int64 {
	if n, err := strconv.ParseInt(w.header.Get("Content-Length"), 10, 64); err == nil && req.Method == http.MethodHead {
		return n
	}
	return int64(w.body.Len())
}

type response struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *response) Header() http.Header { return w.header }

func (w *response) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

func (w *response) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	return w.body.Write(p)
}
