#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The lab's modems and the tools of other people: qmicli and mbimcli, alone and through the real qmi-proxy and
# mbim-proxy. What they make of the modem is what a program that knows nothing of the lab makes of it.
#
# usage: test-modem-tools.sh KEYSTRAP_LAB LAB_CONF
#
# Runs itself again in private namespaces, where the proxies' names are free and every process dies with the test.
# Exit code 77, "skipped", without root.
set -u

if [ "${1-}" != --inside ]; then
    [ "$(id -u)" = 0 ] || { echo "needs root for private namespaces"; exit 77; }
    for tool in qmicli mbimcli /usr/libexec/qmi-proxy /usr/libexec/mbim-proxy unshare; do
        command -v "$tool" >/dev/null ||
            { echo "$tool is missing: apt install libqmi-utils libmbim-utils libqmi-proxy libmbim-proxy"; exit 1; }
    done
    exec unshare --mount --net --pid --ipc --fork --kill-child --mount-proc "$0" --inside "$@"
fi
shift
lab=$1 conf=$2
failed=0
mount -t tmpfs tmpfs /run || exit 1

fail() {
    echo "FAILED: $*"
    failed=1
}

# expect NAME PATTERN COMMAND...: its output, without line ends and double spaces, has PATTERN.
expect() {
    local name=$1 pattern=$2 output
    shift 2
    output=$("$@" 2>&1 | tr -s '\n\t ' '   ')
    if [[ $output == *"$pattern"* ]]; then
        echo "ok: $name"
    else
        fail "$name: expected \"$pattern\" in: $output"
    fi
}

ctl() { "$lab" ctl /run/control "$@"; }

# modem PROTOCOL [ARGUMENT...]: start it, and leave its device in $device and its process in $modem.
modem() {
    coproc MODEM { exec "$lab" "$1-modem" --subscribers "$conf" --subscriber gateway --device /run/modem \
        --control /run/control "${@:2}"; }
    modem=$MODEM_PID
    read -r -t 20 _ <&"${MODEM[0]}" || { fail "$1-modem does not start"; exit 1; }
    device=$(readlink /run/modem)
}

modem_end() {
    kill "$modem"
    wait "$modem" || fail "the modem ended with $?"
}

# proxy PROGRAM NAME: the real one, waited for until it listens.
proxy() {
    "$1" --no-exit &
    for _ in $(seq 200); do
        grep -q "@$2" /proc/net/unix && return
        sleep 0.05
    done
    fail "$1 does not listen"
}

iccid=$(sed -n '/^\[Subscriber gateway\]/,/^\[Subscriber [^g]/s/^Iccid *= *//p' "$conf" | head -1)
imsi=$(sed -n '/^\[Subscriber gateway\]/,/^\[Subscriber [^g]/s/^Imsi *= *//p' "$conf" | head -1)

modem qmi
for way in alone "through qmi-proxy"; do
    by=()
    [ "$way" = alone ] || { proxy /usr/libexec/qmi-proxy qmi-proxy; by=(-p); }
    qmi=(timeout 20 qmicli --device="$device" --device-open-qmi "${by[@]}")
    expect "qmicli $way: a card with a USIM" "Application type: 'usim (2)' Application state: 'ready'" \
        "${qmi[@]}" --uim-get-card-status
    # Digits in pairs, the low one first.
    expect "qmicli $way: EF_ICCID" "Read result: $(sed -E 's/(.)(.)/\2\1:/g; s/:$//' <<<"${iccid}F" | cut -c1-29)" \
        "${qmi[@]}" --uim-read-transparent=0x3F00,0x2FE2
    expect "qmicli $way: a file that is not there" "SimFileNotFound" \
        "${qmi[@]}" --uim-read-transparent=0x3F00,0x7FFF,0x6FFF
    ctl refuse read 82 >/dev/null
    expect "qmicli $way: an error that was asked for" "AccessDenied" \
        "${qmi[@]}" --uim-read-transparent=0x3F00,0x2FE2
    ctl clear >/dev/null
    ctl remove >/dev/null
    expect "qmicli $way: no card" "Card state: 'absent'" \
        "${qmi[@]}" --uim-get-card-status
    ctl insert >/dev/null
    expect "qmicli $way: nothing is held when it has gone" "ok channels=0 cids=0" ctl held
done
modem_end

