/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One transaction on the card, on a logical channel of our own.
 *
 * Other programs use the same card: each transaction is short, what they selected on the basic channel
 * stays selected, and the channel is ours until we give it back. When somebody resets the card all of that
 * is gone without our doing, so every session first makes sure of what it stands on. A card that gives no
 * channel is used on the basic one, where nothing may be expected to have stayed from one transaction to
 * the next.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "uicc-internal.h"

#define SESSION_ATTEMPTS 2u /* a card that is reset again while it is set up is reset too often */

/* What we had set up for ourselves; other channels may live on. */
static void forget_session(struct uicc *uicc) {
    uicc->has_channel = false;
    uicc->basic_only = false;
    uicc->selected = false;
    uicc->channel = 0;
    uicc->pin_reference = 0;
    uicc->identity.pin = UICC_PIN_UNKNOWN;
    uicc->identity.pin_tries = -1;
}

void uicc_forget(struct uicc *uicc) {
    uicc->generation++;
    forget_session(uicc);
}

bool outcome_of_loss(int code) {
    return code == UICC_E_RESET || code == UICC_E_CARD_ABSENT || code == UICC_E_SILENT ||
           code == UICC_E_TRANSPORT || code == UICC_E_SERVICE_ABSENT ||
           code == UICC_E_READER_ABSENT;
}

static void failure_pass(struct failure *failure, const struct failure *local) {
    if (local->code != 0)
        failure_set(failure, local->code, "%s", local->text);
}

/* The transport's own channel comes with an application selected. */
static int open_with(struct uicc *uicc, const uint8_t *aid, size_t aid_length,
                     struct failure *failure) {
    uint8_t answer[APDU_RESPONSE_MAX], channel = 0;
    struct failure local = {0};
    size_t length = 0;
    int r;

    r = uicc->transport->ops->open_channel(uicc->transport, aid, aid_length, &channel, answer,
                                           sizeof(answer), &length, failure);
    if (r != 0)
        return r;
    if (channel < 1 || channel > UICC_CHANNEL_MAX || length < 2 || length > sizeof(answer))
        return failure_set(failure, UICC_E_MALFORMED,
                           "The transport opened channel %u with an answer of %zu octets", channel,
                           length);
    uicc->channel = channel;
    uicc->has_channel = true;
    r = apdu_status((uint16_t)(answer[length - 2] << 8 | answer[length - 1]),
                    "SELECT of the application", &local);
    if (r == 0)
        return 0;
    session_close_channel(uicc);
    if (r == UICC_E_NOT_FOUND)
        r = UICC_E_NO_APPLICATION;
    return failure_set(failure, r, "%s", local.text);
}

/* By as much of the AID as is known: at first, that it is a USIM or an ISIM. */
static int channel_from_transport(struct uicc *uicc, struct failure *failure) {
    const uint8_t *first = (const uint8_t *)USIM_AID_PREFIX,
                  *second = (const uint8_t *)ISIM_AID_PREFIX;
    struct failure local = {0};
    int r;

    if (uicc->identity.aid_length > 0)
        return open_with(uicc, uicc->identity.aid, uicc->identity.aid_length, failure);
    if (uicc->options.choice == UICC_CHOOSE_ISIM) {
        first = (const uint8_t *)ISIM_AID_PREFIX;
        second = (const uint8_t *)USIM_AID_PREFIX;
    }
    r = open_with(uicc, first, AID_PREFIX_LENGTH, &local);
    if (r == UICC_E_NO_APPLICATION && open_with(uicc, second, AID_PREFIX_LENGTH, NULL) == 0)
        return 0;
    failure_pass(failure, &local);
    return r;
}

/* MANAGE CHANNEL (TS 102 221 11.1.17): a card that refuses it has the basic channel only. */
static int channel_from_card(struct uicc *uicc, struct failure *failure) {
    const struct apdu open = {.ins = 0x70, .le = 1};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    uint8_t channel;
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = apdu_exchange(uicc->transport, &open, &answer, failure);
    if (r != 0)
        return r;
    if (apdu_status(answer.sw, "MANAGE CHANNEL", NULL) != 0) {
        uicc->basic_only = true;
        return 0;
    }
    channel = answer.length == 1 ? secret_data(answer.data)[0] : 0;
    if (channel < 1 || channel > UICC_CHANNEL_MAX)
        return failure_set(failure, UICC_E_MALFORMED,
                           "The card answered MANAGE CHANNEL with %zu octets that name no channel",
                           answer.length);
    uicc->channel = channel;
    uicc->has_channel = true;
    return 0;
}

static int channel_ensure(struct uicc *uicc, struct failure *failure) {
    int r;

    if (uicc->has_channel || uicc->basic_only)
        return 0;
    uicc->selected = false;
    if (uicc->transport->flags & TRANSPORT_CHANNELS)
        r = channel_from_transport(uicc, failure);
    else
        r = channel_from_card(uicc, failure);
    if (outcome_of_loss(r))
        uicc_forget(uicc);
    return r;
}

