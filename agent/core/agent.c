/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The agent: keystrapd's one root object.
 *
 * It has the cards (agent-card.c), the access rules, and what changes both: the configuration. The requests of the bus
 * are in requests.c, the diagnosis in diagnose.c, the status in agent-status.c.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent-enrol.h"
#include "log.h"
#include "util.h"

static int agent_on_notify(sd_event_source *source, void *userdata) {
    struct agent *agent = userdata;

    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (agent->changed)
        agent->changed(agent->changed_userdata);
    return 0;
}

void agent_touch(struct agent *agent) {
    (void)sd_event_source_set_enabled(agent->notify, SD_EVENT_ONESHOT);
}

void agent_on_changed(struct agent *agent, agent_changed_fn changed, void *userdata) {
    agent->changed = changed;
    agent->changed_userdata = userdata;
}

size_t agent_cards(const struct agent *agent) {
    return agent->cards_count;
}

static struct agent_card *agent_card_of(struct agent *agent, const char *name) {
    for (size_t i = 0; i < agent->cards_count; i++)
        if (strcmp(agent->cards[i]->conf->name, name) == 0)
            return agent->cards[i];
    return NULL;
}

int agent_find_card(struct agent *agent, const char *name, struct agent_card **ret,
                    struct failure *failure) {
    struct agent_card *card = name ? agent_card_of(agent, name) : agent->cards[0];

    if (!card)
        return failure_set(failure, UICC_E_UNCONFIGURED, "no card \"%.*s\" is configured",
                           (int)CARD_NAME_MAX, name);
    *ret = card;
    return 0;
}

int agent_find_usable(struct agent *agent, const char *name, struct agent_card **ret,
                      struct failure *failure) {
    struct agent_card *unknown = NULL;

    if (name)
        return agent_find_card(agent, name, ret, failure);
    for (size_t i = 0; i < agent->cards_count; i++) {
        struct agent_card *card = agent->cards[i];

        if (agent_card_has_ks(card) || (card->known && card->r == 0)) {
            *ret = card;
            return 0;
        }
        if (!card->known && !unknown)
            unknown = card;
    }
    *ret = unknown ? unknown : agent->cards[0];
    return 0;
}

/* --- Workers that leave --------------------------------------------------------------------------- */

/* One at a card: a new worker waits until every one before it has given its channel back. Some cards have no other. */
static void agent_release(struct agent *agent) {
    for (size_t i = 0; agent->started && !agent->leaving && i < agent->cards_count; i++)
        agent_card_release(agent->cards[i]);
}

static void agent_leaving_free(struct agent_leaving *leaving) {
    worker_free(leaving->worker);
    conf_card_free(leaving->conf);
    free(leaving);
}

static void agent_on_left(struct worker *worker, void *userdata) {
    struct agent_leaving *leaving = userdata;
    struct agent *agent = leaving->agent;

    (void)worker;
    for (struct agent_leaving **at = &agent->leaving; *at; at = &(*at)->next) {
        if (*at == leaving) {
            *at = leaving->next;
            break;
        }
    }
    agent_leaving_free(leaving);
    agent_release(agent);
}

void agent_let_go(struct agent *agent, struct worker *worker, struct conf_card *conf) {
    struct agent_leaving *leaving = worker ? malloc(sizeof(*leaving)) : NULL;

    if (leaving)
        *leaving = (struct agent_leaving){
            .next = agent->leaving, .agent = agent, .worker = worker, .conf = conf};
    if (leaving && worker_stop(worker, agent_on_left, leaving) == 0) {
        agent->leaving = leaving;
        return;
    }
    /* Then it is waited for. */
    free(leaving);
    worker_free(worker);
    conf_card_free(conf);
}

/* --- Configuration -------------------------------------------------------------------------------- */

