/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapctl: the agent, asked from a shell.
 *
 * Output without --json is for people and may change; with --json it is for programs and only grows.
 */

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <keystrap/keystrap.h>

#include "keystrapctl.h"
#include "util.h"

/* What --profile= and the arguments mean to a command. */
enum profile_use {
    PROFILE_NONE,
    PROFILE_OPTION,   /* --profile= */
    PROFILE_ARGUMENT, /* the first argument is the name of a profile */
};

static const struct command {
    const char *name;
    int (*run)(const struct ctl *ctl);
    int min, max; /* arguments */
    const char *takes;
    enum profile_use profile;
} commands[] = {
    {"status", ctl_status, 0, 0, "no argument", PROFILE_OPTION},
    {"bootstrap", ctl_bootstrap, 0, 0, "no argument", PROFILE_NONE},
    {"forget", ctl_forget, 0, 0, "no argument", PROFILE_NONE},
    {"naf-key", ctl_naf_key, 1, 1, "the name of a NAF", PROFILE_NONE},
    {"monitor", ctl_monitor, 0, 0, "no argument", PROFILE_OPTION},
    {"doctor", ctl_doctor, 0, 0, "no argument", PROFILE_NONE},
    {"se", ctl_se, 1, 1000, "an AID and commands", PROFILE_NONE},
    {"enrol", ctl_enrol, 0, 1, "the name of a profile, or nothing", PROFILE_ARGUMENT},
    {"renew", ctl_renew, 1, 1, "the name of a profile", PROFILE_ARGUMENT},
    {"forget-enrolment", ctl_forget_enrolment, 1, 1, "the name of a profile", PROFILE_ARGUMENT},
    {"get-key", ctl_get_key, 2, 2, "km, kpsa or usage, and the target", PROFILE_OPTION},
    {"configure", ctl_configure, 1, 1, "the file of a signed document", PROFILE_NONE},
    {"version", ctl_version, 0, 0, "no argument", PROFILE_NONE},
};

static void print_help(void) {
    puts("keystrapctl [--json] COMMAND\n"
         "\n"
         "  status               how things stand\n"
         "  bootstrap            get a new Ks now\n"
         "  forget               erase the Ks\n"
         "  naf-key FQDN         get the Ks_NAF of a NAF\n"
         "    --ua=HEX           Ua security protocol identifier, 10 digits (0100000002)\n"
         "    --format=FORMAT    raw, hex or base64: print the key; none: B-TID and expiry (none)\n"
         "    --show             print the key even on a terminal\n"
         "    --force            bootstrap first\n"
         "  monitor              print how things stand and what changes, until interrupted\n"
         "  doctor               look for what is wrong, and what to do about it\n"
         "  se AID [APDU...]     select an application on the card and send it commands, all in "
         "hex\n"
         "  enrol [PROFILE]      enrol by a profile, or by all\n"
         "  renew PROFILE        enrol anew, whatever is there\n"
         "  forget-enrolment PROFILE\n"
         "                       erase what is kept of an enrolment, and tell the MEF\n"
         "  get-key KIND PEER    get a key of an enrolment: km, kpsa or usage, with its target\n"
         "    --suid=N           usage of a usage-constrained key, 21 to 25 (the profile's own)\n"
         "    --format, --show   as for naf-key\n"
         "  configure FILE       set and remove profiles as a signed document says; - is stdin\n"
         "  version              of this program\n"
         "\n"
         "  --uicc=NAME          of that card, where the gateway has several\n"
         "  --profile=NAME       of that enrolment profile: status, monitor, get-key\n"
         "  --json               print JSON\n"
         "  --help               print this\n"
         "\n"
         "Exit status: 0; 1 a check of doctor failed; 64 usage; 69 no daemon, card or reader;\n"
         "75 try again; 77 denied; others as in sysexits.h. See keystrapctl(1).");
}

static int set_format(struct ctl *ctl, const char *name) {
    static const char *const names[] = {
        [CTL_FORMAT_NONE] = "none",
        [CTL_FORMAT_RAW] = "raw",
        [CTL_FORMAT_HEX] = "hex",
        [CTL_FORMAT_BASE64] = "base64",
    };

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        if (strcmp(names[i], name) == 0) {
            ctl->format = (enum ctl_format)i;
            return EX_OK;
        }
    }
    ctl_error("--format=%s: must be raw, hex, base64 or none.", name);
    return EX_USAGE;
}

static int set_ua(struct ctl *ctl, const char *text) {
    uint8_t octets[UA_PROTOCOL_LENGTH];
    size_t length = 0;

    if (hex_decode(text, octets, sizeof(octets), &length) < 0 || length != sizeof(octets)) {
        ctl_error("--ua=%s: must be 10 hex digits, for example 0100000002.", text);
        return EX_USAGE;
    }
    memcpy(ctl->ua_protocol, octets, sizeof(octets));
    return EX_OK;
}

