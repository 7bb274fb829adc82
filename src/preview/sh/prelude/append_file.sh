# Adds standard input to the end of a file.
append_file() { # PATH
    in_root_path "$1"
    mkdir -p -- "${resolved%/*}"
    cat >>"$resolved"
}
