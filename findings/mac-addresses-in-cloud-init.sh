#!/usr/bin/env bash
# A MAC address that is text to the writer of a network configuration, and a number to cloud-init.
#
# Versions: Debian 12's package cloud-init 22.4.2-1+deb12u4 with PyPI's PyYAML 6.0.3; npm package yaml 2.9.1.
#
# The npm package writes YAML 1.2, in which 52:54:00:12:34:56 needs no quotes. cloud-init reads by PyYAML, which keeps the numbers to
# the base 60 of YAML 1.1: a first part without a leading zero, and other parts below 60. The prefix of QEMU and libvirt, 52:54:00, is
# of that kind, and so is QEMU's default address. Of the addresses with that prefix 60^3 in 256^3 are numbers, one machine in 78: a test
# with a few machines rarely meets one. The parser of Kubernetes, which keeps the booleans of YAML 1.1, has no base 60.
#
# Seen, by `cloud-init devel net-convert` of what `stringify` wrote:
#   no option, netplan          macaddress: 41135085296, without any complaint; no network card has that address
#   no option, networkd         AttributeError: 'int' object has no attribute 'lower'
#   version 1.1, netplan        macaddress: '52:54:00:12:34:56'
#   version 1.1, networkd       MACAddress=52:54:00:12:34:56
#   no option, letters, netplan macaddress: 52:54:00:12:34:5a
#
# So give `stringify` the option {version: "1.1"} where cloud-init is the reader.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

apt-get -o APT::Sandbox::User=root download cloud-init=22.4.2-1+deb12u4 >/dev/null 2>&1
dpkg -x cloud-init_*.deb cloud-init
python3 -m venv python
python/bin/pip install --quiet --disable-pip-version-check pyyaml==6.0.3 jinja2==3.1.6 configobj==5.0.9 \
  jsonpatch==1.48 jsonschema==4.26.0 oauthlib==4.0.1 requests==2.34.2
npm install --silent --no-save --prefix . yaml@2.9.1 >/dev/null

cat >write.mjs <<'EOF'
import { stringify } from "yaml";

const [macaddress, options] = process.argv.slice(2);
const machine = { match: { macaddress }, addresses: ["192.0.2.5/24"] };
process.stdout.write(stringify({ version: 2, ethernets: { machine } }, JSON.parse(options)));
EOF

convert() { # MAC_ADDRESS OPTIONS RENDERER
  rm -rf out
  node write.mjs "$1" "$2" >network-config
  PYTHONPATH=cloud-init/usr/lib/python3/dist-packages python/bin/python -m cloudinit.cmd.main devel net-convert \
    --network-data network-config --kind yaml --output-kind "$3" --distro debian --directory out >said 2>&1 || true
  { cat said; find out -type f -exec cat {} +; } | grep -iE '^ *macaddress|^AttributeError' | sed 's/^ *//'
}

seen() { # EXPECTED WHAT ARGUMENTS...
  local found
  found=$(convert "${@:3}")
  printf '%-28s%s\n' "$2" "$found"
  [[ $found == "$1" ]] || { echo "expected $1" >&2 && exit 1; }
}

seen 'macaddress: 41135085296' 'no option, netplan' 52:54:00:12:34:56 '{}' netplan
seen "AttributeError: 'int' object has no attribute 'lower'" 'no option, networkd' 52:54:00:12:34:56 '{}' networkd
seen "macaddress: '52:54:00:12:34:56'" 'version 1.1, netplan' 52:54:00:12:34:56 '{"version":"1.1"}' netplan
seen 'MACAddress=52:54:00:12:34:56' 'version 1.1, networkd' 52:54:00:12:34:56 '{"version":"1.1"}' networkd
seen 'macaddress: 52:54:00:12:34:5a' 'no option, letters, netplan' 52:54:00:12:34:5a '{}' netplan
