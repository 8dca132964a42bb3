package images

import (
	"errors"
	"fmt"
	"net/http"
	"syscall"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// TagConflictError says that a tag names something else already.
type TagConflictError struct {
	Reference  string // host/repository:tag
	Have, Want v1.Hash
}

func (e *TagConflictError) Error() string {
	return fmt.Sprintf("%s: the tag is taken by %s, this build is %s: a published tag is not moved silently; "+
		"cut a new release, or push with --overwrite-tags", e.Reference, e.Have, e.Want)
}

// RepositoryMissingError says that the registry wants a repository to exist
// before something is pushed to it.
type RepositoryMissingError struct {
	Registry   string // host[:port]
	Repository string // path in the registry
	Err        error
}

func (e *RepositoryMissingError) Error() string {
	if command := createCommand(e.Registry, e.Repository); command != "" {
		return fmt.Sprintf("registry %s has no repository %s: make it with `%s`, or push with --create-repositories",
			e.Registry, e.Repository, command)
	}
	return fmt.Sprintf("registry %s has no repository %s and does not make it by itself: create it there first",
		e.Registry, e.Repository)
}

func (e *RepositoryMissingError) Unwrap() error { return e.Err }

// PushError says what failed at which registry, and what to do. Its text holds
// no credentials; those of the errors it wraps may.
type PushError struct {
	Registry   string // host[:port]
	Repository string // path in the registry
	Doing      string // "sending blob sha256:…"
	Attempts   int
	Status     int // of the HTTP response; 0 if there was none
	Err        error

	text, hint string
}

func (e *PushError) Error() string {
	s := fmt.Sprintf("push to %s/%s: %s: %s", e.Registry, e.Repository, e.Doing, e.text)
	if e.Attempts > 1 {
		s += fmt.Sprintf(" (%d attempts)", e.Attempts)
	}
	if e.hint != "" {
		s += ": " + e.hint
	}
	return s
}

func (e *PushError) Unwrap() error { return e.Err }

// explain is the error for doing something at a repository that failed with err.
func (p *pusher) explain(doing string, tries int, err error) error {
	registry, repository := p.repo.RegistryStr(), p.repo.RepositoryStr()
	if repositoryMissing(err) {
		return &RepositoryMissingError{registry, repository, err}
	}
	e := &PushError{
		Registry: registry, Repository: repository, Doing: doing, Attempts: tries,
		Err: err, text: p.secrets.text(err),
	}
	var failed *transport.Error
	if errors.As(err, &failed) {
		e.Status = failed.StatusCode
	}
	e.hint = hint(registry, repository, e.Status, err)
	return e
}

func hint(registry, repository string, status int, err error) string {
	login := fmt.Sprintf("`docker login %s`", registry)
	if _, ok := parseECR(registry); ok {
		login = "AWS credentials that `aws sts get-caller-identity` accepts"
	}
	switch {
	case status == http.StatusUnauthorized:
		return fmt.Sprintf("the registry wants credentials that it knows: use %s and run again", login)
	case status == http.StatusForbidden:
		return fmt.Sprintf("these credentials may not push to %s: ask for the right to, or use others with %s", repository, login)
	case status == http.StatusNotFound:
		return fmt.Sprintf("%s does not answer as a registry there: check the address", registry)
	case status == http.StatusTooManyRequests:
		return "the registry limits the rate: wait and run again, what was sent stays"
	case diskFull(err):
		return "the registry's disk is full: free some space there and run again, what was sent stays"
	case status >= 500:
		return "the registry has a problem: see its log, then run again, what was sent stays"
	case errors.Is(err, errPlainHTTP):
		return "give the registry a certificate, or ask for plain http explicitly with --insecure"
	case errors.Is(err, ErrNotStored):
		return ""
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("is the registry at %s running?", registry)
	case temporary(err):
		return "check the connection and run again, what was sent stays"
	}
	return ""
}
