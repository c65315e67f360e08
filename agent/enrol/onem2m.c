/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The oneM2M key hierarchy (TS-0003 10.3).
 *
 * Where the specification leaves something open there is one function that fills the gap, so that it can be filled
 * otherwise: the order of the exporter's octets in split(), the digits of a SUID in suid_text().
 */

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <uninorm.h>
#include <unistr.h>

#include "onem2m.h"
#include "util.h"

#define TEXT_KM    "oneM2M Enrolment Key to Master Credential derivation"
#define TEXT_KPSA  "oneM2M Enrolment Key to Provisioned Secure Connection Key derivation"
#define TEXT_USAGE "oneM2M Enrolment Key to Usage-Constrained Symmetric Key derivation"

/* "Most significant" is what comes first (10.3.1). */
static int split(const struct secret *exporter, const uint8_t **ret_id, const uint8_t **ret_key) {
    if (secret_length(exporter) != KE_RELATIVE_ID_LENGTH + KE_LENGTH)
        return -EINVAL;
    *ret_id = secret_data(exporter);
    *ret_key = secret_data(exporter) + KE_RELATIVE_ID_LENGTH;
    return 0;
}

int onem2m_ke(const struct secret *exporter, const char *mef_fqdn, char ret_ke_id[KE_ID_MAX + 1],
              struct secret **ret_ke) {
    const uint8_t *id, *key;
    struct secret *ke = NULL;
    size_t length = 0;
    int r;

    if (mef_fqdn[0] == '\0' || strlen(mef_fqdn) > FQDN_MAX)
        return -EINVAL;
    r = split(exporter, &id, &key);
    if (r == 0)
        r = secret_new_copy(key, KE_LENGTH, &ke);
    if (r < 0)
        return r;
    for (size_t i = 0; i < KE_RELATIVE_ID_LENGTH; i++)
        length += (size_t)sprintf(ret_ke_id + length, "%02X", id[i]);
    (void)sprintf(ret_ke_id + length, "@%s", mef_fqdn);
    *ret_ke = ke;
    return 0;
}

/* How a SUID is written within an HMAC is not said; as everywhere in a URI (10.3.7). */
static void suid_text(unsigned suid, char ret[12]) {
    (void)snprintf(ret, 12, "%u", suid);
}

static bool is_ascii(const char *text) {
    for (; *text != '\0'; text++)
        if ((unsigned char)*text >= 0x80)
            return false;
    return true;
}

/* NFKC (TS-0003 3.2): both ends must hash the same octets however a name was typed. */
static int normalise(const char *id, char ret[ENTITY_ID_MAX + 1]) {
    _cleanup_free_ uint8_t *normal = NULL;
    size_t length = strlen(id), normal_length = 0;

    if (length == 0 || length > ENTITY_ID_MAX)
        return -EINVAL;
    if (is_ascii(id)) {
        memcpy(ret, id, length + 1);
        return 0;
    }
    if (u8_check((const uint8_t *)id, length))
        return -EINVAL;
    normal = u8_normalize(UNINORM_NFKC, (const uint8_t *)id, length, NULL, &normal_length);
    if (!normal)
        return errno == ENOMEM ? -ENOMEM : -EINVAL;
    if (normal_length > ENTITY_ID_MAX)
        return -EINVAL;
    memcpy(ret, normal, normal_length);
    ret[normal_length] = '\0';
    return 0;
}

int onem2m_key(const struct secret *ke, enum onem2m_derivation derivation,
               enum onem2m_target target, unsigned suid, const char *target_id,
               struct secret **ret) {
    char message[sizeof(TEXT_KPSA) + 12 + ENTITY_ID_MAX + 1], usage[12] = "";
    char id[ENTITY_ID_MAX + 1];
    const char *text = TEXT_USAGE;
    struct secret *key = NULL;
    unsigned length = KE_LENGTH;
    int n, r;

    if (secret_length(ke) != KE_LENGTH)
        return -EINVAL;
    r = normalise(target_id, id);
    if (r < 0)
        return r;
    if (derivation == ONEM2M_USAGE_CONSTRAINED) {
        if (!onem2m_suid_is_derived(suid))
            return -EINVAL;
        suid_text(suid, usage);
    } else {
        text = target == ONEM2M_TARGET_MAF ? TEXT_KM : TEXT_KPSA;
    }
    n = snprintf(message, sizeof(message), "%s%s%s", text, usage, id);
    r = secret_new(KE_LENGTH, &key);
    if (r < 0)
        return r;
    if (!HMAC(EVP_sha256(), secret_data(ke), KE_LENGTH, (const uint8_t *)message, (size_t)n,
              secret_data_mutable(key), &length)) {
        secret_free(key);
        return -EIO;
    }
    *ret = key;
    return 0;
}

bool onem2m_suid_is_derived(unsigned suid) {
    return suid >= 21 && suid <= 25;
}

/* An AE-ID stem is "C" or "S" and more (TS-0001 7.2); an FQDN that looks like one has a dot. */
enum onem2m_target onem2m_target_kind(const char *target_id) {
    if (strchr(target_id, '/'))
        return ONEM2M_TARGET_B;
    if ((target_id[0] == 'C' || target_id[0] == 'S') && !strchr(target_id, '.'))
        return ONEM2M_TARGET_B;
    return ONEM2M_TARGET_MAF;
}

/* --- m2m:timestamp (TS-0004 6.3.3) ------------------------------------------------------------------ */

static int two_digits(const char *text) {
    return (text[0] - '0') * 10 + (text[1] - '0');
}

int onem2m_timestamp_parse(const char *text, int64_t *ret) {
    static const char digits[] = "0123456789";
    struct tm tm = {0}, back;
    size_t fraction;
    time_t when;

    if (strspn(text, digits) != 8 || text[8] != 'T' || strspn(text + 9, digits) != 6)
        return -EINVAL;
    if (text[15] == ',') {
        fraction = strspn(text + 16, digits);
        if (fraction == 0 || fraction > 6 || text[16 + fraction] != '\0')
            return -EINVAL;
    } else if (text[15] != '\0') {
        return -EINVAL;
    }
    tm.tm_year = two_digits(text) * 100 + two_digits(text + 2) - 1900;
    tm.tm_mon = two_digits(text + 4) - 1;
    tm.tm_mday = two_digits(text + 6);
    tm.tm_hour = two_digits(text + 9);
    tm.tm_min = two_digits(text + 11);
    tm.tm_sec = two_digits(text + 13);
    back = tm;
    when = timegm(&back);
    /* timegm() bends what does not exist. */
    if (back.tm_mon != tm.tm_mon || back.tm_mday != tm.tm_mday || back.tm_hour != tm.tm_hour ||
        back.tm_min != tm.tm_min || back.tm_sec != tm.tm_sec)
        return -EINVAL;
    *ret = when;
    return 0;
}

void onem2m_timestamp_print(int64_t when, char ret[16]) {
    time_t time = when;
    struct tm tm;

    if (!gmtime_r(&time, &tm) || strftime(ret, 16, "%Y%m%dT%H%M%S", &tm) != 15)
        (void)strcpy(ret, "99991231T235959");
}
