/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where profiles come from: files in enrol.d, and signed instruction documents.
 *
 * What a document brought is in records: one for each profile, with the document's serial in its name, and one that says
 * which of them are in force. The last is written last, so that a document is in force whole or not at all, whatever
 * happens in between; what it does not name is swept up.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "agent-enrol.h"
#include "credential.h"
#include "instruction.h"
#include "log.h"
#include "packet.h"
#include "util.h"

#define RECORD_LIST    "instruction"
#define PROFILE_PREFIX "profile."
#define PACKET_HEADER  12u

enum field {
    FIELD_SERIAL = 1,
    FIELD_PROFILES = 2, /* "NAME.SERIAL", each ended by a newline */
    FIELD_TEXT = 3,     /* a profile as its file would be */
    FIELD_TOKEN = 4,
};

/* Which instructed profiles are in force. */
struct instructed {
    uint64_t serial; /* of the last document */
    size_t count;
    struct {
        char name[PROFILE_NAME_MAX + 1];
        uint64_t serial; /* of the document that it came by */
    } profiles[ENROL_PROFILES_MAX];
};

void agent_records_open(struct agent *agent, const char *directory) {
    _cleanup_secret_ struct secret *key = NULL;
    struct failure failure = {0};
    int r;

    r = credential_read(CREDENTIAL_SEALING_KEY, "", SEALING_KEY_MIN, CREDENTIAL_MAX, false, &key);
    if (!directory)
        (void)failure_set(&failure, ENROL_E_SEALING, "keystrapd has no state directory");
    else if (r < 0)
        (void)failure_set(
            &failure, ENROL_E_SEALING,
            r == -ENOENT ? "there is no credential " CREDENTIAL_SEALING_KEY " to seal records with"
                         : "the credential " CREDENTIAL_SEALING_KEY " cannot be used: %s",
            strerror(-r));
    else
        r = record_store_open(directory, key, &agent->records, &failure);
    if (agent->records)
        return;
    (void)failure_set(&failure, ENROL_E_SEALING, "no records: %s", strerror(-r));
    failure.code = ENROL_E_SEALING;
    agent->no_records = failure;
    log_debug("%s", failure.text);
}

/* --- The list --------------------------------------------------------------------------------------- */

static void profile_record(const char *name, uint64_t serial, char ret[RECORD_NAME_MAX + 1]) {
    (void)snprintf(ret, RECORD_NAME_MAX + 1, PROFILE_PREFIX "%s.%" PRIu64, name, serial);
}

static bool parse_serial(const char *text, uint64_t *ret) {
    char *end;

    errno = 0;
    *ret = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && text[0] >= '0' && text[0] <= '9';
}

static int look_at(struct secret *content, struct packet *ret) {
    *ret = (struct packet){.data = secret_data_mutable(content),
                           .size = secret_length(content),
                           .length = secret_length(content)};
    return packet_check(ret);
}

static int take_entry(struct instructed *list, char *entry) {
    char *dot = strrchr(entry, '.');

    if (!dot || list->count == ENROL_PROFILES_MAX || (size_t)(dot - entry) > PROFILE_NAME_MAX ||
        !parse_serial(dot + 1, &list->profiles[list->count].serial))
        return -EBADMSG;
    *dot = '\0';
    (void)snprintf(list->profiles[list->count].name, sizeof(list->profiles[0].name), "%s", entry);
    list->count++;
    return 0;
}

static int parse_list(struct secret *content, struct instructed *ret) {
    char *position = NULL, text[ENROL_PROFILES_MAX * (PROFILE_NAME_MAX + 24)];
    const uint8_t *octets;
    struct packet packet;
    size_t length;
    int r = 0;

    if (look_at(content, &packet) < 0 || !packet_get(&packet, FIELD_SERIAL, &octets, &length) ||
        length != 8)
        return -EBADMSG;
    for (size_t i = 0; i < length; i++)
        ret->serial = ret->serial << 8 | octets[i];
    if (!packet_get(&packet, FIELD_PROFILES, &octets, &length))
        return 0;
    if (length >= sizeof(text))
        return -EBADMSG;
    memcpy(text, octets, length);
    text[length] = '\0';
    for (char *entry = strtok_r(text, "\n", &position); r == 0 && entry;
         entry = strtok_r(NULL, "\n", &position))
        r = take_entry(ret, entry);
    return r;
}

