#!/usr/bin/env bash
# The main job in one go: installs what is missing, builds, makes a CA, a server's and two clients'
# certificates, starts the server, lets two clients talk, shows the conversation, stops the server,
# and prints what to type to do the same by hand.
#
#   scripts/demo.sh
#
# Works from any folder, as root or as a user with sudo; leaves nothing running. What it makes is in
# build/demo of this checkout. Exit code 0 if all of that went well.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

case ${1-} in
"") ;;
--help | -h) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
*) say "unknown argument '$1'; see scripts/demo.sh --help"; exit 2 ;;
esac

title() { printf '\n== %s\n' "$*"; }

demo=$top/build/demo
bin=$top/build/release
server=$bin/server/confab-server confab=$bin/client/cli/confab certs=$bin/certs/confab-certs
server_pid='' tail_pid=''

stop_all() {
    local pid
    for pid in $tail_pid $server_pid; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Waits up to 10 s for a line in a file.
wait_for() { # pattern file what
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        if grep -q "$1" "$2" 2>/dev/null; then return 0; fi
        sleep 0.05
    done
    cat "$2" >&2 || true
    die "waited 10 s in vain: $3"
}

title "Building (the first time takes a minute or two)"
mkdir -p "$top/build"
"$top/scripts/setup.sh" >/dev/null
build release confab-server confab confab-certs >"$top/build/demo.build.log" 2>&1 || {
    tail -n 30 "$top/build/demo.build.log" >&2
    die "the build failed; all of it is in build/demo.build.log"
}
"$server" --version

title "Certificates: an authority, the server, and the users alice and bob"
rm -rf "$demo"
mkdir -p "$demo"
cd "$demo"
"$certs" init
"$certs" server localhost
"$certs" client alice
"$certs" client bob

title "The server starts"
"$server" --listen 127.0.0.1:0 --cert confab-certs/localhost.pem --key confab-certs/localhost.key \
    --client-ca confab-certs/ca.pem --crl confab-certs/crl.pem --data data 2>server.log &
server_pid=$!
wait_for 'ready on ' server.log "the server is ready"
cat server.log
port=$(sed -n 's/.*ready on 127\.0\.0\.1:\([0-9]*\).*/\1/p' server.log)

# Becomes the client; so what is started with & is the client itself and can be stopped.
become() { # user command…
    local user=$1
    shift
    exec "$confab" "$@" --server "localhost:$port" --ca confab-certs/ca.pem \
        --cert "confab-certs/client-$user.pem" --key "confab-certs/client-$user.key"
}
as() { (become "$@"); }

title "Bob listens to the room dev; Alice writes to it, and to Bob alone"
become bob tail dev @alice >conversation.txt 2>tail.log &
tail_pid=$!
# Bob is in the room when the server lists him there.
for ((tries = 0; tries < 200; tries++)); do
    if as alice json '{"cmd":"join","room":"dev","id":1}' 2>/dev/null |
        grep -q '"member_count":2'; then break; fi
    sleep 0.05
done
as alice send dev "Good morning, Bob: the build is green."
as alice send dev "Zażółć gęślą jaźń – any language will do."
uname -sr | as alice send dev -
as alice send @bob "This line is for you alone."
as bob send dev "Thank you, Alice!"
wait_for 'Thank you, Alice' conversation.txt "Bob has read everything"
cat conversation.txt

title "The wire itself: one JSON object a line"
as alice json '{"cmd":"members","room":"dev","id":1}'

title "The server stops, and says goodbye to everybody"
kill -TERM "$server_pid"
wait "$server_pid" || die "the server ended with exit code $?"
server_pid=
tail -n 2 server.log
kill "$tail_pid" 2>/dev/null || true
wait "$tail_pid" 2>/dev/null || true
tail_pid=

title "By hand"
cat <<END
    cd $demo
    PATH=$bin/server:$bin/client/cli:$bin/certs:\$PATH

    # in one terminal
    confab-server --cert confab-certs/localhost.pem --key confab-certs/localhost.key \\
        --client-ca confab-certs/ca.pem --crl confab-certs/crl.pem --data data

    # in a second and a third one
    confab chat dev --ca confab-certs/ca.pem \\
        --cert confab-certs/client-alice.pem --key confab-certs/client-alice.key
    confab chat dev --ca confab-certs/ca.pem \\
        --cert confab-certs/client-bob.pem --key confab-certs/client-bob.key

The README goes on from here.
END
