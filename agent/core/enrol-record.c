/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The content of an enrolment's records.
 *
 * They are fields in the framing of packet.h, built and read in the arena. Whoever adds a field gives it another tag;
 * a field that is missing has the value that it had before there was one.
 */

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "enrol-record.h"
#include "packet.h"
#include "util.h"

enum kept_field {
    FIELD_METHOD = 1,
    FIELD_KE = 2,
    FIELD_KE_ID = 3,
    FIELD_CLIENT_REG_ID = 4,
    FIELD_ASSIGNED_KEY_ID = 5,
    FIELD_EXPIRES = 6,
    FIELD_WRITTEN = 7,
    FIELD_MEF = 8,
    FIELD_TARGET = 9,
    FIELD_PRIVATE_KEY = 10,
    FIELD_CERTIFICATE = 11,
    FIELD_ANCHORS = 12,
    FIELD_NOT_BEFORE = 13,
    FIELD_NOT_AFTER = 14,
    FIELD_STATE = 15,
    FIELD_DIGEST = 16,
};

#define PACKET_HEADER 12u

void enrol_kept_done(struct enrol_kept *kept) {
    secret_free(kept->ke);
    *kept = (struct enrol_kept){0};
}

void enrol_certificate_done(struct enrol_certificate *certificate) {
    secret_free(certificate->private_key);
    free(certificate->certificate);
    free(certificate->anchors);
    *certificate = (struct enrol_certificate){0};
}

/* --- Names, numbers ------------------------------------------------------------------------------- */

static void record_name(const char *kind, const char *profile, char ret[RECORD_NAME_MAX + 1]) {
    (void)snprintf(ret, RECORD_NAME_MAX + 1, "%s.%s", kind, profile);
}

static int append_time(struct packet *packet, uint8_t tag, int64_t when) {
    uint8_t octets[8];

    for (size_t i = 0; i < sizeof(octets); i++)
        octets[i] = (uint8_t)((uint64_t)when >> (56 - 8 * i));
    return packet_append(packet, tag, octets, sizeof(octets));
}

static bool get_time(const struct packet *packet, uint8_t tag, int64_t *ret) {
    const uint8_t *octets;
    uint64_t when = 0;
    size_t length;

    if (!packet_get(packet, tag, &octets, &length) || length != 8)
        return false;
    for (size_t i = 0; i < length; i++)
        when = when << 8 | octets[i];
    *ret = (int64_t)when;
    return true;
}

static int append_optional(struct packet *packet, uint8_t tag, const char *text) {
    return text && text[0] ? packet_append_text(packet, tag, text) : 0;
}

/* --- Writing -------------------------------------------------------------------------------------- */

static int begin(struct packet *packet) {
    int r = packet_init_secret(packet, RECORD_MAX - PACKET_HEADER);

    if (r == 0)
        packet_begin(packet, 1, 0);
    return r;
}

static int put(struct record_store *store, const char *name, const struct packet *packet, int r,
               struct failure *failure) {
    _cleanup_secret_ struct secret *content = NULL;

    if (r == 0 && !store)
        return failure_set(failure, ENROL_E_SEALING,
                           "there is no credential " CREDENTIAL_SEALING_KEY
                           " to seal \"%s\" with, so it would be lost at the next start",
                           name);
    if (r == 0)
        r = secret_new_copy(packet->data, packet->length, &content);
    if (r == 0)
        return record_put(store, name, content, failure);
    return failure_set(failure, r, "the record \"%s\" cannot be made: %s", name, strerror(-r));
}

static int append_owner(struct packet *packet, const struct enrol_profile *profile) {
    int r = append_optional(packet, FIELD_MEF, profile->mef);

    return r == 0 ? append_optional(packet, FIELD_TARGET, profile->target) : r;
}

int enrol_kept_put(struct record_store *store, const struct enrol_profile *profile,
                   const struct enrol_kept *kept, struct failure *failure) {
    _cleanup_packet_ struct packet packet = {0};
    char name[RECORD_NAME_MAX + 1];
    int r;

    record_name("enrolment", profile->name, name);
    r = begin(&packet);
    if (r == 0)
        r = packet_append_u8(&packet, FIELD_METHOD, (uint8_t)kept->method);
    if (r == 0)
        r = packet_append(&packet, FIELD_KE, secret_data(kept->ke), secret_length(kept->ke));
    if (r == 0)
        r = packet_append_text(&packet, FIELD_KE_ID, kept->ke_id);
    if (r == 0)
        r = append_optional(&packet, FIELD_CLIENT_REG_ID, kept->client_reg_id);
    if (r == 0)
        r = append_optional(&packet, FIELD_ASSIGNED_KEY_ID, kept->assigned_key_id);
    if (r == 0)
        r = append_time(&packet, FIELD_EXPIRES, kept->expires);
    if (r == 0)
        r = append_time(&packet, FIELD_WRITTEN, kept->written);
    if (r == 0)
        r = append_owner(&packet, profile);
    return put(store, name, &packet, r, failure);
}

