#!/usr/bin/env bash
# Makes all the certificates that a server and its first users need, in one call.
#
#   scripts/gen-certs.sh [--dir DIR] [--user USER]... [SERVER_NAME...]
#
#   --dir DIR      the folder (default: confab-certs in the current folder)
#   --user USER    a user who gets a certificate; may be repeated (default: alice)
#   SERVER_NAME    host names and IP addresses of the server (default: localhost)
#
# What is there already is kept, so that a later call adds a server or a user. The paths of what
# was made go to standard output; how to use it is said on standard error. The tool that does the
# work, confab-certs, is taken from $CONFAB_CERTS, this checkout's build folders or the PATH.
# Exit codes: 0 done, 2 wrong usage, else as confab-certs.
set -euo pipefail

say() { echo "gen-certs.sh: $*" >&2; }
usage_error() { say "$*; see gen-certs.sh --help"; exit 2; }

dir=confab-certs
users=()
names=()
only_words=no
while [ $# -gt 0 ]; do
    arg=$1
    shift
    if [ $only_words = yes ]; then
        names+=("$arg")
        continue
    fi
    case $arg in
    --dir | --user)
        [ $# -gt 0 ] || usage_error "$arg needs a value"
        [ "$arg" = --dir ] && dir=$1 || users+=("$1")
        shift
        ;;
    --dir=*) dir=${arg#*=} ;;
    --user=*) users+=("${arg#*=}") ;;
    --help | -h)
        echo "usage: scripts/gen-certs.sh [--dir DIR] [--user USER]... [SERVER_NAME...]"
        sed -n '6,13s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    --) only_words=yes ;;
    -*) usage_error "unknown option $arg" ;;
    *) names+=("$arg") ;;
    esac
done
[ -n "$dir" ] || usage_error "--dir needs the name of a folder"
[ ${#users[@]} -gt 0 ] || users=(alice)
[ ${#names[@]} -gt 0 ] || names=(localhost)

# Sets tool, and server and client for the command lines that are printed.
find_programs() {
    local top build
    top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
    server=confab-server
    client=confab
    tool=${CONFAB_CERTS:-}
    if [ -n "$tool" ]; then
        [ -x "$tool" ] || { say "CONFAB_CERTS names no program: $tool"; exit 1; }
        return
    fi
    for build in release debug clang asan tsan; do
        tool=$top/build/$build/certs/confab-certs
        [ -x "$tool" ] || continue
        [ -x "$top/build/$build/server/confab-server" ] &&
            server=$top/build/$build/server/confab-server
        [ -x "$top/build/$build/client/cli/confab" ] && client=$top/build/$build/client/cli/confab
        return 0
    done
    tool=$(command -v confab-certs || true)
    [ -n "$tool" ] && return
    say "confab-certs is not built yet: run scripts/deps.sh, then cmake --preset release," \
        "then cmake --build --preset release"
    exit 1
}

# The stem of the file that NAME's certificate has; nothing if there is none.
stem_of() {
    local path
    path=$("$tool" show --dir "$dir" "$1" 2>/dev/null | head -n 1) || return 0
    path=${path##*/}
    echo "${path%.pem}"
}

make() { # what name verb word...
    local what=$1 name=$2
    shift 2
    if [ -n "$(stem_of "$name")" ]; then
        say "kept the certificate of $what"
    else
        "$tool" "$1" --quiet --dir "$dir" -- "${@:2}"
    fi
}

print_command() {
    printf '   ' >&2
    printf ' %q' "$@" >&2
    printf '\n' >&2
}

find_programs
make "the CA" ca init
make "server ${names[0]}" "${names[0]}" server "${names[@]}"
for user in "${users[@]}"; do
    make "user $user" "client-$user" client "$user"
done

stem=$(stem_of "${names[0]}")
host=${names[0]}
case $host in
\**) host=HOST ;;
\[*) ;;
*:*) host="[$host]" ;;
esac
say "start the server with:"
print_command "$server" --cert "$dir/$stem.pem" --key "$dir/$stem.key" \
    --client-ca "$dir/ca.pem" --crl "$dir/crl.pem"
for user in "${users[@]}"; do
    say "and chat as $user with:"
    print_command "$client" chat --server "$host" --ca "$dir/ca.pem" \
        --cert "$dir/client-$user.pem" --key "$dir/client-$user.key"
done
say "ca.key stays here and secret; a user needs ca.pem and the two files of their own"
