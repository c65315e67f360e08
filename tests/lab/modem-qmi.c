/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab qmi-modem: QMI, the UIM service of it, and what a client of qmi-proxy says to it.
 *
 * A frame: 01, length (u16, little-endian as all here), flags, service, client; then flags, transaction (one octet for
 * service 0, else two), message (u16), length of the fields (u16); fields of type, length (u16) and value.
 */
#include <stdio.h>
#include <string.h>

#include "modem-qmi.h"

enum {
    SERVICE_CTL = 0x00,
    SERVICE_DMS = 0x02,
    SERVICE_UIM = 0x0b,

    CTL_VERSION_INFO = 0x0021,
    CTL_ALLOCATE = 0x0022,
    CTL_RELEASE = 0x0023,
    CTL_SYNC = 0x0027,
    CTL_PROXY_OPEN = 0xff00,

    UIM_RESET = 0x0000,
    UIM_REFRESH_REGISTER = 0x002a,
    UIM_REFRESH_COMPLETE = 0x002c,
    UIM_REGISTER_EVENTS = 0x002e,
    UIM_CARD_STATUS_INDICATION = 0x0032,
    UIM_REFRESH_INDICATION = 0x0033,
    UIM_AUTHENTICATE = 0x0034,
    UIM_SEND_APDU = 0x003b,
    UIM_LOGICAL_CHANNEL = 0x003f,
    UIM_OPEN_CHANNEL = 0x0042,
    UIM_REFRESH_REGISTER_ALL = 0x0044,
    UIM_SLOT_STATUS_INDICATION = 0x0048,

    SESSION_PRIMARY = 0,
    CID_BROADCAST = 0xff,
};

unsigned qmi_u16(const uint8_t *at) {
    return (unsigned)(at[0] | at[1] << 8);
}

void qmi_put(struct qmi_fields *to, uint8_t type, const void *value, size_t length) {
    uint8_t *at = to->data + to->length;

    if (to->length + 3 + length > sizeof(to->data))
        return;
    at[0] = type;
    at[1] = (uint8_t)length;
    at[2] = (uint8_t)(length >> 8);
    memcpy(at + 3, value, length);
    to->length += 3 + length;
}

void qmi_put_counted(struct qmi_fields *to, uint8_t type, const uint8_t *value, size_t length,
                     unsigned prefix) {
    uint8_t counted[2 + CARD_REPLY_MAX] = {(uint8_t)length};

    if (prefix == 2)
        counted[1] = (uint8_t)(length >> 8);
    memcpy(counted + prefix, value, length);
    qmi_put(to, type, counted, prefix + length);
    explicit_bzero(counted, sizeof(counted));
}

void qmi_put_result(struct qmi_fields *to, unsigned error) {
    const uint8_t value[] = {error != 0, 0, (uint8_t)error, (uint8_t)(error >> 8)};

    qmi_put(to, 0x02, value, sizeof(value));
}

const uint8_t *qmi_get(const uint8_t *fields, size_t length, uint8_t type, size_t min,
                       size_t *ret_length) {
    for (size_t at = 0; at + 3 <= length; at += 3 + qmi_u16(fields + at + 1)) {
        const size_t n = qmi_u16(fields + at + 1);

        if (at + 3 + n > length)
            return NULL;
        if (fields[at] == type && n >= min) {
            *ret_length = n;
            return fields + at + 3;
        }
    }
    return NULL;
}

/* HEAD is service, client, flags, transaction and message. */
static void send_frame(struct modem *modem, struct modem_client *client, const uint8_t *head,
                       size_t head_length, const struct qmi_fields *fields) {
    const size_t length = 4 + head_length + 2 + fields->length;
    uint8_t frame[1100] = {0x01, (uint8_t)(length - 1), (uint8_t)((length - 1) >> 8), 0x80};

    memcpy(frame + 4, head, head_length);
    frame[4 + head_length] = (uint8_t)fields->length;
    frame[5 + head_length] = (uint8_t)(fields->length >> 8);
    memcpy(frame + 6 + head_length, fields->data, fields->length);
    modem_send(modem, client, frame, length);
    explicit_bzero(frame, sizeof(frame));
}

/* --- The control service ---------------------------------------------------------------------------------- */

