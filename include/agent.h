/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The agent: the one root object of keystrapd, and what the bus may ask of it.
 *
 * It knows the cards with their workers and Ks, and the access rules; it knows no bus. Everything here
 * belongs to the main thread and never blocks: what takes time answers through a callback from the event loop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "access.h"
#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"
#include "uicc.h"

struct agent;

struct agent_options {
    const char *config_directory; /* /etc/keystrap */
    const char *plugin_directory; /* /usr/libexec/keystrap */
    const char *state_directory;  /* /var/lib/keystrap; NULL for none: nothing can be enrolled then */
};

/* How things stand with a card. */
enum agent_state {
    AGENT_STARTING,       /* nothing known of the card yet */
    AGENT_NO_SERVICE,     /* pcscd is not there */
    AGENT_NO_READER,
    AGENT_NO_CARD,
    AGENT_CARD_UNUSABLE,  /* a card, but not one that we can use now; last_outcome says why */
    AGENT_CARD_READY,     /* a USIM was read; no Ks */
    AGENT_BOOTSTRAPPING,
    AGENT_BOOTSTRAPPED,   /* a Ks that is alive */
};

/* What anybody may know of a card; identities shortened. Strings are borrowed until the event loop runs. */
struct agent_status {
    const char *name; /* in the configuration */
    enum agent_state state;
    bool present;          /* a card is there, usable or not */
    uint64_t insertions;   /* of cards, as far as we saw them: another number is another card or the same again */
    const char *transport;
    const char *reader;    /* "" where there is none */
    char iccid[16];        /* shortened, "" unknown */
    char imsi[16];         /* shortened, "" unknown */
    char impi[16];         /* shortened, "" unknown */
    enum uicc_pin pin;
    int pin_tries;         /* -1 unknown */
    const char *application;  /* in use: "usim", "isim" or "sim"; "" unknown */
    const char *applications; /* on the card, with spaces between: "usim isim"; "" unknown */
    const char *services;  /* likewise, of the application in use, as far as they matter here: "gba" */
    bool service_gba;      /* GBA is in the service table of the application */
    const char *mode;      /* of GBA: of the Ks, else as configured: "auto", "me", "u", "2g" or "digest" */
    const char *bsf;       /* FQDN, "" unknown */
    const char *btid;      /* "" without Ks */
    uint64_t expires_utc_usec; /* 0 without Ks */
    uint64_t expires_usec;     /* CLOCK_BOOTTIME; 0 without Ks */
    uint64_t bootstraps;   /* done since start */
    uint64_t last_card_usec, last_network_usec, last_total_usec; /* of the last bootstrap that worked */
    const struct failure *last_failure; /* code 0 where the last thing worked */
};

/**
 * agent_state_name() - "starting", "no-service", "no-reader", "no-card", "card-unusable", "card-ready",
 * "bootstrapping", "bootstrapped"
 */
const char *agent_state_name(enum agent_state state);

typedef void (*agent_changed_fn)(void *userdata);

/**
 * agent_new() - load configuration and rules; start nothing yet
 *
 * Return: 0; -EINVAL for the configuration, with file and line in @failure; another errno.
 */
int agent_new(sd_event *event, const struct agent_options *options, struct agent **ret,
              struct failure *failure);

/**
 * agent_free() - cancel everything, stop the worker and its programs, erase all keys. Callbacks of
 * requests are called with UB_E_CANCELLED. NULL is allowed; returns NULL.
 */
struct agent *agent_free(struct agent *agent);

/**
 * agent_start() - start the cards' workers
 */
int agent_start(struct agent *agent, struct failure *failure);

/**
 * agent_reload() - load configuration and rules again, all or nothing
 *
 * A card whose values did not change goes on with its Ks and whoever waits. One that changed gets a new worker, which
 * begins when the one before has left the card; its Ks stays where nothing changed that it hangs on (conf_card_compare()).
 * Who waits for a card that is not configured any more is told so. Waits for nobody.
 */