modem mbim
for way in alone "through mbim-proxy"; do
    by=()
    [ "$way" = alone ] || { proxy /usr/libexec/mbim-proxy mbim-proxy; by=(-p); }
    mbim=(timeout 20 mbimcli --device="$device" "${by[@]}")
    expect "mbimcli $way: the subscriber" "Ready state: 'initialized' Subscriber ID: '$imsi' SIM ICCID: '$iccid'" \
        "${mbim[@]}" --query-subscriber-ready-status
    expect "mbimcli $way: the card's ATR" "response: 3B:" "${mbim[@]}" --ms-query-uicc-atr
    expect "mbimcli $way: a channel" "status: 144 channel: 1 response: 62:" "${mbim[@]}" \
        --ms-set-uicc-open-channel=application-id=a0000000871002,selectp2arg=4,channel-group=7
    expect "mbimcli $way: the modem knows of it" "ok channels=1" ctl held
    # SELECT EF_IMSI, which is in the USIM alone.
    expect "mbimcli $way: a command on it" "status: 144" "${mbim[@]}" \
        --ms-set-uicc-apdu=channel=1,secure-message=none,classbyte-type=inter-industry,command=01a40004026f0700
    expect "mbimcli $way: the group is closed as one" "status: 144" "${mbim[@]}" \
        --ms-set-uicc-close-channel=channel=0,channel-group=7
    expect "mbimcli $way: nothing is open any more" "ok channels=0" ctl held
done
modem_end

# Two slots, and a card that asks for its PIN.
modem qmi --second meter --pin-enabled
qmi=(timeout 20 qmicli --device="$device" --device-open-qmi)
expect "qmicli: the PIN is asked for" "PIN1 state: 'enabled-not-verified' PIN1 retries: '3'" "${qmi[@]}" --uim-get-card-status
expect "qmicli: a wrong PIN costs a try" "IncorrectPin" "${qmi[@]}" --uim-verify-pin=PIN1,9999
expect "qmicli: the tries that are left" "PIN1 retries: '2'" "${qmi[@]}" --uim-get-card-status
expect "qmicli: the right PIN" "PIN verified successfully" "${qmi[@]}" --uim-verify-pin=PIN1,1234
expect "qmicli: EF_IMSI behind the PIN" "08:09:10:10:10:32:54:76:98" \
    "${qmi[@]}" --uim-read-transparent=0x3F00,0x7FFF,0x6F07
expect "qmicli: a record of EF_DIR" "Read result: 61:18:4F:10:A0" \
    "${qmi[@]}" --uim-read-record=record-number=1,record-length=0,file=0x3F00-0x2F00
expect "qmicli: attributes of EF_DIR" "File type: linear-fixed Record size: 48" \
    "${qmi[@]}" --uim-get-file-attributes=0x3F00,0x2F00
expect "qmicli: two slots" "2 physical slots found: Physical slot 1: Card status: present Slot status: active" \
    "${qmi[@]}" --uim-get-slot-status
expect "qmicli: the other slot" "Successfully switched slots" "${qmi[@]}" --uim-switch-slot=2
expect "qmicli: the card in the other slot" "98:88:02:01:00:00:00:00:20:F7" \
    "${qmi[@]}" --uim-read-transparent=0x3F00,0x2FE2
expect "qmicli: power off" "Successfully performed SIM power off" "${qmi[@]}" --uim-sim-power-off=1
expect "qmicli: a card without power" "Card state: 'absent'" "${qmi[@]}" --uim-get-card-status
expect "qmicli: power on" "Successfully performed SIM power on" "${qmi[@]}" --uim-sim-power-on=1
expect "qmicli: the modem's identity" "IMEI: '004401112222228'" "${qmi[@]}" --dms-get-ids
modem_end

modem mbim --second meter
mbim=(timeout 20 mbimcli --device="$device")
expect "mbimcli: what the modem is" "Cellular class: 'gsm'" "${mbim[@]}" --query-device-caps
expect "mbimcli: the slot in use" "Slot '0': 'state-active'" "${mbim[@]}" --ms-query-slot-info-status=0
expect "mbimcli: the other slot" "Slot '1': 'state-off'" "${mbim[@]}" --ms-query-slot-info-status=1
expect "mbimcli: the card's applications" "Application type: usim Application ID: A0:00:00:00:87:10:02" \
    "${mbim[@]}" --ms-query-uicc-application-list
expect "mbimcli: what EF_DIR is" "Structure: linear Item count: 4 Item size: 48" \
    "${mbim[@]}" --ms-query-uicc-file-status=application-id=a0000000871002,file-path=3f002f00
expect "mbimcli: EF_IMSI" "Data: 08:09:10:10:10:32:54:76:98" "${mbim[@]}" \
    --ms-query-uicc-read-binary=application-id=a0000000871002,file-path=7fff6f07,read-offset=0,read-size=9
expect "mbimcli: a record of EF_DIR" "Data: 61:18:4F:10:A0" "${mbim[@]}" \
    --ms-query-uicc-read-record=application-id=a0000000871002,file-path=3f002f00,record-number=1
expect "mbimcli: the card is reset" "pass through action: disabled" "${mbim[@]}" --ms-set-uicc-reset=disable
modem_end
exit "$failed"
