/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the modes of GBA have of their own: RES and Ks of 2G GBA (TS 33.220 Annex I), those of GBA_Digest (Annex M), the
 * password of AKAv2 (RFC 4169) and temporary identities (TS 33.220 B.4).
 *
 * Arithmetic only. All of it is one KDF or one hash over secrets, and every secret goes from its struct secret into OpenSSL
 * and from there into another one.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "datetime.h"
#include "gba.h"
#include "util.h"

#define FC_GBA 0x01 /* TS 33.220 B.3, B.5, Annex I */

#define TMPI_OCTETS 24u /* of the derived key, TS 33.220 B.4 */
#define TMPI_DOMAIN "@tmpi.bsf.3gppnetwork.org"

#define AKAV2_LABEL     "http-digest-akav2-password"
#define HMAC_MD5_LENGTH 16u

#define TEXT(t) ((struct kdf_parameter){(t), sizeof(t) - 1})

const char *gba_mode_name(enum gba_mode mode) {
    switch (mode) {
    case GBA_MODE_ME:
        return "me";
    case GBA_MODE_U:
        return "u";
    case GBA_MODE_2G:
        return "2g";
    case GBA_MODE_DIGEST:
        return "digest";
    }
    return "";
}

int gba_lifetime_parse(const char *text, int64_t *ret) {
    return xs_datetime_parse(text, ret);
}

/* --- 2G GBA --------------------------------------------------------------------------------------- */

/* Kc || Kc || RAND, the key of both derivations. */
static int key_2g(const struct secret *kc, const uint8_t *rand, struct secret **ret) {
    _cleanup_secret_ struct secret *key = NULL;
    uint8_t *data;
    int r;

    r = secret_new(2 * GSM_KC_LENGTH + AKA_RAND_LENGTH, &key);
    if (r < 0)
        return r;
    data = secret_data_mutable(key);
    memcpy(data, secret_data(kc), GSM_KC_LENGTH);
    memcpy(data + GSM_KC_LENGTH, secret_data(kc), GSM_KC_LENGTH);
    memcpy(data + 2 * GSM_KC_LENGTH, rand, AKA_RAND_LENGTH);
    *ret = TAKE_PTR(key);
    return 0;
}

int gba_2g_keys(const struct secret *kc, const struct secret *sres,
                const uint8_t rand[AKA_RAND_LENGTH], const uint8_t ks_input[GBA_KS_INPUT_LENGTH],
                struct secret **ret_res, struct secret **ret_ks) {
    _cleanup_secret_ struct secret *key = NULL, *res = NULL, *ks = NULL;
    int r;

    if (secret_length(kc) != GSM_KC_LENGTH || secret_length(sres) != GSM_SRES_LENGTH)
        return -EINVAL;
    r = key_2g(kc, rand, &key);
    if (r < 0)
        return r;

    const struct kdf_parameter answer = {secret_data(sres), secret_length(sres)};
    const struct kdf_parameter for_res[] = {TEXT("3gpp-gba-res"), answer};
    const struct kdf_parameter for_ks[] = {
        {ks_input, GBA_KS_INPUT_LENGTH}, TEXT("3gpp-gba-ks"), answer};

    r = gba_kdf(key, FC_GBA, for_res, ELEMENTS(for_res), &res);
    if (r == 0)
        r = gba_kdf(key, FC_GBA, for_ks, ELEMENTS(for_ks), &ks);
    if (r < 0)
        return r;
    secret_truncate(res, RES_MAX);
    *ret_res = TAKE_PTR(res);
    *ret_ks = TAKE_PTR(ks);
    return 0;
}

/* --- Temporary identity --------------------------------------------------------------------------- */

bool gba_bsf_id_of_btid(const char *btid, char ret[NAF_FQDN_MAX + 1]) {
    const char *at = strrchr(btid, '@');
    size_t length = at ? strnlen(at + 1, NAF_FQDN_MAX + 1) : 0;

    if (length == 0 || length > NAF_FQDN_MAX)
        return false;
    memcpy(ret, at + 1, length + 1);
    return true;
}