/* A list that is lost must not let old documents in again. */
static int raise_serial(const char *record, void *userdata) {
    struct instructed *list = userdata;
    const char *dot = strrchr(record, '.');
    uint64_t serial;

    if (strncmp(record, PROFILE_PREFIX, strlen(PROFILE_PREFIX)) == 0 && dot &&
        parse_serial(dot + 1, &serial) && serial > list->serial)
        list->serial = serial;
    return 0;
}

static int load_list(struct agent *agent, struct instructed *ret, struct failure *failure) {
    _cleanup_secret_ struct secret *content = NULL;
    struct instructed list = {0};
    int r;

    if (!agent->records) {
        *ret = list;
        return 0;
    }
    r = record_get(agent->records, RECORD_LIST, &content, failure);
    if (r == 0 && parse_list(content, &list) < 0)
        r = failure_set(failure, RECORD_E_DAMAGED, "the record \"%s\" makes no sense", RECORD_LIST);
    if (r != 0 && r != RECORD_E_NONE)
        return r;
    if (r == RECORD_E_NONE)
        (void)record_each(agent->records, raise_serial, &list);
    *ret = list;
    return 0;
}

static int put_list(struct agent *agent, const struct instructed *list, struct failure *failure) {
    _cleanup_secret_ struct secret *content = NULL;
    _cleanup_packet_ struct packet packet = {0};
    char text[ENROL_PROFILES_MAX * (PROFILE_NAME_MAX + 24)] = "";
    uint8_t serial[8];
    size_t length = 0;
    int r;

    for (size_t i = 0; i < sizeof(serial); i++)
        serial[i] = (uint8_t)(list->serial >> (56 - 8 * i));
    for (size_t i = 0; i < list->count; i++)
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s.%" PRIu64 "\n",
                                   list->profiles[i].name, list->profiles[i].serial);
    r = packet_init_secret(&packet, RECORD_MAX - PACKET_HEADER);
    if (r < 0)
        return r;
    packet_begin(&packet, 1, 0);
    r = packet_append(&packet, FIELD_SERIAL, serial, sizeof(serial));
    if (r == 0 && length > 0)
        r = packet_append(&packet, FIELD_PROFILES, text, length);
    if (r == 0)
        r = secret_new_copy(packet.data, packet.length, &content);
    return r == 0 ? record_put(agent->records, RECORD_LIST, content, failure) : r;
}

/* --- A profile's record ----------------------------------------------------------------------------- */

static int put_profile(struct agent *agent, const struct enrol_profile *profile, uint64_t serial,
                       const struct secret *token, struct failure *failure) {
    _cleanup_secret_ struct secret *content = NULL;
    _cleanup_packet_ struct packet packet = {0};
    _cleanup_free_ char *text = NULL;
    char name[RECORD_NAME_MAX + 1];
    size_t length = 0;
    FILE *stream;
    int r;

    stream = open_memstream(&text, &length);
    if (!stream)
        return -ENOMEM;
    enrol_profile_print(profile, stream);
    if (fclose(stream) != 0)
        return -ENOMEM;
    profile_record(profile->name, serial, name);
    r = packet_init_secret(&packet, RECORD_MAX - PACKET_HEADER);
    if (r < 0)
        return r;
    packet_begin(&packet, 1, 0);
    r = packet_append(&packet, FIELD_TEXT, text, length);
    if (r == 0 && token)
        r = packet_append(&packet, FIELD_TOKEN, secret_data(token), secret_length(token));
    if (r == 0)
        r = secret_new_copy(packet.data, packet.length, &content);
    if (r < 0)
        return failure_set(failure, r, "the profile \"%s\" is too long to be kept", profile->name);
    return record_put(agent->records, name, content, failure);
}

