/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A private key in a token, by PKCS #11 (OASIS, version 2.40) through p11-kit, which reads URIs (RFC 7512) and knows the
 * modules that are installed on this machine.
 *
 * Nothing is guessed: a URI that fits several tokens or several keys is refused with a word on how to be exact.
 */

#include <openssl/ecdsa.h>
#include <openssl/bn.h>
#include <p11-kit/uri.h>
#include <string.h>

#include "pkcs11-token.h"
#include "util.h"

#define SLOTS_MAX  64u
#define POINT      65u /* 04 X Y */
#define ATTRIBUTES 16u

/* SubjectPublicKeyInfo of id-ecPublicKey on prime256v1 up to the point. */
static const uint8_t spki_head[SECURE_SPKI_LENGTH - POINT] = {
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00};
/* prime256v1, as CKA_EC_PARAMS has it. */
static const uint8_t p256[] = {0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07};

static void uri_freep(P11KitUri **uri) {
    p11_kit_uri_free(*uri);
}

static int refuse(struct failure *failure, const char *what, CK_RV rv) {
    return failure_set(failure, HTTP_E_CREDENTIAL, "%s: %.150s", what, p11_kit_strerror(rv));
}

/* --- The token -------------------------------------------------------------------------------------- */

/* Of the slots of one module; counts those that fit, and notes the first. */
static void look_into(CK_FUNCTION_LIST *module, P11KitUri *uri, struct token *token,
                      CK_SLOT_ID *slot, unsigned *count) {
    CK_SLOT_ID slots[SLOTS_MAX], wanted = p11_kit_uri_get_slot_id(uri);
    CK_ULONG n = SLOTS_MAX;
    CK_TOKEN_INFO info;

    if (module->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
        return;
    for (CK_ULONG i = 0; i < n; i++) {
        if (wanted != (CK_SLOT_ID)-1 && wanted != slots[i])
            continue;
        if (module->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
            !(info.flags & CKF_TOKEN_INITIALIZED) || !p11_kit_uri_match_token_info(uri, &info))
            continue;
        if ((*count)++ > 0)
            continue;
        token->module = module;
        *slot = slots[i];
    }
}

static int find_token(struct token *token, P11KitUri *uri, CK_SLOT_ID *slot,
                      struct failure *failure) {
    unsigned count = 0;

    for (size_t i = 0; token->modules[i]; i++)
        look_into(token->modules[i], uri, token, slot, &count);
    if (count == 1)
        return 0;
    return failure_set(failure, HTTP_E_CREDENTIAL,
                       count == 0
                           ? "no token is there that the URI fits; \"p11tool --list-tokens\" "
                             "shows those that are"
                           : "the URI fits %u tokens; name one by token= or serial=",
                       count);
}

/* A PIN too many locks the token for good, and so the last try is a person's. */
static int log_in(struct token *token, CK_SLOT_ID slot, const uint8_t *pin, size_t pin_length,
                  struct failure *failure) {
    CK_TOKEN_INFO info;
    CK_RV rv = token->module->C_GetTokenInfo(slot, &info);

    if (rv != CKR_OK)
        return refuse(failure, "the token says nothing of itself", rv);
    if (!(info.flags & CKF_LOGIN_REQUIRED))
        return 0;
    if (info.flags & CKF_USER_PIN_LOCKED)
        return failure_set(failure, HTTP_E_CREDENTIAL, "the PIN of the token is locked");
    if (info.flags & CKF_USER_PIN_FINAL_TRY)
        return failure_set(failure, HTTP_E_CREDENTIAL,
                           "the PIN of the token has one try left, which is not taken; log in once "
                           "by hand");
    if (!pin)
        return failure_set(failure, HTTP_E_CREDENTIAL,
                           "the token wants a PIN; name it by PrivateKeyPin=");
    rv = token->module->C_Login(token->session, CKU_USER, (CK_BYTE *)(uintptr_t)pin, pin_length);
    return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN
               ? 0
               : refuse(failure, "the token does not take the PIN", rv);
}

/* --- The key ---------------------------------------------------------------------------------------- */

/* How many objects of @class there are with the attributes of @uri; the first is @ret. */
static unsigned find(const struct token *token, P11KitUri *uri, CK_OBJECT_CLASS class,
                     CK_OBJECT_HANDLE *ret) {
    CK_ULONG count = 0, n = 0;
    CK_ATTRIBUTE *of_uri = p11_kit_uri_get_attributes(uri, &count), template[ATTRIBUTES];
    CK_OBJECT_HANDLE found[2];

    template[0] = (CK_ATTRIBUTE){CKA_CLASS, &class, sizeof(class)};
    n = 1;
    for (CK_ULONG i = 0; i < count && n < ATTRIBUTES; i++)
        if (of_uri[i].type != CKA_CLASS)
            template[n++] = of_uri[i];
    if (token->module->C_FindObjectsInit(token->session, template, n) != CKR_OK)
        return 0;
    n = 0;
    if (token->module->C_FindObjects(token->session, found, 2, &n) != CKR_OK)
        n = 0;
    (void)token->module->C_FindObjectsFinal(token->session);
    if (n > 0)
        *ret = found[0];
    return (unsigned)n;
}

static int make_key(struct token *token, P11KitUri *uri, struct failure *failure) {
    CK_ATTRIBUTE *label = p11_kit_uri_get_attribute(uri, CKA_LABEL);
    CK_ATTRIBUTE *id = p11_kit_uri_get_attribute(uri, CKA_ID);
    CK_MECHANISM mechanism = {CKM_EC_KEY_PAIR_GEN, NULL, 0};
    CK_BBOOL yes = CK_TRUE, no = CK_FALSE;
    CK_ATTRIBUTE public[5] = {{CKA_EC_PARAMS, (void *)(uintptr_t)p256, sizeof(p256)},
                              {CKA_TOKEN, &yes, sizeof(yes)},
                              {CKA_VERIFY, &yes, sizeof(yes)}};
    CK_ATTRIBUTE private[7] = {{CKA_TOKEN, &yes, sizeof(yes)},
                               {CKA_PRIVATE, &yes, sizeof(yes)},
                               {CKA_SENSITIVE, &yes, sizeof(yes)},
                               {CKA_EXTRACTABLE, &no, sizeof(no)},
                               {CKA_SIGN, &yes, sizeof(yes)}};
    CK_ULONG publics = 3, privates = 5;
    CK_RV rv;

    if (!label && !id)
        return failure_set(
            failure, HTTP_E_CREDENTIAL,
            "a key is to be made, and the URI has no name for it; add object= or id=");
    if (label)
    public[publics++] = private[privates++] = *label;
    if (id)
    public[publics++] = private[privates++] = *id;
    rv = token->module->C_GenerateKeyPair(token->session, &mechanism, public, publics, private,
                                          privates, &token->public_key, &token->key);
    return rv == CKR_OK ? 0 : refuse(failure, "the token makes no key on P-256", rv);
}

static int find_key(struct token *token, P11KitUri *uri, bool make, struct failure *failure) {
    unsigned count = find(token, uri, CKO_PRIVATE_KEY, &token->key);

    if (count == 0 && make)
        return make_key(token, uri, failure);
    if (count != 1)
        return failure_set(failure, HTTP_E_CREDENTIAL, "%s",
                           count == 0 ? "the token has no private key that the URI fits"
                                      : "the URI fits several private keys; name one by object= or "
                                        "id=");
    if (find(token, uri, CKO_PUBLIC_KEY, &token->public_key) == 0)
        token->public_key = CK_INVALID_HANDLE;
    return 0;
}

int token_open(struct token *token, const char *uri_text, const uint8_t *pin, size_t pin_length,
               bool make, struct failure *failure) {
    _cleanup_(uri_freep) P11KitUri *uri = p11_kit_uri_new();
    CK_SLOT_ID slot = 0;
    CK_RV rv;
    int r;

    if (!uri || p11_kit_uri_parse(uri_text, P11_KIT_URI_FOR_OBJECT_ON_TOKEN, uri) != 0)
        return failure_set(failure, HTTP_E_CREDENTIAL, "the URI is not one of RFC 7512");
    token->modules = p11_kit_modules_load_and_initialize(0);
    if (!token->modules)
        return failure_set(failure, HTTP_E_CREDENTIAL,
                           "no module of PKCS #11 can be loaded: %.150s",
                           p11_kit_message() ? p11_kit_message() : "no cause is given");
    r = find_token(token, uri, &slot, failure);
    if (r != 0)
        return r;
    rv = token->module->C_OpenSession(slot, CKF_SERIAL_SESSION | (make ? CKF_RW_SESSION : 0), NULL,
                                      NULL, &token->session);
    if (rv != CKR_OK)
        return refuse(failure, "the token opens no session", rv);
    r = log_in(token, slot, pin, pin_length, failure);
    return r == 0 ? find_key(token, uri, make, failure) : r;
}

bool token_public(const struct token *token, uint8_t ret[SECURE_SPKI_LENGTH]) {
    uint8_t params[sizeof(p256)], point[2 + POINT];
    CK_ATTRIBUTE attributes[] = {{CKA_EC_PARAMS, params, sizeof(params)},
                                 {CKA_EC_POINT, point, sizeof(point)}};

    if (token->public_key == CK_INVALID_HANDLE ||
        token->module->C_GetAttributeValue(token->session, token->public_key, attributes, 2) !=
            CKR_OK ||
        attributes[0].ulValueLen != sizeof(p256) || memcmp(params, p256, sizeof(p256)) != 0 ||
        attributes[1].ulValueLen != sizeof(point) || point[0] != 0x04 || point[1] != POINT ||
        point[2] != 0x04)
        return false;
    memcpy(ret, spki_head, sizeof(spki_head));
    memcpy(ret + sizeof(spki_head), point + 2, POINT);
    return true;
}

/* --- Signing ---------------------------------------------------------------------------------------- */

/* R and S one after the other become ECDSA-Sig-Value. */
static bool encode(const uint8_t *raw, uint8_t ret[SIGNATURE_MAX], size_t *ret_length) {
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, 32, NULL), *s = BN_bin2bn(raw + 32, 32, NULL);
    int length = -1;

    if (signature && r && s && ECDSA_SIG_set0(signature, r, s) == 1) {
        r = s = NULL;
        length = i2d_ECDSA_SIG(signature, NULL);
        if (length > 0 && length <= (int)SIGNATURE_MAX)
            length = i2d_ECDSA_SIG(signature, &ret);
        else
            length = -1;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    if (length > 0)
        *ret_length = (size_t)length;
    return length > 0;
}

int token_sign(const struct token *token, const uint8_t digest[SECURE_DIGEST_LENGTH],
               uint8_t ret[SIGNATURE_MAX], size_t *ret_length, struct failure *failure) {
    CK_MECHANISM mechanism = {CKM_ECDSA, NULL, 0};
    uint8_t raw[64];
    CK_ULONG length = sizeof(raw);
    CK_RV rv = token->module->C_SignInit(token->session, &mechanism, token->key);

    if (rv == CKR_OK)
        rv = token->module->C_Sign(token->session, (CK_BYTE *)(uintptr_t)digest,
                                   SECURE_DIGEST_LENGTH, raw, &length);
    if (rv != CKR_OK)
        return refuse(failure, "the token does not sign", rv);
    if (length != sizeof(raw) || !encode(raw, ret, ret_length))
        return failure_set(failure, HTTP_E_CREDENTIAL,
                           "what the token signs is no signature on P-256");
    return 0;
}
