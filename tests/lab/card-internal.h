/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The card, for its own files: card.c (commands in, answers out), card-fs.c (selection and files),
 * card-files.c (what files there are), card-pin.c, card-auth.c, card-gba.c and card-atr.c.
 */

#include "card-applet.h"
#include "card.h"

enum {
    CARD_AID_MAX = 16,
    CARD_FID_MF = 0x3f00,
    CARD_FID_CURRENT_ADF = 0x7fff,
    CARD_FID_USIM = 0x7ff0, /* internal: an ADF has no place in the tree of the MF */
    CARD_FID_ISIM = 0x7ff1,
};

/* Status words (TS 102 221 clause 10.2.1, TS 31.102 clause 7.3). */
enum {
    SW_OK = 0x9000,
    SW_PIN_TRIES = 0x63c0, /* plus the number left */
    SW_WRONG_LENGTH = 0x6700,
    SW_CHANNEL = 0x6881,
    SW_SECURE_MESSAGING = 0x6882,
    SW_FILE_STRUCTURE = 0x6981,
    SW_SECURITY = 0x6982,
    SW_PIN_BLOCKED = 0x6983,
    SW_PIN_DISABLED = 0x6984,
    SW_CONDITIONS = 0x6985,
    SW_NO_EF = 0x6986,
    SW_WRONG_DATA = 0x6a80,
    SW_NOT_SUPPORTED = 0x6a81,
    SW_FILE_NOT_FOUND = 0x6a82,
    SW_RECORD_NOT_FOUND = 0x6a83,
    SW_WRONG_P1_P2 = 0x6a86,
    SW_REFERENCE = 0x6a88,
    SW_WRONG_OFFSET = 0x6b00,
    SW_EXACT_LENGTH = 0x6c00, /* plus the length */
    SW_MORE_DATA = 0x6100,    /* plus the length */
    SW_INS = 0x6d00,
    SW_CLA = 0x6e00,
    SW_BAD_MAC = 0x9862,
    SW_CONTEXT = 0x9864,
};

enum { CARD_NO_LE = -1 };

struct card_command {
    uint8_t cla; /* without the channel: 00 or 80 */
    unsigned channel;
    uint8_t ins, p1, p2;
    const uint8_t *data;
    size_t length;
    int le; /* CARD_NO_LE, or 1 to 256 */
};

struct card_answer {
    uint8_t data[256];
    size_t length;
    size_t more; /* octets that an applet still has for GET RESPONSE */
};

enum card_file_type { CARD_DIRECTORY, CARD_APPLICATION, CARD_TRANSPARENT, CARD_LINEAR_FIXED };

/* Who may read and update; each is a record of EF_ARR, counted from 1. */
enum card_rule {
    CARD_RULE_ALWAYS_ADM = 1,
    CARD_RULE_PIN_ADM,
    CARD_RULE_PIN_PIN,
    CARD_RULE_ALWAYS_PIN,
};

struct card_file {
    uint16_t fid;
    uint16_t parent; /* FID of the directory it is in; 0 for the MF */
    enum card_file_type type;
    uint8_t sfi;   /* 0: none */
    uint16_t size; /* octets, or octets of a record */
    uint8_t records;
    enum card_rule rule;
    bool gsm_access;     /* only there with service 27 */
    uint8_t *(*kept)(struct card_memory *memory); /* where it is in what outlives power off; NULL: nowhere */
    const char *content; /* hexadecimal; the rest of the file is FF */
    void (*fill)(const struct card_options *options, uint8_t *content, size_t size);
};

struct card_application {
    uint8_t aid[CARD_AID_MAX];
    size_t aid_length;
    uint16_t fid;
    const char *label;
};

/* The tables of card-files.c. */
extern const struct card_file card_files[];
extern const size_t card_files_count;
extern const struct card_application card_applications[];
extern const size_t card_applications_count;

struct card_channel {
    bool open;
    const struct card_file *directory;
    const struct card_file *application; /* NULL: none selected yet */
    const struct card_file *file;        /* NULL: none */
    unsigned record;                     /* current one, from 1; 0: none */
    const struct card_applet *applet;    /* in place of an application; NULL: none */
};

struct card {
    struct card_options options;
    struct lab_subscriber subscriber;
    struct card_memory memory;
    uint8_t **contents; /* by place in card_files; NULL for directories */

    bool powered;
    bool pin_verified;
    struct card_channel channels[1 + CARD_CHANNELS_MAX];
    struct card_applets applets;
    struct card_answer pending; /* for GET RESPONSE */
    unsigned pending_channel;
    uint16_t sim_directory, sim_file; /* that an old SIM has selected; sim_file 0 for none */

    enum card_belief belief;
    size_t truncate;
    unsigned apdus;
    unsigned authenticates;
};

/* A command's work: the status word, and data in ANSWER (empty before). */
typedef uint16_t (*card_handler)(struct card *card, const struct card_command *command,
                                 struct card_answer *answer);

/* card-fs.c */
int card_fs_init(struct card *card);
void card_fs_done(struct card *card);
void card_fs_select_mf(struct card_channel *channel);
uint16_t card_fs_select(struct card *card, const struct card_command *command,
                        struct card_answer *answer);
uint16_t card_fs_status(struct card *card, const struct card_command *command,
                        struct card_answer *answer);
uint16_t card_fs_read_binary(struct card *card, const struct card_command *command,
                             struct card_answer *answer);
uint16_t card_fs_read_record(struct card *card, const struct card_command *command,
                             struct card_answer *answer);
uint16_t card_fs_update_binary(struct card *card, const struct card_command *command,
                               struct card_answer *answer);
uint16_t card_fs_update_record(struct card *card, const struct card_command *command,
                               struct card_answer *answer);

/* card-fcp.c: the file's FCP template (TS 102 221 clause 11.1.1.3) appended to ANSWER. */
void card_fcp(const struct card *card, const struct card_file *file, struct card_answer *answer);
const struct card_application *card_application_of(const struct card_file *file);

/* card-pin.c */
uint16_t card_pin_verify(struct card *card, const struct card_command *command,
                         struct card_answer *answer);
bool card_pin_satisfied(const struct card *card);

bool card_application_exists(const struct card *card, uint16_t fid);

/* card-gba.c: AUTHENTICATE in the GBA context. */
uint16_t card_gba_run(struct card *card, const struct card_command *command,
                      struct card_answer *answer);

/* card-sim.c: the card as an old SIM, from command to answer. */
void card_sim_reset(struct card *card);
size_t card_sim_transmit(struct card *card, const uint8_t *command, size_t length,
                         uint8_t ret_reply[CARD_REPLY_MAX]);

/* card-auth.c */
/* MAC, then SQN: SW_OK with no answer where both are right, SW_OK with AUTS for a stale SQN. */
uint16_t card_auth_challenge(struct card *card, const uint8_t *rand, const uint8_t *autn,
                             struct card_answer *answer);
uint16_t card_authenticate(struct card *card, const struct card_command *command,
                           struct card_answer *answer);
