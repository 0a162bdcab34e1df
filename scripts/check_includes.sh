#!/usr/bin/env bash
# Holds the rules of who may include what (docs/DESIGN.md, "Rooms"). Prints each line that breaks
# one as file:line, and exits 1 if there is any.
#
#   scripts/check_includes.sh [FOLDER]     FOLDER: a source tree to check instead of this one
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2

violations=0
rooms=()
for room in proto server client certs tests bench; do
    [ -d "$room" ] && rooms+=("$room")
done
mapfile -t files < <(find "${rooms[@]}" -name '*.[ch]' -type f | LC_ALL=C sort)
if [ "${#files[@]}" -eq 0 ]; then
    echo "check_includes: no sources in $PWD" >&2
    exit 2
fi

# The start of an include line, either form.
inc='^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]'

# forbid MESSAGE PATTERN WHERE EXCEPT [ALLOWED]: in files whose name matches WHERE and not EXCEPT no
# line may match PATTERN, unless it matches ALLOWED. All are extended regular expressions; names
# are from the top of the tree, and an empty EXCEPT or ALLOWED is none.
forbid() {
    local message=$1 pattern=$2 where=$3 except=$4 allowed=${5:-'^$'} file hit rest
    local chosen=()
    for file in "${files[@]}"; do
        [[ $file =~ $where ]] || continue
        [[ -n $except && $file =~ $except ]] && continue
        chosen+=("$file")
    done
    [ "${#chosen[@]}" -eq 0 ] && return
    while IFS= read -r hit; do
        rest=${hit#*:}
        [[ ${rest#*:} =~ $allowed ]] && continue
        echo "${hit%%:*}:${rest%%:*}: $message"
        violations=1
    done < <(grep -HnEi -- "$pattern" "${chosen[@]}")
}

# Libraries: each is seen by few files.
forbid "mbedTLS is for proto/net/tls*, proto/crypto, certs, tests and bench only" \
    "$inc(mbedtls|psa)/" '' '^(proto/net/tls[^/]*$|proto/crypto/|certs/|tests/|bench/)'
forbid "cJSON is for proto/wire/json.c only" \
    "$inc(cjson/)?cJSON(_Utils)?\.h" '' '^proto/wire/json\.c$'
forbid "libuv is for proto/os, proto/net/loop*, pipe* and conn.c only" \
    "$inc(uv\.h|uv/)" '' '^proto/(os/|net/loop[^/]*$|net/pipe[^/]*$|net/conn\.c$)'
forbid "SQLite is for server/store/store_sqlite* and the store's tests only" \
    "${inc}sqlite3" '' '^(server/store/store_sqlite|tests/unit/store/)'
forbid "libsodium is for server/passwords.c and its test only" \
    "${inc}sodium(\.h|/)" '' '^(server/passwords\.c|tests/unit/server/passwords_test\.c)$'

# Systems: what differs lives in pairs of files.
windows='(windows|winsock2?|ws2tcpip|ws2def|mswsock|mstcpip|windef|winbase|wincrypt|wincon'
windows+='|winsvc|bcrypt|ncrypt|sddl|aclapi|shellapi|shlobj|io|conio|direct|process)\.h'
forbid "Windows' headers are for *_win.c and *_winsock.c only" \
    "$inc$windows" '' '(_win|_winsock)\.[ch]$|^proto/base/banned\.h$'
forbid "_WIN32 is for the files of a system only" \
    '(^|[^A-Za-z0-9_])_WIN32($|[^A-Za-z0-9_])' '' '(_win|_winsock|_posix)\.[ch]$|^tests/'

# The pure rooms: bytes in, values out.
system='(unistd|fcntl|poll|dirent|pthread|threads|signal|netdb|termios|syslog|dlfcn|sched|spawn'
system+='|time|pwd|grp|glob|semaphore|mqueue|aio|uv)\.h|(sys|netinet|arpa|net|linux|os)/'
forbid "this room is pure: no system and no network" \
    "$inc($system)" '^(proto/wire|proto/base|server/chat)/' '^proto/base/banned\.h$'

# Directions: base < os, wire < net < server, client, certs.
forbid "base includes only base" \
    "${inc}[^>\"]*/|${inc}[^<>]*\"" '^proto/base/' '' "${inc}base/"
forbid "crypto is a part of mbedTLS and includes nothing else of ours" \
    "$inc(base|os|wire|net|server|client|certs)/" '^proto/crypto/' ''
forbid "os includes only base and os" \
    "$inc(wire|net|server|client|certs)/" '^proto/os/' ''
forbid "proto knows no program" \
    "$inc((\.\./)*(server|client|certs|chat|store|lib|cli|tui)/|([^\">]*/)?confab\.h)" '^proto/' ''
forbid "the server does not see the client" \
    "$inc((\.\./)*(client|certs|lib|cli|tui)/|([^\">]*/)?confab\.h)" '^server/' ''
forbid "the client does not see the server" \
    "$inc(\.\./)*(server|certs|chat|store)/" '^client/' ''
forbid "the store sees no JSON" \
    "$inc(wire/json\.h|cjson/)" '^server/store/' ''

exit "$violations"
