/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA push (TS 33.223): the BSF makes a Push Info for a NAF, which sends it to a gateway by whatever way it has. Whoever
 * has the right card has the NAF's key without a word to anybody. bsf.h has the layout.
 */

#include "bsf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include <nettle/hmac.h>

#define GPI_MAC_LENGTH 16u

/* Octets as they are put together. */
struct writer {
    uint8_t *octets;
    size_t length;
    bool full;
};

static void put(struct writer *writer, const void *data, size_t length) {
    if (writer->full || length > BSF_GPI_MAX - writer->length) {
        writer->full = true;
        return;
    }
    memcpy(writer->octets + writer->length, data, length);
    writer->length += length;
}

static void put_field(struct writer *writer, uint8_t tag, const void *data, size_t length) {
    const uint8_t header[] = {tag, (uint8_t)(length >> 8), (uint8_t)length};

    put(writer, header, sizeof(header));
    put(writer, data, length);
}

static void put_mac(struct writer *writer, const uint8_t key[LAB_NAF_KEY_LENGTH]) {
    uint8_t mac[GPI_MAC_LENGTH];
    struct hmac_sha256_ctx hmac;

    hmac_sha256_set_key(&hmac, LAB_NAF_KEY_LENGTH, key);
    hmac_sha256_update(&hmac, writer->length, writer->octets);
    hmac_sha256_digest(&hmac, sizeof(mac), mac);
    put_field(writer, 0xff, mac, sizeof(mac));
}

void bsf_time(int64_t when, char ret[BSF_TIME_SIZE]) {
    time_t seconds = when;
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || strftime(ret, BSF_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(ret, BSF_TIME_SIZE, "1970-01-01T00:00:00Z");
}

/* The key is kept as that of a bootstrap, so that a NAF may ask for it by its P-TID. */
static struct bsf_bootstrap *keep(struct bsf *bsf, const struct lab_subscriber *subscriber,
                                  enum bsf_mode mode, const struct milenage_answer *answer) {
    struct bsf_bootstrap *kept = &bsf->bootstraps[bsf->bootstraps_next];

    bsf->bootstraps_next = (bsf->bootstraps_next + 1) % BSF_BOOTSTRAPS_MAX;
    memset(kept, 0, sizeof(*kept));
    snprintf(kept->btid, sizeof(kept->btid), "push-%" PRIu64 "@%s", ++bsf->pushes, bsf->name);
    memcpy(kept->impi, subscriber->impi, sizeof(kept->impi));
    kept->mode = mode;
    memcpy(kept->ks, answer->ck, MILENAGE_KEY);
    memcpy(kept->ks + MILENAGE_KEY, answer->ik, MILENAGE_KEY);
    kept->expires = bsf_clock_sec() + subscriber->lifetime;
    return kept;
}

int bsf_push(struct bsf *bsf, struct lab_subscriber *subscriber, enum bsf_mode mode,
             const uint8_t *naf_id, size_t naf_id_length, uint8_t ret[BSF_GPI_MAX],
             size_t *ret_length) {
    const uint8_t header[] = {1, mode == BSF_MODE_U ? 1 : 0};
    struct writer writer = {.octets = ret};
    uint8_t autn[MILENAGE_AUTN], key[LAB_NAF_KEY_LENGTH], rand[MILENAGE_RAND];
    struct milenage_answer answer;
    struct bsf_bootstrap *kept;
    char end[BSF_TIME_SIZE];

    if (getrandom(rand, sizeof(rand), 0) != (ssize_t)sizeof(rand))
        return -EIO;
    bsf_autn(bsf, subscriber, mode, rand, autn, &answer);
    kept = keep(bsf, subscriber, mode, &answer);
    memcpy(kept->rand, rand, sizeof(rand));
    bsf_time(kept->expires, end);
    (void)lab_naf_key(kept->ks, rand, kept->impi, naf_id, naf_id_length, key);

    put(&writer, header, sizeof(header));
    put(&writer, rand, sizeof(rand));
    put(&writer, autn, sizeof(autn));
    put_field(&writer, 1, kept->btid, strlen(kept->btid));
    put_field(&writer, 2, naf_id, naf_id_length);
    put_field(&writer, 3, end, strlen(end));
    put_field(&writer, 4, "lab", 3);
    put_mac(&writer, key);
    explicit_bzero(key, sizeof(key));
    *ret_length = writer.length;
    return writer.full ? -EMSGSIZE : 0;
}
