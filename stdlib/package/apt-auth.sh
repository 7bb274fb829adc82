# shellcheck shell=sh
# Runs apt-get in the root with the logins of standard input, as apt_auth.conf(5) has them. They are
# in the container's /run, and gone before scripts of packages run.
#
# Arguments: `update` or `packages`, then those of apt-get
what=$1
shift
auth=/run/rootwright-auth
(umask 077 && cat >"$auth")
trap 'rm -f "$auth"' EXIT
if [ "$what" = update ]; then
    apt-get -o "Dir::Etc::netrc=$auth" "$@"
else
    apt-get -o "Dir::Etc::netrc=$auth" --download-only "$@"
    rm -f "$auth"
    apt-get "$@"
fi
