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
#include <sysexits.h>

#include "demo.h"
#include "util.h"
#include "world.h"

struct world_wish {
    const char *subscriber;
    bool without_keystrapd;
    const char *const *command;
};

/* Everything but keystrapd, for whoever starts that himself. */
static int start_surroundings(struct world *world, const char *subscriber) {
    struct world_process *bsf;

    if (!world_start_bus(world) || !world_start_pcscd(world) ||
        !world_start_usim(world, subscriber, NULL))
        return -1;
    bsf = world_start_bsf(world, NULL);
    if (!bsf || !world_start_naf(world, bsf, NULL))
        return -1;
    return world_write_defaults(bsf);
}

static void add_environment(const char *name, const struct world_process *process, char *text,
                            size_t size) {
    (void)snprintf(text, size, "%s=%u", name, process ? process->port : 0);
}

static int live(struct world *world, void *userdata) {
    const struct world_wish *wish = userdata;
    char bsf[64], naf[64], usim_control[160], bsf_control[160], agent[64];
    const char *const env[] = {bsf,          naf,   usim_control,
                               bsf_control,  agent, "PS1=(keystrap world) \\w# ",
                               "TERM=xterm", NULL};
    struct world_process *keystrapd, *command;
    int r;

    if (wish->without_keystrapd)
        r = start_surroundings(world, wish->subscriber);
    else
        r = world_start_gateway(world, wish->subscriber, NULL, NULL, NULL);
    if (r < 0)
        return 126;
    keystrapd = world_find(world, "keystrapd");
    add_environment("KEYSTRAP_BSF_PORT", world_find(world, "bsf"), bsf, sizeof(bsf));
    add_environment("KEYSTRAP_NAF_PORT", world_find(world, "naf"), naf, sizeof(naf));
    (void)snprintf(usim_control, sizeof(usim_control), "KEYSTRAP_USIM_CONTROL=%s",
                   world_find(world, "usim")->control);
    (void)snprintf(bsf_control, sizeof(bsf_control), "KEYSTRAP_BSF_CONTROL=%s",
                   world_find(world, "bsf")->control);
    (void)snprintf(agent, sizeof(agent), "KEYSTRAPD_PID=%d", keystrapd ? (int)keystrapd->pid : 0);
    command = world_spawn(
        world, &(struct world_spawn){.argv = wish->command, .env = env, .terminal = true});
    if (!command)
        return 126;
    while (world_wait(command, WORLD_WAIT_MSEC) < 0)
        continue;
    return world_exit_code(command);
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
                                            {"without-keystrapd", no_argument, NULL, 'w'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    static const char *const shell[] = {"bash", "--norc", NULL};
    struct world_wish wish = {.subscriber = "gateway", .command = shell};
    _cleanup_free_ const char **command = NULL;
    int c;

    while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        if (c == 's')
            wish.subscriber = optarg;
        else if (c == 'w')
            wish.without_keystrapd = true;
        else {
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
