/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab: a cellular world in small, to try and to test keystrap against.
 *
 * One program with a subcommand for each inhabitant. This file only finds the subcommand; to add
 * one, write its main into a file of its own, declare it in lab.h and give it a line in the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "demo.h"
#include "lab.h"

#define LENGTH_OF(array) (sizeof(array) / sizeof((array)[0]))

struct subcommand {
    const char *name;
    const char *help;
    int (*main)(int argc, char **argv);
};

static const struct subcommand subcommands[] = {
    {"usim", "a UICC with a USIM, plugged into pcscd through the vpcd reader", usim_main},
    {"qmi-modem", "a modem with a UICC in it, that speaks QMI", qmi_modem_main},
    {"mbim-modem", "the same, that speaks MBIM", mbim_modem_main},
    {"at-modem", "the same, with a serial port for AT commands", at_modem_main},
    {"bsf", "a BSF with its home network, over HTTP", bsf_main},
    {"naf", "a NAF that asks the BSF for its users' keys, over HTTP", naf_main},
    {"mef", "a MEF, over HTTPS and CoAPS, with an EST server", mef_main},
    {"ctl", "send one command to the control socket of another subcommand", ctl_main},
    {"world", "a command, or a shell, in a whole gateway with its network", world_main},
    {"demo", "the story of a key from a SIM to an application, while it happens", demo_main},
};

static void print_help(FILE *stream) {
    fprintf(stream, "Usage: keystrap-lab SUBCOMMAND [OPTION...]\n"
                    "A cellular world in small: card and network to run keystrap against.\n\n");
    for (size_t i = 0; i < LENGTH_OF(subcommands); i++)
        fprintf(stream, "  %-10s  %s\n", subcommands[i].name, subcommands[i].help);
    fprintf(stream, "\nEach subcommand has its own --help.\n");
}

static int run(const struct subcommand *subcommand, int argc, char **argv) {
    char name[64];

    snprintf(name, sizeof(name), "keystrap-lab %s", subcommand->name);
    argv[0] = name;
    return subcommand->main(argc, argv);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        print_help(stderr);
        return EX_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return EXIT_SUCCESS;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("keystrap-lab %s\n", KEYSTRAP_VERSION);
        return EXIT_SUCCESS;
    }
    for (size_t i = 0; i < LENGTH_OF(subcommands); i++) {
        if (strcmp(argv[1], subcommands[i].name) == 0)
            return run(&subcommands[i], argc - 1, argv + 1);
    }
    fprintf(stderr, "keystrap-lab: no subcommand \"%s\"; \"keystrap-lab --help\" lists them\n",
            argv[1]);
    return EX_USAGE;
}
