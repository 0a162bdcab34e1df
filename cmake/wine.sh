#!/bin/sh
# Runs a Windows program under Wine, quietly and without a display. Its prefix is in the build
# folder unless WINEPREFIX names another.
WINEDEBUG=-all
# By it Wine reads the names of files here, which are UTF-8 whatever the tester's language is.
LC_ALL=C.UTF-8
WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe="
if [ -z "${WINEPREFIX:-}" ]; then
    top=$(cd "$(dirname "$0")/.." && pwd)
    mkdir -p "$top/build/windows"
    WINEPREFIX=$top/build/windows/wineprefix
fi
export LC_ALL WINEDEBUG WINEDLLOVERRIDES WINEPREFIX
exec /usr/lib/wine/wine64 "$@"
