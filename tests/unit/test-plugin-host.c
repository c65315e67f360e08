/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrapd's side of a transport, against real programs that behave and that do not. The programs are this
 * test itself, under the names that links in a directory of its own give it: uicc-good, uicc-silent, ...
 */

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "plugin-fake.h"
#include "plugin-host.h"
#include "util.h"

/* --- The world of a test ----------------------------------------------------------------------- */

struct world {
    char directory[64];
    char link[128];
    struct plugin *plugin;
    struct transport *transport;
    struct failure failure;
};

static int setup(void **state) {
    struct world *world = calloc(1, sizeof(*world));
    const char *parent = getenv("TMPDIR");

    (void)snprintf(world->directory, sizeof(world->directory), "%s/keystrap-plugin-XXXXXX",
                   parent ? parent : "/tmp");
    *state = world;
    return mkdtemp(world->directory) ? secret_arena_init() : -1;
}

static int teardown(void **state) {
    struct world *world = *state;
    size_t left;

    plugin_free(world->plugin);
    (void)unlink(world->link);
    (void)rmdir(world->directory);
    free(world);
    left = secret_arena_used();
    secret_arena_done();
    return left == 0 ? 0 : -1;
}

/* A plugin for the program @name, not started. */
static void make(struct world *world, const char *name, uint64_t timeout_usec) {
    char self[PATH_MAX] = "";
    struct plugin_options options = {
        .directory = world->directory,
        .name = name,
        .reader_pattern = "*Virtual*",
        .apdu_timeout_usec = timeout_usec,
    };

    if (strcmp(name, "options") == 0) {
        options.device = "/dev/cdc-wdm7";
        options.slot = 2;
        options.flags = KEYSTRAP_FLAG_DIRECT | KEYSTRAP_FLAG_AKA;
    }

    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    (void)snprintf(world->link, sizeof(world->link), "%s/uicc-%s", world->directory, name);
    assert_int_equal(symlink(self, world->link), 0);
    assert_int_equal(plugin_new(&options, &world->plugin), 0);
    world->transport = plugin_transport(world->plugin);
}

static void start(struct world *world, const char *name) {
    make(world, name, 20 * USEC_PER_SEC);
    assert_int_equal(plugin_start(world->plugin, &world->failure), 0);
    assert_true(plugin_running(world->plugin));
}

static int begin(struct world *world) {
    return world->transport->ops->begin(world->transport, &world->failure);
}

static int transmit(struct world *world, uint8_t *ret, size_t size, size_t *ret_length) {
    return world->transport->ops->transmit(world->transport, (const uint8_t *)"\x00\xa4\x00\x04", 4,
                                           ret, size, ret_length, &world->failure);
}

/* Wait until the program has said something, and take it in. */
static int dispatch(struct world *world) {
    struct pollfd fds = {.fd = plugin_fd(world->plugin), .events = POLLIN};

    assert_int_equal(poll(&fds, 1, 20000), 1);
    return plugin_dispatch(world->plugin, &world->failure);
}

/* An APDU to a program that misbehaves; nothing of the answer may come out. */
static void expect_failure(struct world *world, const char *name, int outcome, const char *words) {
    uint8_t response[APDU_RESPONSE_MAX] = {0xee};
    size_t length = 77;

    start(world, name);
    assert_int_equal(begin(world), 0);
    assert_int_equal(transmit(world, response, sizeof(response), &length), outcome);
    assert_int_equal(world->failure.code, outcome);
    if (!strstr(world->failure.text, words) || !strstr(world->failure.text, name))
        fail_msg("the failure says: %s", world->failure.text);
    assert_int_equal(length, 77);
    assert_int_equal(response[0], 0xee);
    assert_false(plugin_running(world->plugin));
    assert_int_equal(plugin_fd(world->plugin), -1);
    assert_int_equal(plugin_pidfd(world->plugin), -1);
    assert_int_equal(plugin_state(world->plugin)->card, KEYSTRAP_CARD_SERVICE_ABSENT);
}

/* --- Programs that behave ---------------------------------------------------------------------- */

static void test_an_exchange_goes_through_a_program(void **state) {
    struct world *world = *state;
    uint8_t response[APDU_RESPONSE_MAX];
    size_t length = 0;

    start(world, "good");
    assert_int_equal(plugin_start(world->plugin, &world->failure), 0); /* it runs already */
    assert_int_equal(begin(world), 0);
    assert_int_equal(transmit(world, response, sizeof(response), &length), 0);
    assert_int_equal(length, 6);
    assert_memory_equal(response, "\x00\xa4\x00\x04\x90\x00", 6);
    world->transport->ops->end(world->transport);
    assert_true(plugin_running(world->plugin));
    assert_int_equal(world->failure.code, 0);
}

