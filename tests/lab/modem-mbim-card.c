/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab mbim-modem: what Microsoft's low-level access says of the card beside channels and APDUs (applications,
 * files, reset, terminal capability), and what the modem says of itself and its slots.
 */
#include <string.h>

#include "modem-mbim.h"

enum {
    VERSION = 1,
    APPLICATION_USIM = 4,
    APPLICATION_ISIM = 6,

    SHAREABLE = 2,
    WORKING_FILE = 1,
    DIRECTORY = 3,
    TRANSPARENT = 1,
    LINEAR = 3,

    SLOT_OFF = 2,
    SLOT_EMPTY = 3,
    SLOT_ACTIVE = 5,

    TAG_SIZE = 0x80,
    TAG_DESCRIPTOR = 0x82,
};

/* --- Files ------------------------------------------------------------------------------------------------ */

/* The octets that a place and a size at AT in a request name. */
static const uint8_t *referred(const uint8_t *in, size_t length, size_t at, size_t max,
                               size_t *ret_length) {
    const uint32_t place = mbim_get(in + at), size = mbim_get(in + at + 4);

    if (size > max || place > length || size > length - place)
        return NULL;
    *ret_length = size;
    return in + place;
}

/* The file of a request: its application (NULL: it is in the MF) and its identifier, the last of its path. */
static bool get_file(struct modem *modem, const uint8_t *in, size_t length,
                     const struct modem_application **ret_application, uint16_t *ret_file) {
    size_t aid_length, path_length;
    const uint8_t *aid = referred(in, length, 4, MODEM_AID_MAX, &aid_length),
                  *path = referred(in, length, 12, 8, &path_length);

    if (!aid || !path || path_length < 4 || path_length % 2 != 0)
        return false;
    *ret_application = NULL;
    if (path[0] == 0x7f && path[1] == 0xff) {
        if (aid_length < 7)
            return false;
        *ret_application = aid[6] == 0x04 ? &modem->isim : &modem->usim;
        if ((*ret_application)->length == 0)
            return false;
    }
    *ret_file = (uint16_t)(path[path_length - 2] << 8 | path[path_length - 1]);
    return true;
}

static uint32_t run_on_file(struct modem *modem, const uint8_t *in, size_t length,
                            const uint8_t *command, size_t command_length,
                            uint8_t ret_reply[CARD_REPLY_MAX], size_t *ret_length) {
    const struct modem_application *application;
    uint16_t file;

    if (!get_file(modem, in, length, &application, &file))
        return MBIM_STATUS_INVALID_PARAMETERS;
    *ret_length = modem_on_file(modem, application, file, command, command_length, ret_reply);
    return *ret_length < 2 ? MBIM_STATUS_FAILURE : 0;
}

static void put_status_words(struct mbim_buffer *out, const uint8_t *reply, size_t length) {
    mbim_put(out, VERSION);
    mbim_put(out, reply[length - 2]);
    mbim_put(out, reply[length - 1]);
}

static uint32_t read_with(struct modem *modem, const uint8_t *in, size_t length,
                          const uint8_t command[5], struct mbim_buffer *out) {
    uint8_t reply[CARD_REPLY_MAX];
    size_t n = 0;
    const uint32_t status = run_on_file(modem, in, length, command, 5, reply, &n);

    if (status != 0)
        return status;
    put_status_words(out, reply, n);
    mbim_put(out, n > 2 ? 20 : 0);
    mbim_put(out, (uint32_t)n - 2);
    mbim_put_octets(out, reply, n - 2);
    explicit_bzero(reply, sizeof(reply));
    return 0;
}

/* One command to the card does: no file of this card is longer than it can give. */
static uint32_t read_binary(struct modem *modem, const uint8_t *in, size_t length,
                            struct mbim_buffer *out) {
    uint8_t command[5] = {0x00, 0xb0};
    uint32_t offset, size;

    if (length < 44)
        return MBIM_STATUS_INVALID_PARAMETERS;
    offset = mbim_get(in + 20);
    size = mbim_get(in + 24);
    if (offset > 0x7fff || size > 256)
        return MBIM_STATUS_INVALID_PARAMETERS;
    command[2] = (uint8_t)(offset >> 8);
    command[3] = (uint8_t)offset;
    command[4] = (uint8_t)size; /* 256 and "all of it" are both 00 */
    return read_with(modem, in, length, command, out);
}

