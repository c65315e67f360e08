/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A GBA Push Info and the card (TS 33.223).
 */

#include "card-job.h"

/**
 * card_push() - have the card answer push->gpi, and derive the one key that it is for
 *
 * What is not proved by that very key is refused, so nobody learns anything of the card by what he makes up. A push in GBA_U
 * takes the place of the Ks that the card had.
 *
 * Return: 0 with push->key; UB_E_PUSH_MAC; UB_E_NETWORK_AUTH; UB_E_RESYNC where the card finds it too old, which a push cannot
 * mend; as card_job_read(), uicc_authenticate(), uicc_gba_bootstrap() and uicc_gba_derive().
 */
int card_push(struct card_job *job, struct worker_push *push, struct failure *failure);
