/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the card's worker does for callers' channels to applications: open, transmit, close, on the card that it has.
 */

#include "ara.h"
#include "se.h"
#include "worker.h"

struct card_job;

/* The channels that are open, by the numbers that the main thread gives them. Belongs to the worker's thread. */
struct card_se {
    struct ara_cache ara;
    struct {
        uint32_t number; /* 0 for a free place */
        struct se_channel channel;
    } channels[SE_CHANNELS_PER_CARD_MAX];
};

/**
 * card_se_run() - do what @kind and @se say; the answer goes into @se
 *
 * Return: 0; SE_E_CARD_RULES; SE_E_CLOSED; what reading the card, se_open(), ara_read() and se_transmit() return.
 */
int card_se_run(struct card_job *job, enum worker_report_kind kind, struct worker_se *se,
                struct failure *failure);

/**
 * card_se_drop() - the card is being given up, or is gone already: no channel is open afterwards
 */
void card_se_drop(struct card_job *job);
