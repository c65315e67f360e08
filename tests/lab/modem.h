/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * keystrap-lab qmi-modem, mbim-modem and at-modem, for their own files: a modem with a card in it, at the place of the
 * proxy that programs look for, or at a device of its own.
 *
 * modem.c has the command line, modem-run.c the loop, modem-control.c the control commands, modem-card.c what any
 * modem does with its card; modem-qmi*.c, modem-mbim*.c and modem-at*.c speak the protocols.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "card.h"
#include "control.h"
#include "faults.h"

enum {
    MODEM_CLIENTS_MAX = 16,
    MODEM_MESSAGE_MAX = 4096,
    MODEM_AID_MAX = 16,
    MODEM_CIDS_MAX = 32, /* client identifiers that the modem gives away at most */
    MODEM_NEVER = -1,
};

struct modem;

/* Whoever is connected; for a device, whoever has it open. */
struct modem_client {
    int fd; /* -1: free */
    uint8_t in[MODEM_MESSAGE_MAX];
    size_t length;

    /* MBIM: */
    uint32_t transfer_max; /* octets of a message; more becomes fragments. 0: not said */
    uint8_t fragments[MODEM_MESSAGE_MAX]; /* of a command that is not whole yet */
    size_t fragments_length;
    uint32_t fragment_next; /* the number of the one to come */
};

/* What can be refused on demand. */
enum modem_operation {
    MODEM_OPEN,
    MODEM_CLOSE,
    MODEM_APDU,
    MODEM_AUTHENTICATE,
    MODEM_READ,
    MODEM_STATUS,
    MODEM_PIN,
    MODEM_OPERATIONS,
};
extern const char *const modem_operation_names[MODEM_OPERATIONS];

/* What modems of the field do otherwise than TS 27.007 has it; each is a bit. */
enum modem_quirk {
    MODEM_NO_SPACE = 1,      /* "no-space": none after the colon of an answer */
    MODEM_BARE_CHANNEL = 2,  /* "bare-channel": +CCHO is answered by the number alone */
    MODEM_LOWER_CASE = 4,    /* "lower-case": hexadecimal digits */
    MODEM_CSIM_BASIC = 8,    /* "csim-basic": +CSIM knows the basic channel alone; others are answered with 6881 */
    MODEM_PLAIN_ERROR = 16,  /* "plain-error": ERROR, whatever +CMEE says */
    MODEM_JUNK = 32,         /* "junk": lines that nobody asked for before each answer */
    MODEM_SPLIT = 64,        /* "split": octet by octet */
};

/* The quirk of that name; 0 where there is none such. */
unsigned modem_quirk(const char *name);

struct modem_protocol {
    const char *name;
    const char *proxy; /* the abstract socket of its proxy; NULL: there is none */

    /* Octets of the message that IN begins with; 0: it is not whole yet; SIZE_MAX: it never will be. */
    size_t (*whole)(const uint8_t *in, size_t length);
    void (*take)(struct modem *modem, struct modem_client *client, const uint8_t *message,
                 size_t length);
    /* The card came, went, or (with REFRESH) changed. NULL: the protocol has no word for it. */
    void (*tell)(struct modem *modem, bool refresh);
};
extern const struct modem_protocol modem_qmi, modem_mbim, modem_at;

struct modem_options {
    const struct modem_protocol *protocol;
    const char *subscribers;
    const char *subscriber;
    const char *second; /* the one on the card in the second slot; NULL: there is no second slot */
    const char *state;  /* file of what the first slot's card keeps without power; NULL: none */
    const char *control;
    const char *listen; /* abstract name, when there is no device */
    const char *device; /* path of a link to a pseudo-terminal; NULL: listen */
    unsigned quirks;    /* AT: enum modem_quirk, from the start and after "clear" */
    bool verbose;
    struct card_options card;
};

/* An application of the card, as EF_DIR names it; length 0 for none. */
struct modem_application {
    uint8_t aid[MODEM_AID_MAX];
    size_t length;
};

/* An answer that comes late, and what would have come after it. */
struct modem_held {
    struct modem_client *client;
    int64_t at; /* when it leaves */
    uint8_t data[MODEM_MESSAGE_MAX];
    size_t length; /* 0: none */
};

