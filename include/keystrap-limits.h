/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Every limit of keystrap, in one place.
 *
 * Whatever comes from outside (card, modem, network, bus, file, command line) is held against one of
 * these before it is used. A limit that is not here does not exist; a length that is not checked
 * against one of these is a bug.
 */

/* --- Secrets ----------------------------------------------------------------------------------- */
#define SECRET_LENGTH_MAX 4096u         /* octets in one struct secret */
#define SECRET_ARENA_SIZE (256u * 1024) /* octets of locked memory that all secrets share */
#define SECRET_OPENSSL_HEAP_SIZE (64u * 1024) /* octets of locked memory for OpenSSL's own copies */

/* --- UICC -------------------------------------------------------------------------------------- */
#define APDU_COMMAND_MAX 261u         /* short APDU: 4 header + Lc + 255 data + Le */
#define APDU_RESPONSE_MAX 258u        /* one short answer: 256 data + SW1 SW2 */
#define APDU_ASSEMBLED_MAX 1024u      /* data of one command after every GET RESPONSE */
#define APDU_ROUNDS_MAX 8u            /* GET RESPONSE or 6Cxx repetitions for one command */
#define ATR_MAX 33u                   /* ISO/IEC 7816-3 */
#define AID_MAX 16u                   /* TS 102 221 13.1 */
#define AID_MIN 5u                    /* ISO/IEC 7816-4 8.2.1.2: the provider alone */
#define CARDS_LOOKED_AT_MAX 32u       /* cards of one transport that are read to find the one that is meant */
#define EF_DIR_RECORDS_MAX 32u        /* records of EF_DIR that are looked at */
#define EF_BINARY_MAX 1024u           /* octets read from one transparent file */
#define UICC_CHANNEL_MAX 19u          /* TS 102 221 10.1.1: logical channels 1 to 19 */
#define IMSI_MAX 15u                  /* digits, TS 23.003 2.2 */
#define IMSI_MIN 6u                   /* MCC, MNC and one digit */
#define ICCID_MAX 20u                 /* digits, ITU-T E.118 */
#define SERVICE_TABLE_MAX 32u         /* octets of EF_UST that are kept: services 1 to 256 */
#define RES_MIN 4u                    /* octets, TS 33.102 6.3.7 */
#define RES_MAX 16u
#define AKA_RAND_LENGTH 16u
#define AKA_AUTN_LENGTH 16u
#define AKA_AUTS_LENGTH 14u
#define AKA_CK_LENGTH 16u
#define AKA_IK_LENGTH 16u

/* --- Secure element: applications on the card, for callers ---------------------------------------- */
#define DEVICE_APP_HASH_MAX 32u       /* octets of SHA-256; SHA-1 has 20. GlobalPlatform SEAC 6.1 */
#define SE_CHANNELS_PER_CARD_MAX 8u   /* of callers, beside our own; a card has 19 at most */
#define SE_CHANNELS_PER_USER_MAX 6u   /* of which one user may have, on all his connections */
#define SE_CHANNELS_PER_CALLER_MAX 4u /* of which one connection may have */
#define SE_SESSIONS_MAX 256u          /* all together */
#define SE_SESSIONS_PER_CALLER_MAX 8u /* of which one connection may have */
#define ARA_DATA_MAX 8192u            /* octets of all rules of a card's ARA-M */
#define ARA_RULES_MAX 128u            /* rules of one card that are looked at; a card with more opens nothing */
#define ARA_FILTERS_MAX 32u           /* APDU filters of one rule */
#define ARA_REFRESH_TAG_LENGTH 8u

