/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The MEF's control commands. Keys are shown as the first 16 digits of their SHA-256.
 *
 *     fault NAME [SECONDS] [xN]       show it N times, or until it is cleared; SECONDS of Retry-After with busy
 *     clear [NAME]                    show it no more; without a name, none
 *     mute on|off                     send nothing by coaps, not even a handshake
 *     count                           requests N registrations N updates N removals N keys N fetches N commands N tokens N
 *                                     token-refusals N psk N certificates N coaps N unknown N; psk, certificates and coaps
 *                                     are handshakes, unknown those with a KpmId that nobody has
 *     keys [SUID [KEID [TARGET]]]     KEID ke HASH usage HASH release-1 HASH: of the newest registration if no KeId is given,
 *                                     SUID 21 and the enrolee's first target if they are not
 *     kes                             KEID IDENTITY of every registration
 *     key RELATIVEKEYID               HASH SUID OWNER of a key that was registered
 *     token IDENTITY TOKEN            give an enrolee a token, which it has to present
 *     token-state IDENTITY            none, waiting or taken
 *     refuse|admit IDENTITY           have nothing to do with an enrolee; take it back
 *     commands IDENTITY [COMMAND...]  what waits for it from now on: words of Commands=
 *     status IDENTITY                 its last answer to a command
 *     statuses IDENTITY               its answers to all commands that were given; 0 for none yet
 *     lifetime SECONDS                the longest that is granted from now on
 *     forget                          forget registrations and keys, as a MEF that was restarted
 *     est ...                         see mef-est.h
 */

#include "lab-mef.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mef-coap.h"

#define DEFAULT_SUID 21u
#define LIFETIME_MAX (INT64_C(10) * 366 * 86400)

static int complain(char *answer, size_t size, const char *words) {
    (void)snprintf(answer, size, "%s", words);
    return -EINVAL;
}

/* Add to the text at @answer; what does not fit is left out. */
__attribute__((format(printf, 3, 4))) static void append(char *answer, size_t size,
                                                         const char *format, ...) {
    size_t length = strlen(answer);
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(answer + length, size - length, format, ap);
    va_end(ap);
}

static bool parse_number(const char *text, int64_t max, int64_t *ret) {
    char *end;
    long long value;

    errno = 0;
    value = strtoll(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || value < 1 || value > max)
        return false;
    *ret = value;
    return true;
}

/* --- Keys ------------------------------------------------------------------------------------------- */

static const struct mef_reg *newest_reg(const struct mef *mef) {
    const struct mef_reg *newest = NULL;

    for (size_t i = 0; i < MEF_REGS_MAX; i++)
        if (mef->regs[i].used && (!newest || mef->regs[i].serial > newest->serial))
            newest = &mef->regs[i];
    return newest;
}

/* A CSE-ID or AE-ID that is not relative has a "/", the FQDN of a MAF has none. */
static bool is_maf(const char *target) {
    return !strchr(target, '/');
}

static int show_keys(struct mef *mef, int argc, char **argv, char *answer, size_t size) {
    const struct mef_reg *reg =
        argc > 2 ? mef_reg_of_ke(mef, argv[2], strlen(argv[2])) : newest_reg(mef);
    const char *target;
    char hash[MEF_HASH_SIZE];
    int64_t suid = DEFAULT_SUID;
    uint8_t key[MEF_KEY_LENGTH];

    if (argc > 1 && !parse_number(argv[1], 99, &suid))
        return complain(answer, size, "SUID is a number");
    if (!reg)
        return complain(answer, size, "there is no such registration");
    target = argc > 3 ? argv[3] : reg->enrolee->targets_count > 0 ? reg->enrolee->targets[0] : "";
    mef_key_hash(reg->ke, hash);
    append(answer, size, "%s ke %s", reg->ke_id, hash);
    mef_usage_key(reg->ke, (unsigned)suid, target, key);
    mef_key_hash(key, hash);
    append(answer, size, " usage %s", hash);
    mef_release_1_key(reg->ke, is_maf(target), target, key);
    mef_key_hash(key, hash);
    append(answer, size, " release-1 %s", hash);
    return 0;
}

static int show_kes(const struct mef *mef, char *answer, size_t size) {
    for (size_t i = 0; i < MEF_REGS_MAX; i++)
        if (mef->regs[i].used)
            append(answer, size, "%s%s %s", answer[0] ? "; " : "", mef->regs[i].ke_id,
                   mef->regs[i].enrolee->identity);
    return 0;
}

static int show_key(struct mef *mef, const char *id, char *answer, size_t size) {
    const struct mef_key *key = mef_key_find(mef, id, strlen(id));
    char hash[MEF_HASH_SIZE];

    if (!key)
        return complain(answer, size, "there is no such key");
    mef_key_hash(key->value, hash);
    append(answer, size, "%s %u %s", hash, key->suid, key->owner->identity);
    return 0;
}

static int control_keys(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;
    int r;

    (void)pthread_mutex_lock(&mef->lock);
    if (strcmp(argv[0], "keys") == 0)
        r = show_keys(mef, argc, argv, answer, size);
    else if (strcmp(argv[0], "key") == 0)
        r = show_key(mef, argv[1], answer, size);
    else
        r = show_kes(mef, answer, size);
    (void)pthread_mutex_unlock(&mef->lock);
    return r;
}

/* --- Enrolees ---------------------------------------------------------------------------------------- */

static struct mef_enrolee *find_enrolee(struct mef *mef, const char *identity) {
    for (size_t i = 0; i < mef->enrolees_count; i++)
        if (strcmp(mef->enrolees[i].identity, identity) == 0)
            return &mef->enrolees[i];
    return NULL;
}

