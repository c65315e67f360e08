/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The client library against the real service, and against a program that has taken its name and lies. The other side
 * runs in a thread with a loop and a bus connection of its own, as the library's calls block.
 */

#include "service-world.h"

#include <pthread.h>
#include <sys/eventfd.h>

#include <keystrap/keystrap.h>

struct other_side {
    pthread_t thread;
    bool lies;
    int ready, stop;     /* eventfds */
    uint64_t asked;      /* by the liar, once it has ended */
    struct agent *agent; /* of the real service; to be touched between calls only */
};

static struct private_bus private_bus;
static struct other_side other;

/* --- The liar ------------------------------------------------------------------------------------ */

static int lie_about_the_key(sd_bus_message *m, const char *how) {
    uint8_t key[NAF_KEY_LENGTH + 1] = {0};
    size_t length = strcmp(how, "short") == 0  ? NAF_KEY_LENGTH - 1
                    : strcmp(how, "long") == 0 ? NAF_KEY_LENGTH + 1
                                               : NAF_KEY_LENGTH;
    static char long_btid[BTID_MAX + 2];
    const char *btid = "btid@bsf";
    int fds[2], r;

    memset(long_btid, 'x', sizeof(long_btid) - 1);
    if (strcmp(how, "no-btid") == 0)
        btid = "";
    else if (strcmp(how, "long-btid") == 0)
        btid = long_btid;
    if (pipe2(fds, O_CLOEXEC) < 0 || write(fds[1], key, length) != (ssize_t)length)
        return -EIO;
    /* "no-end" never closes it: the test's end does. */
    if (strcmp(how, "no-end") != 0)
        (void)close(fds[1]);
    if (strcmp(how, "bad-info") == 0)
        r = sd_bus_reply_method_return(m, "shta{sv}", btid, fds[0], 1ull, 1, "BootTimeExpires", "s",
                                       "soon");
    else if (strcmp(how, "bad-suid") == 0)
        r = sd_bus_reply_method_return(m, "shta{sv}", btid, fds[0], 1ull, 1, "Suid", "s", "21");
    else if (strcmp(how, "long-profile") == 0 || strcmp(how, "long-method") == 0)
        r = sd_bus_reply_method_return(m, "shta{sv}", btid, fds[0], 1ull, 1,
                                       strcmp(how, "long-profile") == 0 ? "Profile" : "Method", "s",
                                       "a-name-of-seventeen");
    else
        r = sd_bus_reply_method_return(m, "shta{sv}", btid, fds[0], 1ull, 1, "SomethingNew", "as",
                                       1, "to be skipped");
    (void)close(fds[0]);
    return r;
}

static int lie(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct other_side *side = userdata;
    const char *how;

    (void)error;
    side->asked++;
    assert_return_code(sd_bus_message_read(m, "s", &how), 0);
    if (strncmp(how, "error:", 6) == 0)
        return sd_bus_reply_method_errorf(m, how + 6, "words");
    if (strcmp(how, "silence") == 0)
        return 1;
    if (strcmp(how, "no-descriptor") == 0)
        return sd_bus_reply_method_return(m, "ssta{sv}", "btid@bsf", "3", 1ull, 0);
    if (strcmp(how, "key-in-the-message") == 0)
        return sd_bus_reply_method_return(m, "sayt", "btid@bsf", 2, 1, 2, 1ull);
    if (strcmp(how, "nothing") == 0)
        return sd_bus_reply_method_return(m, NULL);
    return lie_about_the_key(m, how);
}

/* --- The thread ---------------------------------------------------------------------------------- */

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *userdata) {
    (void)fd, (void)events, (void)userdata;
    return sd_event_exit(sd_event_source_get_event(source), 0);
}

static void serve(sd_event *event, struct other_side *side) {
    _cleanup_service_ struct service *service = NULL;
    struct failure failure = {0};
    static struct agent agent;
    sd_bus *bus = NULL;

    if (side->lies) {
        bus = client_new(event);
        /* Without a vtable: sd-bus would hold the replies against it. */
        assert_return_code(sd_bus_add_object(bus, NULL, SERVICE_PATH, lie, side), 0);
        assert_return_code(sd_bus_request_name(bus, SERVICE_BUS_NAME, 0), 0);
    } else {
        fake_agent_init(&agent);
        (void)fake_agent_add_profile(&agent, "water");
        side->agent = &agent;
        assert_int_equal(service_new(event, &agent, &service, &failure), 0);
    }
    assert_return_code(eventfd_write(side->ready, 1), 0);
    assert_return_code(sd_event_loop(event), 0);
    service = service_free(service);
    if (!side->lies)
        fake_agent_release(&agent, 0);
    sd_bus_flush_close_unref(bus);
}

