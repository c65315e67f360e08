/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Snapshots: how things stand with a card, as the properties of org.keystrap.Agent1.Uicc say it, and those of
 * org.keystrap.Agent1.Manager of the first card; and with an enrolment, as org.keystrap.Agent1.Enrolment says it.
 */

#include <stddef.h>
#include <stdint.h>

#include "agent.h"
#include "keystrap-limits.h"

struct snapshot {
    char name[CARD_NAME_MAX + 1]; /* in the configuration; no property that changes */
    bool present;                 /* told by signals; likewise insertions */
    uint64_t insertions;
    char state[24];
    char transport[PLUGIN_NAME_MAX + 1];
    char reader[PLUGIN_TEXT_MAX + 1];
    char iccid[16];
    char impi[16];
    char pin_state[16];
    int32_t pin_tries;
    int service_gba; /* int is what sd-bus takes for a boolean */
    char bsf[FQDN_MAX + 1];
    char btid[BTID_MAX + 1];
    uint64_t expires;
    uint64_t boot_time_expires;
    uint64_t bootstraps;
    char last_error[96];
    char last_error_text[FAILURE_TEXT_MAX];
    char imsi[16];
    char application[16];
    char applications[32]; /* words with spaces between */
    char services[32];
    char mode[16];
};

/* Every property that changes: its name, its type, its field. The vtables and the comparison are made of these. */
#define SNAPSHOT_PROPERTIES(X)                   \
    X("State", "s", state)                       \
    X("Transport", "s", transport)               \
    X("Reader", "s", reader)                     \
    X("Iccid", "s", iccid)                       \
    X("Impi", "s", impi)                         \
    X("PinState", "s", pin_state)                \
    X("PinTries", "i", pin_tries)                \
    X("ServiceGba", "b", service_gba)            \
    X("Bsf", "s", bsf)                           \
    X("Btid", "s", btid)                         \
    X("Expires", "t", expires)                   \
    X("BootTimeExpires", "t", boot_time_expires) \
    X("Bootstraps", "t", bootstraps)             \
    X("LastError", "s", last_error)              \
    X("LastErrorText", "s", last_error_text)

/* What only the interface of a card has. */
#define SNAPSHOT_UICC_PROPERTIES(X)          \
    X("Imsi", "s", imsi)                     \
    X("Application", "s", application)       \
    X("Applications", "as", applications)    \
    X("Services", "as", services)            \
    X("GbaMode", "s", mode)

#define SNAPSHOT_METHODS_MAX 3u

/* What became of the methods of a profile, in its order. */
struct snapshot_methods {
    struct {
        char method[16];
        char verdict[16];
        char outcome[48];
        char text[FAILURE_TEXT_MAX];
    } of[SNAPSHOT_METHODS_MAX];
    size_t count;
};

struct enrolment_snapshot {
    char name[PROFILE_NAME_MAX + 1]; /* no property that changes */
    char state[16];
    char method[16];
    char target[ENTITY_ID_MAX + 1];
    char target_kind[16];
    char mef[FQDN_MAX + 1];
    char ke_id[KEY_ID_MAX + 1]; /* KeId, or B-TID */
    uint64_t expires;
    uint64_t boot_time_expires;
    uint64_t retry_at;
    int token_pending;
    struct snapshot_methods methods;
    char last_error[96];
    char last_error_text[FAILURE_TEXT_MAX];
};

/* As SNAPSHOT_PROPERTIES. */
#define SNAPSHOT_ENROLMENT_PROPERTIES(X)         \
    X("State", "s", state)                       \
    X("Method", "s", method)                     \
    X("Target", "s", target)                     \
    X("TargetKind", "s", target_kind)            \
    X("Mef", "s", mef)                           \
    X("KeId", "s", ke_id)                        \
    X("Expires", "t", expires)                   \
    X("BootTimeExpires", "t", boot_time_expires) \
    X("RetryAt", "t", retry_at)                  \
    X("TokenPending", "b", token_pending)        \
    X("Methods", "a(ssss)", methods)             \
    X("LastError", "s", last_error)              \
    X("LastErrorText", "s", last_error_text)

#define SNAPSHOT_COUNT_ONE(name, type, field) +1
enum {
    SNAPSHOT_PROPERTIES_COUNT = SNAPSHOT_PROPERTIES(SNAPSHOT_COUNT_ONE),
    SNAPSHOT_ALL_COUNT = SNAPSHOT_PROPERTIES_COUNT SNAPSHOT_UICC_PROPERTIES(SNAPSHOT_COUNT_ONE),
    SNAPSHOT_ENROLMENT_COUNT = SNAPSHOT_ENROLMENT_PROPERTIES(SNAPSHOT_COUNT_ONE),
};

/* Where a property is in a snapshot. */
struct snapshot_field {
    const char *name;
    size_t offset, size;
};

/* Of struct snapshot, those of the Manager first; and of struct enrolment_snapshot. */
extern const struct snapshot_field snapshot_fields[SNAPSHOT_ALL_COUNT];
extern const struct snapshot_field enrolment_snapshot_fields[SNAPSHOT_ENROLMENT_COUNT];

/**
 * snapshot_take() - how things stand with card @index; fields that do not fit are cut, text that the bus would refuse is mended
 */
void snapshot_take(struct agent *agent, size_t index, struct snapshot *ret);

/**
 * enrolment_snapshot_take() - likewise with profile @index
 */
void enrolment_snapshot_take(struct agent *agent, size_t index, struct enrolment_snapshot *ret);

/**
 * snapshot_compare() - the names of the properties that differ between two snapshots of the same kind
 * @fields: which to look at, @count of them, up to SNAPSHOT_ALL_COUNT
 * @ret: gets the names, static, and NULL after the last
 *
 * Return: how many.
 */
size_t snapshot_compare(const struct snapshot_field *fields, size_t count, const void *a,
                        const void *b, const char *ret[SNAPSHOT_ALL_COUNT + 1]);