static uint32_t read_record(struct modem *modem, const uint8_t *in, size_t length,
                            struct mbim_buffer *out) {
    uint8_t command[5] = {0x00, 0xb2, 0, 0x04};

    if (length < 40 || mbim_get(in + 20) < 1 || mbim_get(in + 20) > 254)
        return MBIM_STATUS_INVALID_PARAMETERS;
    command[2] = in[20];
    return read_with(modem, in, length, command, out);
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

/* Accessibility, type, structure, number of items and size of one; no access condition is told. */
static uint32_t file_status(struct modem *modem, const uint8_t *in, size_t length,
                            struct mbim_buffer *out) {
    uint8_t reply[CARD_REPLY_MAX];
    const uint8_t *descriptor, *records, *size;
    size_t n = 0;
    uint32_t status;
    bool directory;

    if (length < 20)
        return MBIM_STATUS_INVALID_PARAMETERS;
    status = run_on_file(modem, in, length, NULL, 0, reply, &n);
    if (status != 0)
        return status;
    descriptor = fcp_field(reply, n - 2, TAG_DESCRIPTOR, 2);
    records = fcp_field(reply, n - 2, TAG_DESCRIPTOR, 5);
    size = fcp_field(reply, n - 2, TAG_SIZE, 2);
    directory = descriptor && (descriptor[0] & 0x38) == 0x38;
    put_status_words(out, reply, n);
    mbim_put(out, descriptor ? SHAREABLE : 0);
    mbim_put(out, directory ? DIRECTORY : descriptor ? WORKING_FILE : 0);
    mbim_put(out, directory || !descriptor ? 0 : records ? LINEAR : TRANSPARENT);
    mbim_put(out, records ? records[4] : 1);
    mbim_put(out, records ? (uint32_t)(records[2] << 8 | records[3])
                  : size  ? (uint32_t)(size[0] << 8 | size[1])
                          : 0);
    for (unsigned i = 0; i < 4; i++)
        mbim_put(out, 0);
    return 0;
}

/* --- Applications ----------------------------------------------------------------------------------------- */

/* Type, places and sizes of AID and name, number, place and size of PIN references; then these themselves. */
static void put_application(struct mbim_buffer *out, uint32_t type, const char *name,
                            const struct modem_application *from) {
    static const uint8_t pins[] = {0x01};
    const uint32_t aid_place = 32, name_place = aid_place + MODEM_AID_MAX,
                   pins_place = name_place + 4;
    uint8_t aid[MODEM_AID_MAX] = {0};

    memcpy(aid, from->aid, from->length);
    mbim_put(out, type);
    mbim_put(out, aid_place);
    mbim_put(out, (uint32_t)from->length);
    mbim_put(out, name_place);
    mbim_put(out, 4);
    mbim_put(out, sizeof(pins));
    mbim_put(out, pins_place);
    mbim_put(out, sizeof(pins));
    mbim_put_octets(out, aid, sizeof(aid));
    mbim_put_octets(out, name, 4);
    mbim_put_octets(out, pins, sizeof(pins));
}

/* In the form that libmbim reads: a place and a size for each. Microsoft's text has them one behind the other. */
static void application_list(const struct modem *modem, struct mbim_buffer *out) {
    const bool usim = modem->usim.length > 0, isim = modem->isim.length > 0;
    const uint32_t each = 32 + MODEM_AID_MAX + 4 + 4, count = (uint32_t)usim + isim;

    mbim_put(out, VERSION);
    mbim_put(out, count);
    mbim_put(out, count > 0 ? 0 : UINT32_MAX);
    mbim_put(out, count * (8 + each));
    for (uint32_t i = 0; i < count; i++) {
        mbim_put(out, 16 + 8 * count + i * each);
        mbim_put(out, each);
    }
    if (usim)
        put_application(out, APPLICATION_USIM, "USIM", &modem->usim);
    if (isim)
        put_application(out, APPLICATION_ISIM, "ISIM", &modem->isim);
}

/* --- Commands --------------------------------------------------------------------------------------------- */

static uint32_t atr(const struct modem *modem, struct mbim_buffer *out) {
    uint8_t octets[CARD_ATR_MAX];
    const size_t n = card_atr(modem->card, octets);

    mbim_put(out, (uint32_t)n);
    mbim_put(out, 8);
    mbim_put_octets(out, octets, n);
    return 0;
}

/* The card is reset with all that depends on it; "pass through" is not what this modem does. */
static uint32_t reset(struct modem *modem, bool set, struct mbim_buffer *out) {
    if (set) {
        memset(modem->groups, 0, sizeof(modem->groups));
        modem_card_in(modem);
    }
    mbim_put(out, 0);
    return 0;
}

/* Whatever is set is of no interest to this card; a query finds none. */
static uint32_t terminal_capability(bool set, struct mbim_buffer *out) {
    if (!set)
        mbim_put(out, 0);
    return 0;
}

uint32_t mbim_card_command(struct modem *modem, uint32_t command, bool set, const uint8_t *in,
                           size_t length, struct mbim_buffer *out) {
    switch (command) {
    case MBIM_UICC_ATR:
        return atr(modem, out);
    case MBIM_UICC_TERMINAL_CAPABILITY:
        return terminal_capability(set, out);
    case MBIM_UICC_RESET:
        return reset(modem, set, out);
    case MBIM_UICC_APPLICATION_LIST:
        application_list(modem, out);
        return 0;
    case MBIM_UICC_FILE_STATUS:
        return file_status(modem, in, length, out);
    case MBIM_UICC_READ_BINARY:
        return read_binary(modem, in, length, out);
    case MBIM_UICC_READ_RECORD:
        return read_record(modem, in, length, out);
    default:
        return MBIM_STATUS_NO_SUPPORT;
    }
}

/* --- The modem -------------------------------------------------------------------------------------------- */

/* A removable card in an embedded modem for GSM and its successors; then places and sizes of four texts. */
void mbim_put_device(struct mbim_buffer *out) {
    static const char imei[] = "004401112222228";
    static const uint32_t device[] = {1, 1, 1, 2, 0x3f, 3, 1, 1, 0, 0, 64, 2 * (sizeof(imei) - 1)};

    for (size_t i = 0; i < sizeof(device) / sizeof(device[0]); i++)
        mbim_put(out, device[i]);
    for (unsigned i = 0; i < 4; i++)
        mbim_put(out, 0);
    mbim_put_text(out, imei);
}

uint32_t mbim_slot(const struct modem *modem, const uint8_t *in, size_t length,
                   struct mbim_buffer *out) {
    const uint32_t index = length >= 4 ? mbim_get(in) : UINT32_MAX;

    if (index >= (modem->other ? 2 : 1))
        return MBIM_STATUS_INVALID_PARAMETERS;
    mbim_put(out, index);
    mbim_put(out, index + 1 != modem->slot ? SLOT_OFF : modem->present ? SLOT_ACTIVE : SLOT_EMPTY);
    return 0;
}
