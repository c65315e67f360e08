/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * How often a card's BSF is asked.
 *
 * Not before a draw of the back-off is over when it could not answer; in good time before a Ks that is used dies; and for
 * an application that wants another one only so often. A fleet of gateways has one BSF, and what one of them does in an
 * instant all of them may do. The arithmetic is in backoff.c, clocks and random numbers come in here.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "agent-internal.h"
#include "log.h"
#include "util.h"

/* A Ks that is used only when its renewal is due: the longest that this is put off for. */
#define LATE_RENEWAL_MAX_USEC (60 * USEC_PER_SEC)
#define TIMER_ACCURACY_USEC   (100 * USEC_PER_MSEC)

static uint64_t random_bits(void) {
    uint64_t bits = 0;

    /* Up to 256 octets come whole, once the kernel's pool was ready, for which the machine's start has waited. */
    if (getrandom(&bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
        bits = now_usec() * UINT64_C(0x9e3779b97f4a7c15);
    return bits;
}

void agent_bsf_init(struct agent_card *card) {
    quota_init(&card->renegotiations, RENEGOTIATIONS_PER_MINUTE, now_usec());
}

void agent_bsf_forget(struct agent_card *card) {
    backoff_clear(&card->backoff);
    card->not_before_usec = 0;
    failure_clear(&card->not_before);
}

/* --- Back-off ------------------------------------------------------------------------------------- */

/* Whether the BSF, or the way to it, is why a bootstrap failed, so that asking it again at once is of no use. */
static bool bsf_is_the_cause(int r) {
    if (r >= HTTP_E_RESOLVE && r < HTTP_E_HELPER)
        return true;
    return r >= OUTCOME_UB_BASE && r < OUTCOME_KEYS_BASE && r != UB_E_CANCELLED && r != UB_E_HTTPS;
}

int agent_bsf_check(const struct agent_card *card, struct failure *failure) {
    uint64_t now = now_usec();

    if (now >= card->not_before_usec)
        return 0;
    return failure_set(
        failure, card->not_before.code,
        "the BSF %s is left alone for another %" PRIu64 " s, because the last try failed: %s",
        card->bsf, (card->not_before_usec - now) / USEC_PER_SEC + 1, card->not_before.text);
}

/* --- Renewal -------------------------------------------------------------------------------------- */

static void agent_bsf_plan(struct agent_card *card, uint64_t at_usec);

static int agent_bsf_on_renewal(sd_event_source *source, uint64_t usec, void *userdata) {
    struct agent_card *card = userdata;
    struct keystore_info info;
    int r;

    (void)usec;
    (void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (keystore_get(card->store, &info) != 0)
        return 0;
    /* Where somebody else's bootstrap is under way and comes to nothing, the next who uses the Ks brings this one. */
    if (info.derivations == 0 || card->bootstrap_job != 0) {
        card->renewal_due = true;
        return 0;
    }
    if (now_usec() < card->not_before_usec) {
        agent_bsf_plan(card, card->not_before_usec);
        return 0;
    }
    r = agent_card_want_bootstrap(card);
    card->renewing = r == 0;
    if (r < 0)
        log_warning("%s: the Ks is not renewed: %s", card->conf->name, strerror(-r));
    else
        log_debug("%s: the Ks is used and dies soon; it is renewed", card->conf->name);
    return 0;
}

static void agent_bsf_plan(struct agent_card *card, uint64_t at_usec) {
    int r;

    card->renewal_due = false;
    if (!card->renewal) {
        r = sd_event_add_time(card->agent->event, &card->renewal, CLOCK_BOOTTIME, at_usec,
                              TIMER_ACCURACY_USEC, agent_bsf_on_renewal, card);
        if (r < 0)
            log_warning("no timer for the renewal of the Ks: %s", strerror(-r));
        return;
    }
    (void)sd_event_source_set_time(card->renewal, at_usec);
    (void)sd_event_source_set_enabled(card->renewal, SD_EVENT_ONESHOT);
}

void agent_bsf_unplan(struct agent_card *card) {
    card->renewal_due = false;
    if (card->renewal)
        (void)sd_event_source_set_enabled(card->renewal, SD_EVENT_OFF);
}

void agent_bsf_used(struct agent_card *card) {
    struct keystore_info info;
    uint64_t left, window;

    if (!card->renewal_due || keystore_get(card->store, &info) != 0)
        return;
    left = info.expires_usec - now_usec();
    window = left / 2 < LATE_RENEWAL_MAX_USEC ? left / 2 : LATE_RENEWAL_MAX_USEC;
    agent_bsf_plan(card, deadline_after(window > 0 ? random_bits() % window : 0));
}

/* --- What became of a bootstrap ------------------------------------------------------------------- */

void agent_bsf_worked(struct agent_card *card, uint64_t expires_usec) {
    uint64_t now = now_usec();
    uint64_t delay =
        expires_usec > now ? renewal_delay(expires_usec - now, random_bits()) : USEC_INFINITY;

    agent_bsf_forget(card);
    card->renewing = false;
    if (card->conf->renew && delay != USEC_INFINITY)
        agent_bsf_plan(card, now + delay);
    else
        agent_bsf_unplan(card);
}

void agent_bsf_failed(struct agent_card *card, int r, uint64_t retry_after_usec,
                      const struct failure *failure) {
    bool renewing = card->renewing;
    uint64_t wait;

    card->renewing = false;
    if (bsf_is_the_cause(r)) {
        wait = backoff_fail(&card->backoff, retry_after_usec, random_bits());
        card->not_before_usec = deadline_after(wait);
        card->not_before = *failure;
        card->not_before.code = r;
        if (renewing)
            agent_bsf_plan(card, card->not_before_usec);
    } else if (renewing) {
        card->renewal_due = true; /* the next who uses it brings another try */
    }
}

int agent_bsf_renegotiate(struct agent_card *card, struct failure *failure) {
    if (quota_take(&card->renegotiations, now_usec()))
        return 0;
    return failure_set(
        failure, ACCESS_E_QUOTA,
        "applications have had %u bootstraps of the card \"%s\" within a minute; the "
        "next is free in %" PRIu64 " s",
        RENEGOTIATIONS_PER_MINUTE, card->conf->name,
        quota_wait_usec(&card->renegotiations) / USEC_PER_SEC + 1);
}
