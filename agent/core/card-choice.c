/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Choosing a card by its content.
 *
 * Readers and slots have numbers and names that change with cables and reboots; an ICCID does not. So where the
 * configuration names one, the cards behind a transport are read one after the other until one matches or all were seen.
 */

#include <fnmatch.h>
#include <string.h>

#include "card-choice.h"
#include "util.h"

static bool matches(const char *pattern, const char *text) {
    return !pattern || (text[0] && fnmatch(pattern, text, 0) == 0);
}

bool card_choice_matches(const struct conf_card *conf, const struct uicc_identity *identity) {
    return matches(conf->iccid, identity->iccid) && matches(conf->imsi, identity->imsi);
}

/* Whether all that @conf asks for was read, so that another look would end the same way. */
static bool judgeable(const struct conf_card *conf, const struct uicc_identity *identity) {
    /* Another ICCID is another card, whatever its IMSI may be. */
    if (conf->iccid && identity->iccid[0] && !matches(conf->iccid, identity->iccid))
        return true;
    return (!conf->iccid || identity->iccid[0]) && (!conf->imsi || identity->imsi[0]);
}

int card_choice_none(const struct card_choice *choice, const struct conf_card *conf,
                     struct failure *failure) {
    const char *keys = !conf->imsi ? "Iccid=" : !conf->iccid ? "Imsi=" : "Iccid= and Imsi=";

    failure_clear(failure);
    if (choice->doubt.code != 0)
        return failure_set(failure, choice->doubt.code,
                           "no card was found that matches %s, and one could not be read: %s", keys,
                           choice->doubt.text);
    return failure_set(failure, UICC_E_CARD_ABSENT,
                       "none of the cards that are there (%u) matches %s; insert the one that is "
                       "meant, or look at keystrap.conf",
                       choice->seen, keys);
}

int card_choice_leave(struct card_choice *choice, const struct conf_card *conf,
                      struct transport *transport, const char *reader, int r,
                      const struct uicc_identity *identity, struct failure *failure) {
    if (r != 0 && choice->doubt.code == 0 && !judgeable(conf, identity))
        choice->doubt = *failure;
    if (choice->seen++ == 0)
        (void)snprintf(choice->first, sizeof(choice->first), "%s", reader);
    if (!(transport->flags & TRANSPORT_SEVERAL) || choice->seen >= CARDS_LOOKED_AT_MAX)
        return card_choice_none(choice, conf, failure);
    failure_clear(failure);
    r = transport->ops->next(transport, failure);
    return r == UICC_E_CARD_ABSENT ? card_choice_none(choice, conf, failure) : r;
}
