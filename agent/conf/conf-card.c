/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One card's configuration as a whole: comparing and releasing it. A reload lives on this: a card whose values are the
 * same goes on undisturbed.
 */

#include <stdlib.h>
#include <string.h>

#include "conf-table.h"

bool conf_key_of_card(const struct conf_key *key) {
    return strcmp(key->section, "Agent") != 0;
}

enum conf_change conf_card_compare(const struct conf_card *a, const struct conf_card *b) {
    enum conf_change change = CONF_SAME;

    for (size_t i = 0; i < conf_table_length; i++) {
        const struct conf_key *key = &conf_table[i];

        if (!conf_key_of_card(key) || conf_value_equal(a, b, key))
            continue;
        if (key->ks)
            return CONF_OTHER_KS;
        change = CONF_OTHER_WAY;
    }
    return change;
}

struct conf_card *conf_card_free(struct conf_card *card) {
    if (!card)
        return NULL;
    for (size_t i = 0; i < conf_table_length; i++)
        if (conf_key_of_card(&conf_table[i]))
            conf_value_clear(card, &conf_table[i]);
    free(card);
    return NULL;
}
