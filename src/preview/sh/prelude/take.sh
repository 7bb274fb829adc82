# Sets `text` to standard input, to the last line break.
take() {
    IFS= read -r -d '' text || true
}
