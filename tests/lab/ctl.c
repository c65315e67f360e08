/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keystrap-lab ctl: one command for the control socket of another subcommand, for shells.
 *
 * Exit code 0 for "ok", 1 for "error", 69 when nobody answers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "control.h"
#include "lab.h"

enum { TIMEOUT_MSEC = 10000 };

static int join(char **words, char *ret_line, size_t size) {
    size_t length = 0;

    for (; *words; words++) {
        int n = snprintf(ret_line + length, size - length, "%s%s", length > 0 ? " " : "", *words);

        if (n < 0 || (size_t)n >= size - length)
            return -1;
        length += (size_t)n;
    }
    return 0;
}

int ctl_main(int argc, char **argv) {
    char line[CONTROL_LINE_MAX] = "", answer[CONTROL_LINE_MAX];
    int r;

    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf(
            "Usage: keystrap-lab ctl SOCKET COMMAND [WORD...]\n"
            "Sends one command to the control socket of a running keystrap-lab and prints its "
            "answer.\n"
            "The command \"help\" lists the commands. Exit code: 0 ok, 1 error, 69 no answer.\n");
        return EXIT_SUCCESS;
    }
    if (argc < 3) {
        fprintf(stderr, "Usage: keystrap-lab ctl SOCKET COMMAND [WORD...]\n");
        return EX_USAGE;
    }
    if (join(argv + 2, line, sizeof(line)) < 0) {
        fprintf(stderr, "keystrap-lab ctl: the command is longer than %d octets\n",
                CONTROL_LINE_MAX);
        return EX_USAGE;
    }
    r = control_ask(argv[1], line, TIMEOUT_MSEC, answer, sizeof(answer));
    if (r < 0) {
        fprintf(stderr, "keystrap-lab ctl: no answer at %s: %s\n", argv[1], strerror(-r));
        return EX_UNAVAILABLE;
    }
    printf("%s\n", answer);
    return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
