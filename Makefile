SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

STACK ?= local
export STACK
# As it was written, dollars and all.
ifdef CMD
override export CMD := $(value CMD)
endif

# What Pulumi needs, and what a cluster on this computer needs beyond that.
tools := node-packages pulumi plugins passphrase
things := settings debian-packages $(tools) artifacts kubectl rootfs binaries
# What tests and stand-ins call, and what Debian's cloud-init imports.
test-packages := chromium-headless-shell fonts-dejavu-core genisoimage libvirt-clients openssl shellcheck xsltproc python3-configobj python3-jinja2 python3-jsonpatch python3-jsonschema python3-oauthlib python3-requests python3-yaml
# Without somebody at the terminal nothing can be confirmed.
yes = $$([[ -t 0 && -t 1 && -z $${CI:-} ]] || echo --yes)

# The start of what is done to the stack; Pulumi leaves nothing in the stack's settings.
define with-stack
. install/env.sh
trap '[ ! -e "$$KTHW_ROOT/Pulumi.$$STACK.yaml" ] || "$$KTHW_ROOT/install/settings"' EXIT
pulumi stack select --create "$$STACK" >/dev/null
endef

# What comes before that, since Pulumi may not even select a stack of which a command was cut off.
define clear-interrupted
. install/env.sh
node --import tsx operations/interrupted/clear-interrupted.ts "$$STACK"
endef

.PHONY: help up preview plan down shell smoke status check repair certs cis logs backup restore etcdctl defragment install image test test-fast test-libvirt lint bench bench-scale clean $(things)

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS=$$'\t' read -r target text; do
	  printf 'make %-10s %s\n' "$$target" "$$text"
	done
	printf '\nSTACK=name chooses another stack than local; KTHW_CACHE=folder another place for what is installed.\n'

up: install ## install what is missing, bring the cluster up, show its nodes
	@$(clear-interrupted)
	$(with-stack)
	alarms() { node --import tsx operations/etcd/name-alarms.ts "$$STACK"; }
	pulumi up --stack "$$STACK" $(yes) || { alarms || true; exit 1; }
	install/kubeconfig
	kubectl get nodes
	echo "kubeconfig: $$KUBECONFIG"
	alarms

preview: install ## show what `make up` would change, line by line
	@$(with-stack)
	pulumi preview --stack "$$STACK" --diff

plan: install ## write all files that `make up` would leave on every machine to plan/, and a page that shows the changes
	@$(with-stack)
	node --import tsx operations/plan/write-plan.ts "$$STACK"

down: settings $(tools) ## destroy the cluster
	@$(clear-interrupted)
	$(with-stack)
	pulumi destroy --stack "$$STACK" $(yes)
	rm -f "$$KUBECONFIG"

shell: settings $(tools) ## a shell for pulumi and kubectl; CMD='…' runs one command in it
	@$(with-stack)
	export PULUMI_STACK=$$STACK
	install/kubeconfig 2>/dev/null || true
	unset MAKEFLAGS MAKELEVEL
	$(if $(CMD),(eval "$$CMD"),bash --rcfile install/shell.sh -i || true)

smoke: settings $(tools) kubectl ## try the cluster: nodes, encryption, pods, services, DNS, logs, exec and so on
	@. install/env.sh
	install/kubeconfig
	exec node --import tsx operations/smoke/run-smoke.ts "$$STACK"

status: settings $(tools) kubectl ## machines, services, etcd, certificates and what is wrong at a glance; WATCH=1 again and again
	@. install/env.sh
	# Without a kubeconfig there is still what the machines say.
	install/kubeconfig || true
	exec node --import tsx operations/status/run-status.ts "$$STACK" $(if $(WATCH),watch)

check: settings $(tools) kubectl ## name what differs on the machines and Nodes from what the last update placed
	@. install/env.sh
	# Without a kubeconfig there is still what the machines say.
	install/kubeconfig || true
	exec node --import tsx operations/check/run-check.ts "$$STACK"