static void *thread_main(void *userdata) {
    _cleanup_(sd_event_unrefp) sd_event *event = NULL;
    struct other_side *side = userdata;

    assert_return_code(sd_event_new(&event), 0);
    assert_return_code(sd_event_add_io(event, NULL, side->stop, EPOLLIN, on_stop, NULL), 0);
    serve(event, side);
    return NULL;
}

static void other_side_start(bool lies) {
    eventfd_t value;

    other = (struct other_side){.lies = lies};
    other.ready = eventfd(0, EFD_CLOEXEC);
    other.stop = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(pthread_create(&other.thread, NULL, thread_main, &other), 0);
    assert_return_code(eventfd_read(other.ready, &value), 0);
}

static void other_side_stop(void) {
    assert_return_code(eventfd_write(other.stop, 1), 0);
    assert_int_equal(pthread_join(other.thread, NULL), 0);
    (void)close(other.ready);
    (void)close(other.stop);
}

static int open_library(void **state) {
    struct keystrap *keystrap = NULL;

    assert_int_equal(keystrap_open(&keystrap), 0);
    *state = keystrap;
    return 0;
}

static int with_service(void **state) {
    private_bus_start(&private_bus);
    other_side_start(false);
    return open_library(state);
}

static int with_liar(void **state) {
    private_bus_start(&private_bus);
    other_side_start(true);
    return open_library(state);
}

static int with_nobody(void **state) {
    private_bus_start(&private_bus);
    return open_library(state);
}

static int down(void **state) {
    keystrap_close(*state);
    other_side_stop();
    private_bus_stop(&private_bus);
    return 0;
}

static int down_without_thread(void **state) {
    keystrap_close(*state);
    private_bus_stop(&private_bus);
    return 0;
}

/* --- The real service ---------------------------------------------------------------------------- */

static void a_key_of_the_real_service_is_whole(void **state) {
    struct keystrap_naf_key *key = NULL;

    assert_int_equal(
        keystrap_derive_naf_key(*state, "naf.example.com", KEYSTRAP_UA_HTTP_DIGEST, 0, &key), 0);
    assert_string_equal(keystrap_naf_key_btid(key), FAKE_BTID);
    assert_int_equal(keystrap_naf_key_length(key), NAF_KEY_LENGTH);
    for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
        assert_int_equal(keystrap_naf_key_data(key)[i], fake_key_octet("naf.example.com", i));
    assert_int_equal(keystrap_naf_key_expires(key), FAKE_EXPIRES_UTC);
    assert_int_equal(keystrap_naf_key_expires_boottime(key), FAKE_EXPIRES_BOOT);
    keystrap_naf_key_free(key);
}

static void the_card_that_was_chosen_is_asked_and_a_b_tid_invalidated(void **state) {
    struct keystrap_naf_key *key = NULL;
    struct keystrap *keystrap = *state;

    assert_int_equal(keystrap_set_uicc(keystrap, "a-name-of-seventeen"), -EINVAL);
    assert_int_equal(keystrap_set_uicc(keystrap, "back-2"), 0);
    assert_int_equal(
        keystrap_derive_naf_key(keystrap, "naf.example.com", KEYSTRAP_UA_HTTP_DIGEST, 0, &key), 0);
    assert_string_equal(other.agent->uicc, "back-2");
    assert_int_equal(keystrap_set_uicc(keystrap, NULL), 0);
    assert_int_equal(keystrap_invalidate(keystrap, keystrap_naf_key_btid(key)), 0);
    keystrap_naf_key_free(key);
    assert_int_equal(keystrap_invalidate(keystrap, "unknown"), 0);
    assert_int_equal(keystrap_invalidate(keystrap, NULL), -EINVAL);
    assert_int_equal(keystrap_invalidate(keystrap, "\xff"), -EINVAL);
    other.agent->denied = true;
    assert_int_equal(keystrap_invalidate(keystrap, "unknown"), -EACCES);
}

