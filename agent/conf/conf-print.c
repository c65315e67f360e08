/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The configuration in words: what is in effect, what there is, and the file that is installed.
 */

#include <string.h>

#include "conf-table.h"

/* A section's header before its first key. */
static void print_header(const struct conf_key *key, FILE *stream) {
    if (key == conf_table)
        fprintf(stream, "[%s]\n", key->section);
    else if (strcmp(key->section, key[-1].section) != 0)
        fprintf(stream, "\n[%s]\n", key->section);
}

/* The one card of a configuration that names none is printed as it would be written. */
static void print_card(const struct conf_card *card, bool named, FILE *stream) {
    const char *section = "";

    for (size_t i = 0; i < conf_table_length; i++) {
        const struct conf_key *key = &conf_table[i];

        if (!conf_key_of_card(key))
            continue;
        if (strcmp(key->section, section) != 0)
            fprintf(stream, "\n[%s%s%s]\n", key->section, named ? " " : "",
                    named ? card->name : "");
        section = key->section;
        conf_value_print(card, key, stream);
    }
}

void conf_print(const struct conf *conf, FILE *stream) {
    bool named = conf->cards_count > 1 || strcmp(conf->cards[0]->name, CONF_CARD_DEFAULT_NAME) != 0;

    for (size_t i = 0; i < conf_table_length; i++) {
        if (conf_key_of_card(&conf_table[i]))
            continue;
        print_header(&conf_table[i], stream);
        conf_value_print(conf, &conf_table[i], stream);
    }
    for (size_t i = 0; i < conf->cards_count; i++)
        print_card(conf->cards[i], named, stream);
}

bool conf_describe(size_t index, struct conf_description *ret) {
    const struct conf_key *key;

    if (index >= conf_table_length)
        return false;
    key = &conf_table[index];
    ret->section = key->section;
    ret->name = key->name;
    ret->fallback = key->fallback;
    ret->help = key->help;
    conf_value_allowed(key, ret->allowed, sizeof(ret->allowed));
    return true;
}

void conf_print_template(FILE *stream) {
    struct conf_description key;

    fprintf(
        stream,
        "# keystrapd's configuration, see keystrap.conf(5). Every key is shown with its default; "
        "remove the \"#\"\n"
        "# to change one. Better still, put changes into a file of your own in "
        "keystrap.conf.d/.\n"
        "# `keystrapd --check-config` tells whether all is well; `systemctl reload "
        "keystrapd` puts it in force.\n\n");
    for (size_t i = 0; conf_describe(i, &key); i++) {
        print_header(&conf_table[i], stream);
        fprintf(stream, "# %s\n# (%s)\n#%s=%s\n", key.help, key.allowed, key.name, key.fallback);
    }
    fprintf(stream, "\n# For several cards: sections [UICC NAME] and [GBA NAME] with what is "
                    "different for the card NAME.\n");
}
