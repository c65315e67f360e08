/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The snapshot: how things stand with a card, as the properties of org.keystrap.Agent1.Uicc say it, and those of
 * org.keystrap.Agent1.Manager of the first card.
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

#define SNAPSHOT_COUNT_ONE(name, type, field) +1
enum {
    SNAPSHOT_PROPERTIES_COUNT = SNAPSHOT_PROPERTIES(SNAPSHOT_COUNT_ONE),
    SNAPSHOT_ALL_COUNT = SNAPSHOT_PROPERTIES_COUNT SNAPSHOT_UICC_PROPERTIES(SNAPSHOT_COUNT_ONE),
};

/**
 * snapshot_take() - how things stand with card @index; fields that do not fit are cut, text that the bus would refuse is mended
 */
void snapshot_take(struct agent *agent, size_t index, struct snapshot *ret);

/**
 * snapshot_compare() - the names of the properties that differ
 * @count: SNAPSHOT_PROPERTIES_COUNT for those of the Manager, SNAPSHOT_ALL_COUNT for those of a card
 * @ret: gets the names, static, and NULL after the last
 *
 * Return: how many.
 */
size_t snapshot_compare(const struct snapshot *a, const struct snapshot *b, size_t count,
                        const char *ret[SNAPSHOT_ALL_COUNT + 1]);
