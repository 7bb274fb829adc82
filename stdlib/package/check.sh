#!/bin/bash
# What checks of archives share: it stands before them. See src/run/preflight/checks.rs for what
# they print.
set -u
# 1 GiB, in blocks of 1024 bytes: a server need not say how much it sends.
ulimit -f 1048576

json() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    printf '"%s"' "${text//[[:cntrl:]]/ }"
}

# say KIND TEXT [FIELD TEXT]…: one line. A field whose name ends in `:` is JSON already.
say() {
    local line="{" comma=""
    while [ $# -ge 2 ]; do
        case $1 in
            *:) line+="$comma$(json "${1%:}"):$2" ;;
            *) line+="$comma$(json "$1"):$(json "$2")" ;;
        esac
        comma=,
        shift 2
    done
    printf '%s}\n' "$line"
}

# get URL FILE: 0 it is there, 1 the archive says that it is not, 2 nobody knows ($why).
get() {
    local status code
    local left=$((${PATIENCE:-60} - SECONDS))
    code=$(curl --silent --show-error --location --fail --connect-timeout 5 --max-time $((left > 0 ? left : 1)) --write-out '%{http_code}' --output "$2" -- "$1" 2>"$2.err")
    status=$?
    [ $status -eq 0 ] && return 0
    # 37: no such file, for file: URLs.
    if [ "$code" = 404 ] || [ $status -eq 37 ]; then return 1; fi
    why=$(sed -n 's/^curl: ([0-9]*) //p' "$2.err" | head -n 1)
    [ -n "$why" ] || why="curl ended with status $status"
    return 2
}

# The lines of the file `wanted` with what is looked up for each, a file `asked` for `missing`:
# NUMBER<TAB>WORD<TAB>NAME. Words that the package manager reads as something else than one name
# are left to it.
plain_names() {
    awk '$1 != "" && $1 !~ /[*?^$~\[\]|()<>=:@!\/]/ { printf "%d\t%s\t%s\n", FNR, $1, $1 }' wanted >asked
}

# missing CAUSE HELP: says which of the names in the file `asked` are not in the file `names`,
# with those that are near to them.
missing() {
    local line word near help
    while IFS=$'\t' read -r line word near; do
        help=$2
        [ -z "$near" ] || help="did you mean \`${near// /\`, \`}\`?"
        say message "there is no package \`$word\`" cause "$1" help "$help" word "$word" line: "$line"
    done < <(awk '
        function distance(a, b,    la, lb, i, j, row, last, old, cost, best) {
            la = length(a); lb = length(b)
            for (j = 0; j <= lb; j++) row[j] = j
            for (i = 1; i <= la; i++) {
                last = row[0]; row[0] = i; best = i
                for (j = 1; j <= lb; j++) {
                    old = row[j]
                    cost = last + (substr(a, i, 1) != substr(b, j, 1))
                    if (row[j] + 1 < cost) cost = row[j] + 1
                    if (row[j - 1] + 1 < cost) cost = row[j - 1] + 1
                    row[j] = cost; last = old
                    if (cost < best) best = cost
                }
                if (best > limit) return 99
            }
            return row[lb]
        }
        FILENAME == "names" { there[$1]; next }
        {
            name = $3
            if (name in there) next
            limit = length(name) < 8 ? 2 : 3
            found = 0
            for (other in there) {
                d = length(other) - length(name)
                if (d > limit || -d > limit) continue
                if (substr(other, 1, 1) != substr(name, 1, 1) && substr(other, length(other)) != substr(name, length(name))) continue
                d = distance(name, other)
                if (d <= limit) near[++found] = sprintf("%02d %s", d, other)
            }
            # The nearest, three of them, by name where they are equally near.
            text = ""
            for (k = 1; k <= 3; k++) {
                least = 0
                for (i = 1; i <= found; i++) if (near[i] != "" && (!least || near[i] < near[least])) least = i
                if (!least) break
                text = text " " substr(near[least], 4)
                near[least] = ""
            }
            printf "%d\t%s\t%s\n", $1, $2, substr(text, 2)
        }
    ' FS='\t' names asked)
}