static void test_options_reach_the_program_and_states_come_back(void **state) {
    struct world *world = *state;
    const struct plugin_state *seen;

    make(world, "good", USEC_PER_SEC);
    seen = plugin_state(world->plugin);
    assert_int_equal(seen->card, KEYSTRAP_CARD_SERVICE_ABSENT);
    assert_int_equal(seen->generation, 0);
    assert_int_equal(plugin_start(world->plugin, &world->failure), 0);
    seen = plugin_state(world->plugin);
    assert_int_equal(seen->card, KEYSTRAP_CARD_PRESENT);
    assert_string_equal(seen->reader, "*Virtual*"); /* the program repeats what it was told */
    assert_string_equal(seen->text, "");
    assert_int_equal(seen->atr_length, 2);
    assert_memory_equal(seen->atr, "\x3b\x9f", 2);
    assert_int_equal(seen->generation, 1);

    /* Nothing there: returns at once. */
    assert_int_equal(plugin_dispatch(world->plugin, &world->failure), 0);
}

static void test_a_state_in_the_middle_of_a_request_is_not_lost(void **state) {
    struct world *world = *state;
    uint8_t response[APDU_RESPONSE_MAX];
    uint64_t before;
    size_t length;

    start(world, "restless");
    before = plugin_state(world->plugin)->generation;
    assert_int_equal(transmit(world, response, sizeof(response), &length), 0);
    assert_int_equal(plugin_state(world->plugin)->card, KEYSTRAP_CARD_ABSENT);
    assert_true(plugin_state(world->plugin)->generation > before);
}

static void test_nothing_of_an_exchange_stays_in_memory(void **state) {
    struct world *world = *state;
    uint8_t response[APDU_RESPONSE_MAX];
    size_t length;
    struct secret *rest;

    start(world, "good");
    assert_int_equal(transmit(world, response, sizeof(response), &length), 0);

    /* The plugin's packet is the first secret of the arena; a new one is put right behind it. */
    assert_int_equal(secret_new(16, &rest), 0);
    for (const uint8_t *p = secret_data(rest) - KEYSTRAP_PLUGIN_HEADER_LENGTH - PLUGIN_PAYLOAD_MAX;
         p < secret_data(rest) - 32; p++)
        assert_int_equal(*p, 0);
    secret_free(rest);
}

static void test_channels_of_the_transport_are_used_where_it_has_them(void **state) {
    struct world *world = *state;
    uint8_t response[APDU_RESPONSE_MAX], channel = 0;
    size_t length;

    start(world, "channels");
    assert_int_equal(world->transport->flags, TRANSPORT_CHANNELS);
    assert_int_equal(world->transport->ops->open_channel(world->transport, (const uint8_t *)"\xa0",
                                                         1, &channel, response, sizeof(response),
                                                         &length, &world->failure),
                     0);
    assert_int_equal(channel, 2);
    assert_int_equal(length, 2);

    /* The channel of the class octet goes along: 2 in the old coding, 4 + 3 in the further one. */
    assert_int_equal(
        world->transport->ops->transmit(world->transport, (const uint8_t *)"\x02\xa4\x00\x04", 4,
                                        response, sizeof(response), &length, &world->failure),
        0);
    assert_int_equal(response[4], 2);
    assert_int_equal(
        world->transport->ops->transmit(world->transport, (const uint8_t *)"\x43\xa4\x00\x04", 4,
                                        response, sizeof(response), &length, &world->failure),
        0);
    assert_int_equal(response[4], 7);
    world->transport->ops->close_channel(world->transport, channel);
    assert_true(plugin_running(world->plugin));
}

static void test_a_transport_that_has_no_channel_left_says_so(void **state) {
    struct world *world = *state;
    uint8_t response[APDU_RESPONSE_MAX], channel = 77;
    size_t length;

    start(world, "no-channels");
    assert_int_equal(world->transport->ops->open_channel(world->transport, (const uint8_t *)"\xa0",
                                                         1, &channel, response, sizeof(response),
                                                         &length, &world->failure),
                     UICC_E_NO_CHANNEL);
    assert_int_equal(channel, 77);
    assert_int_equal(world->failure.code, UICC_E_NO_CHANNEL);
    assert_true(plugin_running(world->plugin));
}

