package images

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/api"
	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
)

const ecrHost = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"

func TestECRAddressesAreKnownApart(t *testing.T) {
	for host, want := range map[string]string{
		ecrHost: "aws ecr create-repository --repository-name a/b --region eu-west-1",
		"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn": "aws ecr create-repository --repository-name a/b --region cn-north-1",
		"public.ecr.aws":                  "aws ecr-public create-repository --repository-name b --region us-east-1",
		"localhost:5050":                  "",
		"dkr.ecr.example.com":             "",
		"evil.com.dkr.ecr.eu.example.com": "",
	} {
		if got := createCommand(host, "a/b"); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

// strict is a registry that, as ECR does, wants repositories to exist.
func strict(t *testing.T, exists *atomic.Bool) *faulty {
	return newFaulty(t, "POST /blobs/uploads/", func(_ int, w http.ResponseWriter, _ *http.Request) bool {
		if exists.Load() {
			return false
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"errors":[{"code":"NAME_UNKNOWN","message":"The repository with name 'test/app' does not exist in the registry with id '123456789012'"}]}`)
		return true
	})
}

func TestMissingECRRepositoryNamesTheCommand(t *testing.T) {
	var exists atomic.Bool
	f := strict(t, &exists)
	repo, err := name.NewRepository(ecrHost + "/test/app")
	if err != nil {
		t.Fatal(err)
	}
	// ECR's address, answered by the strict registry.
	local := roundTrip(func(r *http.Request) (*http.Response, error) {
		to := r.Clone(r.Context())
		to.URL.Scheme, to.URL.Host = "http", strings.TrimPrefix(f.URL, "http://")
		resp, err := http.DefaultTransport.RoundTrip(to)
		if err == nil {
			resp.Request = r
		}
		return resp, err
	})
	err = Push(t.Context(), repo, testIndex(t, openStore(t), amd64), nil, withClock(&fakeClock{}), anonymous, WithTransport(local))
	var missing *RepositoryMissingError
	if !errors.As(err, &missing) || missing.Repository != "test/app" {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"aws ecr create-repository --repository-name test/app --region eu-west-1", "--create-repositories", ecrHost} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}

type creator func(registry, repository string) error

func (c creator) CreateRepository(_ context.Context, registry, repository string) error {
	return c(registry, repository)
}

func TestMissingRepositoryIsCreatedOnce(t *testing.T) {
	var exists atomic.Bool
	f := strict(t, &exists)
	var made atomic.Int32
	idx := testIndex(t, openStore(t), amd64, arm64)
	err := f.push(t, idx, &fakeClock{}, CreateRepositories(creator(func(registry, repository string) error {
		if registry != f.repo(t).RegistryStr() || repository != "test/app" {
			t.Errorf("asked to make %s in %s", repository, registry)
		}
		made.Add(1)
		exists.Store(true)
		return nil
	})))
	if err != nil || made.Load() != 1 {
		t.Fatalf("made %d times, %v", made.Load(), err)
	}
	f.healthy(t, idx)
}

func TestFailedCreationIsTheError(t *testing.T) {
	var exists atomic.Bool
	f := strict(t, &exists)
	err := f.push(t, testIndex(t, openStore(t), amd64), &fakeClock{}, Jobs(1),
		CreateRepositories(creator(func(string, string) error { return errors.New("no right to") })))
	if err == nil || !strings.Contains(err.Error(), "creating the repository: no right to") {
		t.Errorf("got %v", err)
	}
}

// fakeECR answers CreateRepository as the service does.
func fakeECR(t *testing.T, answer func(input map[string]any) (int, string)) ECR {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if target := r.Header.Get("X-Amz-Target"); !strings.HasSuffix(target, ".CreateRepository") {
			t.Errorf("called %s", target)
		}
		var input map[string]any
		if err := json.NewDecoder(r.Body).Decode(&input); err != nil {
			t.Error(err)
		}
		code, body := answer(input)
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return ECR{Options: []func(*ecr.Options){func(o *ecr.Options) {
		o.BaseEndpoint = aws.String(server.URL)
		o.RetryMaxAttempts = 1
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "id", SecretAccessKey: "secret"}, nil
		})
	}}}
}

func TestECRRepositoryIsMadeInItsAccount(t *testing.T) {
	var got map[string]any
	e := fakeECR(t, func(input map[string]any) (int, string) { got = input; return 200, `{"repository":{}}` })
	if err := e.CreateRepository(t.Context(), ecrHost, "a/b"); err != nil {
		t.Fatal(err)
	}
	if got["registryId"] != "123456789012" || got["repositoryName"] != "a/b" {
		t.Errorf("asked for %v", got)
	}
}

func TestECRRepositoryThatExistsIsFine(t *testing.T) {
	e := fakeECR(t, func(map[string]any) (int, string) {
		return 400, `{"__type":"RepositoryAlreadyExistsException","message":"x"}`
	})
	if err := e.CreateRepository(t.Context(), ecrHost, "a/b"); err != nil {
		t.Error(err)
	}
}

func TestECRRefusalSaysWhichRightIsMissing(t *testing.T) {
	e := fakeECR(t, func(map[string]any) (int, string) {
		return 400, `{"__type":"AccessDeniedException","message":"not you"}`
	})
	err := e.CreateRepository(t.Context(), ecrHost, "a/b")
	if err == nil || !strings.Contains(err.Error(), "ecr:CreateRepository") || !strings.Contains(err.Error(), "a/b") {
		t.Errorf("got %v", err)
	}
	if err := e.CreateRepository(t.Context(), "localhost:5050", "a/b"); err == nil {
		t.Error("made a repository in a registry that is not ECR")
	}
}

type fakeClients struct {
	api.ClientFactory
	region string
	err    error
}

func (f *fakeClients) NewClientFromRegion(region string) api.Client {
	f.region = region
	return fakeClient{err: f.err}
}

type fakeClient struct {
	api.Client
	err error
}

func (c fakeClient) GetCredentials(string) (*api.Auth, error) {
	return &api.Auth{Username: "AWS", Password: "pw"}, c.err
}

func TestECRCredentialsAreAskedForECRAlone(t *testing.T) {
	clients := &fakeClients{}
	resolve := func(host string) (authn.Authenticator, error) {
		repo, err := name.NewRepository(host + "/a/b")
		if err != nil {
			t.Fatal(err)
		}
		return authn.Resolve(t.Context(), ecrKeychain{clients}, repo)
	}
	if a, err := resolve("registry.example.com"); err != nil || a != authn.Anonymous || clients.region != "" {
		t.Errorf("another registry: %v, %v, AWS asked in %q", a, err, clients.region)
	}
	a, err := resolve(ecrHost)
	if err != nil || clients.region != "eu-west-1" {
		t.Fatalf("%v, region %q", err, clients.region)
	}
	if c, err := a.Authorization(); err != nil || c.Username != "AWS" || c.Password != "pw" {
		t.Errorf("credentials %+v, %v", c, err)
	}
	clients.err = fmt.Errorf("no profile")
	if _, err := resolve(ecrHost); err == nil || !strings.Contains(err.Error(), "AWS_PROFILE") {
		t.Errorf("got %v, want what to do", err)
	}
}
