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
