/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a card keeps without power, in a file: so that a card that is started again has not
 * forgotten its sequence numbers, as no real one does.
 */

#include "card.h"

/*
 * Reads PATH into *MEMORY, which is that of a new card of SUBSCRIBER. 0, also when there is no
 * file yet; -EINVAL when it is not such a file, or another subscriber's; another negative errno.
 * *MEMORY is untouched on failure.
 */
int card_state_load(const char *path, const struct lab_subscriber *subscriber,
                    struct card_memory *memory);

/* Writes *MEMORY to PATH, wholly or not at all. 0 or a negative errno. */
int card_state_save(const char *path, const struct lab_subscriber *subscriber,
                    const struct card_memory *memory);
