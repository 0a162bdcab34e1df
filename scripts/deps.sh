#!/usr/bin/env bash
# Brings the sources of the libraries that are built with the project into a cache folder.
#
#   scripts/deps.sh            mbedTLS (always built here, with our own configuration)
#   scripts/deps.sh --windows  that, and cJSON, libsodium, libuv and SQLite for the Windows cross build
#
# The sources come as Debian source packages, whose signatures apt checks, newest first over the
# suites sid and trixie; the system's own apt configuration is read but not touched. Where no
# suite has one, the upstream release is downloaded and checked against the sha256 pinned below.
# The folder: $CONFAB_DEPS_DIR, else ${XDG_CACHE_HOME:-~/.cache}/confab/src. Prints its name.
set -euo pipefail

MBEDTLS_PIN="3.6.7 a7e8bcbec0e6f761b4af24f25677626b35f762f68eef79c08677a363212d11f6"
CJSON_PIN="1.7.18 3aa806844a03442c00769b83e99970be70fbef03735ff898f4811dd03b9f5ee5"
LIBSODIUM_PIN="1.0.22 5838bb0c3da6148c24ebe531d1ed1297de9a87aea77d426bcd99f289e681631c"
LIBUV_PIN="1.50.0 ec9de6ecf2a780fd2afb3b007947d2cd57c3bb17f3b9e721a66774980d35cd4d"
# SQLite's one large file as the package better-sqlite3 carries it, fetched by npm.
SQLITE_PIN="12.4.1 14398acbf00d1e8fe0a2753df7d4f15c13138e4b874f4e6e96791f65b4536d0d"

deps_dir=${CONFAB_DEPS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/confab/src}
want_windows=no
for arg in "$@"; do
    case $arg in
    --windows) want_windows=yes ;;
    --help | -h) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "deps.sh: unknown argument '$arg'; see scripts/deps.sh --help" >&2; exit 2 ;;
    esac
done

say() { echo "deps.sh: $*" >&2; }

# A private apt: its lists and cache live in a temporary folder.
apt_dir=
apt_ready=
cleanup() { [ -z "$apt_dir" ] || rm -rf "$apt_dir"; }
trap cleanup EXIT

apt_setup() {
    [ -z "$apt_ready" ] || return "$([ "$apt_ready" = yes ] && echo 0 || echo 1)"
    apt_ready=no
    command -v apt-get >/dev/null || return 1
    apt_dir=$(mktemp -d)
    mkdir -p "$apt_dir"/{lists/partial,cache/archives/partial,parts}
    local uri keyring
    # The archive's address and keyring, in whichever of the two formats this system has them.
    uri=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
        awk '/^URIs:/ && $2 ~ /debian\/?$|\/debian\// {print $2; exit}')
    [ -n "$uri" ] || uri=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
        sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\) .*/\2/p' | grep -m1 debian || true)
    [ -n "$uri" ] || return 1
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [ -r "$keyring" ] || return 1
    for suite in sid trixie; do
        echo "deb-src [signed-by=$keyring] $uri $suite main"
    done >"$apt_dir/sources.list"
    apt_options=(-o "Dir::Etc::SourceList=$apt_dir/sources.list"
        -o "Dir::Etc::SourceParts=$apt_dir/parts" -o "Dir::State::Lists=$apt_dir/lists"
        -o "Dir::Cache=$apt_dir/cache" -o APT::Sandbox::User=root)
    apt-get "${apt_options[@]}" update -qq >&2 || return 1
    apt_ready=yes
}

# Tries the suites in turn; a version the pattern does not match is passed over.
from_apt() { # package version-pattern target
    apt_setup || return 1
    local suite version dir
    for suite in sid trixie; do
        version=$(apt-get "${apt_options[@]}" source --print-uris --only-source "$1/$suite" \
            2>/dev/null | sed -n "s/.*Selected version '\([^']*\)'.*/\1/p")
        [[ $version =~ $2 ]] || continue
        dir=$apt_dir/$1-$suite
        mkdir -p "$dir"
        (cd "$dir" && apt-get "${apt_options[@]}" source --download-only -qq \
            "$1/$suite" >&2) || continue
        unpack "$(find "$dir" -name '*.orig.tar.*' ! -name '*.asc' | head -n 1)" "$3"
        say "$1 ${version} (Debian $suite, signature checked by apt)"
        return 0
    done
    return 1
}

from_upstream() { # name version sha256 url target
    local file
    file=$(mktemp)
    say "$1: not found as a Debian source package; trying the upstream release $2"
    if ! curl -fsSL --max-time 120 -o "$file" "$4"; then
        rm -f "$file"
        say "$1: could not be downloaded; check the network or put its source in $5"
        return 1
    fi
    if ! echo "$3  $file" | sha256sum --check --quiet; then
        rm -f "$file"
        say "$1: the downloaded release does not match its pinned sha256; not used"
        return 1
    fi
    unpack "$file" "$5"
    rm -f "$file"
}