static void a_key_of_an_enrolment_is_whole_and_says_whose_it_is(void **state) {
    struct keystrap_naf_key *key = NULL;

    assert_int_equal(
        keystrap_get_key(*state, KEYSTRAP_KEY_USAGE, "maf.example.com", "water", 23, &key), 0);
    assert_string_equal(other.agent->kind, "usage");
    assert_string_equal(other.agent->peer, "maf.example.com");
    assert_string_equal(other.agent->profile, "water");
    assert_string_equal(keystrap_naf_key_btid(key), FAKE_KE_ID);
    assert_int_equal(keystrap_naf_key_length(key), NAF_KEY_LENGTH);
    for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
        assert_int_equal(keystrap_naf_key_data(key)[i], fake_key_octet("maf.example.com", i));
    assert_int_equal(keystrap_naf_key_expires(key), FAKE_EXPIRES_UTC);
    assert_int_equal(keystrap_naf_key_expires_boottime(key), FAKE_EXPIRES_BOOT);
    assert_string_equal(keystrap_naf_key_method(key), "psk");
    assert_string_equal(keystrap_naf_key_profile(key), "water");
    assert_int_equal(keystrap_naf_key_suid(key), 23);
    keystrap_naf_key_free(key);
}

static void without_profile_and_suid_the_agent_chooses(void **state) {
    struct keystrap_naf_key *key = NULL;

    assert_int_equal(keystrap_get_key(*state, KEYSTRAP_KEY_KM, "maf.example.com", NULL, 0, &key),
                     0);
    assert_string_equal(other.agent->kind, "km");
    assert_string_equal(other.agent->profile, "(null)");
    assert_int_equal(keystrap_naf_key_suid(key), 0);
    keystrap_naf_key_free(key);
    /* A key of GBA is of no profile. */
    assert_int_equal(
        keystrap_derive_naf_key(*state, "naf.example.com", KEYSTRAP_UA_HTTP_DIGEST, 0, &key), 0);
    assert_string_equal(keystrap_naf_key_method(key), "");
    assert_string_equal(keystrap_naf_key_profile(key), "");
    assert_int_equal(keystrap_naf_key_suid(key), 0);
    keystrap_naf_key_free(key);
}

static void a_key_of_an_enrolment_that_is_not_to_be_had_says_why(void **state) {
    static const struct {
        int code, client;
    } cases[] = {
        {ACCESS_E_DENIED, -EACCES},       {ENROL_E_KIND, -EINVAL},
        {ENROL_E_METHODS, -EKEYREJECTED}, {MEF_E_BUSY, -EHOSTUNREACH},
        {MEF_E_REFUSED, -EKEYREJECTED},   {HTTP_E_TIMEOUT, -ETIMEDOUT},
    };
    struct keystrap_naf_key *key = NULL;
    struct keystrap *keystrap = *state;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        other.agent->fail_code = cases[i].code;
        assert_int_equal(
            keystrap_get_key(keystrap, KEYSTRAP_KEY_KM, "maf.example.com", NULL, 0, &key),
            cases[i].client);
        assert_non_null(strstr(keystrap_last_error(keystrap), "The fake says"));
    }
    other.agent->fail_code = 0;
    assert_int_equal(keystrap_get_key(keystrap, KEYSTRAP_KEY_KM, "nobody", NULL, 0, &key), -EINVAL);
    assert_string_equal(keystrap_last_error_name(keystrap), ERROR_PREFIX "ProfileUnknown");
    assert_null(key);
}

static void a_thousand_keys_leave_no_descriptor_open(void **state) {
    int before = dup(0), after;

    (void)close(before);
    for (unsigned i = 0; i < 1000; i++) {
        struct keystrap_naf_key *key = NULL;

        assert_int_equal(keystrap_derive_naf_key(*state, "naf.example.com", KEYSTRAP_UA_TLS13_PSK,
                                                 KEYSTRAP_FORCE_BOOTSTRAP, &key),
                         0);
        keystrap_naf_key_free(key);
    }
    after = dup(0);
    (void)close(after);
    /* The service's thread shares our table: a few of its own may be open just now. */
    assert_true(after - before < 8);
}

static void a_deadline_ends_a_call_that_waits(void **state) {
    struct keystrap_naf_key *key = NULL;

    keystrap_set_timeout(*state, 50000);
    assert_int_equal(
        keystrap_derive_naf_key(*state, "hold.example.com", KEYSTRAP_UA_HTTP_DIGEST, 0, &key),
        -ETIMEDOUT);
    assert_null(key);
    assert_string_equal(keystrap_last_error_name(*state), SD_BUS_ERROR_TIMEOUT);
}

