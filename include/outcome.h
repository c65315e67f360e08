/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Outcomes.
 *
 * A function of keystrap returns 0 when it has done what it says, a negative errno when something is
 * wrong with the machine or the program (passed up unchanged), and a positive outcome when the world
 * outside said no in a way that the caller must handle. Each module has its own enum of outcomes; the
 * values do not overlap, so that one table can turn any of them into words (outcome_name(),
 * outcome_remedy()) and one more, in dbus/, into D-Bus error names.
 */

#include <stdarg.h>
#include "keystrap-limits.h"

#define OUTCOME_UICC_BASE 0x100
#define OUTCOME_UB_BASE 0x200
#define OUTCOME_KEYS_BASE 0x300
#define OUTCOME_ACCESS_BASE 0x400
#define OUTCOME_HTTP_BASE 0x500
#define OUTCOME_SE_BASE 0x600
#define OUTCOME_PEER_BASE 0x700
#define OUTCOME_MEF_BASE 0x800
#define OUTCOME_EST_BASE 0x900
#define OUTCOME_RECORD_BASE 0xA00
#define OUTCOME_INSTRUCTION_BASE 0xB00
#define OUTCOME_ENROL_BASE 0xC00

/* The UICC and the way to it (uicc/). */
enum uicc_outcome {
    UICC_E_SERVICE_ABSENT = OUTCOME_UICC_BASE, /* pcscd (or the modem's proxy) does not answer */
    UICC_E_READER_ABSENT,                      /* no reader that matches the configuration */
    UICC_E_CARD_ABSENT,                        /* reader without card, or card pulled while in use */
    UICC_E_SILENT,                             /* the card gave no answer before the deadline */
    UICC_E_RESET,                              /* somebody reset the card: channel and selection are gone */
    UICC_E_BUSY,                               /* another program holds the card for itself */
    UICC_E_DENIED,                             /* the transport refused us (polkit, AccessDenied) */
    UICC_E_TRANSPORT,                          /* the transport program failed, died or talked nonsense */
    UICC_E_MALFORMED,                          /* the card's answer is not what the specification allows */
    UICC_E_STATUS,                             /* a status word that means no, see the failure's text */
    UICC_E_NO_APPLICATION,                     /* no USIM in EF_DIR */
    UICC_E_NO_CHANNEL,                         /* MANAGE CHANNEL is not supported or none is free */
    UICC_E_PIN_REQUIRED,                       /* 6982: PIN1 is enabled and not verified */
    UICC_E_PIN_BLOCKED,                        /* 6983 */
    UICC_E_SYNC,                               /* AUTHENTICATE: synchronisation failure, AUTS given (tag DC) */
    UICC_E_MAC,                                /* AUTHENTICATE: 9862, the network's MAC is wrong */
    UICC_E_CONTEXT,                            /* AUTHENTICATE: 9864 and kin, context not supported */
    UICC_E_IDENTITY,                           /* IMSI, EF_AD: missing, malformed, MNC length unknown */
    UICC_E_NOT_FOUND,                          /* 6A82, 6A83: no such file or record */
    UICC_E_UNCONFIGURED,                       /* the configuration knows no card of that name */
    UICC_E_CONDITIONS,                         /* 6985: not in this state; in the GBA context: the card has no Ks */
    UICC_E_FRESHNESS,                          /* AUTHENTICATE: 9865, key freshness failure */
    UICC_E_MEMORY,                             /* 9866, 9867, 6A84: the card has no room */
    UICC_E_NAF_ID,                             /* NAF_Id and IMPI are too long for one command of the card */
};

/* Fetching over HTTP (agent/http/). */
enum http_outcome {
    HTTP_E_RESOLVE = OUTCOME_HTTP_BASE, /* the name has no address */
    HTTP_E_CONNECT,                     /* refused, unreachable, or no answer before ConnectTimeout */
    HTTP_E_TIMEOUT,                     /* connected, but no whole answer before RequestTimeout */
    HTTP_E_TLS,                         /* certificate, name, version */
    HTTP_E_PROTOCOL,                    /* not HTTP, broken off, a redirect to another scheme */
    HTTP_E_TOO_LARGE,                   /* header or body beyond the limits */
    HTTP_E_HELPER,                      /* the helper program failed or died */
    HTTP_E_CREDENTIAL,                  /* our own certificate or key cannot be used */
    HTTP_E_PSK,                         /* the other end does not know our psk_identity, or has another key */
    HTTP_E_OWN_CERTIFICATE,             /* the other end does not take our certificate */
    HTTP_E_OWN_EXPIRED,                 /* because it has expired */
    HTTP_E_MASTER_SECRET,               /* no extended master secret: the exporter is not to be trusted */
};

