/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Logging: to the journal with structured fields where stderr is the journal, to stderr with a level
 * elsewhere. No secret, no APDU body, no identity in full, at no level.
 */

#include <syslog.h>

/* MESSAGE_IDs, explained for the operator in systemd/keystrap.catalog. */
#define MESSAGE_ID_READY          "5ad45a3c6d3b4c0fa2e3a80a9d0a7a01"
#define MESSAGE_ID_CARD           "5ad45a3c6d3b4c0fa2e3a80a9d0a7a02"
#define MESSAGE_ID_BOOTSTRAPPED   "5ad45a3c6d3b4c0fa2e3a80a9d0a7a03"
#define MESSAGE_ID_BOOTSTRAP_FAIL "5ad45a3c6d3b4c0fa2e3a80a9d0a7a04"
#define MESSAGE_ID_DENIED         "5ad45a3c6d3b4c0fa2e3a80a9d0a7a05"
#define MESSAGE_ID_CONFIG         "5ad45a3c6d3b4c0fa2e3a80a9d0a7a06"
#define MESSAGE_ID_PLUGIN         "5ad45a3c6d3b4c0fa2e3a80a9d0a7a07"
#define MESSAGE_ID_ENROLLED       "5ad45a3c6d3b4c0fa2e3a80a9d0a7a08"
#define MESSAGE_ID_ENROL_METHOD   "5ad45a3c6d3b4c0fa2e3a80a9d0a7a09"
#define MESSAGE_ID_ENROL_FAIL     "5ad45a3c6d3b4c0fa2e3a80a9d0a7a0a"
#define MESSAGE_ID_CERTIFICATE    "5ad45a3c6d3b4c0fa2e3a80a9d0a7a0b"
#define MESSAGE_ID_INSTRUCTION    "5ad45a3c6d3b4c0fa2e3a80a9d0a7a0c"
#define MESSAGE_ID_RECORD_DAMAGED "5ad45a3c6d3b4c0fa2e3a80a9d0a7a0d"

/**
 * log_open() - decide where lines go; @identifier is borrowed for ever. Called once, first thing.
 */
void log_open(const char *identifier);

/**
 * log_set_max_level() - LOG_ERR to LOG_DEBUG; default LOG_INFO
 */
void log_set_max_level(int level);
int log_get_max_level(void);

/**
 * log_level_from_name() - "err", "warning", "notice", "info", "debug"
 *
 * Return: the level; -EINVAL.
 */
int log_level_from_name(const char *name);

/**
 * log_message() - one line; @message_id may be NULL. errno is kept.
 */
void log_message(int level, const char *message_id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(...) log_message(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_message(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...) log_message(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...) log_message(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, NULL, __VA_ARGS__)
