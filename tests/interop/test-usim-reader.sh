#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The lab's card before a reader that knows nothing of it: usim-reader.py, behind the real pcscd with vpcd.
#
# usage: test-usim-reader.sh KEYSTRAP_LAB LAB_CONF
#
# Runs itself again in private namespaces. Exit code 77, "skipped", without root.
set -u

if [ "${1-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "needs root for private namespaces"; exit 77; }
    exec unshare --mount --net --pid --ipc --fork --kill-child --mount-proc "$0" --inside "$@"
fi
shift
lab=$1 conf=$2 here=$(dirname "$(readlink -f "$0")")
PATH=$PATH:/usr/sbin:/sbin

mount -t tmpfs tmpfs /run && mkdir /run/pcscd /run/reader || exit 1
ip link set lo up || exit 1
cat >/run/reader/vpcd <<END
FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:0x8C7B
LIBPATH      /usr/lib/pcsc/drivers/serial/libifdvpcd.so
CHANNELID    0x8C7B
END
failed=0

until_ok() {
    local end=$((SECONDS + 20))
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { echo "FAILED in time: $*"; exit 1; }
        sleep 0.05
    done
}
card_is_present() { opensc-tool --list-readers | grep -q '^0 *Yes'; }
card_is_absent() { opensc-tool --list-readers | grep -q '^0 *No'; }

# look SUBSCRIBER "CARD'S ARGUMENTS" "READER'S ARGUMENTS"
look() {
    echo "== $*"
    # shellcheck disable=SC2086 # words are meant
    "$lab" usim --subscribers "$conf" --subscriber "$1" --control /run/usim $2 >/run/usim.out &
    local card=$!
    until_ok grep -q '^ready' /run/usim.out
    until_ok card_is_present
    # shellcheck disable=SC2086
    /usr/bin/python3 "$here/usim-reader.py" $3 || failed=1
    kill "$card"
    wait "$card"
    until_ok card_is_absent
}

pcscd --foreground --config /run/reader >/run/pcscd.log 2>&1 &
until_ok test -S /run/pcscd/pcscd.comm
for shape in t1 t0; do
    look gateway "--shape $shape" ""
    look pump "--shape $shape" "--isim --gba"
    look pump "--shape $shape --pin-enabled" "--isim --gba --pin 1234"
done
exit "$failed"
