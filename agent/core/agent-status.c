/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The status: what anybody may know of a card.
 */

#include "agent-internal.h"
#include "gba.h"
#include "util.h"

static enum agent_state agent_card_state(const struct agent_card *card, bool has_ks) {
    if (card->bootstrap_job != 0 || card->bootstrap_wanted)
        return AGENT_BOOTSTRAPPING;
    if (has_ks)
        return AGENT_BOOTSTRAPPED;
    if (!card->known)
        return AGENT_STARTING;
    switch (card->state) {
    case KEYSTRAP_CARD_SERVICE_ABSENT:
        if (card->r == 0) /* GBA_Digest needs no card */
            return AGENT_CARD_READY;
        return card->r == UICC_E_SERVICE_ABSENT ? AGENT_NO_SERVICE : AGENT_CARD_UNUSABLE;
    case KEYSTRAP_CARD_READER_ABSENT:
        return AGENT_NO_READER;
    case KEYSTRAP_CARD_ABSENT:
        return AGENT_NO_CARD;
    case KEYSTRAP_CARD_MUTE:
        return AGENT_CARD_UNUSABLE;
    case KEYSTRAP_CARD_PRESENT:
        return card->r == 0 ? AGENT_CARD_READY : AGENT_CARD_UNUSABLE;
    }
    return AGENT_CARD_UNUSABLE;
}

static const char *agent_application_name(enum uicc_application application) {
    switch (application) {
    case UICC_NO_APPLICATION:
        return "";
    case UICC_USIM:
        return "usim";
    case UICC_ISIM:
        return "isim";
    case UICC_SIM:
        return "sim";
    }
    return "";
}

static const char *agent_applications(const struct uicc_identity *identity) {
    if (identity->has_usim)
        return identity->has_isim ? "usim isim" : "usim";
    if (identity->has_isim)
        return "isim";
    return identity->application == UICC_SIM ? "sim" : "";
}

static const char *agent_mode_name(const struct agent_card *card,
                                   const struct keystore_info *info) {
    static const char *const configured[] = {
        [CONF_MODE_AUTO] = "auto", [CONF_MODE_ME] = "me",         [CONF_MODE_U] = "u",
        [CONF_MODE_2G] = "2g",     [CONF_MODE_DIGEST] = "digest",
    };

    return info ? gba_mode_name(info->mode) : configured[card->conf->mode];
}

void agent_get_status(struct agent *agent, size_t index, struct agent_status *ret) {
    struct agent_card *card = agent->cards[index];
    struct keystore_info info = {.btid = "", .expires_usec = 0};
    bool has_ks = keystore_get(card->store, &info) == 0;

    *ret = (struct agent_status){
        .name = card->conf->name,
        .state = agent_card_state(card, has_ks),
        .present = card->known && card->state == KEYSTRAP_CARD_PRESENT,
        .insertions = card->insertions,
        .transport = card->conf->transport,
        .reader = card->reader,
        .pin = card->identity.pin,
        .pin_tries = card->known ? card->identity.pin_tries : -1,
        .application = agent_application_name(card->identity.application),
        .applications = agent_applications(&card->identity),
        .services = uicc_knows_gba(&card->identity) ? "gba" : "",
        .mode = agent_mode_name(card, has_ks ? &info : NULL),
        .service_gba = uicc_knows_gba(&card->identity),
        .bsf = card->bsf,
        .btid = info.btid,
        .expires_utc_usec = info.expires_utc_usec,
        .expires_usec = info.expires_usec,
        .bootstraps = card->bootstraps,
        .last_card_usec = card->last_card_usec,
        .last_network_usec = card->last_network_usec,
        .last_total_usec = card->last_total_usec,
        .last_failure = &card->last_failure,
    };
    shorten(card->identity.iccid, 6, ret->iccid, sizeof(ret->iccid));
    shorten(card->identity.imsi, 5, ret->imsi, sizeof(ret->imsi));
    shorten(card->impi, 5, ret->impi, sizeof(ret->impi));
}

const char *agent_state_name(enum agent_state state) {
    switch (state) {
    case AGENT_STARTING:
        return "starting";
    case AGENT_NO_SERVICE:
        return "no-service";
    case AGENT_NO_READER:
        return "no-reader";
    case AGENT_NO_CARD:
        return "no-card";
    case AGENT_CARD_UNUSABLE:
        return "card-unusable";
    case AGENT_CARD_READY:
        return "card-ready";
    case AGENT_BOOTSTRAPPING:
        return "bootstrapping";
    case AGENT_BOOTSTRAPPED:
        return "bootstrapped";
    }
    return "unknown";
}
