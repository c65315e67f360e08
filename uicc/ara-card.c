/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading the card's access rules (GlobalPlatform Secure Element Access Control 1.1, 6.3 and 7.1.1).
 *
 * GET DATA [All] answers with one object that may be longer than an answer; GET DATA [Next] brings the rest. Its length is
 * in the first piece, and is held against our own limit before anything more is asked for. The refresh tag changes
 * with the rules, so an unchanged one saves reading them again.
 */

#include <errno.h>
#include <string.h>

#include "ara.h"
#include "se.h"
#include "uicc-internal.h"
#include "util.h"

#define INS_GET_DATA   0xca
#define OBJECT_ALL     0xff40
#define OBJECT_NEXT    0xff60
#define OBJECT_REFRESH 0xdf20
#define SW_NO_RULES    0x6a88
#define ARA_PIECES_MAX 64u

static const uint8_t ara_aid[] = {0xa0, 0x00, 0x00, 0x01, 0x51, 0x41, 0x43, 0x4c, 0x00};

static int get_data(struct se_channel *channel, uint16_t object, struct apdu_answer *answer,
                    struct failure *failure) {
    const struct apdu get = {
        .cla = 0x80, .ins = INS_GET_DATA, .p1 = (uint8_t)(object >> 8), .p2 = (uint8_t)object};

    return se_transmit(channel, &get, answer, failure);
}

static int read_refresh(struct se_channel *channel, struct apdu_answer *answer,
                        uint8_t ret[ARA_REFRESH_TAG_LENGTH], struct failure *failure) {
    const uint8_t *data = secret_data(answer->data);
    int r;

    r = get_data(channel, OBJECT_REFRESH, answer, failure);
    if (r != 0)
        return r;
    r = apdu_status(answer->sw, "GET DATA (refresh tag of the access rules)", failure);
    if (r != 0)
        return r;
    if (answer->length != 3 + ARA_REFRESH_TAG_LENGTH || data[0] != 0xdf || data[1] != 0x20 ||
        data[2] != ARA_REFRESH_TAG_LENGTH)
        return failure_set(failure, UICC_E_MALFORMED,
                           "The refresh tag of the card's access rules (%zu octets) is not what "
                           "GlobalPlatform SEAC says",
                           answer->length);
    memcpy(ret, data + 3, ARA_REFRESH_TAG_LENGTH);
    return 0;
}

/* The object's tag and length, before its value. Returns the octets that they take; 0 where they are not there. */
static size_t parse_head(const uint8_t *data, size_t length, size_t *ret_value) {
    size_t octets, value = 0;

    if (length < 3 || data[0] != 0xff || data[1] != 0x40)
        return 0;
    if (data[2] < 0x80) {
        *ret_value = data[2];
        return 3;
    }
    octets = data[2] - 0x80u;
    if (octets < 1 || octets > 3 || length < 3 + octets)
        return 0;
    for (size_t i = 0; i < octets; i++)
        value = value << 8 | data[3 + i];
    *ret_value = value;
    return 3 + octets;
}

struct gathered {
    uint8_t data[ARA_DATA_MAX];
    size_t length, wanted;
};

static int gather(struct gathered *gathered, const uint8_t *data, size_t length) {
    if (length == 0 || length > gathered->wanted - gathered->length)
        return -EBADMSG;
    memcpy(gathered->data + gathered->length, data, length);
    gathered->length += length;
    return 0;
}

static int gather_first(struct gathered *gathered, const struct apdu_answer *answer) {
    const uint8_t *data = secret_data(answer->data);
    size_t head = parse_head(data, answer->length, &gathered->wanted);

    if (head == 0 || gathered->wanted > sizeof(gathered->data))
        return -EBADMSG;
    if (gathered->wanted == 0 && answer->length == head)
        return 0;
    return gather(gathered, data + head, answer->length - head);
}

static int gather_all(struct se_channel *channel, struct apdu_answer *answer,
                      struct gathered *gathered, struct failure *failure) {
    int r;

    r = get_data(channel, OBJECT_ALL, answer, failure);
    if (r != 0)
        return r;
    if (answer->sw == SW_NO_RULES)
        return 0;
    r = apdu_status(answer->sw, "GET DATA (access rules)", failure);
    if (r != 0)
        return r;
    r = gather_first(gathered, answer);
    for (unsigned i = 0; r == 0 && gathered->length < gathered->wanted; i++) {
        if (i == ARA_PIECES_MAX)
            return -EBADMSG;
        r = get_data(channel, OBJECT_NEXT, answer, failure);
        if (r == 0)
            r = apdu_status(answer->sw, "GET DATA (rest of the access rules)", failure);
        if (r != 0)
            return r;
        r = gather(gathered, secret_data(answer->data), answer->length);
    }
    return r;
}

static int read_rules(struct se_channel *channel, struct apdu_answer *answer, struct ara_rules *ret,
                      struct failure *failure) {
    _cleanup_free_ struct gathered *gathered = calloc(1, sizeof(*gathered));
    int r;

    if (!gathered)
        return -ENOMEM;
    r = gather_all(channel, answer, gathered, failure);
    if (r == 0)
        r = ara_parse(gathered->data, gathered->length, ret);
    if (r == -EBADMSG)
        return failure_set(failure, UICC_E_MALFORMED,
                           "The card's access rules (ARA-M) are not what GlobalPlatform SEAC says, "
                           "or more than %u rules or %u octets; until they are mended nothing on "
                           "this card is open",
                           ARA_RULES_MAX, ARA_DATA_MAX);
    return r;
}

static int refresh_cache(struct se_channel *channel, struct apdu_answer *answer,
                         struct ara_cache *cache, struct failure *failure) {
    uint8_t refresh[ARA_REFRESH_TAG_LENGTH];
    struct ara_rules rules = {0};
    int r;

    r = read_refresh(channel, answer, refresh, failure);
    if (r != 0)
        return r;
    if (cache->known && cache->present && cache->generation == channel->generation &&
        memcmp(cache->refresh, refresh, sizeof(refresh)) == 0)
        return 0;
    r = read_rules(channel, answer, &rules, failure);
    if (r != 0)
        return r;
    ara_cache_done(cache);
    *cache = (struct ara_cache){
        .known = true, .present = true, .generation = channel->generation, .rules = rules};
    memcpy(cache->refresh, refresh, sizeof(refresh));
    return 0;
}

int ara_read(struct uicc *uicc, struct ara_cache *cache, struct failure *failure) {
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    struct se_channel channel = {0};
    struct failure local = {0};
    int r;

    r = apdu_answer_init(&answer);
    if (r < 0)
        return r;
    r = se_open(uicc, ara_aid, sizeof(ara_aid), &channel, &answer, &local);
    if (r == UICC_E_NO_APPLICATION) {
        ara_cache_done(cache);
        *cache = (struct ara_cache){.known = true, .generation = uicc->generation};
        return 0;
    }
    if (r == 0) {
        r = refresh_cache(&channel, &answer, cache, &local);
        se_close(&channel);
    }
    if (r != 0)
        ara_cache_done(cache);
    return r != 0 && local.code != 0 ? failure_set(failure, r, "%s", local.text) : r;
}

void ara_cache_done(struct ara_cache *cache) {
    ara_rules_done(&cache->rules);
    *cache = (struct ara_cache){0};
}
