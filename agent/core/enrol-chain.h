/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The fallback chain as pure logic: what an outcome means for the method that had it, and which method is next.
 */

#include "agent.h"
#include "enrol-profile.h"

/* What became of one method. */
struct enrol_attempt {
    enum agent_enrol_verdict verdict;
    struct failure failure; /* code 0 where it worked or was not tried */
};

/**
 * enrol_verdict() - of the outcome @code of a method
 *
 * AGENT_ENROL_REFUSED: somebody who knows us said no. AGENT_ENROL_NEVER: it will not work before a card, a credential or the
 * configuration is another one. AGENT_ENROL_NOT_NOW: everything else that went wrong, for it may be different the next time;
 * also that the other end did not prove itself.
 */
enum agent_enrol_verdict enrol_verdict(int code);

/**
 * enrol_chain_next() - the method to try after number @tried had its verdict
 * @tried: an index of the profile's methods
 *
 * Return: an index; -1 for none: it worked, or there is none left, or it was refused and the profile stops then.
 */
int enrol_chain_next(const struct enrol_profile *profile, const struct enrol_attempt *attempts,
                     int tried);

/**
 * enrol_chain_better() - the first method, from number @from on and better than number @current, that may work by now
 *
 * Return: an index; -1 for none. Those that were refused, or never can, are none.
 */
int enrol_chain_better(const struct enrol_attempt *attempts, int from, int current);

/**
 * enrol_chain_explain() - one failure for all attempts: that of the only method, else ENROL_E_METHODS with the reason of each
 */
void enrol_chain_explain(const struct enrol_profile *profile, const struct enrol_attempt *attempts,
                         struct failure *ret);
