/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The diagnosis: everything that a bootstrap needs, one line each, in the order in which it is needed.
 *
 * A line is ok, or says what was found and what to do. What cannot be looked at because something before it
 * is missing says so, too.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent-internal.h"
#include "log.h"
#include "util.h"

#define CLOCK_TOLERANCE_SEC 300
#define DIAGNOSIS_CHECKS    8

struct diagnosis {
    struct agent_check checks[DIAGNOSIS_CHECKS];
    size_t count;
};

static void _printf_(5, 6) diagnosis_add(struct diagnosis *diagnosis, const char *name, int code,
                                         const char *remedy, const char *format, ...) {
    struct agent_check *check = &diagnosis->checks[diagnosis->count++];
    va_list arguments;
    char *own;

    check->name = name;
    check->code = code;
    va_start(arguments, format);
    (void)vsnprintf(check->text, sizeof(check->text), format, arguments);
    va_end(arguments);

    /* A text that holds its own remedy has it after a semicolon, see failure_describe(). */
    own = code != 0 && !remedy ? strstr(check->text, "; ") : NULL;
    if (own) {
        *own = '\0';
        remedy = own + 2;
    }
    check->remedy = remedy ? remedy : code == 0 ? "" : outcome_remedy(code);
}

static void diagnose_card(const struct agent_card *card, struct diagnosis *diagnosis) {
    const struct failure *failure = &card->failure;
    bool present = card->state == KEYSTRAP_CARD_PRESENT;

    if (!card->known || card->state == KEYSTRAP_CARD_SERVICE_ABSENT ||
        card->state == KEYSTRAP_CARD_READER_ABSENT) {
        int code = card->r != 0 ? card->r : UICC_E_SERVICE_ABSENT;

        diagnosis_add(diagnosis, "reader", code, NULL, "%s",
                      failure->text[0] ? failure->text : "the transport has not answered yet");
        diagnosis_add(diagnosis, "card", code, "see reader", "not looked at: no reader");
        return;
    }
    diagnosis_add(diagnosis, "reader", 0, NULL, "%s (%s)", card->reader, card->conf->transport);
    if (!present)
        diagnosis_add(diagnosis, "card", card->r, NULL, "%s", failure->text);
    else if (card->identity.iccid[0])
        diagnosis_add(diagnosis, "card", 0, NULL, "ICCID %.6s...", card->identity.iccid);
    else
        diagnosis_add(diagnosis, "card", 0, NULL, "present, without a readable ICCID");
}

static const char *pin_text(enum uicc_pin pin) {
    switch (pin) {
    case UICC_PIN_UNKNOWN:
        return "the card does not tell";
    case UICC_PIN_DISABLED:
        return "not asked for";
    case UICC_PIN_VERIFIED:
        return "verified";
    case UICC_PIN_REQUIRED:
        return "enabled and not verified";
    case UICC_PIN_BLOCKED:
        return "blocked";
    }
    return "unknown";
}

static void diagnose_application(const struct agent_card *card, struct diagnosis *diagnosis) {
    const struct uicc_identity *identity = &card->identity;
    int missing = card->r != 0 ? card->r : UICC_E_CARD_ABSENT;

    if (!card->known || card->state != KEYSTRAP_CARD_PRESENT) {
        diagnosis_add(diagnosis, "application", missing, "see card", "not looked at: no card");
        diagnosis_add(diagnosis, "pin", missing, "see card", "not looked at: no card");
        diagnosis_add(diagnosis, "service-68", missing, "see card", "not looked at: no card");
        return;
    }

    if (identity->application == UICC_NO_APPLICATION)
        diagnosis_add(diagnosis, "application", missing, NULL, "%s", card->failure.text);
    else
        diagnosis_add(diagnosis, "application", 0, NULL, "%s%s%s",
                      uicc_application_name(identity->application), identity->label[0] ? ", " : "",
                      identity->label);

    if (identity->pin == UICC_PIN_BLOCKED || identity->pin == UICC_PIN_REQUIRED)
        diagnosis_add(diagnosis, "pin",
                      identity->pin == UICC_PIN_BLOCKED ? UICC_E_PIN_BLOCKED : UICC_E_PIN_REQUIRED,
                      NULL, "PIN1 is %s, tries left: %d", pin_text(identity->pin),
                      identity->pin_tries);
    else
        diagnosis_add(diagnosis, "pin", 0, NULL, "PIN1: %s", pin_text(identity->pin));

    if (uicc_knows_gba(identity))
        diagnosis_add(diagnosis, "service-68", 0, NULL,
                      "the card announces GBA (service %d of %s)%s%s",
                      identity->application == UICC_ISIM ? 2 : 68,
                      identity->application == UICC_ISIM ? "EF_IST" : "EF_UST",
                      card->nafs[0] ? "; NAFs that it keeps keys for: " : "", card->nafs);
    else
        diagnosis_add(diagnosis, "service-68", 0, NULL,
                      "the card does not announce GBA: the keys are made outside of it (GBA_ME)");
}

