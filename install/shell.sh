# shellcheck shell=bash
# What the interactive shell of `make shell` starts with.

# shellcheck source=/dev/null
[ ! -r ~/.bashrc ] || . ~/.bashrc
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"
PS1="($STACK) $PS1"
# Before each prompt, so that the settings are the user's own after every command of Pulumi.
# shellcheck disable=SC2016
PROMPT_COMMAND+=('[ ! -e "$KTHW_ROOT/Pulumi.$STACK.yaml" ] || "$KTHW_ROOT/install/settings"')
