/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Raw channels to applications on the card.
 *
 * They live beside the channel that struct uicc has for itself and share with it what is known of the card: when either
 * meets a reset, all channels are gone for both. A channel remembers the life of the card that it was opened in, so
 * that the same number in the next life is never taken for it.
 */

#include <errno.h>

#include "aid.h"
#include "se.h"
#include "tlv.h"
#include "uicc-internal.h"

#define TAG_FCI     0x6f
#define TAG_FCP     0x62
#define TAG_DF_NAME 0x84
#define CLASS_NONE  0xff /* ISO/IEC 7816-4 5.4.1: invalid */

/* Take the card. After a reset the transaction has begun, in another life of the card. */
static int enter(struct uicc *uicc, struct failure *failure) {
    struct failure local = {0};
    int r = uicc->transport->ops->begin(uicc->transport, &local);

    if (r == 0)
        return 0;
    if (r == UICC_E_RESET) {
        uicc_forget(uicc);
        return 0;
    }
    if (outcome_of_loss(r))
        uicc_forget(uicc);
    return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
}

static void leave(struct uicc *uicc) {
    uicc->transport->ops->end(uicc->transport);
}

static int exchange(struct uicc *uicc, const struct apdu *apdu, struct apdu_answer *answer,
                    struct failure *failure) {
    int r = apdu_exchange(uicc->transport, apdu, answer, failure);

    if (outcome_of_loss(r))
        uicc_forget(uicc);
    return r;
}

/* Inside a transaction. */
static void close_number(struct uicc *uicc, uint8_t number) {
    struct transport *transport = uicc->transport;
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    const struct apdu close = {.ins = 0x70, .p1 = 0x80, .p2 = number, .le = APDU_NO_LE};

    if (transport->flags & TRANSPORT_CHANNELS)
        transport->ops->close_channel(transport, number);
    else if (apdu_answer_init(&answer) == 0)
        (void)exchange(uicc, &close, &answer, NULL);
}

/* MANAGE CHANNEL and SELECT, where the transport leaves channels to us. */
static int open_by_card(struct uicc *uicc, const uint8_t *aid, size_t aid_length, uint8_t *ret,
                        struct apdu_answer *answer, struct failure *failure) {
    const struct apdu open = {.ins = 0x70, .le = 1};
    struct apdu select = {.ins = 0xa4, .p1 = 0x04, .data = aid, .length = aid_length};
    uint8_t number;
    int r;

    r = exchange(uicc, &open, answer, failure);
    if (r != 0)
        return r;
    if (apdu_status(answer->sw, "MANAGE CHANNEL", NULL) != 0)
        return failure_set(failure, UICC_E_NO_CHANNEL,
                           "The card opens no further channel (MANAGE CHANNEL answered %04X)",
                           answer->sw);
    number = answer->length == 1 ? secret_data(answer->data)[0] : 0;
    if (number < 1 || number > UICC_CHANNEL_MAX || (uicc->has_channel && number == uicc->channel))
        return failure_set(failure, UICC_E_MALFORMED,
                           "The card answered MANAGE CHANNEL with %zu octets that name no free "
                           "channel",
                           answer->length);
    select.cla = apdu_class(0x00, number);
    r = exchange(uicc, &select, answer, failure);
    if (r != 0) {
        if (!outcome_of_loss(r))
            close_number(uicc, number);
        return r;
    }
    *ret = number;
    return 0;
}

static int open_by_transport(struct uicc *uicc, const uint8_t *aid, size_t aid_length, uint8_t *ret,
                             struct apdu_answer *answer, struct failure *failure) {
    uint8_t *data = secret_data_mutable(answer->data), number = 0;
    size_t length = 0;
    int r;

    r = uicc->transport->ops->open_channel(uicc->transport, aid, aid_length, &number, data,
                                           APDU_RESPONSE_MAX, &length, failure);
    if (outcome_of_loss(r))
        uicc_forget(uicc);
    if (r != 0)
        return r;
    if (number < 1 || number > UICC_CHANNEL_MAX || length < 2 || length > APDU_RESPONSE_MAX ||
        (uicc->has_channel && number == uicc->channel))
        return failure_set(failure, UICC_E_MALFORMED,
                           "The transport opened channel %u with an answer of %zu octets", number,
                           length);
    answer->length = length - 2;
    answer->sw = (uint16_t)(data[length - 2] << 8 | data[length - 1]);
    *ret = number;
    return 0;
}

