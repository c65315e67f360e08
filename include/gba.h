/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * GBA's arithmetic and grammar: key derivation (TS 33.220 Annex B), names (TS 23.003 13 and 16), Digest
 * AKA (TS 24.109 4, RFC 3310, RFC 4169, RFC 7616), BootstrappingInfo (TS 24.109 Annex C) and GBA push (TS 33.223).
 * Nothing here waits for anybody.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"

/* Where the Ks comes from and where it lives. The BSF decides; the messages on Ub hardly differ. */
enum gba_mode {
    GBA_MODE_ME,     /* GBA_ME: the card's CK and IK make the Ks here (TS 33.220 4) */
    GBA_MODE_U,      /* GBA_U: the Ks stays in the card, which derives the keys of NAFs (TS 33.220 5) */
    GBA_MODE_2G,     /* 2G GBA: a SIM's SRES and Kc, over https (TS 33.220 Annex I) */
    GBA_MODE_DIGEST, /* GBA_Digest: a user's password, over https, no card (TS 33.220 Annex M) */
};

/**
 * gba_mode_name() - "me", "u", "2g" or "digest"; static
 */
const char *gba_mode_name(enum gba_mode mode);

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
 * gba_bsf_from_impi() - bsf.DOMAIN of the IMPI; in 3gppnetwork.org with "pub" before that (TS 23.003 16.2): what holds
 * with an ISIM, and without any card
 *
 * Return: 0; UICC_E_IDENTITY. @ret may be written to in any case.
 */
int gba_bsf_from_impi(const char *impi, char ret[FQDN_MAX + 1], struct failure *failure);

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

/**
 * gba_derive_naf_key_digest() - Ks_NAF of GBA_Digest (TS 33.220 B.6): as gba_derive_naf_key() with "gba-digest" for
 * "gba-me", and in place of RAND the nonce that the bootstrap was answered with
 * @nonce: 1 to DIGEST_NONCE_MAX octets, as they stood on the wire (unverified: not decoded)
 */
int gba_derive_naf_key_digest(const struct secret *ks, const char *nonce, const char *impi,
                              const char *naf_fqdn, const uint8_t ua_protocol[UA_PROTOCOL_LENGTH],
                              struct secret **ret);

/**
 * gba_2g_keys() - RES and Ks of 2G GBA (TS 33.220 Annex I)
 * @kc: GSM_KC_LENGTH octets
 * @sres: GSM_SRES_LENGTH octets
 * @ks_input: the last 16 octets of the nonce
 * @ret_res: 16 octets, the password of the Digest; the caller's
 * @ret_ks: KS_LENGTH octets, the caller's
 *
 * Return: 0; -EINVAL for a Kc or SRES of another length; -ENOMEM; -EIO. Both outputs or none.
 */
int gba_2g_keys(const struct secret *kc, const struct secret *sres,
                const uint8_t rand[AKA_RAND_LENGTH], const uint8_t ks_input[GBA_KS_INPUT_LENGTH],
                struct secret **ret_res, struct secret **ret_ks);

/* --- Temporary identity --------------------------------------------------------------------------- */

/* The Ua security protocol identifier that a TMPI is derived with (TS 33.220 Annex H). */
#define GBA_UA_TMPI ((const uint8_t[UA_PROTOCOL_LENGTH]){0x01, 0x00, 0x00, 0x01, 0x00})

/* The product token by which UE and BSF say that they know temporary identities. */
#define GBA_TOKEN_TMPI "3gpp-gba-tmpi"

/**
 * gba_bsf_id_of_btid() - the BSF's name as it stands in a B-TID, behind the last "@": the FQDN that TMPI is derived with
 *
 * Return: whether there is one of 1 to NAF_FQDN_MAX octets; else @ret is untouched.
 */
bool gba_bsf_id_of_btid(const char *btid, char ret[NAF_FQDN_MAX + 1]);

/**
 * gba_tmpi() - the TMPI that belongs to a Ks (TS 33.220 B.4)
 * @bsf: from gba_bsf_id_of_btid()
 *
 * Return: as gba_derive_naf_key().
 */
int gba_tmpi(const struct secret *ks, const uint8_t rand[AKA_RAND_LENGTH], const char *impi,
             const char *bsf, char ret[TMPI_MAX + 1]);

/**
 * gba_tmpi_from_key() - the TMPI from the NAF_KEY_LENGTH octets that a GBA_U card derives (command DE) for the NAF_Id
 * BSF || GBA_UA_TMPI
 *
 * Return: 0; -EINVAL for another length; -ENOMEM.
 */