static void diagnose_network(const struct agent_card *card, struct diagnosis *diagnosis,
                             int probe_r, const struct failure *failure, int64_t bsf_date) {
    const char *bsf = card->bsf[0] ? card->bsf : card->conf->bsf;
    int64_t skew;

    if (bsf)
        diagnosis_add(diagnosis, "bsf-name", 0, NULL, "%s%s%s", bsf,
                      card->conf->connect_to ? ", reached at " : "",
                      card->conf->connect_to ? card->conf->connect_to : "");
    else
        diagnosis_add(diagnosis, "bsf-name", UICC_E_IDENTITY,
                      "see above, or set Bsf= and Impi= in keystrap.conf",
                      "the name follows from the IMSI, and that was not read");

    if (probe_r == 0)
        diagnosis_add(diagnosis, "bsf-answer", 0, NULL, "the BSF sent a challenge");
    else
        diagnosis_add(diagnosis, "bsf-answer", probe_r, NULL, "%s",
                      failure && failure->text[0] ? failure->text : outcome_name(probe_r));

    skew = bsf_date - (int64_t)(now_realtime_usec() / USEC_PER_SEC);
    if (probe_r != 0 || bsf_date == 0)
        diagnosis_add(diagnosis, "clock", 0, NULL, "not compared: the BSF told no time");
    else if (skew > CLOCK_TOLERANCE_SEC || skew < -CLOCK_TOLERANCE_SEC)
        diagnosis_add(diagnosis, "clock", UB_E_LIFETIME,
                      "set the clock (timedatectl); key lifetimes do not depend on it, TLS does",
                      "this machine's clock is %lld s %s the BSF's",
                      (long long)(skew < 0 ? -skew : skew), skew < 0 ? "ahead of" : "behind");
    else
        diagnosis_add(diagnosis, "clock", 0, NULL, "within %d s of the BSF's", CLOCK_TOLERANCE_SEC);
}

void agent_diagnoses_answer(struct agent_card *card, int probe_r, const struct failure *failure,
                            int64_t bsf_date) {
    bool dismissed = probe_r == UB_E_CANCELLED || probe_r == UICC_E_UNCONFIGURED;
    struct agent_request_list answered;
    struct agent_request *request;
    struct diagnosis diagnosis = {0};

    agent_request_list_take(&card->diagnosing, &answered);
    if (!dismissed) {
        diagnose_card(card, &diagnosis);
        diagnose_application(card, &diagnosis);
        diagnose_network(card, &diagnosis, probe_r, failure, bsf_date);
    }
    while ((request = agent_request_list_pop(&answered))) {
        card->agent->pending--;
        if (dismissed)
            request->diagnosed(probe_r, NULL, 0, failure, request->userdata);
        else
            request->diagnosed(0, diagnosis.checks, diagnosis.count, NULL, request->userdata);
        free(request);
    }
}

int agent_diagnose(struct agent *agent, const struct access_caller *caller, const char *uicc,
                   agent_diagnosis_fn done, void *userdata, struct agent_request **ret) {
    struct agent_request *request;
    struct failure failure = {0};
    struct agent_card *card;
    int r;

    *ret = NULL;
    r = agent_check_manage(agent, caller, uicc, &card, &failure);
    if (r == 0)
        r = agent_check_pending(agent, caller, &failure);
    if (r == 0)
        r = agent_card_want_probe(card);
    if (r != 0) {
        done(r, NULL, 0, &failure, userdata);
        return 0;
    }

    request = calloc(1, sizeof(*request));
    if (!request)
        return -ENOMEM;
    request->card = card;
    request->kind = AGENT_REQUEST_DIAGNOSIS;
    request->caller = *caller;
    request->diagnosed = done;
    request->userdata = userdata;
    agent_request_list_append(&card->diagnosing, request);
    agent->pending++;
    *ret = request;
    return 0;
}