/* The bootstrap over Ub (agent/gba/). */
enum ub_outcome {
    UB_E_REFUSED = OUTCOME_UB_BASE, /* 403, 400 or another final answer that means no */
    UB_E_UNKNOWN,                   /* 404 and kin: no BSF at that address */
    UB_E_BUSY,                      /* 5xx: the BSF cannot now; Retry-After, where given, is kept */
    UB_E_CHALLENGE,                 /* 401 without a challenge that we can answer */
    UB_E_NONCE,                     /* the nonce is not base64 of RAND, AUTN and more */
    UB_E_RESYNC,                    /* a second synchronisation failure, or the same nonce again */
    UB_E_RESPONSE_REJECTED,         /* the BSF did not accept our RES */
    UB_E_NETWORK_AUTH,              /* the card did not accept the network (9862) */
    UB_E_RSPAUTH_MISSING,           /* the BSF did not prove itself, and the configuration wants it to */
    UB_E_RSPAUTH_WRONG,             /* the BSF's proof is wrong */
    UB_E_INFO_MALFORMED,            /* BootstrappingInfo is not what TS 24.109 Annex C says */
    UB_E_LIFETIME,                  /* the key was dead on arrival, or no clock to count its life by */
    UB_E_HTTPS,                     /* this mode of GBA runs over https alone */
    UB_E_PUSH_MALFORMED,            /* the GBA Push Info is not what it should be */
    UB_E_PUSH_MAC,                  /* the GBA Push Info is not proved by the key that it yields */
    UB_E_CANCELLED,                 /* nobody waits any more */
};

/* The keys (agent/keys/). */
enum keys_outcome {
    KEYS_E_NONE = OUTCOME_KEYS_BASE, /* no Ks yet */
    KEYS_E_EXPIRED,                  /* its lifetime is over */
    KEYS_E_NAME,                     /* the NAF's name is not an FQDN */
    KEYS_E_UA_PROTOCOL,              /* not 5 octets */
    KEYS_E_TYPE,                     /* Ks_int_NAF is wanted, which never leaves the card, or a key nobody knows */
};

/* Applications on the card, for callers (uicc/se.c, agent/core/). */
enum se_outcome {
    SE_E_COMMAND = OUTCOME_SE_BASE, /* a command that is malformed, or that nobody may send */
    SE_E_CARD_RULES,                /* the card's own rules (ARA-M) do not grant it */
    SE_E_CLOSED,                    /* the channel is not there any more */
};

/* Who may (agent/access/). */
enum access_outcome {
    ACCESS_E_DENIED = OUTCOME_ACCESS_BASE, /* no rule grants it */
    ACCESS_E_QUOTA,                        /* a rule grants it, but not so often */
    ACCESS_E_TOO_MANY,                     /* too many requests of this caller wait already */
};

/* The other end's certificate in a handshake (peer-certificate.h). */
enum peer_outcome {
    PEER_E_EXPIRED = OUTCOME_PEER_BASE, /* one of its certificates has */
    PEER_E_NOT_YET,                     /* or is not valid yet */
    PEER_E_UNTRUSTED,                   /* no chain to a trust anchor, or a wrong signature */
    PEER_E_ROOT,                        /* another root of trust, or another raw public key */
    PEER_E_NAME,                        /* another name */
    PEER_E_KEY,                         /* no P-256 key */
    PEER_E_KEY_USAGE,                   /* not for signatures, or a CA that may sign no certificates */
    PEER_E_CONSTRAINT,                  /* a name that its CA may not give (name constraints) */
    PEER_E_REVOKED,                     /* CRL or OCSP say so */
    PEER_E_STATUS,                      /* no current CRL, or no good OCSP response, where one is asked for */
    PEER_E_MALFORMED,                   /* no certificate at all, or not one that can be read */
};

