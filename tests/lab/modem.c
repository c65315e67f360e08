/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab qmi-modem, mbim-modem and at-modem: the command line.
 */
#include <argp.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lab.h"
#include "modem.h"

enum {
    OPTION_SUBSCRIBERS = 0x100,
    OPTION_SUBSCRIBER,
    OPTION_CONTROL,
    OPTION_LISTEN,
    OPTION_DEVICE,
    OPTION_CHANNELS,
    OPTION_SECOND,
    OPTION_STATE,
    OPTION_PIN_ENABLED,
    OPTION_QUIRK,
};

static const struct argp_option argp_options[] = {
    {"subscribers", OPTION_SUBSCRIBERS, "FILE", 0, "the lab's subscribers (required)", 0},
    {"subscriber", OPTION_SUBSCRIBER, "NAME", 0, "name or IMSI of the one on the card (the first)",
     0},
    {"second", OPTION_SECOND, "NAME", 0, "another one, on the card in a second slot", 0},
    {"state", OPTION_STATE, "FILE", 0, "keep sequence numbers and PIN tries here between runs", 0},
    {"pin-enabled", OPTION_PIN_ENABLED, NULL, 0, "the PIN is asked for", 0},
    {"quirk", OPTION_QUIRK, "NAME", 0,
     "at-modem: no-space, bare-channel, lower-case, csim-basic, plain-error, junk or split; may be "
     "given several times",
     0},
    {"listen", OPTION_LISTEN, "NAME", 0, "abstract socket, in place of the proxy's own name", 0},
    {"device", OPTION_DEVICE, "PATH", 0,
     "be a terminal that PATH links to, and no proxy: for programs that open a device", 0},
    {"control", OPTION_CONTROL, "PATH", 0, "listen here for \"keystrap-lab ctl PATH COMMAND\"", 0},
    {"channels", OPTION_CHANNELS, "N", 0, "the card's channels beside the basic one (4)", 0},
    {"verbose", 'v', NULL, 0, "show APDUs on stderr, without what is secret in them", 0},
    {"version", 'V', NULL, 0, "print the version", 0},
    {0},
};

static void parse_channels(struct argp_state *state, const char *text,
                           struct modem_options *options) {
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || number > CARD_CHANNELS_MAX)
        argp_error(state, "--channels: \"%s\" is not a number from 0 to 19", text);
    options->card.channels = (unsigned)number;
}

static void check(struct argp_state *state, const struct modem_options *options) {
    if (!options->subscribers)
        argp_error(state, "--subscribers=FILE is missing");
    if (!options->device && !options->listen)
        argp_error(state, "--device=PATH is missing: this modem has no proxy");
}

static error_t parse_option(int key, char *argument, struct argp_state *state) {
    struct modem_options *options = state->input;

    switch (key) {
    case OPTION_SUBSCRIBERS:
        options->subscribers = argument;
        return 0;
    case OPTION_SUBSCRIBER:
        options->subscriber = argument;
        return 0;
    case OPTION_SECOND:
        options->second = argument;
        return 0;
    case OPTION_STATE:
        options->state = argument;
        return 0;
    case OPTION_PIN_ENABLED:
        options->card.pin_enabled = true;
        return 0;
    case OPTION_QUIRK:
        if (modem_quirk(argument) == 0)
            argp_error(state, "--quirk: there is no \"%s\"", argument);
        options->quirks |= modem_quirk(argument);
        return 0;
    case OPTION_LISTEN:
        options->listen = argument;
        return 0;
    case OPTION_DEVICE:
        options->device = argument;
        return 0;
    case OPTION_CONTROL:
        options->control = argument;
        return 0;
    case OPTION_CHANNELS:
        parse_channels(state, argument, options);
        return 0;
    case 'v':
        options->verbose = true;
        return 0;
    case 'V':
        printf("keystrap-lab %s\n", KEYSTRAP_VERSION);
        exit(EXIT_SUCCESS);
    case ARGP_KEY_END:
        check(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run(const struct modem_protocol *protocol, int argc, char **argv) {
    static const struct argp argp = {
        .options = argp_options,
        .parser = parse_option,
        .doc = "A modem with a UICC in it, for programs that look for one.\v"
               "Prints \"ready\" when it can be reached, and again after each reset. Ends with "
               "SIGTERM.",
    };
    struct modem_options options = {
        .protocol = protocol,
        .listen = protocol->proxy,
        .card = {.shape = CARD_SHAPE_T1, .channels = 4},
    };
    struct lab_subscribers subscribers;
    const struct lab_subscriber *subscriber, *second;
    char error[512];
    int code = EX_CONFIG;

    argp_err_exit_status = EX_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &options) != 0)
        return EX_USAGE;
    if (lab_subscribers_load(options.subscribers, &subscribers, error, sizeof(error)) < 0) {
        fprintf(stderr, "%s: %s\n", argv[0], error);
        return EX_CONFIG;
    }
    subscriber = lab_subscribers_find(&subscribers, options.subscriber);
    second = options.second ? lab_subscribers_find(&subscribers, options.second) : NULL;
    if (subscriber && (second || !options.second))
        code = modem_run(&options, subscriber, second);
    else
        fprintf(stderr, "%s: %s has no [Subscriber %s]\n", argv[0], options.subscribers,
                subscriber ? options.second : options.subscriber);
    lab_subscribers_done(&subscribers);
    return code;
}

int qmi_modem_main(int argc, char **argv) {
    return run(&modem_qmi, argc, argv);
}

int mbim_modem_main(int argc, char **argv) {
    return run(&modem_mbim, argc, argv);
}

int at_modem_main(int argc, char **argv) {
    return run(&modem_at, argc, argv);
}
