#!/bin/sh
# Looks whether a host can be given its part of a cluster, and prints a line for each thing that is in the way. It changes nothing.
#   sh -s -- NAME now=SECONDS address=ADDRESS node=yes|no architecture=amd64 memory=MIB disk=MIB cgroup=1|2 container=yes|no
#     ports='PORT…' units='UNIT…' folders='FOLDER…' files='FILE…' [peers='ADDRESS…'] [resolv=FILE] [mirror=FOLDER]
#     [proxy=nftables|ipvs] [linux=OLDEST]
# Environment: LC_KTHW_SUDO, the password of sudo where it asks for one.
# A host that already has services of ours may go on with them: their ports, units and folders are in nobody's way.
set -u
usual=$PATH
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
state=/var/lib/kthw
name=$1
shift
now='' address='' node='' architecture='' memory='' disk='' cgroup='' container='' ports='' units='' folders='' files='' peers='' resolv='' mirror='' proxy='' linux=''
for word in "$@"; do
  value=${word#*=}
  case $word in
    now=*) now=$value ;;
    address=*) address=$value ;;
    node=*) node=$value ;;
    architecture=*) architecture=$value ;;
    memory=*) memory=$value ;;
    disk=*) disk=$value ;;
    cgroup=*) cgroup=$value ;;
    container=*) container=$value ;;
    ports=*) ports=$value ;;
    units=*) units=$value ;;
    folders=*) folders=$value ;;
    files=*) files=$value ;;
    peers=*) peers=$value ;;
    resolv=*) resolv=$value ;;
    mirror=*) mirror=$value ;;
    proxy=*) proxy=$value ;;
    linux=*) linux=$value ;;
  esac
done

wrong() { # WHAT VALUE TODO
  printf '%s: %s, got %s; %s\n' "$name" "$1" "$2" "$3"
}

has() {
  command -v "$1" >/dev/null 2>&1
}

sudo=
may=yes
export SUDO_ASKPASS=/usr/bin/printenv
root() {
  # shellcheck disable=SC2086 # sudo and its option, or nothing
  $sudo "$@" 2>/dev/null
}

check_sudo() {
  [ "$(id -u)" != 0 ] || return 0
  user=$(id -un)
  if ! has sudo; then
    may=no
    wrong "no sudo, with which $user could become root" "nothing" "apt-get install sudo, or set hosts.user to root"
  elif sudo -n true >/dev/null 2>&1; then
    sudo='sudo -n'
  elif [ -z "${LC_KTHW_SUDO-}" ]; then
    may=no
    wrong "no right to sudo without a password" "$user" \
      "add the line $user ALL=(ALL) NOPASSWD: ALL by visudo, or set hosts.sudoPassword"
  elif ! sudo -A -p LC_KTHW_SUDO true >/dev/null 2>&1; then
    may=no
    wrong "no right to sudo with the password of the settings" "$user" \
      "set hosts.sudoPassword to the password of $user, who must be one of sudoers"
  else
    sudo='sudo -A -p LC_KTHW_SUDO'
  fi
  [ "$may" = yes ] || return 0
  path=$(PATH=$usual root printenv PATH)
  case :$path: in
    *:/usr/local/bin:*) ;;
    *) wrong "sudo's secure_path lacks /usr/local/bin, where kthw-node is to lie" "$path" "add /usr/local/bin to secure_path by visudo" ;;
  esac
  [ -n "${LC_KTHW_SUDO-}" ] || return 0
  # Each command is handed the password in a variable.
  accepted=$(root sshd -T | sed -n 's/^acceptenv //p' | xargs)
  case " $accepted " in
    *' LC_* '* | *' * '* | *' LC_KTHW_SUDO '*) ;;
    *) wrong "its SSH server takes no variable LC_KTHW_SUDO, by which commands get sudo's password" "AcceptEnv $accepted" "add the line AcceptEnv LC_* to /etc/ssh/sshd_config, and reload ssh" ;;
  esac
}

