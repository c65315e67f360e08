/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which card: Iccid= and Imsi= of the configuration, held against a card that was read.
 */

#include <stdbool.h>

#include "conf.h"
#include "outcome.h"
#include "plugin-host.h"
#include "uicc.h"

/* Cards of one transport that were looked at and left. */
struct card_choice {
    char first[PLUGIN_TEXT_MAX]; /* the reader of the first one */
    unsigned seen;
    struct failure doubt; /* why one of them could not be judged; code 0 for none */
};

/**
 * card_choice_matches() - whether @identity is what @conf asks for. What could not be read matches no pattern;
 * without patterns everything matches.
 */
bool card_choice_matches(const struct conf_card *conf, const struct uicc_identity *identity);

/**
 * card_choice_leave() - leave the card in @reader, which does not match, for the next
 * @r: of reading it; @failure says why where it is not 0
 *
 * Return: 0 with the next card in use; UICC_E_CARD_ABSENT when all were seen, or the transport has only one, with words; the
 * code of a card that could not be judged; or as transport_ops.next(). The next card may be the first again.
 */
int card_choice_leave(struct card_choice *choice, const struct conf_card *conf,
                      struct transport *transport, const char *reader, int r,
                      const struct uicc_identity *identity, struct failure *failure);

/**
 * card_choice_none() - that no card matches. Returns UICC_E_CARD_ABSENT, or the code of one that could not be judged.
 */
int card_choice_none(const struct card_choice *choice, const struct conf_card *conf,
                     struct failure *failure);
