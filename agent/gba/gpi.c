/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA Push Info (TS 33.223): reading it, and checking that it was made by somebody who has the key that it yields.
 *
 * It comes from a stranger by way of an application, and the card is asked with what it says, so nothing is taken that is
 * not exactly as gba.h lays it out. This file alone knows the layout.
 */

#include <errno.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "algorithms.h"
#include "datetime.h"
#include "gba.h"
#include "util.h"

#define GPI_VERSION 1
#define GPI_FLAG_U  0x01

#define HEADER_LENGTH (2 + AKA_RAND_LENGTH + AKA_AUTN_LENGTH)
#define FIELD_HEADER  3u /* tag and length */
#define HASH_LENGTH   32u

enum gpi_tag {
    TAG_PTID = 0x01,
    TAG_NAF_ID = 0x02,
    TAG_LIFETIME = 0x03,
    TAG_LABEL = 0x04,
    TAG_MAC = 0xff,
};

/* One field, and where the reader stands. */
struct field {
    uint8_t tag;
    const uint8_t *value;
    size_t length;
};

/* A text of 1 to @max octets of printable ASCII into @ret. */
static bool take_text(const struct field *field, char *ret, size_t max) {
    if (field->length == 0 || field->length > max ||
        !text_is_plain((const char *)field->value, field->length))
        return false;
    memcpy(ret, field->value, field->length);
    ret[field->length] = '\0';
    return true;
}

static const char *take_ptid(const struct field *field, struct gpi *gpi) {
    if (!take_text(field, gpi->ptid, BTID_MAX) || strchr(gpi->ptid, ' '))
        return "its P-TID is not 1 to 512 printable characters";
    return NULL;
}

static const char *take_naf_id(const struct field *field, struct gpi *gpi) {
    char name[NAF_FQDN_MAX + 1];
    size_t length = field->length - UA_PROTOCOL_LENGTH;

    if (field->length <= UA_PROTOCOL_LENGTH || length > NAF_FQDN_MAX ||
        memchr(field->value, '\0', length))
        return "its NAF_Id is not a name and 5 octets";
    memcpy(name, field->value, length);
    name[length] = '\0';
    if (gba_fqdn_normalise(name, gpi->naf_fqdn, NULL) != 0 || strcmp(name, gpi->naf_fqdn) != 0)
        return "the name in its NAF_Id is not an FQDN in its normal form";
    memcpy(gpi->ua_protocol, field->value + length, UA_PROTOCOL_LENGTH);
    return NULL;
}

static const char *take_lifetime(const struct field *field, struct gpi *gpi) {
    if (!take_text(field, gpi->lifetime_text, LIFETIME_TEXT_MAX) ||
        xs_datetime_parse(gpi->lifetime_text, &gpi->lifetime) < 0)
        return "its lifetime is not a date and time";
    return NULL;
}

static const char *take_label(const struct field *field, struct gpi *gpi) {
    size_t at = 0, step;

    if (field->length > GPI_LABEL_MAX)
        return "the label of its application is too long";
    for (; at < field->length; at += step) {
        step = utf8_printable((const char *)field->value + at, field->length - at);
        if (step == 0)
            return "the label of its application is not text";
    }
    memcpy(gpi->label, field->value, field->length);
    gpi->label[field->length] = '\0';
    return NULL;
}

static const char *take_mac(const struct field *field, struct gpi *gpi) {
    if (field->length != GPI_MAC_LENGTH)
        return "its MAC does not have 16 octets";
    memcpy(gpi->mac, field->value, GPI_MAC_LENGTH);
    return NULL;
}

static const struct {
    uint8_t tag;
    const char *(*take)(const struct field *field, struct gpi *gpi);
    const char *missing; /* NULL: need not be there */
} kinds[] = {
    {TAG_PTID, take_ptid, "it has no P-TID"},
    {TAG_NAF_ID, take_naf_id, "it has no NAF_Id"},
    {TAG_LIFETIME, take_lifetime, "it has no lifetime"},
    {TAG_LABEL, take_label, NULL},
    {TAG_MAC, take_mac, "it has no MAC"},
};