int gba_tmpi_from_key(const struct secret *key, char ret[TMPI_MAX + 1]) {
    _cleanup_free_ char *text = NULL;
    int r;

    if (secret_length(key) != NAF_KEY_LENGTH)
        return -EINVAL;
    /* An identity is for showing: that it comes out of a key does not make it one. */
    r = base64_encode(secret_data(key), TMPI_OCTETS, &text);
    if (r < 0)
        return r;
    (void)snprintf(ret, TMPI_MAX + 1, "%s" TMPI_DOMAIN, text);
    return 0;
}

int gba_tmpi(const struct secret *ks, const uint8_t rand[AKA_RAND_LENGTH], const char *impi,
             const char *bsf, char ret[TMPI_MAX + 1]) {
    _cleanup_secret_ struct secret *key = NULL;
    int r;

    r = gba_derive_naf_key(ks, rand, impi, bsf, GBA_UA_TMPI, &key);
    return r == 0 ? gba_tmpi_from_key(key, ret) : r;
}

/* --- AKAv2 ---------------------------------------------------------------------------------------- */

/* RES || IK || CK: the other way round than in a Ks. */
static int key_akav2(const struct secret *res, const struct secret *ik, const struct secret *ck,
                     struct secret **ret) {
    const struct secret *const parts[] = {res, ik, ck};
    _cleanup_secret_ struct secret *key = NULL;
    uint8_t *data;
    int r;

    if (secret_length(res) < RES_MIN || secret_length(res) > RES_MAX ||
        secret_length(ik) != AKA_IK_LENGTH || secret_length(ck) != AKA_CK_LENGTH)
        return -EINVAL;
    r = secret_new(secret_length(res) + AKA_IK_LENGTH + AKA_CK_LENGTH, &key);
    if (r < 0)
        return r;
    data = secret_data_mutable(key);
    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        memcpy(data, secret_data(parts[i]), secret_length(parts[i]));
        data += secret_length(parts[i]);
    }
    *ret = TAKE_PTR(key);
    return 0;
}

int gba_akav2_password(const struct secret *res, const struct secret *ik, const struct secret *ck,
                       struct secret **ret) {
    _cleanup_secret_ struct secret *key = NULL, *mac = NULL, *password = NULL;
    const size_t text_length = (HMAC_MD5_LENGTH + 2) / 3 * 4;
    unsigned length = 0;
    int r;

    r = key_akav2(res, ik, ck, &key);
    if (r == 0)
        r = secret_new(HMAC_MD5_LENGTH, &mac);
    if (r == 0)
        r = secret_new(text_length + 1, &password); /* OpenSSL ends the text with a NUL */
    if (r < 0)
        return r;
    if (!HMAC(EVP_md5(), secret_data(key), (int)secret_length(key), (const uint8_t *)AKAV2_LABEL,
              strlen(AKAV2_LABEL), secret_data_mutable(mac), &length) ||
        length != HMAC_MD5_LENGTH)
        return -EIO;
    (void)EVP_EncodeBlock(secret_data_mutable(password), secret_data(mac), (int)HMAC_MD5_LENGTH);
    secret_truncate(password, text_length);
    *ret = TAKE_PTR(password);
    return 0;
}

/* --- GBA_Digest ----------------------------------------------------------------------------------- */

static int exporter_wrong(const struct secret *exporter) {
    return !exporter || secret_length(exporter) != TLS_EXPORTER_LENGTH ? -EINVAL : 0;
}

int gba_digest_password(const struct secret *hash_a1, const struct secret *exporter,
                        struct secret **ret) {
    int r;

    r = exporter_wrong(exporter);
    if (r < 0)
        return r;

    const struct kdf_parameter parameters[] = {TEXT("GBA_Digest_RESP"),
                                               {secret_data(exporter), secret_length(exporter)}};

    return gba_kdf(hash_a1, FC_GBA, parameters, ELEMENTS(parameters), ret);
}

int gba_digest_ks(const struct secret *hash_a1, const struct secret *exporter, const char *response,
                  struct secret **ret) {
    uint8_t octets[DIGEST_HEX_MAX / 2];
    size_t length = 0;
    int r;

    r = exporter_wrong(exporter);
    if (r == 0)
        r = hex_decode(response, octets, sizeof(octets), &length);
    if (r < 0)
        return r;

    const struct kdf_parameter parameters[] = {
        TEXT("GBA_Digest_Ks"), {secret_data(exporter), secret_length(exporter)}, {octets, length}};

    return gba_kdf(hash_a1, FC_GBA, parameters, ELEMENTS(parameters), ret);
}