struct modem {
    const struct modem_options *options;
    struct card *card; /* in the slot in use */
    const struct lab_subscriber *subscriber;
    bool present; /* the card is in */
    bool pin_verified;
    unsigned slot; /* in use, from 1 */
    struct card *other; /* in the other slot; NULL: there is one slot */
    const struct lab_subscriber *other_subscriber;
    bool other_present;
    struct card_memory saved; /* as in the state file */
    struct modem_application usim, isim;
    struct faults faults;
    struct control *control;

    int listener; /* -1: none */
    int64_t back_at; /* when it is there again after a reset; MODEM_NEVER: it is there */
    struct modem_client clients[MODEM_CLIENTS_MAX];

    uint32_t refusals[MODEM_OPERATIONS]; /* codes of the protocol's; 0: none */
    int reset_msec; /* reset for so long at the next AUTHENTICATE, whose answer is lost; MODEM_NEVER */
    bool lost; /* the answer to the message under way does not leave */
    unsigned late_msec; /* it leaves so late */
    struct modem_held held;

    uint8_t cids[MODEM_CIDS_MAX + 1]; /* QMI: the service of each; 0: free */
    uint32_t groups[CARD_CHANNELS_MAX + 1]; /* MBIM: the tag of each open channel */
    bool echo; /* AT */
    bool cme; /* AT: errors have numbers */
    unsigned quirks; /* AT */
    unsigned opened, closed; /* channels, since the start */
};

/* --- modem-card.c ---------------------------------------------------------------------------------------- */

/* Finds the applications; to be called when the card comes. */
void modem_card_in(struct modem *modem);
void modem_card_out(struct modem *modem);

/*
 * One command to the card, with faults. Returns the length of the answer; 0 where there is no card. The answer may be
 * lost: then MODEM->lost.
 */
size_t modem_transmit(struct modem *modem, const uint8_t *command, size_t length,
                      uint8_t ret_reply[CARD_REPLY_MAX]);

/* The same with the channel that the modem keeps beside the command in its class octet. */
size_t modem_transmit_on(struct modem *modem, unsigned channel, const uint8_t *command,
                         size_t length, uint8_t ret_reply[CARD_REPLY_MAX]);

/*
 * Opens a channel and selects AID on it; the card's answer to SELECT, with its status word, to RET_REPLY. The channel;
 * 0 where there is none: then the answer is the card's that refused.
 */
unsigned modem_open(struct modem *modem, const uint8_t *aid, size_t length,
                    uint8_t ret_reply[CARD_REPLY_MAX], size_t *ret_length);

/* Closes it. False where it is not open. */
bool modem_close(struct modem *modem, unsigned channel);

/* How many are open beside the basic one. */
unsigned modem_channels(const struct modem *modem);

/* AUTHENTICATE of an application (NULL: the USIM) with P2 and the data field; the answer as of modem_transmit(). */
size_t modem_authenticate(struct modem *modem, const struct modem_application *application,
                          uint8_t p2, const uint8_t *data, size_t length,
                          uint8_t ret_reply[CARD_REPLY_MAX]);

/*
 * Selects a file of an application, or (NULL) of the MF, on a channel that is open for that long, and runs COMMAND
 * there. Without one the answer is that to SELECT: the FCP template. The answer as of modem_transmit().
 */
size_t modem_on_file(struct modem *modem, const struct modem_application *application,
                     uint16_t file, const uint8_t *command, size_t length,
                     uint8_t ret_reply[CARD_REPLY_MAX]);

/* Has the modem use SLOT, 1 or 2: the card of the other loses power. False where there is none such. */
bool modem_switch_slot(struct modem *modem, unsigned slot);

/* --- modem-run.c ----------------------------------------------------------------------------------------- */

/* Sends LENGTH octets, unless the answer is to be lost. */
void modem_send(struct modem *modem, struct modem_client *client, const void *data, size_t length);

/* Takes the modem off the line: everybody is disconnected, the card loses power, and it comes back after MSEC. */
void modem_reset(struct modem *modem, unsigned msec);

extern const struct control_command modem_commands[];

/* Runs the modem until SIGTERM or SIGINT; returns the exit code. SECOND may be NULL: one slot. */
int modem_run(const struct modem_options *options, const struct lab_subscriber *subscriber,
              const struct lab_subscriber *second);