static void allocate(struct modem *modem, const uint8_t *in, size_t length,
                     struct qmi_fields *out) {
    size_t n;
    const uint8_t *service = qmi_get(in, length, 0x01, 1, &n);

    if (service && *service != SERVICE_DMS && *service != SERVICE_UIM) {
        qmi_put_result(out, QMI_ERROR_INVALID_ARGUMENT);
        return;
    }
    for (uint8_t cid = 1; service && cid <= MODEM_CIDS_MAX; cid++)
        if (!modem->cids[cid]) {
            const uint8_t given[] = {*service, cid};

            modem->cids[cid] = *service;
            qmi_put_result(out, 0);
            qmi_put(out, 0x01, given, sizeof(given));
            return;
        }
    qmi_put_result(out, service ? QMI_ERROR_CIDS_EXHAUSTED : QMI_ERROR_MALFORMED);
}

static void release(struct modem *modem, const uint8_t *in, size_t length, struct qmi_fields *out) {
    size_t n;
    const uint8_t *given = qmi_get(in, length, 0x01, 2, &n);

    if (!given || given[1] > MODEM_CIDS_MAX || modem->cids[given[1]] != given[0]) {
        qmi_put_result(out, QMI_ERROR_INVALID_CID);
        return;
    }
    modem->cids[given[1]] = 0;
    qmi_put_result(out, 0);
    qmi_put(out, 0x01, given, 2);
}

static void version_info(struct qmi_fields *out) {
    static const uint8_t services[] = {3, SERVICE_CTL, 1, 0,           5, 0, SERVICE_DMS, 1,
                                       0, 14,          0, SERVICE_UIM, 1, 0, 46,          0};

    qmi_put_result(out, 0);
    qmi_put(out, 0x01, services, sizeof(services));
}

static void control(struct modem *modem, struct modem_client *client, const uint8_t *frame,
                    unsigned message, const uint8_t *in, size_t length) {
    const uint8_t head[] = {SERVICE_CTL, 0, 0x01, frame[7], frame[8], frame[9]};
    struct qmi_fields out = {0};

    if (message == CTL_ALLOCATE)
        allocate(modem, in, length, &out);
    else if (message == CTL_RELEASE)
        release(modem, in, length, &out);
    else if (message == CTL_VERSION_INFO)
        version_info(&out);
    else if (message == CTL_SYNC || message == CTL_PROXY_OPEN)
        qmi_put_result(&out, 0);
    else
        qmi_put_result(&out, QMI_ERROR_INVALID_COMMAND);
    send_frame(modem, client, head, sizeof(head), &out);
}

/* --- UIM -------------------------------------------------------------------------------------------------- */

static void put_status_word(struct qmi_fields *out, const uint8_t *reply, size_t length) {
    if (length >= 2)
        qmi_put(out, 0x10, reply + length - 2, 2);
}

static void open_channel(struct modem *modem, const uint8_t *in, size_t length,
                         struct qmi_fields *out) {
    uint8_t reply[CARD_REPLY_MAX];
    size_t n = 0, answer = 0;
    const uint8_t *aid = qmi_get(in, length, 0x10, 1, &n);
    uint8_t channel;

    if (!aid || aid[0] + 1u > n || aid[0] > MODEM_AID_MAX) {
        qmi_put_result(out, QMI_ERROR_INVALID_ARGUMENT);
        return;
    }
    channel = (uint8_t)modem_open(modem, aid + 1, aid[0], reply, &answer);
    qmi_put_result(out, channel > 0 ? 0
                        : answer == 2 && reply[0] == 0x6a && reply[1] == 0x81
                            ? QMI_ERROR_INSUFFICIENT_RESOURCES
                            : QMI_ERROR_INTERNAL);
    if (channel > 0)
        qmi_put(out, 0x10, &channel, 1);
    if (answer >= 2) {
        qmi_put(out, 0x11, reply + answer - 2, 2);
        qmi_put_counted(out, 0x12, reply, answer - 2, 1);
    }
}

