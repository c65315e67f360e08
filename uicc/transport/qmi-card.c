/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which card is in which slot of the modem, and when it became another one.
 *
 * A modem may have several slots, and its own subscription is in one of them. keystrapd uses that one, unless the
 * operator names another; no slot is ever switched, as that takes the gateway off the network.
 */

#include <stdio.h>
#include <string.h>

#include "qmi-internal.h"
#include "util.h"

#define NO_APPLICATION 0xffff /* as the index of the modem's own subscription */

static void take_aid(const GArray *aid, uint8_t *ret, size_t *ret_length) {
    if (*ret_length > 0 || !aid || aid->len == 0 || aid->len > AID_MAX)
        return;
    memcpy(ret, aid->data, aid->len);
    *ret_length = aid->len;
}

/*
 * libqmi has two structures of the same make for the answer to Get Card Status and for the indication; their elements
 * are taken one by one, so that no cast between them is needed.
 */
static void slot_set_card(struct qmi_slot *slot, QmiUimCardState state) {
    *slot = (struct qmi_slot){.card = KEYSTRAP_CARD_ABSENT};
    if (state == QMI_UIM_CARD_STATE_PRESENT)
        slot->card = KEYSTRAP_CARD_PRESENT;
    else if (state == QMI_UIM_CARD_STATE_ERROR)
        slot->card = KEYSTRAP_CARD_MUTE;
}

static void slot_add_application(struct qmi_slot *slot, QmiUimCardApplicationType type,
                                 const GArray *aid) {
    if (type == QMI_UIM_CARD_APPLICATION_TYPE_USIM)
        take_aid(aid, slot->usim, &slot->usim_length);
    else if (type == QMI_UIM_CARD_APPLICATION_TYPE_ISIM)
        take_aid(aid, slot->isim, &slot->isim_length);
}

static void set_primary(struct qmi *qmi, uint16_t index) {
    unsigned slot = index >> 8;

    qmi->primary = 0;
    if (index != NO_APPLICATION && slot < qmi->slot_count)
        qmi->primary = (uint8_t)(slot + 1);
}

static void take_answer(struct qmi *qmi, uint16_t primary, const GArray *cards) {
    qmi->slot_count = cards->len < QMI_SLOTS_MAX ? cards->len : QMI_SLOTS_MAX;
    for (guint i = 0; i < qmi->slot_count; i++) {
        const QmiMessageUimGetCardStatusOutputCardStatusCardsElement *card =
            &g_array_index(cards, QmiMessageUimGetCardStatusOutputCardStatusCardsElement, i);

        slot_set_card(&qmi->slots[i], card->card_state);
        for (guint j = 0; j < card->applications->len; j++) {
            const QmiMessageUimGetCardStatusOutputCardStatusCardsElementApplicationsElement
                *application = &g_array_index(
                    card->applications,
                    QmiMessageUimGetCardStatusOutputCardStatusCardsElementApplicationsElement, j);

            slot_add_application(&qmi->slots[i], application->type,
                                 application->application_identifier_value);
        }
    }
    set_primary(qmi, primary);
}

static void card_status_get(struct qmi *qmi, struct transport_result *ret) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};
    g_autoptr(QmiMessageUimGetCardStatusOutput) output = NULL;
    g_autoptr(GError) error = NULL;
    GArray *cards = NULL;
    guint16 primary;

    qmi_client_uim_get_card_status(qmi->client, NULL, modem_timeout_sec(&qmi->modem),
                                   qmi->modem.cancellable, glib_ready, &result);
    output = qmi_client_uim_get_card_status_finish(qmi->client, glib_await(&result), &error);
    if (!output || !qmi_message_uim_get_card_status_output_get_result(output, &error) ||
        !qmi_message_uim_get_card_status_output_get_card_status(output, &primary, NULL, NULL, NULL,
                                                                &cards, &error)) {
        transport_result_set(ret, KEYSTRAP_RESULT_SERVICE_ABSENT,
                             "the modem does not tell of its cards: %.150s", error->message);
        return;
    }
    take_answer(qmi, primary, cards);
}

