/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * keystrap-lab mef: an M2M Enrolment Function, over HTTPS and CoAPS (docs/MEF.md). What its parts share.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control.h"
#include "mef-est.h"

#define MEF_ENROLEES_MAX    32u
#define MEF_NAME_MAX        255u
#define MEF_KPM_MAX         64u
#define MEF_EXPORTER_LENGTH 48u
#define MEF_EXPORTER_LABEL  "EXPORTER-oneM2M-Bootstrap"

#define MEF_KEY_LENGTH      32u
#define MEF_KE_ID_MAX       (MEF_NAME_MAX + 34u)
#define MEF_REGS_MAX        256u
#define MEF_KEYS_MAX        256u
#define MEF_COMMANDS_MAX    8u
#define MEF_LIFETIME_SEC    (30ll * 86400)

enum mef_token_state {
    MEF_TOKEN_NONE,
    MEF_TOKEN_WAITING,
    MEF_TOKEN_TAKEN,
};

/* Whom the MEF knows: one section of the file of --enrolees. */
struct mef_enrolee {
    char identity[MEF_NAME_MAX + 1];    /* Identity=: AE-ID, CSE-ID or FQDN; the section's name where it is absent */
    char kpm_id[MEF_NAME_MAX + 1];      /* KpmId=; "" for none */
    uint8_t kpm[MEF_KPM_MAX];           /* Kpm=: in hex */
    size_t kpm_length;
    char certificate[MEF_NAME_MAX + 1]; /* Certificate=: a name or digest as mef_certificate_is() compares it; Identity= where
                                           it is absent */
    char target[MEF_NAME_MAX + 1];      /* Target=: for whom its keys may be fetched */
    char token[MEF_NAME_MAX + 1];       /* Token=: the enrolment token that it has to present once */
    enum mef_token_state token_state;
    bool refused;
    unsigned commands[MEF_COMMANDS_MAX]; /* classes of commands that wait for it */
    size_t commands_count, commands_next;
    unsigned last_status;               /* of its last answer to a command */
};

/* A client registration, with its Ke. */
struct mef_reg {
    bool used;
    char id[40];
    struct mef_enrolee *enrolee;
    char ke_id[MEF_KE_ID_MAX];
    uint8_t ke[MEF_KEY_LENGTH];
    int64_t expires;
};

/* A registered key. */
struct mef_key {
    bool used;
    char id[40];
    struct mef_enrolee *owner;
    unsigned suid;
    char targets[MEF_NAME_MAX + 1]; /* with spaces between */
    uint8_t key[MEF_KEY_LENGTH];
    int64_t expires;
};

enum mef_fault {
    MEF_FAULT_BUSY,   /* 503, RSC 5103 */
    MEF_FAULT_REFUSE, /* 403, RSC 4103 */
    MEF_FAULT_SILENT, /* no answer */
    MEF_FAULT_LOST,   /* done, and then no answer */
    MEF_FAULT_CLOSE,  /* hang up; https alone, as the next two */
    MEF_FAULT_GARBAGE,
    MEF_FAULT_TYPE,    /* another Content-Type */
    MEF_FAULT_EXPIRED, /* an expirationTime that is over */
    MEF_FAULT_CHANGED, /* another adminFQDN or targetIDs */
    MEF_FAULT_BIG,     /* a body that is too long */
    MEF_FAULT_NUMBER,  /* the number of another request; https alone */
    MEF_FAULTS,
};

struct mef_fault_setting {
    bool set;
    uint64_t left; /* 0: until it is cleared */
    unsigned seconds;
};

struct mef {
    pthread_mutex_t lock;
    const char *fqdn;
    struct mef_enrolee enrolees[MEF_ENROLEES_MAX];
    size_t enrolees_count;
    struct mef_fault_setting faults[MEF_FAULTS];
    uint64_t requests;
    struct {
        unsigned registrations, tokens, token_refusals, fetches;
    } counts;
    int64_t lifetime_sec; /* of an enrolment */
    struct mef_reg regs[MEF_REGS_MAX];
    struct mef_key keys[MEF_KEYS_MAX];
    unsigned next_id;
    struct mef_est *est;
    struct mef_coap *coap; /* borrowed; NULL without coaps */
};

