# How nodes reach the export: sets `server`, `dir`, `bundle` and `url`.
served() { # SERVER [DIR [URL]]
    server=$1
    bundle=${target#"$OUT"/}
    dir=${2:-$OUT/${bundle%%/*}}
    url=${3:-http://$1}/$bundle
}

# Writes `cmdline`, filled in as far as it is known.
write_cmdline() { # [nfs|http]
    case ${1-} in
        nfs) cmdline=${cmdline//SERVER:PATH/"$server:$dir/${bundle#*/}/root"} ;;
        http) cmdline=${cmdline//live:URL\//"live:$url/"} ;;
    esac
    printf '%s\n' "$cmdline" >"$stage/cmdline"
}

# A text for a boot loader or a server, from standard input.
server_text() { # NAME
    local text='' version=${bundle#*/}
    if [[ $bundle != */* ]]; then version=; fi
    IFS= read -r -d '' text || true
    text=${text//@URL@/"$url"}
    text=${text//@DIR@/"$dir"}
    text=${text//@BUNDLE@/"$bundle"}
    text=${text//@NAME@/"${bundle%%/*}"}
    text=${text//@VERSION@/"$version"}
    text=${text//@SERVER@/"$server"}
    text=${text//@CMDLINE@/"$cmdline"}
    printf '%s' "$text" >"$stage/$1"
}
