# The same for a name itself: a link at the end of PATH is not followed.
in_root_parent() {
    local path=$1 name
    while [[ $path == */ ]]; do path=${path%/}; done
    name=${path##*/}
    case $name in
        '' | . | ..) die "$1 does not name a file" ;;
    esac
    in_root_path "${path%/*}"
    resolved=$resolved/$name
}