unpack() { # tarball target; the target appears whole or not at all
    rm -rf "$2.part" "$2"
    mkdir -p "$2.part"
    tar -xf "$1" -C "$2.part" --strip-components=1
    mv "$2.part" "$2"
}

# Debian has SQLite's source tree, of which its own build makes the one large file (with tclsh, or
# with the small Tcl that newer trees bring along).
sqlite_from_apt() { # target
    from_apt sqlite3 '^3\.(4[6-9]|[5-9][0-9])\.' "$1.tree" || return 1
    local done=no
    say "sqlite3: making sqlite3.c"
    rm -rf "$1.part" "$1.make" && mkdir "$1.part" "$1.make"
    if (cd "$1.make" && "$1.tree/configure" --disable-tcl && make sqlite3.c) >"$1.log" 2>&1; then
        cp "$1.make/sqlite3.c" "$1.make/sqlite3.h" "$1.part/" && mv "$1.part" "$1" && done=yes
    else
        tail -n 5 "$1.log" >&2
        say "sqlite3: its source could not be made into one file: is tclsh installed?"
    fi
    rm -rf "$1.part" "$1.make" "$1.tree" "$1.log"
    [ $done = yes ]
}

sqlite_from_npm() { # version sha256 target
    command -v npm >/dev/null || return 1
    local dir file
    dir=$(mktemp -d)
    file=$dir/better-sqlite3-$1.tgz
    say "sqlite3: not made from a Debian source package; trying the package better-sqlite3 $1"
    (cd "$dir" && npm pack --silent "better-sqlite3@$1" >/dev/null) || true
    if ! echo "$2  $file" | sha256sum --check --quiet; then
        rm -rf "$dir"
        say "sqlite3: no package with the pinned sha256; put sqlite3.c and sqlite3.h in $3"
        return 1
    fi
    unpack "$file" "$dir/package"
    rm -rf "$3.part" && mkdir "$3.part"
    cp "$dir/package/deps/sqlite3/"sqlite3.[ch] "$3.part/"
    mv "$3.part" "$3"
    rm -rf "$dir"
}

mkdir -p "$deps_dir"
exec 9>"$deps_dir/.lock"
flock 9 2>/dev/null || true

if [ ! -d "$deps_dir/mbedtls" ]; then
    read -r version sha <<<"$MBEDTLS_PIN"
    if ! from_apt mbedtls '^3\.6\.([7-9]|[1-9][0-9])' "$deps_dir/mbedtls" &&
        ! from_upstream mbedtls "$version" "$sha" \
            "https://github.com/Mbed-TLS/mbedtls/releases/download/mbedtls-$version/mbedtls-$version.tar.bz2" \
            "$deps_dir/mbedtls"; then
        from_apt mbedtls '^3\.6\.6' "$deps_dir/mbedtls" || exit 1
        say "WARNING: only mbedTLS 3.6.6 could be had. 3.6.7 fixes flaws that can be used from"
        say "WARNING: the network: do not run this build where strangers can reach it."
    fi
fi
if [ $want_windows = yes ]; then
    if [ ! -d "$deps_dir/cjson" ]; then
        read -r version sha <<<"$CJSON_PIN"
        from_apt cjson '^1\.7\.(1[5-9]|[2-9][0-9])' "$deps_dir/cjson" ||
            from_upstream cjson "$version" "$sha" \
                "https://github.com/DaveGamble/cJSON/archive/refs/tags/v$version.tar.gz" \
                "$deps_dir/cjson" || exit 1
    fi
    if [ ! -d "$deps_dir/libsodium" ]; then
        read -r version sha <<<"$LIBSODIUM_PIN"
        from_apt libsodium '^1\.0\.(1[89]|[2-9][0-9])' "$deps_dir/libsodium" ||
            from_upstream libsodium "$version" "$sha" \
                "https://github.com/jedisct1/libsodium/archive/refs/tags/$version-RELEASE.tar.gz" \
                "$deps_dir/libsodium" || exit 1
    fi
    if [ ! -d "$deps_dir/libuv" ]; then
        read -r version sha <<<"$LIBUV_PIN"
        from_apt libuv1 '^1\.(4[4-9]|[5-9][0-9])' "$deps_dir/libuv" ||
            from_upstream libuv "$version" "$sha" \
                "https://github.com/libuv/libuv/archive/refs/tags/v$version.tar.gz" \
                "$deps_dir/libuv" || exit 1
    fi
    if [ ! -d "$deps_dir/sqlite3" ]; then
        read -r version sha <<<"$SQLITE_PIN"
        sqlite_from_apt "$deps_dir/sqlite3" ||
            sqlite_from_npm "$version" "$sha" "$deps_dir/sqlite3" || exit 1
    fi
fi
echo "$deps_dir"
