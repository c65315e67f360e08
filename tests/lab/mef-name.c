/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Names and digests by which the MEF knows who comes with a certificate.
 */

#include "mef-name.h"

#include <string.h>
#include <strings.h>

#include <gnutls/abstract.h>
#include <gnutls/crypto.h>
#include <nettle/base64.h>
#include <nettle/memops.h>

#define NAME_MAX_OCTETS 1024u
#define DIGEST_LENGTH   32u
#define SPKI_MAX        256u

/* "//SP/CSE" of a CSE-ID is CSE.SP in the DNS. */
static bool is_public_domain_name(const char *name, const char *identity) {
    const char *sp = identity + 2, *cse = strchr(sp, '/');
    size_t sp_length, cse_length;

    if (!cse || strchr(cse + 1, '/'))
        return false;
    sp_length = (size_t)(cse - sp);
    cse_length = strlen(++cse);
    return cse_length > 0 && sp_length > 0 && strlen(name) == cse_length + 1 + sp_length &&
           strncasecmp(name, cse, cse_length) == 0 && name[cse_length] == '.' &&
           strncasecmp(name + cse_length + 1, sp, sp_length) == 0;
}

/* The host of "SCHEME://HOST[:PORT][/...]". */
static bool is_host_of(const char *uri, const char *identity) {
    const char *host = strstr(uri, "://");
    size_t length;

    if (!host)
        return false;
    host += 3;
    length = strcspn(host, ":/?#");
    return strlen(identity) == length && strncasecmp(host, identity, length) == 0;
}

bool mef_name_is(gnutls_x509_subject_alt_name_t type, const char *name, const char *identity) {
    bool absolute = strncmp(identity, "//", 2) == 0;

    if (type == GNUTLS_SAN_DNSNAME)
        return absolute ? is_public_domain_name(name, identity) : strcasecmp(name, identity) == 0;
    if (type == GNUTLS_SAN_URI)
        return strcmp(name, identity) == 0 || (!absolute && is_host_of(name, identity));
    return false;
}

/* --- Devices ------------------------------------------------------------------------------------ */

/* The text of a string in DER with a length of one octet. */
static bool is_text(const uint8_t *der, size_t length, const char *text) {
    return length >= 2 && der[1] < 0x80 && (size_t)der[1] + 2 == length && strlen(text) == der[1] &&
           memcmp(der + 2, text, der[1]) == 0;
}

static bool has_other_name(gnutls_x509_crt_t certificate, unsigned index, const uint8_t *value,
                           size_t length, const char *identity) {
    const char *text = strchr(identity, ';');
    size_t oid_length = NAME_MAX_OCTETS;
    char oid[NAME_MAX_OCTETS];

    if (!text ||
        gnutls_x509_crt_get_subject_alt_othername_oid(certificate, index, oid, &oid_length) < 0)
        return false;
    return strlen(oid) == (size_t)(text - identity) &&
           strncmp(oid, identity, (size_t)(text - identity)) == 0 &&
           is_text(value, length, text + 1);
}

static bool has_name(gnutls_x509_crt_t certificate, const char *identity) {
    char name[NAME_MAX_OCTETS];

    for (unsigned i = 0;; i++) {
        size_t length = sizeof(name) - 1;
        unsigned type = 0;
        int r = gnutls_x509_crt_get_subject_alt_name2(certificate, i, name, &length, &type, NULL);

        if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return false;
        if (r < 0)
            continue;
        if (type == GNUTLS_SAN_OTHERNAME) {
            if (has_other_name(certificate, i, (const uint8_t *)name, length, identity))
                return true;
            continue;
        }
        name[length] = '\0';
        if (strlen(name) == length && mef_name_is(type, name, identity))
            return true;
    }
}

/* --- Raw public keys ---------------------------------------------------------------------------- */

/* The digest that "sha-256[-BITS];BASE64URL" names, and its length; false where it names none. */
static bool parse_digest(const char *identity, uint8_t ret[DIGEST_LENGTH], size_t *ret_length) {
    static const struct {
        const char *prefix;
        size_t length;
    } forms[] = {{"sha-256;", 32}, {"sha-256-128;", 16}, {"sha-256-120;", 15}};
    uint8_t digest[BASE64_DECODE_LENGTH(44)];
    struct base64_decode_ctx decoder;
    size_t length = 0;

    if (strncmp(identity, "ni:///", 6) == 0)
        identity += 6;
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        size_t prefix = strlen(forms[i].prefix);
        const char *text;

        if (strncmp(identity, forms[i].prefix, prefix) != 0)
            continue;
        text = identity + prefix;
        if (strlen(text) > 43)
            return false;
        base64url_decode_init(&decoder);
        if (!base64_decode_update(&decoder, &length, digest, strlen(text), text) ||
            length != forms[i].length)
            return false;
        memcpy(ret, digest, length);
        *ret_length = length;
        return true;
    }
    return false;
}

static bool has_key(gnutls_x509_crt_t certificate, const uint8_t *digest, size_t length) {
    uint8_t spki[SPKI_MAX], own[DIGEST_LENGTH];
    size_t size = sizeof(spki);
    gnutls_pubkey_t key;
    int r;

    if (gnutls_pubkey_init(&key) < 0)
        return false;
    r = gnutls_pubkey_import_x509(key, certificate, 0);
    if (r == 0)
        r = gnutls_pubkey_export(key, GNUTLS_X509_FMT_DER, spki, &size);
    gnutls_pubkey_deinit(key);
    return r == 0 && gnutls_hash_fast(GNUTLS_DIG_SHA256, spki, size, own) == 0 &&
           memeql_sec(own, digest, length);
}

bool mef_certificate_is(const uint8_t *der, size_t length, bool trusted, const char *identity) {
    gnutls_datum_t datum = {.data = (uint8_t *)(uintptr_t)der, .size = (unsigned)length};
    uint8_t digest[DIGEST_LENGTH];
    gnutls_x509_crt_t certificate;
    size_t digest_length = 0;
    bool is = false;

    if (gnutls_x509_crt_init(&certificate) < 0)
        return false;
    if (gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_DER) == 0) {
        if (parse_digest(identity, digest, &digest_length))
            is = has_key(certificate, digest, digest_length);
        else
            is = trusted && has_name(certificate, identity);
    }
    gnutls_x509_crt_deinit(certificate);
    return is;
}
