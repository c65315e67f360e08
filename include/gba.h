/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * GBA's arithmetic and grammar: key derivation (TS 33.220 Annex B), names (TS 23.003 13 and 16), Digest
 * AKA (TS 24.109 4, RFC 3310, RFC 7616) and BootstrappingInfo (TS 24.109 Annex C). Nothing here waits
 * for anybody.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"

/* --- Names -------------------------------------------------------------------------------------- */

/**
 * gba_impi_from_imsi() - IMSI@ims.mncMNC.mccMCC.3gppnetwork.org (TS 23.003 13.3)
 * @imsi: IMSI_MIN to IMSI_MAX digits
 * @mnc_length: 2 or 3
 * @ret: room for IMPI_MAX + 1
 *
 * Return: 0; UICC_E_IDENTITY.
 */
int gba_impi_from_imsi(const char *imsi, unsigned mnc_length, char ret[IMPI_MAX + 1],
                       struct failure *failure);

/**
 * gba_bsf_from_imsi() - bsf.mncMNC.mccMCC.pub.3gppnetwork.org (TS 23.003 16.2); else as gba_impi_from_imsi()
 */
int gba_bsf_from_imsi(const char *imsi, unsigned mnc_length, char ret[FQDN_MAX + 1],
                      struct failure *failure);

/**
 * gba_fqdn_normalise() - NFKC (TS 33.220 B.2.1.2), then lower case for ASCII letters, and check
 *
 * An FQDN here is 1 to NAF_FQDN_MAX octets of UTF-8 without control, formatting or unassigned characters, white
 * space, "@", "/" or empty labels; each label has up to 63 octets. One dot at the end is taken off.
 *
 * Return: 0; KEYS_E_NAME; -ENOMEM.
 */
int gba_fqdn_normalise(const char *name, char ret[NAF_FQDN_MAX + 1], struct failure *failure);

/* --- Keys --------------------------------------------------------------------------------------- */

/**
 * gba_ks() - Ks = CK || IK (TS 33.220 4.4.5)
 *
 * Return: 0 with KS_LENGTH octets that the caller owns; -EINVAL for a CK or IK of another length; -ENOMEM.
 */
int gba_ks(const struct secret *ck, const struct secret *ik, struct secret **ret);

/**
 * gba_derive_naf_key() - Ks_NAF (TS 33.220 B.3): HMAC-SHA-256 over
 * 01 || "gba-me" || RAND || IMPI || NAF_Id, each with its 16-bit length
 * @ks: KS_LENGTH octets
 * @impi: UTF-8, NFKC already
 * @naf_fqdn: from gba_fqdn_normalise()
 * @ret: NAF_KEY_LENGTH octets, the caller's
 *
 * Return: 0; -ENOMEM; -EINVAL for a Ks of another length, or a name beyond IMPI_MAX or NAF_FQDN_MAX; -EIO when
 * OpenSSL fails.
 */
int gba_derive_naf_key(const struct secret *ks, const uint8_t rand[AKA_RAND_LENGTH],
                       const char *impi, const char *naf_fqdn,
                       const uint8_t ua_protocol[UA_PROTOCOL_LENGTH], struct secret **ret);

/* One parameter of a KDF. */
struct kdf_parameter {
    const void *data;
    size_t length; /* 0 to 65535 */
};

/**
 * gba_kdf() - the generic KDF (TS 33.220 B.2): HMAC-SHA-256(key, FC || P0 || L0 || ... )
 * @key: 1 to SECRET_LENGTH_MAX octets
 *
 * Return: 0 with 32 octets that the caller owns; -ENOMEM; -EINVAL for a length beyond 16 bits; -EIO when OpenSSL
 * fails.
 */
int gba_kdf(const struct secret *key, uint8_t fc, const struct kdf_parameter *parameters,
            size_t count, struct secret **ret);

/* --- Digest AKA --------------------------------------------------------------------------------- */

/* One challenge that we can answer, from the value(s) of WWW-Authenticate. */
struct challenge {
    char realm[REALM_MAX + 1];
    char nonce[(NONCE_MAX + 2) / 3 * 4 + 1]; /* base64 as received */
    char opaque[NONCE_MAX + 1];
    bool has_opaque;
    bool qop_auth_int;
    bool qop_auth;
    bool stale;
    uint8_t rand[AKA_RAND_LENGTH];
    uint8_t autn[AKA_AUTN_LENGTH];
};

