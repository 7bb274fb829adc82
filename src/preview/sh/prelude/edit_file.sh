# Replaces every match of a regular expression (`^` and `$` match at every line; `$1` and
# `${name}` in the replacement are groups, `$$` is a dollar). No match is an error.
edit_file() { # PATH PATTERN REPLACEMENT
    in_root_path "$1"
    [[ -f $resolved ]] || die "the root has no file $1 to edit"
    perl -e '
        use strict;
        my ($path, $file, $pattern, $replacement) = @ARGV;
        open my $in, "<:raw", $file or die "$path: $!\n";
        my $text = do { local $/; <$in> } // "";
        close $in;
        my $utf8 = utf8::decode($text);
        if ($utf8) { utf8::decode($_) for $pattern, $replacement }
        sub expand {
            my ($groups, $names) = @_;
            (my $out = $replacement) =~ s{\$(?:(\$)|\{(\w+)\}|(\w+))}{
                my $name = $2 // $3;
                defined $1 ? q{$} : ($name =~ /^[0-9]+$/ ? $groups->[$name] : $names->{$name}) // q{}
            }gex;
            return $out;
        }
        my $count = ($text =~ s{$pattern}{
            my @groups = map { defined $-[$_] ? substr($text, $-[$_], $+[$_] - $-[$_]) : undef } 0 .. $#+;
            expand(\@groups, {%+})
        }gem);
        die "nothing in $path matches $pattern\n" unless $count;
        utf8::encode($text) if $utf8;
        # Written in place: mode, owner and links stay.
        open my $out, ">:raw", $file or die "$path: $!\n";
        print $out $text;
        close $out or die "$path: $!\n";
    ' -- "$1" "$resolved" "$2" "$3"
}
