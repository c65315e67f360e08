/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-lab demo: the product's whole way, told while it happens.
 *
 * Nothing in it is acted: the bus, pcscd, the service, the application and the network functions are processes
 * that speak their real protocols; only the radio and the operator's machines are the lab's. It is told well only
 * if the NAF has let the application in with the key that card and network agreed on.
 */

#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "demo-internal.h"
#include "demo.h"
#include "util.h"
#include "world.h"

#define SUBSCRIBER "gateway"
#define CONTINUED  "            "

static const char *subscriber(const struct demo *demo) {
    return demo->gba_u ? "pump" : SUBSCRIBER;
}

void demo_step(struct demo *demo, const char *format, ...) {
    va_list args;

    (void)printf("%7llu ms  ", (unsigned long long)world_elapsed_msec(demo->world));
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
    (void)fflush(stdout);
}

void demo_detail(const char *format, ...) {
    va_list args;

    (void)fputs(CONTINUED, stdout);
    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)putchar('\n');
    (void)fflush(stdout);
}

/* What a program has said, line by line under the step that it belongs to. */
void demo_quote(const char *text) {
    while (text && *text) {
        size_t length = strcspn(text, "\n");

        if (length > 0)
            demo_detail("  | %.*s", (int)length, text);
        text += length + (text[length] ? 1 : 0);
    }
}

static double msec(const struct world_process *process) {
    return (double)process->ready_usec / 1000.0;
}

static bool has_modem(const struct demo *demo) {
    return strcmp(demo->transport, "pcsc") != 0;
}

static int raise_card(struct demo *demo) {
    const char *place = "reader";
    char reader[128];

    if (has_modem(demo)) {
        place = "modem";
        demo->usim = world_start_modem(demo->world, demo->transport, subscriber(demo), NULL);
        if (demo->usim)
            demo_step(demo, "A modem is up, %s.",
                      strcmp(demo->transport, "at") == 0 ? "with a serial port for AT commands"
                      : strcmp(demo->transport, "qmi") == 0
                          ? "which speaks QMI, at the place of qmi-proxy"
                          : "which speaks MBIM, at the place of mbim-proxy");
    } else {
        if (!world_start_pcscd(demo->world) || world_reader(reader, sizeof(reader)) < 0)
            return -1;
        demo_step(demo, "pcscd is up, with the reader \"%s\", still empty.", reader);
        demo->usim = world_start_usim(demo->world, subscriber(demo), NULL);
    }
    if (!demo->usim)
        return -1;
    demo_step(demo,
              "A USIM is in the %s: subscriber \"%s\", Milenage, its keys in tests/lab/lab.conf.",
              place, subscriber(demo));
    if (demo->gba_u)
        demo_detail("It does GBA_U: what keys are made of is to stay in it.");
    return 0;
}

static int raise_surroundings(struct demo *demo) {
    struct world_process *process;

    process = world_start_bus(demo->world);
    if (!process)
        return -1;
    demo_step(demo, "The system bus is up: dbus-daemon with the service's policy.");
    if (raise_card(demo) < 0)
        return -1;
    demo->bsf = world_start_bsf(demo->world, NULL);
    demo->naf = demo->bsf ? world_start_naf(demo->world, demo->bsf, NULL) : NULL;
    if (!demo->naf)
        return -1;
    demo_step(demo, "The operator's BSF (%s) and the service to be used, NAF %s, listen.",
              WORLD_BSF_NAME, WORLD_NAF_NAME);
    (void)snprintf(demo->url, sizeof(demo->url), "http://" WORLD_NAF_NAME ":%u/", demo->naf->port);
    (void)snprintf(demo->address, sizeof(demo->address), "127.0.0.1:%u", demo->naf->port);
    return has_modem(demo) ? world_write_modem(demo->bsf, demo->transport, "")
                           : world_write_defaults(demo->bsf);
}