static void send_apdu(struct modem *modem, const uint8_t *in, size_t length,
                      struct qmi_fields *out) {
    uint8_t reply[CARD_REPLY_MAX];
    size_t n = 0, ignored, answer;
    const uint8_t *apdu = qmi_get(in, length, 0x02, 2, &n),
                  *channel = qmi_get(in, length, 0x10, 1, &ignored);

    if (!apdu || qmi_u16(apdu) + 2u > n ||
        (channel && !card_channel_is_open(modem->card, *channel))) {
        qmi_put_result(out, QMI_ERROR_INVALID_ARGUMENT);
        return;
    }
    answer = modem_transmit_on(modem, channel ? *channel : 0, apdu + 2, qmi_u16(apdu), reply);
    qmi_put_result(out, answer > 0 ? 0 : QMI_ERROR_INTERNAL);
    if (answer > 0)
        qmi_put_counted(out, 0x10, reply, answer, 2);
    explicit_bzero(reply, sizeof(reply));
}

static void close_channel(struct modem *modem, const uint8_t *in, size_t length,
                          struct qmi_fields *out) {
    size_t n;
    const uint8_t *channel = qmi_get(in, length, 0x11, 1, &n);

    qmi_put_result(out, channel && modem_close(modem, *channel) ? 0 : QMI_ERROR_INVALID_ARGUMENT);
}

bool qmi_session_application(struct modem *modem, const uint8_t *session, size_t length,
                             const struct modem_application **ret) {
    *ret = NULL;
    if (session[0] == SESSION_PRIMARY)
        return true;
    if (session[1] + 2u > length || session[1] < 7)
        return false;
    *ret = session[8] == 0x04 ? &modem->isim : &modem->usim;
    return (*ret)->length > 0;
}

static void authenticate(struct modem *modem, const uint8_t *in, size_t length,
                         struct qmi_fields *out) {
    static const uint8_t contexts[] = {[2] = 0x80, [3] = 0x81, [5] = 0x84, [6] = 0x84, [11] = 0x81};
    const struct modem_application *application;
    uint8_t reply[CARD_REPLY_MAX];
    size_t n = 0, m = 0, answer;
    const uint8_t *session = qmi_get(in, length, 0x01, 2, &n),
                  *data = qmi_get(in, length, 0x02, 3, &m);

    if (!session || !data || qmi_u16(data + 1) + 3u > m || qmi_u16(data + 1) > 255 ||
        data[0] >= sizeof(contexts) || contexts[data[0]] == 0 ||
        !qmi_session_application(modem, session, n, &application)) {
        qmi_put_result(out, QMI_ERROR_INVALID_ARGUMENT);
        return;
    }
    answer = modem_authenticate(modem, application, contexts[data[0]], data + 3, qmi_u16(data + 1),
                                reply);
    qmi_put_result(out, answer >= 2 && reply[answer - 2] == 0x90 ? 0 : QMI_ERROR_INTERNAL);
    put_status_word(out, reply, answer);
    if (answer > 2)
        qmi_put_counted(out, 0x11, reply, answer - 2, 2);
    explicit_bzero(reply, sizeof(reply));
}

static int operation_of(unsigned message) {
    switch (message) {
    case UIM_OPEN_CHANNEL:
        return MODEM_OPEN;
    case UIM_LOGICAL_CHANNEL:
        return MODEM_CLOSE;
    case UIM_SEND_APDU:
        return MODEM_APDU;
    case UIM_AUTHENTICATE:
        return MODEM_AUTHENTICATE;
    case QMI_UIM_READ_TRANSPARENT:
    case QMI_UIM_READ_RECORD:
    case QMI_UIM_FILE_ATTRIBUTES:
        return MODEM_READ;
    case QMI_UIM_VERIFY_PIN:
        return MODEM_PIN;
    case QMI_UIM_CARD_STATUS:
    case QMI_UIM_SLOT_STATUS:
        return MODEM_STATUS;
    default:
        return -1;
    }
}

/* What needs a card, on a modem that has none or refuses. True when the answer is that. */
static bool refuse(struct modem *modem, int operation, struct qmi_fields *out) {
    if (operation < 0)
        return false;
    if (modem->refusals[operation] != 0)
        qmi_put_result(out, modem->refusals[operation]);
    else if (operation != MODEM_STATUS && !modem->present)
        qmi_put_result(out, QMI_ERROR_NO_SIM);
    else
        return false;
    return true;
}

