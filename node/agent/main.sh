# shellcheck shell=bash

if [[ ! -d $state/folders ]]; then
  install -d -m 0711 "$state" "$state/bundles"
  mkdir -p "$state/services" "$state/folders"
fi
verb=${1-}
shift || true
case $verb in
  apply) apply "$@" ;;
  check) check ;;
  remove) remove ;;
  uninstall) uninstall ;;
  drop-chains) drop_chains "$@" ;;
  fetch) fetch ;;
  import-images) import_images ;;
  wait) wait_for "$@" ;;
  *) fail "usage: kthw-node apply [--wait] | check | remove | uninstall | drop-chains NAME | fetch | import-images | wait NAME... [--within SECONDS --until COMMAND]" ;;
esac
