/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * uicc-pcsc: cards in readers that pcscd serves.
 *
 * The card is shared with whoever else uses it: it is connected to in shared mode, held for one short
 * transaction at a time, and left as it is. The connection stays between transactions, because pcscd powers
 * a card down that nobody is connected to, and our channel would go with the power.
 *
 * keystrapd counts on one thing: when anything that it set up on the card may be gone, BEGIN says CARD_RESET. So
 * each connection but the first says it once, whatever the reason for the new one was.
 */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "pcsc-internal.h"
#include "secret.h"
#include "util.h"

#define PROTOCOLS      (SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1)
#define BEGIN_ATTEMPTS 3u /* a card that is reset more often while we take it is somebody else's */

struct pcsc {
    struct pcsc_watch watch;
    SCARDCONTEXT context;
    SCARDHANDLE card;
    bool has_context;
    bool has_card;
    bool in_transaction;
    bool connected_before; /* something may have been set up through an earlier connection */
    bool reset_due;        /* tell CARD_RESET with the next BEGIN */
    DWORD protocol;
    char reader[PLUGIN_TEXT_MAX]; /* that card is connected in */
};

static void card_drop(struct pcsc *pcsc) {
    if (pcsc->has_card)
        (void)SCardDisconnect(pcsc->card, SCARD_LEAVE_CARD);
    pcsc->has_card = false;
    pcsc->in_transaction = false;
}

static void context_drop(struct pcsc *pcsc) {
    card_drop(pcsc);
    if (pcsc->has_context)
        (void)SCardReleaseContext(pcsc->context);
    pcsc->has_context = false;
}

static LONG context_ensure(struct pcsc *pcsc) {
    LONG error;

    if (pcsc->has_context)
        return SCARD_S_SUCCESS;
    error = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &pcsc->context);
    pcsc->has_context = error == SCARD_S_SUCCESS;
    return error;
}

/* A connection to the card in the reader that the watcher chose. */
static LONG card_ensure(struct pcsc *pcsc, const char *reader) {
    LONG error;

    if (pcsc->has_card && strcmp(pcsc->reader, reader) != 0)
        card_drop(pcsc);
    if (pcsc->has_card)
        return SCARD_S_SUCCESS;
    error = context_ensure(pcsc);
    if (error != SCARD_S_SUCCESS)
        return error;
    error = SCardConnect(pcsc->context, reader, SCARD_SHARE_SHARED, PROTOCOLS, &pcsc->card,
                         &pcsc->protocol);
    if (error != SCARD_S_SUCCESS)
        return error;
    pcsc->has_card = true;
    snprintf(pcsc->reader, sizeof(pcsc->reader), "%s", reader);
    pcsc->reset_due = pcsc->connected_before;
    pcsc->connected_before = true;
    return SCARD_S_SUCCESS;
}

/* Take the card; one that was reset meanwhile is taken on, and that is remembered. */
static LONG transaction_begin(struct pcsc *pcsc) {
    LONG error = SCARD_S_SUCCESS;

    for (unsigned attempt = 0; attempt < BEGIN_ATTEMPTS; attempt++) {
        error = SCardBeginTransaction(pcsc->card);
        if (error != SCARD_W_RESET_CARD && error != SCARD_W_UNPOWERED_CARD)
            return error;
        pcsc->reset_due = true;
        error = SCardReconnect(pcsc->card, SCARD_SHARE_SHARED, PROTOCOLS, SCARD_LEAVE_CARD,
                               &pcsc->protocol);
        if (error != SCARD_S_SUCCESS)
            return error;
    }
    return SCARD_E_SHARING_VIOLATION;
}

static LONG take_card(struct pcsc *pcsc, const char *reader) {
    LONG error;

    /*
     * After a restart of pcscd, and after a card was pulled and put back, the old connection fails once, and a
     * new one does not.
     */
    for (unsigned attempt = 0;; attempt++) {
        error = card_ensure(pcsc, reader);
        if (error == SCARD_S_SUCCESS)
            error = transaction_begin(pcsc);
        if (pcsc_service_lost(error))
            context_drop(pcsc);
        else if (error == SCARD_W_REMOVED_CARD)
            card_drop(pcsc);
        else
            return error;
        if (attempt > 0)
            return error;
    }
}

