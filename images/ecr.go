package images

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/awslabs/amazon-ecr-credential-helper/ecr-login/api"
)

const ecrPublic = "public.ecr.aws"

type ecrRegistry struct {
	account, region string
	fips            bool
}

// parseECR reads the address of a private ECR registry
// (<account>.dkr.ecr.<region>.amazonaws.com and its other partitions) or of the
// public one.
func parseECR(host string) (ecrRegistry, bool) {
	if host != ecrPublic && !strings.Contains(host, ".dkr.ecr") && !strings.Contains(host, ".dkr-ecr") {
		return ecrRegistry{}, false
	}
	r, err := api.ExtractRegistry(host)
	if err != nil {
		return ecrRegistry{}, false
	}
	return ecrRegistry{account: r.ID, region: r.Region, fips: r.FIPS}, true
}

// createCommand is the command that makes a repository, "" if the registry is
// not known to have one.
func createCommand(host, repository string) string {
	if host == ecrPublic {
		_, name, _ := strings.Cut(repository, "/") // the first part is the registry's alias
		return "aws ecr-public create-repository --repository-name " + name + " --region us-east-1"
	}
	r, ok := parseECR(host)
	if !ok {
		return ""
	}
	return "aws ecr create-repository --repository-name " + repository + " --region " + r.region
}

// ECR makes repositories in private ECR registries, with the AWS credentials of
// the environment. It is a RepositoryCreator.
type ECR struct {
	// Options change the client; tests point it at an endpoint of their own.
	Options []func(*ecr.Options)
}

var _ RepositoryCreator = ECR{}

// CreateRepository makes the repository with ECR's own defaults (mutable tags,
// AES256). It fails for a registry that is not a private ECR.
func (e ECR) CreateRepository(ctx context.Context, registry, repository string) error {
	r, ok := parseECR(registry)
	if !ok || registry == ecrPublic {
		return fmt.Errorf("registry %s is not a private ECR: repositories cannot be made there for you; create %s with its own tools",
			registry, repository)
	}
	loads := []func(*config.LoadOptions) error{config.WithRegion(r.region)}
	if r.fips {
		loads = append(loads, config.WithUseFIPSEndpoint(aws.FIPSEndpointStateEnabled))
	}
	c, err := config.LoadDefaultConfig(ctx, loads...)
	if err != nil {
		return fmt.Errorf("AWS configuration: %w", err)
	}
	_, err = ecr.NewFromConfig(c, e.Options...).CreateRepository(ctx, &ecr.CreateRepositoryInput{
		RegistryId: aws.String(r.account), RepositoryName: aws.String(repository),
	})
	var exists *types.RepositoryAlreadyExistsException
	if errors.As(err, &exists) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ECR %s: repository %s: %w; the credentials need ecr:CreateRepository", registry, repository, err)
	}
	return nil
}
