/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What uicc-qmi and uicc-mbim have in common: a modem that a library of GLib's world reaches, through a proxy or
 * alone, gone and back.
 *
 * Modems have no transactions: others get at the card between our commands. What keystrapd counts on is kept all the
 * same: when anything that it set up on the card may be gone, BEGIN says CARD_RESET.
 *
 * A program has a struct with a struct modem as its first member, and a table of functions, which are all called in
 * the GLib thread.
 */

#include "glib-thread.h"

struct modem;

struct modem_ops {
    const char *proxy;          /* name of its abstract socket */
    const char *default_device; /* where none is configured */

    /* Connect, and tell by modem_report() what is there. The result is SERVICE_ABSENT, with a reason, where that does
     * not work; drop() is called then. */
    void (*connect)(struct modem *modem, struct transport_result *ret);
    /* Something may have changed: tell by modem_report() what is there. A result other than OK loses the modem. */
    void (*look)(struct modem *modem, struct transport_result *ret);
    /* Give everything back; with @gone, nobody is there to give it to. */
    void (*drop)(struct modem *modem, bool gone);

    /* As in struct transport_device. */
    void (*transmit)(struct modem *modem, uint8_t channel, const uint8_t *command,
                     size_t command_length, uint8_t ret_response[APDU_RESPONSE_MAX],
                     size_t *ret_length, struct transport_result *ret);
    void (*open_channel)(struct modem *modem, const uint8_t *aid, size_t aid_length,
                         uint8_t *ret_channel, uint8_t ret_response[APDU_RESPONSE_MAX],
                         size_t *ret_length, struct transport_result *ret);
    void (*close_channel)(struct modem *modem, uint8_t channel, struct transport_result *ret);
    void (*identity)(struct modem *modem, struct transport_card *ret_card,
                     struct transport_result *ret);
    void (*authenticate)(struct modem *modem, const uint8_t *aid, size_t aid_length, uint8_t p2,
                         const uint8_t *data, size_t data_length,
                         uint8_t ret_response[APDU_RESPONSE_MAX], size_t *ret_length,
                         struct transport_result *ret);
    /* false where no other slot has a card; NULL where there is one slot */
    bool (*next)(struct modem *modem);
};

struct modem {
    const struct modem_ops *ops;
    struct glib_thread thread;
    struct transport_options options; /* device is never empty */
    uint64_t command_usec;            /* patience with one command */

    /* the GLib thread's */
    GCancellable *cancellable; /* everything ends when the program leaves, or the modem is gone */
    bool leaving;
    bool connected;
    bool lost;    /* the connection is of no use any more */
    bool changed; /* the card may be another one: look */
    bool gone;    /* the card was seen to be away since it was reported */
    bool channels[UICC_CHANNEL_MAX + 1]; /* opened by this program */
    uint8_t slot;                        /* that is used, 0 for none */
    uint64_t insertions;
    bool reset_due; /* tell CARD_RESET with the next BEGIN */
    bool seen_card;
};

/**
 * modem_is_direct() - whether the operator wants the device opened without the proxy
 */
bool modem_is_direct(const struct transport_options *options);

/**
 * modem_timeout_sec() - patience with one command, as the libraries count it
 */
unsigned modem_timeout_sec(const struct modem *modem);

/**
 * modem_open_failed() - the result where the library does not open the device, alone or through the proxy
 * @why: what the library says
 */
void modem_open_failed(const struct modem *modem, const char *why, struct transport_result *ret);

/**
 * modem_report() - what is in the slot that is used now; a card that comes, or comes back, is another one
 * @report: reader, card, text and token; the rest is filled in here
 */
void modem_report(struct modem *modem, uint8_t slot, struct transport_report *report);

/**
 * modem_gone() - the modem went away: whatever waits for it ends
 */
void modem_gone(struct modem *modem);

/**
 * modem_card_changed() - what was read of the card does not hold any more (REFRESH, reset)
 */
void modem_card_changed(struct modem *modem);

/**
 * modem_start() - the device's start(): @modem is zero but for what its owner put behind it, and lives on
 */
int modem_start(struct modem *modem, const struct modem_ops *ops,
                const struct transport_options *options, int event_fd);

/**
 * modem_main() - be the transport program: @device gets the functions that are the same for every modem
 */
_Noreturn void modem_main(struct transport_device *device);
