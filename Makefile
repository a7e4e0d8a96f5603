# rolecall: `make help` lists the targets.
GO      ?= go
ARGS    ?=
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
LDFLAGS := -s -w -X main.version=$(VERSION) -X github.com/rolecall/rolecall/internal/early.Version=$(VERSION)
FUZZTIME ?= 60s

.PHONY: help build build-pkcs11 gateway dist quickstart test test-ad test-fast lint bench fuzz generate deps clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## server, client and AD client into bin/
	@mkdir -p bin
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/rolecalld ./cmd/rolecall ./cmd/rolecall-ad

build-pkcs11: ## the client's companion for PKCS#11 tokens into bin/ (needs gcc)
	@mkdir -p bin
	CGO_ENABLED=1 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/rolecall-pkcs11

dist: ## archives, packages and SHA256SUMS for all systems into dist/ (TARGETS="linux/amd64 …" for some)
	scripts/dist dist $(TARGETS)

# A file, not a phony target: Go would link it again each time.
bin/versitygw: tools/versitygw/go.mod
	@mkdir -p bin
	cd tools/versitygw && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../../bin/ github.com/versity/versitygw/cmd/versitygw
	@touch $@

gateway: bin/versitygw ## the S3 gateway of docs/s3.md, pinned in tools/versitygw, into bin/

quickstart: build gateway ## certificate in, credentials out, in a new folder (ARGS=--once ends after the check)
	bin/rolecalld quickstart --client bin/rolecall $(ARGS)

deps: ## install what the tests need (Debian packages)
	scripts/deps

test: deps lint ## everything: vet, unit, race, integration
	$(GO) test -timeout 15m ./...
	$(GO) test -race -timeout 15m -short ./...
	$(MAKE) build build-pkcs11 gateway
	cd integration && $(GO) vet ./... && $(GO) test -count=1 -timeout 15m ./... # the programs under test are no inputs that the cache knows
	cd awsprovider && $(GO) test -count=1 -race -timeout 10m ./...

test-ad: deps ## what drives a real Active Directory domain (Samba; needs root or sudo -n)
	GO='$(GO)' scripts/test-ad

test-fast: ## unit tests only
	$(GO) test -short ./...

lint: ## gofmt, vet, staticcheck, the client for Windows and macOS
	@test -z "$$(gofmt -l . | tee /dev/stderr)" || { echo 'run gofmt -w on the files above' >&2; exit 1; }
	$(GO) vet ./...
	$(GO) tool staticcheck ./...
	staticcheck=$$($(GO) tool -n staticcheck) && for module in awsprovider integration; do \
		(cd $$module && $(GO) vet ./... && $$staticcheck ./...) || exit 1; \
	done
	for os in windows darwin; do \
		GOOS=$$os $(GO) vet ./cmd/rolecall ./internal/keysource/... && \
		GOOS=$$os CGO_ENABLED=0 $(GO) build -trimpath -o /dev/null ./cmd/rolecall || exit 1; \
	done

bench: build gateway ## speed as ratios to the physical floor, on this machine in this run
	scripts/bench $(ARGS)

fuzz: ## every fuzz target for FUZZTIME
	scripts/fuzz $(FUZZTIME)

generate: ## the API models (MODELS=folder with service-2.json files)
	$(GO) run ./internal/awsapi/modelgen -models $(MODELS) -out internal/awsapi/model

clean: ## remove what was built
	rm -rf bin dist
