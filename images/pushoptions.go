package images

import (
	"context"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
)

// RepositoryCreator makes repositories in registries that want them to exist
// before a push.
type RepositoryCreator interface {
	// CreateRepository makes the repository in the registry (host[:port]). One
	// that is there already is no error.
	CreateRepository(ctx context.Context, registry, repository string) error
}

type pushOptions struct {
	overwrite bool
	insecure  bool
	creator   RepositoryCreator
	keychain  authn.Keychain
	jobs      int
	progress  func(done, total int64)
	notice    func(string)
	transport http.RoundTripper
	clock     clock
}

// PushOption changes what Push does.
type PushOption func(*pushOptions)

// OverwriteTags moves tags that name something else. The default is a
// TagConflictError.
func OverwriteTags() PushOption { return func(o *pushOptions) { o.overwrite = true } }

// Insecure allows plain http to other machines. The default is to this machine
// only.
func Insecure() PushOption { return func(o *pushOptions) { o.insecure = true } }

// CreateRepositories makes a missing repository with c. The default is a
// RepositoryMissingError. See ECR.
func CreateRepositories(c RepositoryCreator) PushOption {
	return func(o *pushOptions) { o.creator = c }
}

// WithKeychain says where credentials come from. The default is Keychain().
func WithKeychain(k authn.Keychain) PushOption { return func(o *pushOptions) { o.keychain = k } }

// Jobs is how many blobs are sent at once. The default is 4.
func Jobs(n int) PushOption { return func(o *pushOptions) { o.jobs = max(1, n) } }

// WithProgress calls f with the bytes that are in the registry and their total,
// one call at a time. Bytes of a broken upload are taken back.
func WithProgress(f func(done, total int64)) PushOption {
	return func(o *pushOptions) { o.progress = f }
}

// WithNotice calls f, from several goroutines, with a line for a person: what
// is tried again and why. It never holds credentials.
func WithNotice(f func(string)) PushOption { return func(o *pushOptions) { o.notice = f } }

// WithTransport replaces the network, below credentials, retries and the rule
// about plain http.
func WithTransport(t http.RoundTripper) PushOption { return func(o *pushOptions) { o.transport = t } }

func makePushOptions(opts []PushOption) *pushOptions {
	o := &pushOptions{
		keychain: Keychain(), jobs: 4, clock: realClock{},
		progress: func(int64, int64) {}, notice: func(string) {},
	}
	for _, opt := range opts {
		opt(o)
	}
	if o.transport == nil {
		o.transport = defaultTransport()
	}
	return o
}