static void uim(struct modem *modem, unsigned message, const uint8_t *in, size_t length,
                struct qmi_fields *out) {
    if (refuse(modem, operation_of(message), out))
        return;
    switch (message) {
    case UIM_OPEN_CHANNEL:
        open_channel(modem, in, length, out);
        return;
    case UIM_LOGICAL_CHANNEL:
        close_channel(modem, in, length, out);
        return;
    case UIM_SEND_APDU:
        send_apdu(modem, in, length, out);
        return;
    case UIM_AUTHENTICATE:
        authenticate(modem, in, length, out);
        return;
    case UIM_RESET:
    case UIM_REGISTER_EVENTS:
    case UIM_REFRESH_REGISTER:
    case UIM_REFRESH_REGISTER_ALL:
    case UIM_REFRESH_COMPLETE:
        qmi_put_result(out, 0);
        return;
    default:
        if (!qmi_card_message(modem, message, in, length, out))
            qmi_put_result(out, QMI_ERROR_INVALID_COMMAND);
    }
}

static void serve(struct modem *modem, struct modem_client *client, const uint8_t *frame,
                  unsigned message, const uint8_t *in, size_t length) {
    const uint8_t head[] = {frame[4], frame[5], 0x02, frame[7], frame[8], frame[9], frame[10]};
    struct qmi_fields out = {0};

    if (frame[5] == 0 || frame[5] > MODEM_CIDS_MAX || modem->cids[frame[5]] != frame[4])
        qmi_put_result(&out, QMI_ERROR_INVALID_CID);
    else if (frame[4] == SERVICE_UIM)
        uim(modem, message, in, length, &out);
    else
        qmi_device_message(message, &out);
    send_frame(modem, client, head, sizeof(head), &out);
    explicit_bzero(&out, sizeof(out));
}

/* --- The protocol ------------------------------------------------------------------------------------------- */

static size_t whole(const uint8_t *in, size_t length) {
    if (in[0] != 0x01)
        return SIZE_MAX;
    if (length < 3)
        return 0;
    if (qmi_u16(in + 1) < 11 || qmi_u16(in + 1) + 1u > MODEM_MESSAGE_MAX)
        return SIZE_MAX;
    return length >= qmi_u16(in + 1) + 1u ? qmi_u16(in + 1) + 1u : 0;
}

static void take(struct modem *modem, struct modem_client *client, const uint8_t *frame,
                 size_t length) {
    const size_t id = frame[4] == SERVICE_CTL ? 8 : 9;
    size_t fields;

    if (length < id + 4)
        return;
    fields = qmi_u16(frame + id + 2);
    if (id + 4 + fields > length)
        return;
    if (frame[4] == SERVICE_CTL)
        control(modem, client, frame, qmi_u16(frame + id), frame + id + 4, fields);
    else
        serve(modem, client, frame, qmi_u16(frame + id), frame + id + 4, fields);
}

static void indicate(struct modem *modem, unsigned message, const struct qmi_fields *fields) {
    const uint8_t head[] = {SERVICE_UIM,      CID_BROADCAST,          0x04, 0, 0,
                            (uint8_t)message, (uint8_t)(message >> 8)};

    for (unsigned i = 0; i < MODEM_CLIENTS_MAX; i++)
        send_frame(modem, &modem->clients[i], head, sizeof(head), fields);
}

static void tell(struct modem *modem, bool refresh) {
    static const uint8_t ended[] = {2, 0, SESSION_PRIMARY, 0, 0, 0}; /* with success, by a reset */
    struct qmi_fields fields = {0};

    if (refresh) {
        qmi_put(&fields, 0x10, ended, sizeof(ended));
        indicate(modem, UIM_REFRESH_INDICATION, &fields);
        return;
    }
    qmi_put_card_status(modem, &fields);
    indicate(modem, UIM_CARD_STATUS_INDICATION, &fields);
    fields.length = 0;
    qmi_put_slot_status(modem, &fields);
    indicate(modem, UIM_SLOT_STATUS_INDICATION, &fields);
}

const struct modem_protocol modem_qmi = {
    .name = "qmi",
    .proxy = "qmi-proxy",
    .whole = whole,
    .take = take,
    .tell = tell,
};
