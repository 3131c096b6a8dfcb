# shellcheck shell=bash

verb=${1-}
shift || true
if [[ $verb != check* && ! -d $state/folders ]]; then
  install -d -m 0711 "$state" "$state/bundles"
  mkdir -p "$state/services" "$state/folders"
fi
case $verb in
  apply) apply "$@" ;;
  check) check ;;
  check-fetched) check_fetched ;;
  repair) repair ;;
  repair-fetched) repair_fetched ;;
  remove) remove ;;
  uninstall) uninstall ;;
  drop-chains) drop_chains "$@" ;;
  fetch) fetch ;;
  import-images) import_images ;;
  wait) wait_for "$@" ;;
  *) fail "usage: kthw-node apply [--wait] | check | check-fetched | repair | repair-fetched | remove | uninstall | drop-chains NAME | fetch | import-images | wait NAME... [--within SECONDS --until COMMAND]" ;;
esac
