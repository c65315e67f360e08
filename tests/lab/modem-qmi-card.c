/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab qmi-modem: what UIM says of the card beside channels and AUTHENTICATE (files, PIN, power), of the slots
 * of the modem, and the few words of the device service that a client begins with.
 */
#include <string.h>

#include "modem-qmi.h"

enum {
    DMS_GET_IDS = 0x0025,
    DMS_GET_OPERATING_MODE = 0x002d,

    SESSION_CARD_SLOT_1 = 6,
    PIN1 = 1,

    PIN_ENABLED_NOT_VERIFIED = 1,
    PIN_ENABLED_VERIFIED = 2,
    PIN_DISABLED = 3,
    PIN_BLOCKED = 4,

    STATE_PIN_REQUIRED = 2,
    STATE_PUK_REQUIRED = 3,
    STATE_READY = 7,

    FILE_TRANSPARENT = 0,
    FILE_LINEAR_FIXED = 2,
    FILE_DEDICATED = 3,

    TAG_DESCRIPTOR = 0x82,
    TAG_SIZE = 0x80,
    ICCID_OCTETS = 10,
};

static void put_u32(uint8_t *to, unsigned value) {
    for (unsigned i = 0; i < 4; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

static void put_status_word(struct qmi_fields *out, uint8_t type, const uint8_t *reply,
                            size_t length) {
    if (length >= 2)
        qmi_put(out, type, reply + length - 2, 2);
}

static bool succeeded(const uint8_t *reply, size_t length) {
    return length >= 2 && reply[length - 2] == 0x90;
}

/* --- The card --------------------------------------------------------------------------------------------- */

static uint8_t pin_state(const struct modem *modem) {
    if (!modem->options->card.pin_enabled)
        return PIN_DISABLED;
    if (card_memory(modem->card)->pin_retries == 0)
        return PIN_BLOCKED;
    return modem->pin_verified ? PIN_ENABLED_VERIFIED : PIN_ENABLED_NOT_VERIFIED;
}

static size_t put_application(const struct modem *modem, uint8_t *to, uint8_t type,
                              const struct modem_application *from) {
    const uint8_t pin = pin_state(modem);
    const uint8_t state = pin == PIN_BLOCKED                ? STATE_PUK_REQUIRED
                          : pin == PIN_ENABLED_NOT_VERIFIED ? STATE_PIN_REQUIRED
                                                            : STATE_READY;
    const uint8_t retries = (uint8_t)card_memory(modem->card)->pin_retries;
    const uint8_t head[] = {type, state, 0, 0, 0, 0, (uint8_t)from->length};
    const uint8_t pins[] = {0, pin, retries, 10, PIN_DISABLED, 3, 10};

    if (from->length == 0)
        return 0;
    memcpy(to, head, sizeof(head));
    memcpy(to + sizeof(head), from->aid, from->length);
    memcpy(to + sizeof(head) + from->length, pins, sizeof(pins));
    return sizeof(head) + from->length + sizeof(pins);
}

void qmi_put_card_status(struct modem *modem, struct qmi_fields *out) {
    uint8_t value[256] = {0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, modem->present};
    const bool usim = modem->present && modem->usim.length > 0;
    const bool isim = modem->present && modem->isim.length > 0;
    size_t at = 14;

    if (!usim)
        value[0] = value[1] = 0xff;
    value[at++] = (uint8_t)(usim + isim);
    if (usim)
        at += put_application(modem, value + at, 2, &modem->usim);
    if (isim)
        at += put_application(modem, value + at, 5, &modem->isim);
    qmi_put(out, 0x10, value, at);
}

static void verify_pin(struct modem *modem, const uint8_t *in, size_t length,
                       struct qmi_fields *out) {
    uint8_t command[13] = {0x00, 0x20, 0x00, 0x01, 8}, reply[CARD_REPLY_MAX];
    size_t n = 0, answer;
    const uint8_t *pin = qmi_get(in, length, 0x02, 2, &n);
    uint8_t left[] = {0, 10};

    if (!pin || pin[0] != PIN1 || pin[1] > 8 || pin[1] + 2u > n) {
        qmi_put_result(out, QMI_ERROR_INVALID_ARGUMENT);
        return;
    }
    memset(command + 5, 0xff, 8);
    memcpy(command + 5, pin + 2, pin[1]);
    answer = modem_transmit(modem, command, sizeof(command), reply);
    explicit_bzero(command, sizeof(command));
    left[0] = (uint8_t)card_memory(modem->card)->pin_retries;
    if (succeeded(reply, answer)) {
        qmi_put_result(out, 0);
        return;
    }
    qmi_put_result(out, left[0] > 0 ? QMI_ERROR_INCORRECT_PIN : QMI_ERROR_PIN_BLOCKED);
    qmi_put(out, 0x10, left, sizeof(left));
    put_status_word(out, 0x13, reply, answer);
}

static void power(struct modem *modem, bool on, struct qmi_fields *out) {
    qmi_put_result(out, modem->present == on ? QMI_ERROR_NO_EFFECT : 0);
    if (modem->present == on)
        return;
    if (on)
        modem_card_in(modem);
    else
        modem_card_out(modem);
}

/* --- Files ------------------------------------------------------------------------------------------------ */

/* The file of a request: its identifier, and the application that it is in (NULL: in the MF). */
static bool get_file(struct modem *modem, const uint8_t *in, size_t length,
                     const struct modem_application **ret_application, uint16_t *ret_file) {
    const struct modem_application *application = NULL;
    size_t n = 0, m = 0;
    const uint8_t *session = qmi_get(in, length, 0x01, 2, &n),
                  *file = qmi_get(in, length, 0x02, 3, &m);

    if (!session || !file || file[2] + 3u > m ||
        (session[0] != SESSION_CARD_SLOT_1 &&
         !qmi_session_application(modem, session, n, &application)))
        return false;
    /* The path is of the MF alone, or ends in the application. */
    if (file[2] <= 2)
        application = NULL;
    else if (!application)
        application = &modem->usim;
    *ret_application = application;
    *ret_file = (uint16_t)qmi_u16(file);
    return true;
}

/* READ BINARY of all, or (RECORD over 0) READ RECORD. */
static void read_file(struct modem *modem, const uint8_t *in, size_t length, uint8_t record,
                      struct qmi_fields *out) {
    const uint8_t command[] = {0x00, record > 0 ? 0xb2 : 0xb0, record, record > 0 ? 0x04 : 0x00, 0};
    const struct modem_application *application;
    uint8_t reply[CARD_REPLY_MAX];
    uint16_t file;
    size_t n;

    if (!get_file(modem, in, length, &application, &file)) {
        qmi_put_result(out, QMI_ERROR_INVALID_ARGUMENT);
        return;
    }
    n = modem_on_file(modem, application, file, command, sizeof(command), reply);
    qmi_put_result(out, succeeded(reply, n) ? 0 : QMI_ERROR_FILE_NOT_FOUND);
    put_status_word(out, 0x10, reply, n);
    if (n > 2)
        qmi_put_counted(out, 0x11, reply, n - 2, 2);
    explicit_bzero(reply, sizeof(reply));
}

static void read_record(struct modem *modem, const uint8_t *in, size_t length,
                        struct qmi_fields *out) {
    size_t n;
    const uint8_t *record = qmi_get(in, length, 0x03, 4, &n);

    if (record && qmi_u16(record) > 0 && qmi_u16(record) < 255)
        read_file(modem, in, length, record[0], out);
    else
        qmi_put_result(out, QMI_ERROR_INVALID_ARGUMENT);
}

/* A field of an FCP template; NULL where it has none such. */
static const uint8_t *fcp_field(const uint8_t *fcp, size_t length, uint8_t tag, size_t min) {
    for (size_t at = 2; at + 2 <= length && at + 2 + fcp[at + 1] <= length;
         at += 2u + fcp[at + 1]) {
        if (fcp[at] == tag && fcp[at + 1] >= min)
            return fcp + at + 2;
    }
    return NULL;
}

/* Size, identifier, kind, size and number of records, five access conditions (always), and the template itself. */
static void put_attributes(struct qmi_fields *out, uint16_t file, const uint8_t *fcp,
                           size_t length) {
    uint8_t value[9 + 15 + 2 + CARD_REPLY_MAX] = {0};
    const uint8_t *descriptor = fcp_field(fcp, length, TAG_DESCRIPTOR, 2),
                  *size = fcp_field(fcp, length, TAG_SIZE, 2);
    const uint8_t *records = fcp_field(fcp, length, TAG_DESCRIPTOR, 5);

    if (size) {
        value[0] = size[1];
        value[1] = size[0];
    }
    value[2] = (uint8_t)file;
    value[3] = (uint8_t)(file >> 8);
    value[4] = records                                        ? FILE_LINEAR_FIXED
               : descriptor && (descriptor[0] & 0x38) == 0x38 ? FILE_DEDICATED
                                                              : FILE_TRANSPARENT;
    if (records) {
        value[5] = records[3];
        value[6] = records[2];
        value[7] = records[4];
    }
    value[24] = (uint8_t)length;
    value[25] = (uint8_t)(length >> 8);
    memcpy(value + 26, fcp, length);
    qmi_put(out, 0x11, value, 26 + length);
}

static void file_attributes(struct modem *modem, const uint8_t *in, size_t length,
                            struct qmi_fields *out) {
    const struct modem_application *application;
    uint8_t reply[CARD_REPLY_MAX];
    uint16_t file;
    size_t n;

    if (!get_file(modem, in, length, &application, &file)) {
        qmi_put_result(out, QMI_ERROR_INVALID_ARGUMENT);
        return;
    }
    n = modem_on_file(modem, application, file, NULL, 0, reply);
    qmi_put_result(out, succeeded(reply, n) ? 0 : QMI_ERROR_FILE_NOT_FOUND);
    put_status_word(out, 0x10, reply, n);
    if (succeeded(reply, n))
        put_attributes(out, file, reply, n - 2);
}

/* --- Slots ------------------------------------------------------------------------------------------------ */

/* The digits of EF_ICCID, the low one of each octet first. */
static void put_iccid(uint8_t to[ICCID_OCTETS], const char *digits) {
    const size_t length = strlen(digits);

    for (size_t i = 0; i < 2 * (size_t)ICCID_OCTETS; i++) {
        const unsigned digit = i < length ? (unsigned)(digits[i] - '0') : 0x0f;

        to[i / 2] = (uint8_t)(i % 2 == 0 ? digit : to[i / 2] | digit << 4);
    }
}

/* The state of the card in a slot, whether it is the slot in use, and the card's number. */
static size_t put_slot(uint8_t *to, bool present, bool active,
                       const struct lab_subscriber *subscriber) {
    put_u32(to, present ? 2 : 1);
    put_u32(to + 4, active);
    to[8] = active;
    to[9] = present ? ICCID_OCTETS : 0;
    if (present)
        put_iccid(to + 10, subscriber->iccid);
    return 10u + to[9];
}

void qmi_put_slot_status(struct modem *modem, struct qmi_fields *out) {
    uint8_t value[1 + 2 * (10 + ICCID_OCTETS)] = {modem->other ? 2 : 1};
    size_t at = 1;

    for (unsigned slot = 1; slot <= value[0]; slot++) {
        const bool active = slot == modem->slot;

        at += put_slot(value + at, active ? modem->present : modem->other_present, active,
                       active ? modem->subscriber : modem->other_subscriber);
    }
    qmi_put(out, 0x10, value, at);
}

static void switch_slot(struct modem *modem, const uint8_t *in, size_t length,
                        struct qmi_fields *out) {
    size_t n;
    const uint8_t *logical = qmi_get(in, length, 0x01, 1, &n),
                  *physical = qmi_get(in, length, 0x02, 4, &n);

    if (!logical || logical[0] != 1 || !physical || physical[0] < 1 ||
        physical[0] > (modem->other ? 2 : 1)) {
        qmi_put_result(out, QMI_ERROR_INVALID_ARGUMENT);
        return;
    }
    qmi_put_result(out, physical[0] == modem->slot ? QMI_ERROR_NO_EFFECT : 0);
    (void)modem_switch_slot(modem, physical[0]);
}

/* --- Messages --------------------------------------------------------------------------------------------- */

bool qmi_card_message(struct modem *modem, unsigned message, const uint8_t *in, size_t length,
                      struct qmi_fields *out) {
    switch (message) {
    case QMI_UIM_READ_TRANSPARENT:
        read_file(modem, in, length, 0, out);
        return true;
    case QMI_UIM_READ_RECORD:
        read_record(modem, in, length, out);
        return true;
    case QMI_UIM_FILE_ATTRIBUTES:
        file_attributes(modem, in, length, out);
        return true;
    case QMI_UIM_VERIFY_PIN:
        verify_pin(modem, in, length, out);
        return true;
    case QMI_UIM_CARD_STATUS:
        qmi_put_result(out, 0);
        qmi_put_card_status(modem, out);
        return true;
    case QMI_UIM_SLOT_STATUS:
        qmi_put_result(out, 0);
        qmi_put_slot_status(modem, out);
        return true;
    case QMI_UIM_SWITCH_SLOT:
        switch_slot(modem, in, length, out);
        return true;
    case QMI_UIM_POWER_OFF:
    case QMI_UIM_POWER_ON:
        power(modem, message == QMI_UIM_POWER_ON, out);
        return true;
    case QMI_UIM_PROVISIONING: /* the USIM is the modem's from the start, and stays it */
        qmi_put_result(out, 0);
        return true;
    default:
        return false;
    }
}

void qmi_device_message(unsigned message, struct qmi_fields *out) {
    static const char imei[] = "004401112222228";
    const uint8_t online = 0;

    qmi_put_result(out, message == DMS_GET_IDS || message == DMS_GET_OPERATING_MODE
                            ? 0
                            : QMI_ERROR_INVALID_COMMAND);
    if (message == DMS_GET_IDS)
        qmi_put(out, 0x11, imei, sizeof(imei) - 1);
    if (message == DMS_GET_OPERATING_MODE)
        qmi_put(out, 0x01, &online, 1);
}
