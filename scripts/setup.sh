#!/usr/bin/env bash
# Installs what building needs, and brings the sources of the libraries that are built along.
#
#   scripts/setup.sh            for this system
#   scripts/setup.sh --tests    that, and what the tests use
#   scripts/setup.sh --windows  that, and the Windows cross compiler and Wine
#
# Debian 12 or newer, as root, or as a user with sudo; a user without either is told what is
# missing. Does nothing where nothing is missing.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

deps=()
tests=no
for arg in "$@"; do
    case $arg in
    --tests) tests=yes ;;
    --windows) deps=(--windows) ;;
    --help | -h) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) say "unknown argument '$arg'; see scripts/setup.sh --help"; exit 2 ;;
    esac
done

need_build_tools
if [ $tests = yes ]; then
    need_test_tools
fi
if [ ${#deps[@]} -gt 0 ]; then
    need_windows_tools
fi
"$top/scripts/deps.sh" ${deps[@]+"${deps[@]}"}
