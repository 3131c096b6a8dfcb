#!/usr/bin/env bash
# The disk image that machines of libvirt start from: a small Debian with cloud-init, for BIOS and UEFI, without keys and passwords.
#   image.sh          builds it and a file NAME.sha256 beside it, unless they are there
#   image.sh path     prints the file, whether or not it has been built
#   image.sh tools    prints the Debian packages that building needs
set -euo pipefail

tools=(dosfstools e2fsprogs fdisk grub-efi-amd64-bin grub-pc-bin mmdebstrap mtools qemu-utils)

packages=(
  linux-image-cloud-amd64 systemd-sysv dbus udev kmod cloud-init cloud-guest-utils fdisk e2fsprogs
  systemd-resolved systemd-timesyncd libnss-resolve openssh-server ca-certificates curl sudo procps openssl
  iproute2 libseccomp2
  # What services ask for, so that no machine needs the internet.
  conntrack ebtables ipset iptables ipvsadm keepalived libnginx-mod-stream nftables nginx socat
)

# They would take the machine's time, or what a machine's own service needs.
masked=(apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer)

cache=${KTHW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kthw}
# shellcheck source=/dev/null
codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
digest=$({ cat "${BASH_SOURCE[0]}" && echo "$codename"; } | sha256sum | cut -c1-12)
target=$cache/images/debian-$codename-$digest.qcow2

fail() {
  echo "image.sh: $*" >&2
  exit 1
}

# The distribution's own sources among this computer's, as one-line entries.
sources() {
  local origin
  # shellcheck source=/dev/null
  origin=$(. /etc/os-release && echo "${NAME%% *}")
  apt-get indextargets --format "deb \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
    "Created-By: Packages" "Origin: $origin" "Architecture: amd64" | sort -u
}

customize() {
  local root=$1
  systemctl --quiet --root="$root" mask "${masked[@]}"
  systemctl --quiet --root="$root" disable keepalived.service nginx.service
  systemctl --quiet --root="$root" enable systemd-networkd.service
  # Each machine has its own keys, identity and name.
  rm -f "$root"/etc/ssh/ssh_host_*_key* "$root/etc/hostname" "$root/var/lib/dbus/machine-id" "$root/var/lib/systemd/random-seed"
  : >"$root/etc/machine-id"
  ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
  # Pulumi opens a connection for each command, many at once. cloud-init writes a file of another name.
  cat >"$root/etc/ssh/sshd_config.d/20-kthw-image.conf" <<'END'
PasswordAuthentication no
MaxStartups 100:30:200
UseDNS no
END
  # cloud-init reads its settings from the disk that libvirt attaches, and asks no network for them.
  cat >"$root/etc/cloud/cloud.cfg.d/10-kthw.cfg" <<'END'
datasource_list: [NoCloud, None]
locale: false
apt: {preserve_sources_list: true}
grub_dpkg: {enabled: false}
END
  cat >"$root/etc/fstab" <<'END'
LABEL=root / ext4 defaults,errors=remount-ro 0 1
END
  mkdir -p "$root/boot/grub"
  cat >"$root/boot/grub/grub.cfg" <<'END'
serial --unit=0 --speed=115200
terminal_input serial console
terminal_output serial console
set timeout=0
menuentry Debian {
  search --no-floppy --label root --set=root
  linux /vmlinuz root=LABEL=root ro console=tty0 console=ttyS0,115200 net.ifnames=0
  initrd /initrd.img
}
END
}

# Makes the disk: a table, a gap for BIOS's GRUB, a partition for UEFI's, and the root partition, which may grow.
assemble() { # ROOT FOLDER
  local root=$1 folder=$2 esp=$2/esp rootfs=$2/rootfs disk=$2/disk mib=$((1 << 20)) boot=2 size
  size=$(($(du --summarize --block-size="$mib" "$root" | cut -f 1) * 5 / 4 + 256))
  mke2fs -q -t ext4 -L root -d "$root" "$rootfs" "${size}M"
  truncate --size 16M "$esp"
  mkfs.vfat -n EFI "$esp" >/dev/null
  mmd -i "$esp" ::/EFI ::/EFI/BOOT ::/EFI/debian
  mcopy -i "$esp" /usr/lib/grub/x86_64-efi/monolithic/grubx64.efi ::/EFI/BOOT/BOOTX64.EFI
  cat >"$folder/grub.cfg" <<'END'
search --no-floppy --label root --set=root
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
END
  mcopy -i "$esp" "$folder/grub.cfg" ::/EFI/debian/grub.cfg
  grub-mkimage --format=i386-pc --prefix='(hd0,msdos2)/boot/grub' --output="$folder/core.img" \
    biosdisk part_msdos ext2 configfile normal linux search search_label serial terminal
  truncate --size $(((boot + 16 + size) * mib)) "$disk"
  # The first 440 bytes are code; the rest of GRUB follows the table, where its first sector expects it.
  sfdisk --quiet "$disk" <<END
label: dos
start=$((boot * 2048)), size=$((16 * 2048)), type=ef
start=$(((boot + 16) * 2048)), type=83, bootable
END
  dd if=/usr/lib/grub/i386-pc/boot.img of="$disk" bs=440 count=1 conv=notrunc status=none
  dd if="$folder/core.img" of="$disk" bs=512 seek=1 conv=notrunc status=none
  dd if="$esp" of="$disk" bs=1M seek="$boot" conv=notrunc,sparse status=none
  dd if="$rootfs" of="$disk" bs=1M seek=$((boot + 16)) conv=notrunc,sparse status=none
  qemu-img convert -c -O qcow2 "$disk" "$folder/image.qcow2"
}

build() {
  local entries work
  [ "$(uname -m)" = x86_64 ] || fail "images are built for amd64 only, got $(uname -m); take an image of Debian's for this architecture"
  mkdir -p "${target%/*}"
  exec 9>"${target%/*}/.lock"
  flock 9
  [ ! -e "$target.sha256" ] || return 0
  entries=$(sources)
  if [ -z "$entries" ]; then
    apt-get --quiet --quiet update
    entries=$(sources)
  fi
  rm -rf --one-file-system "${target%/*}"/.work.*
  work=$(mktemp --directory "${target%/*}/.work.XXXXXX")
  # shellcheck disable=SC2064 # the name is known now
  trap "rm -rf --one-file-system '$work'" EXIT
  apt-config dump Acquire >"$work/options"
  # shellcheck disable=SC2016 # mmdebstrap's shell expands it
  mmdebstrap --mode=root --format=directory --variant=minbase --aptopt="$work/options" \
    --include="$(IFS=, && echo "${packages[*]}")" \
    --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap' \
    "$codename" "$work/root" - <<<"$entries" 9>&-
  customize "$work/root"
  assemble "$work/root" "$work"
  mv "$work/image.qcow2" "$target"
  (cd "${target%/*}" && sha256sum "${target##*/}") >"$work/sum"
  mv "$work/sum" "$target.sha256"
}

case ${1:-} in
  '') build ;;
  path) echo "$target" ;;
  tools) echo "${tools[*]}" ;;
  *) fail "usage: image.sh [path|tools]" ;;
esac