/* One request for a resource, and its answer, whatever it came by. */
struct mef_exchange {
    /* The request; borrowed. */
    const char *method;                /* "GET", "POST", "PUT", "DELETE" */
    const char *path;                  /* "/..." */
    const char *from;                  /* X-M2M-Origin; "" for none */
    const char *number;                /* X-M2M-RI; "" for none. The bindings repeat it */
    long type;                         /* ty; -1 for none */
    const uint8_t *body;
    size_t body_length;
    const struct mef_enrolee *enrolee; /* whom the handshake has authenticated; NULL for nobody */
    bool has_exporter;
    uint8_t exporter[MEF_EXPORTER_LENGTH];

    /* The answer; all zero before. */
    bool silent;              /* there is none */
    bool close, garbage, other_type, other_number; /* it is no good one */
    unsigned status;          /* of HTTP */
    unsigned rsc;
    unsigned retry_after_sec; /* 0 for none */
    char *answer;             /* JSON, terminated; the binding frees it. NULL for none */
};

/**
 * mef_handle() - answer a request; called by several threads at once
 *
 * Return: 0; a negative errno, where there is no answer.
 */
int mef_handle(struct mef *mef, struct mef_exchange *exchange);

/**
 * mef_resources() - answer a request of exchange->enrolee; the lock is held
 * @shown: which faults are to be seen in the answer
 *
 * Return: 0; -ENOMEM.
 */
int mef_resources(struct mef *mef, struct mef_exchange *exchange, const bool shown[MEF_FAULTS]);

/* --- Keys (mef-kdf.c) -------------------------------------------------------------------------------- */

/**
 * mef_ke_id() - of an exporter's first 16 octets
 */
void mef_ke_id(const uint8_t exporter[MEF_EXPORTER_LENGTH], const char *fqdn,
               char ret[MEF_KE_ID_MAX]);

/**
 * mef_usage_key() - TS-0003 10.3.7; mef_release_1_key(): 10.3.2 for a MAF, 10.3.3 for an Enrolee B
 */
void mef_usage_key(const uint8_t ke[MEF_KEY_LENGTH], unsigned suid, const char *target,
                   uint8_t ret[MEF_KEY_LENGTH]);
void mef_release_1_key(const uint8_t ke[MEF_KEY_LENGTH], bool maf, const char *target,
                       uint8_t ret[MEF_KEY_LENGTH]);

/**
 * mef_key_hash() - 16 hex digits by which two who have the same key know that they have
 */
void mef_key_hash(const uint8_t key[MEF_KEY_LENGTH], char ret[17]);

/**
 * mef_error() - an answer of that kind with {"error": @words}
 *
 * Return: 0; -ENOMEM.
 */
int mef_error(struct mef_exchange *exchange, unsigned status, unsigned rsc, const char *words);

/**
 * mef_enrolees_load() - read the file of --enrolees; what is wrong is printed on stderr
 *
 * Return: 0; -EINVAL; another negative errno.
 */
int mef_enrolees_load(struct mef *mef, const char *path);

/**
 * mef_kpm() - the pre-shared key of @kpm_id: its length, or 0 where nobody has it. @userdata: struct mef
 */
size_t mef_kpm(void *userdata, const char *kpm_id, uint8_t ret[MEF_KPM_MAX]);

/**
 * mef_enrolee_of() - whom a (D)TLS session has authenticated, by key or by certificate; NULL for nobody
 */
const struct mef_enrolee *mef_enrolee_of(const struct mef *mef, struct gnutls_session_int *session);

struct lab_request;
struct lab_reply;

/**
 * mef_serve_http() - HTTP's binding of both, EST and resources; a lab_http_handler. @userdata: struct mef
 */
int mef_serve_http(const struct lab_request *request, struct lab_reply *reply, void *userdata);

struct mef_coap_request;
struct mef_coap_reply;

/**
 * mef_serve_coap() - CoAP's binding of the resources. @userdata: struct mef
 */
int mef_serve_coap(const struct mef_coap_request *request, struct mef_coap_reply *reply,
                   void *userdata);

/**
 * mef_admits() - whether a client may come with this certificate. @userdata: struct mef
 */
bool mef_admits(void *userdata, const uint8_t *der, size_t length, bool trusted);

/* Of the control socket. @userdata: struct mef */
extern const struct control_command mef_commands[];

/**
 * mef_control_keys(), mef_control_enrolee(), mef_control_forget() - those about enrolees and keys (mef-control.c)
 */
int mef_control_keys(void *userdata, int argc, char **argv, char *answer, size_t size);
int mef_control_enrolee(void *userdata, int argc, char **argv, char *answer, size_t size);
int mef_control_forget(void *userdata, int argc, char **argv, char *answer, size_t size);
