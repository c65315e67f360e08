/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What files the card has (TS 102 221 clause 13, TS 31.102 clause 4): one table, from which
 * selection, access and content follow. An application to come is one line in card_applications,
 * its files here and its contexts in card-auth.c.
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
    SERVICE_ISIM_GBA = 2,
    DIR_RECORD = 48,
};

const struct card_application card_applications[] = {
    {.aid = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02, 0xff, 0x49, 0xff, 0x01, 0x89, 0x00, 0x00,
             0x01, 0x00},
     .aid_length = 16,
     .fid = CARD_FID_USIM,
     .label = "USIM"},
    {.aid = {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x04, 0xff, 0x49, 0xff, 0x01, 0x89, 0x00, 0x00,
             0x01, 0x00},
     .aid_length = 16,
     .fid = CARD_FID_ISIM,
     .label = "ISIM"},
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

/*
 * TS 31.102 clause 4.2.2: the length, then a nibble for parity and identity type 1, then the
 * digits.
 */
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
    if (options->subscriber->gba != LAB_GBA_NO)
        set_service(content, SERVICE_GBA);
    set_service(content, SERVICE_EPS);
    if (options->gsm_access)
        set_service(content, SERVICE_GSM_ACCESS);
}

/* TS 31.103 clause 4.2.7. */
static void fill_ist(const struct card_options *options, uint8_t *content, size_t size) {
    memset(content, 0, size);
    if (options->subscriber->gba != LAB_GBA_NO)
        set_service(content, SERVICE_ISIM_GBA);
}

/* 80, the length, and the text (TS 31.103 clauses 4.2.2 to 4.2.4). */
static void put_text(const char *prefix, const char *text, uint8_t *content, size_t size) {
    size_t before = strlen(prefix), length = strlen(text);

    if (2 + before + length > size)
        return;
    content[0] = 0x80;
    content[1] = (uint8_t)(before + length);
    memcpy(content + 2, prefix, before);
    memcpy(content + 2 + before, text, length);
}

static void fill_impi(const struct card_options *options, uint8_t *content, size_t size) {
    put_text("", options->subscriber->isim_impi, content, size);
}

static void fill_impu(const struct card_options *options, uint8_t *content, size_t size) {
    put_text("sip:", options->subscriber->isim_impi, content, size);
}

static void fill_domain(const struct card_options *options, uint8_t *content, size_t size) {
    const char *at = strchr(options->subscriber->isim_impi, '@');

    put_text("", at ? at + 1 : "", content, size);
}

static uint8_t *kept_gbabp(struct card_memory *memory) {
    return memory->gba[0].gbabp;
}

static uint8_t *kept_gbanl(struct card_memory *memory) {
    return memory->gba[0].gbanl;
}

static uint8_t *kept_isim_gbabp(struct card_memory *memory) {
    return memory->gba[1].gbabp;
}

static uint8_t *kept_isim_gbanl(struct card_memory *memory) {
    return memory->gba[1].gbanl;
}

