package images

import (
	"context"
	"fmt"

	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/api"
	"github.com/google/go-containerregistry/pkg/authn"
)

// Keychain finds a user's registry credentials where docker, podman and ECR
// users already have them: docker's and podman's config files with their
// credential helpers first, then, for ECR's own addresses alone, the AWS
// credentials of the environment. No AWS call is made for any other registry.
func Keychain() authn.Keychain {
	return authn.NewMultiKeychain(authn.DefaultKeychain, ecrKeychain{api.DefaultClientFactory{}})
}

// ecrKeychain is what docker-credential-ecr-login does, with its errors: the
// helper itself turns each into "not found", and the push then fails with a 401
// that tells nobody that an AWS profile is missing.
type ecrKeychain struct{ clients api.ClientFactory }

func (k ecrKeychain) Resolve(r authn.Resource) (authn.Authenticator, error) {
	return k.ResolveContext(context.Background(), r)
}

// ResolveContext is part of authn.ContextKeychain. The helper's client takes no
// context.
func (k ecrKeychain) ResolveContext(_ context.Context, r authn.Resource) (authn.Authenticator, error) {
	host := r.RegistryStr()
	registry, ok := parseECR(host)
	if !ok {
		return authn.Anonymous, nil
	}
	client := k.clients.NewClientFromRegion(registry.region)
	if registry.fips {
		var err error
		if client, err = k.clients.NewClientWithFipsEndpoint(registry.region); err != nil {
			return nil, fmt.Errorf("ECR %s: %w", host, err)
		}
	}
	auth, err := client.GetCredentials(host)
	if err != nil {
		return nil, fmt.Errorf("ECR %s: no token with the AWS credentials at hand: %w; set AWS_PROFILE or log in to AWS", host, err)
	}
	return authn.FromConfig(authn.AuthConfig{Username: auth.Username, Password: auth.Password}), nil
}