int demo_raise_keystrapd(struct demo *demo) {
    demo->keystrapd = world_start_keystrapd(demo->world, NULL);
    if (!demo->keystrapd)
        return -1;
    demo_step(demo, "keystrapd is ready, %.1f ms after its start, as the user \"keystrap\".",
              msec(demo->keystrapd));
    return 0;
}

/* What the control socket says after "ok". */
static const char *count(struct world_process *process, const char *command, char *text,
                         size_t size) {
    if (world_ctl(process, command, text, size) < 0)
        return "(no answer)";
    return strncmp(text, "ok ", 3) == 0 ? text + 3 : text;
}

static void show_counts(struct demo *demo) {
    char text[256];

    demo_detail("BSF:  %s", count(demo->bsf, "count", text, sizeof(text)));
    demo_detail("card: %s", count(demo->usim, "count", text, sizeof(text)));
}

/* Run a program as @uid; its words are quoted. Return: its exit code. */
static int act(struct demo *demo, uid_t uid, const char *const *argv) {
    _cleanup_free_ char *errors = NULL;
    char output[4096];
    int r;

    r = world_call_as(demo->world, uid, argv, output, sizeof(output));
    demo_quote(output);
    errors = world_errors(world_last(demo->world));
    demo_quote(errors);
    return r;
}

static int application_gets_in(struct demo *demo) {
    const char *const argv[] = {WORLD_BUILD "/docs/examples/naf-get", WORLD_NAF_NAME, demo->url,
                                demo->address, NULL};
    int r;

    demo_step(demo, "The application \"meter\" (uid %d, no privileges) wants %s.", WORLD_USER_METER,
              demo->url);
    demo_detail("It asks keystrapd over D-Bus for its key; keystrapd asks the card and the BSF.");
    r = act(demo, WORLD_USER_METER, argv);
    if (r != 0) {
        demo_step(demo, "It did not get in: naf-get ended with %d.", r);
        return -1;
    }
    demo_step(demo,
              "The NAF has let it in: HTTP Digest with the B-TID and the Ks_NAF, answered 200.");
    show_counts(demo);
    if (demo->gba_u)
        demo_detail(
            "The card has answered the BSF's challenge, kept the Ks, and derived this NAF's key.");
    return 0;
}

static int second_key_is_at_hand(struct demo *demo) {
    const char *const argv[] = {WORLD_BUILD "/dbus/keystrapctl", "naf-key", "other.example.com",
                                "--format=none", NULL};
    char bsf[2][256], card[2][256];
    uint64_t began = world_elapsed_msec(demo->world);

    (void)count(demo->bsf, "count", bsf[0], sizeof(bsf[0]));
    (void)count(demo->usim, "count", card[0], sizeof(card[0]));
    demo_step(demo, "It wants a key for another NAF, other.example.com.");
    if (act(demo, WORLD_USER_METER, argv) != 0)
        return -1;
    (void)count(demo->bsf, "count", bsf[1], sizeof(bsf[1]));
    (void)count(demo->usim, "count", card[1], sizeof(card[1]));
    if (strcmp(bsf[0], bsf[1]) != 0 || (!demo->gba_u && strcmp(card[0], card[1]) != 0)) {
        demo_step(demo, "Card or network was asked again, which must not be:");
        show_counts(demo);
        return -1;
    }
    demo_step(demo, "It has it %llu ms later. %s: the Ks serves all NAFs.",
              (unsigned long long)(world_elapsed_msec(demo->world) - began),
              demo->gba_u ? "The card was asked, the BSF was not"
                          : "Neither the card nor the BSF was asked");
    return 0;
}