/* --- Programs that keystrapd starts (transports, HTTP) ------------------------------------------- */
#define PACKET_PAYLOAD_MAX 65536u     /* octets after the header of one packet */
#define PLUGIN_NAME_MAX 32u           /* octets in the name of a transport */
#define PLUGIN_TEXT_MAX 256u          /* octets of a reader's name, a device path, a reason */
#define PLUGIN_RESTART_MIN_USEC 250000ull
#define PLUGIN_RESTART_MAX_USEC 30000000ull
#define PLUGIN_SETTLED_USEC 60000000ull /* a program that lived so long may be started again at once */
#define PLUGIN_HELLO_USEC 5000000ull  /* from exec to HELLO */
#define PLUGIN_PAYLOAD_MAX 1024u      /* octets after the header of one packet of a transport */
#define PLUGIN_STATES_MAX 64u         /* STATEs taken in one after another */
#define PLUGIN_TOKEN_MAX 16u          /* octets of what a killed program leaves to the next */
/* Less than any modem takes to start: what a killed program held is still its own, and nobody else's. */
#define PLUGIN_TOKEN_USEC 5000000ull
#define AT_LINE_MAX 640u              /* octets of one line of a modem: 258 octets in hex, and some around them */
#define AT_LINES_MAX 64u              /* lines read until one ends the answer to a command */
#define PLUGIN_BYE_USEC 500000ull     /* for a program to end by itself */

/* --- Ub and names ------------------------------------------------------------------------------ */
#define HTTP_URL_MAX 2048u
#define HTTP_HEADER_MAX 8192u         /* one request or response header field */
#define HTTP_HEADERS_MAX 64u          /* header fields kept of one response */
#define HTTP_BODY_MAX 16384u          /* BootstrappingInfo is a few hundred octets */
#define HTTP_HEADERS_SIZE_MAX 32768u  /* octets in all header fields of one response */
#define HTTP_REQUEST_MAX 24576u       /* octets of one request to keystrap-http, and of one piece of its answer */
#define HTTP_GRACE_USEC 250000ull     /* beyond a request's deadline, for keystrap-http to say what went wrong */
#define HTTP_IDLE_USEC 60000000ull     /* keystrap-http without work is ended after this */
#define UB_ROUNDS_MAX 5u              /* GETs in one bootstrap: ask by TMPI, by IMPI, answer, resynchronise, answer */
#define CHALLENGES_MAX 8u             /* challenges in one WWW-Authenticate list */
#define CHALLENGE_PARAMS_MAX 16u      /* parameters of one challenge */
#define NONCE_MAX 1024u               /* octets, decoded */
#define DIGEST_NONCE_MAX 255u         /* octets of the nonce of GBA_Digest, as received */
#define DIGEST_HEX_MAX 64u            /* hex digits of a response: MD5 32, SHA-256 64 */
#define TLS_EXPORTER_LENGTH 48u       /* TS 33.220 B.5: TLS_MK_Extr */
#define TLS_LABEL_MAX 64u             /* octets of the label of a TLS exporter */
#define UICC_NAF_ID_IMPI_MAX 252u     /* octets of NAF_Id and IMPI in one AUTHENTICATE: Lc 255 less tag and lengths */
#define EF_GBANL_RECORDS_MAX 32u      /* records of EF_GBANL that are looked at */
#define PIN_MIN 4u                    /* digits, TS 102 221 9.5 */
#define PIN_MAX 8u
#define GSM_SRES_LENGTH 4u            /* TS 31.102 7.1.2.1, GSM context */
#define GSM_KC_LENGTH 8u
#define GBA_KS_INPUT_LENGTH 16u       /* TS 33.220 Annex I */
#define TMPI_MAX 57u                  /* 32 characters of base64 and "@tmpi.bsf.3gppnetwork.org" */
#define LIFETIME_TEXT_MAX 63u         /* octets of a lifetime that are kept for EF_GBABP */
#define GPI_MAX 2048u                 /* octets of one GBA Push Info */
#define GPI_FIELDS_MAX 16u
#define GPI_LABEL_MAX 63u
#define GPI_MAC_LENGTH 16u
#define REALM_MAX 255u
#define IMPI_MAX 255u                 /* octets, TS 23.003 13.3; an NAI, RFC 4282 2.1 (253) rounded up */
#define FQDN_MAX 255u                 /* octets before NFKC; RFC 1035 2.3.4 */
#define NAF_FQDN_MAX 255u             /* octets, after NFKC */
#define BTID_MAX 512u                 /* opaque, see TS 23.003 16 */
#define UA_PROTOCOL_LENGTH 5u         /* TS 33.220 Annex H */
#define KS_LENGTH 32u
#define NAF_KEY_LENGTH 32u
#define KEY_LIFETIME_MAX_SEC (366ull * 24 * 3600)
#define XML_DEPTH_MAX 16u
/* A BSF's longer wish is cut to an hour: on plain HTTP nothing proves that Retry-After is the BSF's, and one forged
   answer must not keep a gateway without keys for longer. */
