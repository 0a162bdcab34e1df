#!/usr/bin/env bash
# Writes the tables of proto/PROTOCOL.md anew from proto/tables.def.
#
#   scripts/protocol-tables.sh [CONFAB-TABLES]          rewrites the file
#   scripts/protocol-tables.sh --check [CONFAB-TABLES]  changes nothing; exit 1 on a difference
#
# CONFAB-TABLES is the built program (default: build/release/proto/confab-tables). What it prints
# replaces all that stands between "<!-- tables: NAME -->" and "<!-- end -->".
set -euo pipefail

check=no
case ${1-} in
--help | -h) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
--check) check=yes; shift ;;
-*) echo "protocol-tables.sh: unknown argument '$1'; see --help" >&2; exit 2 ;;
esac
root=$(cd "$(dirname "$0")/.." && pwd)
tool=${1:-$root/build/release/proto/confab-tables}
paper=$root/proto/PROTOCOL.md
if [ ! -x "$tool" ]; then
    echo "protocol-tables.sh: no program $tool; build the target confab-tables first" >&2
    exit 2
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$tool" --markdown >"$work/tables"
awk '
    # First the tables, by name; then the paper, with each of its tables replaced.
    FNR == NR {
        if ($0 ~ /^<!-- tables: .* -->$/) { name = $3; text[name] = $0 }
        else { text[name] = text[name] "\n" $0 }
        next
    }
    /^<!-- tables: .* -->$/ {
        if (!($3 in text)) { print "no table named " $3 > "/dev/stderr"; failed = 1; exit }
        print text[$3]; used[$3] = 1; inside = 1; next
    }
    inside { if ($0 == "<!-- end -->") inside = 0; next }
    { print }
    END {
        if (inside) { print "a table does not end" > "/dev/stderr"; failed = 1 }
        if (!failed) for (name in text) if (!(name in used)) {
            print "no place for the table " name > "/dev/stderr"; failed = 1
        }
        exit failed
    }
' "$work/tables" "$paper" >"$work/paper"

if [ "$check" = no ]; then
    cat "$work/paper" >"$paper"
elif ! diff -u "$paper" "$work/paper" >&2; then
    echo "proto/PROTOCOL.md differs from proto/tables.def: run scripts/protocol-tables.sh" >&2
    exit 1
fi
