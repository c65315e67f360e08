/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Control commands about enrolees and their keys; mef-handle.c lists them.
 */

#include "lab-mef.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int say(char *answer, size_t size, const char *words) {
    (void)snprintf(answer, size, "%s", words);
    return -EINVAL;
}

static const struct mef_reg *last_reg(const struct mef *mef) {
    const struct mef_reg *last = NULL;

    for (size_t i = 0; i < MEF_REGS_MAX; i++)
        if (mef->regs[i].used && (!last || strcmp(mef->regs[i].id, last->id) > 0))
            last = &mef->regs[i];
    return last;
}

static int tell_keys(const struct mef *mef, unsigned suid, char *answer, size_t size) {
    const struct mef_reg *reg = last_reg(mef);
    uint8_t key[MEF_KEY_LENGTH];
    char ke[17], usage[17], older[17];

    if (!reg)
        return say(answer, size, "nobody is registered");
    mef_key_hash(reg->ke, ke);
    mef_usage_key(reg->ke, suid, reg->enrolee->target, key);
    mef_key_hash(key, usage);
    mef_release_1_key(reg->ke, !strchr(reg->enrolee->target, '/'), reg->enrolee->target, key);
    mef_key_hash(key, older);
    (void)snprintf(answer, size, "%s ke %s usage %s release-1 %s", reg->ke_id, ke, usage, older);
    return 0;
}

int mef_control_keys(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;
    int r;

    (void)pthread_mutex_lock(&mef->lock);
    r = tell_keys(mef, argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 21, answer, size);
    (void)pthread_mutex_unlock(&mef->lock);
    return r;
}

static int about(struct mef_enrolee *enrolee, int argc, char **argv, char *answer, size_t size) {
    if (strcmp(argv[0], "token") == 0) {
        (void)snprintf(enrolee->token, sizeof(enrolee->token), "%s", argv[2]);
        enrolee->token_state = MEF_TOKEN_WAITING;
    } else if (strcmp(argv[0], "refuse") == 0 || strcmp(argv[0], "admit") == 0) {
        enrolee->refused = argv[0][0] == 'r';
    } else if (strcmp(argv[0], "status") == 0) {
        (void)snprintf(answer, size, "%u", enrolee->last_status);
    } else {
        enrolee->commands_count = enrolee->commands_next = 0;
        for (int i = 2; i < argc && enrolee->commands_count < MEF_COMMANDS_MAX; i++)
            enrolee->commands[enrolee->commands_count++] = (unsigned)strtoul(argv[i], NULL, 10);
    }
    return 0;
}

int mef_control_enrolee(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;
    int r = -ENOENT;

    (void)pthread_mutex_lock(&mef->lock);
    for (size_t i = 0; r == -ENOENT && i < mef->enrolees_count; i++)
        if (strcmp(mef->enrolees[i].identity, argv[1]) == 0)
            r = about(&mef->enrolees[i], argc, argv, answer, size);
    (void)pthread_mutex_unlock(&mef->lock);
    return r == -ENOENT ? say(answer, size, "there is no such enrolee") : r;
}

int mef_control_forget(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;

    (void)argc, (void)argv, (void)answer, (void)size;
    (void)pthread_mutex_lock(&mef->lock);
    memset(mef->regs, 0, sizeof(mef->regs));
    memset(mef->keys, 0, sizeof(mef->keys));
    (void)pthread_mutex_unlock(&mef->lock);
    return 0;
}
