# Makes a symbolic link; a link or a file that is there is replaced.
make_link() { # PATH TARGET
    in_root_parent "$1"
    mkdir -p -- "${resolved%/*}"
    ln -sfT -- "$2" "$resolved"
}
