/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The card behind an MBIM modem: logical channels and commands by Microsoft's low-level access to the UICC, or AKA by
 * the modem's own Auth service, which knows the 3G context alone.
 */

#include <string.h>

#include "mbim-internal.h"
#include "secret.h"
#include "util.h"

#define SELECT_P2_FCP 0x04u /* as in SELECT: the answer is file control parameters */

/* The card's SW1 is in the low octet of the modem's word, SW2 in the next. */
static void append_status_word(uint32_t word, uint8_t *response, size_t *length) {
    response[(*length)++] = (uint8_t)word;
    response[(*length)++] = (uint8_t)(word >> 8);
}

static bool take_response(const uint8_t *data, uint32_t size, uint32_t word,
                          uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                          struct transport_result *ret) {
    if (size > APDU_RESPONSE_MAX - 2) {
        transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION, "the card's answer is too long");
        return false;
    }
    if (size > 0)
        memcpy(ret_response, data, size);
    *ret_length = size;
    append_status_word(word, ret_response, ret_length);
    return true;
}

static void malformed(GError *error, struct transport_result *ret) {
    transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION,
                         "the modem's answer is malformed: %.100s", error ? error->message : "");
}

void mbim_open_channel(struct modem *modem, const uint8_t *aid, size_t aid_length,
                       uint8_t *ret_channel, uint8_t ret_response[APDU_RESPONSE_MAX],
                       size_t *ret_length, struct transport_result *ret) {
    _cleanup_message_ MbimMessage *answer = NULL;
    guint32 word = 0, channel = 0, size = 0;
    g_autoptr(GError) error = NULL;
    const guint8 *data = NULL;

    answer = mbim_command(mbim_of(modem),
                          mbim_message_ms_uicc_low_level_access_open_channel_set_new(
                              (guint32)aid_length, aid, SELECT_P2_FCP, MBIM_CHANNEL_GROUP, NULL),
                          ret);
    if (!answer || ret->code != KEYSTRAP_RESULT_OK)
        return;
    if (!mbim_message_ms_uicc_low_level_access_open_channel_response_parse(answer, &word, &channel,
                                                                           &size, &data, &error))
        malformed(error, ret);
    else if (channel == 0 || channel > UICC_CHANNEL_MAX)
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED,
                             "the modem opened no channel that a card has");
    else if (take_response(data, size, word, ret_response, ret_length, ret))
        *ret_channel = (uint8_t)channel;
}

static void close_channels(struct mbim *mbim, uint32_t channel, struct transport_result *ret) {
    _unused_ _cleanup_message_ MbimMessage *answer =
        mbim_command(mbim,
                     mbim_message_ms_uicc_low_level_access_close_channel_set_new(
                         channel, channel > 0 ? 0 : MBIM_CHANNEL_GROUP, NULL),
                     ret);

    (void)answer; /* whether it worked is in @ret */
}

void mbim_close_channel(struct modem *modem, uint8_t channel, struct transport_result *ret) {
    close_channels(mbim_of(modem), channel, ret);
}

void mbim_close_group(struct mbim *mbim) {
    struct transport_result ignored = {.code = KEYSTRAP_RESULT_OK};

    close_channels(mbim, 0, &ignored);
}

void mbim_transmit(struct modem *modem, uint8_t channel, const uint8_t *command,
                   size_t command_length, uint8_t ret_response[APDU_RESPONSE_MAX],
                   size_t *ret_length, struct transport_result *ret) {
    const MbimUiccClassByteType type = command[0] & 0x40 ? MBIM_UICC_CLASS_BYTE_TYPE_EXTENDED
                                                         : MBIM_UICC_CLASS_BYTE_TYPE_INTER_INDUSTRY;
    _cleanup_message_ MbimMessage *answer = NULL;
    g_autoptr(GError) error = NULL;
    guint32 word = 0, size = 0;
    const guint8 *data = NULL;

    answer = mbim_command(
        mbim_of(modem),
        mbim_message_ms_uicc_low_level_access_apdu_set_new(
            channel, MBIM_UICC_SECURE_MESSAGING_NONE, type, (guint32)command_length, command, NULL),
        ret);
    if (!answer || ret->code != KEYSTRAP_RESULT_OK)
        return;
    if (mbim_message_ms_uicc_low_level_access_apdu_response_parse(answer, &word, &size, &data,
                                                                  &error))
        (void)take_response(data, size, word, ret_response, ret_length, ret);
    else
        malformed(error, ret);
}

