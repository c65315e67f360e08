/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A modem's answers over MBIM, as uicc-mbim takes them apart: whatever offsets and lengths they name, an answer of a card has
 * a status word and fits, and a channel is one that a card has.
 *
 * libmbim's device is this file: it answers each message with the next of the input. The input: an octet of what is asked,
 * then answers: an octet of status (0: success), one of length, and the octets of the information buffer.
 */

#include <string.h>

#include "fuzz-modem.h"
#include "mbim-internal.h"
#include "secret.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEADER_LENGTH 48u /* of COMMAND_DONE, before the information buffer */

static void put_u32(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

/* As libmbim's device would let it through: the header is right, and one fragment. */
static MbimMessage *answer_to(const MbimMessage *request) {
    static const uint32_t statuses[] = {0, 2, 3, 8, 9, 35, 36, 0x87430001, 0x87430003};
    uint8_t octets[HEADER_LENGTH + 255] = {0};
    uint32_t status = statuses[take() % (sizeof(statuses) / sizeof(statuses[0]))];
    size_t length = take();
    const uint8_t *buffer = take_octets(&length);

    put_u32(octets, MBIM_MESSAGE_TYPE_COMMAND_DONE);
    put_u32(octets + 4, (uint32_t)(HEADER_LENGTH + length));
    put_u32(octets + 8, 1);                                            /* transaction */
    put_u32(octets + 12, 1);                                           /* fragments */
    memcpy(octets + 20, ((const GByteArray *)request)->data + 20, 20); /* service and command */
    put_u32(octets + 40, status);
    put_u32(octets + 44, (uint32_t)length);
    if (length > 0)
        memcpy(octets + HEADER_LENGTH, buffer, length);
    return mbim_message_new(octets, (guint32)(HEADER_LENGTH + length));
}

/* --- In place of libmbim's device -------------------------------------------------------------------- */

static MbimMessage *answer;

void mbim_device_command(MbimDevice *self, MbimMessage *message, guint timeout,
                         GCancellable *cancellable, GAsyncReadyCallback callback,
                         gpointer user_data) {
    (void)self, (void)timeout, (void)cancellable, (void)callback, (void)user_data;
    answer = input_size > 0 ? answer_to(message) : NULL;
}

MbimMessage *mbim_device_command_finish(MbimDevice *self, GAsyncResult *res, GError **error) {
    (void)self, (void)res;
    if (!answer)
        g_set_error(error, MBIM_CORE_ERROR, MBIM_CORE_ERROR_FAILED, "no more");
    return g_steal_pointer(&answer);
}

/* --- What is asked -------------------------------------------------------------------------------------- */

static void ask(struct mbim *mbim, uint8_t what) {
    static const uint8_t aid[] = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02};
    uint8_t challenge[2 + AKA_RAND_LENGTH + AKA_AUTN_LENGTH] = {AKA_RAND_LENGTH};
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};
    uint8_t octets[APDU_RESPONSE_MAX], channel = 0;
    size_t length = 0;

    challenge[1 + AKA_RAND_LENGTH] = AKA_AUTN_LENGTH;
    switch (what % 4) {
    case 0:
        mbim_open_channel(&mbim->modem, aid, sizeof(aid), &channel, octets, &length, &result);
        check(result.code != KEYSTRAP_RESULT_OK || (channel >= 1 && channel <= UICC_CHANNEL_MAX));
        check_answer(&result, octets, length);
        return;
    case 1:
        mbim_transmit(&mbim->modem, 1, aid, sizeof(aid), octets, &length, &result);
        check_answer(&result, octets, length);
        return;
    case 2:
        mbim_close_channel(&mbim->modem, 1, &result);
        return;
    default:
        mbim_authenticate(&mbim->modem, aid, sizeof(aid), 0x81, challenge, sizeof(challenge),
                          octets, &length, &result);
        check_answer(&result, octets, length);
    }
}

static GLogWriterOutput quiet(GLogLevelFlags level, const GLogField *fields, gsize count,
                              gpointer data) {
    (void)level, (void)fields, (void)count, (void)data;
    return G_LOG_WRITER_HANDLED;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct mbim mbim = {.modem.slot = 1};
    static bool ready;

    if (!ready)
        g_log_set_writer_func(quiet, NULL, NULL);
    ready = true;
    input = data;
    input_size = size;
    for (unsigned i = 0; i < 4 && input_size > 0; i++)
        ask(&mbim, take());
    return 0;
}
