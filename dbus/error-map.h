/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Outcomes as D-Bus error names, and D-Bus error names as what a client may do about them.
 */

#include <stddef.h>

#define ERROR_PREFIX         "org.keystrap.Agent1.Error."
#define ERROR_UNKNOWN_OPTION ERROR_PREFIX "UnknownOption"
#define ERROR_INVALID_OPTION ERROR_PREFIX "InvalidOption"
#define ERROR_UNKNOWN_CALLER ERROR_PREFIX "UnknownCaller"
#define ERROR_INTERNAL       ERROR_PREFIX "Internal"

/* One row: the code is a positive outcome, a negative errno, or 0 for an error that only the bus's side has. */
struct error_map_entry {
    int code;
    const char *name;
    int client; /* the negative errno that libkeystrap returns for it */
};

/**
 * error_map_name() - the D-Bus error name of a negative errno or positive outcome; ERROR_INTERNAL where
 * there is none of its own. Never NULL.
 */
const char *error_map_name(int code);

/**
 * error_map_client() - what libkeystrap returns for the D-Bus error @name; -EIO where it has no row
 */
int error_map_client(const char *name);

/**
 * error_map_at() - row @index, for those who list all; NULL past the end
 */
const struct error_map_entry *error_map_at(size_t index);