check_system() {
  # shellcheck source=/dev/null
  system=$(. /etc/os-release 2>/dev/null && echo "${PRETTY_NAME:-}")
  [ -d /run/systemd/system ] ||
    wrong "systemd is not its first process" "$(cat /proc/1/comm)" "use a host that was booted by systemd"
  { has apt-get && has dpkg-query; } ||
    wrong "not Debian or the like, where packages come by apt-get" "${system:-an unknown system}" "use such a host"
  missing=
  for program in curl flock ip ss tar; do
    has "$program" || missing="$missing $program"
  done
  [ -z "$missing" ] ||
    wrong "programs that are missing" "no${missing}" "apt-get install curl iproute2 tar util-linux"
  machine=$(uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
  [ "$machine" = "$architecture" ] ||
    wrong "not of architecture $architecture" "$machine" "set architecture, which all machines have in common"
  version=1
  [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || version=2
  [ "$version" = "$cgroup" ] ||
    wrong "not of cgroup version $cgroup" "$version" "set hosts.traits.cgroupVersion, which all machines have in common"
  if [ "$container" = no ] && has systemd-detect-virt && kind=$(systemd-detect-virt --container); then
    wrong "a container, where kernel settings are not its own" "$kind" "set hosts.traits.container to true"
  fi
}

check_kernel() {
  kernel=$(uname -r)
  case $proxy in
    nftables)
      printf '%s\n%s\n' "$linux" "$kernel" | sort -V -C ||
        wrong "its kernel is too old for kubeProxy.mode nftables" "$kernel" "use iptables, or Linux $linux or newer"
      ;;
    ipvs)
      [ -e /proc/net/ip_vs ] || root modprobe --quiet --dry-run ip_vs ||
        wrong "its kernel has no ip_vs for kubeProxy.mode ipvs" "$kernel" "use iptables or nftables, or a kernel with ip_vs"
      ;;
  esac
}

check_identity() {
  host=$(uname -n)
  # The kubelet and kube-proxy take the host's name in small letters.
  if [ "$node" = yes ] && [ "$(echo "$host" | tr '[:upper:]' '[:lower:]')" != "$name" ]; then
    todo=", or name the machine so"
    case $host in *[!a-z0-9-]*) todo= ;; esac
    wrong "another host name, by which its Node would be called" "$host" "hostnamectl set-hostname $name$todo"
  fi
  ! has ip || ip -4 -o address | grep -q " inet $address/" ||
    wrong "without the address $address" "$(ip -4 -o address show scope global | awk '{ print $4 }' | xargs)" \
      "write in the settings where the other machines reach it"
  # Certificates are valid from the second on in which they were made; a little ahead is no harm.
  ahead=$(($(date +%s) - now))
  if [ "$ahead" -lt -10 ] || [ "$ahead" -gt 300 ]; then
    wrong "its clock is far from this computer's" "${ahead} s" "let both follow a time server, such as by systemd-timesyncd"
  fi
}

# Routes to pods lead straight to the address of their node.
check_peers() {
  has ip || return 0
  far=
  for peer in $peers; do
    route=$(ip -4 route get "$peer" 2>/dev/null | head -n 1)
    case $route in
      '') far="$far, no route to $peer" ;;
      *' via '*) far="$far, ${route%% src *}" ;;
    esac
  done
  [ -z "$far" ] ||
    wrong "nodes behind a router, through which routes to their pods do not lead" "${far#, }" "put all nodes into one network, or use network weave"
}

# The last of the files that says whether packets are forwarded, if it says no.
forwarding_in() { # FILE
  key='net[./]ipv4[./]\(ip_forward\|conf[./]all[./]forwarding\)'
  case $(sed -n "s/^[[:space:]]*-\{0,1\}${key}[[:space:]]*=[[:space:]]*\([01]\)[[:space:]]*$/\2/p" "$1" 2>/dev/null | tail -n 1) in
    0) off=$1 ;;
    1) off= ;;
  esac
}

# Files are read by their names, wherever they lie, and the first folder that has one hides those of the others.
check_forwarding() {
  off=
  for file in $(find /etc/sysctl.d /run/sysctl.d /usr/local/lib/sysctl.d /usr/lib/sysctl.d -name '*.conf' -printf '%f\n' 2>/dev/null | sort -u); do
    expr "$file" '>' 90-kubernetes.conf >/dev/null || continue
    for folder in /etc /run /usr/local/lib /usr/lib; do
      [ -e "$folder/sysctl.d/$file" ] || continue
      forwarding_in "$folder/sysctl.d/$file"
      break
    done
  done
  forwarding_in /etc/sysctl.conf
  [ -z "$off" ] ||
    wrong "a file that switches forwarding off again, since it is read after /etc/sysctl.d/90-kubernetes.conf" "$off" "take net.ipv4.ip_forward out of it"
}