/* Of a card or a profile; it becomes part of a path, too. */
static int set_name(const char *what, const char *name, const char **ret) {
    size_t length = strlen(name);

    if (length == 0 || length > CTL_OBJECT_NAME_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != length) {
        ctl_error("%s%s: must be a name of 1 to %u of a-z, 0-9 and -.", what, name,
                  CTL_OBJECT_NAME_MAX);
        return EX_USAGE;
    }
    *ret = name;
    return EX_OK;
}

static int set_suid(struct ctl *ctl, const char *text) {
    size_t length = strspn(text, "0123456789");

    if (length != 2 || text[length] != '\0') {
        ctl_error("--suid=%s: must be two digits, for example 21.", text);
        return EX_USAGE;
    }
    ctl->suid = (unsigned)strtoul(text, NULL, 10);
    return EX_OK;
}

enum ctl_option {
    OPTION_JSON = 0x100,
    OPTION_HELP,
    OPTION_UA,
    OPTION_FORMAT,
    OPTION_SHOW,
    OPTION_FORCE,
    OPTION_UICC,
    OPTION_PROFILE,
    OPTION_SUID,
};

static int set_option(struct ctl *ctl, int option, const char *value) {
    switch (option) {
    case OPTION_JSON:
        ctl->json = true;
        return EX_OK;
    case OPTION_UA:
        return set_ua(ctl, value);
    case OPTION_FORMAT:
        return set_format(ctl, value);
    case OPTION_SHOW:
        ctl->show = true;
        return EX_OK;
    case OPTION_FORCE:
        ctl->force = true;
        return EX_OK;
    case OPTION_UICC:
        return set_name("--uicc=", value, &ctl->uicc);
    case OPTION_PROFILE:
        return set_name("--profile=", value, &ctl->profile);
    case OPTION_SUID:
        return set_suid(ctl, value);
    default:
        /* getopt_long() has said what is wrong */
        return EX_USAGE;
    }
}

/* What is behind the options: a command, and what it takes. */
static int parse_arguments(int argc, char **argv, struct ctl *ctl, const struct command **ret) {
    for (size_t i = 0; optind < argc && i < ELEMENTS(commands); i++)
        if (strcmp(commands[i].name, argv[optind]) == 0)
            *ret = &commands[i];
    if (!*ret) {
        ctl_error("%s: see keystrapctl --help.",
                  optind < argc ? "There is no such command" : "A command is missing");
        return EX_USAGE;
    }
    ctl->arguments = argv + optind + 1;
    ctl->arguments_count = argc - optind - 1;
    if (ctl->arguments_count < (*ret)->min || ctl->arguments_count > (*ret)->max) {
        ctl_error("%s takes %s.", (*ret)->name, (*ret)->takes);
        return EX_USAGE;
    }
    /* To go on without it would be to forget, for one, more than was meant. */
    if (ctl->profile && (*ret)->profile != PROFILE_OPTION) {
        ctl_error("%s does not take --profile.", (*ret)->name);
        return EX_USAGE;
    }
    ctl->naf_fqdn = ctl->arguments_count > 0 ? ctl->arguments[0] : NULL;
    if ((*ret)->profile == PROFILE_ARGUMENT && ctl->arguments_count > 0)
        return set_name("", ctl->arguments[0], &ctl->profile);
    return EX_OK;
}

/* Returns EX_OK with the command, or -1 where help was asked for and given, or EX_USAGE. */
static int parse(int argc, char **argv, struct ctl *ctl, const struct command **ret) {
    static const struct option options[] = {
        {"json", no_argument, NULL, OPTION_JSON},
        {"help", no_argument, NULL, OPTION_HELP},
        {"ua", required_argument, NULL, OPTION_UA},
        {"format", required_argument, NULL, OPTION_FORMAT},
        {"show", no_argument, NULL, OPTION_SHOW},
        {"force", no_argument, NULL, OPTION_FORCE},
        {"uicc", required_argument, NULL, OPTION_UICC},
        {"profile", required_argument, NULL, OPTION_PROFILE},
        {"suid", required_argument, NULL, OPTION_SUID},
        {0},
    };
    int option, r;

    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == OPTION_HELP)
            return -1;
        r = set_option(ctl, option, optarg);
        if (r != EX_OK)
            return r;
    }
    return parse_arguments(argc, argv, ctl, ret);
}

int main(int argc, char **argv) {
    const struct command *command = NULL;
    struct ctl ctl = {.format = CTL_FORMAT_NONE};
    int r;

    memcpy(ctl.ua_protocol, KEYSTRAP_UA_HTTP_DIGEST, sizeof(ctl.ua_protocol));
    r = parse(argc, argv, &ctl, &command);
    if (r < 0) {
        print_help();
        return EX_OK;
    }
    return r == EX_OK ? command->run(&ctl) : r;
}
