/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each step of keystrapd's bring-up fails once, by a linker-wrapped function.
 *
 * Proved for every step: keystrapd ends with the step's exit code, says to systemd which step it was and why,
 * never says READY=1, takes down what was up, and leaks nothing (LeakSanitizer, and the arena is gone).
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <sys/resource.h>
#include <systemd/sd-event.h>
#include <cmocka.h>

#include "agent.h"
#include "secret.h"
#include "service.h"
#include "util.h"

int keystrapd_main(int argc, char **argv);

/* Which function fails, with what. */
static struct {
    const char *function;
    int r;
    unsigned signal_call; /* which sd_event_add_signal() */
    unsigned signal_calls;
    bool ready;
    bool looped;
    unsigned services, agents_started; /* up now */
    char status[512];
} fault;

static bool fails(const char *function) {
    return fault.function && strcmp(fault.function, function) == 0;
}

int __real_setrlimit(int resource, const struct rlimit *limit);
int __wrap_setrlimit(int resource, const struct rlimit *limit);
int __wrap_setrlimit(int resource, const struct rlimit *limit) {
    if (fails("setrlimit")) {
        errno = -fault.r;
        return -1;
    }
    return __real_setrlimit(resource, limit);
}

int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int __wrap_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    (void)option, (void)a, (void)b, (void)c, (void)d;
    if (fails("prctl")) {
        errno = -fault.r;
        return -1;
    }
    /* Not for real: LeakSanitizer must be able to look at this process. */
    return 0;
}

int __real_secret_arena_init(void);
int __wrap_secret_arena_init(void);
int __wrap_secret_arena_init(void) {
    return fails("secret_arena_init") ? fault.r : __real_secret_arena_init();
}

int __real_secret_self_test(void);
int __wrap_secret_self_test(void);
int __wrap_secret_self_test(void) {
    return fails("secret_self_test") ? fault.r : __real_secret_self_test();
}

int __real_sd_event_default(sd_event **ret);
int __wrap_sd_event_default(sd_event **ret);
int __wrap_sd_event_default(sd_event **ret) {
    return fails("sd_event_default") ? fault.r : __real_sd_event_default(ret);
}

int __real_sd_event_add_signal(sd_event *event, sd_event_source **ret, int number,
                               sd_event_signal_handler_t handler, void *userdata);
int __wrap_sd_event_add_signal(sd_event *event, sd_event_source **ret, int number,
                               sd_event_signal_handler_t handler, void *userdata);
int __wrap_sd_event_add_signal(sd_event *event, sd_event_source **ret, int number,
                               sd_event_signal_handler_t handler, void *userdata) {
    if (fails("sd_event_add_signal") && ++fault.signal_calls == fault.signal_call)
        return fault.r;
    return __real_sd_event_add_signal(event, ret, number, handler, userdata);
}

int __real_sd_event_set_watchdog(sd_event *event, int enable);
int __wrap_sd_event_set_watchdog(sd_event *event, int enable);
int __wrap_sd_event_set_watchdog(sd_event *event, int enable) {
    return fails("sd_event_set_watchdog") ? fault.r : __real_sd_event_set_watchdog(event, enable);
}

int __real_agent_new(sd_event *event, const struct agent_options *options, struct agent **ret,
                     struct failure *failure);
int __wrap_agent_new(sd_event *event, const struct agent_options *options, struct agent **ret,
                     struct failure *failure);
int __wrap_agent_new(sd_event *event, const struct agent_options *options, struct agent **ret,
                     struct failure *failure) {
    if (fails("agent_new"))
        return failure_set(failure, fault.r, "/etc/keystrap/keystrap.conf:1: wrong");
    return __real_agent_new(event, options, ret, failure);
}

/* The bus is not what is tested here. */
int __wrap_service_new(sd_event *event, struct agent *agent, struct service **ret,
                       struct failure *failure);
int __wrap_service_new(sd_event *event, struct agent *agent, struct service **ret,
                       struct failure *failure) {
    (void)event;
    (void)agent;
    if (fails("service_new"))
        return failure_set(failure, fault.r, "no bus");
    fault.services++;
    *ret = (struct service *)&fault;
    return 0;
}

struct service *__wrap_service_free(struct service *service);
struct service *__wrap_service_free(struct service *service) {
    if (service)
        fault.services--;
    return NULL;
}

int __wrap_agent_start(struct agent *agent, struct failure *failure);
int __wrap_agent_start(struct agent *agent, struct failure *failure) {
    (void)agent;
    (void)failure;
    return fails("agent_start") ? fault.r : 0;
}

int __wrap_sd_event_loop(sd_event *event);
int __wrap_sd_event_loop(sd_event *event) {
    (void)event;
    fault.looped = true;
    return fails("sd_event_loop") ? fault.r : 0;
}

