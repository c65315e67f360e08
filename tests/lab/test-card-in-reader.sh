#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The lab's card in a real reader: pcscd with vpcd, and the tools of other people looking at it.
#
# usage: test-card-in-reader.sh KEYSTRAP_LAB LAB_CONF
#
# Runs itself again in private namespaces, where /run is empty, port 35963 is free and every process dies with the test.
# Exit code 77, "skipped", without root.
set -u

if [ "${1-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "needs root for private namespaces"; exit 77; }
    for tool in pcscd opensc-tool pcsc_scan ATR_analysis unshare ip; do
        PATH=$PATH:/usr/sbin:/sbin command -v "$tool" >/dev/null ||
            { echo "$tool is missing: apt install pcscd opensc pcsc-tools util-linux iproute2"; exit 1; }
    done
    exec unshare --mount --net --pid --ipc --fork --kill-child --mount-proc "$0" --inside "$@"
fi
shift
lab=$1 conf=$2
PATH=$PATH:/usr/sbin:/sbin

mount -t tmpfs tmpfs /run && mkdir /run/pcscd /run/reader || exit 1
ip link set lo up || exit 1
cat >/run/reader/vpcd <<END
FRIENDLYNAME "Virtual PCD"
DEVICENAME   /dev/null:0x8C7B
LIBPATH      /usr/lib/pcsc/drivers/serial/libifdvpcd.so
CHANNELID    0x8C7B
END
control=/run/usim
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

# until_ok SECONDS COMMAND...: as often as it takes.
until_ok() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$end" ] || { fail "in time: $*"; return 1; }
        sleep 0.05
    done
}

# expect NAME PATTERN COMMAND...: its output, without line ends and double spaces, has PATTERN.
expect() {
    local name=$1 pattern=$2 output
    shift 2
    output=$("$@" 2>&1 | tr -s '\n ' '  ')
    if [[ $output == *"$pattern"* ]]; then
        echo "ok: $name"
    else
        fail "$name: no \"$pattern\" in: $output"
    fi
}

ctl() { "$lab" ctl "$control" "$@"; }
apdu() { opensc-tool --reader 0 --card-driver default $(printf -- '--send-apdu %s ' "$@"); }
# It looks for news of ATRs on the internet, which there is none of here.
analyse_atr() { HOME=/run ATR_analysis "$(opensc-tool --reader 0 --atr | tr ':' ' ')"; }
# The reader sends in two segments: each APDU costs 40 ms when the card does not acknowledge at once.
hundred_apdus() {
    local begun=${EPOCHREALTIME/./} took
    apdu $(yes 00:A4:00:04:02:3F:00:00 | head -100)
    took=$((${EPOCHREALTIME/./} - begun))
    [ "$took" -lt 2000000 ] && echo "in time" || echo "$took us"
}
card_is_present() { opensc-tool --list-readers | grep -q '^0 *Yes'; }
card_is_absent() { opensc-tool --list-readers | grep -q '^0 *No'; }

start_card() {
    "$lab" usim --subscribers "$conf" --subscriber gateway --control "$control" "$@" >/run/usim.out &
    card=$!
    until_ok 30 grep -q '^ready' /run/usim.out
    until_ok 20 card_is_present
}

stop_card() {
    kill "$card"
    wait "$card" || fail "the card did not end with 0 on SIGTERM"
    [ -e "$control" ] && fail "the control socket was left behind"
    until_ok 20 card_is_absent
}

pcscd --foreground --config /run/reader >/run/pcscd.log 2>&1 &
until_ok 20 test -S /run/pcscd/pcscd.comm

for shape in t1 t0; do
    start_card --shape "$shape"
    case $shape in
    t1) atr="3b:9d:96:81:b1:fe:45:1f:c7:80:31:e0:73:f6:21:14:65:6b:73:6c:61:62" ;;
    t0) atr="3b:9d:96:80:1f:c7:80:31:e0:73:f6:21:14:65:6b:73:6c:61:62" ;;
    esac
    expect "$shape: opensc-tool lists a reader with a card" "Yes Virtual PCD" opensc-tool --list-readers
    expect "$shape: the ATR arrives whole" "$atr" opensc-tool --reader 0 --atr
    expect "$shape: EF_DIR names the USIM" "61 18 4F 10 A0 00 00 00 87 10 02" \
        apdu 00:A4:00:04:02:2F:00 00:B2:01:04:30
    expect "$shape: EF_ICCID has its digits" "98 88 02 01 00 00 00 00 10 F9" \
        apdu 00:A4:00:04:02:2F:E2 00:B0:00:00:0A
    expect "$shape: the USIM is selected by the start of its AID" "87 10 02 FF 49 FF 01 89 00 00 01 00 A5" \
        apdu 00:A4:04:04:07:A0:00:00:00:87:10:02:00
    expect "$shape: a logical channel has the USIM beside the basic one" ": 08 09 10 10 10 32 54 76 98" \
        apdu 00:70:00:00:01 01:A4:04:0C:07:A0:00:00:00:87:10:02 01:A4:00:0C:02:6F:07 01:B0:00:00:09 \
        00:70:80:01
    expect "$shape: pcsc_scan sees the card" "Card state: Card inserted" pcsc_scan -c
    expect "$shape: ATR_analysis finds the checksum correct" "(correct checksum)" analyse_atr
    expect "$shape: and a UICC's voltage classes" "(3G) A 5V B 3V C 1.8V" analyse_atr
    expect "$shape: no APDU waits for a delayed acknowledgement" "in time" hundred_apdus
    expect "$shape: no channel is left open" "ok" ctl channels
    stop_card
done

start_card
ctl fault drop-at 3 >/run/fault || fail "a fault is refused: $(cat /run/fault)"
expect "a card that is pulled at an APDU fails the command" "failed" \
    apdu 00:A4:00:04:02:3F:00 00:A4:00:04:02:2F:00 00:A4:00:04:02:3F:00 00:A4:00:04:02:3F:00
until_ok 20 card_is_absent
expect "it says that it is out of the reader" "ok removed unpowered" ctl state
expect "put in again it is there again" "ok" ctl insert
until_ok 20 card_is_present
expect "and answers" "SW1=0x90, SW2=0x00" apdu 00:A4:00:0C:02:3F:00
expect "what is no fault is refused with the usage" "error usage: fault" ctl fault dance
ctl fault dance >/run/fault && fail "ctl does not exit with 1 for an error"
stop_card

exit "$failed"
