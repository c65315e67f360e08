/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * AKA that the modem runs with its card, for modems that let no commands through.
 *
 * Authenticate takes the data field of the card's command and gives back what the card answered; the files that say
 * who the card is are read by the modem too.
 */

#include <stdio.h>
#include <string.h>

#include "qmi-internal.h"
#include "secret.h"
#include "util.h"

#define MESSAGE_READ_TRANSPARENT 0x0020
#define MESSAGE_AUTHENTICATE     0x0034

#define TLV_SESSION          0x01
#define TLV_READ_FILE        0x02
#define TLV_READ_RANGE       0x03
#define TLV_READ_STATUS_WORD 0x10
#define TLV_READ_RESULT      0x11
#define TLV_AUTHENTICATION   0x02
#define TLV_AUTH_STATUS_WORD 0x10
#define TLV_AUTH_RESPONSE    0x11

#define CONTEXT_GSM_ON_USIM   2
#define CONTEXT_3G            3
#define CONTEXT_GBA_BOOTSTRAP 5
#define CONTEXT_GBA_NAF       6
#define CONTEXT_IMS_AKA       11

#define TAG_GBA_BOOTSTRAP 0xdd
#define TAG_GBA_NAF       0xde

#define EF_ICCID 0x2fe2
#define EF_IMSI  0x6f07
#define EF_AD    0x6fad
#define EF_UST   0x6f38
#define EF_IST   0x6f07
#define EF_IMPI  0x6f02

/* The application that a request is about, as the modem names it. */
struct session {
    uint8_t type;
    const uint8_t *aid;
    size_t aid_length;
};

/* Slots 1 and 2 had their numbers before there were more. */
static uint8_t nonprovisioning(uint8_t slot) {
    return (uint8_t)(slot <= 2 ? 4 + slot - 1 : 16 + slot - 3);
}

static uint8_t card_on_slot(uint8_t slot) {
    return (uint8_t)(slot <= 2 ? 6 + slot - 1 : 19 + slot - 3);
}

static const struct qmi_slot *slot_of(const struct qmi *qmi) {
    return &qmi->slots[qmi->modem.slot - 1];
}

static bool is_isim(const uint8_t *aid, size_t length) {
    return length >= 7 && memcmp(aid, "\xa0\x00\x00\x00\x87\x10\x04", 7) == 0;
}

/* The modem's own subscription has a session; any other application is named by its AID. */
static struct session session_for(const struct qmi *qmi, const uint8_t *aid, size_t length) {
    if (qmi->modem.slot == qmi->primary && !is_isim(aid, length))
        return (struct session){.type = QMI_UIM_SESSION_TYPE_PRIMARY_GW_PROVISIONING};
    return (struct session){
        .type = nonprovisioning(qmi->modem.slot), .aid = aid, .aid_length = length};
}

static void append_session(QmiMessage *request, const struct session *session) {
    uint8_t value[2 + AID_MAX] = {session->type, (uint8_t)session->aid_length};

    if (session->aid_length > 0)
        memcpy(value + 2, session->aid, session->aid_length);
    qmi_request_tlv(request, TLV_SESSION, value, 2 + session->aid_length, 0);
}

/* The whole of a transparent file. 0 octets where the card has none, or gives none. */
static size_t read_file(struct qmi *qmi, const struct session *session, uint16_t file, uint8_t *to,
                        size_t size, struct transport_result *ret) {
    /* File identifier, octets of the path, path; all little-endian. */
    uint8_t id[] = {(uint8_t)file, (uint8_t)(file >> 8), 4, 0x00, 0x3f, 0xff, 0x7f};
    const bool in_mf = session->type == card_on_slot(qmi->modem.slot);
    const uint8_t all[4] = {0};
    _cleanup_message_ QmiMessage *answer = NULL;
    struct transport_result result = {.code = KEYSTRAP_RESULT_OK};
    QmiMessage *request = qmi_request_new(qmi, MESSAGE_READ_TRANSPARENT);
    size_t length = 0;

    if (in_mf)
        id[2] = 2;
    append_session(request, session);
    qmi_request_tlv(request, TLV_READ_FILE, id, in_mf ? 5 : sizeof(id), 0);
    qmi_request_tlv(request, TLV_READ_RANGE, all, sizeof(all), 0);
    answer = qmi_command(qmi, request, &result);
    if (!answer || result.code == KEYSTRAP_RESULT_SERVICE_ABSENT ||
        result.code == KEYSTRAP_RESULT_CARD_ABSENT) {
        *ret = result;
        return 0;
    }
    if (result.code != KEYSTRAP_RESULT_OK ||
        !qmi_answer_octets(answer, TLV_READ_RESULT, 2, to, size, &length))
        return 0;
    return length;
}

