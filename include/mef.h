/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A client of an M2M Enrolment Function (MEF): the exchange after and within the handshake (TS-0003 8.3.5, 8.3.9, and 8.3.2.1
 * for the older form), over HTTP or CoAP, in JSON. docs/MEF.md has every octet.
 *
 * Straight-line code for a worker thread: each function is one or more requests, each with a deadline. A session is not bound
 * to one connection: every connection authenticates as the first did, and Ke is that of the connection that the registration's
 * answer came by.
 *
 * Every function that asks returns 0; enum mef_outcome; enum http_outcome or enum peer_outcome, as it came from io->ask;
 * UB_E_CANCELLED; a negative errno: -EINVAL, before anything is asked, for an identifier that can be no part of a path (1 to
 * MEF_ID_MAX letters, digits and "._~-@") and for a value that JSON cannot hold. What is filled is untouched on failure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "enrol-profile.h"
#include "http.h"
#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"

/* Who does what waits, so that tests can answer instead. As http_client_ask(). */
struct mef_io {
    int (*ask)(void *userdata, const struct http_request *request, struct http_response *ret,
               struct failure *failure);
    int64_t (*now)(void *userdata); /* seconds since the epoch */
    void *userdata;
};

/* With whom, as whom. All is borrowed for as long as the client lives. */
struct mef_client {
    const struct mef_io *io;
    const struct enrol_profile *profile;
    const struct http_handshake *handshake;
    unsigned request_number; /* of X-M2M-RI; begins at 0 */
    uint64_t retry_after_usec; /* what the MEF asked for when it last was busy; 0 for nothing */
};

/* What a client registration gave (8.3.5.2.3). */
struct mef_registration {
    char client_reg_id[MEF_ID_MAX + 1];
    char assigned_key_id[KEY_ID_MAX + 1]; /* assignedSymmKeyID, "" where there is none */
    char command[MEF_ID_MAX + 1];         /* reference to <mefClientCmd>, "" where there is none */
    int64_t expires; /* seconds since the epoch, by the MEF; held to the profile's expiry */
    char ke_id[KE_ID_MAX + 1];
    struct secret *ke; /* 32 octets; NULL from mef_registration_update() */
};

/**
 * mef_registration_done() - erase and release what is in it
 */
void mef_registration_done(struct mef_registration *registration);

/**
 * mef_register() - handshake by a connection of its own, and client registration in it; or in the older form the POST of
 * indications
 * @token: enrolment token (seed of TS-0003 8.3.1.2), presented in this request and in no other; NULL for none
 *
 * What the MEF grants beyond the profile's Enrolment Expiry is cut.
 */
int mef_register(struct mef_client *client, const struct secret *token,
                 struct mef_registration *ret, struct failure *failure);

/**
 * mef_registration_update() - another expiration time (8.3.5.2.5); @registration gets what is valid now
 * @expires: seconds since the epoch; 0 for the profile's Enrolment Expiry from now
 */
int mef_registration_update(struct mef_client *client, struct mef_registration *registration,
                            int64_t expires, struct failure *failure);

/**
 * mef_deregister() - (8.3.5.2.6)
 */
int mef_deregister(struct mef_client *client, const char *client_reg_id, struct failure *failure);

/* MEFClientCfg (8.3.5.2.4). */
struct mef_configuration {
    char fqdn[FQDN_MAX + 1];
    char admin_fqdn[FQDN_MAX + 1];
    uint16_t http_port, coap_port; /* 0 where not given */
    int64_t expires;               /* 0 where not given */
    char est[HTTP_URL_MAX + 1];    /* certificate enrolment base URI, of the MEF's own host; "" where not given */
};

/**
 * mef_retrieve_configuration() - of a registration
 */
int mef_retrieve_configuration(struct mef_client *client, const char *client_reg_id,
                               struct mef_configuration *ret, struct failure *failure);

/* A registered key (8.3.5.2.7 to .10). */
struct mef_key {
    char relative_key_id[MEF_ID_MAX + 1];
    char key_id[KEY_ID_MAX + 1]; /* relative_key_id@MEF-FQDN */
    char source[ENTITY_ID_MAX + 1];
    char targets[ENTITY_ID_MAX + 1]; /* with spaces between */
    unsigned suid;
    int64_t expires;
    struct secret *key; /* 32 octets, of mef_key_register() and mef_key_retrieve() */
};

/**
 * mef_key_done() - erase and release what is in it
 */
void mef_key_done(struct mef_key *key);