void mbim_identity(struct modem *modem, struct transport_card *ret_card,
                   struct transport_result *ret) {
    const struct mbim *mbim = mbim_of(modem);

    memcpy(ret_card->imsi, mbim->imsi, sizeof(ret_card->imsi));
    memcpy(ret_card->iccid, mbim->iccid, sizeof(ret_card->iccid));
    if (!mbim->imsi[0])
        transport_result_set(ret, KEYSTRAP_RESULT_FAILED,
                             "the modem does not tell who the subscriber is; the card may want its "
                             "PIN");
}

static size_t append(uint8_t *to, size_t at, const uint8_t *data, uint8_t length) {
    to[at] = length;
    memcpy(to + at + 1, data, length);
    return at + 1 + length;
}

/* What the card would have answered (TS 31.102 7.1.2.1). */
static void take_aka(MbimMessage *answer, uint8_t ret_response[APDU_RESPONSE_MAX],
                     size_t *ret_length, struct transport_result *ret) {
    const guint8 *res = NULL, *ik = NULL, *ck = NULL, *auts = NULL;
    const uint32_t status = mbim_status(answer);
    g_autoptr(GError) error = NULL;
    guint32 res_length = 0;
    size_t at = 1;

    if (status == MBIM_STATUS_ERROR_AUTH_INCORRECT_AUTN) {
        memcpy(ret_response, "\x98\x62", 2);
        *ret_length = 2;
    } else if (status != MBIM_STATUS_ERROR_NONE && status != MBIM_STATUS_ERROR_AUTH_SYNC_FAILURE) {
        return;
    } else if (!mbim_message_auth_aka_response_parse(answer, &res, &res_length, &ik, &ck, &auts,
                                                     &error) ||
               (status == MBIM_STATUS_ERROR_NONE &&
                (res_length < RES_MIN || res_length > RES_MAX))) {
        malformed(error, ret);
        return;
    } else {
        ret_response[0] = status == MBIM_STATUS_ERROR_NONE ? 0xdb : 0xdc;
        if (status == MBIM_STATUS_ERROR_NONE) {
            at = append(ret_response, at, res, (uint8_t)res_length);
            at = append(ret_response, at, ck, AKA_CK_LENGTH);
            at = append(ret_response, at, ik, AKA_IK_LENGTH);
        } else {
            at = append(ret_response, at, auts, AKA_AUTS_LENGTH);
        }
        memcpy(ret_response + at, "\x90\x00", 2);
        *ret_length = at + 2;
    }
    *ret = (struct transport_result){.code = KEYSTRAP_RESULT_OK};
}

void mbim_authenticate(struct modem *modem, const uint8_t *aid, size_t aid_length, uint8_t p2,
                       const uint8_t *data, size_t data_length,
                       uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                       struct transport_result *ret) {
    _cleanup_message_ MbimMessage *answer = NULL;

    (void)aid; /* the modem takes its own subscription's */
    (void)aid_length;
    if (p2 != 0x81 || data_length != 2 + AKA_RAND_LENGTH + AKA_AUTN_LENGTH ||
        data[0] != AKA_RAND_LENGTH || data[1 + AKA_RAND_LENGTH] != AKA_AUTN_LENGTH) {
        transport_result_set(
            ret, KEYSTRAP_RESULT_UNSUPPORTED,
            "an MBIM modem authenticates in the 3G context alone, not with P2 %02X", p2);
        return;
    }
    answer = mbim_command(
        mbim_of(modem), mbim_message_auth_aka_query_new(data + 1, data + 2 + AKA_RAND_LENGTH, NULL),
        ret);
    if (answer)
        take_aka(answer, ret_response, ret_length, ret);
}
