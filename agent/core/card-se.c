/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The worker's part of callers' channels.
 *
 * One command is one job, so that whoever waits for a key waits for one command at most. Before each job what the
 * transport has said is taken in: a card that was changed has none of the channels of the one before.
 */

#include <errno.h>

#include "card-job.h"
#include "util.h"

static struct se_channel *find(struct card_se *cards, uint32_t number) {
    for (size_t i = 0; i < ELEMENTS(cards->channels); i++)
        if (cards->channels[i].number == number)
            return &cards->channels[i].channel;
    return NULL;
}

static void keep(struct card_se *cards, uint32_t number, const struct se_channel *channel) {
    for (size_t i = 0; i < ELEMENTS(cards->channels); i++)
        if (cards->channels[i].number == 0) {
            cards->channels[i].number = number;
            cards->channels[i].channel = *channel;
            return;
        }
}

static void drop(struct card_se *cards, uint32_t number) {
    for (size_t i = 0; i < ELEMENTS(cards->channels); i++)
        if (cards->channels[i].number == number)
            cards->channels[i].number = 0;
}

/* Places of channels that a reset has closed are free for others. */
static bool has_room(struct card_se *cards) {
    for (size_t i = 0; i < ELEMENTS(cards->channels); i++)
        if (cards->channels[i].number != 0 && !se_is_open(&cards->channels[i].channel))
            cards->channels[i].number = 0;
    return find(cards, 0) != NULL;
}

/* Data and status word as one, as they came from the card. */
static void add_status(struct apdu_answer *answer) {
    uint8_t *end = secret_data_mutable(answer->data) + answer->length;

    end[0] = (uint8_t)(answer->sw >> 8);
    end[1] = (uint8_t)answer->sw;
    answer->length += 2;
}

static int ask_card_rules(struct card_job *job, struct worker_se *se, struct failure *failure) {
    int r;

    r = ara_read(job->uicc, &job->se.ara, failure);
    if (r != 0)
        return r;
    se->decision = (struct ara_decision){.access = ARA_ALWAYS};
    if (job->se.ara.present)
        ara_decide(&job->se.ara.rules, se->aid, se->aid_length, se->hashes, se->hashes_count,
                   &se->decision);
    if (se->decision.access != ARA_NEVER)
        return 0;
    return failure_set(failure, SE_E_CARD_RULES,
                       "The card's own rules (ARA-M) do not open that application to %s",
                       se->hashes_count > 0 ? "the DeviceAppHash= of the caller"
                                            : "a caller without DeviceAppHash=");
}

static int open_channel(struct card_job *job, struct worker_se *se, struct failure *failure) {
    struct se_channel channel;
    int r;

    /* A card whose USIM cannot be used (PIN, no such application) may have others that can. */
    if (card_job_notice(job) != 0) {
        r = card_job_read(job, failure);
        if (!job->uicc)
            return r;
        failure_clear(failure);
    }
    if (!has_room(&job->se))
        return failure_set(failure, ACCESS_E_TOO_MANY, "%u channels are open already",
                           SE_CHANNELS_PER_CARD_MAX);
    r = ask_card_rules(job, se, failure);
    if (r != 0)
        return r;
    r = se_open(job->uicc, se->aid, se->aid_length, &channel, &se->answer, failure);
    if (r != 0)
        return r;
    keep(&job->se, se->channel, &channel);
    add_status(&se->answer);
    return 0;
}

static int transmit(struct card_job *job, struct worker_se *se, struct failure *failure) {
    struct se_channel *channel;
    struct apdu command;
    int r;

    r = card_job_notice(job);
    channel = r == 0 ? find(&job->se, se->channel) : NULL;
    if (!channel)
        return failure_set(failure, SE_E_CLOSED,
                           "The channel is gone: the card was reset, changed or taken out; open it "
                           "again");
    r = se_command_parse(secret_data(se->command), secret_length(se->command), true, &command,
                         failure);
    if (r != 0)
        return r;
    r = se_transmit(channel, &command, &se->answer, failure);
    if (r == 0)
        add_status(&se->answer);
    return r;
}

static void close_channel(struct card_job *job, uint32_t number) {
    struct se_channel *channel;

    if (card_job_notice(job) != 0)
        return;
    channel = find(&job->se, number);
    if (channel)
        se_close(channel);
    drop(&job->se, number);
}

int card_se_run(struct card_job *job, enum worker_report_kind kind, struct worker_se *se,
                struct failure *failure) {
    int r;

    if (kind == WORKER_SE_CLOSE) {
        close_channel(job, se->channel);
        return 0;
    }
    r = apdu_answer_init(&se->answer);
    if (r < 0)
        return failure_set(failure, r, "no locked memory is left for the card's answer");
    return kind == WORKER_SE_OPEN ? open_channel(job, se, failure) : transmit(job, se, failure);
}

void card_se_drop(struct card_job *job) {
    for (size_t i = 0; i < ELEMENTS(job->se.channels); i++) {
        if (job->se.channels[i].number != 0)
            se_close(&job->se.channels[i].channel);
        job->se.channels[i].number = 0;
    }
    ara_cache_done(&job->se.ara);
}
