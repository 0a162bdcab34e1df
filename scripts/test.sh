#!/usr/bin/env bash
# Installs what is needed, builds (gcc, release), runs every test; ends with ctest's summary.
#
#   scripts/test.sh         that
#   scripts/test.sh --ci    that; then a clang build with warnings as errors, the builds with
#                           sanitizers (address + undefined; thread) and the Windows cross build,
#                           each with its tests, Windows programs under Wine; tells each stage's
#                           time, and the sum of all tests in the last lines
#
# Exit code 0 only if everything passed. Anything else, `ctest` in build/<preset> does.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

ci=no
for arg in "$@"; do
    case $arg in
    --ci) ci=yes ;;
    --help | -h) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) say "unknown argument '$arg'; see scripts/test.sh --help"; exit 2 ;;
    esac
done

mkdir -p "$top/build"
cd "$top"

launcher=()
# One test more at a time than there are processors: some wait for a time-out.
run_tests() { # preset [ctest's arguments…]
    local preset=$1
    shift
    ${launcher[@]+"${launcher[@]}"} ctest --preset "$preset" -j $((jobs_count + 1)) --no-tests=error "$@" 2>&1 | tee "$top/build/$preset.ctest.log"
}

set_up() { "$top/scripts/setup.sh" --tests; }
build_release() { build release; }
test_release() { run_tests release; }

if [ $ci = no ]; then
    set_up >/dev/null
    build_release
    test_release
    exit
fi

set_up_ci() {
    "$top/scripts/setup.sh" --tests --windows >/dev/null
    need clang=clang shellcheck=shellcheck
}
check_scripts() {
    find "$top" -path "$top/build" -prune -o -name '*.sh' -print0 |
        xargs -0 shellcheck -x "$top/.ci/run"
}
build_clang() { build clang; }
test_clang() { run_tests clang -L 'unit|wire'; }
build_asan() { build asan; }
test_asan() { run_tests asan; }
build_tsan() { build tsan; }
test_tsan() {
    # The thread sanitizer's address map does not fit every kernel's randomisation.
    if setarch "$(uname -m)" -R true 2>/dev/null; then
        launcher=(setarch "$(uname -m)" -R)
    fi
    run_tests tsan -LE long
}
build_windows() { build windows; }
test_windows() { run_tests windows; }

rm -f "$top"/build/*.ctest.log
stage "set-up" set_up_ci
stage "check scripts" check_scripts
stage "build: gcc, release" build_release
stage "test:  gcc, release" test_release
stage "build: clang, -Werror" build_clang
stage "test:  clang (unit, wire)" test_clang
stage "build: address + undefined" build_asan
stage "test:  address + undefined" test_asan
stage "build: thread" build_tsan
stage "test:  thread" test_tsan
stage "build: Windows" build_windows
stage "test:  Windows under Wine" test_windows

failed=0
stage_report || failed=1

# The sum of ctest's summaries, in their form.
for log in "$top"/build/*.ctest.log; do
    if grep -q 'The following tests FAILED' "$log"; then
        basename "$log" .ctest.log
        sed -n '/The following tests FAILED/,/^Errors while/p' "$log"
    fi
done
sed -n 's/^[0-9]*% tests passed, \([0-9]*\) tests failed out of \([0-9]*\)$/\1 \2/p' \
    "$top"/build/*.ctest.log |
    awk -v seconds="$SECONDS" '
        { failed += $1; all += $2 }
        END {
            percent = all ? int((all - failed) * 100 / all) : 0
            printf "\n%d%% tests passed, %d tests failed out of %d\n", percent, failed, all
            printf "\nTotal Test time (real) = %.2f sec\n", seconds
        }'
[ $failed = 0 ] || die "failed: $(for i in "${!stage_names[@]}"; do
    [ "${stage_results[$i]}" = 0 ] || printf '[%s] ' "${stage_names[$i]}"
done)"
