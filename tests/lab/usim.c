/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab usim: the command line.
 */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lab.h"
#include "usim.h"

enum {
    OPTION_VPCD = 0x100,
    OPTION_SUBSCRIBERS,
    OPTION_SUBSCRIBER,
    OPTION_CONTROL,
    OPTION_STATE,
    OPTION_SHAPE,
    OPTION_CHANNELS,
    OPTION_PIN_ENABLED,
    OPTION_GSM_ACCESS,
    OPTION_RES_LENGTH,
    OPTION_WAIT,
};

static const struct argp_option argp_options[] = {
    {"subscribers", OPTION_SUBSCRIBERS, "FILE", 0, "the lab's subscribers (required)", 0},
    {"subscriber", OPTION_SUBSCRIBER, "NAME", 0, "name or IMSI of the one on this card (the first)",
     0},
    {"vpcd", OPTION_VPCD, "HOST:PORT", 0, "where the virtual reader listens (127.0.0.1:35963)", 0},
    {"wait", OPTION_WAIT, "SECONDS", 0, "how long to try to reach the reader at the start (30)", 0},
    {"control", OPTION_CONTROL, "PATH", 0, "listen here for \"keystrap-lab ctl PATH COMMAND\"", 0},
    {"state", OPTION_STATE, "FILE", 0, "keep sequence numbers and PIN tries here between runs", 0},
    {"shape", OPTION_SHAPE, "t0|t1", 0, "how data is answered: by GET RESPONSE, or at once (t1)",
     0},
    {"channels", OPTION_CHANNELS, "N", 0, "logical channels beside the basic one, 0 to 19 (4)", 0},
    {"pin-enabled", OPTION_PIN_ENABLED, NULL, 0, "the PIN is asked for", 0},
    {"gsm-access", OPTION_GSM_ACCESS, NULL, 0, "AUTHENTICATE gives Kc too (UST service 27)", 0},
    {"res-length", OPTION_RES_LENGTH, "N", 0, "octets of RES, 4 to 8 (the subscriber's)", 0},
    {"verbose", 'v', NULL, 0, "show APDUs on stderr, without what is secret in them", 0},
    {"version", 'V', NULL, 0, "print the version", 0},
    {0},
};

static unsigned parse_number(struct argp_state *state, const char *what, const char *text,
                             unsigned min, unsigned max) {
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number < min || number > max)
        argp_error(state, "--%s: \"%s\" is not a number from %u to %u", what, text, min, max);
    return (unsigned)number;
}

static enum card_shape parse_shape(struct argp_state *state, const char *text) {
    if (strcmp(text, "t0") == 0)
        return CARD_SHAPE_T0;
    if (strcmp(text, "t1") != 0)
        argp_error(state, "--shape: \"%s\" is neither t0 nor t1", text);
    return CARD_SHAPE_T1;
}

static void parse_address(struct argp_state *state, const char *text,
                          struct usim_options *options) {
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;

    if (length == 0 || length >= sizeof(options->host) || colon[1] == '\0' ||
        strlen(colon + 1) >= sizeof(options->port)) {
        argp_error(state, "--vpcd: \"%s\" is not HOST:PORT", text);
        return;
    }
    memcpy(options->host, text, length);
    options->host[length] = '\0';
    strcpy(options->port, colon + 1);
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct usim_options *options = state->input;

    switch (key) {
    case OPTION_SUBSCRIBERS:
        options->subscribers = argument;
        return 0;
    case OPTION_SUBSCRIBER:
        options->subscriber = argument;
        return 0;
    case OPTION_VPCD:
        parse_address(state, argument, options);
        return 0;
    case OPTION_WAIT:
        options->wait_seconds = parse_number(state, "wait", argument, 0, 3600);
        return 0;
    case OPTION_CONTROL:
        options->control = argument;
        return 0;
    case OPTION_STATE:
        options->state = argument;
        return 0;
    case OPTION_SHAPE:
        options->card.shape = parse_shape(state, argument);
        return 0;
    case OPTION_CHANNELS:
        options->card.channels = parse_number(state, "channels", argument, 0, CARD_CHANNELS_MAX);
        return 0;
    case OPTION_PIN_ENABLED:
        options->card.pin_enabled = true;
        return 0;
    case OPTION_GSM_ACCESS:
        options->card.gsm_access = true;
        return 0;
    case OPTION_RES_LENGTH:
        options->card.res_length = parse_number(state, "res-length", argument, 4, MILENAGE_RES);
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    case 'V':
        printf("keystrap-lab %s\n", KEYSTRAP_VERSION);
        exit(EXIT_SUCCESS);
    case ARGP_KEY_END:
        if (!options->subscribers)
            argp_error(state, "--subscribers=FILE is missing");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int usim_main(int argc, char **argv) {
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse_option,
        .doc = "A UICC with a USIM, plugged into pcscd through the vpcd reader.\v"
               "Prints \"ready\" when it is in the reader, and again whenever it is put in again. "
               "Ends with SIGTERM.",
    };
    struct usim_options options = {
        .host = "127.0.0.1",
        .port = "35963",
        .wait_seconds = 30,
        .card = {.shape = CARD_SHAPE_T1, .channels = 4},
    };
    struct lab_subscribers subscribers;
    const struct lab_subscriber *subscriber;
    char error[512];
    int code = EX_CONFIG;

    argp_err_exit_status = EX_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0)
        return EX_USAGE;
    if (lab_subscribers_load(options.subscribers, &subscribers, error, sizeof(error)) < 0) {
        fprintf(stderr, "keystrap-lab usim: %s\n", error);
        return EX_CONFIG;
    }
    subscriber = lab_subscribers_find(&subscribers, options.subscriber);
    if (subscriber)
        code = usim_run(&options, subscriber);
    else
        fprintf(stderr, "keystrap-lab usim: %s has no [Subscriber %s]\n", options.subscribers,
                options.subscriber);
    lab_subscribers_done(&subscribers);
    return code;
}
