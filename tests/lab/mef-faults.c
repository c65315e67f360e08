/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The MEF's faults on demand. Each waits for an answer that it can be seen in.
 */

#include "lab-mef.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX 86400u

static const char *const names[MEF_FAULTS] = {
    [MEF_FAULT_SILENT] = "silent",   [MEF_FAULT_BUSY] = "busy",
    [MEF_FAULT_REFUSE] = "refuse",   [MEF_FAULT_CONFLICT] = "conflict",
    [MEF_FAULT_ERROR] = "error",     [MEF_FAULT_EXPIRED] = "expired",
    [MEF_FAULT_CHANGED] = "changed", [MEF_FAULT_TARGETS] = "targets",
    [MEF_FAULT_MISSING] = "missing", [MEF_FAULT_SHORT_KEY] = "short-key",
    [MEF_FAULT_REPEAT] = "repeat",   [MEF_FAULT_LOST] = "lost",
    [MEF_FAULT_CLOSE] = "close",     [MEF_FAULT_GARBAGE] = "garbage",
    [MEF_FAULT_JSON] = "json",       [MEF_FAULT_TYPE] = "type",
    [MEF_FAULT_NUMBER] = "number",   [MEF_FAULT_BIG] = "big",
};

const char mef_fault_usage[] =
    "silent|busy|refuse|conflict|error|expired|changed|targets|missing|short-key|repeat|lost|close|"
    "garbage|json|type|number|big [SECONDS] [xN]";

bool mef_fault_take(struct mef *mef, enum mef_fault fault) {
    struct mef_fault_setting *setting = &mef->faults[fault];

    if (!setting->set)
        return false;
    if (setting->left > 0 && --setting->left == 0)
        setting->set = false;
    return true;
}

static int find(const char *name) {
    for (int i = 0; i < MEF_FAULTS; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -ENOENT;
}

static bool parse_number(const char *text, uint64_t *ret) {
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *ret > 0;
}

/* [SECONDS] [xN] */
static bool parse_setting(int argc, char **argv, struct mef_fault_setting *ret) {
    uint64_t seconds = 0;

    *ret = (struct mef_fault_setting){.set = true};
    if (argc > 0 && argv[argc - 1][0] == 'x') {
        if (!parse_number(argv[argc - 1] + 1, &ret->left))
            return false;
        argc--;
    }
    if (argc > 1 || (argc == 1 && (!parse_number(argv[0], &seconds) || seconds > SECONDS_MAX)))
        return false;
    ret->seconds = (unsigned)seconds;
    return true;
}

int mef_control_fault(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef_fault_setting setting;
    int fault = find(argv[1]);
    struct mef *mef = userdata;

    if (fault < 0) {
        (void)snprintf(answer, size, "no such fault; there are %s", mef_fault_usage);
        return fault;
    }
    if (!parse_setting(argc - 2, argv + 2, &setting)) {
        (void)snprintf(answer, size, "usage: fault %s [SECONDS] [xN]", names[fault]);
        return -EINVAL;
    }
    (void)pthread_mutex_lock(&mef->lock);
    mef->faults[fault] = setting;
    (void)pthread_mutex_unlock(&mef->lock);
    return 0;
}

int mef_control_clear(void *userdata, int argc, char **argv, char *answer, size_t size) {
    int fault = argc > 1 ? find(argv[1]) : 0;
    struct mef *mef = userdata;

    if (fault < 0) {
        (void)snprintf(answer, size, "no such fault");
        return fault;
    }
    (void)pthread_mutex_lock(&mef->lock);
    if (argc > 1)
        mef->faults[fault].set = false;
    else
        memset(mef->faults, 0, sizeof(mef->faults));
    (void)pthread_mutex_unlock(&mef->lock);
    return 0;
}
