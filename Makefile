# make help lists the targets. Variables of build-images:
#   CHANNEL=1-35  PLATFORMS=linux/arm64 or all  COMPONENTS=etcd,coredns  GROUP=csi-node
#   REGISTRY=registry.example.com/prefix  BASE_URL=https://files.example.com  OUT=out  FLAGS=…

GO       ?= go
OUT      ?= out
BIN      := bin
TESTTIME ?= 25m

BUILD_FLAGS = --out $(OUT) \
  $(if $(CHANNEL),--channel $(CHANNEL)) \
  $(if $(PLATFORMS),--platform $(PLATFORMS)) \
  $(if $(COMPONENTS),--component $(COMPONENTS)) \
  $(if $(GROUP),--group $(GROUP)) \
  $(if $(REGISTRY),--registry $(REGISTRY)) \
  $(if $(BASE_URL),--base-url $(BASE_URL)) \
  $(FLAGS)

# Nothing of the user's settings for go build reaches the build of the tools.
export GOFLAGS = -mod=readonly
export CGO_ENABLED = 0

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

.PHONY: build
build: ## compile the commands into bin/
	$(GO) build -trimpath -ldflags "-s -w" -o $(BIN)/ ./cmd/...

.PHONY: build-images
build-images: build ## build a channel from source into OUT: images, files and the Release
	$(BIN)/slipway-build $(BUILD_FLAGS)

.PHONY: serve
serve: build ## serve OUT: registry and files on localhost:5050
	$(BIN)/slipway-images serve --dir $(OUT)

.PHONY: test
test: ## run the tests
	$(GO) test -timeout $(TESTTIME) ./...

.PHONY: lint
lint: build ## check formatting, vet, go.mod, the channels and the generated reference
	@unformatted=$$(gofmt -l $$(git ls-files '*.go' 2>/dev/null || find . -name '*.go')); \
	  if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(BIN)/slipway-release list >/dev/null
	@for c in $(notdir $(wildcard cmd/*)); do \
	  $(BIN)/$$c reference | cmp -s - docs/reference/$$c.md || { echo "docs/reference/$$c.md is stale: run make docs"; exit 1; }; done

.PHONY: bench
bench: ## measure speed and memory against bare go build and crane's way
	$(GO) test -run '^$$' -bench . -benchtime 1x -timeout 60m ./builder/... ./images/... ./cmd/slipway-build

.PHONY: verify
verify: build ## build the release in OUT again and compare every digest
	@for m in $(or $(MANIFEST),$(wildcard $(OUT)/kubernetes-*/kubernetes-*.yaml)); do \
	  $(BIN)/slipway-build verify $(VERIFY_FLAGS) $$m || exit; done

.PHONY: docs
docs: build ## generate docs/reference from the commands
	@mkdir -p docs/reference
	for c in $(notdir $(wildcard cmd/*)); do $(BIN)/$$c reference > docs/reference/$$c.md; done
	$(GO) run ./internal/gendocs

.PHONY: clean
clean: ## remove bin/ and OUT (caches stay)
	rm -rf $(BIN) $(OUT)
