#!/bin/sh
# Starts or ends the Wine of cmake/wine.sh's prefix. What runs on in the background must not hold
# the caller's pipes, hence the redirections.
here=$(cd "$(dirname "$0")" && pwd)
WINEPREFIX=${WINEPREFIX:-$here/../build/windows/wineprefix}
export WINEPREFIX
mkdir -p "$(dirname "$WINEPREFIX")"
server=$(command -v wineserver64 || command -v wineserver || echo /usr/lib/wine/wineserver64)
case ${1:-} in
start)
    "$here/../cmake/wine.sh" cmd /c exit </dev/null >/dev/null 2>&1 &&
        "$server" -p </dev/null >/dev/null 2>&1
    # Persistent already is as good.
    exec "$here/../cmake/wine.sh" cmd /c exit </dev/null >/dev/null 2>&1
    ;;
stop) "$server" -k </dev/null >/dev/null 2>&1 || true ;; # none is as good
*)
    echo "usage: wine.sh start|stop" >&2
    exit 2
    ;;
esac