/**
 * mef_key_register() - register a key for @targets (with spaces between) and @suid
 * @key: the key value to register; NULL to take it from the exporter of a connection of its own
 *
 * RelativeKeyID is what the answer says, whatever the exporter gave. SUID, targets, source and adminFQDN must be confirmed as
 * they were asked for (8.3.9.9.4), expirationTime may be another.
 */
int mef_key_register(struct mef_client *client, const char *client_reg_id, unsigned suid,
                     const char *targets, int64_t expires, const struct secret *key,
                     struct mef_key *ret, struct failure *failure);

/**
 * mef_key_retrieve() - the key @relative_key_id, for a target of it
 */
int mef_key_retrieve(struct mef_client *client, const char *relative_key_id, struct mef_key *ret,
                     struct failure *failure);

/**
 * mef_key_update() - another expiration time (0: as it is) or other targets (NULL: as they are); @key gets what is valid now
 */
int mef_key_update(struct mef_client *client, struct mef_key *key, int64_t expires,
                   const char *targets, struct failure *failure);

/**
 * mef_key_deregister() - (8.3.5.2.10)
 */
int mef_key_deregister(struct mef_client *client, const char *relative_key_id,
                       struct failure *failure);

/**
 * mef_fetch_credentials() - the older fetch by an enrolment target: RETRIEVE /fetchCredentials/KeId/SUID (8.3.2.1)
 * @ret: key_id is @ke_id, source the Enrolee-ID
 */
int mef_fetch_credentials(struct mef_client *client, const char *ke_id, unsigned suid,
                          struct mef_key *ret, struct failure *failure);

/* --- Commands (8.3.9, 12.3, 12.4) ------------------------------------------------------------------ */

enum mef_command_class {
    MEF_NO_MORE_COMMANDS = 0,
    MEF_CERT_PROV = 1,
    MEF_DEV_CFG = 2,
    MEF_MO_NODE = 3,
};

enum mef_command_status {
    MEF_COMMAND_OK = 20,
    MEF_COMMAND_REPEATED = 40,
    MEF_COMMAND_CLASS_NOT_SUPPORTED = 41,
    MEF_COMMAND_BAD_ARGUMENTS = 42,
    MEF_COMMAND_UNACCEPTABLE_ARGUMENTS = 43,
    MEF_COMMAND_CERT_PROV_SERVER = 100,
    MEF_COMMAND_CERT_PROV_CLIENT = 101,
    MEF_COMMAND_DEV_CFG_SERVER = 201,
    MEF_COMMAND_DEV_CFG_CLIENT = 202,
    MEF_COMMAND_MO_NODE_NOT_FOUND = 300,
    MEF_COMMAND_MO_NODE_TYPE_CONFLICT = 301,
    MEF_COMMAND_MO_NODE_BAD_ARGS = 302,
    MEF_COMMAND_MO_NODE_UNACCEPTABLE_ARGS = 303,
    MEF_COMMAND_MO_NODE_INCONSISTENT = 304,
    MEF_COMMAND_MO_NODE_EXECUTION = 305,
};

struct mef_command {
    char id[MEF_ID_MAX + 1];
    unsigned class;      /* enum mef_command_class, or what the MEF says */
    uint64_t retry_usec; /* MEF_NO_MORE_COMMANDS: when to ask again; 0 for never */
    /* MEF_CERT_PROV */
    unsigned protocol;          /* 1 EST, 2 SCEP */
    char uri[HTTP_URL_MAX + 1]; /* also deviceConfigURI of MEF_DEV_CFG, with its "N:" in front */
    unsigned subject_type;      /* 1 Node, 2 CSE, 3 AE */
    char subject[ENTITY_ID_MAX + 1];
    /* MEF_MO_NODE */
    char path[HTTP_URL_MAX + 1];
    unsigned object_type; /* 1 authenticationProfile, 2 trustAnchorCred, 3 MAFClientRegCfg */
    unsigned suid;
};

/* What to do with a command. */
struct mef_command_handler {
    /* Returns enum mef_command_status; negative errno or UB_E_CANCELLED (negated nowhere) ends the run. */
    int (*execute)(void *userdata, const struct mef_command *command);
    void *userdata;
};

/**
 * mef_run_commands() - fetch, execute and answer one command after the other, until NO_MORE_COMMANDS
 * @registration: command refers to the first, and is not ""
 * @ret_retry_usec: when to ask again; 0 for never
 *
 * A command that came before is answered with 40 and not executed; a URI of another host than the MEF's with 43; more than
 * MEF_COMMANDS_MAX end the run with MEF_E_MALFORMED.
 */
int mef_run_commands(struct mef_client *client, const struct mef_registration *registration,
                     const struct mef_command_handler *handler, uint64_t *ret_retry_usec,
                     struct failure *failure);