/* The exchange with a MEF (mef.h). */
enum mef_outcome {
    MEF_E_REFUSED = OUTCOME_MEF_BASE, /* it knows us and says no */
    MEF_E_TOKEN,                      /* the enrolment token is wrong, used, or somebody else's */
    MEF_E_UNKNOWN,                    /* no MEF at that address, or nothing of that name */
    MEF_E_BUSY,                       /* 5xx: not now */
    MEF_E_CONFLICT,                   /* it has such a one already */
    MEF_E_MALFORMED,                  /* its answer is not what docs/MEF.md says */
    MEF_E_LIFETIME,                   /* what it gave is over already */
    MEF_E_CHANGED,                    /* it confirmed something else than was asked for */
};

/* Certificate provisioning (est.h). */
enum est_outcome {
    EST_E_REFUSED = OUTCOME_EST_BASE,
    EST_E_PENDING,     /* 202: a person has to look at it first */
    EST_E_BUSY,        /* 5xx */
    EST_E_MALFORMED,   /* not what RFC 7030 says */
    EST_E_CERTIFICATE, /* what came is not a certificate of our key, for our name, of its own CA */
};

/* Records (record.h). */
enum record_outcome {
    RECORD_E_NONE = OUTCOME_RECORD_BASE,
    RECORD_E_DAMAGED, /* torn, tampered with, or sealed with another key; set aside */
    RECORD_E_VERSION, /* of a later version of keystrap */
};

/* Instruction documents (instruction.h). */
enum instruction_outcome {
    INSTRUCTION_E_MALFORMED = OUTCOME_INSTRUCTION_BASE,
    INSTRUCTION_E_SIGNATURE, /* wrong, or of nobody who may sign */
    INSTRUCTION_E_SIGNER,    /* nobody may: none is configured */
    INSTRUCTION_E_REPLAY,    /* its serial is not beyond the last one's */
    INSTRUCTION_E_INVALID,   /* a profile in it is wrong */
};

/* Enrolment as a whole (agent/core/). */
enum enrol_outcome {
    ENROL_E_UNCONFIGURED = OUTCOME_ENROL_BASE, /* no profile of that name, or for that target */
    ENROL_E_METHODS,            /* every method of the profile has failed; the text has the reason of each */
    ENROL_E_CREDENTIAL,         /* Kpm, certificate, private key or token are not where the profile says */
    ENROL_E_SEALING,            /* no key to seal records with, so an enrolment would be lost at the next start */
    ENROL_E_KIND,               /* no such kind of key, or not of this target */
    ENROL_E_EXPIRED,            /* the enrolment is over */
    ENROL_E_SECURE_ENVIRONMENT, /* the secure environment that has the private key does not answer */
};

/**
 * struct failure - what a user is told: the thing, the cause and the remedy
 *
 * Filled where the cause is known, carried upwards with the outcome, shown once. Never holds a secret,
 * and no IMSI or IMPI in full.
 */
struct failure {
    int code;                    /* the negative errno or positive outcome */
    char text[FAILURE_TEXT_MAX]; /* one line, UTF-8, no newline */
};

/**
 * failure_set() - note @code and a text; the first cause wins: a failure that is set already stays
 *
 * Return: @code, so that `return failure_set(f, UICC_E_MAC, "...")` reads well. @failure may be NULL.
 */
int failure_set(struct failure *failure, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/**
 * failure_describe() - the whole message for a user: the text, and what to do about it
 *
 * A text that holds its own remedy has it after a semicolon; any other is followed by outcome_remedy().
 */
void failure_describe(const struct failure *failure, char ret[FAILURE_DESCRIPTION_MAX]);

/**
 * failure_clear() - forget
 */
void failure_clear(struct failure *failure);

/**
 * outcome_name() - a short stable word for a code, "uicc-mac", "ub-refused", "errno-12"; never NULL
 */
const char *outcome_name(int code);

/**
 * outcome_remedy() - one sentence that tells a user what to do about it; never NULL, may be empty
 */
const char *outcome_remedy(int code);
