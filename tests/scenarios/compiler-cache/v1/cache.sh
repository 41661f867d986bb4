#!/bin/sh
# A small compiler cache: keeps what libraries compile to, by all arguments, and copies it on a hit.
set -eu
folder= crate= suffix= kind=
previous=
for word in "$@"; do
    case "$previous" in
    --out-dir) folder=$word ;;
    --crate-name) crate=$word ;;
    --crate-type) kind=$word ;;
    -C) case "$word" in extra-filename=*) suffix=${word#extra-filename=} ;; esac ;;
    esac
    previous=$word
done
[ "$kind" = lib ] && [ -n "$folder" ] || exec "$@"
sources=$(cat src/*.rs 2>/dev/null || true)
key=$(printf '%s\n' "$PWD" "$@" "$sources" "${HOTSWAP_EXPAND-}" | cksum | tr ' ' -)
kept=$CACHE/$key
if [ -f "$kept/done" ]; then
    cp -p "$kept"/files/* "$folder"
    cat "$kept/stdout"
    cat "$kept/stderr" >&2
    exit
fi
mkdir -p "$kept/files"
code=0
"$@" >"$kept/stdout" 2>"$kept/stderr" || code=$?
cat "$kept/stdout"
cat "$kept/stderr" >&2
[ "$code" = 0 ] || exit "$code"
cp -p "$folder"/*"$crate$suffix".* "$kept/files"
touch "$kept/done"