static int agent_load(const struct agent *agent, struct conf **ret_conf, struct access **ret_access,
                      struct failure *failure) {
    _cleanup_conf_ struct conf *conf = NULL;
    _cleanup_free_ char *rules = NULL;
    int r;

    if (asprintf(&rules, "%s/access.d", agent->config_directory) < 0) {
        rules = NULL;
        return -ENOMEM;
    }
    r = conf_load(agent->config_directory, &conf, failure);
    if (r != 0)
        return r;
    r = access_load(rules, ret_access, failure);
    if (r != 0)
        return r;
    *ret_conf = TAKE_PTR(conf);
    return 0;
}

/* What is to become of the cards; nothing of it is in force yet. */
struct agent_plan {
    size_t count;
    struct {
        struct agent_card *card; /* of the agent, or new */
        bool is_new;
        enum conf_change change;
        struct worker *worker; /* for a card that changed */
    } cards[CARDS_MAX];
};

static void agent_plan_undo(struct agent_plan *plan) {
    for (size_t i = 0; i < plan->count; i++) {
        worker_free(plan->cards[i].worker);
        if (plan->cards[i].is_new)
            agent_card_free(plan->cards[i].card);
    }
}

static int agent_plan_card(struct agent *agent, struct conf *conf, size_t index,
                           struct agent_plan *plan) {
    struct agent_card *card = agent_card_of(agent, conf->cards[index]->name);
    int r = 0;

    if (!card) {
        r = agent_card_new(agent, conf->cards[index], &card);
        if (r < 0)
            return r;
        conf->cards[index] = NULL;
        plan->cards[index].is_new = true;
        if (agent->started)
            r = agent_card_worker(card, card->conf, &card->worker);
    } else {
        plan->cards[index].change = conf_card_compare(card->conf, conf->cards[index]);
        if (plan->cards[index].change != CONF_SAME && agent->started)
            r = agent_card_worker(card, conf->cards[index], &plan->cards[index].worker);
    }
    plan->cards[index].card = card;
    plan->count = index + 1;
    return r;
}

static int agent_plan_make(struct agent *agent, struct conf *conf, struct agent_plan *plan) {
    int r = 0;

    for (size_t i = 0; r == 0 && i < conf->cards_count; i++)
        r = agent_plan_card(agent, conf, i, plan);
    return r;
}

/* Who waits for a card that the configuration does not know any more. */
static void agent_remove_card(struct agent_card *card) {
    struct failure failure = {0};

    (void)failure_set(&failure, UICC_E_UNCONFIGURED, "the card \"%s\" is not configured any more",
                      card->conf->name);
    agent_card_dismiss(card, &failure);
    (void)agent_card_forget(card);
    agent_let_go(card->agent, TAKE_PTR(card->worker), TAKE_PTR(card->conf));
    agent_card_free(card);
}

static void agent_plan_carry_out(struct agent *agent, struct conf *conf, struct agent_plan *plan) {
    struct agent_card *before[CARDS_MAX];
    size_t before_count = agent->cards_count;

    memcpy(before, agent->cards, sizeof(before));
    agent->cards_count = plan->count;
    for (size_t i = 0; i < plan->count; i++) {
        agent->cards[i] = plan->cards[i].card;
        for (size_t j = 0; j < before_count; j++)
            if (before[j] == plan->cards[i].card)
                before[j] = NULL;
    }
    for (size_t j = 0; j < before_count; j++)
        if (before[j])
            agent_remove_card(before[j]);
    for (size_t i = 0; i < plan->count; i++)
        if (plan->cards[i].change != CONF_SAME)
            agent_card_renew_worker(agent->cards[i], plan->cards[i].worker,
                                    TAKE_PTR(conf->cards[i]), plan->cards[i].change);
    agent_release(agent);
}

