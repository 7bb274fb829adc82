# Completions of rootwright for fish:
#   rootwright completions fish >~/.config/fish/completions/rootwright.fish

function __rootwright_complete
    set --local words (commandline --current-process --tokenize --cut-at-cursor)
    set --local program $words[1]
    $program complete -- $words (commandline --current-token --cut-at-cursor) 2>/dev/null
end

complete --command rootwright --no-files --keep-order --arguments '(__rootwright_complete)'