/* A killed program cannot give its channel back: its successor is asked to, once, and told whose it was. */
static void test_a_channel_that_a_killed_program_left_is_closed_by_the_next(void **state) {
    static const uint8_t aid[] = {0xa0, 0x00, 0x00, 0x00, 0x87};
    struct world *world = *state;
    uint8_t response[APDU_RESPONSE_MAX], channel = 0;
    uint64_t generation;
    size_t length;

    start(world, "leaves");
    assert_int_equal(begin(world), 0);
    assert_int_equal(world->transport->ops->open_channel(world->transport, aid, sizeof(aid),
                                                         &channel, response, sizeof(response),
                                                         &length, &world->failure),
                     0);
    assert_int_equal(pidfd_send_signal(plugin_pidfd(world->plugin), SIGKILL, NULL, 0), 0);
    assert_int_equal(transmit(world, response, sizeof(response), &length), UICC_E_TRANSPORT);
    failure_clear(&world->failure);

    assert_int_equal(plugin_start(world->plugin, &world->failure), 0);
    assert_int_equal(begin(world), 0);
    assert_string_equal(plugin_state(world->plugin)->reader, "closed 2, AID of 5");
    generation = plugin_state(world->plugin)->generation;
    assert_int_equal(begin(world), 0);
    assert_int_equal(plugin_state(world->plugin)->generation, generation);

    /* One that was given back is nobody's business any more. */
    assert_int_equal(world->transport->ops->open_channel(world->transport, aid, sizeof(aid),
                                                         &channel, response, sizeof(response),
                                                         &length, &world->failure),
                     0);
    world->transport->ops->close_channel(world->transport, channel);
    assert_string_equal(plugin_state(world->plugin)->reader, "closed 2, AID of 0");
    assert_int_equal(pidfd_send_signal(plugin_pidfd(world->plugin), SIGKILL, NULL, 0), 0);
    assert_int_equal(transmit(world, response, sizeof(response), &length), UICC_E_TRANSPORT);
    failure_clear(&world->failure);
    assert_int_equal(plugin_start(world->plugin, &world->failure), 0);
    assert_int_equal(begin(world), 0);
    assert_string_equal(plugin_state(world->plugin)->reader, "inherits seven");
}

/* One that ended by itself gave everything back: what it held may be somebody else's by now. */
static void test_only_a_killed_program_leaves_something_to_the_next(void **state) {
    struct world *world = *state;
    uint8_t response[APDU_RESPONSE_MAX];
    size_t length;

    start(world, "exit");
    assert_int_equal(transmit(world, response, sizeof(response), &length), UICC_E_TRANSPORT);
    failure_clear(&world->failure);
    assert_int_equal(plugin_start(world->plugin, &world->failure), 0);
    assert_string_equal(plugin_state(world->plugin)->reader, "*Virtual*");
    assert_int_equal(pidfd_send_signal(plugin_pidfd(world->plugin), SIGKILL, NULL, 0), 0);
    assert_int_equal(begin(world), UICC_E_TRANSPORT);
    failure_clear(&world->failure);
    assert_int_equal(plugin_start(world->plugin, &world->failure), 0);
    assert_string_equal(plugin_state(world->plugin)->reader, "inherits seven");
}

static void test_options_of_a_modem_reach_the_program(void **state) {
    struct world *world = *state;

    start(world, "options");
    assert_string_equal(plugin_state(world->plugin)->reader,
                        "/dev/cdc-wdm7, slot 2, flags 3, 20000 ms");
}

static void test_a_modem_that_runs_aka_itself_is_asked_for_it(void **state) {
    static const uint8_t data[] = {0x10, 1, 2, 3};
    struct world *world = *state;
    struct transport_identity identity;
    uint8_t response[APDU_RESPONSE_MAX];
    size_t length;

    start(world, "aka");
    assert_int_equal(world->transport->flags, TRANSPORT_AKA);
    assert_int_equal(world->transport->ops->identity(world->transport, &identity, &world->failure),
                     0);
    assert_string_equal(identity.iccid, "89440000000000000014");
    assert_string_equal(identity.imsi, "001010000000001");
    assert_string_equal(identity.impi, "user@example.net");
    assert_int_equal(identity.ef_ad_length, 4);
    assert_int_equal(identity.services_length, SERVICE_TABLE_MAX);
    assert_int_equal(identity.aid_length, 16);

    assert_int_equal(world->transport->ops->authenticate(
                         world->transport, (const uint8_t *)"\xa0\x87", 2, 0x84, data, sizeof(data),
                         response, sizeof(response), &length, &world->failure),
                     0);
    assert_int_equal(length, 9);
    assert_memory_equal(response, "\x84\xa0\x87\x10\x01\x02\x03\x90\x00", 9);
}

