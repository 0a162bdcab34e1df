#!/usr/bin/env bash
# Builds the release preset, measures it beside the installed peers, writes docs/PERFORMANCE.md.
#
#   scripts/bench.sh [--fanbench FOLDER] [--quick] [--install-peers] [--rounds N] [--seconds N]
#                    [PART...]
#
#   --fanbench FOLDER   the load generator's sources (or the variable FANBENCH): fanbench is neutral
#                       between the servers and therefore no part of this repository
#   --quick             one round of 2 s, no waiting for a quiet machine: shows that all works
#   --install-peers     redis-server, nats-server, mosquitto, ngircd, inspircd from the system's
#                       packages; without it those that are there are measured
#   --rounds N          5
#   --seconds N         8, for each measurement
#   PART                peers, grow, large, workers, storm, durable, history; all of them
#
# A whole run takes about two hours, a quick one ten minutes. Two processors at least, and nothing
# else at work on them.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

fanbench=${FANBENCH:-} install=no arguments=() parts=() own=() quick=no
while [ $# -gt 0 ]; do
    case $1 in
    --fanbench) fanbench=${2:?"--fanbench needs a folder"}; shift ;;
    --install-peers) install=yes ;;
    --quick) arguments+=(--quick); quick=yes ;;
    --rounds) arguments+=(--rounds "${2:?"--rounds needs a number"}"); shift ;;
    --seconds) arguments+=(--seconds "${2:?"--seconds needs a number"}"); shift ;;
    --help | -h) sed -n '2,18s/^# \{0,1\}//p' "$0"; exit 0 ;;
    peers | grow | large | workers | storm) parts+=("$1") ;;
    durable | history) own+=("$1") ;;
    *) say "unknown argument '$1'; see scripts/bench.sh --help"; exit 2 ;;
    esac
    shift
done

if [ ${#parts[@]} -eq 0 ] && [ ${#own[@]} -eq 0 ]; then
    parts=(peers grow large workers storm) own=(durable history)
fi
[ -n "$fanbench" ] || [ ${#parts[@]} -eq 0 ] ||
    die "where is fanbench, the load generator? Say --fanbench FOLDER, or set FANBENCH to it"
if [ ${#parts[@]} -gt 0 ] && { [ ! -f "$fanbench/peers.sh" ] || [ ! -f "$fanbench/fanbench.c" ]; }; then
    die "$fanbench does not hold fanbench: peers.sh and fanbench.c are expected there"
fi
[ "$jobs_count" -ge 2 ] || die "the server and the generator need a processor each; there is one"

# What the packages' services do is none of our business: they are told not to start.
install_peers() {
    local policy=/usr/sbin/policy-rc.d made=no
    if [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee $policy >/dev/null
        as_root chmod 755 $policy
        made=yes
    fi
    (need redis-server nats-server mosquitto ngircd inspircd) || status=$?
    [ $made = no ] || as_root rm -f $policy
    return "${status:-0}"
}

need_build_tools
need python3=python3 openssl=openssl taskset=util-linux libssl-dev make=make
[ $install = no ] || install_peers
mkdir -p "$top/build/bench"
build release confab-server confab-certs lock_watch durable-load store-bench >&2

# The folder may be one that nobody writes to.
if [ ${#parts[@]} -gt 0 ] && [ ! -x "$fanbench/build/fanbench" ]; then
    rm -rf "$top/build/bench/fanbench"
    cp -r "$fanbench" "$top/build/bench/fanbench"
    fanbench=$top/build/bench/fanbench
    chmod -R u+w "$fanbench"
    make -C "$fanbench" >&2
fi

ulimit -n "$(ulimit -Hn)"
if [ ${#parts[@]} -gt 0 ]; then
    python3 "$top/bench/run.py" --fanbench "$(cd "$fanbench" && pwd)" \
        ${arguments[@]+"${arguments[@]}"} "${parts[@]}"
fi
# These two speak for themselves: a table each.
for part in ${own[@]+"${own[@]}"}; do
    less=()
    if [ $quick = yes ] && [ "$part" = durable ]; then less=(--rounds 1 --seconds 2); fi
    if [ $quick = yes ] && [ "$part" = history ]; then less=(--messages 50000 --pages 50); fi
    python3 "$top/bench/$part.py" --build "$top/build/release" ${less[@]+"${less[@]}"} \
        >"$top/build/bench/$part.part"
    mv "$top/build/bench/$part.part" "$top/build/bench/$part.md"
done
python3 "$top/bench/report.py"