static int get_profile(struct agent *agent, const char *profile, uint64_t serial,
                       struct enrol_profile **ret, struct secret **ret_token,
                       struct failure *failure) {
    _cleanup_secret_ struct secret *content = NULL;
    char name[RECORD_NAME_MAX + 1];
    const uint8_t *text, *token;
    size_t length, token_length;
    struct packet packet;
    int r;

    profile_record(profile, serial, name);
    r = record_get(agent->records, name, &content, failure);
    if (r != 0)
        return r;
    if (look_at(content, &packet) < 0 || !packet_get(&packet, FIELD_TEXT, &text, &length))
        return failure_set(failure, RECORD_E_DAMAGED, "the record \"%s\" makes no sense", name);
    if (packet_get(&packet, FIELD_TOKEN, &token, &token_length)) {
        r = secret_new_copy(token, token_length, ret_token);
        if (r < 0)
            return r;
    }
    return enrol_profile_parse(profile, name, (const char *)text, length, ret, failure);
}

void agent_enrolment_token_spent(struct agent_enrolment *enrolment) {
    struct failure failure = {0};

    if (enrolment->serial != 0 &&
        put_profile(enrolment->agent, enrolment->profile, enrolment->serial, NULL, &failure) != 0)
        log_error("%s: the used enrolment token is on disk still, sealed: %s",
                  enrolment->profile->name, failure.text);
}

/* --- The plan --------------------------------------------------------------------------------------- */

static int plan_one(struct agent *agent, struct enrol_profile *profile, uint64_t serial,
                    struct secret *token, struct agent_enrol_plan *plan) {
    struct agent_enrolment *enrolment = agent_find_enrolment(agent, profile->name);
    int r;

    if (enrolment && enrolment->serial == serial &&
        enrol_profile_equal(enrolment->profile, profile)) {
        plan->enrolments[plan->count++] = enrolment;
        secret_free(token);
        enrol_profile_free(profile);
        return 0;
    }
    r = agent_enrolment_new(agent, profile, token, &plan->enrolments[plan->count]);
    if (r < 0) {
        secret_free(token);
        enrol_profile_free(profile);
        return r;
    }
    plan->enrolments[plan->count]->serial = serial;
    plan->is_new[plan->count++] = true;
    return 0;
}

static bool plan_has(const struct agent_enrol_plan *plan, const char *name) {
    for (size_t i = 0; i < plan->count; i++)
        if (strcmp(plan->enrolments[i]->profile->name, name) == 0)
            return true;
    return false;
}

static int plan_files(struct agent *agent, struct agent_enrol_plan *plan, struct failure *failure) {
    struct enrol_profiles profiles = {0};
    int r;

    r = enrol_profiles_load(agent->config_directory, &profiles, failure);
    for (size_t i = 0; r == 0 && i < profiles.count; i++)
        r = plan_one(agent, TAKE_PTR(profiles.profiles[i]), 0, NULL, plan);
    enrol_profiles_done(&profiles);
    return r;
}