check_resolver() {
  servers=$(sed -n 's/^[[:space:]]*nameserver[[:space:]]\{1,\}\([^[:space:]#;]*\).*/\1/p' "$resolv" 2>/dev/null | xargs)
  reached=
  for server in $servers; do
    case $server in 127.* | ::1) ;; *) reached=yes ;; esac
  done
  [ -z "$servers" ] || [ -n "$reached" ] ||
    wrong "its $resolv has only DNS servers that no pod with dnsPolicy Default reaches" "$servers" \
      "set resolvConf of its kubelet to a file with others, like /run/systemd/resolve/resolv.conf"
}

# containerd, the kubelet, each log that is followed and many a pod of root's take some.
check_inotify() {
  most=$(cat /proc/sys/fs/inotify/max_user_instances)
  taken=$(root find /proc -maxdepth 3 -path '/proc/[0-9]*/fd/*' -user root -lname 'anon_inode:inotify' | wc -l)
  [ "$((most - taken))" -ge 64 ] ||
    wrong "too few inotify instances for root" "$most, of which $taken are taken" "set fs.inotify.max_user_instances = 8192 in a file of /etc/sysctl.d, and run sysctl --system"
}

# Of a node, but for what has long served.
check_node() {
  check_peers
  [ "$ours" = no ] || return 0
  check_forwarding
  [ -z "$resolv" ] || check_resolver
  [ "$container" = yes ] || check_inotify
}

check_room() {
  total=$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)
  [ "$total" -ge "$memory" ] || wrong "too little memory" "$total MiB" "give it $memory MiB"
  if [ "$container" = no ] && swaps=$(awk 'NR > 1 { print $1 }' /proc/swaps | xargs) && [ -n "$swaps" ]; then
    wrong "swap is on, which the kubelet refuses" "$swaps" "swapoff --all, and take it out of /etc/fstab"
  fi
  [ "$ours" = no ] || return 0
  for folder in /opt /var/lib; do
    [ -d "$folder" ] || folder=/
    free=$(df -Pm "$folder" | awk 'NR == 2 { print $4 }')
    [ "$free" -ge "$disk" ] || wrong "too little free space for $folder" "$free MiB" "make room for $disk MiB"
  done
}

# Whether a unit was placed here by us.
is_ours() { # UNIT
  root grep -qrxF --include=placed "/etc/systemd/system/$1" "$state/services"
}

# The unit that a process belongs to.
unit_of() { # PROCESS
  sed -n 's|.*/\([^/]*\.service\)$|\1|p' "/proc/$1/cgroup" | head -n 1
}

check_ports() {
  has ss || return 0
  for port in $ports; do
    [ -n "$(ss -Hltn "sport = :$port")" ] || continue
    process=$(root ss -Hltnp "sport = :$port" | sed -n 's/.*users:(("\([^"]*\)",pid=\([0-9]*\),.*/\2 \1/p' | head -n 1)
    unit=$(unit_of "${process%% *}" 2>/dev/null)
    [ -n "$unit" ] && is_ours "$unit" && continue
    wrong "port $port is taken" "${unit:-${process#* }}" "stop what listens there, or use another host"
  done
}

check_own() {
  for unit in $units; do
    unit=$unit.service
    file=$(systemctl show --property=FragmentPath --value "$unit" 2>/dev/null)
    if [ -n "$file" ] && ! is_ours "$unit"; then
      wrong "a $unit of its own" "$file" "remove what brought it, or use another host"
    fi
  done
  [ "$ours" = no ] || return 0
  for folder in $folders; do
    content=$(root ls -A "$folder" | xargs)
    [ -n "$content" ] || continue
    case $folder in
      /var/lib/etcd) wrong "data of an earlier etcd in $folder" "$content" "move it away, or to where it is to be restored from" ;;
      *) wrong "$folder is not empty" "$content" "move what is in it away, or use another host" ;;
    esac
  done
  for file in $files; do
    ! root test -e "$file" || wrong "a file that would be replaced" "$file" "move it away, or use another host"
  done
}

look() {
  check_sudo
  ours=no
  ! root test -d "$state/folders" || ours=yes
  check_system
  check_kernel
  check_identity
  [ "$node" = no ] || check_node
  check_room
  check_ports
  [ "$may" = yes ] || return 0
  check_own
  [ -z "$mirror" ] || root test -r "$mirror/SHA256SUMS" ||
    wrong "without the mirror of artifacts" "no $mirror/SHA256SUMS" "copy or mount the folder there"
}

# The script itself comes on standard input.
look </dev/null
