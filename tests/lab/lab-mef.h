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

#define MEF_KEY_LENGTH         32u
#define MEF_RELATIVE_ID_LENGTH 16u                            /* octets of the exporter */
#define MEF_RELATIVE_ID_SIZE   (2 * MEF_RELATIVE_ID_LENGTH + 1)
#define MEF_KE_ID_MAX          (2 * MEF_RELATIVE_ID_LENGTH + 1 + MEF_NAME_MAX)
#define MEF_HASH_SIZE          17u /* what is shown of a key's SHA-256: 16 digits and NUL */
#define MEF_TARGETS_MAX        4u
#define MEF_COMMANDS_MAX       12u
#define MEF_REGS_MAX           128u
#define MEF_KEYS_MAX           128u
#define MEF_SEEN_MAX           64u
#define MEF_LIFETIME_SEC       (30ll * 86400)

/* The enrolment token: an Enrolee has one that waits, or its own was taken; it is taken once. */
enum mef_token_state {
    MEF_TOKEN_NONE,
    MEF_TOKEN_WAITING,
    MEF_TOKEN_TAKEN,
};

/* How a command comes out. */
enum mef_command_kind {
    MEF_COMMAND_GOOD,
    MEF_COMMAND_FOREIGN, /* CERT_PROV with the address of another host */
    MEF_COMMAND_BAD,     /* without what its class needs */
};

struct mef_command {
    unsigned class;
    enum mef_command_kind kind;
    unsigned status; /* what the enrolee has answered; 0 before */
};

/* What waits for an enrolee; when all is done there is NO_MORE_COMMANDS. */
struct mef_commands {
    struct mef_command list[MEF_COMMANDS_MAX];
    size_t count, next;
    unsigned number;     /* of cmdID, for the one that is shown */
    bool shown;          /* once already */
    unsigned last_status;
};

/* Whom the MEF knows: one section of the file of --enrolees. */
struct mef_enrolee {
    char identity[MEF_NAME_MAX + 1];    /* Identity=: AE-ID, CSE-ID or FQDN; the section's name where it is absent */
    char kpm_id[MEF_NAME_MAX + 1];      /* KpmId=; "" for none */
    uint8_t kpm[MEF_KPM_MAX];           /* Kpm=: in hex */
    size_t kpm_length;
    char certificate[MEF_NAME_MAX + 1]; /* Certificate=: a name or digest as mef_certificate_is() compares it; Identity= where
                                           it is absent */
    char targets[MEF_TARGETS_MAX][MEF_NAME_MAX + 1]; /* Targets=: who may fetch its keys */
    size_t targets_count;
    char token[MEF_NAME_MAX + 1]; /* Token= */
    bool token_required;          /* TokenRequired=: without it no registration; yes where that is absent */
    int64_t lifetime_sec;         /* Lifetime=: the longest that it gets; 0 for the MEF's */

    /* With the lock held. */
    enum mef_token_state token_state;
    bool refused; /* until it is admitted again */
    struct mef_commands commands; /* Commands= at first */
};

struct json_t;

/* A client registration, and the Ke of its connection. */
struct mef_reg {
    bool used;
    unsigned serial;
    char id[16]; /* clientRegID */
    struct mef_enrolee *enrolee;
    char admin_fqdn[MEF_NAME_MAX + 1];
    struct json_t *labels; /* or NULL */
    char ke_id[MEF_KE_ID_MAX + 1];
    uint8_t ke[MEF_KEY_LENGTH];
    int64_t expires; /* seconds since the epoch */
};

/* A key that was registered. */
struct mef_key {
    bool used;
    unsigned serial;
    char id[MEF_RELATIVE_ID_SIZE]; /* relativeKeyID */
    unsigned reg_serial;           /* of the registration that it is below */
    const struct mef_enrolee *owner;
    char admin_fqdn[MEF_NAME_MAX + 1];
    unsigned suid;
    struct json_t *targets, *labels; /* labels: or NULL */
    uint8_t value[MEF_KEY_LENGTH];
    int64_t expires;
};

