/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A GBA Push Info and the card (TS 33.223): one AUTHENTICATE, one key, nothing kept.
 *
 * The Ks of a push is disposable: it yields the key of the one NAF that sent it, and is erased here or, in GBA_U, left to
 * the card. What the card says to a challenge that somebody made up is told in the same few words whatever it is.
 */

#include <string.h>

#include "card-push.h"
#include "gba.h"

static int fail_card(int r, const struct failure *card, struct failure *failure) {
    if (r == UICC_E_MAC)
        return failure_set(
            failure, UB_E_NETWORK_AUTH,
            "the card does not accept the GBA Push Info (status 9862): it is not from "
            "the card's operator, or not for this card; do not trust its sender");
    if (r == UICC_E_SYNC)
        return failure_set(
            failure, UB_E_RESYNC,
            "the GBA Push Info is too old for the card, or was used already; ask its "
            "sender for a new one");
    return failure_set(failure, r, "%s",
                       card->text[0] ? card->text : "the card did not answer the GBA Push Info");
}

/* GBA_ME: the Ks is made here, and lives as long as this function. */
static int derive_here(struct card_job *job, const struct gpi *gpi, struct secret **ret,
                       struct failure *failure) {
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};
    _cleanup_secret_ struct secret *ks = NULL;
    struct failure card = {0};
    int r;

    r = uicc_authenticate(job->uicc, gpi->rand, gpi->autn, &aka, &card);
    if (r != 0)
        return fail_card(r, &card, failure);
    r = gba_ks(aka.ck, aka.ik, &ks);
    if (r < 0)
        return r;
    return gba_derive_naf_key(ks, gpi->rand, job->impi, gpi->naf_fqdn, gpi->ua_protocol, ret);
}

static int derive_in_card(struct card_job *job, const struct gpi *gpi, struct secret **ret,
                          struct failure *failure) {
    _cleanup_uicc_aka_ struct uicc_aka aka = {0};
    struct failure card = {0};
    int r;

    r = uicc_gba_bootstrap(job->uicc, gpi->rand, gpi->autn, &aka, &card);
    if (r == 0)
        r = card_gba_derive_naf_key(job, gpi->naf_fqdn, gpi->ua_protocol, job->impi, ret, &card);
    return r == 0 ? 0 : fail_card(r, &card, failure);
}

int card_push(struct card_job *job, struct worker_push *push, struct failure *failure) {
    _cleanup_secret_ struct secret *key = NULL;
    const struct gpi *gpi = &push->gpi;
    int r;

    r = card_job_read(job, failure);
    if (r != 0)
        return r;
    if (!job->uicc)
        return failure_set(failure, UICC_E_CARD_ABSENT,
                           "a GBA Push Info is for a card, and GBA_Digest has none; name another "
                           "card");
    r = gpi->mode == GBA_MODE_U ? derive_in_card(job, gpi, &key, failure)
                                : derive_here(job, gpi, &key, failure);
    if (r == 0)
        r = gpi_check(gpi, push->data, key, failure);
    if (r != 0)
        return r;
    push->key = key;
    key = NULL;
    return 0;
}
