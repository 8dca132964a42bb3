package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// DefaultAddr is where the embedded server listens: this machine only.
const DefaultAddr = "localhost:5050"

// shutdownPatience is how long a stopping server waits for running requests.
const shutdownPatience = 10 * time.Second

// Server is a running HTTP server.
type Server struct {
	listener net.Listener
	server   *http.Server
	done     chan error

	mu    sync.Mutex
	fresh map[net.Conn]bool // connections that have not sent anything yet
}

// Start listens on addr ("host:port", DefaultAddr if empty, port 0 for any free
// one) and serves handler until Shutdown.
func Start(ctx context.Context, addr string, handler http.Handler) (*Server, error) {
	if addr == "" {
		addr = DefaultAddr
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("serve on %s: the address is in use: stop what listens there, or choose another port with --addr: %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("serve on %s: %w", addr, err)
	}
	s := &Server{
		listener: l,
		done:     make(chan error, 1),
		fresh:    map[net.Conn]bool{},
		server: &http.Server{
			Handler:           handler,
			ReadHeaderTimeout: 30 * time.Second,
			IdleTimeout:       2 * time.Minute,
			// Clients try https first: a TLS hello is no news.
			ErrorLog: log.New(io.Discard, "", 0),
		},
	}
	s.server.ConnState = s.track
	go func() { s.done <- s.server.Serve(l) }()
	return s, nil
}

// track remembers which connections are fresh: http.Server.Shutdown gives each
// of them five seconds to say something, and clients open some in reserve.
func (s *Server) track(c net.Conn, state http.ConnState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == http.StateNew {
		s.fresh[c] = true
	} else {
		delete(s.fresh, c)
	}
}

func (s *Server) closeFresh() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.fresh {
		_ = c.Close()
	}
}

// Addr is "host:port" as clients of this machine reach it: "localhost:5050"
// rather than "127.0.0.1:5050", since container engines and
// go-containerregistry know by that name that it speaks plain http.
func (s *Server) Addr() string {
	addr, err := netip.ParseAddrPort(s.listener.Addr().String())
	if err != nil || !addr.Addr().IsLoopback() && !addr.Addr().IsUnspecified() {
		return s.listener.Addr().String()
	}
	return fmt.Sprintf("localhost:%d", addr.Port())
}

// URL is "http://" and Addr.
func (s *Server) URL() string { return "http://" + s.Addr() }

// Loopback says whether only this machine can reach the server.
func (s *Server) Loopback() bool {
	addr, err := netip.ParseAddrPort(s.listener.Addr().String())
	return err == nil && addr.Addr().IsLoopback()
}

// Shutdown stops listening, waits a little for running requests, then cuts them.
func (s *Server) Shutdown(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownPatience)
	defer cancel()
	// After the listener, or another fresh one could slip in.
	_ = s.listener.Close()
	s.closeFresh()
	if err := s.server.Shutdown(ctx); err != nil {
		_ = s.server.Close()
	}
	if err := <-s.done; !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("serve on %s: %w", s.listener.Addr(), err)
	}
	return nil
}

// Serve serves handler on addr until ctx is done, then shuts down. ready, which
// may be nil, is called once the server listens.
func Serve(ctx context.Context, addr string, handler http.Handler, ready func(*Server)) error {
	s, err := Start(ctx, addr, handler)
	if err != nil {
		return err
	}
	if ready != nil {
		ready(s)
	}
	select {
	case err := <-s.done:
		return fmt.Errorf("serve on %s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
		return s.Shutdown(context.WithoutCancel(ctx))
	}
}