/* What is new is asked for when nothing else is under way: an indication may come in the middle of a command. */
static void on_card_status(QmiClientUim *client, QmiIndicationUimCardStatusOutput *output,
                           gpointer data) {
    struct qmi *qmi = data;
    GArray *cards = NULL;

    (void)client;
    qmi->modem.changed = true;
    /* A card that is out and in again by the time we ask is another one all the same. */
    if (!qmi_indication_uim_card_status_output_get_card_status(output, NULL, NULL, NULL, NULL,
                                                               &cards, NULL) ||
        qmi->modem.slot == 0 || qmi->modem.slot > cards->len ||
        g_array_index(cards, QmiIndicationUimCardStatusOutputCardStatusCardsElement,
                      qmi->modem.slot - 1)
                .card_state != QMI_UIM_CARD_STATE_PRESENT)
        qmi->modem.gone = true;
}

static void on_slot_status(QmiClientUim *client, QmiIndicationUimSlotStatusOutput *output,
                           gpointer data) {
    struct qmi *qmi = data;

    (void)client;
    (void)output;
    qmi->modem.changed = true;
}

static void on_completed(GObject *source, GAsyncResult *result, gpointer data) {
    QmiMessageUimRefreshCompleteOutput *output =
        qmi_client_uim_refresh_complete_finish(QMI_CLIENT_UIM(source), result, NULL);

    (void)data;
    if (output)
        qmi_message_uim_refresh_complete_output_unref(output);
}

/* The modem waits for each client before it ends a refresh of files; one with a reset it does by itself. */
static void refresh_complete(struct qmi *qmi, QmiUimSessionType session, GArray *aid) {
    g_autoptr(QmiMessageUimRefreshCompleteInput) input =
        qmi_message_uim_refresh_complete_input_new();

    qmi_message_uim_refresh_complete_input_set_session(input, session, aid, NULL);
    qmi_message_uim_refresh_complete_input_set_info(input, TRUE, NULL);
    qmi_client_uim_refresh_complete(qmi->client, input, modem_timeout_sec(&qmi->modem), NULL,
                                    on_completed, NULL);
}

static void on_refresh(QmiClientUim *client, QmiIndicationUimRefreshOutput *output, gpointer data) {
    struct qmi *qmi = data;
    QmiUimRefreshStage stage;
    QmiUimRefreshMode mode;
    QmiUimSessionType session;
    GArray *aid = NULL;

    (void)client;
    if (!qmi_indication_uim_refresh_output_get_event(output, &stage, &mode, &session, &aid, NULL,
                                                     NULL))
        return;
    if (stage == QMI_UIM_REFRESH_STAGE_START && mode != QMI_UIM_REFRESH_MODE_RESET)
        refresh_complete(qmi, session, aid);
    /* Whatever was read of the card may have changed with it, the subscriber among it. */
    if (stage != QMI_UIM_REFRESH_STAGE_WAIT_FOR_OK)
        modem_card_changed(&qmi->modem);
}

static void register_events(struct qmi *qmi) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};
    g_autoptr(QmiMessageUimRegisterEventsInput) input = qmi_message_uim_register_events_input_new();
    g_autoptr(QmiMessageUimRegisterEventsOutput) output = NULL;

    qmi_message_uim_register_events_input_set_event_registration_mask(
        input,
        QMI_UIM_EVENT_REGISTRATION_FLAG_CARD_STATUS |
            QMI_UIM_EVENT_REGISTRATION_FLAG_PHYSICAL_SLOT_STATUS,
        NULL);
    qmi_client_uim_register_events(qmi->client, input, modem_timeout_sec(&qmi->modem),
                                   qmi->modem.cancellable, glib_ready, &result);
    output = qmi_client_uim_register_events_finish(qmi->client, glib_await(&result), NULL);
}

