//go:build tools

// Package tools pins what pulumi.sh builds.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
