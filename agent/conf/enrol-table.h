/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The table of a profile's keys; offsets are in struct enrol_profile.
 */

#include "conf-table.h"
#include "enrol-profile.h"

extern const struct conf_key enrol_table[];
extern const size_t enrol_table_length;