/* One that cannot be read, or for which there is no room, does not keep the others out. */
static void plan_instructed(struct agent *agent, struct agent_enrol_plan *plan) {
    struct failure failure = {0};
    struct instructed list;
    int r;

    r = load_list(agent, &list, &failure);
    if (r != 0) {
        log_error("profiles of signed documents are not in force: %s", failure.text);
        return;
    }
    for (size_t i = 0; i < list.count; i++) {
        struct enrol_profile *profile = NULL;
        struct secret *token = NULL;

        failure_clear(&failure);
        if (plan_has(plan, list.profiles[i].name) || plan->count == ENROL_PROFILES_MAX)
            r = failure_set(&failure, -EEXIST,
                            "enrol.d has one of that name, or there are more than %u",
                            ENROL_PROFILES_MAX);
        else
            r = get_profile(agent, list.profiles[i].name, list.profiles[i].serial, &profile, &token,
                            &failure);
        if (r == 0)
            r = plan_one(agent, profile, list.profiles[i].serial, token, plan);
        else
            secret_free(token);
        if (r != 0)
            log_error("the profile \"%s\" of a signed document is not in force: %s",
                      list.profiles[i].name, failure.text);
    }
}

int agent_enrol_plan_make(struct agent *agent, struct agent_enrol_plan *ret,
                          struct failure *failure) {
    int r;

    *ret = (struct agent_enrol_plan){0};
    r = plan_files(agent, ret, failure);
    if (r == 0)
        plan_instructed(agent, ret);
    return r;
}

void agent_enrol_plan_undo(struct agent_enrol_plan *plan) {
    for (size_t i = 0; i < plan->count; i++)
        if (plan->is_new[i])
            agent_enrolment_free(plan->enrolments[i]);
    plan->count = 0;
}

static bool plan_keeps(const struct agent_enrol_plan *plan,
                       const struct agent_enrolment *enrolment) {
    for (size_t i = 0; i < plan->count; i++)
        if (plan->enrolments[i] == enrolment)
            return true;
    return false;
}

static int by_name(const void *a, const void *b) {
    const struct agent_enrolment *const *one = a, *const *other = b;

    return strcmp((*one)->profile->name, (*other)->profile->name);
}

void agent_enrol_plan_carry_out(struct agent *agent, struct agent_enrol_plan *plan) {
    struct failure failure = {0};

    (void)failure_set(&failure, ENROL_E_UNCONFIGURED,
                      "the profile was changed or removed meanwhile");
    for (size_t i = 0; i < agent->enrolments_count; i++) {
        if (plan_keeps(plan, agent->enrolments[i]))
            continue;
        agent_enrolment_dismiss(agent->enrolments[i], &failure);
        agent_enrolment_free(agent->enrolments[i]);
    }
    memcpy(agent->enrolments, plan->enrolments, sizeof(agent->enrolments));
    agent->enrolments_count = plan->count;
    qsort(agent->enrolments, agent->enrolments_count, sizeof(agent->enrolments[0]), by_name);
}

/* --- Signed documents ------------------------------------------------------------------------------- */

static size_t find_name(const struct instructed *list, const char *name) {
    size_t i;

    for (i = 0; i < list->count; i++)
        if (strcmp(list->profiles[i].name, name) == 0)
            break;
    return i;
}

static int remove_names(const struct instruction *instruction, struct instructed *list,
                        struct failure *failure) {
    for (size_t i = 0; i < instruction->remove_count; i++) {
        size_t at = find_name(list, instruction->remove[i]);

        if (at == list->count)
            return failure_set(failure, INSTRUCTION_E_INVALID,
                               "no document before brought the profile \"%s\" that is to be "
                               "removed",
                               instruction->remove[i]);
        list->profiles[at] = list->profiles[--list->count];
    }
    return 0;
}

/* What the list will be. */
static int merge(struct agent *agent, const struct instruction *instruction,
                 struct instructed *list, struct failure *failure) {
    int r = remove_names(instruction, list, failure);

    for (size_t i = 0; r == 0 && i < instruction->profiles_count; i++) {
        const char *name = instruction->profiles[i].profile->name;
        const struct agent_enrolment *there = agent_find_enrolment(agent, name);
        size_t at = find_name(list, name);

        if (there && there->serial == 0)
            return failure_set(failure, INSTRUCTION_E_INVALID,
                               "the profile \"%s\" is one of enrol.d, which no document changes",
                               name);
        if (at == ENROL_PROFILES_MAX)
            return failure_set(failure, INSTRUCTION_E_INVALID, "more than %u profiles",
                               ENROL_PROFILES_MAX);
        (void)snprintf(list->profiles[at].name, sizeof(list->profiles[at].name), "%s", name);
        list->profiles[at].serial = instruction->serial;
        list->count += at == list->count;
    }
    list->serial = instruction->serial;
    return r;
}