int agent_reload(struct agent *agent, struct failure *failure);

/**
 * agent_on_changed() - whom to tell that agent_status() may say something else; at most once per turn of the loop
 */
void agent_on_changed(struct agent *agent, agent_changed_fn changed, void *userdata);

/**
 * agent_cards() - how many cards are configured, 1 to CARDS_MAX; agent_reload() may change it
 */
size_t agent_cards(const struct agent *agent);

/**
 * agent_get_status() - what the agent knows now of card @index, in the order of the configuration
 * @index: less than agent_cards()
 * @ret: what it points to lives until the next turn of the loop
 */
void agent_get_status(struct agent *agent, size_t index, struct agent_status *ret);

/* --- Requests ------------------------------------------------------------------------------------- */

/* A key on its way out; everything is borrowed for the callback. */
struct agent_key {
    const struct secret *key; /* NULL for agent_bootstrap() */
    const char *btid;
    uint64_t expires_usec;     /* CLOCK_BOOTTIME */
    uint64_t expires_utc_usec;
    bool bootstrapped;         /* a bootstrap was run for this request or while it waited */
    const char *naf_fqdn;      /* whose key it is, for agent_push_info(); else NULL */
    const char *method;        /* of an enrolment's key: "gba", "certificate" or "psk"; else NULL */
    const char *profile;       /* likewise */
    unsigned suid;             /* likewise; 0 for none */
};

/**
 * agent_key_fn - called once per request; @r is 0 with @key, or a code with @failure
 */
typedef void (*agent_key_fn)(int r, const struct agent_key *key, const struct failure *failure,
                             void *userdata);

struct agent_request;

/* Which key is wanted; all is borrowed for the call. */
struct agent_naf {
    const char *uicc;           /* the card's name; NULL for the first that is usable, else the first */
    const char *fqdn;           /* as the caller wrote it */
    const uint8_t *ua_protocol;
    size_t ua_protocol_length;  /* must be UA_PROTOCOL_LENGTH */
    bool force;                 /* bootstrap even though there is a Ks; so often, see agent_invalidate() */
    const char *key_type;       /* "ext" or NULL; "int" is refused by name */
};

/**
 * agent_derive_naf_key() - the key of a NAF, after a bootstrap where there is no Ks
 * @caller: copied
 * @done: called before this returns where the answer is known at once, else from the event loop
 *
 * Return: 0 when @done has been or will be called; *@ret is the request that waits, or NULL where it was
 * answered at once. Negative errno: @done is not called. UICC_E_UNCONFIGURED for a card that the configuration does
 * not know comes through @done, as every outcome does.
 */
int agent_derive_naf_key(struct agent *agent, const struct access_caller *caller,
                         const struct agent_naf *naf, agent_key_fn done, void *userdata,
                         struct agent_request **ret);

/**
 * agent_push_info() - the key that a GBA Push Info yields (TS 33.223), for who may have that NAF's keys
 * @gpi: @length octets as the NAF sent them; copied. gba.h has their layout
 *
 * The first usable card answers it, whether or not there is a Ks; the key's btid is the P-TID. A push in GBA_U voids a Ks
 * that is in the card. Otherwise as agent_derive_naf_key().
 */
int agent_push_info(struct agent *agent, const struct access_caller *caller, const uint8_t *gpi,
                    size_t length, agent_key_fn done, void *userdata, struct agent_request **ret);

/**
 * agent_bootstrap() - get a new Ks of the card @uicc now; as agent_derive_naf_key() otherwise
 */
int agent_bootstrap(struct agent *agent, const struct access_caller *caller, const char *uicc,
                    agent_key_fn done, void *userdata, struct agent_request **ret);

/**
 * agent_request_cancel() - the caller has gone: @done is not called any more, and a bootstrap that
 * nobody waits for is cancelled. NULL is allowed; returns NULL.
 */
