/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * FCP templates (TS 102 221 clause 11.1.1.3): what SELECT and STATUS tell about a file.
 */
#include <string.h>

#include "card-internal.h"

enum {
    TAG_FCP = 0x62,
    TAG_SIZE = 0x80,
    TAG_DESCRIPTOR = 0x82,
    TAG_FID = 0x83,
    TAG_DF_NAME = 0x84,
    TAG_SFI = 0x88,
    TAG_LIFE_CYCLE = 0x8a,
    TAG_SECURITY = 0x8b,
    TAG_PROPRIETARY = 0xa5,
    TAG_PIN_STATUS = 0xc6,
    PIN1_ENABLED = 0x80, /* bits of PS_DO, in the order of the key references below */
    PIN2_ADM_ENABLED = 0x60,
};

static void put(struct card_answer *answer, uint8_t tag, const uint8_t *value, size_t length) {
    answer->data[answer->length++] = tag;
    answer->data[answer->length++] = (uint8_t)length;
    memcpy(answer->data + answer->length, value, length);
    answer->length += length;
}

static void put_u16(struct card_answer *answer, uint8_t tag, unsigned value) {
    const uint8_t octets[] = {(uint8_t)(value >> 8), (uint8_t)value};

    put(answer, tag, octets, sizeof(octets));
}

static bool is_directory(const struct card_file *file) {
    return file->type == CARD_DIRECTORY || file->type == CARD_APPLICATION;
}

static void put_descriptor(const struct card_file *file, struct card_answer *answer) {
    const uint8_t directory[] = {0x78, 0x21}, transparent[] = {0x41, 0x21};
    const uint8_t records[] = {0x42, 0x21, (uint8_t)(file->size >> 8), (uint8_t)file->size,
                               file->records};

    switch (file->type) {
    case CARD_DIRECTORY:
    case CARD_APPLICATION:
        put(answer, TAG_DESCRIPTOR, directory, sizeof(directory));
        break;
    case CARD_TRANSPARENT:
        put(answer, TAG_DESCRIPTOR, transparent, sizeof(transparent));
        break;
    case CARD_LINEAR_FIXED:
        put(answer, TAG_DESCRIPTOR, records, sizeof(records));
        break;
    }
}

const struct card_application *card_application_of(const struct card_file *file) {
    for (size_t i = 0; i < card_applications_count; i++) {
        if (file->type == CARD_APPLICATION && card_applications[i].fid == file->fid)
            return &card_applications[i];
    }
    return NULL;
}

/*
 * A reference to a record of EF_ARR: the MF's for what is in the MF, the application's for the
 * rest.
 */
static void put_security(const struct card_file *file, struct card_answer *answer) {
    bool in_mf = file->fid == CARD_FID_MF || file->parent == CARD_FID_MF;
    const uint8_t reference[] = {in_mf ? 0x2f : 0x6f, 0x06, (uint8_t)file->rule};

    put(answer, TAG_SECURITY, reference, sizeof(reference));
}

static void put_proprietary(const struct card_file *file, struct card_answer *answer) {
    static const uint8_t characteristics[] = {0x80, 0x01, 0x71}; /* clock stop, voltage classes */
    const struct card_application *application = card_application_of(file);

    if (application)
        put(answer, TAG_DF_NAME, application->aid, application->aid_length);
    put(answer, TAG_PROPRIETARY, characteristics, sizeof(characteristics));
}

static void put_pins(const struct card *card, struct card_answer *answer) {
    const uint8_t enabled = PIN2_ADM_ENABLED | (card->options.pin_enabled ? PIN1_ENABLED : 0);
    const uint8_t pins[] = {
        0x90, 0x01, enabled, 0x83, 0x01, 0x01, /* PIN1 */
        0x83, 0x01, 0x81,                      /* PIN2 */
        0x83, 0x01, 0x0a,                      /* ADM1 */
    };

    put(answer, TAG_PIN_STATUS, pins, sizeof(pins));
}

void card_fcp(const struct card *card, const struct card_file *file, struct card_answer *answer) {
    const uint8_t activated = 0x05, sfi = (uint8_t)(file->sfi << 3);
    size_t start = answer->length;

    answer->length += 2;
    put_descriptor(file, answer);
    put_u16(answer, TAG_FID, file->fid);
    if (is_directory(file))
        put_proprietary(file, answer);
    put(answer, TAG_LIFE_CYCLE, &activated, 1);
    put_security(file, answer);
    if (is_directory(file)) {
        put_pins(card, answer);
    } else {
        put_u16(answer, TAG_SIZE, file->size * (file->records > 0 ? file->records : 1u));
        put(answer, TAG_SFI, &sfi, file->sfi != 0 ? 1 : 0);
    }
    answer->data[start] = TAG_FCP;
    answer->data[start + 1] = (uint8_t)(answer->length - start - 2);
}
