/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What files the card has (TS 102 221 clause 13, TS 31.102 clause 4): one table, from which selection, access and
 * content follow. An application to come is one line in card_applications, its files here and its contexts in
 * card-auth.c.
 */
#include <string.h>

#include "card-internal.h"
#include "hex.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

enum {
    FID_TELECOM = 0x7f10,
    FID_GSM_ACCESS = 0x5f3b,
    SERVICE_PROVIDER_NAME = 19,
    SERVICE_GSM_ACCESS = 27,
    SERVICE_PACKET_DOMAIN = 33,
    SERVICE_GBA = 68,
    SERVICE_EPS = 85,
    DIR_RECORD = 48,
};

const struct card_application card_applications[] = {
    {.aid = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02, 0xff, 0x49, 0xff, 0x01, 0x89, 0x00, 0x00,
             0x01, 0x00},
     .aid_length = 16,
     .fid = CARD_FID_USIM,
     .label = "USIM"},
};
const size_t card_applications_count = LENGTH_OF(card_applications);

/* Digits two by two, the first in the low nibble, padded with F. */
static void put_digits(const char *digits, uint8_t *ret_octets, size_t size) {
    size_t length = strlen(digits);

    for (size_t i = 0; i < size; i++) {
        unsigned low = 2 * i < length ? (unsigned)(digits[2 * i] - '0') : 0xf;
        unsigned high = 2 * i + 1 < length ? (unsigned)(digits[2 * i + 1] - '0') : 0xf;

        ret_octets[i] = (uint8_t)(high << 4 | low);
    }
}

static void fill_iccid(const struct card_options *options, uint8_t *content, size_t size) {
    put_digits(options->subscriber->iccid, content, size);
}

/* TS 31.102 clause 4.2.2: the length, then a nibble for parity and identity type 1, then the digits. */
static void fill_imsi(const struct card_options *options, uint8_t *content, size_t size) {
    const char *imsi = options->subscriber->imsi;
    size_t digits = strlen(imsi);
    unsigned type = digits % 2 != 0 ? 0x9 : 0x1;

    (void)size;
    content[0] = (uint8_t)(digits / 2 + 1);
    content[1] = (uint8_t)((unsigned)(imsi[0] - '0') << 4 | type);
    put_digits(imsi + 1, content + 2, digits / 2);
}

/* TS 31.102 clause 4.2.18: normal operation, and how many digits the network code has. */
static void fill_ad(const struct card_options *options, uint8_t *content, size_t size) {
    memset(content, 0, size);
    content[3] = (uint8_t)options->subscriber->mnc_length;
}

static void set_service(uint8_t *content, unsigned service) {
    content[(service - 1) / 8] |= (uint8_t)(1u << ((service - 1) % 8));
}

static void fill_ust(const struct card_options *options, uint8_t *content, size_t size) {
    memset(content, 0, size);
    set_service(content, SERVICE_PROVIDER_NAME);
    set_service(content, SERVICE_PACKET_DOMAIN);
    set_service(content, SERVICE_GBA);
    set_service(content, SERVICE_EPS);
    if (options->gsm_access)
        set_service(content, SERVICE_GSM_ACCESS);
}

/* TS 102 221 clause 13.1: 61 { 4F AID, 50 label }, an application a record. */
static void fill_dir(const struct card_options *options, uint8_t *content, size_t size) {
    (void)options, (void)size;
    for (size_t i = 0; i < card_applications_count; i++) {
        const struct card_application *application = &card_applications[i];
        uint8_t *record = content + i * DIR_RECORD;
        size_t label_length = strlen(application->label);

        *record++ = 0x61;
        *record++ = (uint8_t)(2 + application->aid_length + 2 + label_length);
        *record++ = 0x4f;
        *record++ = (uint8_t)application->aid_length;
        memcpy(record, application->aid, application->aid_length);
        record += application->aid_length;
        *record++ = 0x50;
        *record++ = (uint8_t)label_length;
        memcpy(record, application->label, label_length);
    }
}

/* Records of 24 octets in the order of enum card_rule: 80 01 AM, then who: 90 00 all, A4.. 01 PIN1, A4.. 0A ADM. */
#define FOR_PIN "a406830101950108"
#define FOR_ADM "a40683010a950108"
#define PADDING "ffffffff"
static const char access_rules[] =
    "8001019000"
    "800102" FOR_ADM PADDING PADDING "800101" FOR_PIN "800102" FOR_ADM "ffff"
    "800103" FOR_PIN PADDING PADDING PADDING "ff"
    "8001019000"
    "800102" FOR_PIN PADDING PADDING;