/* Whether the card names an application of the subscription as the one that it has selected. */
static bool selected_subscription(const struct apdu_answer *answer) {
    const uint8_t *data = secret_data(answer->data);
    struct tlv template, name;

    if (tlv_find(data, answer->length, TAG_FCI, &template) < 0 &&
        tlv_find(data, answer->length, TAG_FCP, &template) < 0)
        return false;
    return tlv_find(template.value, template.length, TAG_DF_NAME, &name) == 0 && name.length > 0 &&
           aid_is_subscription(name.value, name.length);
}

/* What the answer to SELECT means. Warnings (62XX, 63XX) are no refusal. */
static int check_selected(const struct apdu_answer *answer, struct failure *failure) {
    struct failure local = {0};
    uint8_t sw1 = (uint8_t)(answer->sw >> 8);
    int r;

    if (selected_subscription(answer))
        return failure_set(failure, ACCESS_E_DENIED,
                           "The card took that AID for an application of the subscription, which "
                           "is never open");
    r = apdu_status(answer->sw, "SELECT", &local);
    if (r == 0 || sw1 == 0x62 || sw1 == 0x63)
        return 0;
    if (r == UICC_E_NOT_FOUND || answer->sw == 0x6999)
        r = UICC_E_NO_APPLICATION;
    return failure_set(failure, r, "%s", local.text);
}

static int open_inside(struct uicc *uicc, const uint8_t *aid, size_t aid_length, uint8_t *ret,
                       struct apdu_answer *answer, struct failure *failure) {
    uint8_t number = 0;
    int r;

    if (uicc->transport->flags & TRANSPORT_CHANNELS)
        r = open_by_transport(uicc, aid, aid_length, &number, answer, failure);
    else
        r = open_by_card(uicc, aid, aid_length, &number, answer, failure);
    if (r != 0)
        return r;
    r = check_selected(answer, failure);
    if (r != 0)
        close_number(uicc, number);
    else
        *ret = number;
    return r;
}

int se_open(struct uicc *uicc, const uint8_t *aid, size_t aid_length, struct se_channel *ret,
            struct apdu_answer *select, struct failure *failure) {
    uint8_t number = 0;
    int r;

    if (aid_length < AID_MIN || aid_length > AID_MAX)
        return -EINVAL;
    if (uicc->transport->flags & TRANSPORT_AKA)
        return failure_set(failure, UICC_E_NO_CHANNEL,
                           "This modem runs AKA itself and passes no commands to the card");
    r = enter(uicc, failure);
    if (r != 0)
        return r;
    r = open_inside(uicc, aid, aid_length, &number, select, failure);
    if (r == 0)
        *ret = (struct se_channel){.uicc = uicc, .generation = uicc->generation, .number = number};
    leave(uicc);
    return r;
}

bool se_is_open(const struct se_channel *channel) {
    return channel->number != 0 && channel->generation == channel->uicc->generation;
}

int se_transmit(struct se_channel *channel, const struct apdu *command, struct apdu_answer *answer,
                struct failure *failure) {
    static const char gone[] =
        "The channel is gone: the card was reset or changed since it was opened; open it again";
    struct apdu apdu = *command;
    int r;

    if (!se_is_open(channel))
        return failure_set(failure, SE_E_CLOSED, gone);
    if (se_class(apdu.cla, channel->number) == CLASS_NONE)
        return failure_set(failure, SE_E_COMMAND,
                           "Class %02X cannot be coded on channel %u; leave out chaining or secure "
                           "messaging",
                           apdu.cla, channel->number);
    r = enter(channel->uicc, failure);
    if (r != 0)
        return r;
    if (se_is_open(channel)) {
        apdu.cla = se_class(apdu.cla, channel->number);
        r = exchange(channel->uicc, &apdu, answer, failure);
    } else {
        r = failure_set(failure, SE_E_CLOSED, gone);
    }
    leave(channel->uicc);
    return r;
}

void se_close(struct se_channel *channel) {
    if (channel->number != 0 && se_is_open(channel) && enter(channel->uicc, NULL) == 0) {
        if (se_is_open(channel))
            close_number(channel->uicc, channel->number);
        leave(channel->uicc);
    }
    channel->number = 0;
}
