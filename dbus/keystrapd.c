/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapd: the bring-up.
 *
 * One step after the other, each with the exit code of sysexits(3) that systemd and the operator see when it
 * fails; then the loop; then everything down again in the opposite order. READY=1 means that the bus name is
 * ours and the card is being looked for, not that there is a card.
 */

#include <argp.h>
#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>

#include "agent.h"
#include "conf.h"
#include "enrol-profile.h"
#include "log.h"
#include "secret.h"
#include "service.h"
#include "util.h"

/* Visible, or libc does not find it. */
__attribute__((visibility("default"))) const char *argp_program_version =
    "keystrapd " KEYSTRAP_VERSION;

struct keystrapd {
    struct agent_options options;
    bool check_config;
    sd_event *event;
    struct agent *agent;
    struct service *service;
};

static const struct argp_option keystrapd_argp_options[] = {
    {"config-dir", 'c', "DIR", 0, "Configuration directory (" KEYSTRAP_CONFIG_DIR ")", 0},
    {"plugin-dir", 'p', "DIR", 0, "Directory of the transport programs (" KEYSTRAP_PLUGIN_DIR ")",
     0},
    {"state-dir", 's', "DIR", 0, "Directory of the sealed records (" KEYSTRAP_STATE_DIR ")", 0},
    {"check-config", 'C', NULL, 0, "Check the configuration, print it as it takes effect, and exit",
     0},
    {NULL, 0, NULL, 0, NULL, 0},
};