int gba_tmpi_from_key(const struct secret *key, char ret[TMPI_MAX + 1]);

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

/* How a challenge wants to be answered. Bits, for sets of them. */
enum challenge_algorithm {
    CHALLENGE_AKAV1_MD5 = 1u << 0, /* RFC 3310 */
    CHALLENGE_AKAV2_MD5 = 1u << 1, /* RFC 4169 */
    CHALLENGE_MD5 = 1u << 2,       /* RFC 7616, for GBA_Digest */
    CHALLENGE_SHA_256 = 1u << 3,   /* likewise */
};

/* One challenge that we can answer, from the value(s) of WWW-Authenticate. */
struct challenge {
    enum challenge_algorithm algorithm;
    char realm[REALM_MAX + 1];
    char nonce[(NONCE_MAX + 2) / 3 * 4 + 1]; /* as received; base64 where AKA is used */
    char opaque[NONCE_MAX + 1];
    bool has_opaque;
    bool qop_auth_int;
    bool qop_auth;
    bool stale;
    uint8_t rand[AKA_RAND_LENGTH];         /* zero where AKA is not used */
    uint8_t autn[AKA_AUTN_LENGTH];         /* likewise; zero in 2G GBA */
    uint8_t ks_input[GBA_KS_INPUT_LENGTH]; /* what follows in the nonce, for 2G GBA */
    bool has_ks_input;
};

/**
 * challenge_parse() - find the best challenge of scheme Digest in a list of challenges (RFC 7235 4.1)
 * @values: values of the WWW-Authenticate fields, in order
 * @algorithms: set of enum challenge_algorithm that can be answered
 *
 * Other schemes and algorithms are passed over. qop auth-int is preferred to auth, then AKAv2 to AKAv1 and SHA-256 to
 * MD5. A challenge without algorithm is one for MD5 (RFC 7616 3.3).
 *
 * Return: 0; UB_E_CHALLENGE when none can be answered or the list is malformed; UB_E_NONCE when the nonce is
 * not base64 of 32 octets or more (AKA), or not 1 to DIGEST_NONCE_MAX octets (MD5, SHA-256).
 */
int challenge_parse(const char *const *values, size_t count, unsigned algorithms,
                    struct challenge *ret, struct failure *failure);

/**
 * challenge_algorithm_name() - as it stands in a header field, "AKAv1-MD5"; static
 */
const char *challenge_algorithm_name(enum challenge_algorithm algorithm);

/**
 * gba_akav2_password() - the password of AKAv2 (RFC 4169 2.2): base64 of HMAC-MD5 over a constant, with RES || IK || CK for
 * a key
 *
 * Return: 0 with the text's octets, no NUL, that the caller owns; -EINVAL for a wrong length; -ENOMEM; -EIO.
 */
int gba_akav2_password(const struct secret *res, const struct secret *ik, const struct secret *ck,
                       struct secret **ret);

/* --- GBA_Digest ----------------------------------------------------------------------------------- */

/* The exporter (RFC 5705) of the TLS connection to the BSF, without context, is what binds the keys to it. Both labels
   are registered for TS 33.220; that this is the one is (unverified). */
#define GBA_DIGEST_EXPORTER_LABEL "EXPORTER_GBA_Digest"

/* The product token by which a UE asks for it. */
#define GBA_TOKEN_DIGEST "GBA_Digest"

/**
 * gba_digest_hash_a1() - H(A1) = hash(user ":" realm ":" password), the key of GBA_Digest (TS 33.220 M.6.3)
 * @algorithm: CHALLENGE_MD5 or CHALLENGE_SHA_256
 * @ret: 16 or 32 octets (unverified: octets, not their hex), the caller's
 *
 * Return: 0; -ENOMEM; -EIO.
 */
int gba_digest_hash_a1(enum challenge_algorithm algorithm, const char *user, const char *realm,
                       const struct secret *password, struct secret **ret);

/**
 * gba_digest_password() - passwd = KDF(H(A1), "GBA_Digest_RESP", TLS_MK_Extr) (TS 33.220 B.5): 32 octets, which are
 * the password of the Digest as they are (unverified: not as text)
 * @exporter: TLS_EXPORTER_LENGTH octets
 *
 * Return: as gba_kdf().
 */
int gba_digest_password(const struct secret *hash_a1, const struct secret *exporter,
                        struct secret **ret);