#define RETRY_AFTER_MAX_SEC 3600u
/* After a failure that the network or the BSF is to blame for, see backoff.h. */
#define RENEGOTIATIONS_PER_MINUTE 6u  /* of one card: bootstraps that applications may bring about although there is a Ks */
#define BACKOFF_BASE_USEC 10000000ull /* the first wait is drawn from ten seconds */
#define BACKOFF_MAX_USEC 900000000ull /* the window grows to a quarter of an hour */
#define RENEWAL_EARLIEST_PERCENT 75u  /* of a Ks's life, before which it is not renewed */
#define RENEWAL_LATEST_PERCENT 90u    /* and after which not later */
#define RENEWAL_MARGIN_USEC 30000000ull /* and at least so long before its end */
#define CLOCK_PLAUSIBLE_SEC 1735689600 /* 2025-01-01T00:00:00Z; a local clock before it was never set */

#define CREDENTIAL_MAX 1024u          /* octets of a password or PIN from a systemd credential */

/* --- Enrolment ----------------------------------------------------------------------------------- */
#define HTTP_SEND_MAX 16384u          /* octets of the body of one request */
#define PSK_IDENTITY_MAX 128u         /* octets of psk_identity */
#define PSK_MAX 64u                   /* octets of a pre-shared key */
#define PSK_MIN 16u                   /* less can be tried out from one handshake that was listened to */
#define CERTIFICATE_CHAIN_MAX 8192u   /* octets of our own certificate and its chain, PEM */
#define PRIVATE_KEY_MAX 2048u         /* octets of a private key, PEM or DER */
#define SECURE_PIN_MAX 255u           /* octets of the PIN of a token */
#define SECURE_KEY_USEC (20 * 1000000ull) /* what a token may take to log in, or to sign */
#define SECURE_SPKI_LENGTH 91u        /* octets of the SubjectPublicKeyInfo of a key on P-256 */
#define SECURE_DIGEST_LENGTH 32u      /* octets that ECDSA on P-256 signs, of a hash of that length or more */
#define SIGNATURE_MAX 72u             /* octets of ECDSA-Sig-Value on P-256 */
#define SIGNATURES_MAX 4u             /* in the course of one request */
#define CIPHER_SUITES_MAX 255u        /* octets of a list of cipher suites */
#define PEER_NAME_MAX 255u            /* octets of the name in the other end's certificate */
#define PEER_ROOTS_MAX 4u             /* digests of roots of trust in one profile */
#define PEER_DIGEST_MAX 32u           /* SHA-256 */
#define PEER_DIGEST_MIN 15u           /* sha-256-120 of RFC 6920, the shortest that oneM2M has */
#define PEER_CHAIN_MAX 8u             /* certificates of one chain */
#define PEER_SAN_MAX 64u              /* names in one certificate that are looked at */
#define OCSP_RESPONSE_MAX 8192u       /* octets of a stapled OCSP response */
#define OCSP_SKEW_SEC 300             /* by which clocks may differ */
#define OCSP_AGE_MAX_SEC 86400        /* of an OCSP response that does not say when the next one comes */
#define ENTITY_ID_MAX 255u            /* octets of a CSE-ID, AE-ID, MAF-ID or of several with spaces between */
#define KE_LENGTH 32u                 /* TS-0003 10.3.1 */
#define KE_RELATIVE_ID_LENGTH 16u
#define KE_ID_MAX (32u + 1 + FQDN_MAX) /* hex, "@", FQDN */
#define KEY_ID_MAX 512u               /* octets of any key identifier: KeId, KmID, B-TID */
#define MEF_ID_MAX 128u               /* octets of an identifier that a MEF gives */
#define MEF_BODY_MAX 4096u            /* octets of JSON from a MEF: SECRET_LENGTH_MAX, for it may hold a key */
#define MEF_COMMANDS_MAX 32u          /* commands in one run */
#define MEF_JSON_DEPTH_MAX 8u
#define JSON_VALUES_MAX 400u          /* values in one text: what they take of the arena of secrets is bounded by it */
#define TOKEN_MIN 8u                  /* octets of an enrolment token */
#define TOKEN_MAX 255u
#define EST_ANSWER_MAX 16384u         /* octets of one answer, base64 */
#define EST_ATTRIBUTES_MAX 16u        /* in one /csrattrs */
#define CHALLENGE_PASSWORD_MAX 255u
#define ENROL_PROFILES_MAX 8u
#define PROFILE_NAME_MAX 16u          /* octets in the name of a profile */
#define ENROL_EXPIRY_MAX_SEC (10ull * 366 * 24 * 3600)
#define RECORD_MAX 4000u              /* octets in one record: a struct secret holds it */
#define RECORD_NAME_MAX 64u
#define RECORDS_MAX 256u              /* in one store */
#define SEALING_KEY_MIN 32u
#define INSTRUCTION_MAX 32768u        /* octets of a signed instruction document */
#define INSTRUCTION_SIGNERS_MAX 8u
#define INSTRUCTION_VALUES_MAX 64u    /* keys of one profile */

