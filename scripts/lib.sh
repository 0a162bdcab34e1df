# shellcheck shell=bash
# Shared by the scripts of this folder; sourced, not run.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# Paths of this checkout mean nothing to the compiler cache, so that a second checkout profits.
export CCACHE_BASEDIR="${CCACHE_BASEDIR:-$top}" CCACHE_NOHASHDIR=1

# --- Packages ---------------------------------------------------------------------------------

can_install() { command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || command -v sudo >/dev/null; }; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

is_installed() { # package
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# need PACKAGE|COMMAND=PACKAGE…: installs what is missing; with a command in front the package is
# missing only if that command is. Nothing is asked, and nothing is done when all is there.
need() {
    local missing=() item package
    for item in "$@"; do
        package=${item#*=}
        if [ "$item" != "$package" ] && command -v "${item%%=*}" >/dev/null; then
            continue
        fi
        is_installed "$package" || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    can_install || die "these packages are missing and can be installed by root only:" \
        "apt-get install ${missing[*]}"
    say "installing ${missing[*]}"
    # The lists are fetched only where they do not know a package, or name one that has gone.
    if ! apt-cache show "${missing[@]}" >/dev/null 2>&1 || ! install_now "${missing[@]}"; then
        as_root apt-get update -qq >&2 || die "apt-get update failed: check the network and the sources"
        install_now "${missing[@]}" || die "could not install ${missing[*]}: see apt's words above"
    fi
}

install_now() {
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >&2
}

need_build_tools() {
    need gcc=gcc libc6-dev cmake=cmake ninja=ninja-build pkg-config=pkg-config ccache=ccache \
        libuv1-dev libcjson-dev libsqlite3-dev libsodium-dev ca-certificates curl=curl bzip2=bzip2 \
        xz=xz-utils flock=util-linux debian-archive-keyring
    local version
    version=$(cmake --version | sed -n '1s/[^0-9]*\([0-9]*\.[0-9]*\).*/\1/p')
    [ "$(printf '%s\n' 3.25 "$version" | sort -V | head -n 1)" = 3.25 ] ||
        die "CMake 3.25 or newer is needed; this is $version"
}

need_test_tools() {
    need python3=python3 openssl=openssl gnutls-cli=gnutls-bin node=nodejs valgrind=valgrind \
        libc6-dbg python3-cryptography-vectors zsh=zsh fish=fish
}

need_windows_tools() {
    need x86_64-w64-mingw32-gcc-posix=gcc-mingw-w64-x86-64-posix wine64 wine make=make tclsh=tcl
}

# --- Stages -----------------------------------------------------------------------------------

stage_names=() stage_times=() stage_results=()

# stage NAME FUNCTION: runs it in a shell of its own, tells its time, goes on when it fails.
stage() {
    local began=$SECONDS status
    echo "== $1"
    set +e
    (set -e; "$2")
    status=$?
    set -e
    stage_names+=("$1")
    stage_times+=($((SECONDS - began)))
    stage_results+=("$status")
    [ $status = 0 ] || echo "== $1 FAILED (exit code $status)"
    return 0
}

# The times of all stages; its exit code is 1 if one failed.
stage_report() {
    local index failed=0
    echo "== stages"
    for index in "${!stage_names[@]}"; do
        printf '%-34s %5d s' "${stage_names[$index]}" "${stage_times[$index]}"
        if [ "${stage_results[$index]}" = 0 ]; then
            echo
        else
            echo "  FAILED"
            failed=1
        fi
    done
    printf '%-34s %5d s\n' all "$SECONDS"
    return $failed
}

# --- Building ---------------------------------------------------------------------------------

jobs_count=$(nproc 2>/dev/null || echo 2)

build() { # preset [target…]
    local preset=$1 args=()
    shift
    for target in "$@"; do args+=(--target "$target"); done
    cd "$top"
    cmake --preset "$preset" >"$top/build/$preset.configure.log" 2>&1 || {
        cat "$top/build/$preset.configure.log" >&2
        die "configuring the preset $preset failed"
    }
    cmake --build --preset "$preset" -j "$jobs_count" ${args[@]+"${args[@]}"}
}
