/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-lab world: a whole gateway with its network around one command.
 *
 * For whoever wants to try something against the product, and for programs, such as the benchmarks, that are not
 * integration tests. The command runs as root on the terminal that it was called from.
 */

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "demo.h"
#include "util.h"
#include "world.h"

/* The inhabitants in the order in which they start; a wish may leave any of them out. */
enum inhabitant {
    BUS,
    PCSCD,
    USIM,
    BSF,
    NAF,
    KEYSTRAPD,
    INHABITANTS,
};

static const char *const inhabitants[INHABITANTS] = {"bus", "pcscd", "usim",
                                                     "bsf", "naf",   "keystrapd"};

struct world_wish {
    const char *subscriber;
    bool without[INHABITANTS];
    const char *const *command;
};

static struct world_process *start_one(struct world *world, enum inhabitant inhabitant,
                                       const char *subscriber) {
    struct world_process *bsf = world_find(world, "bsf");

    switch (inhabitant) {
    case BUS:
        return world_start_bus(world);
    case PCSCD:
        return world_start_pcscd(world);
    case USIM:
        return world_start_usim(world, subscriber, NULL);
    case BSF:
        bsf = world_start_bsf(world, NULL);
        return bsf && world_write_defaults(bsf) == 0 ? bsf : NULL;
    case NAF:
        return bsf ? world_start_naf(world, bsf, NULL) : NULL;
    case KEYSTRAPD:
        return world_start_keystrapd(world, NULL);
    case INHABITANTS:
        break;
    }
    return NULL;
}

/* "NAME=what @name's process has", empty for one that does not run. */
static void tell_port(const struct world_process *process, const char *variable, char *text,
                      size_t size) {
    (void)snprintf(text, size, "%s=%u", variable, process ? process->port : 0);
}

static void tell_control(const struct world_process *process, const char *variable, char *text,
                         size_t size) {
    (void)snprintf(text, size, "%s=%s", variable, process ? process->control : "");
}

static int run_command(struct world *world, const char *const *argv) {
    char bsf_port[64], naf_port[64], usim[160], bsf[160], agent[64];
    const struct world_process *keystrapd = world_find(world, "keystrapd");
    const char *const env[] = {
        bsf_port, naf_port, usim, bsf, agent, "PS1=(keystrap world) \\w# ", "TERM=xterm", NULL};
    struct world_process *command;

    tell_port(world_find(world, "bsf"), "KEYSTRAP_BSF_PORT", bsf_port, sizeof(bsf_port));
    tell_port(world_find(world, "naf"), "KEYSTRAP_NAF_PORT", naf_port, sizeof(naf_port));
    tell_control(world_find(world, "usim"), "KEYSTRAP_USIM_CONTROL", usim, sizeof(usim));
    tell_control(world_find(world, "bsf"), "KEYSTRAP_BSF_CONTROL", bsf, sizeof(bsf));
    (void)snprintf(agent, sizeof(agent), "KEYSTRAPD_PID=%d", keystrapd ? (int)keystrapd->pid : 0);
    command = world_spawn(
        world,
        &(struct world_spawn){.name = "command", .argv = argv, .env = env, .terminal = true});
    if (!command)
        return 126;
    while (world_wait(command, WORLD_WAIT_MSEC) < 0)
        continue;
    return world_exit_code(command);
}

static int live(struct world *world, void *userdata) {
    const struct world_wish *wish = userdata;

    for (int i = 0; i < INHABITANTS; i++)
        if (!wish->without[i] && !start_one(world, (enum inhabitant)i, wish->subscriber))
            return 126;
    return run_command(world, wish->command);
}

static bool leave_out(struct world_wish *wish, const char *name) {
    for (size_t i = 0; i < INHABITANTS; i++) {
        if (strcmp(name, inhabitants[i]) == 0) {
            wish->without[i] = true;
            return true;
        }
    }
    (void)fprintf(stderr, "keystrap-lab world: nobody is called \"%s\"\n", name);
    return false;
}

static void help(FILE *stream) {
    (void)fputs(
        "Usage: keystrap-lab world [OPTION...] [COMMAND [ARGUMENT...]]\n"
        "Runs COMMAND, or a shell, as root in a world of its own: bus, pcscd with a USIM, BSF,\n"
        "NAF and keystrapd, none of which outlives it.\n\n"
        "  --subscriber NAME    the USIM's, of tests/lab/lab.conf (gateway)\n"
        "  --without-keystrapd  everything else\n\n"
        "COMMAND finds KEYSTRAP_BSF_PORT, KEYSTRAP_NAF_PORT, KEYSTRAP_USIM_CONTROL,\n"
        "KEYSTRAP_BSF_CONTROL and KEYSTRAPD_PID in its environment.\n",
        stream);
}

int world_main(int argc, char **argv) {
    static const struct option options[] = {{"subscriber", required_argument, NULL, 's'},
                                            {"without", required_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    static const char *const shell[] = {"bash", "--norc", NULL};
    struct world_wish wish = {.subscriber = "gateway", .command = shell};
    _cleanup_free_ const char **command = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        if (c == 's')
            wish.subscriber = optarg;
        else if (c != 'w' || !leave_out(&wish, optarg)) {
            help(c == 'h' ? stdout : stderr);
            return c == 'h' ? EXIT_SUCCESS : EX_USAGE;
        }
    }
    if (optind < argc) {
        command = calloc((size_t)(argc - optind) + 1, sizeof(*command));
        if (!command)
            return EX_OSERR;
        for (int i = optind; i < argc; i++)
            command[i - optind] = argv[i];
        wish.command = command;
    }
    /* The terminal's interrupt is for the command. */
    (void)signal(SIGINT, SIG_IGN);
    return world_run(live, &wish);
}