enum mef_fault {
    /* In place of what was asked for. */
    MEF_FAULT_SILENT,   /* no answer */
    MEF_FAULT_BUSY,     /* 503, RSC 5103 */
    MEF_FAULT_REFUSE,   /* 403, RSC 4103 */
    MEF_FAULT_CONFLICT, /* 409, RSC 4105 */
    MEF_FAULT_ERROR,    /* 500, RSC 5000 */
    /* In an answer that says the like. */
    MEF_FAULT_EXPIRED,   /* expirationTime is over */
    MEF_FAULT_CHANGED,   /* another adminFQDN, or other targetIDs */
    MEF_FAULT_TARGETS,   /* other targetIDs */
    MEF_FAULT_MISSING,   /* no expirationTime */
    MEF_FAULT_SHORT_KEY, /* keyValue or Credential of 16 octets */
    MEF_FAULT_REPEAT,    /* the next command has the number of the one before */
    /* All was done, and then. */
    MEF_FAULT_LOST,    /* no answer, however often it is asked for */
    MEF_FAULT_CLOSE,   /* the connection is closed; over coaps as lost */
    MEF_FAULT_GARBAGE, /* octets that are no message */
    MEF_FAULT_JSON,    /* a body that is no JSON */
    MEF_FAULT_TYPE,    /* another Content-Type */
    MEF_FAULT_NUMBER,  /* the number of another request */
    MEF_FAULT_BIG,     /* a body of 256 KiB; https alone */
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
    const char *path;     /* what is before every path but EST's and /fetchCredentials; "" for nothing */
    int64_t lifetime_sec; /* the longest of a registration */
    unsigned https_port, coaps_port;
    struct mef_enrolee enrolees[MEF_ENROLEES_MAX];
    size_t enrolees_count;
    struct mef_fault_setting faults[MEF_FAULTS];
    struct mef_counts {
        uint64_t requests, registrations, updates, removals, keys, fetches, commands;
        uint64_t tokens, token_refusals;     /* presented, and those of them that were refused */
        uint64_t psk, certificates, coaps;   /* handshakes that a request came by */
    } counts;
    uint64_t unknown; /* handshakes with a KpmId that nobody has; atomic, for it is counted without the lock */
    unsigned next_serial;
    struct mef_reg regs[MEF_REGS_MAX];
    struct mef_key keys[MEF_KEYS_MAX];
    /* RelativeKeyIDs of the last connections: a handshake is counted once. */
    uint8_t seen[MEF_SEEN_MAX][MEF_RELATIVE_ID_LENGTH];
    size_t seen_next;
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
    const char *release;               /* X-M2M-RVI; "" for none */
    const char *authority;             /* HOST[:PORT] that the client has asked; NULL where it did not say */
    long type;                         /* ty; -1 for none */
    bool is_json;                      /* the body is said to be what docs/MEF.md says */
    bool by_coap, by_certificate;
    const uint8_t *body;
    size_t body_length;
    const struct mef_enrolee *enrolee; /* whom the handshake has authenticated; NULL for nobody */
    bool has_exporter;
    uint8_t exporter[MEF_EXPORTER_LENGTH];