static int session_begin_once(struct uicc *uicc, bool application, struct failure *failure) {
    int r;

    r = uicc->transport->ops->begin(uicc->transport, failure);
    if (r == UICC_E_RESET) {
        /* The transaction has begun, on a card that knows nothing of us. */
        uicc_forget(uicc);
        if (failure)
            failure_clear(failure);
    } else if (r != 0) {
        if (outcome_of_loss(r))
            uicc_forget(uicc);
        return r;
    }
    r = channel_ensure(uicc, failure);
    if (r == 0 && application && !uicc->selected)
        r = session_select_application(uicc, failure);
    if (r != 0)
        session_end(uicc);
    return r;
}

static int session_begin_any(struct uicc *uicc, bool application, struct failure *failure) {
    struct failure local = {0};
    int r = 0;

    for (unsigned attempt = 0; attempt < SESSION_ATTEMPTS; attempt++) {
        failure_clear(&local);
        r = session_begin_once(uicc, application, &local);
        if (r != UICC_E_RESET)
            break;
    }
    if (r != 0)
        failure_pass(failure, &local);
    return r;
}

int session_begin(struct uicc *uicc, struct failure *failure) {
    return session_begin_any(uicc, false, failure);
}

int session_begin_application(struct uicc *uicc, struct failure *failure) {
    return session_begin_any(uicc, true, failure);
}

void session_end(struct uicc *uicc) {
    /* On the basic channel, which is all that a SIM has, others select what they like as soon as we leave. */
    if (!uicc->has_channel || uicc->identity.application == UICC_SIM)
        uicc->selected = false;
    uicc->transport->ops->end(uicc->transport);
}

void session_close_channel(struct uicc *uicc) {
    struct transport *transport = uicc->transport;
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    struct apdu close = {.ins = 0x70, .p1 = 0x80, .p2 = uicc->channel, .le = APDU_NO_LE};

    if (!uicc->has_channel)
        return;
    if (transport->flags & TRANSPORT_CHANNELS)
        transport->ops->close_channel(transport, uicc->channel);
    else if (apdu_answer_init(&answer) == 0)
        (void)apdu_exchange(transport, &close, &answer, NULL);
    uicc->has_channel = false;
    uicc->selected = false;
    uicc->channel = 0;
}

int session_exchange(struct uicc *uicc, struct apdu *apdu, struct apdu_answer *answer,
                     struct failure *failure) {
    int r;

    apdu->cla = apdu_class(apdu->cla, uicc->channel);
    r = apdu_exchange(uicc->transport, apdu, answer, failure);
    if (outcome_of_loss(r))
        uicc_forget(uicc);
    else if (r == 0 && answer->sw >> 8 == 0x68)
        forget_session(
            uicc); /* our channel is not there, whoever closed it: the next session opens another */
    return r;
}

/* A SIM has a directory and no AID (TS 51.011 6.6). */
static int select_sim(struct uicc *uicc, struct failure *failure) {
    struct failure local = {0};
    struct fcp fcp;
    int r;

    r = file_select(uicc, FID_MF, "MF", &fcp, &local);
    if (r == 0)
        r = file_select(uicc, FID_DF_GSM, "DF_GSM", &fcp, &local);
    uicc->selected = r == 0;
    if (r == UICC_E_NOT_FOUND || r == UICC_E_STATUS)
        r = UICC_E_NO_APPLICATION;
    return local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
}

static int select_aid(struct uicc *uicc, struct fcp *ret, struct failure *failure) {
    const struct uicc_identity *identity = &uicc->identity;
    const char *name = uicc_application_name(identity->application);
    struct apdu select = {.ins = 0xa4,
                          .p1 = 0x04,
                          .p2 = 0x04,
                          .data = identity->aid,
                          .length = identity->aid_length,
                          .le = 0};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    struct failure local = {0};
    char what[16];
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = session_exchange(uicc, &select, &answer, failure);
    if (r != 0)
        return r;
    (void)snprintf(what, sizeof(what), "SELECT %s", name);
    r = apdu_status(answer.sw, what, &local);
    if (r == UICC_E_NOT_FOUND)
        r = UICC_E_NO_APPLICATION;
    if (r != 0)
        return failure_set(failure, r, "%s", local.text);
    if (fcp_parse(secret_data(answer.data), answer.length, ret) < 0)
        return failure_set(
            failure, UICC_E_MALFORMED,
            "The card's answer to SELECT %s (%zu octets) is not file control parameters", name,
            answer.length);
    return 0;
}

int session_select_application(struct uicc *uicc, struct failure *failure) {
    struct fcp fcp;
    int r;

    if (uicc->identity.application == UICC_SIM)
        return select_sim(uicc, failure);
    r = select_aid(uicc, &fcp, failure);
    if (r != 0)
        return r;
    uicc->selected = true;
    if (uicc->identity.pin != UICC_PIN_UNKNOWN)
        return 0;
    r = pin_learn(uicc, &fcp, failure);
    /* After a reset the PIN that was right is right again. */
    if (r == 0 && uicc->identity.pin == UICC_PIN_REQUIRED && uicc->pin_right)
        r = pin_present(uicc, failure);
    return r;
}