/**
 * gba_digest_ks() - Ks = KDF(H(A1), "GBA_Digest_Ks", TLS_MK_Extr, RESP) (TS 33.220 B.5)
 * @response: the response that was sent, 32 or 64 hex digits; its 16 or 32 octets go into the derivation
 *
 * Return: as gba_kdf().
 */
int gba_digest_ks(const struct secret *hash_a1, const struct secret *exporter, const char *response,
                  struct secret **ret);

/* --- Digest --------------------------------------------------------------------------------------- */

struct digest_input {
    enum challenge_algorithm algorithm; /* 0: AKAv1-MD5 */
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
 * digest_response() - the response of RFC 7616 3.4.1, with MD5 for AKA (RFC 3310 3.3)
 * @password: RES as raw octets; NULL for the empty password of a synchronisation failure
 *
 * Return: 0 with 32 hex digits in @ret, 64 with SHA-256; -EIO; -ENOMEM.
 */
int digest_response(const struct digest_input *input, const struct secret *password,
                    char ret[DIGEST_HEX_MAX + 1]);

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
    char lifetime_text[LIFETIME_TEXT_MAX + 1]; /* the same as received, an xs:dateTime; for EF_GBABP */
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
 * gba_lifetime_parse() - a lifetime as text, an xs:dateTime, as seconds since the epoch; without zone it is UTC
 *
 * Return: 0; -EINVAL.
 */
int gba_lifetime_parse(const char *text, int64_t *ret);

/**
 * http_date_parse() - an HTTP Date, all three forms of RFC 9110 5.6.7, as seconds since the epoch
 *
 * Years from 1970. Two digits of a year mean 1970 to 2069, whatever the local clock says.
 *
 * Return: 0; -EINVAL.
 */
int http_date_parse(const char *text, int64_t *ret);

/* --- GBA push ------------------------------------------------------------------------------------- */

/*
 * GBA Push Info (TS 33.223): what a NAF sends so that a UE has a key without asking anybody.
 *
 * What it carries is TS 33.223's; how its octets stand is (unverified) and decided here and in gpi.c alone:
 *
 *   u8 version     1
 *   u8 flags       bit 0: GBA_U, else GBA_ME; the others are 0
 *   RAND           16 octets
 *   AUTN           16 octets
 *   then fields, each u8 tag, u16 length (big-endian), value:
 *     01 P-TID     UTF-8; names the key as a B-TID does
 *     02 NAF_Id    FQDN || 5 octets Ua security protocol identifier
 *     03 lifetime  the key's end, xs:dateTime
 *     04 label     UTF-8, of the application that it is for; may be missing
 *     FF MAC       16 octets; the last field, and nothing follows
 *
 * 01, 02, 03 and FF stand there once; tags that are not known are skipped. The MAC is HMAC-SHA-256 over everything before
 * its tag, cut to its first 16 octets, with the key that the GPI yields (Ks_NAF, in GBA_U Ks_ext_NAF).
 */
struct gpi {
    enum gba_mode mode; /* GBA_MODE_ME or GBA_MODE_U */
    uint8_t rand[AKA_RAND_LENGTH];
    uint8_t autn[AKA_AUTN_LENGTH];
    char ptid[BTID_MAX + 1];         /* printable ASCII without space */
    char naf_fqdn[NAF_FQDN_MAX + 1]; /* as gba_fqdn_normalise() gives it */
    uint8_t ua_protocol[UA_PROTOCOL_LENGTH];
    int64_t lifetime;                /* seconds since the epoch */
    char lifetime_text[LIFETIME_TEXT_MAX + 1]; /* the same as it stands there */
    char label[GPI_LABEL_MAX + 1];   /* "" for none */
    uint8_t mac[GPI_MAC_LENGTH];
    size_t signed_length;            /* octets that the MAC covers, from the first */
};

/**
 * gpi_parse() - take a GPI apart; its MAC is not checked yet, so nothing of it is to be believed
 *
 * A NAF's name that is not in its normal form is refused: the key would be another.
 *
 * Return: 0; UB_E_PUSH_MALFORMED; -ENOMEM.
 */
int gpi_parse(const uint8_t *data, size_t length, struct gpi *ret, struct failure *failure);

/**
 * gpi_check() - whether the GPI's MAC is of @key, in constant time
 * @data: what gpi_parse() had
 * @key: NAF_KEY_LENGTH octets, Ks_NAF or Ks_ext_NAF
 *
 * Return: 0; UB_E_PUSH_MAC; -EIO; -ENOMEM.
 */
int gpi_check(const struct gpi *gpi, const uint8_t *data, const struct secret *key,
              struct failure *failure);
