# shellcheck shell=bash

# Removes the packet filter's chains whose names begin with a word, and the rules that lead to them.
drop_chains() { # NAME
  local family
  for family in iptables ip6tables; do
    ! command -v "$family" >/dev/null || "$family-save" 2>/dev/null | awk -v name="$1" '
      /^\*/ { print; count = 0 }
      /^:/ { chain = substr($1, 2); if (index(chain, name) == 1) chains[++count] = chain }
      /^-A/ && index($2, name) != 1 {
        rule = $0
        gsub(/"(\\.|[^"\\])*"/, "", rule) # comments
        if (index(rule, " -j " name) || index(rule, " -g " name)) { sub(/^-A/, "-D"); print }
      }
      /^COMMIT/ {
        for (i = 1; i <= count; i++) print "-F", chains[i]
        for (i = 1; i <= count; i++) print "-X", chains[i]
        print
      }' | "$family-restore" --noflush
  done
}