int enrol_certificate_put(struct record_store *store, const struct enrol_profile *profile,
                          const struct enrol_certificate *certificate, struct failure *failure) {
    _cleanup_packet_ struct packet packet = {0};
    char name[RECORD_NAME_MAX + 1];
    int r;

    record_name("certificate", profile->name, name);
    r = begin(&packet);
    if (r == 0 && certificate->private_key)
        r = packet_append(&packet, FIELD_PRIVATE_KEY, secret_data(certificate->private_key),
                          secret_length(certificate->private_key));
    if (r == 0)
        r = packet_append(&packet, FIELD_CERTIFICATE, certificate->certificate,
                          strlen(certificate->certificate));
    if (r == 0 && certificate->anchors)
        r = packet_append(&packet, FIELD_ANCHORS, certificate->anchors,
                          strlen(certificate->anchors));
    if (r == 0)
        r = append_time(&packet, FIELD_NOT_BEFORE, certificate->not_before);
    if (r == 0)
        r = append_time(&packet, FIELD_NOT_AFTER, certificate->not_after);
    if (r == 0)
        r = append_owner(&packet, profile);
    return put(store, name, &packet, r, failure);
}

int enrol_token_put(struct record_store *store, const char *name,
                    const struct enrol_token_mark *mark, struct failure *failure) {
    _cleanup_packet_ struct packet packet = {0};
    char record[RECORD_NAME_MAX + 1];
    int r;

    record_name("token", name, record);
    r = begin(&packet);
    if (r == 0)
        r = packet_append_u8(&packet, FIELD_STATE, (uint8_t)mark->state);
    if (r == 0)
        r = packet_append(&packet, FIELD_DIGEST, mark->digest, sizeof(mark->digest));
    return put(store, record, &packet, r, failure);
}

/* --- Reading -------------------------------------------------------------------------------------- */

/* @packet looks into *@ret_content, and lives no longer. */
static int get(struct record_store *store, const char *name, struct packet *packet,
               struct secret **ret_content, struct failure *failure) {
    int r;

    if (!store)
        return RECORD_E_NONE;
    r = record_get(store, name, ret_content, failure);
    if (r != 0)
        return r;
    *packet = (struct packet){
        .data = secret_data_mutable(*ret_content),
        .size = secret_length(*ret_content),
        .length = secret_length(*ret_content),
    };
    return packet_check(packet) == 0 ? 0
                                     : failure_set(failure, RECORD_E_DAMAGED,
                                                   "the content of the record \"%s\" makes no "
                                                   "sense",
                                                   name);
}

static bool is_owner(const struct packet *packet, const struct enrol_profile *profile) {
    char mef[HTTP_URL_MAX + 1] = "", target[ENTITY_ID_MAX + 1] = "";

    (void)packet_get_text(packet, FIELD_MEF, mef, sizeof(mef));
    (void)packet_get_text(packet, FIELD_TARGET, target, sizeof(target));
    return strcmp(mef, profile->mef ? profile->mef : "") == 0 &&
           strcmp(target, profile->target ? profile->target : "") == 0;
}

/* Seconds that are left at @now of a life from @written to @expires. */
static int64_t time_left(int64_t expires, int64_t written, int64_t now) {
    return expires - (now > written ? now : written);
}

