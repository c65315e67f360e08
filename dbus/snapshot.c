/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Snapshots of the status.
 *
 * The agent says "something may have changed"; subscribers want to hear what. So the last status that the bus was told is
 * kept and compared, and properties are read from it: Get, GetAll and PropertiesChanged never contradict each other.
 */

#include <string.h>

#include "error-map.h"
#include "snapshot.h"
#include "text.h"
#include "util.h"

static const char *pin_name(enum uicc_pin pin) {
    switch (pin) {
    case UICC_PIN_UNKNOWN:
        return "unknown";
    case UICC_PIN_DISABLED:
        return "disabled";
    case UICC_PIN_VERIFIED:
        return "verified";
    case UICC_PIN_REQUIRED:
        return "required";
    case UICC_PIN_BLOCKED:
        return "blocked";
    }
    return "unknown";
}

static const char *or_empty(const char *text) {
    return text ? text : "";
}

/* LastError and LastErrorText, which stay empty where the last thing worked. */
static void take_failure(const struct failure *failure, char *ret_name, size_t size,
                         char ret_text[FAILURE_TEXT_MAX]) {
    if (!failure || failure->code == 0)
        return;
    text_copy(ret_name, size, error_map_name(failure->code));
    text_copy(ret_text, FAILURE_TEXT_MAX, failure->text);
}

void snapshot_take(struct agent *agent, size_t index, struct snapshot *ret) {
    struct agent_status status = {0};

    agent_get_status(agent, index, &status);
    /* Compared octet by octet later, so the unused ones must be the same each time. */
    memset(ret, 0, sizeof(*ret));
    text_copy(ret->name, sizeof(ret->name), or_empty(status.name));
    ret->present = status.present;
    ret->insertions = status.insertions;
    text_copy(ret->state, sizeof(ret->state), agent_state_name(status.state));
    text_copy(ret->transport, sizeof(ret->transport), or_empty(status.transport));
    text_copy(ret->reader, sizeof(ret->reader), or_empty(status.reader));
    text_copy(ret->iccid, sizeof(ret->iccid), status.iccid);
    text_copy(ret->impi, sizeof(ret->impi), status.impi);
    text_copy(ret->pin_state, sizeof(ret->pin_state), pin_name(status.pin));
    ret->pin_tries = status.pin_tries;
    ret->service_gba = status.service_gba;
    text_copy(ret->bsf, sizeof(ret->bsf), or_empty(status.bsf));
    text_copy(ret->btid, sizeof(ret->btid), or_empty(status.btid));
    ret->expires = status.expires_utc_usec;
    ret->boot_time_expires = status.expires_usec;
    ret->bootstraps = status.bootstraps;
    take_failure(status.last_failure, ret->last_error, sizeof(ret->last_error),
                 ret->last_error_text);
    text_copy(ret->imsi, sizeof(ret->imsi), status.imsi);
    text_copy(ret->application, sizeof(ret->application), or_empty(status.application));
    text_copy(ret->applications, sizeof(ret->applications), or_empty(status.applications));
    text_copy(ret->services, sizeof(ret->services), or_empty(status.services));
    text_copy(ret->mode, sizeof(ret->mode), or_empty(status.mode));
}

static void take_methods(const struct agent_enrol_status *status, struct snapshot_methods *ret) {
    for (size_t i = 0; i < status->methods_count && i < SNAPSHOT_METHODS_MAX; i++) {
        const struct agent_enrol_method_status *method = &status->methods[i];

        text_copy(ret->of[i].method, sizeof(ret->of[i].method), or_empty(method->method));
        text_copy(ret->of[i].verdict, sizeof(ret->of[i].verdict),
                  agent_enrol_verdict_name(method->verdict));
        if (method->code != 0)
            text_copy(ret->of[i].outcome, sizeof(ret->of[i].outcome), outcome_name(method->code));
        text_copy(ret->of[i].text, sizeof(ret->of[i].text), or_empty(method->text));
        ret->count++;
    }
}

void enrolment_snapshot_take(struct agent *agent, size_t index, struct enrolment_snapshot *ret) {
    struct agent_enrol_status status = {0};

    agent_get_enrol_status(agent, index, &status);
    memset(ret, 0, sizeof(*ret));
    text_copy(ret->name, sizeof(ret->name), or_empty(status.name));
    text_copy(ret->state, sizeof(ret->state), agent_enrol_state_name(status.state));
    text_copy(ret->method, sizeof(ret->method), or_empty(status.method));
    text_copy(ret->target, sizeof(ret->target), or_empty(status.target));
    text_copy(ret->target_kind, sizeof(ret->target_kind), or_empty(status.target_kind));
    text_copy(ret->mef, sizeof(ret->mef), or_empty(status.mef));
    text_copy(ret->ke_id, sizeof(ret->ke_id), or_empty(status.ke_id));
    ret->expires = status.expires_utc_usec;
    ret->boot_time_expires = status.expires_usec;
    ret->retry_at = status.retry_usec;
    ret->token_pending = status.token_pending;
    take_methods(&status, &ret->methods);
    take_failure(status.last_failure, ret->last_error, sizeof(ret->last_error),
                 ret->last_error_text);
}

/* --- Comparing ----------------------------------------------------------------------------------- */

#define FIELD(property, type, field) \
    {property, offsetof(struct snapshot, field), sizeof(((struct snapshot *)NULL)->field)},
const struct snapshot_field snapshot_fields[SNAPSHOT_ALL_COUNT] = {
    SNAPSHOT_PROPERTIES(FIELD) SNAPSHOT_UICC_PROPERTIES(FIELD)};
#undef FIELD

#define FIELD(property, type, field)                       \
    {property, offsetof(struct enrolment_snapshot, field), \
     sizeof(((struct enrolment_snapshot *)NULL)->field)},
const struct snapshot_field enrolment_snapshot_fields[SNAPSHOT_ENROLMENT_COUNT] = {
    SNAPSHOT_ENROLMENT_PROPERTIES(FIELD)};
#undef FIELD

size_t snapshot_compare(const struct snapshot_field *fields, size_t count, const void *a,
                        const void *b, const char *ret[SNAPSHOT_ALL_COUNT + 1]) {
    size_t differ = 0;

    for (size_t i = 0; i < count; i++)
        if (memcmp((const char *)a + fields[i].offset, (const char *)b + fields[i].offset,
                   fields[i].size) != 0)
            ret[differ++] = fields[i].name;
    ret[differ] = NULL;
    return differ;
}
