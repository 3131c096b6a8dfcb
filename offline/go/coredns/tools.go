//go:build tools

// Package tools pins what the mirror builds.
package tools

import (
	_ "github.com/coredns/coredns"
)