/* Where there is no reader to connect to: what the watcher knows instead. */
static bool reader_get(struct pcsc *pcsc, char ret[PLUGIN_TEXT_MAX],
                       struct transport_result *result) {
    struct transport_report report = {.card = KEYSTRAP_CARD_SERVICE_ABSENT};

    (void)pcsc_watch_report(&pcsc->watch, &report);
    if (report.reader[0]) {
        memcpy(ret, report.reader, PLUGIN_TEXT_MAX);
        return true;
    }
    if (report.card == KEYSTRAP_CARD_SERVICE_ABSENT)
        transport_result_set(result, KEYSTRAP_RESULT_SERVICE_ABSENT, "%.200s",
                             report.text[0] ? report.text : "pcscd has not answered yet");
    else
        transport_result_set(result, KEYSTRAP_RESULT_CARD_ABSENT, "%.200s", report.text);
    return false;
}

static void pcsc_begin(void *context, struct transport_result *ret) {
    struct pcsc *pcsc = context;
    char reader[PLUGIN_TEXT_MAX];
    LONG error;

    if (pcsc->in_transaction) {
        transport_result_set(ret, KEYSTRAP_RESULT_INVALID, "a transaction has begun already");
        return;
    }
    if (!reader_get(pcsc, reader, ret))
        return;
    error = take_card(pcsc, reader);
    if (error != SCARD_S_SUCCESS) {
        pcsc_result(error, "take the card", ret);
        /* Busy and denied leave the connection good; after all else the next BEGIN makes another. */
        if (ret->code != KEYSTRAP_RESULT_BUSY && ret->code != KEYSTRAP_RESULT_DENIED)
            card_drop(pcsc);
        return;
    }
    pcsc->in_transaction = true;
    if (pcsc->reset_due)
        transport_result_set(ret, KEYSTRAP_RESULT_CARD_RESET,
                             "the card was reset or is another one");
    pcsc->reset_due = false;
}

static void pcsc_end(void *context, struct transport_result *ret) {
    struct pcsc *pcsc = context;

    /* Nothing that goes wrong here is of use to anybody: the next BEGIN finds out. */
    if (pcsc->in_transaction)
        (void)SCardEndTransaction(pcsc->card, SCARD_LEAVE_CARD);
    pcsc->in_transaction = false;
    ret->code = KEYSTRAP_RESULT_OK;
}

/*
 * The command as this reader's protocol wants it (ISO/IEC 7816-3 12.2): T=0 has a P3 in every command and no
 * Le after data. With T=1 it goes out as it is.
 */
static size_t wire_command(const struct pcsc *pcsc, const uint8_t *command, size_t length,
                           uint8_t ret[APDU_COMMAND_MAX]) {
    memcpy(ret, command, length);
    if (pcsc->protocol != SCARD_PROTOCOL_T0)
        return length;
    if (length == 4)
        ret[length++] = 0;
    else if (length > 5 && length == 6u + command[4])
        length--;
    return length;
}

/*
 * Whether the card is still there: a transaction inside ours, which pcscd grants at once or says why not. Not
 * SCardStatus(): libpcsclite reads the readers' states for it into one table for all threads, and the watcher is
 * another.
 */
static LONG card_status(const struct pcsc *pcsc) {
    LONG error = SCardBeginTransaction(pcsc->card);

    if (error == SCARD_S_SUCCESS)
        (void)SCardEndTransaction(pcsc->card, SCARD_LEAVE_CARD);
    return error;
}

static void transmit_failed(struct pcsc *pcsc, LONG error, struct transport_result *ret) {
    LONG status;

    /* A card that is pulled while it works may look like a lost answer; pcscd knows which it was. */
    if (error == SCARD_E_NOT_TRANSACTED || error == SCARD_F_COMM_ERROR) {
        status = card_status(pcsc);
        if (status == SCARD_W_REMOVED_CARD || status == SCARD_E_NO_SMARTCARD)
            error = status;
    }
    pcsc_result(error, "send a command to the card", ret);
    switch (ret->code) {
    case KEYSTRAP_RESULT_SERVICE_ABSENT:
        context_drop(pcsc);
        break;
    case KEYSTRAP_RESULT_CARD_ABSENT:
        card_drop(pcsc);
        break;
    case KEYSTRAP_RESULT_OK:
    case KEYSTRAP_RESULT_CARD_RESET:
    case KEYSTRAP_RESULT_BUSY:
    case KEYSTRAP_RESULT_DENIED:
    case KEYSTRAP_RESULT_UNSUPPORTED:
    case KEYSTRAP_RESULT_COMMUNICATION:
    case KEYSTRAP_RESULT_INVALID:
    case KEYSTRAP_RESULT_FAILED:
    case KEYSTRAP_RESULT_NO_CHANNEL:
    case KEYSTRAP_RESULT_NO_APPLICATION:
        break;
    }
}