struct sweep {
    const struct instructed *list;
    size_t count;
    char names[RECORDS_MAX][RECORD_NAME_MAX + 1];
};

static int note_stale(const char *record, void *userdata) {
    struct sweep *sweep = userdata;
    char name[RECORD_NAME_MAX + 1];

    if (strncmp(record, PROFILE_PREFIX, strlen(PROFILE_PREFIX)) != 0)
        return 0;
    for (size_t i = 0; i < sweep->list->count; i++) {
        profile_record(sweep->list->profiles[i].name, sweep->list->profiles[i].serial, name);
        if (strcmp(record, name) == 0)
            return 0;
    }
    if (sweep->count < RECORDS_MAX)
        (void)snprintf(sweep->names[sweep->count++], sizeof(name), "%s", record);
    return 0;
}

/* Profiles' records that the list does not name. */
static void sweep_up(struct agent *agent, const struct instructed *list) {
    _cleanup_free_ struct sweep *sweep = calloc(1, sizeof(*sweep));

    if (!sweep)
        return;
    sweep->list = list;
    (void)record_each(agent->records, note_stale, sweep);
    for (size_t i = 0; i < sweep->count; i++)
        (void)record_remove(agent->records, sweep->names[i], NULL);
}

static int apply(struct agent *agent, const struct instruction *instruction,
                 struct instructed *list, struct failure *failure) {
    struct agent_enrol_plan plan;
    struct instructed before = *list;
    int r;

    r = merge(agent, instruction, list, failure);
    for (size_t i = 0; r == 0 && i < instruction->profiles_count; i++)
        r = put_profile(agent, instruction->profiles[i].profile, instruction->serial,
                        instruction->profiles[i].token, failure);
    if (r == 0)
        r = put_list(agent, list, failure);
    sweep_up(agent, r == 0 ? list : &before);
    if (r != 0)
        return r;
    r = agent_enrol_plan_make(agent, &plan, failure);
    if (r == 0)
        agent_enrol_plan_carry_out(agent, &plan);
    else
        agent_enrol_plan_undo(&plan);
    agent_touch(agent);
    return r;
}

int agent_configure(struct agent *agent, const struct access_caller *caller, const uint8_t *cms,
                    size_t length, struct failure *failure) {
    _cleanup_secret_ struct secret *document = NULL;
    struct instruction *instruction = NULL;
    struct instructed list;
    int r;

    r = access_check_manage(agent->access, caller, failure);
    if (r == ACCESS_E_DENIED)
        agent_log_denial(agent, caller, failure);
    if (r == 0 && !agent->records)
        r = failure_set(failure, ENROL_E_SEALING, "%s", agent->no_records.text);
    if (r == 0)
        r = instruction_verify(cms, length, agent->instruction_signers, &document, failure);
    if (r == 0)
        r = load_list(agent, &list, failure);
    if (r == 0)
        r = instruction_parse(document, list.serial, &instruction, failure);
    if (r == 0)
        r = apply(agent, instruction, &list, failure);
    if (r == 0)
        log_message(LOG_NOTICE, MESSAGE_ID_INSTRUCTION,
                    "the signed document with serial %" PRIu64 " is in force: %zu profiles set, "
                    "%zu removed",
                    instruction->serial, instruction->profiles_count, instruction->remove_count);
    else if (r != ACCESS_E_DENIED)
        log_message(LOG_WARNING, MESSAGE_ID_INSTRUCTION, "a document was not applied: %s",
                    failure->text);
    instruction_free(instruction);
    return r;
}