/* Whoever has no Ks cannot lose it: the one in the card outlives the service. */
static int ks_outlives_keystrapd(struct demo *demo) {
    const char *const argv[] = {WORLD_BUILD "/dbus/keystrapctl", "naf-key", WORLD_NAF_NAME,
                                "--format=none", NULL};
    char bsf[2][256];

    (void)count(demo->bsf, "count", bsf[0], sizeof(bsf[0]));
    demo_step(demo, "keystrapd is killed with SIGKILL, and started again.");
    if (world_signal(demo->keystrapd, SIGKILL) < 0 ||
        world_wait(demo->keystrapd, WORLD_WAIT_MSEC) < 0 || demo_raise_keystrapd(demo) < 0)
        return -1;
    if (act(demo, WORLD_USER_METER, argv) != 0)
        return -1;
    (void)count(demo->bsf, "count", bsf[1], sizeof(bsf[1]));
    if (strcmp(bsf[0], bsf[1]) != 0) {
        demo_step(demo, "The BSF was asked again, which must not be:");
        show_counts(demo);
        return -1;
    }
    demo_step(demo,
              "The application has its key again, and the BSF was not asked: the Ks never left the "
              "card.");
    return 0;
}

int demo_stranger(struct demo *demo, const char *const *argv) {
    demo_step(demo,
              "A program of the user \"stranger\", whom no rule names, asks for the same key.");
    if (act(demo, WORLD_USER_STRANGER, argv) == 0) {
        demo_step(demo, "It was given the key. That must not be.");
        return -1;
    }
    demo_step(demo, "It was refused.");
    return 0;
}

static int stranger_is_refused(struct demo *demo) {
    const char *const argv[] = {WORLD_BUILD "/dbus/keystrapctl", "naf-key", WORLD_NAF_NAME,
                                "--format=none", NULL};

    return demo_stranger(demo, argv);
}

/* How to talk to card and BSF. */
static void keep_gba(const struct demo *demo, int pid) {
    if (!has_modem(demo))
        (void)printf("  nsenter -t %d -a opensc-tool --list-readers\n", pid);
    (void)printf("  nsenter -t %d -a runuser -u meter -- keystrapctl naf-key " WORLD_NAF_NAME
                 " --format=none\n",
                 pid);
    (void)printf("  nsenter -t %d -a keystrap-lab ctl %s help\n", pid, demo->usim->control);
    (void)printf("  nsenter -t %d -a keystrap-lab ctl %s count\n", pid, demo->bsf->control);
}

/* Leave the stage standing until the terminal's interrupt, and say how to walk on it. */
static void keep(struct demo *demo) {
    int pid = (int)world_outer_pid(demo->world), received;
    sigset_t end;

    (void)puts("\nThe world stays until Ctrl-C. From another terminal, as root:\n");
    (void)printf("  nsenter -t %d -a keystrapctl status\n", pid);
    (void)printf("  nsenter -t %d -a keystrapctl doctor\n", pid);
    if (demo->mef) {
        (void)printf("  nsenter -t %d -a keystrapctl renew water\n", pid);
        (void)printf("  nsenter -t %d -a runuser -u meter -- keystrapctl get-key km " WORLD_MAF_NAME
                     " --format=none\n",
                     pid);
        (void)printf("  nsenter -t %d -a keystrap-lab ctl %s help\n", pid, demo->mef->control);
    }
    (void)printf("  nsenter -t %d -a busctl introspect org.keystrap.Agent1 /org/keystrap/Agent1\n",
                 pid);
    if (!demo->mef)
        keep_gba(demo, pid);
    (void)printf("  nsenter -t %d -a tail -F " WORLD_LOG "/keystrapd.err\n\n", pid);
    (void)fflush(stdout);
    (void)sigemptyset(&end);
    (void)sigaddset(&end, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &end, NULL);
    (void)signal(SIGINT, SIG_DFL);
    (void)sigwait(&end, &received);
}

static int tell_gba(struct demo *demo) {
    int r;

    r = raise_surroundings(demo);
    if (r == 0)
        r = demo_raise_keystrapd(demo);
    if (r == 0)
        r = application_gets_in(demo);
    if (r == 0)
        r = second_key_is_at_hand(demo);
    if (r == 0 && demo->gba_u && strcmp(demo->transport, "pcsc") == 0)
        r = ks_outlives_keystrapd(demo);
    if (r == 0)
        r = stranger_is_refused(demo);
    return r;
}

