/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * One subscriber and one authentication vector (Milenage, TS 35.208 test set 1), and what follows from it. The derived values
 * were computed by programs that share no code with this one.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "keystrap-limits.h"
#include "secret.h"
#include "util.h"

#define VECTOR_RAND   "23553cbe9637a89d218ae64dae47bf35"
#define VECTOR_AUTN   "55f328b43577b9b94a9ffac354dfafb3"
#define VECTOR_RES    "a54211d5e3ba50bf"
#define VECTOR_CK     "b40ba9a3c58b2a05bbf0d987b21bf8cb"
#define VECTOR_IK     "f769bcd751044604127672711c6d3441"
#define VECTOR_KS     VECTOR_CK VECTOR_IK
#define VECTOR_IMSI   "001010123456789"
#define VECTOR_IMPI   "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define VECTOR_BSF    "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define VECTOR_NONCE  "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M="
#define VECTOR_BTID   "I1U8vpY3qJ0hiuZNrke/NQ==@" VECTOR_BSF
#define VECTOR_CNONCE "0123456789abcdef"
#define VECTOR_BODY                                                 \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><BootstrappingInfo " \
    "xmlns=\"uri:3gpp-gba\"><btid>" VECTOR_BTID                     \
    "</btid><lifetime>2030-01-01T00:00:00Z</lifetime></BootstrappingInfo>"
#define VECTOR_RESPONSE      "4fd4e581b01afaa2a04523f920ca526f"
#define VECTOR_AUTS_RESPONSE "b5493bce9f2ab17b01034a9764e9285e"
#define VECTOR_RSPAUTH       "098ae0fd29a94d7d411d9c692407ef18"
#define VECTOR_TMPI          "NdfNQvvGWK4SGbs7c17alrZHQXyhEcrW@tmpi.bsf.3gppnetwork.org"

/* What the NAF_Id BSF || 0100000100 derives, of which TMPI is made. */
#define VECTOR_TMPI_KEY "35d7cd42fbc658ae1219bb3b735eda96b647417ca111cad698ae0cd029c2591c"

#define VECTOR_AKAV2_PASSWORD "shzt3q8CWaZnCAWqs3WmEQ=="
#define VECTOR_AKAV2_RESPONSE "29413e6777d6fa61bbec4a1623f2678d"

/* 2G GBA with the same RAND; Ks-input is 00 to 0f. */
#define VECTOR_KC       "eae4be823af9a08b"
#define VECTOR_SRES     "46f8416a"
#define VECTOR_NONCE_2G "I1U8vpY3qJ0hiuZNrke/NQAAAAAAAAAAAAAAAAAAAAAAAQIDBAUGBwgJCgsMDQ4P"
#define VECTOR_RES_2G   "91a40904556e5b5427543b008b1fc21e"
#define VECTOR_KS_2G    "c5d9f66ac017806bf19b3c9f15a5b105b58c169f061e2098f197f008a1df1990"

/* GBA_Digest of the same user with MD5, and with SHA-256; the exporter is 40 to 6f. */
#define VECTOR_REALM_DIGEST    "ims.mnc001.mcc001.3gppnetwork.org"
#define VECTOR_PASSWORD        "open sesame"
#define VECTOR_NONCE_DIGEST    "ZnJlc2gtbm9uY2U="
#define VECTOR_HASH_A1         "3edc53eaf4e0ad8efc132aa6254112ff"
#define VECTOR_PASSWD          "188dd008be25cda346d2f086074465f8fba58c7d118e76656d0f7c1284e435cc"
#define VECTOR_RESPONSE_DIGEST "d583fcaa7c9a64b77aeb4b56f94c9453"
#define VECTOR_KS_DIGEST       "3ca493cdeaf49cd511a4fc8dba12486a34762fe127d2796e11caec3fe5981671"
#define VECTOR_NAF_KEY_DIGEST  "d2541f487792a365120456f312e1a178bdf0a1d0e8f320b6a236d68ad6fa857d"
#define VECTOR_HASH_A1_SHA     "e5d2659dbd39606271cc095ba2c6041784b472ee441a3397e64ee8fff81ab021"
#define VECTOR_PASSWD_SHA      "e21b76b7c7032efb1d0df5adb0ebd96be0749c7ecc2283d897a89e54e3fd8575"
#define VECTOR_RESPONSE_SHA    "b460130537c8b746b9d92297041f2d111a94083db8ed1e04b2373ea81fc28905"
#define VECTOR_KS_SHA          "cdcbbbfc419db8e4843067e0ab8c5dba0b61737ca529f38fb72a70dc40cdab72"
#define VECTOR_NAF_KEY_SHA     "da7dc9749e8ae8ff44cabf30ce20419f3e6edeabd824028875f33f274f734de2"
#define VECTOR_EXPORTER                                                                    \
    "404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f6061626364656667" \
    "68696a6b6c6d6e6f"

/* A push to the meter: the same vector, the NAF_Id naf.example.com || 0100000005. */
#define VECTOR_GPI                                                                         \
    "0100" VECTOR_RAND VECTOR_AUTN                                                         \
    "01002c707573682d31406273662e6d6e633030312e6d63633030312e7075622e336770706e6574776f72" \
    "6b2e6f72670200146e61662e6578616d706c652e636f6d0100000005030014323033302d30312d303154" \
    "30303a30303a30305a0400056d65746572ff0010c5e30c27110bbf843f15547b34f2d342"
#define VECTOR_GPI_KEY "beb5d4a7a8bb51f28375437c758fd26312a3d2fdb1df2ccb72da8e756cf8df08"

/* The octets of @hex in a secret that the caller owns. Test keys only: their hex is in the program. */
static inline struct secret *secret_of(const char *hex) {
    uint8_t octets[512];
    struct secret *secret = NULL;
    size_t length = 0;

    if (hex_decode(hex, octets, sizeof(octets), &length) < 0 ||
        secret_new_copy(octets, length, &secret) < 0)
        abort();
    secret_erase(octets, sizeof(octets));
    return secret;
}

static inline void octets_of(const char *hex, void *ret, size_t size) {
    size_t length = 0;

    if (hex_decode(hex, ret, size, &length) < 0 || length != size)
        abort();
}

/* Takes all that is left of the arena, so that the next secret cannot be had. */
struct arena_filler {
    struct secret *secrets[1024];
    size_t count;
};

static inline void arena_fill(struct arena_filler *filler) {
    for (size_t length = SECRET_LENGTH_MAX; length > 0; length /= 2)
        while (filler->count < ELEMENTS(filler->secrets) &&
               secret_new(length, &filler->secrets[filler->count]) == 0)
            filler->count++;
}

static inline void arena_relieve(struct arena_filler *filler) {
    while (filler->count > 0)
        secret_free(filler->secrets[--filler->count]);
}