/* Digits in pairs, low nibble first; @from is the first nibble to take, up to the first that is no digit. */
static void take_digits(const uint8_t *data, size_t length, size_t from, char *ret, size_t size) {
    size_t used = 0;

    for (size_t i = from; i < 2 * length && used + 1 < size; i++) {
        uint8_t nibble = i % 2 ? data[i / 2] >> 4 : data[i / 2] & 0x0f;

        if (nibble > 9)
            break;
        ret[used++] = (char)('0' + nibble);
    }
    ret[used] = '\0';
}

/* EF_IMSI (TS 31.102 4.2.2): octets that follow, then digits, of which the first nibble is no part. */
static void take_imsi(const uint8_t *data, size_t length, char ret[IMSI_MAX + 1]) {
    ret[0] = '\0';
    if (length >= 2 && data[0] <= 8 && data[0] < length)
        take_digits(data + 1, data[0], 1, ret, IMSI_MAX + 1);
}

/* EF_IMPI (TS 31.103 4.2.2): a TLV with tag 80 that holds an NAI. */
static void take_impi(const uint8_t *data, size_t length, char ret[IMPI_MAX + 1]) {
    ret[0] = '\0';
    if (length < 2 || data[0] != 0x80 || data[1] > length - 2 ||
        !text_is_plain((const char *)data + 2, data[1]))
        return;
    memcpy(ret, data + 2, data[1]);
    ret[data[1]] = '\0';
}

static void read_usim(struct qmi *qmi, struct transport_card *card, struct transport_result *ret) {
    const struct qmi_slot *slot = slot_of(qmi);
    const struct session session = session_for(qmi, slot->usim, slot->usim_length);
    uint8_t data[9];
    size_t length;

    length = read_file(qmi, &session, EF_IMSI, data, sizeof(data), ret);
    take_imsi(data, length, card->imsi);
    secret_erase(data, sizeof(data));
    if (ret->code == KEYSTRAP_RESULT_OK)
        card->ef_ad_length = read_file(qmi, &session, EF_AD, card->ef_ad, sizeof(card->ef_ad), ret);
    if (ret->code == KEYSTRAP_RESULT_OK)
        card->services_length =
            read_file(qmi, &session, EF_UST, card->services, sizeof(card->services), ret);
    memcpy(card->aid, slot->usim, slot->usim_length);
    card->aid_length = slot->usim_length;
}

static void read_isim(struct qmi *qmi, struct transport_card *card, struct transport_result *ret) {
    const struct qmi_slot *slot = slot_of(qmi);
    const struct session session = session_for(qmi, slot->isim, slot->isim_length);
    uint8_t data[2 + IMPI_MAX];
    size_t length;

    length = read_file(qmi, &session, EF_IMPI, data, sizeof(data), ret);
    take_impi(data, length, card->impi);
    secret_erase(data, sizeof(data));
    if (ret->code == KEYSTRAP_RESULT_OK)
        card->services_length =
            read_file(qmi, &session, EF_IST, card->services, sizeof(card->services), ret);
    memcpy(card->aid, slot->isim, slot->isim_length);
    card->aid_length = slot->isim_length;
}

void qmi_identity(struct modem *modem, struct transport_card *ret_card,
                  struct transport_result *ret) {
    const struct session card = {.type = card_on_slot(modem->slot)};
    struct qmi *qmi = qmi_of(modem);
    const struct qmi_slot *slot = slot_of(qmi);
    uint8_t iccid[10];
    size_t length;

    length = read_file(qmi, &card, EF_ICCID, iccid, sizeof(iccid), ret);
    take_digits(iccid, length, 0, ret_card->iccid, sizeof(ret_card->iccid));
    if (ret->code != KEYSTRAP_RESULT_OK)
        return;
    if (slot->usim_length == 0 && slot->isim_length > 0)
        read_isim(qmi, ret_card, ret);
    else
        read_usim(qmi, ret_card, ret);
}

