#!/bin/sh
# Runs a Windows program under Wine, quietly and without a display.
WINEDEBUG=-all
WINEDLLOVERRIDES="mscoree,mshtml,winemenubuilder.exe="
export WINEDEBUG WINEDLLOVERRIDES
exec /usr/lib/wine/wine64 "$@"
