#!/bin/sh
# Starts or ends the Wine of cmake/wine.sh's prefix. What runs on in the background must not hold
# the caller's pipes, hence the redirections.
here=$(cd "$(dirname "$0")" && pwd)
WINEPREFIX=${WINEPREFIX:-$here/../build/windows/wineprefix}
export WINEPREFIX
mkdir -p "$WINEPREFIX"
server=$(command -v wineserver64 || command -v wineserver || echo /usr/lib/wine/wineserver64)
end() { "$server" -k </dev/null >/dev/null 2>&1 || true; } # none is as good
case ${1:-} in
start)
    # Ours has to be the first: one that a program starts by itself ends with that program, and
    # whatever is started next waits for all of Wine's services to start anew.
    end
    "$server" -w </dev/null >/dev/null 2>&1
    "$server" -p </dev/null >/dev/null 2>&1 || {
        echo "wine.sh: $server -p: no server of Wine's that stays could be started" >&2
        exit 1
    }
    exec "$here/../cmake/wine.sh" cmd /c exit </dev/null >/dev/null 2>&1
    ;;
stop) end ;;
*)
    echo "usage: wine.sh start|stop" >&2
    exit 2
    ;;
esac