struct agent_request *agent_request_cancel(struct agent_request *request);

/**
 * agent_forget() - erase the Ks of the card @uicc; NULL for those of all cards
 *
 * Return: 0; ACCESS_E_DENIED; UICC_E_UNCONFIGURED.
 */
int agent_forget(struct agent *agent, const struct access_caller *caller, const char *uicc,
                 struct failure *failure);

/**
 * agent_invalidate() - an application says that a NAF does not take the key of @btid any more: it asked for bootstrapping
 * renegotiation (TS 33.220 4.5.3). The Ks is erased at once; the next key costs a bootstrap.
 * @caller: one who may have a key, or may manage
 * @btid: of a Ks that is not there, or not any more: nothing is done
 *
 * Return: 0; ACCESS_E_DENIED; ACCESS_E_QUOTA beyond RENEGOTIATIONS_PER_MINUTE, which agent_naf.force counts for as well: no
 * application can have a BSF hammered.
 */
int agent_invalidate(struct agent *agent, const struct access_caller *caller, const char *btid,
                     struct failure *failure);

/**
 * agent_may_manage() - may @caller manage the agent? To be asked before something that a stranger hands over is touched; what
 * needs the right asks by itself.
 *
 * Return: 0; ACCESS_E_DENIED.
 */
int agent_may_manage(struct agent *agent, const struct access_caller *caller,
                     struct failure *failure);

/* One line of a diagnosis. */
struct agent_check {
    const char *name;   /* "reader", "card", "application", "pin", "service-68", "bsf-name", "bsf-answer", "clock" */
    int code;           /* 0 for ok */
    char text[FAILURE_TEXT_MAX]; /* what was found */
    const char *remedy; /* what to do, "" for ok */
};

typedef void (*agent_diagnosis_fn)(int r, const struct agent_check *checks, size_t count,
                                   const struct failure *failure, void *userdata);

/**
 * agent_diagnose() - look at everything that a bootstrap needs, asking the BSF for a challenge but the
 * card for nothing
 * @uicc: the card's name; NULL for the first
 *
 * Needs access_check_manage(). Returns and cancels as agent_derive_naf_key().
 */
int agent_diagnose(struct agent *agent, const struct access_caller *caller, const char *uicc,
                   agent_diagnosis_fn done, void *userdata, struct agent_request **ret);

/**
 * agent_get_identity() - IMSI, ICCID and IMPI in full, for who may manage; borrowed
 * @uicc: the card's name; NULL for the first
 *
 * Return: 0; ACCESS_E_DENIED; UICC_E_CARD_ABSENT; UICC_E_UNCONFIGURED.
 */
int agent_get_identity(struct agent *agent, const struct access_caller *caller, const char *uicc,
                       const struct uicc_identity **ret, const char **ret_impi,
                       struct failure *failure);

/* --- Enrolment -------------------------------------------------------------------------------------- */

enum agent_enrol_state {
    AGENT_ENROL_IDLE,      /* nothing was asked for yet */
    AGENT_ENROLLING,
    AGENT_ENROLLED,
    AGENT_ENROL_FAILED,    /* every method; tried again by itself where that can help */
};

/* What became of one method of a profile, for people and for the chain. */
enum agent_enrol_verdict {
    AGENT_ENROL_UNTRIED,
    AGENT_ENROL_WORKED,
    AGENT_ENROL_NOT_NOW,   /* network, BSF or MEF that is busy, card that is away */
    AGENT_ENROL_NEVER,     /* not with this card, this credential, this MEF: until something is changed */
    AGENT_ENROL_REFUSED,   /* BSF or MEF know us and say no */
};

struct agent_enrol_method_status {
    const char *method; /* "gba", "certificate", "psk" */
    enum agent_enrol_verdict verdict;
    int code;           /* its outcome; 0 where it worked or was not tried */
    const char *text;   /* why, in words */
};