static void test_a_modem_may_tell_nothing_of_its_card(void **state) {
    struct transport_identity identity;
    struct world *world = *state;

    memset(&identity, 0xee, sizeof(identity));
    start(world, "aka-empty");
    assert_int_equal(world->transport->ops->identity(world->transport, &identity, &world->failure),
                     0);
    assert_string_equal(identity.iccid, "");
    assert_string_equal(identity.imsi, "");
    assert_string_equal(identity.impi, "");
    assert_int_equal(identity.ef_ad_length + identity.services_length + identity.aid_length, 0);
}

static void test_identities_that_no_card_has_end_the_program(void **state) {
    static const char *const names[] = {"aka-letters", "aka-long", "aka-table", "aka-aid"};
    struct transport_identity identity = {.imsi = "untouched"};
    struct world *world = *state;

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        start(world, names[i]);
        assert_int_equal(
            world->transport->ops->identity(world->transport, &identity, &world->failure),
            UICC_E_TRANSPORT);
        assert_non_null(strstr(world->failure.text, "identity"));
        assert_string_equal(identity.imsi, "untouched");
        assert_false(plugin_running(world->plugin));
        failure_clear(&world->failure);
        world->plugin = plugin_free(world->plugin);
        (void)unlink(world->link);
    }
}

static void test_the_next_card_is_the_one_in_use_when_next_returns(void **state) {
    struct world *world = *state;

    start(world, "several");
    assert_int_equal(world->transport->flags, TRANSPORT_SEVERAL);
    assert_int_equal(world->transport->ops->next(world->transport, &world->failure), 0);
    assert_string_equal(plugin_state(world->plugin)->reader, "the other reader");
}

static void test_commands_out_of_bounds_never_leave(void **state) {
    struct world *world = *state;
    uint8_t command[APDU_COMMAND_MAX + 1] = {0}, response[APDU_RESPONSE_MAX];
    size_t length;

    start(world, "good");
    assert_int_equal(world->transport->ops->transmit(world->transport, command, 3, response,
                                                     sizeof(response), &length, NULL),
                     -EINVAL);
    assert_int_equal(world->transport->ops->transmit(world->transport, command, sizeof(command),
                                                     response, sizeof(response), &length, NULL),
                     -EINVAL);
    assert_int_equal(transmit(world, response, sizeof(response), &length), 0);
}

static void test_each_result_is_an_outcome(void **state) {
    static const struct {
        const char *name;
        int outcome;
    } table[] = {
        {"result-1", UICC_E_CARD_ABSENT},
        {"result-2", UICC_E_RESET},
        {"result-3", UICC_E_BUSY},
        {"result-4", UICC_E_DENIED},
        {"result-5", UICC_E_TRANSPORT},
        {"result-6", UICC_E_SILENT},
        {"result-7", UICC_E_TRANSPORT},
        {"result-8", UICC_E_TRANSPORT},
        {"result-9", UICC_E_SERVICE_ABSENT},
        {"result-10", UICC_E_NO_CHANNEL},
        {"result-11", UICC_E_NO_APPLICATION},
    };
    struct world *world = *state;

    for (size_t i = 0; i < ELEMENTS(table); i++) {
        start(world, table[i].name);
        assert_int_equal(begin(world), table[i].outcome);
        assert_int_equal(world->failure.code, table[i].outcome);

        /* A card that says no is no reason to end the program. */
        assert_true(plugin_running(world->plugin));
        if (strcmp(table[i].name, "result-8") == 0)
            assert_non_null(strstr(world->failure.text, "the modem is on fire"));
        failure_clear(&world->failure);
        world->plugin = plugin_free(world->plugin);
        (void)unlink(world->link);
    }
}

/* --- Programs that do not ---------------------------------------------------------------------- */

