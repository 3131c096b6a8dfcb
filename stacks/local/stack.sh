# shellcheck shell=bash disable=SC2034
# Shared by the scripts of one stack. Sourced; KTHW_STACK is the name of the stack.
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
stack=${KTHW_STACK:?the name of the stack}
state=/var/lib/kthw/$stack
# A machine's own namespace is called kthw-<stack>:<machine>; neither name can hold a colon.
namespace=kthw-$stack

case $(stat --file-system --format=%T /sys/fs/cgroup) in
  cgroup2fs)
    # shellcheck source=SCRIPTDIR/cgroup-v2.sh
    . "$here/cgroup-v2.sh"
    ;;
  *)
    # shellcheck source=SCRIPTDIR/cgroup-v1.sh
    . "$here/cgroup-v1.sh"
    ;;
esac

fail() {
  echo "$1" >&2
  exit 1
}

# Every machine's systemd, containerd and kubelet take of the few inotify instances that a user may have. The computer's own
# limit is written down, and it is back when the last stack is gone.
limit=fs.inotify.max_user_instances
own_limit=/var/lib/kthw/.$limit

raise_limit() {
  local now
  exec 9>/var/lib/kthw/.lock
  flock 9
  now=$(sysctl --values "$limit")
  if ((now < 1024)); then
    if [[ ! -s $own_limit ]]; then
      echo "$now" >"$own_limit"
    fi
    sysctl --quiet --write "$limit=1024"
  fi
  exec 9>&-
}

restore_limit() {
  if [[ -s $own_limit ]]; then
    exec 9>/var/lib/kthw/.lock
    flock 9
    if [[ -s $own_limit && -z $(compgen -G '/var/lib/kthw/*/') ]]; then
      sysctl --quiet --write "$limit=$(<"$own_limit")"
      rm "$own_limit"
    fi
    exec 9>&-
  fi
}

# The id of the stack's namespace. A new namespace has another id, and nothing of the former namespace is connected to it.
namespace_id() {
  stat --dereference --format=%i "/run/netns/$namespace"
}

# alive FILE WORD: the process whose id FILE holds runs, and WORD is among its arguments.
alive() {
  local pid words
  [[ -s $1 ]] || return
  pid=$(<"$1")
  words=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) || return
  # A process has no arguments while it becomes another program, nor once it has ended and nobody has asked for its result yet.
  if [[ -z $words ]]; then
    grep --quiet --no-messages '^State:[[:space:]]*[^ZX]' "/proc/$pid/status"
  else
    [[ " $words " == *" $2 "* ]]
  fi
}

# end FILE WORD: ends the process of `alive FILE WORD`.
end() {
  if alive "$@"; then
    kill -KILL "$(<"$1")"
    while alive "$@"; do sleep 0.01; done
  fi
  rm -f "$1"
}

# halt MACHINE: ends all that runs in the machine with that folder: killing its first process does. systemd-nspawn tidies up
# behind it and ends by itself.
halt() {
  local supervisor
  if alive "$1/machine.pid" "$1/root"; then
    supervisor=$(<"$1/machine.pid")
    pkill -KILL --parent "$supervisor" || true
    for _ in {1..200}; do
      alive "$1/machine.pid" "$1/root" || break
      sleep 0.01
    done
  fi
}

# forward FILE PORT TARGET: 127.0.0.1:PORT leads to TARGET (address:port) in the stack's network. The socket is opened here and
# handed to a process in the namespace, which connects from there: one process, however many connections. FILE tells what it
# forwards, FILE.pid which process it is.
forward() {
  local file=$1 port=$2 target=$3 how pid
  how="$port $target $(namespace_id)"
  if alive "$file.pid" "$target" && [[ $(<"$file") == "$how" ]]; then
    return
  fi
  unforward "$file"
  setsid systemd-socket-activate --setenv=KTHW_STACK --setenv=KTHW_BOOT \
    --listen="127.0.0.1:$port" nsenter --net="/run/netns/$namespace" \
    /lib/systemd/systemd-socket-proxyd --connections-max=1024 "$target" \
    </dev/null >"$file.log" 2>&1 7>&- &
  pid=$!
  until grep --quiet --no-messages '^Listening on' "$file.log"; do
    kill -0 "$pid" 2>/dev/null ||
      fail "port $port on 127.0.0.1 cannot be had; choose others by the settings local.apiPort and local.sshPortBase: $(tail -n 1 "$file.log")"
    sleep 0.01
  done
  echo "$how" >"$file"
  echo "$pid" >"$file.pid"
}

unforward() {
  local target
  if [[ -s $1 ]]; then
    read -r _ target _ <"$1"
    end "$1.pid" "$target"
  fi
  rm -f "$1" "$1.log"
}