/* What anybody may know of a profile. Strings are borrowed until the event loop runs. */
struct agent_enrol_status {
    const char *name;
    enum agent_enrol_state state;
    const char *method;      /* in use, "" for none */
    const char *target;      /* MAF-ID or Enrolee-B-ID */
    const char *target_kind; /* "maf" or "enrolee-b" */
    const char *mef;         /* FQDN, "" for none */
    const char *ke_id;       /* KeId, or B-TID with the method gba; "" for none */
    uint64_t expires_utc_usec; /* of Ke; 0 for none */
    uint64_t expires_usec;     /* the same by CLOCK_BOOTTIME */
    uint64_t retry_usec;       /* when something is tried by itself, CLOCK_BOOTTIME; 0 for not */
    bool token_pending;        /* an enrolment token waits to be presented */
    struct agent_enrol_method_status methods[3]; /* in the profile's order */
    size_t methods_count;
    const struct failure *last_failure; /* code 0 where the last thing worked */
};

/**
 * agent_enrol_state_name() - "idle", "enrolling", "enrolled", "failed"
 */
const char *agent_enrol_state_name(enum agent_enrol_state state);

/**
 * agent_enrol_verdict_name() - "untried", "worked", "not-now", "never", "refused"
 */
const char *agent_enrol_verdict_name(enum agent_enrol_verdict verdict);

/**
 * agent_enrolments() - how many profiles are there, 0 to ENROL_PROFILES_MAX; agent_reload() and agent_configure() may
 * change it
 */
size_t agent_enrolments(const struct agent *agent);

/**
 * agent_get_enrol_status() - of profile @index, in the order of their names
 */
void agent_get_enrol_status(struct agent *agent, size_t index, struct agent_enrol_status *ret);

/**
 * agent_enrol() - enrol by profile @profile: with what is there where it is alive, or anew
 * @renew: whatever is there
 *
 * For who may manage. agent_key.key is NULL, agent_key.btid KeId. Otherwise as agent_derive_naf_key().
 */
int agent_enrol(struct agent *agent, const struct access_caller *caller, const char *profile,
                bool renew, agent_key_fn done, void *userdata, struct agent_request **ret);

/**
 * agent_enrol_forget() - erase Ke and all that hangs on it, durably, and tell the MEF where it can be told. The use of a token
 * is not forgotten.
 *
 * Return: 0; ACCESS_E_DENIED; ENROL_E_UNCONFIGURED; negative errno where it could not be removed.
 */
int agent_enrol_forget(struct agent *agent, const struct access_caller *caller, const char *profile,
                       struct failure *failure);

/* Which key is wanted; all is borrowed for the call. */
struct agent_key_wish {
    const char *kind;    /* "km", "kpsa" or "usage" */
    const char *peer;    /* the enrolment target: MAF-ID, CSE-ID or AE-ID */
    const char *profile; /* NULL for the first whose target @peer is */
    unsigned suid;       /* of "usage"; 0 for the profile's own */
};

/**
 * agent_get_key() - a key of an enrolment, after enrolling where that was not done yet
 *
 * For who may have it by the rules, see access_check_peer(). agent_key.btid is the key's identifier: KeId, KmID where the MEF
 * assigned one, or B-TID. Otherwise as agent_derive_naf_key().
 */
int agent_get_key(struct agent *agent, const struct access_caller *caller,
                  const struct agent_key_wish *wish, agent_key_fn done, void *userdata,
                  struct agent_request **ret);

/**
 * agent_configure() - apply a signed instruction document, all or nothing, durably
 * @cms: @length octets, see instruction.h
 *
 * For who may manage.
 *
 * Return: 0; ACCESS_E_DENIED; enum instruction_outcome; ENROL_E_SEALING; negative errno.
 */
int agent_configure(struct agent *agent, const struct access_caller *caller, const uint8_t *cms,
                    size_t length, struct failure *failure);