static const char *take_field(const struct field *field, bool seen[ELEMENTS(kinds)],
                              struct gpi *gpi) {
    for (size_t i = 0; i < ELEMENTS(kinds); i++) {
        if (kinds[i].tag != field->tag)
            continue;
        if (seen[i])
            return "a field stands there twice";
        seen[i] = true;
        return kinds[i].take(field, gpi);
    }
    return NULL;
}

static const char *take_header(const uint8_t *data, size_t length, struct gpi *gpi) {
    if (length < HEADER_LENGTH || length > GPI_MAX)
        return "its length cannot be right";
    if (data[0] != GPI_VERSION)
        return "it is of another version";
    if (data[1] & ~GPI_FLAG_U)
        return "it has flags that are not known";
    gpi->mode = data[1] & GPI_FLAG_U ? GBA_MODE_U : GBA_MODE_ME;
    memcpy(gpi->rand, data + 2, AKA_RAND_LENGTH);
    memcpy(gpi->autn, data + 2 + AKA_RAND_LENGTH, AKA_AUTN_LENGTH);
    return NULL;
}

/* All fields, up to the MAC, which is the last octet of the whole. Returns why not. */
static const char *take_fields(const uint8_t *data, size_t length, struct gpi *gpi) {
    bool seen[ELEMENTS(kinds)] = {false};
    size_t at = HEADER_LENGTH, count = 0;
    const char *wrong;

    while (at < length) {
        struct field field;

        if (length - at < FIELD_HEADER || ++count > GPI_FIELDS_MAX)
            return "its fields do not end where it ends";
        field = (struct field){data[at], data + at + FIELD_HEADER,
                               (size_t)data[at + 1] << 8 | data[at + 2]};
        if (field.length > length - at - FIELD_HEADER)
            return "a field is longer than the whole";
        if (field.tag == TAG_MAC && at + FIELD_HEADER + field.length != length)
            return "something follows its MAC";
        wrong = take_field(&field, seen, gpi);
        if (wrong)
            return wrong;
        if (field.tag == TAG_MAC)
            gpi->signed_length = at;
        at += FIELD_HEADER + field.length;
    }
    for (size_t i = 0; i < ELEMENTS(kinds); i++)
        if (!seen[i] && kinds[i].missing)
            return kinds[i].missing;
    return NULL;
}

int gpi_parse(const uint8_t *data, size_t length, struct gpi *ret, struct failure *failure) {
    struct gpi gpi = {0};
    const char *wrong;

    wrong = take_header(data, length, &gpi);
    if (!wrong)
        wrong = take_fields(data, length, &gpi);
    if (wrong)
        return failure_set(failure, UB_E_PUSH_MALFORMED, "the GBA Push Info is malformed: %s",
                           wrong);
    *ret = gpi;
    return 0;
}

static void mac_ctx_freep(EVP_MAC_CTX **ctx) {
    EVP_MAC_CTX_free(*ctx);
}

int gpi_check(const struct gpi *gpi, const uint8_t *data, const struct secret *key,
              struct failure *failure) {
    _cleanup_(mac_ctx_freep) EVP_MAC_CTX *ctx = NULL;
    const EVP_MAC_CTX *model = gba_algorithms()->hmac_sha256;
    uint8_t mac[HASH_LENGTH];
    size_t length = 0;

    if (!model)
        return -EIO;
    ctx = EVP_MAC_CTX_dup(model);
    if (!ctx)
        return -ENOMEM;
    if (!EVP_MAC_init(ctx, secret_data(key), secret_length(key), NULL) ||
        !EVP_MAC_update(ctx, data, gpi->signed_length) ||
        !EVP_MAC_final(ctx, mac, &length, sizeof(mac)) || length != sizeof(mac))
        return -EIO;
    if (CRYPTO_memcmp(mac, gpi->mac, GPI_MAC_LENGTH) != 0)
        return failure_set(failure, UB_E_PUSH_MAC,
                           "the GBA Push Info from NAF %.64s is not proved by the key that it "
                           "yields; do not trust its sender",
                           gpi->naf_fqdn);
    return 0;
}
