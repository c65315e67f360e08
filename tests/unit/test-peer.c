/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The peer table holds PEERS_MAX and forgets only who is idle; credentials are read as the D-Bus specification gives
 * them, and refused where they are anything else.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "credentials.h"
#include "outcome.h"
#include "peer.h"
#include "private-bus.h"
#include "util.h"

static struct private_bus private_bus;

static struct peer_table *table_new(void) {
    struct peer_table *table = calloc(1, sizeof(*table));

    assert_non_null(table);
    return table;
}

static void table_free(struct peer_table *table) {
    while (table->newest) {
        table->newest->calls_count = 0;
        peer_remove(table, table->newest);
    }
    assert_int_equal(table->count, 0);
    assert_null(table->oldest);
    for (size_t i = 0; i < PEER_BUCKETS; i++)
        assert_null(table->buckets[i]);
    free(table);
}

static struct peer *add(struct peer_table *table, unsigned number) {
    struct peer *peer = NULL;
    char name[16];

    (void)snprintf(name, sizeof(name), ":1.%u", number);
    assert_int_equal(peer_add(table, name, &peer), 0);
    return peer;
}

static bool has(struct peer_table *table, unsigned number) {
    char name[16];

    (void)snprintf(name, sizeof(name), ":1.%u", number);
    return peer_find(table, name);
}

static void each_peer_is_found_by_its_name_alone(void **state) {
    struct peer_table *table = table_new();

    (void)state;
    for (unsigned i = 0; i < PEERS_MAX; i++)
        (void)add(table, i);
    for (unsigned i = 0; i < PEERS_MAX; i++) {
        char name[16];

        (void)snprintf(name, sizeof(name), ":1.%u", i);
        assert_string_equal(peer_find(table, name)->name, name);
    }
    assert_false(has(table, PEERS_MAX));
    table_free(table);
}

static void a_removed_peer_is_gone_and_the_others_stay(void **state) {
    struct peer_table *table = table_new();

    (void)state;
    for (unsigned i = 0; i < 5; i++)
        (void)add(table, i);
    peer_remove(table, peer_find(table, ":1.0"));
    peer_remove(table, peer_find(table, ":1.2"));
    peer_remove(table, peer_find(table, ":1.4"));
    assert_false(has(table, 0) || has(table, 2) || has(table, 4));
    assert_true(has(table, 1) && has(table, 3));
    assert_int_equal(table->count, 2);
    table_free(table);
}

static void a_full_table_forgets_the_idle_peer_used_longest_ago(void **state) {
    struct peer_table *table = table_new();

    (void)state;
    for (unsigned i = 0; i < PEERS_MAX; i++)
        (void)add(table, i);
    assert_true(has(table, 0)); /* used now, so that 1 is the oldest */
    peer_find(table, ":1.1")->calls_count = 1;
    assert_true(has(table, 0));
    (void)peer_find(table, ":1.2");
    (void)add(table, PEERS_MAX);
    assert_int_equal(table->count, PEERS_MAX);
    assert_true(has(table, 0) && has(table, 1) && has(table, 2));
    assert_false(has(table, 3));
    table_free(table);
}

static void a_table_full_of_waiting_peers_refuses_a_new_one(void **state) {
    struct peer_table *table = table_new();
    struct peer *peer = NULL;

    (void)state;
    for (unsigned i = 0; i < PEERS_MAX; i++)
        add(table, i)->calls_count = 1;
    assert_int_equal(peer_add(table, ":1.99999", &peer), ACCESS_E_TOO_MANY);
    assert_null(peer);
    assert_int_equal(table->count, PEERS_MAX);
    table_free(table);
}

static void a_name_beyond_the_limit_is_refused(void **state) {
    struct peer_table *table = table_new();
    char name[BUS_NAME_MAX + 2];
    struct peer *peer = NULL;

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(peer_add(table, name, &peer), -EINVAL);
    name[BUS_NAME_MAX] = '\0';
    assert_int_equal(peer_add(table, name, &peer), 0);
    table_free(table);
}

/* --- Credentials ---------------------------------------------------------------------------------- */

static sd_bus_message *message_new(sd_bus *bus) {
    sd_bus_message *m = NULL;

    assert_return_code(sd_bus_message_new_signal(bus, &m, "/a", "a.b", "C"), 0);
    return m;
}

static int read_sealed(sd_bus_message *m, struct access_caller *caller) {
    assert_return_code(sd_bus_message_seal(m, 1, 0), 0);
    assert_return_code(sd_bus_message_rewind(m, 1), 0);
    return credentials_read(m, caller);
}

static sd_bus *bus_of(void **state) {
    return *state;
}

static void credentials_are_uid_pid_and_all_groups(void **state) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = message_new(bus_of(state));
    struct access_caller caller;

    assert_return_code(sd_bus_message_append(m, "a{sv}", 4, "LinuxSecurityLabel", "ay", 2, 1, 2,
                                             "UnixGroupIDs", "au", 3, 5, 20, 1000, "UnixUserID",
                                             "u", 1000, "ProcessID", "u", 4711),
                       0);
    assert_int_equal(read_sealed(m, &caller), 0);
    assert_int_equal(caller.uid, 1000);
    assert_int_equal(caller.pid, 4711);
    assert_int_equal(caller.groups_count, 3);
    assert_int_equal(caller.groups[0], 5);
    assert_int_equal(caller.groups[2], 1000);
}