static void wrong_arguments_do_not_reach_the_bus(void **state) {
    struct keystrap_naf_key *key = NULL;
    struct keystrap *keystrap = *state;

    assert_int_equal(keystrap_derive_naf_key(NULL, "n", KEYSTRAP_UA_HTTP_DIGEST, 0, &key), -EINVAL);
    assert_int_equal(keystrap_derive_naf_key(keystrap, NULL, KEYSTRAP_UA_HTTP_DIGEST, 0, &key),
                     -EINVAL);
    assert_int_equal(keystrap_derive_naf_key(keystrap, "n", NULL, 0, &key), -EINVAL);
    assert_int_equal(keystrap_derive_naf_key(keystrap, "n", KEYSTRAP_UA_HTTP_DIGEST, 2, &key),
                     -EINVAL);
    assert_int_equal(keystrap_derive_naf_key(keystrap, "n", KEYSTRAP_UA_HTTP_DIGEST, 0, NULL),
                     -EINVAL);
    assert_int_equal(keystrap_derive_naf_key(keystrap, "\xff", KEYSTRAP_UA_HTTP_DIGEST, 0, &key),
                     -EINVAL);
    assert_int_equal(keystrap_get_key(NULL, "km", "maf", NULL, 0, &key), -EINVAL);
    assert_int_equal(keystrap_get_key(keystrap, NULL, "maf", NULL, 0, &key), -EINVAL);
    assert_int_equal(keystrap_get_key(keystrap, "km", NULL, NULL, 0, &key), -EINVAL);
    assert_int_equal(keystrap_get_key(keystrap, "km", "maf", NULL, 0, NULL), -EINVAL);
    assert_int_equal(keystrap_get_key(keystrap, "km", "\xff", NULL, 0, &key), -EINVAL);
    assert_int_equal(keystrap_get_key(keystrap, "km", "maf", "\xff", 0, &key), -EINVAL);
    assert_int_equal(other.agent->asked, 0);
    assert_null(key);
}

static void after_a_restart_of_the_bus_the_next_call_works(void **state) {
    struct keystrap_naf_key *key = NULL;
    int r;

    assert_int_equal(
        keystrap_derive_naf_key(*state, "naf.example.com", KEYSTRAP_UA_HTTP_DIGEST, 0, &key), 0);
    keystrap_naf_key_free(key);
    other_side_stop();
    private_bus_kill(&private_bus);
    assert_int_equal(
        keystrap_derive_naf_key(*state, "naf.example.com", KEYSTRAP_UA_HTTP_DIGEST, 0, &key),
        -ESRCH);
    private_bus_start(&private_bus);
    other_side_start(false);
    r = keystrap_derive_naf_key(*state, "naf.example.com", KEYSTRAP_UA_HTTP_DIGEST, 0, &key);
    assert_int_equal(r, 0);
    keystrap_naf_key_free(key);
}

static void without_the_daemon_it_says_that_it_does_not_run(void **state) {
    struct keystrap_naf_key *key = NULL;

    assert_int_equal(
        keystrap_derive_naf_key(*state, "naf.example.com", KEYSTRAP_UA_HTTP_DIGEST, 0, &key),
        -ESRCH);
    assert_string_equal(keystrap_last_error_name(*state), SD_BUS_ERROR_SERVICE_UNKNOWN);
    assert_true(keystrap_last_error(*state)[0] != '\0');
}

static void without_a_bus_it_does_not_open(void **state) {
    struct keystrap *keystrap = (struct keystrap *)1;

    (void)state;
    assert_return_code(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1), 0);
    assert_true(keystrap_open(&keystrap) < 0);
    assert_null(keystrap);
    assert_true(keystrap_last_error(NULL)[0] != '\0');
    assert_true(keystrap_last_error_name(NULL)[0] != '\0');
    keystrap_close(NULL);
}

/* --- The liar ------------------------------------------------------------------------------------ */