int enrol_kept_get(struct record_store *store, const struct enrol_profile *profile,
                   struct enrol_kept *ret, struct failure *failure) {
    _cleanup_secret_ struct secret *content = NULL;
    _cleanup_(enrol_kept_done) struct enrol_kept kept = {0};
    int64_t now = (int64_t)(now_realtime_usec() / USEC_PER_SEC), left;
    char name[RECORD_NAME_MAX + 1];
    struct packet packet;
    const uint8_t *ke;
    size_t length;
    uint8_t method;
    int r;

    record_name("enrolment", profile->name, name);
    r = get(store, name, &packet, &content, failure);
    if (r != 0)
        return r;
    if (!packet_get_u8(&packet, FIELD_METHOD, &method) || method > ENROL_PSK ||
        !packet_get(&packet, FIELD_KE, &ke, &length) || length != KE_LENGTH ||
        !packet_get_text(&packet, FIELD_KE_ID, kept.ke_id, sizeof(kept.ke_id)) ||
        !get_time(&packet, FIELD_EXPIRES, &kept.expires) ||
        !get_time(&packet, FIELD_WRITTEN, &kept.written))
        return failure_set(failure, RECORD_E_DAMAGED,
                           "the content of the record \"%s\" makes no sense", name);
    (void)packet_get_text(&packet, FIELD_CLIENT_REG_ID, kept.client_reg_id,
                          sizeof(kept.client_reg_id));
    (void)packet_get_text(&packet, FIELD_ASSIGNED_KEY_ID, kept.assigned_key_id,
                          sizeof(kept.assigned_key_id));
    left = time_left(kept.expires, kept.written, now);
    if (left <= 0 || !is_owner(&packet, profile))
        return RECORD_E_NONE;
    kept.method = (enum enrol_method)method;
    kept.expires_usec = deadline_after((uint64_t)left * USEC_PER_SEC);
    r = secret_new_copy(ke, length, &kept.ke);
    if (r < 0)
        return r;
    *ret = kept;
    kept.ke = NULL;
    return 0;
}

static char *copy_text(const struct packet *packet, uint8_t tag) {
    const uint8_t *octets;
    size_t length;

    if (!packet_get(packet, tag, &octets, &length) || memchr(octets, 0, length))
        return NULL;
    return strndup((const char *)octets, length);
}

int enrol_certificate_get(struct record_store *store, const struct enrol_profile *profile,
                          struct enrol_certificate *ret, struct failure *failure) {
    _cleanup_secret_ struct secret *content = NULL;
    _cleanup_(enrol_certificate_done) struct enrol_certificate certificate = {0};
    char name[RECORD_NAME_MAX + 1];
    struct packet packet;
    const uint8_t *key;
    size_t length;
    bool has_key;
    int r;

    record_name("certificate", profile->name, name);
    r = get(store, name, &packet, &content, failure);
    if (r != 0)
        return r;
    has_key = packet_get(&packet, FIELD_PRIVATE_KEY, &key, &length);
    if ((has_key && length == 0) || !get_time(&packet, FIELD_NOT_BEFORE, &certificate.not_before) ||
        !get_time(&packet, FIELD_NOT_AFTER, &certificate.not_after) ||
        !(certificate.certificate = copy_text(&packet, FIELD_CERTIFICATE)))
        return failure_set(failure, RECORD_E_DAMAGED,
                           "the content of the record \"%s\" makes no sense", name);
    if (!is_owner(&packet, profile))
        return RECORD_E_NONE;
    certificate.anchors = copy_text(&packet, FIELD_ANCHORS);
    r = has_key ? secret_new_copy(key, length, &certificate.private_key) : 0;
    if (r < 0)
        return r;
    *ret = certificate;
    certificate = (struct enrol_certificate){0};
    return 0;
}

int enrol_token_get(struct record_store *store, const char *name, struct enrol_token_mark *ret,
                    struct failure *failure) {
    _cleanup_secret_ struct secret *content = NULL;
    char record[RECORD_NAME_MAX + 1];
    struct packet packet;
    const uint8_t *digest;
    size_t length;
    uint8_t state;
    int r;

    record_name("token", name, record);
    r = get(store, record, &packet, &content, failure);
    if (r != 0)
        return r;
    if (!packet_get_u8(&packet, FIELD_STATE, &state) || state > ENROL_TOKEN_SPENT ||
        !packet_get(&packet, FIELD_DIGEST, &digest, &length) || length != sizeof(ret->digest))
        return failure_set(failure, RECORD_E_DAMAGED,
                           "the content of the record \"%s\" makes no sense", record);
    ret->state = (enum enrol_token_state)state;
    memcpy(ret->digest, digest, length);
    return 0;
}

int enrol_token_digest(const struct secret *token, uint8_t ret[32]) {
    return EVP_Digest(secret_data(token), secret_length(token), ret, NULL, EVP_sha256(), NULL) == 1
               ? 0
               : -EIO;
}

int enrol_records_remove(struct record_store *store, const char *name, struct failure *failure) {
    char record[RECORD_NAME_MAX + 1];
    int r;

    if (!store)
        return 0;
    record_name("enrolment", name, record);
    r = record_remove(store, record, failure);
    if (r < 0)
        return r;
    record_name("certificate", name, record);
    return record_remove(store, record, failure);
}