static void without_groups_from_the_bus_a_caller_has_none(void **state) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = message_new(bus_of(state));
    struct access_caller caller;

    assert_return_code(sd_bus_message_append(m, "a{sv}", 1, "UnixUserID", "u", 0), 0);
    assert_int_equal(read_sealed(m, &caller), 0);
    assert_int_equal(caller.uid, 0);
    assert_int_equal(caller.groups_count, 0);
}

static void groups_beyond_the_limit_are_left_out(void **state) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = message_new(bus_of(state));
    uint32_t groups[ACCESS_GROUPS_MAX + 20];
    struct access_caller caller;

    for (uint32_t i = 0; i < ELEMENTS(groups); i++)
        groups[i] = i + 1;
    assert_return_code(sd_bus_message_open_container(m, 'a', "{sv}"), 0);
    assert_return_code(sd_bus_message_append(m, "{sv}", "UnixUserID", "u", 7), 0);
    assert_return_code(sd_bus_message_open_container(m, 'e', "sv"), 0);
    assert_return_code(sd_bus_message_append(m, "s", "UnixGroupIDs"), 0);
    assert_return_code(sd_bus_message_open_container(m, 'v', "au"), 0);
    assert_return_code(sd_bus_message_append_array(m, 'u', groups, sizeof(groups)), 0);
    for (unsigned i = 0; i < 3; i++)
        assert_return_code(sd_bus_message_close_container(m), 0);
    assert_int_equal(read_sealed(m, &caller), 0);
    assert_int_equal(caller.groups_count, ACCESS_GROUPS_MAX);
    assert_int_equal(caller.groups[ACCESS_GROUPS_MAX - 1], ACCESS_GROUPS_MAX);
}

static void a_caller_without_uid_is_nobody(void **state) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = message_new(bus_of(state));
    struct access_caller caller = {.uid = 42};

    assert_return_code(sd_bus_message_append(m, "a{sv}", 1, "ProcessID", "u", 1), 0);
    assert_int_equal(read_sealed(m, &caller), -ENODATA);
    assert_int_equal(caller.uid, 42);
}

static void the_uid_that_means_none_is_nobody(void **state) {
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = message_new(bus_of(state));
    struct access_caller caller;

    assert_return_code(sd_bus_message_append(m, "a{sv}", 1, "UnixUserID", "u", UINT32_MAX), 0);
    assert_int_equal(read_sealed(m, &caller), -ENODATA);
}

static void credentials_of_wrong_types_are_refused(void **state) {
    struct access_caller caller;
    static const char *const keys[] = {"UnixUserID", "ProcessID", "UnixGroupIDs"};

    for (size_t i = 0; i < ELEMENTS(keys); i++) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = message_new(bus_of(state));

        assert_return_code(sd_bus_message_append(m, "a{sv}", 1, keys[i], "s", "0"), 0);
        assert_int_equal(read_sealed(m, &caller), -EBADMSG);
    }
    for (size_t i = 0; i < 2; i++) {
        _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = message_new(bus_of(state));

        assert_return_code(i ? sd_bus_message_append(m, "s", "root")
                             : sd_bus_message_append(m, "a{su}", 1, "UnixUserID", 0),
                           0);
        assert_int_equal(read_sealed(m, &caller), -EBADMSG);
    }
}

static void the_real_bus_daemon_says_who_we_are(void **state) {
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
    _cleanup_answer_ struct answer answer = {0};
    struct access_caller caller;
    const char *name;

    assert_return_code(sd_event_new(&event), 0);
    assert_return_code(sd_bus_attach_event(bus_of(state), event, 0), 0);
    assert_return_code(sd_bus_get_unique_name(bus_of(state), &name), 0);
    assert_return_code(credentials_ask(bus_of(state), name, answer_got, &answer, &slot), 0);
    answer_wait(event, &answer);
    assert_int_equal(credentials_read(answer.message, &caller), 0);
    assert_int_equal(caller.uid, getuid());
    assert_int_equal(caller.pid, getpid());
    assert_true(caller.groups_count >= 1);
    assert_return_code(sd_bus_detach_event(bus_of(state)), 0);
}

static int start_bus(void **state) {
    sd_bus *bus = NULL;

    private_bus_start(&private_bus);
    assert_return_code(sd_bus_open_system(&bus), 0);
    *state = bus;
    return 0;
}

static int stop_bus(void **state) {
    sd_bus_flush_close_unref(*state);
    private_bus_stop(&private_bus);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_peer_is_found_by_its_name_alone),
        cmocka_unit_test(a_removed_peer_is_gone_and_the_others_stay),
        cmocka_unit_test(a_full_table_forgets_the_idle_peer_used_longest_ago),
        cmocka_unit_test(a_table_full_of_waiting_peers_refuses_a_new_one),
        cmocka_unit_test(a_name_beyond_the_limit_is_refused),
        cmocka_unit_test(credentials_are_uid_pid_and_all_groups),
        cmocka_unit_test(without_groups_from_the_bus_a_caller_has_none),
        cmocka_unit_test(groups_beyond_the_limit_are_left_out),
        cmocka_unit_test(a_caller_without_uid_is_nobody),
        cmocka_unit_test(the_uid_that_means_none_is_nobody),
        cmocka_unit_test(credentials_of_wrong_types_are_refused),
        cmocka_unit_test(the_real_bus_daemon_says_who_we_are),
    };

    return cmocka_run_group_tests(tests, start_bus, stop_bus);
}
