#!/usr/bin/env bash
# Writes the verbs in docs/man/confab.1 anew from the tables they are made of.
#
#   scripts/man-page.sh [CONFAB-MAN]          rewrites the file
#   scripts/man-page.sh --check [CONFAB-MAN]  changes nothing; exit 1 on a difference
#
# CONFAB-MAN is the built program (default: build/release/client/cli/confab-man). What it prints
# replaces all that stands between '.\" verbs: NAME' and '.\" end'.
set -euo pipefail

check=no
case ${1-} in
--help | -h) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
--check) check=yes; shift ;;
-*) echo "man-page.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
esac
root=$(cd "$(dirname "$0")/.." && pwd)
tool=${1:-$root/build/release/client/cli/confab-man}
page=$root/docs/man/confab.1
if [ ! -x "$tool" ]; then
    echo "man-page.sh: no program $tool; build the target confab-man first" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tool" >"$work/verbs"
awk '
    # First the sections, by name; then the page, with each of its sections replaced.
    FNR == NR {
        if ($0 ~ /^\.\\" verbs: /) { name = $3; text[name] = $0 }
        else { text[name] = text[name] "\n" $0 }
        next
    }
    /^\.\\" verbs: / {
        if (!($3 in text)) { print "no section named " $3 > "/dev/stderr"; failed = 1; exit }
        print text[$3]; used[$3] = 1; inside = 1; next
    }
    inside { if ($0 == ".\\\" end") inside = 0; next }
    { print }
    END {
        if (inside) { print "a section does not end" > "/dev/stderr"; failed = 1 }
        if (!failed) for (name in text) if (!(name in used)) {
            print "no place for the section " name > "/dev/stderr"; failed = 1
        }
        exit failed
    }
' "$work/verbs" "$page" >"$work/page"

if [ "$check" = no ]; then
    cat "$work/page" >"$page"
elif ! diff -u "$page" "$work/page" >&2; then
    echo "docs/man/confab.1 differs from the verbs: run scripts/man-page.sh" >&2
    exit 1
fi