static void pcsc_transmit(void *context, uint8_t channel, const uint8_t *command,
                          size_t command_length, uint8_t ret_response[APDU_RESPONSE_MAX],
                          size_t *ret_length, struct transport_result *ret) {
    struct pcsc *pcsc = context;
    uint8_t wire[APDU_COMMAND_MAX + 1], response[MAX_BUFFER_SIZE];
    const SCARD_IO_REQUEST *pci = pcsc->protocol == SCARD_PROTOCOL_T1 ? SCARD_PCI_T1 : SCARD_PCI_T0;
    DWORD length = sizeof(response);
    size_t wire_length;
    LONG error;

    (void)channel; /* is in the class octet */
    if (!pcsc->in_transaction) {
        transport_result_set(ret, KEYSTRAP_RESULT_INVALID, "no transaction has begun");
        return;
    }
    wire_length = wire_command(pcsc, command, command_length, wire);
    error = SCardTransmit(pcsc->card, pci, wire, (DWORD)wire_length, NULL, response, &length);
    if (error != SCARD_S_SUCCESS) {
        transmit_failed(pcsc, error, ret);
    } else if (length < 2) {
        /* So says pcscd of a card that is pulled while it works: success, and nothing. */
        card_drop(pcsc);
        transport_result_set(ret, KEYSTRAP_RESULT_CARD_ABSENT,
                             "the card was removed while it worked");
    } else if (length > APDU_RESPONSE_MAX) {
        transport_result_set(ret, KEYSTRAP_RESULT_COMMUNICATION, "the card's answer is too long");
    } else {
        memcpy(ret_response, response, length);
        *ret_length = length;
    }
    secret_erase(response, sizeof(response));
    secret_erase(wire, sizeof(wire));
}

static void pcsc_reset(void *context, struct transport_result *ret) {
    struct pcsc *pcsc = context;
    char reader[PLUGIN_TEXT_MAX];
    LONG error;

    if (!reader_get(pcsc, reader, ret))
        return;
    error = card_ensure(pcsc, reader);
    if (error == SCARD_S_SUCCESS)
        error = SCardReconnect(pcsc->card, SCARD_SHARE_SHARED, PROTOCOLS, SCARD_RESET_CARD,
                               &pcsc->protocol);
    if (error != SCARD_S_SUCCESS) {
        pcsc_result(error, "reset the card", ret);
        context_drop(pcsc);
        return;
    }
    pcsc->reset_due = true;
}

/* The connection to the card before goes with the next BEGIN, which says CARD_RESET: it is another card. */
static void pcsc_next(void *context, struct transport_result *ret) {
    struct pcsc *pcsc = context;

    if (pcsc->in_transaction)
        transport_result_set(ret, KEYSTRAP_RESULT_INVALID, "a transaction has begun");
    else if (!pcsc_watch_next(&pcsc->watch))
        transport_result_set(ret, KEYSTRAP_RESULT_CARD_ABSENT, "no other reader has a card");
}

static int pcsc_start(const struct transport_options *options, int event_fd, void **ret_context) {
    struct pcsc *pcsc;
    int r;

    pcsc = calloc(1, sizeof(*pcsc));
    if (!pcsc)
        return -ENOMEM;
    r = pcsc_watch_start(&pcsc->watch, options->reader_pattern, event_fd);
    if (r < 0) {
        free(pcsc);
        return r;
    }
    *ret_context = pcsc;
    return 0;
}

static bool pcsc_report(void *context, struct transport_report *ret) {
    struct pcsc *pcsc = context;

    return pcsc_watch_report(&pcsc->watch, ret);
}

/* The watcher may still look at its part of the context, so that stays; the process ends now. */
static void pcsc_stop(void *context) {
    struct transport_result ignored;

    pcsc_end(context, &ignored);
    context_drop(context);
}

int main(void) {
    static const struct transport_device device = {
        .name = "pcsc",
        .capabilities = KEYSTRAP_CAPABILITY_APDU | KEYSTRAP_CAPABILITY_SEVERAL,
        .start = pcsc_start,
        .report = pcsc_report,
        .begin = pcsc_begin,
        .end = pcsc_end,
        .transmit = pcsc_transmit,
        .reset = pcsc_reset,
        .next = pcsc_next,
        .stop = pcsc_stop,
    };

    _exit(transport_main(&device));
}
