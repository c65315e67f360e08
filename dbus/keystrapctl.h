/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * keystrapctl's inside. Each command is a function that returns an exit status of sysexits.h.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "keystrap-limits.h"

#define CTL_NAME    "org.keystrap.Agent1"
#define CTL_PATH    "/org/keystrap/Agent1"
#define CTL_MANAGER "org.keystrap.Agent1.Manager"
#define CTL_UICC    "org.keystrap.Agent1.Uicc"
#define CTL_ENROLMENT "org.keystrap.Agent1.Enrolment"
#define CTL_SE      "org.keystrap.Agent1.SecureElement"

/* EX_OK and its kin are in sysexits.h; a check of doctor that fails is none of them. */
#define CTL_EXIT_CHECK_FAILED 1

enum ctl_format {
    CTL_FORMAT_NONE,
    CTL_FORMAT_RAW,
    CTL_FORMAT_HEX,
    CTL_FORMAT_BASE64,
};

/* A card's or a profile's name; both are of the same characters and length. */
#define CTL_OBJECT_NAME_MAX CARD_NAME_MAX
#define CTL_PATH_MAX (sizeof(CTL_PATH "/enrolment/") + CTL_OBJECT_NAME_MAX)

/* The command line. */
struct ctl {
    bool json;
    bool show;
    bool force;
    enum ctl_format format;
    uint8_t ua_protocol[UA_PROTOCOL_LENGTH];
    const char *naf_fqdn;
    char *const *arguments; /* behind the command */
    int arguments_count;
    const char *uicc;    /* the name of a card; NULL for none in particular */
    const char *profile; /* the name of a profile; likewise */
    unsigned suid;       /* 0 for none */
};

int ctl_status(const struct ctl *ctl);
int ctl_bootstrap(const struct ctl *ctl);
int ctl_forget(const struct ctl *ctl);
int ctl_monitor(const struct ctl *ctl);
int ctl_version(const struct ctl *ctl);
int ctl_doctor(const struct ctl *ctl);
int ctl_naf_key(const struct ctl *ctl);
int ctl_se(const struct ctl *ctl);
int ctl_get_key(const struct ctl *ctl);
int ctl_enrol(const struct ctl *ctl);
int ctl_renew(const struct ctl *ctl);
int ctl_forget_enrolment(const struct ctl *ctl);
int ctl_configure(const struct ctl *ctl);

/**
 * ctl_text_of() - the member @name of a JSON object; "-" where it is empty or no string
 */
const char *ctl_text_of(const json_t *object, const char *name);

/**
 * ctl_print_enrolment() - one profile for people, from its properties
 */
void ctl_print_enrolment(const json_t *enrolment);

/**
 * ctl_error() - one line on stderr, "keystrapctl: ..."
 */
void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/**
 * ctl_exit_status() - the exit status for what libkeystrap or the bus returned, a negative errno
 */
int ctl_exit_status(int r);

/**
 * ctl_open() - connect to the system bus; an error has been printed
 *
 * Return: EX_OK, or the exit status.
 */
int ctl_open(sd_bus **ret);

/**
 * ctl_object() - the object and interface that commands go to: of the profile or card that the user named, else the Manager
 * @path: gets the path
 *
 * Return: the interface.
 */
const char *ctl_object(const struct ctl *ctl, char path[CTL_PATH_MAX]);

/**
 * ctl_card_of(), ctl_profile_of() - the name of the card, or the profile, whose object @path is, to @ret; NULL where it is
 * none's
 */
const char *ctl_card_of(const char *path, char ret[CTL_OBJECT_NAME_MAX + 1]);
const char *ctl_profile_of(const char *path, char ret[CTL_OBJECT_NAME_MAX + 1]);

/**
 * ctl_call() - call a method of that object and wait; @types as for sd_bus_message_append()
 *
 * Return: EX_OK, or the exit status; an error has been printed.
 */
int ctl_call(const struct ctl *ctl, sd_bus *bus, const char *method, sd_bus_message **ret,
             const char *types, ...);

/**
 * ctl_get_all() - the properties of @interface at @path as a JSON object, a new reference; an error has been printed
 *
 * Return: EX_OK, or the exit status.
 */
int ctl_get_all(sd_bus *bus, const char *path, const char *interface, json_t **ret);

/**
 * ctl_print_error() - why a call failed: @error, or @r where the bus has no words
 *
 * Return: the exit status.
 */
int ctl_print_error(const char *method, const sd_bus_error *error, int r);

/**
 * ctl_read_dict() - an a{sv} or a{st} of the simple types, of arrays of strings and paths, and of the methods of a profile,
 * as a JSON object; entries of other types are left out
 *
 * Return: a new reference; NULL for a malformed message or no memory.
 */
json_t *ctl_read_dict(sd_bus_message *m, const char *entry);

/**
 * ctl_print_json() - one line on stdout; takes the reference
 *
 * Return: EX_OK, or the exit status.
 */
int ctl_print_json(json_t *object);

/**
 * ctl_time() - microseconds since the epoch as "2026-01-31T12:00:00Z"; "-" for 0
 */
const char *ctl_time(uint64_t usec, char *ret, size_t size);
