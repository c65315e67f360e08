/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Credentials: what the bus daemon says about who is behind a connection.
 */

#include <systemd/sd-bus.h>

#include "access.h"

/**
 * credentials_ask() - GetConnectionCredentials of @name, without waiting; @callback gets the answer
 */
int credentials_ask(sd_bus *bus, const char *name, sd_bus_message_handler_t callback,
                    void *userdata, sd_bus_slot **ret);

/**
 * credentials_read() - the answer to GetConnectionCredentials
 *
 * Where it has no UnixGroupIDs (a bus daemon before dbus 1.14), the caller has no groups, and rules by group match
 * nobody: asking the user database instead could wait for a server, and would
 * give back groups that the process has given up. Of more than ACCESS_GROUPS_MAX groups the first are taken.
 *
 * Return: 0; -ENODATA without UnixUserID; -EBADMSG for anything that is not what the D-Bus specification says.
 */
int credentials_read(sd_bus_message *answer, struct access_caller *ret);
