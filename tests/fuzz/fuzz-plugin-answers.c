/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A transport program that says what it likes: whatever comes, the contract of transport.h holds for what keystrapd's
 * side hands up (an answer has a status word and fits, a channel has a number, a modem's identity stays in its bounds),
 * every refusal has words, and a program that broke the protocol is ended.
 *
 * The program is the other end of a socket pair; it says everything before it is asked. The clock of this program runs so
 * fast that nothing is waited for: what was not said before the question is never said.
 *
 * The input: one octet of how many operations there are; then for each an octet of what it is and how many packets the
 * program says before it, and these packets: kind, length, octets.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "../../uicc/plugin-internal.h"
#include "secret.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
    const uint8_t *data;
    size_t size;
    int peer; /* the program's end; -1 when none runs */
    unsigned alive;
} input;

static void check(bool condition) {
    if (!condition)
        abort();
}

/* --- What keystrapd's side is linked with, in place of the real ones -------------------------------- */

uint64_t now_usec(void) {
    static uint64_t now;

    return now += 100 * USEC_PER_SEC;
}

uint64_t now_realtime_usec(void) {
    return now_usec();
}

static void say_packets(unsigned count, uint32_t serial, bool hello);
static uint8_t take(void);

int subprocess_spawn(const char *path, char *const argv[], struct subprocess *ret) {
    int fds[2];

    (void)path, (void)argv;
    check(input.alive == 0);
    check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
    *ret = (struct subprocess){.pid = 1, .fd = fds[0], .pidfd = eventfd(0, EFD_CLOEXEC)};
    input.peer = fds[1];
    input.alive = 1;
    say_packets(2, 1, true);
    return 0;
}

int subprocess_stop(struct subprocess *subprocess, uint64_t grace_usec) {
    (void)grace_usec;
    if (subprocess->pid == 0)
        return 0;
    input.peer = safe_close(input.peer);
    safe_close(subprocess->fd);
    safe_close(subprocess->pidfd);
    *subprocess = SUBPROCESS_NONE;
    input.alive = 0;
    return take() & 1 ? 0 : 256 + 9;
}

/* --- The program ------------------------------------------------------------------------------------- */

static uint8_t take(void) {
    if (input.size == 0)
        return 0;
    input.size--;
    return *input.data++;
}

static const uint8_t *take_octets(size_t *length) {
    const uint8_t *octets = input.data;

    *length = take();
    octets = input.data;
    if (*length > input.size)
        *length = input.size;
    input.data += *length;
    input.size -= *length;
    return octets;
}