/**
 * challenge_parse() - find the best challenge of scheme Digest and algorithm AKAv1-MD5 in a list of challenges (RFC 7235 4.1)
 * @values: values of the WWW-Authenticate fields, in order
 *
 * Other schemes and algorithms are passed over. qop auth-int is preferred to auth.
 *
 * Return: 0; UB_E_CHALLENGE when none can be answered or the list is malformed; UB_E_NONCE when the nonce is
 * not base64 of 32 octets or more.
 */
int challenge_parse(const char *const *values, size_t count, struct challenge *ret,
                    struct failure *failure);

struct digest_input {
    const char *username;
    const char *realm;
    const char *nonce;      /* as received */
    const char *uri;        /* request-target: "/" */
    const char *method;     /* "GET"; "" for rspauth */
    const char *cnonce;
    uint32_t nc;            /* 1 for the first use of a nonce */
    bool auth_int;          /* else auth */
    const uint8_t *body;    /* entity body that auth-int protects */
    size_t body_length;
};

/**
 * digest_response() - the response of RFC 7616 3.4.1 with MD5, as AKAv1 uses it (RFC 3310 3.3)
 * @password: RES as raw octets; NULL for the empty password of a synchronisation failure
 *
 * Return: 0 with 32 hex digits in @ret; -EIO; -ENOMEM.
 */
int digest_response(const struct digest_input *input, const struct secret *password, char ret[33]);

/**
 * digest_initial() - the Authorization value of the first request: empty nonce and response (TS 24.109 4.2);
 * the caller frees
 *
 * Return: 0; -EINVAL for a control character; -EMSGSIZE beyond HTTP_HEADER_MAX; -ENOMEM.
 */
int digest_initial(const char *username, const char *realm, const char *uri, char **ret);

/**
 * digest_authorization() - the Authorization value that answers @challenge; the caller frees
 * @auts: AKA_AUTS_LENGTH octets for a synchronisation failure, else NULL
 *
 * Return: 0; -EINVAL for a control character; -EMSGSIZE beyond HTTP_HEADER_MAX; -EIO; -ENOMEM.
 */
int digest_authorization(const struct digest_input *input, const struct challenge *challenge,
                         const struct secret *password, const uint8_t *auts, char **ret);

/**
 * digest_check_rspauth() - the BSF's proof in Authentication-Info (RFC 7616 3.5)
 * @value: the field's value, or NULL where the BSF sent none
 * @input: of the request; method and body are replaced by "" and the answer's body
 *
 * Return: 0; UB_E_RSPAUTH_MISSING; UB_E_RSPAUTH_WRONG (also for another cnonce or nc); negative errno.
 */
int digest_check_rspauth(const char *value, const struct digest_input *input,
                         const struct secret *password, const uint8_t *body, size_t body_length,
                         struct failure *failure);

/* --- BootstrappingInfo ---------------------------------------------------------------------------- */

struct bootstrapping_info {
    char btid[BTID_MAX + 1];
    int64_t lifetime;    /* expiry, seconds since the epoch, UTC, by the BSF's clock */
    int64_t currenttime; /* the BSF's clock, seconds since the epoch; only with has_currenttime */
    bool has_currenttime;
};

/**
 * bootstrapping_info_parse() - TS 24.109 Annex C
 *
 * Namespace uri:3gpp-gba; unknown elements and attributes are skipped; entities beyond XML's own five and document
 * types are refused. A dateTime without zone is taken as UTC; fractions of a second are dropped.
 *
 * Return: 0; UB_E_INFO_MALFORMED; -ENOMEM.
 */
int bootstrapping_info_parse(const uint8_t *body, size_t length, struct bootstrapping_info *ret,
                             struct failure *failure);

/**
 * http_date_parse() - an HTTP Date, all three forms of RFC 9110 5.6.7, as seconds since the epoch
 *
 * Years from 1970. Two digits of a year mean 1970 to 2069, whatever the local clock says.
 *
 * Return: 0; -EINVAL.
 */
int http_date_parse(const char *text, int64_t *ret);
