# Prints what fish would offer for a line.
# Usage: fish capture.fish SCRIPT LINE
source $argv[1]
complete -C "$argv[2]" | string replace -r '\t.*' ''
