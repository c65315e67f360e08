/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Faults on demand, and the BSF's control commands.
 *
 *     fault NAME [ARGUMENT...] [xN]   show the fault N times, or until it is cleared
 *     clear [NAME]                    show it no more; without a name, none
 *     count                           requests N challenges N bootstraps N resyncs N refusals N zn N tmpis N
 *                                     unknown N akav2 N
 *     ways NAME VALUE                 what this network does: mode me|u|2g|default, tmpi on|off, akav2 on|off
 *     gpi IMPI FQDN UA [u]            make a GBA Push Info for a NAF, UA in hex, for a card with GBA_U or not: in hex
 *     key BTID FQDN UA                the key of a NAF, in hex, as it would be told over Zn
 *     bootstraps                      how many have succeeded
 *     btid                            the B-TID given out last
 *     request                         what the last request was like: target, host, field X-Lab, user agent
 *     forget                          forget every bootstrap, as a BSF that was restarted
 *     usec                            microseconds spent on Ub requests, all together
 *
 * A fault counts as shown when its turn comes: those of a challenge with each challenge, those of the final answer
 * with each final answer, the rest with each request.
 */

#include "bsf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"

struct fault_kind {
    const char *name;
    unsigned arguments_min;
    unsigned arguments_max;
    int64_t minimum, maximum; /* of the first argument */
};

static const struct fault_kind kinds[BSF_FAULTS] = {
    [BSF_FAULT_STATUS] = {"status", 1, 2, 200, 599},
    [BSF_FAULT_SLOW] = {"slow", 1, 1, 0, 3600 * 1000},
    [BSF_FAULT_HANG] = {"hang", 0, 0, 0, 0},
    [BSF_FAULT_GARBAGE] = {"garbage", 0, 0, 0, 0},
    [BSF_FAULT_BODY_GARBAGE] = {"body-garbage", 0, 0, 0, 0},
    [BSF_FAULT_NO_RSPAUTH] = {"no-rspauth", 0, 0, 0, 0},
    [BSF_FAULT_WRONG_RSPAUTH] = {"wrong-rspauth", 0, 0, 0, 0},
    [BSF_FAULT_WRONG_MAC] = {"wrong-mac", 0, 0, 0, 0},
    [BSF_FAULT_STALE_SQN] = {"stale-sqn", 0, 0, 0, 0},
    [BSF_FAULT_SAME_NONCE] = {"same-nonce", 0, 0, 0, 0},
    [BSF_FAULT_NO_CURRENTTIME] = {"no-currenttime", 0, 0, 0, 0},
    [BSF_FAULT_NO_DATE] = {"no-date", 0, 0, 0, 0},
    [BSF_FAULT_CLOCK_SKEW] = {"clock-skew", 1, 1, -INT64_C(0x100000000), INT64_C(0x100000000)},
    [BSF_FAULT_LIFETIME] = {"lifetime", 1, 1, -86400, 10 * 366 * 86400},
    [BSF_FAULT_NO_CHALLENGE] = {"no-challenge", 0, 0, 0, 0},
    [BSF_FAULT_AUTH_ONLY] = {"auth-only", 0, 0, 0, 0},
    [BSF_FAULT_REDIRECT] = {"redirect", 0, 0, 0, 0},
    [BSF_FAULT_BIG_BODY] = {"big-body", 0, 0, 0, 0},
};

bool bsf_fault_take(struct bsf *bsf, enum bsf_fault fault, const struct bsf_fault_setting **ret) {
    struct bsf_fault_setting *setting = &bsf->faults[fault];

    if (!setting->set)
        return false;
    if (setting->left > 0 && --setting->left == 0)
        setting->set = false;
    if (ret)
        *ret = setting;
    return true;
}