static void test_a_silent_program_is_killed_at_the_deadline_and_starts_again(void **state) {
    struct world *world = *state;
    uint8_t response[APDU_RESPONSE_MAX];
    uint64_t start_usec, generation;
    size_t length;

    make(world, "silent", 200 * USEC_PER_MSEC);
    assert_int_equal(plugin_start(world->plugin, &world->failure), 0);
    generation = plugin_state(world->plugin)->generation;
    start_usec = now_usec();
    assert_int_equal(transmit(world, response, sizeof(response), &length), UICC_E_SILENT);
    assert_true(now_usec() - start_usec >= 200 * USEC_PER_MSEC);
    assert_true(now_usec() - start_usec < 10 * USEC_PER_SEC);
    assert_non_null(strstr(world->failure.text, "200 ms"));
    assert_false(plugin_running(world->plugin));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie */
    assert_true(plugin_state(world->plugin)->generation > generation);

    /* Nothing works before it is started again, and everything after. */
    failure_clear(&world->failure);
    assert_int_equal(begin(world), UICC_E_TRANSPORT);
    assert_int_equal(transmit(world, response, sizeof(response), &length), UICC_E_TRANSPORT);
    world->transport->ops->end(world->transport);
    world->transport->ops->close_channel(world->transport, 1);
    assert_int_equal(plugin_dispatch(world->plugin, &world->failure), 0);
    assert_int_equal(plugin_start(world->plugin, &world->failure), 0);
    assert_int_equal(begin(world), 0);
}

static void test_a_crash_is_told_with_its_signal(void **state) {
    expect_failure(*state, "crash", UICC_E_TRANSPORT, "signal 9");
}

static void test_an_exit_is_told_with_its_code(void **state) {
    expect_failure(*state, "exit", UICC_E_TRANSPORT, "exit code 42");
}

static void test_garbage_ends_the_program(void **state) {
    expect_failure(*state, "garbage", UICC_E_TRANSPORT, "malformed");
}

static void test_a_flood_of_states_ends_the_program(void **state) {
    expect_failure(*state, "flood", UICC_E_TRANSPORT, "STATE");
}

static void test_an_answer_to_another_request_ends_the_program(void **state) {
    expect_failure(*state, "serial", UICC_E_TRANSPORT, "another request");
}

static void test_a_response_that_is_too_long_ends_the_program(void **state) {
    expect_failure(*state, "long", UICC_E_TRANSPORT, "too long");
}

static void test_a_response_without_status_word_ends_the_program(void **state) {
    expect_failure(*state, "short", UICC_E_TRANSPORT, "without a response");
}

static void test_an_answer_without_response_ends_the_program(void **state) {
    expect_failure(*state, "empty", UICC_E_TRANSPORT, "without a response");
}

static void test_an_unknown_result_ends_the_program(void **state) {
    expect_failure(*state, "unknown-result", UICC_E_TRANSPORT, "unknown result");
}

static void test_an_impossible_state_ends_the_program(void **state) {
    expect_failure(*state, "state-nonsense", UICC_E_TRANSPORT, "STATE");
}

static void test_an_answer_that_nobody_asked_for_ends_the_program(void **state) {
    struct world *world = *state;
    int r;

    start(world, "uncalled");
    while ((r = dispatch(world)) == 0)
        ;
    assert_int_equal(r, UICC_E_TRANSPORT);
    assert_non_null(strstr(world->failure.text, "nobody waits"));
    assert_false(plugin_running(world->plugin));
}

static void test_a_program_that_dies_while_idle_is_noticed(void **state) {
    struct world *world = *state;
    int r;

    start(world, "good");
    assert_int_equal(pidfd_send_signal(plugin_pidfd(world->plugin), SIGKILL, NULL, 0), 0);
    while ((r = dispatch(world)) == 0)
        ;
    assert_int_equal(r, UICC_E_TRANSPORT);
    assert_false(plugin_running(world->plugin));
}

static void test_a_program_that_ends_is_noticed_although_its_child_holds_the_socket(void **state) {
    struct world *world = *state;
    struct pollfd fds;

    start(world, "parent");
    fds = (struct pollfd){.fd = plugin_pidfd(world->plugin), .events = POLLIN};
    assert_int_equal(poll(&fds, 1, 20000), 1);
    assert_int_equal(plugin_dispatch(world->plugin, &world->failure), UICC_E_TRANSPORT);
    assert_non_null(strstr(world->failure.text, "exit code 7"));
    assert_false(plugin_running(world->plugin));
    /* Nothing is left that would be readable for ever. */
    assert_int_equal(plugin_fd(world->plugin), -1);
    assert_int_equal(plugin_pidfd(world->plugin), -1);
}

/* --- Programs that do not start ---------------------------------------------------------------- */