/* --- Configuration ----------------------------------------------------------------------------- */
#define CARDS_MAX 16u                 /* cards that one agent serves */
#define CARD_NAME_MAX 16u             /* octets in the name of a card */
#define CONF_FILE_MAX (256u * 1024)   /* octets in one file */
#define CONF_FILES_MAX 256u           /* drop-ins in one directory */
#define CONF_LINE_MAX 1024u
#define CONF_SECTION_MAX 48u          /* octets between the brackets; the ini parser cuts longer ones */
#define CONF_KEY_MAX 48u              /* octets left of "="; likewise */
#define CONF_TEXT_MAX 255u            /* octets of a value that is free text */
#define CONF_PATH_MAX 1000u           /* octets of a value that is a path; fits into CONF_LINE_MAX */
#define CONF_HEADERS_MAX 16u          /* extra header fields of the requests to the BSF */
#define ACCESS_PRINCIPALS_MAX 256u
#define ACCESS_PATTERNS_MAX 64u       /* NAF patterns, Ua patterns, or AID patterns, of one principal */
#define ACCESS_HASHES_MAX 8u          /* DeviceAppHash= that count for one caller */
#define ACCESS_NAME_MAX 32u           /* octets in the name of a principal */
#define ACCESS_MEMBERS_MAX 64u        /* users, or groups, of one principal */
#define ACCESS_KEYS_PER_MINUTE_MAX 1000000u
#define ACCESS_KEYS_PER_MINUTE_DEFAULT 600u
#define ACCESS_NAMES_MAX 1024u        /* lines of /etc/passwd whose names are known to denials */
#define ACCESS_NSS_BUFFER_MIN 4096u   /* octets for one user or group with its members */
#define ACCESS_NSS_BUFFER_MAX (1024u * 1024) /* a larger group is an error */
#define ACCESS_GROUPS_MAX 128u        /* supplementary groups of one caller that are looked at */

/* --- Requests ---------------------------------------------------------------------------------- */
#define REQUESTS_PENDING_MAX 1024u    /* callers that wait for a bootstrap, all together */
#define REQUESTS_PER_USER_MAX 256u    /* of which one user may have, on all its connections */
#define REQUESTS_PER_CALLER_MAX 64u   /* of which one connection may have */
#define PEERS_MAX 1024u               /* bus connections whose credentials are remembered */
#define FAILURE_TEXT_MAX 384u         /* octets of what a user is told */
#define FAILURE_DESCRIPTION_MAX 640u /* the same with a remedy */

/* --- The bus ----------------------------------------------------------------------------------- */
#define BUS_NAME_MAX 255u             /* octets of a connection's name, D-Bus specification */
#define BUS_RECONNECT_MIN_USEC 250000ull
#define BUS_RECONNECT_MAX_USEC 5000000ull
#define BUS_CALL_TIMEOUT_USEC 120000000ull /* a client's patience: a bootstrap takes seconds */
#define KEY_READ_USEC 2000000ull      /* a client's patience with the descriptor: the key is in it already */
