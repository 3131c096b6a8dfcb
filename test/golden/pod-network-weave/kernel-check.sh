refused=
has() {
  test -e "/sys/module/$1" || modprobe --quiet --dry-run "$1" 2>/dev/null ||
    { zcat /proc/config.gz; cat "/boot/config-$(uname -r)"; } 2>/dev/null | grep -q "^CONFIG_$2=[ym]"
}
look() {
  by=$1 todo=$2 missing=
  shift 2
  for part; do has "${part%:*}" "${part#*:}" || missing="$missing ${part%:*}"; done
  test -z "$missing" || {
    echo "$(uname -n): its kernel lacks what $by needs, got $(uname -r) without$missing; $todo" >&2
    refused=yes
  }
}
look "network weave" "load the modules, use a kernel that has them, such as Debian's, or another network" br_netfilter:BRIDGE_NETFILTER bridge:BRIDGE dummy:DUMMY ip_set:IP_SET ip_set_hash_ip:IP_SET_HASH_IP ip_set_hash_net:IP_SET_HASH_NET ip_set_list_set:IP_SET_LIST_SET nfnetlink_log:NETFILTER_NETLINK_LOG veth:VETH xt_NFLOG:NETFILTER_XT_TARGET_NFLOG xt_physdev:NETFILTER_XT_MATCH_PHYSDEV xt_set:NETFILTER_XT_SET
look "weave.fastDatapath" "load the modules, use a kernel that has them, such as Debian's, or set weave.fastDatapath to false" openvswitch:OPENVSWITCH vport_vxlan:OPENVSWITCH_VXLAN
test -z "$refused"