    /* The answer; all zero before. */
    bool silent;              /* there is none */
    /* It is no good one: MEF_FAULT_LOST and those after it. */
    bool lost, close, garbage, other_type, other_number;
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
 * mef_resources() - what the resource at exchange->path (below mef->path) says to exchange->enrolee; the lock is held
 *
 * Return: 0; -ENOMEM.
 */
int mef_resources(struct mef *mef, struct mef_exchange *exchange);

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

/* --- Keys (mef-kdf.c) ---------------------------------------------------------------------------- */

/**
 * mef_relative_id() - RelativeKeyID: the first 16 octets of the exporter in upper-case hex (TS-0003 10.3.1, 10.3.5)
 */
void mef_relative_id(const uint8_t exporter[MEF_EXPORTER_LENGTH], char ret[MEF_RELATIVE_ID_SIZE]);

/**
 * mef_ke_id() - KeId: the same, "@" and the MEF's FQDN (10.3.4). Ke is the exporter's octets 16 to 47.
 */
void mef_ke_id(const uint8_t exporter[MEF_EXPORTER_LENGTH], const char *fqdn,
               char ret[MEF_KE_ID_MAX + 1]);

/**
 * mef_usage_key() - the key of one use, by SUID in decimal (10.3.7)
 */
void mef_usage_key(const uint8_t ke[MEF_KEY_LENGTH], unsigned suid, const char *target,
                   uint8_t ret[MEF_KEY_LENGTH]);

/**
 * mef_release_1_key() - Km for a MAF (10.3.2), Kpsa for an Enrolee B (10.3.3)
 */
void mef_release_1_key(const uint8_t ke[MEF_KEY_LENGTH], bool maf, const char *target,
                       uint8_t ret[MEF_KEY_LENGTH]);

/**
 * mef_key_hash() - digits by which two who have the same key know that they have
 */
void mef_key_hash(const uint8_t key[MEF_KEY_LENGTH], char ret[MEF_HASH_SIZE]);

/* --- What the MEF remembers (mef-state.c); the lock is held ------------------------------------ */

/**
 * mef_state_done() - erase and release registrations and keys
 */
void mef_state_done(struct mef *mef);

/**
 * mef_reg_new(), mef_key_new() - an empty place with a number of its own; the oldest goes where all are taken
 */
struct mef_reg *mef_reg_new(struct mef *mef);
struct mef_key *mef_key_new(struct mef *mef);

/**
 * mef_reg_find(), mef_key_find() - by clientRegID, by relativeKeyID; NULL where there is none, or it has expired
 */
struct mef_reg *mef_reg_find(struct mef *mef, const char *id, size_t length);
struct mef_key *mef_key_find(struct mef *mef, const char *id, size_t length);

/**
 * mef_reg_of_ke() - the registration whose Ke has that KeId
 */
struct mef_reg *mef_reg_of_ke(struct mef *mef, const char *ke_id, size_t length);

/**
 * mef_reg_drop() - erase a registration, and the keys below it; mef_key_drop() a key
 */
void mef_reg_drop(struct mef *mef, struct mef_reg *reg);
void mef_key_drop(struct mef_key *key);

/**
 * mef_token_present() - @token of a registration; NULL where it has none
 *
 * Return: NULL where the enrolee may go on, a token being taken with it; or what is wrong.
 */
const char *mef_token_present(struct mef *mef, struct mef_enrolee *enrolee, const char *token);

/**
 * mef_note_handshake() - count the handshake that @exchange came by, if it was not seen yet
 */
void mef_note_handshake(struct mef *mef, const struct mef_exchange *exchange);

/* --- Commands (mef-commands.c) ------------------------------------------------------------------ */

/**
 * mef_command_parse() - a word of Commands=: cert-prov, dev-cfg, mo-node, foreign, bad, or the number of a class; 91 is foreign
 *
 * Return: whether it is one and there was room.
 */
bool mef_command_parse(struct mef_commands *commands, const char *word);

/* --- Faults (mef-faults.c) ------------------------------------------------------------------------ */

/**
 * mef_fault_take() - whether the fault is to be seen now; the lock is held
 */
bool mef_fault_take(struct mef *mef, enum mef_fault fault);

/* Of the control socket. @userdata: struct mef */
extern const struct control_command mef_commands[];

int mef_control_fault(void *userdata, int argc, char **argv, char *answer, size_t size);
int mef_control_clear(void *userdata, int argc, char **argv, char *answer, size_t size);
extern const char mef_fault_usage[];