static int find_kind(const char *name) {
    for (int i = 0; i < BSF_FAULTS; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return i;
    return -ENOENT;
}

static int parse_number(const char *text, int64_t *ret) {
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return -EINVAL;
    *ret = value;
    return 0;
}

static int parse_times(const char *text, uint64_t *ret) {
    int64_t value;

    if (text[0] != 'x' || parse_number(text + 1, &value) < 0 || value < 1)
        return -EINVAL;
    *ret = (uint64_t)value;
    return 0;
}

static int control_fault(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct bsf_fault_setting setting = {.set = true};
    int kind = find_kind(argv[1]);
    struct bsf *bsf = userdata;
    unsigned arguments;

    if (kind < 0) {
        snprintf(answer, size, "no fault \"%s\"", argv[1]);
        return kind;
    }
    if (argc > 2 && parse_times(argv[argc - 1], &setting.left) == 0)
        argc--;
    arguments = (unsigned)argc - 2;
    if (arguments < kinds[kind].arguments_min || arguments > kinds[kind].arguments_max ||
        (arguments > 0 && parse_number(argv[2], &setting.argument) < 0) ||
        (arguments > 1 && parse_number(argv[3], &setting.second) < 0) ||
        setting.argument < kinds[kind].minimum || setting.argument > kinds[kind].maximum) {
        snprintf(answer, size, "wrong arguments for fault %s", kinds[kind].name);
        return -EINVAL;
    }
    (void)pthread_mutex_lock(&bsf->lock);
    bsf->faults[kind] = setting;
    (void)pthread_mutex_unlock(&bsf->lock);
    return 0;
}

static int control_clear(void *userdata, int argc, char **argv, char *answer, size_t size) {
    int kind = argc > 1 ? find_kind(argv[1]) : 0;
    struct bsf *bsf = userdata;

    if (kind < 0) {
        snprintf(answer, size, "no fault \"%s\"", argv[1]);
        return kind;
    }
    (void)pthread_mutex_lock(&bsf->lock);
    if (argc > 1)
        memset(&bsf->faults[kind], 0, sizeof(bsf->faults[kind]));
    else
        memset(bsf->faults, 0, sizeof(bsf->faults));
    (void)pthread_mutex_unlock(&bsf->lock);
    return 0;
}

static int control_count(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct bsf *bsf = userdata;
    struct bsf_counts counts;

    (void)argc;
    (void)argv;
    (void)pthread_mutex_lock(&bsf->lock);
    counts = bsf->counts;
    (void)pthread_mutex_unlock(&bsf->lock);
    snprintf(answer, size,
             "requests %" PRIu64 " challenges %" PRIu64 " bootstraps %" PRIu64 " resyncs %" PRIu64
             " refusals %" PRIu64 " zn %" PRIu64 " tmpis %" PRIu64 " unknown %" PRIu64
             " akav2 %" PRIu64,
             counts.requests, counts.challenges, counts.bootstraps, counts.resyncs, counts.refusals,
             counts.zn_requests, counts.known_tmpis, counts.unknown_tmpis, counts.akav2);
    return 0;
}

static int control_query(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct bsf *bsf = userdata;

    (void)argc;
    (void)pthread_mutex_lock(&bsf->lock);
    if (strcmp(argv[0], "bootstraps") == 0)
        snprintf(answer, size, "%" PRIu64, bsf->counts.bootstraps);
    else if (strcmp(argv[0], "request") == 0)
        snprintf(answer, size, "%s", bsf->last_request);
    else if (strcmp(argv[0], "btid") == 0)
        snprintf(answer, size, "%s", bsf->last_btid);
    else
        snprintf(answer, size, "%" PRIu64, __atomic_load_n(&bsf->usec, __ATOMIC_RELAXED));
    (void)pthread_mutex_unlock(&bsf->lock);
    return 0;
}

static int control_forget(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct bsf *bsf = userdata;

    (void)argc;
    (void)argv;
    (void)answer;
    (void)size;
    (void)pthread_mutex_lock(&bsf->lock);
    memset(bsf->bootstraps, 0, sizeof(bsf->bootstraps));
    (void)pthread_mutex_unlock(&bsf->lock);
    return 0;
}

static int set_switch(bool *way, const char *value) {
    bool on = strcmp(value, "on") == 0;

    if (!on && strcmp(value, "off") != 0)
        return -EINVAL;
    *way = on;
    return 0;
}

int bsf_set_way(struct bsf_ways *ways, const char *name, const char *value) {
    static const char *const modes[] = {"me", "u", "2g"};

    if (strcmp(name, "tmpi") == 0)
        return set_switch(&ways->tmpi, value);
    if (strcmp(name, "akav2") == 0)
        return set_switch(&ways->akav2, value);
    if (strcmp(name, "mode") != 0)
        return -EINVAL;
    for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
        if (strcmp(modes[i], value) == 0) {
            ways->mode = (enum bsf_mode)i;
            ways->mode_set = true;
            return 0;
        }
    ways->mode_set = false;
    return strcmp(value, "default") == 0 ? 0 : -EINVAL;
}

static int control_ways(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct bsf *bsf = userdata;
    int r;

    (void)argc;
    (void)pthread_mutex_lock(&bsf->lock);
    r = bsf_set_way(&bsf->ways, argv[1], argv[2]);
    (void)pthread_mutex_unlock(&bsf->lock);
    if (r < 0)
        snprintf(answer, size, "no way \"%s\" of \"%s\"", argv[2], argv[1]);
    return r;
}

static int control_gpi(void *userdata, int argc, char **argv, char *answer, size_t size) {
    uint8_t naf_id[255 + LAB_UA_LENGTH], gpi[BSF_GPI_MAX];
    size_t fqdn = strlen(argv[2]), length = 0;
    struct lab_subscriber *subscriber;
    struct bsf *bsf = userdata;
    bool temporary;
    int r = -EINVAL;

    (void)pthread_mutex_lock(&bsf->lock);
    subscriber = bsf_find_user(bsf, argv[1], &temporary);
    if (subscriber && fqdn <= 255 &&
        hex_decode_exactly(argv[3], naf_id + fqdn, LAB_UA_LENGTH) == 0) {
        memcpy(naf_id, argv[2], fqdn);
        r = bsf_push(bsf, subscriber, argc > 4 ? BSF_MODE_U : BSF_MODE_ME, naf_id,
                     fqdn + LAB_UA_LENGTH, gpi, &length);
    }
    (void)pthread_mutex_unlock(&bsf->lock);
    if (r == 0 && 2 * length < size)
        hex_encode(gpi, length, answer);
    return r;
}

static int control_key(void *userdata, int argc, char **argv, char *answer, size_t size) {
    uint8_t naf_id[255 + LAB_UA_LENGTH], key[LAB_NAF_KEY_LENGTH];
    size_t fqdn = strlen(argv[2]);
    const struct bsf_bootstrap *bootstrap;
    struct bsf *bsf = userdata;
    int r = -ENOENT;

    (void)argc;
    if (fqdn > 255 || hex_decode_exactly(argv[3], naf_id + fqdn, LAB_UA_LENGTH) < 0)
        return -EINVAL;
    memcpy(naf_id, argv[2], fqdn);
    (void)pthread_mutex_lock(&bsf->lock);
    bootstrap = bsf_bootstrap_find(bsf, argv[1]);
    if (bootstrap)
        r = bsf_naf_key(bootstrap, naf_id, fqdn + LAB_UA_LENGTH, key);
    (void)pthread_mutex_unlock(&bsf->lock);
    if (r == 0 && size > 2 * sizeof(key))
        hex_encode(key, sizeof(key), answer);
    return r;
}

const struct control_command bsf_commands[] = {
    {"key", "BTID FQDN UA", 3, 3, control_key},
    {"ways", "NAME VALUE", 2, 2, control_ways},
    {"gpi", "IMPI FQDN UA [u]", 3, 4, control_gpi},
    {"fault", "NAME [ARGUMENT...] [xN]", 1, 4, control_fault},
    {"clear", "[NAME]", 0, 1, control_clear},
    {"count", "", 0, 0, control_count},
    {"bootstraps", "", 0, 0, control_query},
    {"btid", "", 0, 0, control_query},
    {"request", "", 0, 0, control_query},
    {"usec", "", 0, 0, control_query},
    {"forget", "", 0, 0, control_forget},
    {NULL, NULL, 0, 0, NULL},
};