int agent_reload(struct agent *agent, struct failure *failure) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct agent_enrol_plan enrolments = {0};
    struct agent_plan plan = {0};
    struct access *access = NULL;
    int r;

    r = agent_load(agent, &conf, &access, failure);
    if (r == 0)
        r = agent_enrol_plan_make(agent, &enrolments, failure);
    if (r == 0) {
        r = agent_plan_make(agent, conf, &plan);
        if (r < 0) {
            agent_plan_undo(&plan);
            (void)failure_set(failure, r, "cannot start another worker: %s", strerror(-r));
        }
    }
    if (r != 0) {
        agent_enrol_plan_undo(&enrolments);
        access_free(access);
        return r;
    }
    access_free(agent->access);
    agent->access = access;
    log_set_max_level(conf->log_level);
    for (size_t i = 0; i < enrolments.count; i++)
        enrol_profile_warn(enrolments.enrolments[i]->profile, conf);
    free(agent->instruction_signers);
    agent->instruction_signers = TAKE_PTR(conf->instruction_signers);
    agent_plan_carry_out(agent, conf, &plan);
    agent_enrol_plan_carry_out(agent, &enrolments);
    agent_se_check_rules(agent);
    agent_touch(agent);
    return 0;
}

/* --- Its life ------------------------------------------------------------------------------------- */

int agent_new(sd_event *event, const struct agent_options *options, struct agent **ret,
              struct failure *failure) {
    struct agent *agent;
    int r;

    agent = calloc(1, sizeof(*agent));
    if (!agent)
        return -ENOMEM;
    agent->event = sd_event_ref(event);
    agent->config_directory = strdup(options->config_directory);
    agent->plugin_directory = strdup(options->plugin_directory);
    r = agent->config_directory && agent->plugin_directory ? 0 : -ENOMEM;
    if (r == 0)
        r = sd_event_add_defer(event, &agent->notify, agent_on_notify, agent);
    if (r >= 0)
        r = sd_event_source_set_enabled(agent->notify, SD_EVENT_OFF);
    if (r >= 0)
        agent_records_open(agent, options->state_directory);
    if (r >= 0)
        r = agent_reload(agent, failure); /* from nothing to the first configuration */
    if (r < 0) {
        (void)agent_free(agent);
        return r;
    }
    *ret = agent;
    return 0;
}

struct agent *agent_free(struct agent *agent) {
    struct failure failure = {0};

    if (!agent)
        return NULL;
    (void)failure_set(&failure, UB_E_CANCELLED, "keystrapd is going down");
    for (size_t i = 0; i < agent->enrolments_count; i++) {
        agent_enrolment_dismiss(agent->enrolments[i], &failure);
        agent_enrolment_free(agent->enrolments[i]);
    }
    agent->enrolments_count = 0;
    /* All of them begin to leave before one is waited for. */
    for (size_t i = 0; i < agent->cards_count; i++) {
        agent_card_dismiss(agent->cards[i], &failure);
        agent_let_go(agent, TAKE_PTR(agent->cards[i]->worker), TAKE_PTR(agent->cards[i]->conf));
        agent->cards[i] = agent_card_free(agent->cards[i]);
    }
    agent->cards_count = 0;
    while (agent->leaving) {
        struct agent_leaving *leaving = agent->leaving;

        agent->leaving = leaving->next;
        agent_leaving_free(leaving);
    }
    agent->access = access_free(agent->access);
    record_store_free(agent->records);
    free(agent->instruction_signers);
    sd_event_source_disable_unref(agent->notify);
    sd_event_unref(agent->event);
    free(agent->config_directory);
    free(agent->plugin_directory);
    free(agent);
    return NULL;
}

int agent_start(struct agent *agent, struct failure *failure) {
    int r = 0;

    for (size_t i = 0; r == 0 && i < agent->cards_count; i++) {
        struct agent_card *card = agent->cards[i];

        r = agent_card_worker(card, card->conf, &card->worker);
    }
    if (r < 0)
        return failure_set(failure, r, "cannot start a card's worker: %s", strerror(-r));
    agent->started = true;
    agent_release(agent);
    return 0;
}
