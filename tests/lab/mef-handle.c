/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What the MEF answers: its faults on demand, and who may ask at all.
 *
 * The control socket has
 *
 *     fault NAME [SECONDS] [xN]                show it N times, or until it is cleared; SECONDS of Retry-After with busy
 *     clear                                    show none any more
 *     mute on|off                              send nothing by coaps, not even a handshake
 *     count                                    requests N registrations N tokens N token-refusals N fetches N
 *     keys [SUID]                              of the last registration: KeId, hashes of Ke, of the key of that SUID (21), of
 *                                              the Release 1 key
 *     token IDENTITY WORD                      give an enrolee a token that it has to present
 *     refuse|admit IDENTITY                    have nothing to do with an enrolee; take it back
 *     commands IDENTITY CLASS...               commands that wait for it; 91 is one with somebody else's address
 *     status IDENTITY                          its last answer to a command
 *     forget                                   forget registrations and keys, as a MEF that was restarted
 *     est ...                                  see mef-est.h
 */

#include "lab-mef.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "mef-coap.h"

#define BUSY_DEFAULT_SEC 1u

static const char *const fault_names[MEF_FAULTS] = {
    [MEF_FAULT_BUSY] = "busy", [MEF_FAULT_REFUSE] = "refuse",   [MEF_FAULT_SILENT] = "silent",
    [MEF_FAULT_LOST] = "lost", [MEF_FAULT_CLOSE] = "close",     [MEF_FAULT_GARBAGE] = "garbage",
    [MEF_FAULT_TYPE] = "type", [MEF_FAULT_EXPIRED] = "expired", [MEF_FAULT_CHANGED] = "changed",
    [MEF_FAULT_BIG] = "big",   [MEF_FAULT_NUMBER] = "number",
};

int mef_error(struct mef_exchange *exchange, unsigned status, unsigned rsc, const char *words) {
    json_t *object = json_pack("{s:s}", "error", words);

    exchange->status = status;
    exchange->rsc = rsc;
    exchange->answer = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    return exchange->answer ? 0 : -ENOMEM;
}

static bool take_fault(struct mef *mef, enum mef_fault fault) {
    struct mef_fault_setting *setting = &mef->faults[fault];

    if (!setting->set)
        return false;
    if (setting->left > 0 && --setting->left == 0)
        setting->set = false;
    return true;
}

/* Faults that are in the answer, or in place of one. */
static int answer_with(struct mef *mef, struct mef_exchange *exchange) {
    bool shown[MEF_FAULTS] = {false};

    for (int fault = MEF_FAULT_LOST; fault < MEF_FAULTS; fault++)
        shown[fault] = take_fault(mef, (enum mef_fault)fault);
    exchange->close = shown[MEF_FAULT_CLOSE];
    exchange->garbage = shown[MEF_FAULT_GARBAGE];
    return mef_resources(mef, exchange, shown);
}

static int handle(struct mef *mef, struct mef_exchange *exchange) {
    mef->requests++;
    if (take_fault(mef, MEF_FAULT_SILENT)) {
        exchange->silent = true;
        return 0;
    }
    if (take_fault(mef, MEF_FAULT_BUSY)) {
        unsigned seconds = mef->faults[MEF_FAULT_BUSY].seconds;

        exchange->retry_after_sec = seconds > 0 ? seconds : BUSY_DEFAULT_SEC;
        return mef_error(exchange, 503, 5103, "busy");
    }
    if (take_fault(mef, MEF_FAULT_REFUSE))
        return mef_error(exchange, 403, 4103, "refused on request");
    if (!exchange->enrolee)
        return mef_error(exchange, 403, 4103, "the handshake does not say who you are");
    return answer_with(mef, exchange);
}

int mef_handle(struct mef *mef, struct mef_exchange *exchange) {
    int r;

    (void)pthread_mutex_lock(&mef->lock);
    r = handle(mef, exchange);
    (void)pthread_mutex_unlock(&mef->lock);
    return r;
}

/* --- Control ------------------------------------------------------------------------------------- */

static bool parse_number(const char *text, uint64_t *ret) {
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *ret > 0;
}

static int set_fault(struct mef *mef, int argc, char **argv) {
    struct mef_fault_setting setting = {.set = true};
    uint64_t seconds = 0;

    if (argc > 2 && argv[argc - 1][0] == 'x') {
        if (!parse_number(argv[argc - 1] + 1, &setting.left))
            return -EINVAL;
        argc--;
    }
    if (argc > 3 || (argc > 2 && (!parse_number(argv[2], &seconds) || seconds > 86400)))
        return -EINVAL;
    setting.seconds = (unsigned)seconds;
    for (int i = 0; i < MEF_FAULTS; i++)
        if (strcmp(fault_names[i], argv[1]) == 0) {
            mef->faults[i] = setting;
            return 0;
        }
    return -EINVAL;
}

static int control_fault(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;
    int r;

    (void)pthread_mutex_lock(&mef->lock);
    r = set_fault(mef, argc, argv);
    (void)pthread_mutex_unlock(&mef->lock);
    if (r < 0)
        (void)snprintf(answer, size, "no such fault");
    return r;
}

static int control_clear(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;

    (void)argc;
    (void)argv;
    (void)answer;
    (void)size;
    (void)pthread_mutex_lock(&mef->lock);
    memset(mef->faults, 0, sizeof(mef->faults));
    (void)pthread_mutex_unlock(&mef->lock);
    return 0;
}

static int control_mute(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct mef *mef = userdata;
    bool on = strcmp(argv[1], "on") == 0;

    (void)argc;
    if (!mef->coap || (!on && strcmp(argv[1], "off") != 0)) {
        (void)snprintf(answer, size, "on or off, and only with coaps");
        return -EINVAL;
    }
    mef_coap_set_silent(mef->coap, on);
    return 0;
}

static int control_count(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;

    (void)argc;
    (void)argv;
    (void)pthread_mutex_lock(&mef->lock);
    (void)snprintf(answer, size,
                   "requests %" PRIu64 " registrations %u tokens %u token-refusals %u fetches %u",
                   mef->requests, mef->counts.registrations, mef->counts.tokens,
                   mef->counts.token_refusals, mef->counts.fetches);
    (void)pthread_mutex_unlock(&mef->lock);
    return 0;
}

static int control_est(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct mef *mef = userdata;

    return mef_est_control(mef->est, argc, argv, answer, size);
}

const struct control_command mef_commands[] = {
    {"fault",
     "busy|refuse|silent|lost|close|garbage|type|expired|changed|big|number [SECONDS] [xN]", 1, 3,
     control_fault},
    {"clear", "", 0, 0, control_clear},
    {"mute", "on|off", 1, 1, control_mute},
    {"count", "", 0, 0, control_count},
    {"keys", "[SUID]", 0, 1, mef_control_keys},
    {"token", "IDENTITY WORD", 2, 2, mef_control_enrolee},
    {"refuse", "IDENTITY", 1, 1, mef_control_enrolee},
    {"admit", "IDENTITY", 1, 1, mef_control_enrolee},
    {"status", "IDENTITY", 1, 1, mef_control_enrolee},
    {"commands", "IDENTITY [CLASS...]", 1, 9, mef_control_enrolee},
    {"forget", "", 0, 0, mef_control_forget},
    {"est", "fault|clear|count|issued|challenge|lifetime ...", 1, 4, control_est},
    {NULL, NULL, 0, 0, NULL},
};