static int set_token(struct mef_enrolee *enrolee, const char *token, char *answer, size_t size) {
    if (strlen(token) > MEF_NAME_MAX)
        return complain(answer, size, "the token is too long");
    strcpy(enrolee->token, token);
    enrolee->token_state = MEF_TOKEN_WAITING;
    enrolee->token_required = true;
    return 0;
}

static int set_commands(struct mef_enrolee *enrolee, int count, char **words, char *answer,
                        size_t size) {
    /* Numbers go on: no cmdID comes twice. */
    struct mef_commands commands = {.number = enrolee->commands.number};

    for (int i = 0; i < count; i++)
        if (!mef_command_parse(&commands, words[i]))
            return complain(answer, size, "no such command, or too many");
    enrolee->commands = commands;
    return 0;
}

static int obey(struct mef_enrolee *enrolee, int argc, char **argv, char *answer, size_t size) {
    static const char *const states[] = {"none", "waiting", "taken"};
    const char *name = argv[0];

    if (strcmp(name, "token") == 0)
        return set_token(enrolee, argv[2], answer, size);
    if (strcmp(name, "commands") == 0)
        return set_commands(enrolee, argc - 2, argv + 2, answer, size);
    if (strcmp(name, "token-state") == 0)
        append(answer, size, "%s", states[enrolee->token_state]);
    else if (strcmp(name, "status") == 0)
        append(answer, size, "%u", enrolee->commands.last_status);
    else if (strcmp(name, "statuses") == 0)
        for (size_t i = 0; i < enrolee->commands.count; i++)
            append(answer, size, "%s%u", i > 0 ? " " : "", enrolee->commands.list[i].status);
    else
        enrolee->refused = strcmp(name, "refuse") == 0;
    return 0;
}

static int control_enrolee(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef_enrolee *enrolee;
    struct mef *mef = userdata;
    int r;

    (void)pthread_mutex_lock(&mef->lock);
    enrolee = find_enrolee(mef, argv[1]);
    r = enrolee ? obey(enrolee, argc, argv, answer, size)
                : complain(answer, size, "there is no such enrolee");
    (void)pthread_mutex_unlock(&mef->lock);
    return r;
}

/* --- The whole ---------------------------------------------------------------------------------------- */

static int control_count(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;
    struct mef_counts counts;

    (void)argc;
    (void)argv;
    (void)pthread_mutex_lock(&mef->lock);
    counts = mef->counts;
    (void)pthread_mutex_unlock(&mef->lock);
    append(answer, size,
           "requests %" PRIu64 " registrations %" PRIu64 " updates %" PRIu64 " removals %" PRIu64
           " keys %" PRIu64 " fetches %" PRIu64 " commands %" PRIu64 " tokens %" PRIu64
           " token-refusals %" PRIu64 " psk %" PRIu64 " certificates %" PRIu64 " coaps %" PRIu64
           " unknown %" PRIu64,
           counts.requests, counts.registrations, counts.updates, counts.removals, counts.keys,
           counts.fetches, counts.commands, counts.tokens, counts.token_refusals, counts.psk,
           counts.certificates, counts.coaps, __atomic_load_n(&mef->unknown, __ATOMIC_RELAXED));
    return 0;
}

static int control_lifetime(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;
    int64_t seconds;

    (void)argc;
    if (!parse_number(argv[1], LIFETIME_MAX, &seconds))
        return complain(answer, size, "seconds, ten years at most");
    (void)pthread_mutex_lock(&mef->lock);
    mef->lifetime_sec = seconds;
    (void)pthread_mutex_unlock(&mef->lock);
    return 0;
}

static int control_forget(void *userdata, int argc, char **argv, char *answer, size_t size) {
    struct mef *mef = userdata;

    (void)argc;
    (void)argv;
    (void)answer;
    (void)size;
    (void)pthread_mutex_lock(&mef->lock);
    mef_state_done(mef);
    (void)pthread_mutex_unlock(&mef->lock);
    return 0;
}

static int control_mute(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct mef *mef = userdata;
    bool on = strcmp(argv[1], "on") == 0;

    (void)argc;
    if (!mef->coap || (!on && strcmp(argv[1], "off") != 0))
        return complain(answer, size, "on or off, and only with coaps");
    mef_coap_set_silent(mef->coap, on);
    return 0;
}

static int control_est(void *userdata, int argc, char **argv, char *answer, size_t size) {
    const struct mef *mef = userdata;

    return mef_est_control(mef->est, argc, argv, answer, size);
}

const struct control_command mef_commands[] = {
    {"fault", "NAME [SECONDS] [xN]", 1, 3, mef_control_fault},
    {"clear", "[NAME]", 0, 1, mef_control_clear},
    {"mute", "on|off", 1, 1, control_mute},
    {"count", "", 0, 0, control_count},
    {"keys", "[SUID [KEID [TARGET]]]", 0, 3, control_keys},
    {"kes", "", 0, 0, control_keys},
    {"key", "RELATIVEKEYID", 1, 1, control_keys},
    {"token", "IDENTITY TOKEN", 2, 2, control_enrolee},
    {"token-state", "IDENTITY", 1, 1, control_enrolee},
    {"refuse", "IDENTITY", 1, 1, control_enrolee},
    {"admit", "IDENTITY", 1, 1, control_enrolee},
    {"commands", "IDENTITY [COMMAND...]", 1, 1 + MEF_COMMANDS_MAX, control_enrolee},
    {"status", "IDENTITY", 1, 1, control_enrolee},
    {"statuses", "IDENTITY", 1, 1, control_enrolee},
    {"lifetime", "SECONDS", 1, 1, control_lifetime},
    {"forget", "", 0, 0, control_forget},
    {"est", "fault|clear|count|issued|challenge|lifetime ...", 1, 4, control_est},
    {NULL, NULL, 0, 0, NULL},
};