/* clang-format off */
const struct card_file card_files[] = {
    {.fid = CARD_FID_MF, .type = CARD_DIRECTORY, .rule = CARD_RULE_ALWAYS_ADM},
    {.fid = 0x2f00, .parent = CARD_FID_MF, .type = CARD_LINEAR_FIXED, .sfi = 0x1e, .size = DIR_RECORD,
     .records = 4, .rule = CARD_RULE_ALWAYS_ADM, .fill = fill_dir},
    {.fid = 0x2f05, .parent = CARD_FID_MF, .type = CARD_TRANSPARENT, .sfi = 0x05, .size = 4,
     .rule = CARD_RULE_ALWAYS_PIN, .content = "656e"},
    {.fid = 0x2f06, .parent = CARD_FID_MF, .type = CARD_LINEAR_FIXED, .sfi = 0x06, .size = 24,
     .records = 4, .rule = CARD_RULE_ALWAYS_ADM, .content = access_rules},
    {.fid = 0x2f08, .parent = CARD_FID_MF, .type = CARD_TRANSPARENT, .sfi = 0x08, .size = 5,
     .rule = CARD_RULE_ALWAYS_ADM, .content = "3c03000000"},
    {.fid = 0x2fe2, .parent = CARD_FID_MF, .type = CARD_TRANSPARENT, .sfi = 0x02, .size = 10,
     .rule = CARD_RULE_ALWAYS_ADM, .fill = fill_iccid},

    {.fid = FID_TELECOM, .parent = CARD_FID_MF, .type = CARD_DIRECTORY, .rule = CARD_RULE_ALWAYS_ADM},
    {.fid = 0x6f06, .parent = FID_TELECOM, .type = CARD_LINEAR_FIXED, .size = 24, .records = 4,
     .rule = CARD_RULE_ALWAYS_ADM, .content = access_rules},

    {.fid = CARD_FID_USIM, .type = CARD_APPLICATION, .rule = CARD_RULE_ALWAYS_ADM},
    {.fid = 0x6f05, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x02, .size = 4,
     .rule = CARD_RULE_ALWAYS_PIN, .content = "656e"},                                       /* LI */
    {.fid = 0x6f06, .parent = CARD_FID_USIM, .type = CARD_LINEAR_FIXED, .sfi = 0x17, .size = 24,
     .records = 4, .rule = CARD_RULE_ALWAYS_ADM, .content = access_rules},                   /* ARR */
    {.fid = 0x6f07, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x07, .size = 9,
     .rule = CARD_RULE_PIN_ADM, .fill = fill_imsi},
    {.fid = 0x6f08, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x08, .size = 33,
     .rule = CARD_RULE_PIN_PIN, .content = "07"},                                            /* Keys */
    {.fid = 0x6f09, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x09, .size = 33,
     .rule = CARD_RULE_PIN_PIN, .content = "07"},                                            /* KeysPS */
    {.fid = 0x6f31, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x12, .size = 1,
     .rule = CARD_RULE_PIN_ADM, .content = "05"},                                            /* HPPLMN */
    {.fid = 0x6f38, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x04, .size = 14,
     .rule = CARD_RULE_PIN_ADM, .fill = fill_ust},
    {.fid = 0x6f46, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .size = 17,
     .rule = CARD_RULE_ALWAYS_ADM, .content = "006b65797374726170"},                         /* SPN */
    {.fid = 0x6f56, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x05, .size = 1,
     .rule = CARD_RULE_PIN_PIN, .content = "00"},                                            /* EST */
    {.fid = 0x6f5b, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x0f, .size = 6,
     .rule = CARD_RULE_PIN_PIN, .content = "f00000f00000"},                                  /* START-HFN */
    {.fid = 0x6f5c, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x10, .size = 3,
     .rule = CARD_RULE_PIN_ADM, .content = "ffffff"},                                        /* THRESHOLD */
    {.fid = 0x6f73, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x0c, .size = 14,
     .rule = CARD_RULE_PIN_PIN, .content = "ffffffffffffff42f618fffeff01"},                  /* PSLOCI */
    {.fid = 0x6f78, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x06, .size = 2,
     .rule = CARD_RULE_PIN_ADM, .content = "0001"},                                          /* ACC */
    {.fid = 0x6f7b, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x0d, .size = 12,
     .rule = CARD_RULE_PIN_PIN},                                                             /* FPLMN */
    {.fid = 0x6f7e, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x0b, .size = 11,
     .rule = CARD_RULE_PIN_PIN, .content = "ffffffff42f618fffeff01"},                        /* LOCI */
    {.fid = 0x6fad, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x03, .size = 4,
     .rule = CARD_RULE_ALWAYS_ADM, .fill = fill_ad},
    {.fid = 0x6fb7, .parent = CARD_FID_USIM, .type = CARD_LINEAR_FIXED, .sfi = 0x01, .size = 4,
     .records = 2, .rule = CARD_RULE_ALWAYS_ADM, .content = "11f2ffff"},                     /* ECC */
    {.fid = 0x6fd6, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .size = 64,
     .rule = CARD_RULE_PIN_PIN},                                                             /* GBABP */
    {.fid = 0x6fda, .parent = CARD_FID_USIM, .type = CARD_LINEAR_FIXED, .size = 128, .records = 2,
     .rule = CARD_RULE_PIN_ADM},                                                             /* GBANL */
    {.fid = 0x6fe3, .parent = CARD_FID_USIM, .type = CARD_TRANSPARENT, .sfi = 0x1e, .size = 18,
     .rule = CARD_RULE_PIN_PIN, .content = "ffffffffffffffffffffffff42f618fffe01"},          /* EPSLOCI */
    {.fid = 0x6fe4, .parent = CARD_FID_USIM, .type = CARD_LINEAR_FIXED, .sfi = 0x18, .size = 54,
     .records = 1, .rule = CARD_RULE_PIN_PIN},                                               /* EPSNSC */

    {.fid = FID_GSM_ACCESS, .parent = CARD_FID_USIM, .type = CARD_DIRECTORY, .gsm_access = true,
     .rule = CARD_RULE_ALWAYS_ADM},
    {.fid = 0x4f20, .parent = FID_GSM_ACCESS, .type = CARD_TRANSPARENT, .sfi = 0x01, .size = 9,
     .gsm_access = true, .rule = CARD_RULE_PIN_PIN, .content = "ffffffffffffffff07"},        /* Kc */
    {.fid = 0x4f52, .parent = FID_GSM_ACCESS, .type = CARD_TRANSPARENT, .sfi = 0x02, .size = 9,
     .gsm_access = true, .rule = CARD_RULE_PIN_PIN, .content = "ffffffffffffffff07"},        /* KcGPRS */
};
/* clang-format on */
const size_t card_files_count = LENGTH_OF(card_files);