int __wrap_sd_notify(int unset_environment, const char *state);
int __wrap_sd_notify(int unset_environment, const char *state) {
    (void)unset_environment;
    if (strstr(state, "READY=1"))
        fault.ready = true;
    return 0;
}

int __wrap_sd_notifyf(int unset_environment, const char *format, ...) _printf_(2, 3);
int __wrap_sd_notifyf(int unset_environment, const char *format, ...) {
    va_list arguments;

    (void)unset_environment;
    va_start(arguments, format);
    (void)vsnprintf(fault.status, sizeof(fault.status), format, arguments);
    va_end(arguments);
    return 0;
}

static int run(void) {
    char name[] = "keystrapd", option[] = "--config-dir=/nonexistent";
    char *argv[] = {name, option, NULL};

    return keystrapd_main(2, argv);
}

static void check(const char *function, int r, int exit_code, const char *step) {
    memset(&fault, 0, sizeof(fault));
    fault.function = function;
    fault.r = r;
    fault.signal_call = 1;
    assert_int_equal(run(), exit_code);
    assert_false(fault.ready);
    assert_false(fault.looped);
    assert_non_null(strstr(fault.status, step));
    assert_non_null(strstr(fault.status, "STATUS=Cannot start"));
    assert_int_equal(fault.services, 0);
    assert_int_equal(secret_arena_used(), 0);
}

static void a_process_that_may_dump_core_does_not_start(void **state) {
    (void)state;
    check("setrlimit", -EPERM, EX_OSERR, "(process)");
    check("prctl", -EINVAL, EX_OSERR, "(process)");
}

static void without_locked_memory_it_does_not_start(void **state) {
    (void)state;
    check("secret_arena_init", -ENOMEM, EX_OSERR, "(memory for keys)");
    assert_non_null(strstr(fault.status, "LimitMEMLOCK="));
}

static void a_wipe_that_does_not_wipe_is_the_end(void **state) {
    (void)state;
    check("secret_self_test", -EIO, EX_SOFTWARE, "(self-test)");
}

static void without_an_event_loop_it_does_not_start(void **state) {
    (void)state;
    check("sd_event_default", -EMFILE, EX_OSERR, "(event loop)");
    check("sd_event_set_watchdog", -EMFILE, EX_OSERR, "(event loop)");
}

static void without_any_of_its_signals_it_does_not_start(void **state) {
    (void)state;
    for (unsigned i = 1; i <= 3; i++) {
        memset(&fault, 0, sizeof(fault));
        fault.function = "sd_event_add_signal";
        fault.r = -EBUSY;
        fault.signal_call = i;
        assert_int_equal(run(), EX_OSERR);
        assert_int_equal(fault.signal_calls, i);
        assert_false(fault.ready);
    }
}

static void a_wrong_configuration_is_exit_78_and_named(void **state) {
    (void)state;
    check("agent_new", -EINVAL, EX_CONFIG, "(configuration)");
    assert_non_null(strstr(fault.status, "keystrap.conf:1"));
}

static void without_a_bus_it_does_not_start(void **state) {
    (void)state;
    check("service_new", -ENOENT, EX_UNAVAILABLE, "(bus)");
}

static void without_a_worker_it_does_not_start_and_leaves_the_bus(void **state) {
    (void)state;
    check("agent_start", -EAGAIN, EX_OSERR, "(card worker)");
}

static void with_every_step_done_it_is_ready_and_goes_down_clean(void **state) {
    (void)state;
    memset(&fault, 0, sizeof(fault));
    assert_int_equal(run(), EX_OK);
    assert_true(fault.ready);
    assert_true(fault.looped);
    assert_int_equal(fault.services, 0);
}

static void a_loop_that_fails_is_an_error_after_ready(void **state) {
    (void)state;
    memset(&fault, 0, sizeof(fault));
    fault.function = "sd_event_loop";
    fault.r = -EIO;
    assert_int_equal(run(), EX_OSERR);
    assert_true(fault.ready);
    assert_int_equal(fault.services, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_that_may_dump_core_does_not_start),
        cmocka_unit_test(without_locked_memory_it_does_not_start),
        cmocka_unit_test(a_wipe_that_does_not_wipe_is_the_end),
        cmocka_unit_test(without_an_event_loop_it_does_not_start),
        cmocka_unit_test(without_any_of_its_signals_it_does_not_start),
        cmocka_unit_test(a_wrong_configuration_is_exit_78_and_named),
        cmocka_unit_test(without_a_bus_it_does_not_start),
        cmocka_unit_test(without_a_worker_it_does_not_start_and_leaves_the_bus),
        cmocka_unit_test(with_every_step_done_it_is_ready_and_goes_down_clean),
        cmocka_unit_test(a_loop_that_fails_is_an_error_after_ready),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