static void say_raw(const struct packet *packet) {
    (void)send(input.peer, packet->data, packet->length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Fields as the input has them, behind a header that is right. */
static void append_raw(struct packet *packet, const uint8_t *octets, size_t length) {
    if (packet->length + length > packet->size)
        return;
    if (length > 0)
        memcpy(packet->data + packet->length, octets, length);
    packet->length += length;
    packet->data[10] = (uint8_t)((packet->length - KEYSTRAP_PLUGIN_HEADER_LENGTH) >> 8);
    packet->data[11] = (uint8_t)(packet->length - KEYSTRAP_PLUGIN_HEADER_LENGTH);
}

static void say_packet(uint32_t serial, bool hello) {
    _cleanup_packet_ struct packet packet = {0};
    const uint8_t *octets;
    uint8_t kind = take();
    size_t length;

    check(packet_init(&packet, PLUGIN_PAYLOAD_MAX) == 0);
    octets = take_octets(&length);
    switch (kind % 8) {
    case 0: /* an answer that is right but for what it holds */
    case 1:
        packet_begin(&packet, KEYSTRAP_PLUGIN_ANSWER, serial);
        (void)packet_append_u8(&packet, KEYSTRAP_FIELD_RESULT, kind / 16 % 13);
        (void)packet_append(&packet, KEYSTRAP_FIELD_RESPONSE, octets, length);
        if (kind & 1)
            (void)packet_append_u8(&packet, KEYSTRAP_FIELD_CHANNEL, length > 0 ? octets[0] : 0);
        break;
    case 2:
        packet_begin(&packet, KEYSTRAP_PLUGIN_STATE, 0);
        (void)packet_append_u8(&packet, KEYSTRAP_FIELD_CARD_STATE, kind / 16 % 7);
        (void)packet_append(&packet, kind & 8 ? KEYSTRAP_FIELD_ATR : KEYSTRAP_FIELD_READER, octets,
                            length);
        break;
    case 3: /* any fields */
        packet_begin(&packet, kind & 8 ? KEYSTRAP_PLUGIN_STATE : KEYSTRAP_PLUGIN_ANSWER,
                     kind & 8 ? 0 : serial);
        append_raw(&packet, octets, length);
        break;
    case 4: /* an identity */
        packet_begin(&packet, KEYSTRAP_PLUGIN_ANSWER, serial);
        (void)packet_append_u8(&packet, KEYSTRAP_FIELD_RESULT, 0);
        (void)packet_append_text(&packet, KEYSTRAP_FIELD_IMSI, "001010123456789");
        (void)packet_append(&packet, (uint8_t)(KEYSTRAP_FIELD_EF_AD + kind / 16 % 4), octets,
                            length);
        break;
    case 5:
        packet_begin(&packet, KEYSTRAP_PLUGIN_HELLO, serial);
        (void)packet_append(&packet, KEYSTRAP_FIELD_NAME, octets, length);
        (void)packet_append_u32(&packet, KEYSTRAP_FIELD_CAPABILITIES, kind / 16 % 16);
        break;
    case 6:
        packet_begin(&packet, hello ? KEYSTRAP_PLUGIN_HELLO : KEYSTRAP_PLUGIN_ANSWER, serial);
        append_raw(&packet, octets, length);
        break;
    default: /* anything */
        packet.length = 0;
        append_raw(&packet, octets, length);
        if (length >= KEYSTRAP_PLUGIN_HEADER_LENGTH)
            memcpy(packet.data, octets, KEYSTRAP_PLUGIN_HEADER_LENGTH);
    }
    say_raw(&packet);
}

static void say_packets(unsigned count, uint32_t serial, bool hello) {
    for (unsigned i = 0; i < count && input.peer >= 0; i++)
        say_packet(serial + (hello ? 0 : i), hello);
}

/* --- What is asked of it ------------------------------------------------------------------------------ */

static int check_answer(int r, const uint8_t *answer, size_t length) {
    volatile unsigned sum = 0;

    check(r != 0 || (length >= 2 && length <= APDU_RESPONSE_MAX));
    for (size_t i = 0; r == 0 && i < length; i++)
        sum += answer[i];
    (void)sum;
    return r;
}

static int check_identity(int r, const struct transport_identity *identity) {
    if (r != 0)
        return r;
    check(memchr(identity->iccid, 0, sizeof(identity->iccid)));
    check(memchr(identity->imsi, 0, sizeof(identity->imsi)));
    check(memchr(identity->impi, 0, sizeof(identity->impi)));
    check(identity->ef_ad_length <= sizeof(identity->ef_ad));
    check(identity->services_length <= SERVICE_TABLE_MAX && identity->aid_length <= AID_MAX);
    return 0;
}

static int operate(struct plugin *plugin, uint8_t operation, struct failure *failure) {
    static const uint8_t select[] = {0x00, 0xa4, 0x00, 0x04, 0x02, 0x3f, 0x00, 0x00};
    static const uint8_t aid[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
    struct transport *transport = plugin_transport(plugin);
    struct transport_identity identity;
    uint8_t answer[APDU_RESPONSE_MAX], channel = 0;
    size_t length = 0;
    int r;

    switch (operation % 9) {
    case 0:
        return plugin_start(plugin, failure);
    case 1:
        return transport->ops->begin(transport, failure);
    case 2:
        r = transport->ops->transmit(transport, select, sizeof(select), answer, sizeof(answer),
                                     &length, failure);
        return check_answer(r, answer, length);
    case 3:
        r = transport->ops->open_channel(transport, aid, sizeof(aid), &channel, answer,
                                         sizeof(answer), &length, failure);
        check(r != 0 || (channel >= 1 && channel <= UICC_CHANNEL_MAX));
        return check_answer(r, answer, length);
    case 4:
        transport->ops->close_channel(transport, (uint8_t)(1 + operation / 9 % 19));
        return 0;
    case 5:
        r = transport->ops->identity(transport, &identity, failure);
        return check_identity(r, &identity);
    case 6:
        r = transport->ops->authenticate(transport, aid, sizeof(aid), 0x81, select, sizeof(select),
                                         answer, sizeof(answer), &length, failure);
        return check_answer(r, answer, length);
    case 7:
        transport->ops->end(transport);
        return 0;
    default:
        return operation / 9 & 1 ? transport->ops->next(transport, failure)
                                 : plugin_dispatch(plugin, failure);
    }
}

static void check_state(const struct plugin *plugin) {
    const struct plugin_state *state = plugin_state(plugin);

    check(state->card >= KEYSTRAP_CARD_SERVICE_ABSENT && state->card <= KEYSTRAP_CARD_PRESENT);
    check(memchr(state->reader, 0, sizeof(state->reader)) &&
          memchr(state->text, 0, sizeof(state->text)));
    check(state->atr_length <= sizeof(state->atr));
    check(plugin_running(plugin) == (input.alive == 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const struct plugin_options options = {
        .directory = "/nonexistent", .name = "fuzz", .apdu_timeout_usec = USEC_PER_SEC};
    static bool ready;
    struct plugin *plugin;
    unsigned operations;

    if (!ready)
        check(secret_arena_init() == 0);
    ready = true;
    input.data = data;
    input.size = size;
    input.peer = -1;
    input.alive = 0;
    check(plugin_new(&options, &plugin) == 0);
    operations = take() % 16;
    for (unsigned i = 0; i < operations && input.size > 0; i++) {
        struct failure failure = {0};
        uint8_t operation = take();
        int r;

        say_packets(take() % 4, plugin->serial + 1, false);
        r = operate(plugin, operation, &failure);
        check(r <= 0 || (failure.code == r && failure.text[0]));
        check_state(plugin);
    }
    plugin_free(plugin);
    check(input.alive == 0 && secret_arena_used() == 0);
    return 0;
}