/* TS 102 221 clause 13.1: 61 { 4F AID, 50 label }, an application a record. */
static void fill_dir(const struct card_options *options, uint8_t *content, size_t size) {
    (void)size;
    for (size_t i = 0; i < card_applications_count; i++) {
        const struct card_application *application = &card_applications[i];
        bool is_isim = application->fid == CARD_FID_ISIM;
        uint8_t *record = content + i * DIR_RECORD;
        size_t label_length = strlen(application->label);

        if (is_isim && options->subscriber->isim_impi[0] == '\0')
            continue;

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

/*
 * Records of 24 octets in the order of enum card_rule: 80 01 AM, then who: 90 00 all, A4.. 01
 * PIN1, A4.. 0A ADM.
 */
#define FOR_PIN "a406830101950108"
#define FOR_ADM "a40683010a950108"
#define PADDING "ffffffff"
static const char access_rules[] =
    "8001019000"
    "800102" FOR_ADM PADDING PADDING "800101" FOR_PIN "800102" FOR_ADM "ffff"
    "800103" FOR_PIN PADDING PADDING PADDING "ff"
    "8001019000"
    "800102" FOR_PIN PADDING PADDING;

#define DIRECTORY(id, in) \
    .fid = id, .parent = in, .type = CARD_DIRECTORY, .rule = CARD_RULE_ALWAYS_ADM
#define BINARY(id, in, short_fid, octets, who)                                           \
    .fid = id, .parent = in, .type = CARD_TRANSPARENT, .sfi = short_fid, .size = octets, \
    .rule = CARD_RULE_##who
#define RECORDS(id, in, short_fid, octets, count, who)                                    \
    .fid = id, .parent = in, .type = CARD_LINEAR_FIXED, .sfi = short_fid, .size = octets, \
    .records = count, .rule = CARD_RULE_##who
#define MF   CARD_FID_MF
#define USIM CARD_FID_USIM
#define ISIM CARD_FID_ISIM
#define GSM  FID_GSM_ACCESS

/* FID, directory, short FID, size, number of records, and who may read and update. */
/* clang-format off */
const struct card_file card_files[] = {
    {DIRECTORY(MF, 0)},
    {RECORDS(0x2f00, MF, 0x1e, DIR_RECORD, 4, ALWAYS_ADM), .fill = fill_dir},       /* DIR */
    {BINARY(0x2f05, MF, 0x05, 4, ALWAYS_PIN), .content = "656e"},                   /* PL */
    {RECORDS(0x2f06, MF, 0x06, 24, 4, ALWAYS_ADM), .content = access_rules},        /* ARR */
    {BINARY(0x2f08, MF, 0x08, 5, ALWAYS_ADM), .content = "3c03000000"},             /* UMPC */
    {BINARY(0x2fe2, MF, 0x02, 10, ALWAYS_ADM), .fill = fill_iccid},                 /* ICCID */

    {DIRECTORY(FID_TELECOM, MF)},
    {RECORDS(0x6f06, FID_TELECOM, 0, 24, 4, ALWAYS_ADM), .content = access_rules},  /* ARR */

    {.fid = USIM, .type = CARD_APPLICATION, .rule = CARD_RULE_ALWAYS_ADM},
    {BINARY(0x6f05, USIM, 0x02, 4, ALWAYS_PIN), .content = "656e"},                 /* LI */
    {RECORDS(0x6f06, USIM, 0x17, 24, 4, ALWAYS_ADM), .content = access_rules},      /* ARR */
    {BINARY(0x6f07, USIM, 0x07, 9, PIN_ADM), .fill = fill_imsi},                    /* IMSI */
    {BINARY(0x6f08, USIM, 0x08, 33, PIN_PIN), .content = "07"},                     /* Keys */
    {BINARY(0x6f09, USIM, 0x09, 33, PIN_PIN), .content = "07"},                     /* KeysPS */
    {BINARY(0x6f31, USIM, 0x12, 1, PIN_ADM), .content = "05"},                      /* HPPLMN */
    {BINARY(0x6f38, USIM, 0x04, 14, PIN_ADM), .fill = fill_ust},                    /* UST */
    {BINARY(0x6f46, USIM, 0, 17, ALWAYS_ADM), .content = "006b65797374726170"},     /* SPN */
    {BINARY(0x6f56, USIM, 0x05, 1, PIN_PIN), .content = "00"},                      /* EST */
    {BINARY(0x6f5b, USIM, 0x0f, 6, PIN_PIN), .content = "f00000f00000"},            /* START-HFN */
    {BINARY(0x6f5c, USIM, 0x10, 3, PIN_ADM)},                                       /* THRESHOLD */
    {BINARY(0x6f73, USIM, 0x0c, 14, PIN_PIN),
     .content = "ffffffffffffff42f618fffeff01"},                                    /* PSLOCI */
    {BINARY(0x6f78, USIM, 0x06, 2, PIN_ADM), .content = "0001"},                    /* ACC */
    {BINARY(0x6f7b, USIM, 0x0d, 12, PIN_PIN)},                                      /* FPLMN */
    {BINARY(0x6f7e, USIM, 0x0b, 11, PIN_PIN), .content = "ffffffff42f618fffeff01"}, /* LOCI */
    {BINARY(0x6fad, USIM, 0x03, 4, ALWAYS_ADM), .fill = fill_ad},                   /* AD */
    {RECORDS(0x6fb7, USIM, 0x01, 4, 2, ALWAYS_ADM), .content = "11f2ffff"},         /* ECC */
    {BINARY(0x6fd6, USIM, 0, CARD_GBABP_SIZE, PIN_PIN), .kept = kept_gbabp},        /* GBABP */
    {RECORDS(0x6fda, USIM, 0, CARD_GBANL_RECORD, CARD_GBANL_RECORDS, PIN_ADM),
     .kept = kept_gbanl},                                                           /* GBANL */
    {BINARY(0x6fe3, USIM, 0x1e, 18, PIN_PIN),
     .content = "ffffffffffffffffffffffff42f618fffe01"},                            /* EPSLOCI */
    {RECORDS(0x6fe4, USIM, 0x18, 54, 1, PIN_PIN)},                                  /* EPSNSC */

    {.fid = ISIM, .type = CARD_APPLICATION, .rule = CARD_RULE_ALWAYS_ADM},
    {BINARY(0x6f02, ISIM, 0x02, 128, PIN_ADM), .fill = fill_impi},                  /* IMPI */
    {BINARY(0x6f03, ISIM, 0x05, 128, PIN_ADM), .fill = fill_domain},                /* DOMAIN */
    {RECORDS(0x6f04, ISIM, 0x04, 128, 1, PIN_ADM), .fill = fill_impu},              /* IMPU */
    {RECORDS(0x6f06, ISIM, 0x06, 24, 4, ALWAYS_ADM), .content = access_rules},      /* ARR */
    {BINARY(0x6f07, ISIM, 0x07, 1, PIN_ADM), .fill = fill_ist},                     /* IST */
    {BINARY(0x6fad, ISIM, 0x03, 4, ALWAYS_ADM), .fill = fill_ad},                   /* AD */
    {BINARY(0x6fd5, ISIM, 0, CARD_GBABP_SIZE, PIN_PIN), .kept = kept_isim_gbabp},   /* GBABP */
    {RECORDS(0x6fd7, ISIM, 0, CARD_GBANL_RECORD, CARD_GBANL_RECORDS, PIN_ADM),
     .kept = kept_isim_gbanl},                                                      /* GBANL */

    {DIRECTORY(GSM, USIM), .gsm_access = true},
    {BINARY(0x4f20, GSM, 0x01, 9, PIN_PIN), .gsm_access = true,
     .content = "ffffffffffffffff07"},                                              /* Kc */
    {BINARY(0x4f52, GSM, 0x02, 9, PIN_PIN), .gsm_access = true,
     .content = "ffffffffffffffff07"},                                              /* KcGPRS */
};
/* clang-format on */
const size_t card_files_count = LENGTH_OF(card_files);
