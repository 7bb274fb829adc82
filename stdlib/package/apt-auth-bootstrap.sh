# shellcheck shell=sh
# Runs a command of the host with logins for apt: the lines of standard input up to an empty one.
# The rest is the command's own input. $ROOTWRIGHT_AUTH is the file that has them meanwhile.
ROOTWRIGHT_AUTH=$(mktemp)
export ROOTWRIGHT_AUTH
trap 'rm -f "$ROOTWRIGHT_AUTH"' EXIT
while IFS= read -r line && [ -n "$line" ]; do printf '%s\n' "$line"; done >"$ROOTWRIGHT_AUTH"
"$@"