static error_t keystrapd_parse(int key, char *argument, struct argp_state *state) {
    struct keystrapd *keystrapd = state->input;

    switch (key) {
    case 'c':
        keystrapd->options.config_directory = argument;
        return 0;
    case 'p':
        keystrapd->options.plugin_directory = argument;
        return 0;
    case 's':
        keystrapd->options.state_directory = argument;
        return 0;
    case 'C':
        keystrapd->check_config = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_usage(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp keystrapd_argp = {
    .options = keystrapd_argp_options,
    .parser = keystrapd_parse,
    .doc = "Key agent for cellular M2M gateways: GBA keys from the SIM, over D-Bus.",
};

/* No core, no ptrace by equals, no file for others, and one heap: threads are few and short of work. */
static int bring_up_process(struct keystrapd *keystrapd, struct failure *failure) {
    const struct rlimit none = {0, 0};

    (void)keystrapd;
    (void)umask(0077);
    (void)mallopt(M_ARENA_MAX, 1);
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return failure_set(failure, -errno, "cannot rule out core dumps: %s", strerror(errno));
    return 0;
}

static int bring_up_secrets(struct keystrapd *keystrapd, struct failure *failure) {
    int r;

    (void)keystrapd;
    r = secret_arena_init();
    if (r < 0)
        return failure_set(failure, r,
                           "cannot lock %u KiB of memory for keys: %s; raise LimitMEMLOCK=",
                           SECRET_ARENA_SIZE / 1024, strerror(-r));
    return 0;
}

static int bring_up_self_test(struct keystrapd *keystrapd, struct failure *failure) {
    int r;

    (void)keystrapd;
    r = secret_self_test();
    if (r < 0)
        return failure_set(failure, r,
                           "the self-test failed: memory for keys is not erased, not locked or "
                           "would be dumped; this build must not be used");
    return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
    struct keystrapd *keystrapd = userdata;
    struct failure failure = {0};
    struct timespec now;
    int r;

    (void)source;
    (void)info;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                     (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000);
    r = agent_reload(keystrapd->agent, &failure);
    if (r == 0)
        log_message(LOG_NOTICE, MESSAGE_ID_CONFIG, "configuration loaded again");
    else
        log_message(LOG_ERR, MESSAGE_ID_CONFIG, "configuration not changed: %s", failure.text);
    (void)sd_notifyf(0, "READY=1\nSTATUS=%s",
                     r == 0 ? "Configuration loaded" : "Configuration wrong, the old one stays");
    return 0;
}

static int bring_up_event(struct keystrapd *keystrapd, struct failure *failure) {
    int r;

    r = sd_event_default(&keystrapd->event);
    if (r >= 0)
        r = sd_event_add_signal(keystrapd->event, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL,
                                NULL);
    if (r >= 0)
        r = sd_event_add_signal(keystrapd->event, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL,
                                NULL);
    if (r >= 0)
        r = sd_event_add_signal(keystrapd->event, NULL, SIGHUP | SD_EVENT_SIGNAL_PROCMASK,
                                on_reload, keystrapd);
    if (r >= 0)
        r = sd_event_set_watchdog(keystrapd->event, true);
    if (r < 0)
        return failure_set(failure, r, "cannot set up the event loop: %s", strerror(-r));
    return 0;
}

static int bring_up_agent(struct keystrapd *keystrapd, struct failure *failure) {
    return agent_new(keystrapd->event, &keystrapd->options, &keystrapd->agent, failure);
}

static int bring_up_service(struct keystrapd *keystrapd, struct failure *failure) {
    return service_new(keystrapd->event, keystrapd->agent, &keystrapd->service, failure);
}

static int bring_up_worker(struct keystrapd *keystrapd, struct failure *failure) {
    return agent_start(keystrapd->agent, failure);
}

static const struct {
    const char *name;
    int (*bring_up)(struct keystrapd *keystrapd, struct failure *failure);
    int exit_code;
} steps[] = {
    {"process", bring_up_process, EX_OSERR},        {"memory for keys", bring_up_secrets, EX_OSERR},
    {"self-test", bring_up_self_test, EX_SOFTWARE}, {"event loop", bring_up_event, EX_OSERR},
    {"configuration", bring_up_agent, EX_CONFIG},   {"bus", bring_up_service, EX_UNAVAILABLE},
    {"card worker", bring_up_worker, EX_OSERR},
};

static int keystrapd_bring_up(struct keystrapd *keystrapd) {
    for (size_t i = 0; i < ELEMENTS(steps); i++) {
        struct failure failure = {0};
        int r = steps[i].bring_up(keystrapd, &failure);

        if (r == 0)
            continue;
        (void)failure_set(&failure, r, "%s", r < 0 ? strerror(-r) : outcome_name(r));
        log_message(LOG_ERR, steps[i].exit_code == EX_CONFIG ? MESSAGE_ID_CONFIG : NULL,
                    "cannot start (%s): %s", steps[i].name, failure.text);
        (void)sd_notifyf(0, "STATUS=Cannot start (%s): %s\nERRNO=%d", steps[i].name, failure.text,
                         r < 0 ? -r : EINVAL);
        return steps[i].exit_code;
    }
    return EX_OK;
}

static void keystrapd_tear_down(struct keystrapd *keystrapd) {
    keystrapd->service = service_free(keystrapd->service);
    keystrapd->agent = agent_free(keystrapd->agent);
    keystrapd->event = sd_event_unref(keystrapd->event);
    secret_arena_done();
}

/* Each as its own file would have it, below a comment with that file's name. */
static void print_profiles(const char *directory, const struct conf *conf,
                           const struct enrol_profiles *profiles) {
    printf("# %zu enrolment profile%s in %s/enrol.d\n", profiles->count,
           profiles->count == 1 ? "" : "s", directory);
    for (size_t i = 0; i < profiles->count; i++) {
        enrol_profile_warn(profiles->profiles[i], conf);
        printf("\n# %s/enrol.d/%s.conf\n", directory, profiles->profiles[i]->name);
        enrol_profile_print(profiles->profiles[i], stdout);
    }
}

static int keystrapd_check_config(const struct keystrapd *keystrapd) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct enrol_profiles profiles = {0};
    struct access *access = NULL;
    struct failure failure = {0};
    char rules[4096];
    int r;

    if ((size_t)snprintf(rules, sizeof(rules), "%s/access.d",
                         keystrapd->options.config_directory) >= sizeof(rules))
        return EX_USAGE;
    r = conf_load(keystrapd->options.config_directory, &conf, &failure);
    if (r == 0)
        r = access_load(rules, &access, &failure);
    if (r == 0)
        r = enrol_profiles_load(keystrapd->options.config_directory, &profiles, &failure);
    if (r != 0) {
        access_free(access);
        fprintf(stderr, "keystrapd: %s\n", failure.text[0] ? failure.text : strerror(-r));
        return EX_CONFIG;
    }
    conf_print(conf, stdout);
    printf("# %zu principal%s in %s\n", access_principals(access),
           access_principals(access) == 1 ? "" : "s", rules);
    print_profiles(keystrapd->options.config_directory, conf, &profiles);
    access_free(access);
    enrol_profiles_done(&profiles);
    return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int main(int argc, char **argv) {
    struct keystrapd keystrapd = {
        .options =
            {
                .config_directory = KEYSTRAP_CONFIG_DIR,
                .plugin_directory = KEYSTRAP_PLUGIN_DIR,
                .state_directory = KEYSTRAP_STATE_DIR,
            },
    };
    int r;

    log_open("keystrapd");
    argp_err_exit_status = EX_USAGE;
    if (argp_parse(&keystrapd_argp, argc, argv, 0, NULL, &keystrapd) != 0)
        return EX_USAGE;
    if (keystrapd.check_config)
        return keystrapd_check_config(&keystrapd);

    r = keystrapd_bring_up(&keystrapd);
    if (r == EX_OK) {
        /* It stays for ever: a line at each change could block the loop while nobody reads the socket. */
        (void)sd_notify(0, "READY=1\nSTATUS=Ready; \"keystrapctl status\" tells of card and key");
        log_message(LOG_INFO, MESSAGE_ID_READY, "keystrapd " KEYSTRAP_VERSION " ready");
        r = sd_event_loop(keystrapd.event);
        (void)sd_notify(0, "STOPPING=1");
        if (r < 0)
            log_error("the event loop failed: %s", strerror(-r));
        r = r < 0 ? EX_OSERR : EX_OK;
    }
    keystrapd_tear_down(&keystrapd);
    return r;
}