/* Without a vote: nobody's refresh waits for us. A modem that does not know this one tells of resets anyway. */
static void register_refresh(struct qmi *qmi) {
    _cleanup_result_ struct glib_result result = {.context = qmi->modem.thread.context};
    g_autoptr(QmiMessageUimRefreshRegisterAllInput) input =
        qmi_message_uim_refresh_register_all_input_new();
    g_autoptr(QmiMessageUimRefreshRegisterAllOutput) output = NULL;
    g_autoptr(GArray) aid = g_array_new(FALSE, FALSE, sizeof(guint8));

    qmi_message_uim_refresh_register_all_input_set_session(
        input, QMI_UIM_SESSION_TYPE_PRIMARY_GW_PROVISIONING, aid, NULL);
    qmi_message_uim_refresh_register_all_input_set_info(input, TRUE, NULL);
    qmi_client_uim_refresh_register_all(qmi->client, input, modem_timeout_sec(&qmi->modem),
                                        qmi->modem.cancellable, glib_ready, &result);
    output = qmi_client_uim_refresh_register_all_finish(qmi->client, glib_await(&result), NULL);
}

void qmi_card_watch(struct qmi *qmi, struct transport_result *ret) {
    g_signal_connect(qmi->client, "card-status", G_CALLBACK(on_card_status), qmi);
    g_signal_connect(qmi->client, "slot-status", G_CALLBACK(on_slot_status), qmi);
    g_signal_connect(qmi->client, "refresh", G_CALLBACK(on_refresh), qmi);
    register_events(qmi);
    register_refresh(qmi);
    qmi_look(&qmi->modem, ret);
}

/* The slot that the operator names, else the one that NEXT went to, else the modem's own, else the first with a card. */
static uint8_t choose_slot(const struct qmi *qmi) {
    if (qmi->modem.options.slot > 0)
        return qmi->modem.options.slot <= qmi->slot_count ? qmi->modem.options.slot : 0;
    if (qmi->wanted_slot > 0 && qmi->wanted_slot <= qmi->slot_count &&
        qmi->slots[qmi->wanted_slot - 1].card == KEYSTRAP_CARD_PRESENT)
        return qmi->wanted_slot;
    if (qmi->primary > 0)
        return qmi->primary;
    for (uint8_t slot = 1; slot <= qmi->slot_count; slot++)
        if (qmi->slots[slot - 1].card == KEYSTRAP_CARD_PRESENT)
            return slot;
    return qmi->slot_count > 0 ? 1 : 0;
}

static void report(struct qmi *qmi) {
    struct transport_report report = {.card = KEYSTRAP_CARD_READER_ABSENT, .token_length = 1};
    const struct transport_options *options = &qmi->modem.options;
    uint8_t slot = choose_slot(qmi);

    if (slot == 0)
        snprintf(report.text, sizeof(report.text),
                 "the modem has %zu active slots and slot %u is none of them; Slot= names another, "
                 "qmicli --uim-switch-slot makes it active",
                 qmi->slot_count, options->slot);
    else
        report.card = qmi->slots[slot - 1].card;
    snprintf(report.reader, sizeof(report.reader), "%.200s slot %u", options->device, slot);
    report.token[0] = qmi_client_get_cid(QMI_CLIENT(qmi->client));
    modem_report(&qmi->modem, slot, &report);
}

void qmi_look(struct modem *modem, struct transport_result *ret) {
    card_status_get(qmi_of(modem), ret);
    if (ret->code == KEYSTRAP_RESULT_OK)
        report(qmi_of(modem));
}

bool qmi_next(struct modem *modem) {
    struct qmi *qmi = qmi_of(modem);
    uint8_t slot;

    if (modem->options.slot > 0)
        return false;
    for (size_t i = 1; i < qmi->slot_count; i++) {
        slot = (uint8_t)((modem->slot - 1 + i) % qmi->slot_count + 1);
        if (qmi->slots[slot - 1].card == KEYSTRAP_CARD_PRESENT) {
            qmi->wanted_slot = slot;
            report(qmi);
            return true;
        }
    }
    return false;
}