static void expect_no_start(struct world *world, const char *name, const char *words) {
    make(world, name, USEC_PER_SEC);
    assert_int_equal(plugin_start(world->plugin, &world->failure), UICC_E_TRANSPORT);
    if (!strstr(world->failure.text, words) || !strstr(world->failure.text, name))
        fail_msg("the failure says: %s", world->failure.text);
    assert_false(plugin_running(world->plugin));
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_another_version_is_refused_by_number(void **state) {
    expect_no_start(*state, "version", "version 2");
}

static void test_a_hello_without_capabilities_is_refused(void **state) {
    expect_no_start(*state, "incapable", "HELLO");
}

static void test_a_token_that_is_too_long_is_refused(void **state) {
    expect_no_start(*state, "token-long", "token");
}

static void test_a_program_that_can_do_nothing_is_refused(void **state) {
    expect_no_start(*state, "useless", "neither");
}

static void test_a_program_that_ends_before_hello_is_told_with_its_code(void **state) {
    expect_no_start(*state, "stillborn", "exit code 9");
}

static void test_a_program_without_hello_is_ended(void **state) {
    expect_no_start(*state, "mute", "did not say HELLO");
}

static void test_a_missing_program_is_named(void **state) {
    struct world *world = *state;

    make(world, "good", USEC_PER_SEC);
    assert_int_equal(unlink(world->link), 0);
    assert_int_equal(plugin_start(world->plugin, &world->failure), UICC_E_TRANSPORT);
    assert_non_null(strstr(world->failure.text, world->link));
}

static void test_names_that_are_paths_are_refused(void **state) {
    static const char *const names[] = {"",    "../x", "a/b",  "A",
                                        "a b", ".",    "x.so", "abcdefghijklmnopqrstuvwxyz0123456"};
    struct world *world = *state;

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        struct plugin_options options = {.directory = world->directory, .name = names[i]};

        assert_int_equal(plugin_new(&options, &world->plugin), -EINVAL);
        assert_null(world->plugin);
    }
}

#define world_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        world_test(test_an_exchange_goes_through_a_program),
        world_test(test_options_reach_the_program_and_states_come_back),
        world_test(test_a_state_in_the_middle_of_a_request_is_not_lost),
        world_test(test_nothing_of_an_exchange_stays_in_memory),
        world_test(test_channels_of_the_transport_are_used_where_it_has_them),
        world_test(test_a_transport_that_has_no_channel_left_says_so),
        world_test(test_a_channel_that_a_killed_program_left_is_closed_by_the_next),
        world_test(test_only_a_killed_program_leaves_something_to_the_next),
        world_test(test_a_token_that_is_too_long_is_refused),
        world_test(test_options_of_a_modem_reach_the_program),
        world_test(test_a_modem_that_runs_aka_itself_is_asked_for_it),
        world_test(test_a_modem_may_tell_nothing_of_its_card),
        world_test(test_identities_that_no_card_has_end_the_program),
        world_test(test_the_next_card_is_the_one_in_use_when_next_returns),
        world_test(test_commands_out_of_bounds_never_leave),
        world_test(test_each_result_is_an_outcome),
        world_test(test_a_silent_program_is_killed_at_the_deadline_and_starts_again),
        world_test(test_a_crash_is_told_with_its_signal),
        world_test(test_an_exit_is_told_with_its_code),
        world_test(test_garbage_ends_the_program),
        world_test(test_a_flood_of_states_ends_the_program),
        world_test(test_an_answer_to_another_request_ends_the_program),
        world_test(test_a_response_that_is_too_long_ends_the_program),
        world_test(test_a_response_without_status_word_ends_the_program),
        world_test(test_an_answer_without_response_ends_the_program),
        world_test(test_an_unknown_result_ends_the_program),
        world_test(test_an_impossible_state_ends_the_program),
        world_test(test_an_answer_that_nobody_asked_for_ends_the_program),
        world_test(test_a_program_that_dies_while_idle_is_noticed),
        world_test(test_a_program_that_ends_is_noticed_although_its_child_holds_the_socket),
        world_test(test_another_version_is_refused_by_number),
        world_test(test_a_hello_without_capabilities_is_refused),
        world_test(test_a_program_that_can_do_nothing_is_refused),
        world_test(test_a_program_that_ends_before_hello_is_told_with_its_code),
        world_test(test_a_program_without_hello_is_ended),
        world_test(test_a_missing_program_is_named),
        world_test(test_names_that_are_paths_are_refused),
    };

    if (argc == 1 && strncmp(argv[0], "uicc-", 5) == 0)
        be_program(argv[0] + 5);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
