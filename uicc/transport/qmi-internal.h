/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of uicc-qmi share. All of it runs in the GLib thread.
 */

#include <libqmi-glib.h>

#include "modem.h"

#define QMI_PROXY_NAME       "qmi-proxy" /* abstract; where libqmi looks for it, too */
#define QMI_SLOTS_MAX        5u /* session types name five */
#define QMI_APPLICATIONS_MAX 8u

/* The card that a slot has, as Get Card Status and its indication tell. */
struct qmi_slot {
    enum keystrap_card_state card;
    uint8_t usim[AID_MAX];
    size_t usim_length; /* 0 for none */
    uint8_t isim[AID_MAX];
    size_t isim_length;
};

struct qmi {
    struct modem modem; /* first: the operations get this and mean the whole */
    QmiDevice *device;  /* NULL while there is no connection */
    QmiClientUim *client;
    struct qmi_slot slots[QMI_SLOTS_MAX];
    size_t slot_count;
    uint8_t primary;     /* slot of the modem's own subscription, 1 to slot_count, 0 for none */
    uint8_t wanted_slot; /* by NEXT */
};

static inline struct qmi *qmi_of(struct modem *modem) {
    return (struct qmi *)modem;
}

/* --- qmi-command.c: one message to the UIM service and its answer -------------------------------------- */

/**
 * qmi_request_new() - a message of the UIM service, to be filled by qmi_request_tlv() and given to qmi_command()
 */
QmiMessage *qmi_request_new(struct qmi *qmi, uint16_t id);

/**
 * qmi_request_tlv() - append octets; with @prefix of 1 or 2, their count goes before them in as many octets
 */
void qmi_request_tlv(QmiMessage *request, uint8_t type, const void *data, size_t length,
                     unsigned prefix);

/**
 * qmi_request_u8() - append a number
 */
void qmi_request_u8(QmiMessage *request, uint8_t type, uint8_t value);

/**
 * qmi_command() - send @request, which is taken, and wait
 *
 * Return: the answer, to be given to qmi_message_done(), whatever result the modem gave: *@ret says; NULL where none
 * came.
 */
QmiMessage *qmi_command(struct qmi *qmi, QmiMessage *request, struct transport_result *ret);

/**
 * qmi_message_done() - erase and release; NULL is allowed. It may have held keys.
 */
void qmi_message_done(QmiMessage **message);

#define _cleanup_message_ __attribute__((cleanup(qmi_message_done)))

/**
 * qmi_answer_octets() - octets of a TLV that begins with their count in @prefix (1 or 2) octets; at most @size of them
 *
 * Return: false where it is missing, too long, or shorter than it says.
 */
bool qmi_answer_octets(QmiMessage *answer, uint8_t type, unsigned prefix, uint8_t *ret,
                       size_t size, size_t *ret_length);

/**
 * qmi_answer_u8(), qmi_answer_status_word() - a number; the card's SW1 SW2. False where missing or of another length.
 */
bool qmi_answer_u8(QmiMessage *answer, uint8_t type, uint8_t *ret);
bool qmi_answer_status_word(QmiMessage *answer, uint8_t type, uint8_t ret[2]);

/**
 * qmi_failed() - what an error of libqmi means, the modem's own among them; a modem that is gone is lost, one that gave
 * no answer is looked at before it is asked again
 */
void qmi_failed(struct qmi *qmi, const GError *error, struct transport_result *ret);

/* --- qmi-connection.c: operations of struct modem_ops ---------------------------------------------------- */

void qmi_connect(struct modem *modem, struct transport_result *ret);
void qmi_drop(struct modem *modem, bool gone);

/* --- qmi-card.c: which card is where ----------------------------------------------------------------- */

/**
 * qmi_card_watch() - ask the modem for indications, then look what is there
 */
void qmi_card_watch(struct qmi *qmi, struct transport_result *ret);

/* Operations of struct modem_ops. */
void qmi_look(struct modem *modem, struct transport_result *ret);
bool qmi_next(struct modem *modem);

/* --- qmi-channel-raw.c or qmi-channel-typed.c: the messages for channels, as this libqmi has them ------------ */

/* What Open Logical Channel answered. */
struct qmi_opened {
    uint8_t channel; /* 0 where it told of none */
    bool has_status_word;
    uint8_t status_word[2]; /* the card's, to SELECT */
    uint8_t response[APDU_RESPONSE_MAX - 2];
    size_t response_length;
};

/**
 * qmi_message_open() - what the modem told is in *@ret_opened, also where the result is that it could not
 */
void qmi_message_open(struct qmi *qmi, const uint8_t *aid, size_t aid_length,
                      struct qmi_opened *ret_opened, struct transport_result *ret);
void qmi_message_close(struct qmi *qmi, uint8_t channel, struct transport_result *ret);

/* --- qmi-channel.c: logical channels and commands on them; operations of struct modem_ops ------------------ */

void qmi_open_channel(struct modem *modem, const uint8_t *aid, size_t aid_length,
                      uint8_t *ret_channel, uint8_t ret_response[APDU_RESPONSE_MAX],
                      size_t *ret_length, struct transport_result *ret);
void qmi_close_channel(struct modem *modem, uint8_t channel, struct transport_result *ret);
void qmi_transmit(struct modem *modem, uint8_t channel, const uint8_t *command,
                  size_t command_length, uint8_t ret_response[APDU_RESPONSE_MAX],
                  size_t *ret_length, struct transport_result *ret);

/* --- qmi-aka.c: AKA that the modem runs; operations of struct modem_ops ------------------------------------- */

void qmi_identity(struct modem *modem, struct transport_card *ret_card,
                  struct transport_result *ret);
void qmi_authenticate(struct modem *modem, const uint8_t *aid, size_t aid_length, uint8_t p2,
                      const uint8_t *data, size_t data_length,
                      uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                      struct transport_result *ret);
