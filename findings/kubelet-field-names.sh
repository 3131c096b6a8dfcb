#!/usr/bin/env bash
# A KubeletConfiguration that a strict YAML check accepts, and that the kubelet ignores: `maxpods` instead of `maxPods`.
#
# Versions: Go modules k8s.io/kubelet and k8s.io/apimachinery v0.36.4, sigs.k8s.io/yaml v1.6.0.
#
# sigs.k8s.io/yaml is the decoder of most checks and tools around Kubernetes. Its UnmarshalStrict refuses unknown fields, but takes a
# field's name in any case, as Go's encoding/json does. The kubelet reads its file by the serializer of apimachinery, for which
# `maxpods` is an unknown field. The kubelet tries its strict form first, and where that fails its lenient form, which drops the field:
# the kubelet logs one line ("Using lenient decoding as strict decoding failed") and runs with the default of 110 Pods.
#
# Seen:
#   sigs.k8s.io/yaml, UnmarshalStrict: maxPods 60, no error
#   apimachinery, strict:              maxPods 0, strict decoding error: unknown field "maxpods"
#   apimachinery, lenient:             maxPods 0, no error
#
# So check such a file with EnableStrict of apimachinery's serializer, or against the list of fields, never with UnmarshalStrict.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat >go.mod <<'EOF'
module finding

go 1.26

require (
	k8s.io/apimachinery v0.36.4
	k8s.io/kubelet v0.36.4
	sigs.k8s.io/yaml v1.6.0
)
EOF
cat >main.go <<'EOF'
package main

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	kubelet "k8s.io/kubelet/config/v1beta1"
	"sigs.k8s.io/yaml"
)

const file = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
maxpods: 60
`

func main() {
	var config kubelet.KubeletConfiguration
	err := yaml.UnmarshalStrict([]byte(file), &config)
	show("sigs.k8s.io/yaml, UnmarshalStrict:", config, err)

	scheme := runtime.NewScheme()
	if err := kubelet.AddToScheme(scheme); err != nil {
		panic(err)
	}
	decode := func(title string, option serializer.CodecFactoryOptionsMutator) {
		var config kubelet.KubeletConfiguration
		decoder := serializer.NewCodecFactory(scheme, option).UniversalDeserializer()
		_, _, err := decoder.Decode([]byte(file), nil, &config)
		show(title, config, err)
	}
	decode("apimachinery, strict:", serializer.EnableStrict)
	decode("apimachinery, lenient:", serializer.DisableStrict)
}

func show(title string, config kubelet.KubeletConfiguration, err error) {
	result := "no error"
	if err != nil {
		result = err.Error()
	}
	fmt.Printf("%-34s maxPods %d, %s\n", title, config.MaxPods, result)
}
EOF

GOWORK=off GOFLAGS=-mod=mod go run . >seen
cat seen
diff - seen <<'EOF' || { echo "the behaviour has changed" >&2; exit 1; }
sigs.k8s.io/yaml, UnmarshalStrict: maxPods 60, no error
apimachinery, strict:              maxPods 0, strict decoding error: unknown field "maxpods"
apimachinery, lenient:             maxPods 0, no error
EOF
