#!/usr/bin/env bash
# Texts that the npm package `yaml` writes without quotes, and that Kubernetes reads as booleans and numbers.
#
# Versions: npm package yaml 2.9.1; Go modules sigs.k8s.io/yaml v1.6.0, k8s.io/apimachinery and k8s.io/api v0.36.4.
#
# The npm package writes YAML 1.2, where `on` and `1_000` are texts that need no quotes. The programs of Kubernetes read YAML by
# sigs.k8s.io/yaml, which keeps the booleans and numbers of YAML 1.1. With "on" as the value of an environment variable, `stringify`
# makes a Pod that apimachinery's serializer, and with it the kubelet and the API, refuses. A program that reads the same Pod by
# yaml.Unmarshal gets no error, but the text "true". Where a field takes any value, the text is a boolean or a number from then on.
#
# Seen:
#   value: on      a boolean
#   value: no      a boolean
#   value: y       a boolean
#   value: 1_000   a number
#   value: 0b11    a number
#   Pod, serializer:     json: cannot unmarshal bool into Go struct field EnvVar.spec.containers.env.value of type string
#   Pod, yaml.Unmarshal: "true"
# with {compat: "yaml-1.1"} as an option of stringify:
#   value: "on"    a string
#   value: "no"    a string
#   value: "y"     a string
#   value: "1_000" a string
#   value: "0b11"  a string
#   Pod, serializer:     "on"
#   Pod, yaml.Unmarshal: "on"
#
# So give `stringify` the option {compat: "yaml-1.1"} wherever Kubernetes is the reader.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

npm install --silent --no-audit --no-fund --ignore-scripts yaml@2.9.1
cat >write.mjs <<'EOF'
import { writeFileSync } from "node:fs";
import { stringify } from "yaml";

const values = ["on", "no", "y", "1_000", "0b11"];
const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web" },
  spec: { containers: [{ name: "web", env: [{ name: "DEBUG", value: "on" }] }] },
};
for (const [name, options] of [["plain", {}], ["compatible", { compat: "yaml-1.1" }]]) {
  writeFileSync(`${name}-values`, values.map((value) => stringify({ value }, options)).join(""));
  writeFileSync(`${name}-pod`, stringify(pod, options));
}
EOF
node write.mjs

cat >go.mod <<'EOF'
module finding

go 1.26

require (
	k8s.io/api v0.36.4
	k8s.io/apimachinery v0.36.4
	sigs.k8s.io/yaml v1.6.0
)
EOF
cat >main.go <<'EOF'
package main

import (
	"fmt"
	"os"
	"strings"

	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/yaml"
)

func main() {
	scheme := runtime.NewScheme()
	if err := core.AddToScheme(scheme); err != nil {
		panic(err)
	}
	decoder := serializer.NewCodecFactory(scheme).UniversalDeserializer()
	for _, name := range []string{"plain", "compatible"} {
		for _, line := range strings.Split(strings.TrimSpace(read(name+"-values")), "\n") {
			var document map[string]any
			if err := yaml.Unmarshal([]byte(line), &document); err != nil {
				panic(err)
			}
			kinds := map[string]string{"bool": "boolean", "float64": "number", "string": "string"}
			fmt.Printf("%-14s a %s\n", line, kinds[fmt.Sprintf("%T", document["value"])])
		}
		manifest := []byte(read(name + "-pod"))
		var decoded, unmarshalled core.Pod
		_, _, err := decoder.Decode(manifest, nil, &decoded)
		show("Pod, serializer:    ", decoded, err)
		err = yaml.Unmarshal(manifest, &unmarshalled)
		show("Pod, yaml.Unmarshal:", unmarshalled, err)
	}
}

func show(title string, pod core.Pod, err error) {
	if err != nil {
		fmt.Println(title, err.Error()[strings.Index(err.Error(), "json: "):])
		return
	}
	fmt.Printf("%s %q\n", title, pod.Spec.Containers[0].Env[0].Value)
}

func read(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		panic(err)
	}
	return string(content)
}
EOF

GOWORK=off GOFLAGS=-mod=mod go run . >seen
cat seen
diff - seen <<'EOF' || { echo "the behaviour has changed" >&2; exit 1; }
value: on      a boolean
value: no      a boolean
value: y       a boolean
value: 1_000   a number
value: 0b11    a number
Pod, serializer:     json: cannot unmarshal bool into Go struct field EnvVar.spec.containers.env.value of type string
Pod, yaml.Unmarshal: "true"
value: "on"    a string
value: "no"    a string
value: "y"     a string
value: "1_000" a string
value: "0b11"  a string
Pod, serializer:     "on"
Pod, yaml.Unmarshal: "on"
EOF