static int tell(struct world *world, void *userdata) {
    struct demo *demo = userdata;
    int r;

    demo->world = world;
    demo_step(
        demo,
        "A world of its own: private processes, network, mounts. Nothing outside is touched.");
    r = demo->method ? demo_enrol(demo) : tell_gba(demo);
    if (r < 0) {
        (void)fflush(stdout);
        world_log(world);
        (void)fprintf(stderr,
                      "keystrap-lab demo: the story broke off after the last step above.\n");
        return EXIT_FAILURE;
    }
    if (demo->method)
        demo_step(demo, "Done: from an enrolment to a key in an application's hand.");
    else
        demo_step(demo, "Done: from a %s to a key in an application's hand.",
                  has_modem(demo) ? "modem" : "card reader");
    if (demo->keep)
        keep(demo);
    return EXIT_SUCCESS;
}

static void help(FILE *stream) {
    (void)fputs(
        "Usage: keystrap-lab demo [OPTION...]\n"
        "Runs the product in a world of its own and tells, with time stamps, how a key comes\n"
        "from a SIM to an application. Needs root. Exit code 0 only if the NAF let it in.\n\n"
        "  --transport pcsc|qmi|mbim|at  where the SIM is: a card reader, or a modem (pcsc)\n"
        "  --mode gba-me|gba-u  where the keys are made: in keystrapd, or in the card (gba-me)\n"
        "  --method psk|certificate|chain  enrol with an M2M Enrolment Function: by a pre-shared\n"
        "          key, by a certificate, or by what is left when GBA and the certificate fail\n"
        "  --keep  leave the world running until Ctrl-C, and print how to talk to it\n",
        stream);
}

static bool take_mode(const char *name, struct demo *demo) {
    demo->gba_u = strcmp(name, "gba-u") == 0;
    if (demo->gba_u || strcmp(name, "gba-me") == 0)
        return true;
    (void)fprintf(stderr, "keystrap-lab demo: there is no mode \"%s\"\n", name);
    return false;
}

static bool take_method(const char *name, struct demo *demo) {
    static const char *const methods[] = {"psk", "certificate", "chain"};

    for (size_t i = 0; i < ELEMENTS(methods); i++) {
        if (strcmp(name, methods[i]) == 0) {
            demo->method = methods[i];
            return true;
        }
    }
    (void)fprintf(stderr, "keystrap-lab demo: there is no method \"%s\"\n", name);
    return false;
}

static bool is_transport(const char *name) {
    static const char *const transports[] = {"pcsc", "qmi", "mbim", "at"};

    for (size_t i = 0; i < ELEMENTS(transports); i++)
        if (strcmp(name, transports[i]) == 0)
            return true;
    (void)fprintf(stderr, "keystrap-lab demo: there is no transport \"%s\"\n", name);
    return false;
}

int demo_main(int argc, char **argv) {
    static const struct option options[] = {
        {"keep", no_argument, NULL, 'k'},         {"mode", required_argument, NULL, 'm'},
        {"method", required_argument, NULL, 'e'}, {"transport", required_argument, NULL, 't'},
        {"help", no_argument, NULL, 'h'},         {0}};
    struct demo demo = {.transport = "pcsc"};
    int c;

    while ((c = getopt_long(argc, argv, "hkm:t:e:", options, NULL)) != -1) {
        if (c == 'k') {
            demo.keep = true;
        } else if (c == 't' && is_transport(optarg)) {
            demo.transport = optarg;
        } else if (c == 'e' && take_method(optarg, &demo)) {
            continue;
        } else if (c == 'm' && take_mode(optarg, &demo)) {
            continue;
        } else {
            help(c == 'h' ? stdout : stderr);
            return c == 'h' ? EXIT_SUCCESS : EX_USAGE;
        }
    }
    if (optind < argc) {
        help(stderr);
        return EX_USAGE;
    }
    /* The terminal's interrupt is for tell(), so that the world ends in order. */
    if (demo.keep)
        (void)signal(SIGINT, SIG_IGN);
    return world_run(tell, &demo);
}
