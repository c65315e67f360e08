/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * keystrap-lab qmi-modem, for its own files: modem-qmi.c has the frames, the control service, channels and
 * AUTHENTICATE; modem-qmi-card.c what else UIM has to say of the card and its slots, and the device service.
 */

#include "modem.h"

enum {
    QMI_ERROR_MALFORMED = 1,
    QMI_ERROR_INTERNAL = 3,
    QMI_ERROR_CIDS_EXHAUSTED = 5,
    QMI_ERROR_INVALID_CID = 7,
    QMI_ERROR_INCORRECT_PIN = 12,
    QMI_ERROR_NO_EFFECT = 26,
    QMI_ERROR_PIN_BLOCKED = 35,
    QMI_ERROR_INVALID_ARGUMENT = 48,
    QMI_ERROR_INSUFFICIENT_RESOURCES = 68,
    QMI_ERROR_INVALID_COMMAND = 71,
    QMI_ERROR_FILE_NOT_FOUND = 80,
    QMI_ERROR_NO_SIM = 102,

    QMI_UIM_READ_TRANSPARENT = 0x0020,
    QMI_UIM_READ_RECORD = 0x0021,
    QMI_UIM_FILE_ATTRIBUTES = 0x0024,
    QMI_UIM_VERIFY_PIN = 0x0026,
    QMI_UIM_CARD_STATUS = 0x002f,
    QMI_UIM_POWER_OFF = 0x0030,
    QMI_UIM_POWER_ON = 0x0031,
    QMI_UIM_PROVISIONING = 0x0038,
    QMI_UIM_SWITCH_SLOT = 0x0046,
    QMI_UIM_SLOT_STATUS = 0x0047,
};

/* The fields of an answer. */
struct qmi_fields {
    uint8_t data[1024];
    size_t length;
};

unsigned qmi_u16(const uint8_t *at);

/* Appends a field, or leaves it out where there is no room. */
void qmi_put(struct qmi_fields *to, uint8_t type, const void *value, size_t length);

/* The same with the count of the value's octets before them, in PREFIX octets: one or two. */
void qmi_put_counted(struct qmi_fields *to, uint8_t type, const uint8_t *value, size_t length,
                     unsigned prefix);

/* The result that each answer has; ERROR 0 is success. */
void qmi_put_result(struct qmi_fields *to, unsigned error);

/* The field of a request; NULL where it is missing or shorter than MIN octets. */
const uint8_t *qmi_get(const uint8_t *fields, size_t length, uint8_t type, size_t min,
                       size_t *ret_length);

/* The application of a session; NULL for the modem's own, which is the USIM. False where there is none such. */
bool qmi_session_application(struct modem *modem, const uint8_t *session, size_t length,
                             const struct modem_application **ret);

/* What Get Card Status and its indication have to say, and Get Slot Status and its own. */
void qmi_put_card_status(struct modem *modem, struct qmi_fields *out);
void qmi_put_slot_status(struct modem *modem, struct qmi_fields *out);

/* A message of UIM that modem-qmi-card.c knows; false, with nothing done, where it does not. */
bool qmi_card_message(struct modem *modem, unsigned message, const uint8_t *in, size_t length,
                      struct qmi_fields *out);

/* A message of the device service: identities and operating mode. */
void qmi_device_message(unsigned message, struct qmi_fields *out);
