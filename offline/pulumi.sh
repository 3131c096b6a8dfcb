#!/usr/bin/env bash
# Builds the Pulumi CLI, of the version that go/pulumi/go.mod pins, into a folder: pulumi.sh <folder>
set -euo pipefail

folder=$(realpath --canonicalize-missing "${1:?usage: pulumi.sh <folder>}")
cd "$(dirname "$0")/go/pulumi"
command -v go >/dev/null || {
  echo "building the Pulumi CLI needs Go 1.26 or newer, which is not installed: https://go.dev/dl/" >&2
  exit 1
}
module=github.com/pulumi/pulumi
version=$(sed -n "s|^require $module/pkg/v3 v||p" go.mod)
mkdir -p "$folder"
GOWORK=off CGO_ENABLED=0 go build -mod=readonly -trimpath -buildvcs=false \
  -ldflags "-s -w -X $module/sdk/v3/go/common/version.Version=v$version" -o "$folder/pulumi.new" "$module/pkg/v3/cmd/pulumi"
mv "$folder/pulumi.new" "$folder/pulumi"