static void assert_refused(struct keystrap *keystrap, const char *how) {
    struct keystrap_naf_key *key = NULL;
    int r;

    r = keystrap_derive_naf_key(keystrap, how, KEYSTRAP_UA_HTTP_DIGEST, 0, &key);
    if (r != -EBADMSG)
        fail_msg("%s: %d (%s) where -EBADMSG was expected", how, r, keystrap_last_error(keystrap));
    assert_null(key);
    assert_string_equal(keystrap_last_error_name(keystrap), SD_BUS_ERROR_INCONSISTENT_MESSAGE);
    r = keystrap_get_key(keystrap, how, "maf.example.com", NULL, 0, &key);
    if (r != -EBADMSG)
        fail_msg("%s: %d (%s) where -EBADMSG was expected", how, r, keystrap_last_error(keystrap));
    assert_null(key);
}

static void malformed_answers_are_refused(void **state) {
    static const char *const lies[] = {
        "short",         "long",         "no-btid",    "long-btid",
        "no-descriptor", "nothing",      "bad-info",   "key-in-the-message",
        "bad-suid",      "long-profile", "long-method"};

    for (size_t i = 0; i < ELEMENTS(lies); i++)
        assert_refused(*state, lies[i]);
}

static void a_descriptor_without_end_is_refused_in_time(void **state) {
    uint64_t start = now_usec();

    keystrap_set_timeout(*state, 300 * USEC_PER_MSEC);
    assert_refused(*state, "no-end");
    assert_true(now_usec() - start < PATIENCE_USEC);
}

static void an_info_that_is_not_known_yet_is_skipped(void **state) {
    struct keystrap_naf_key *key = NULL;

    assert_int_equal(keystrap_derive_naf_key(*state, "honest", KEYSTRAP_UA_HTTP_DIGEST, 0, &key),
                     0);
    assert_int_equal(keystrap_naf_key_expires_boottime(key), 0);
    keystrap_naf_key_free(key);
}

static void every_error_of_the_agent_is_understood(void **state) {
    const struct error_map_entry *entry;
    struct keystrap_naf_key *key = NULL;
    char how[128];

    for (size_t i = 0; (entry = error_map_at(i)); i++) {
        (void)snprintf(how, sizeof(how), "error:%s", entry->name);
        assert_int_equal(keystrap_derive_naf_key(*state, how, KEYSTRAP_UA_HTTP_DIGEST, 0, &key),
                         entry->client);
        assert_string_equal(keystrap_last_error_name(*state), entry->name);
        assert_string_equal(keystrap_last_error(*state), "words");
        assert_int_equal(keystrap_get_key(*state, how, "maf.example.com", NULL, 0, &key),
                         entry->client);
        assert_null(key);
    }
}

static void silence_ends_at_the_deadline(void **state) {
    struct keystrap_naf_key *key = NULL;

    keystrap_set_timeout(*state, 50000);
    assert_int_equal(keystrap_derive_naf_key(*state, "silence", KEYSTRAP_UA_HTTP_DIGEST, 0, &key),
                     -ETIMEDOUT);
}

static int arena_up(void **state) {
    (void)state;
    return secret_arena_init();
}

static int arena_down(void **state) {
    (void)state;
    assert_int_equal(secret_arena_used(), 0);
    secret_arena_done();
    return 0;
}

#define SERVICE(f) cmocka_unit_test_setup_teardown(f, with_service, down)
#define LIAR(f)    cmocka_unit_test_setup_teardown(f, with_liar, down)

int main(void) {
    const struct CMUnitTest tests[] = {
        SERVICE(a_key_of_the_real_service_is_whole),
        SERVICE(the_card_that_was_chosen_is_asked_and_a_b_tid_invalidated),
        SERVICE(a_key_of_an_enrolment_is_whole_and_says_whose_it_is),
        SERVICE(without_profile_and_suid_the_agent_chooses),
        SERVICE(a_key_of_an_enrolment_that_is_not_to_be_had_says_why),
        SERVICE(a_thousand_keys_leave_no_descriptor_open),
        SERVICE(a_deadline_ends_a_call_that_waits),
        SERVICE(wrong_arguments_do_not_reach_the_bus),
        SERVICE(after_a_restart_of_the_bus_the_next_call_works),
        cmocka_unit_test_setup_teardown(without_the_daemon_it_says_that_it_does_not_run,
                                        with_nobody, down_without_thread),
        LIAR(malformed_answers_are_refused),
        LIAR(a_descriptor_without_end_is_refused_in_time),
        LIAR(an_info_that_is_not_known_yet_is_skipped),
        LIAR(every_error_of_the_agent_is_understood),
        LIAR(silence_ends_at_the_deadline),
        cmocka_unit_test(without_a_bus_it_does_not_open),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
