#!/usr/bin/env bash
# A blob in a folder that is whole and can no longer be read: gocloud.dev's fileblob replaces a blob as a whole, but writes the
# attributes beside it in place.
#
# Version: Go module gocloud.dev v0.46.0.
#
# Pulumi keeps a stack's state this way in a backend of files. The blob is written to another file, which is renamed; the file .attrs is
# created anew in its place, so that it keeps its inode, and is empty until its text is written. A process that is killed in between
# leaves the former state whole and attributes without a text. Then every read of the state fails, in Pulumi with
# `failed to load checkpoint: EOF`. Its copy from just before is of no help, since nothing is wrong with the state itself.
#
# Seen:
#   written again: the blob is another file, its attributes are the same file
#   attributes empty: EOF
#   the blob itself: {"version":2}
#   attributes removed: {"version":2}
#   without attributes from the start: {"version":2}
#
# So remove attributes that are not JSON before a state is given up, or open such a bucket with `metadata=skip` in its address.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'EOF'
module finding

go 1.26

require gocloud.dev v0.46.0
EOF
cat >main.go <<'EOF'
package main

import (
	"context"
	"fmt"
	"os"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/fileblob"
)

var ctx = context.Background()

func main() {
	bucket := open("")
	write(bucket, `{"version":1}`)
	state, attributes := stat("state"), stat("state.attrs")
	write(bucket, `{"version":2}`)
	fmt.Printf("written again: the blob is %s file, its attributes are %s file\n",
		name(os.SameFile(state, stat("state"))), name(os.SameFile(attributes, stat("state.attrs"))))
	check(os.Truncate("blobs/state.attrs", 0))
	fmt.Println("attributes empty:", read(bucket))
	content, err := os.ReadFile("blobs/state")
	check(err)
	fmt.Println("the blob itself:", string(content))
	check(os.Remove("blobs/state.attrs"))
	fmt.Println("attributes removed:", read(bucket))
	plain := open("&metadata=skip")
	write(plain, `{"version":2}`)
	if _, err := os.Stat("blobs/state.attrs"); err == nil {
		panic("there are attributes")
	}
	fmt.Println("without attributes from the start:", read(plain))
}

func open(options string) *blob.Bucket {
	folder, err := os.Getwd()
	check(err)
	bucket, err := blob.OpenBucket(ctx, "file://"+folder+"/blobs?create_dir=true&no_tmp_dir=true"+options)
	check(err)
	return bucket
}

func write(bucket *blob.Bucket, text string) {
	check(bucket.WriteAll(ctx, "state", []byte(text), nil))
}

func read(bucket *blob.Bucket) string {
	content, err := bucket.ReadAll(ctx, "state")
	if err != nil {
		return err.Error()
	}
	return string(content)
}

func stat(file string) os.FileInfo {
	info, err := os.Stat("blobs/" + file)
	check(err)
	return info
}

func name(same bool) string {
	if same {
		return "the same"
	}
	return "another"
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
EOF

GOWORK=off GOFLAGS=-mod=mod go run . >seen
cat seen
diff - seen <<'EOF' || { echo "the behaviour has changed" >&2; exit 1; }
written again: the blob is another file, its attributes are the same file
attributes empty: EOF
the blob itself: {"version":2}
attributes removed: {"version":2}
without attributes from the start: {"version":2}
EOF
