# shellcheck shell=bash
# The environment in which this project's commands run. Usage: `. install/env.sh`, with STACK in the environment for another stack than local.

# The project's folder.
KTHW_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The exact version that package.json pins for an npm package, or that a package in a folder of this project has.
pinned() {
  local version
  version=$(sed -n "s|^ *\"$1\": \"\([^\"]*\)\",\{0,1\}\$|\1|p" "$KTHW_ROOT/package.json")
  [[ $version != file:* ]] || version=$(sed -n 's|^  "version": "\(.*\)",$|\1|p' "$KTHW_ROOT/${version#file:}/package.json")
  echo "$version"
}

# A job without a login has no HOME; then it is what the system knows of the user.
[ -n "${HOME:-}" ] || { unset HOME && export HOME=~; }
export KTHW_CACHE=${KTHW_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/kthw}

for folder in "$KTHW_CACHE/pulumi/$(pinned @pulumi/pulumi)/bin" "$KTHW_CACHE/bin"; do
  case ":$PATH:" in *":$folder:"*) ;; *) [ ! -d "$folder" ] || PATH=$folder:$PATH ;; esac
done
unset folder
export PATH

export KUBECONFIG=$KTHW_ROOT/.state/${STACK:-local}/kubeconfig

# A relative backend in Pulumi.yaml holds from the working directory; this one holds from everywhere.
export PULUMI_BACKEND_URL=${PULUMI_BACKEND_URL:-file://$KTHW_ROOT/.state?metadata=skip}
export PULUMI_HOME=$KTHW_CACHE/pulumi-home
export PULUMI_SKIP_UPDATE_CHECK=true
export PULUMI_IGNORE_AMBIENT_PLUGINS=true
# The salt of a stack's secrets stands in its state; install/settings takes it out of the stack's settings.
export PULUMI_FALLBACK_TO_STATE_SECRETS_MANAGER=true
# Where plugins cannot be downloaded, a missing one is an error at once instead of a long attempt.
[ ! -e "$PULUMI_HOME/stand-ins" ] || export PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=true
# An empty passphrase in the environment would beat the file.
[ -n "${PULUMI_CONFIG_PASSPHRASE:-}" ] || {
  unset PULUMI_CONFIG_PASSPHRASE
  export PULUMI_CONFIG_PASSPHRASE_FILE=${PULUMI_CONFIG_PASSPHRASE_FILE:-$KTHW_ROOT/.state/passphrase}
}