repair: settings $(tools) kubectl ## put right what `make check` names, and nothing else
	@. install/env.sh
	install/kubeconfig || true
	exec node --import tsx operations/repair/run-repair.ts "$$STACK"

certs: settings $(tools) ## list the certificates with their owner, issuer and end
	@. install/env.sh
	exec node --import tsx operations/certificates/list-certificates.ts "$$STACK"

cis: settings $(tools) kubectl ## look at the controls of the CIS Kubernetes Benchmark 1.12 on all nodes
	@. install/env.sh
	install/kubeconfig
	exec node --import tsx operations/cis/run-cis.ts "$$STACK"

logs: settings $(tools) kubectl ## bundle the machines' journals, units and the cluster's events for a report of a bug
	@. install/env.sh
	# Without a kubeconfig there is still what the machines say.
	install/kubeconfig || true
	exec node --import tsx operations/logs/write-logs.ts "$$STACK"

backup: settings $(tools) ## bring a verified snapshot of etcd to backups/
	@. install/env.sh
	exec node --import tsx operations/etcd/run-backup.ts "$$STACK"

restore: settings $(tools) kubectl ## take the cluster back to SNAPSHOT=file, with all controllers but WITHOUT=those,that,are,gone
	@. install/env.sh
	# Without a kubeconfig there is still what the machines say.
	install/kubeconfig || true
	exec node --import tsx operations/etcd/run-restore.ts "$$STACK" "$${SNAPSHOT:-}" "$${WITHOUT:-}"

etcdctl: settings $(tools) ## run etcdctl on a controller: CMD='alarm list'
	@. install/env.sh
	exec node --import tsx operations/etcd/run-etcdctl.ts "$$STACK" "$${CMD:-}"

defragment: settings $(tools) ## give etcd its free space back, and end the alarm NOSPACE
	@. install/env.sh
	exec node --import tsx operations/etcd/run-defragment.ts "$$STACK"

install: $(things) ## install what is missing

image: ## build the disk image that machines of libvirt start from, and print it as settings
	@install/image

$(things):
	@install/$@

test: install ## lint and all tests, the live ones on this computer included
	@install/debian-packages $(test-packages) iptables python3-venv
	STACK=aws install/plugins
	# A test upgrades a cluster to it.
	STACK=local install/artifacts newest
	STACK=local install/binaries
	install/node-packages . offline
	node --import tsx test/run.ts all

test-fast: ## lint and all tests but the live ones
	@install/debian-packages $(test-packages)
	install/node-packages . offline
	node --import tsx test/run.ts fast

test-libvirt: ## the cluster on emulated machines of libvirt, for about an hour; WEAVE_IMAGES=folder with Weave Net, too
	@install/debian-packages ca-certificates curl dnsmasq-base genisoimage iproute2 iptables libvirt-clients \
	  libvirt-daemon-system openssh-client ovmf qemu-system-x86 qemu-utils xsltproc
	install/node-packages . offline
	install/pulumi
	STACK=dev install/plugins
	STACK=local install/artifacts
	install/kubectl
	install/image >/dev/null
	exec npx mocha --timeout 5400000 'test/libvirt/*.test.ts'

lint: ## formatting, types and shell scripts
	@install/debian-packages shellcheck
	install/node-packages . offline
	node --import tsx test/run.ts lint

bench: install ## measure the cluster against its bars, or beside the build of BEFORE=commit, RUNS=5 times each
	@. install/env.sh
	exec node --import tsx $(if $(BEFORE),test/live/bench-pairs.ts '$(BEFORE)' '$(or $(RUNS),5)',test/live/bench.ts)

bench-scale: install ## measure three controllers and a hundred workers on simulated machines
	@install/node-packages offline
	. install/env.sh
	exec node --import tsx test/live/bench-scale.ts

clean: ## remove the stack's machines and state, whatever an interrupted run left
	@install/clean
