#!/bin/sh
# Answers a question of ssh for the passphrase of a key: askpass.sh QUESTION.
# Environment: KTHW_PASSPHRASES, two lines for each key: a part of the question, and the passphrase.
printf '%s\n' "$KTHW_PASSPHRASES" | while IFS= read -r part && IFS= read -r passphrase; do
  case $1 in
    *"$part"*)
      printf '%s\n' "$passphrase"
      break
      ;;
  esac
done