static bool context_for(const uint8_t *aid, size_t aid_length, uint8_t p2, const uint8_t *data,
                        uint8_t *ret) {
    if (p2 == 0x80)
        *ret = CONTEXT_GSM_ON_USIM;
    else if (p2 == 0x81)
        *ret = is_isim(aid, aid_length) ? CONTEXT_IMS_AKA : CONTEXT_3G;
    else if (p2 == 0x84 && data[0] == TAG_GBA_BOOTSTRAP)
        *ret = CONTEXT_GBA_BOOTSTRAP;
    else if (p2 == 0x84 && data[0] == TAG_GBA_NAF)
        *ret = CONTEXT_GBA_NAF;
    else
        return false;
    return true;
}

/* What the card answered, with its status word, also where the modem calls that an error. */
static void take_authenticated(QmiMessage *answer, uint8_t ret_response[APDU_RESPONSE_MAX],
                               size_t *ret_length, struct transport_result *ret) {
    size_t length = 0;
    uint8_t sw[2];

    if (!qmi_answer_status_word(answer, TLV_AUTH_STATUS_WORD, sw)) {
        if (ret->code == KEYSTRAP_RESULT_OK)
            transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION,
                                 "the modem passed no answer of the card on");
        return;
    }
    (void)qmi_answer_octets(answer, TLV_AUTH_RESPONSE, 2, ret_response, APDU_RESPONSE_MAX - 2,
                            &length);
    memcpy(ret_response + length, sw, 2);
    *ret_length = length + 2;
    *ret = (struct transport_result){.code = KEYSTRAP_RESULT_OK};
}

/*
 * Whether the modem says that it did not understand the message, and so has asked the card nothing. Only then may the
 * same challenge be sent again, in another form.
 */
static bool not_understood(const struct transport_result *result, size_t length) {
    return result->code == KEYSTRAP_RESULT_INVALID && length == 0;
}

static void authenticate(struct qmi *qmi, const struct session *session, uint8_t context,
                         const uint8_t *data, size_t data_length,
                         uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                         struct transport_result *ret) {
    uint8_t value[3 + UINT8_MAX] = {context, (uint8_t)data_length};
    QmiMessage *request = qmi_request_new(qmi, MESSAGE_AUTHENTICATE);
    _cleanup_message_ QmiMessage *answer = NULL;

    memcpy(value + 3, data, data_length);
    append_session(request, session);
    qmi_request_tlv(request, TLV_AUTHENTICATION, value, 3 + data_length, 0);
    secret_erase(value, sizeof(value));
    answer = qmi_command(qmi, request, ret);
    if (answer)
        take_authenticated(answer, ret_response, ret_length, ret);
}

void qmi_authenticate(struct modem *modem, const uint8_t *aid, size_t aid_length, uint8_t p2,
                      const uint8_t *data, size_t data_length,
                      uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                      struct transport_result *ret) {
    struct qmi *qmi = qmi_of(modem);
    const struct session session = session_for(qmi, aid, aid_length);
    uint8_t context;

    if (!context_for(aid, aid_length, p2, data, &context)) {
        transport_result_set(ret, KEYSTRAP_RESULT_UNSUPPORTED,
                             "the modem has no context for AUTHENTICATE with P2 %02X", p2);
        return;
    }
    authenticate(qmi, &session, context, data, data_length, ret_response, ret_length, ret);
    /* Nothing says whether the contexts of GBA_U have the tag that the card's command begins with. */
    if (p2 == 0x84 && data_length > 1 && not_understood(ret, *ret_length)) {
        *ret = (struct transport_result){.code = KEYSTRAP_RESULT_OK};
        authenticate(qmi, &session, context, data + 1, data_length - 1, ret_response, ret_length,
                     ret);
    }
}
