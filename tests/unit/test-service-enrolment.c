/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Enrolments on the bus: an object for each profile, its properties, methods and signals; the key of an enrolment, which no
 * message holds; and the document that a descriptor brings.
 */

#include "service-world.h"

#include <sys/mman.h>
#include <sys/socket.h>

#define WATER SERVICE_PATH "/enrolment/water"
#define GAS   SERVICE_PATH "/enrolment/gas_2"

/* The signals that came, one after the other: "Member object;". */
struct heard {
    char text[1024];
};

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *member = sd_bus_message_get_member(m), *object = sd_bus_message_get_path(m);
    struct heard *heard = userdata;
    char line[256];

    (void)error;
    if (strcmp(member, "PropertiesChanged") != 0)
        assert_return_code(sd_bus_message_read(m, "o", &object), 0);
    (void)snprintf(line, sizeof(line), "%s %s;", member, strrchr(object, '/') + 1);
    strncat(heard->text, line, sizeof(heard->text) - 1 - strlen(heard->text));
    return 0;
}

static void listen_to(struct service_world *w, struct heard *heard) {
    assert_return_code(sd_bus_add_match(w->client, NULL,
                                        "type='signal',sender='" SERVICE_BUS_NAME
                                        "',path_namespace='" SERVICE_PATH "'",
                                        on_signal, heard),
                       0);
}

/* Have the agent say that something changed, and hear all of what the service says to that. */
static void change(struct service_world *w) {
    _cleanup_answer_ struct answer answer = {0};

    w->agent.changed(w->agent.changed_userdata);
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                "org.freedesktop.DBus.Peer", "Ping", answer_got,
                                                &answer, NULL),
                       0);
    answer_wait(w->event, &answer);
}

static struct agent_enrol_status *add(struct service_world *w, const char *name) {
    struct agent_enrol_status *status = fake_agent_add_profile(&w->agent, name);

    change(w);
    return status;
}

static void get(struct service_world *w, const char *path, const char *interface, const char *name,
                struct answer *answer) {
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, path,
                                                "org.freedesktop.DBus.Properties", "Get",
                                                answer_got, answer, "ss", interface, name),
                       0);
    answer_wait(w->event, answer);
}

static void assert_text(struct service_world *w, const char *path, const char *name,
                        const char *expected) {
    _cleanup_answer_ struct answer answer = {0};
    const char *value;

    get(w, path, SERVICE_ENROLMENT, name, &answer);
    assert_false(sd_bus_message_is_method_error(answer.message, NULL));
    assert_return_code(sd_bus_message_read(answer.message, "v", "s", &value), 0);
    assert_string_equal(value, expected);
}

static void assert_number(struct service_world *w, const char *path, const char *name,
                          uint64_t expected) {
    _cleanup_answer_ struct answer answer = {0};
    uint64_t value;

    get(w, path, SERVICE_ENROLMENT, name, &answer);
    assert_return_code(sd_bus_message_read(answer.message, "v", "t", &value), 0);
    assert_int_equal(value, expected);
}

/* The paths of Manager.Enrolments, with a space after each. */
static void assert_enrolments(struct service_world *w, const char *expected) {
    _cleanup_answer_ struct answer answer = {0};
    char all[256] = "";
    const char *value;

    get(w, SERVICE_PATH, SERVICE_MANAGER, "Enrolments", &answer);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'v', "ao"), 0);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'a', "o"), 0);
    while (sd_bus_message_read_basic(answer.message, 'o', &value) > 0) {
        strncat(all, value, sizeof(all) - 1 - strlen(all));
        strncat(all, " ", sizeof(all) - 1 - strlen(all));
    }
    assert_string_equal(all, expected);
}

/* --- Properties and signals ---------------------------------------------------------------------- */

static void each_profile_has_an_object_that_speaks_of_it(void **state) {
    struct service_world *w = *state;
    struct agent_enrol_status *gas;

    assert_enrolments(w, "");
    gas = fake_agent_add_profile(&w->agent, "gas-2");
    gas->state = AGENT_ENROLLED;
    gas->method = "psk";
    gas->target = "/CSE17";
    gas->target_kind = "enrolee-b";
    gas->ke_id = FAKE_KE_ID;
    gas->expires_utc_usec = FAKE_EXPIRES_UTC;
    gas->expires_usec = FAKE_EXPIRES_BOOT;
    gas->retry_usec = 77;
    add(w, "water");
    assert_enrolments(w, GAS " " WATER " ");
    assert_text(w, WATER, "Name", "water");
    assert_text(w, WATER, "State", "idle");
    assert_text(w, WATER, "Method", "");
    assert_text(w, WATER, "Target", "maf.example.com");
    assert_text(w, WATER, "TargetKind", "maf");
    assert_number(w, WATER, "Expires", 0);
    assert_text(w, GAS, "Name", "gas-2");
    assert_text(w, GAS, "State", "enrolled");
    assert_text(w, GAS, "Method", "psk");
    assert_text(w, GAS, "Target", "/CSE17");
    assert_text(w, GAS, "TargetKind", "enrolee-b");
    assert_text(w, GAS, "Mef", "mef.example.com");
    assert_text(w, GAS, "KeId", FAKE_KE_ID);
    assert_number(w, GAS, "Expires", FAKE_EXPIRES_UTC);
    assert_number(w, GAS, "BootTimeExpires", FAKE_EXPIRES_BOOT);
    assert_number(w, GAS, "RetryAt", 77);
}

static void what_became_of_each_method_and_why_is_told(void **state) {
    static const char *const expected[][4] = {
        {"gba", "not-now", "ub-busy", "The BSF said 503?"},
        {"certificate", "never", "enrol-credential", "No such file"},
        {"psk", "worked", "", ""},
    };
    struct service_world *w = *state;
    struct agent_enrol_status *water = add(w, "water");
    _cleanup_answer_ struct answer answer = {0}, token = {0};
    const char *method, *verdict, *outcome, *text;
    int pending;

    water->methods[0] = (struct agent_enrol_method_status){
        /* What a server said may be anything; the bus would not take it. */
        .method = "gba",
        .verdict = AGENT_ENROL_NOT_NOW,
        .code = UB_E_BUSY,
        .text = "The BSF said 503\xff"};
    water->methods[1] = (struct agent_enrol_method_status){.method = "certificate",
                                                           .verdict = AGENT_ENROL_NEVER,
                                                           .code = ENROL_E_CREDENTIAL,
                                                           .text = "No such file"};
    water->methods[2] = (struct agent_enrol_method_status){
        .method = "psk", .verdict = AGENT_ENROL_WORKED, .text = ""};
    water->methods_count = 3;
    water->token_pending = true;
    change(w);
    get(w, WATER, SERVICE_ENROLMENT, "Methods", &answer);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'v', "a(ssss)"), 0);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'a', "(ssss)"), 0);
    for (size_t i = 0; i < ELEMENTS(expected); i++) {
        assert_int_equal(
            sd_bus_message_read(answer.message, "(ssss)", &method, &verdict, &outcome, &text), 1);
        assert_string_equal(method, expected[i][0]);
        assert_string_equal(verdict, expected[i][1]);
        assert_string_equal(outcome, expected[i][2]);
        assert_string_equal(text, expected[i][3]);
    }
    assert_int_equal(sd_bus_message_read(answer.message, "(ssss)", NULL, NULL, NULL, NULL), 0);
    get(w, WATER, SERVICE_ENROLMENT, "TokenPending", &token);
    assert_return_code(sd_bus_message_read(token.message, "v", "b", &pending), 0);
    assert_true(pending);
}

static void profiles_that_come_and_go_are_told(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    struct heard heard = {0};

    listen_to(w, &heard);
    add(w, "water");
    assert_string_equal(heard.text, "InterfacesAdded water;PropertiesChanged Agent1;");
    heard.text[0] = '\0';
    w->agent.enrolments_count = 0;
    change(w);
    assert_string_equal(heard.text, "InterfacesRemoved water;PropertiesChanged Agent1;");
    assert_enrolments(w, "");
    get(w, WATER, SERVICE_ENROLMENT, "State", &answer);
    assert_error(&answer, SD_BUS_ERROR_UNKNOWN_OBJECT);
}

static void a_change_is_told_once_and_by_its_object(void **state) {
    struct service_world *w = *state;
    struct agent_enrol_status *water;
    struct heard heard = {0};

    water = add(w, "water");
    add(w, "gas-2");
    listen_to(w, &heard);
    (void)failure_set(&w->agent.enrolment_failures[0], MEF_E_BUSY, "The MEF said 503");
    water->state = AGENT_ENROL_FAILED;
    change(w);
    change(w);
    assert_string_equal(heard.text, "PropertiesChanged water;");
    assert_text(w, WATER, "LastError", ERROR_PREFIX "MefBusy");
    assert_text(w, WATER, "LastErrorText", "The MEF said 503");
    heard.text[0] = '\0';
    water->methods[1].text = "another reason";
    change(w);
    assert_string_equal(heard.text, "PropertiesChanged water;");
}

static bool is_connected(void *userdata) {
    return service_connected(userdata);
}

static bool is_disconnected(void *userdata) {
    return !service_connected(userdata);
}

static void after_a_restart_of_the_bus_every_profile_is_there_as_it_is_now(void **state) {
    struct service_world *w = *state;
    struct agent_enrol_status *water = add(w, "water");

    private_bus_kill(&w->bus);
    assert_true(run_until(w->event, is_disconnected, w->service, PATIENCE_USEC));
    water->state = AGENT_ENROLLED;
    (void)fake_agent_add_profile(&w->agent, "gas-2");
    w->agent.changed(w->agent.changed_userdata);
    private_bus_start(&w->bus);
    assert_true(run_until(w->event, is_connected, w->service, PATIENCE_USEC));
    sd_bus_close_unref(w->client);
    w->client = client_new(w->event);
    assert_text(w, WATER, "State", "enrolled");
    assert_text(w, GAS, "State", "idle");
    assert_enrolments(w, WATER " " GAS " ");
}

/* --- Methods ------------------------------------------------------------------------------------- */

static void ask(struct service_world *w, const char *path, const char *method,
                struct answer *answer) {
    assert_return_code(
        strcmp(method, "Forget") != 0
            ? sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, path, SERVICE_ENROLMENT,
                                       method, answer_got, answer, "a{sv}", 0)
            : sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, path, SERVICE_ENROLMENT,
                                       method, answer_got, answer, NULL),
        0);
}

static void enrol_and_renew_answer_with_the_key_identifier(void **state) {
    static const char *const methods[] = {"Enrol", "Renew"};
    struct service_world *w = *state;
    struct heard heard = {0};

    add(w, "water");
    add(w, "gas-2");
    listen_to(w, &heard);
    for (size_t i = 0; i < ELEMENTS(methods); i++) {
        _cleanup_answer_ struct answer answer = {0};
        const char *key_id;
        uint64_t expires;

        ask(w, GAS, methods[i], &answer);
        answer_wait(w->event, &answer);
        assert_false(sd_bus_message_is_method_error(answer.message, NULL));
        assert_return_code(sd_bus_message_read(answer.message, "st", &key_id, &expires), 0);
        assert_string_equal(key_id, FAKE_KE_ID);
        assert_int_equal(expires, FAKE_EXPIRES_UTC);
        assert_string_equal(w->agent.profile, "gas-2");
        assert_int_equal(w->agent.renew, i == 1);
        assert_int_equal(w->agent.caller.uid, getuid());
        /* The change was told before the answer; a second one was none. */
        assert_string_equal(heard.text, "PropertiesChanged gas_2;");
    }
    assert_text(w, GAS, "State", "enrolled");
    assert_text(w, WATER, "State", "idle");
}

static void forget_is_told_before_it_is_answered(void **state) {
    struct service_world *w = *state;
    struct heard heard = {0};
    _cleanup_answer_ struct answer answer = {0};

    add(w, "water")->state = AGENT_ENROLLED;
    change(w);
    listen_to(w, &heard);
    ask(w, WATER, "Forget", &answer);
    answer_wait(w->event, &answer);
    assert_false(sd_bus_message_is_method_error(answer.message, NULL));
    assert_string_equal(w->agent.profile, "water");
    assert_int_equal(w->agent.enrolments_forgotten, 1);
    assert_string_equal(heard.text, "PropertiesChanged water;");
}

static void refusals_of_every_method_have_their_names(void **state) {
    static const char *const methods[] = {"Enrol", "Renew", "Forget"};
    struct service_world *w = *state;

    add(w, "water");
    for (size_t i = 0; i < ELEMENTS(methods); i++) {
        _cleanup_answer_ struct answer denied = {0}, failed = {0};

        w->agent.denied = true;
        ask(w, WATER, methods[i], &denied);
        answer_wait(w->event, &denied);
        assert_error(&denied, ERROR_PREFIX "AccessDenied");
        w->agent.denied = false;
        w->agent.fail_code = ENROL_E_METHODS;
        ask(w, WATER, methods[i], &failed);
        answer_wait(w->event, &failed);
        assert_error(&failed, ERROR_PREFIX "EnrolmentFailed");
        assert_non_null(strstr(error_text(&failed), "The fake says"));
        w->agent.fail_code = 0;
    }
    assert_int_equal(w->agent.enrolments_forgotten, 0);
}

static void an_option_that_is_not_known_asks_the_agent_for_nothing(void **state) {
    static const char *const methods[] = {"Enrol", "Renew"};
    struct service_world *w = *state;

    add(w, "water");
    for (size_t i = 0; i < ELEMENTS(methods); i++) {
        _cleanup_answer_ struct answer answer = {0};

        assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, WATER,
                                                    SERVICE_ENROLMENT, methods[i], answer_got,
                                                    &answer, "a{sv}", 1, "Uicc", "s", "x"),
                           0);
        answer_wait(w->event, &answer);
        assert_error(&answer, ERROR_UNKNOWN_OPTION);
    }
    assert_int_equal(w->agent.enrolled, 0);
}

static void a_caller_that_leaves_cancels_its_enrolment(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    sd_bus *second = client_new(w->event);

    add(w, "hold");
    assert_return_code(sd_bus_call_method_async(second, NULL, SERVICE_BUS_NAME,
                                                SERVICE_PATH "/enrolment/hold", SERVICE_ENROLMENT,
                                                "Enrol", answer_got, &answer, "a{sv}", 0),
                       0);
    wait_held(w, 1);
    sd_bus_close_unref(second);
    wait_held(w, 0);
    assert_int_equal(w->agent.cancelled, 1);
}

/* --- GetKey -------------------------------------------------------------------------------------- */

static void get_key(struct service_world *w, const char *kind, const char *peer,
                    struct answer *answer) {
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_KEYS, "GetKey", answer_got, answer,
                                                "ssa{sv}", kind, peer, 0),
                       0);
    answer_wait(w->event, answer);
}

static void a_key_comes_by_pipe_with_what_it_is_of(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    const char *name, *key_id, *text;
    uint8_t key[NAF_KEY_LENGTH + 1];
    uint64_t expires, boot;
    unsigned seen = 0;
    uint32_t suid;
    int fd;

    add(w, "water");
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_KEYS, "GetKey", answer_got, &answer,
                                                "ssa{sv}", "usage", "maf.example.com", 2, "Suid",
                                                "u", 23, "Profile", "s", "water"),
                       0);
    answer_wait(w->event, &answer);
    assert_false(sd_bus_message_is_method_error(answer.message, NULL));
    assert_string_equal(w->agent.kind, "usage");
    assert_string_equal(w->agent.peer, "maf.example.com");
    assert_string_equal(w->agent.profile, "water");
    assert_int_equal(w->agent.suid, 23);
    assert_return_code(sd_bus_message_read(answer.message, "sht", &key_id, &fd, &expires), 0);
    assert_string_equal(key_id, FAKE_KE_ID);
    assert_int_equal(expires, FAKE_EXPIRES_UTC);
    assert_int_equal(read(fd, key, sizeof(key)), NAF_KEY_LENGTH);
    for (size_t i = 0; i < NAF_KEY_LENGTH; i++)
        assert_int_equal(key[i], fake_key_octet("maf.example.com", i));
    assert_int_equal(read(fd, key, sizeof(key)), 0);

    assert_return_code(sd_bus_message_enter_container(answer.message, 'a', "{sv}"), 0);
    while (sd_bus_message_enter_container(answer.message, 'e', "sv") > 0) {
        assert_return_code(sd_bus_message_read(answer.message, "s", &name), 0);
        seen++;
        if (strcmp(name, "BootTimeExpires") == 0) {
            assert_return_code(sd_bus_message_read(answer.message, "v", "t", &boot), 0);
            assert_int_equal(boot, FAKE_EXPIRES_BOOT);
        } else if (strcmp(name, "Suid") == 0) {
            assert_return_code(sd_bus_message_read(answer.message, "v", "u", &suid), 0);
            assert_int_equal(suid, 23);
        } else {
            assert_return_code(sd_bus_message_read(answer.message, "v", "s", &text), 0);
            assert_string_equal(text, strcmp(name, "Method") == 0 ? "psk" : "water");
        }
        assert_return_code(sd_bus_message_exit_container(answer.message), 0);
    }
    assert_int_equal(seen, 4);
}

static void a_key_that_cost_an_enrolment_is_told_first(void **state) {
    struct service_world *w = *state;
    struct heard heard = {0};
    _cleanup_answer_ struct answer first = {0}, second = {0};

    add(w, "water");
    listen_to(w, &heard);
    get_key(w, "km", "maf.example.com", &first);
    assert_false(sd_bus_message_is_method_error(first.message, NULL));
    assert_string_equal(heard.text, "PropertiesChanged water;");
    assert_string_equal(w->agent.profile, "(null)");
    assert_int_equal(w->agent.suid, 0);
    get_key(w, "km", "maf.example.com", &second);
    assert_string_equal(heard.text, "PropertiesChanged water;");
}

static void refusals_of_a_key_have_their_names(void **state) {
    static const struct {
        int code;
        const char *name;
    } cases[] = {
        {ACCESS_E_DENIED, "AccessDenied"},     {ACCESS_E_QUOTA, "QuotaExceeded"},
        {ENROL_E_KIND, "KeyKindUnavailable"},  {ENROL_E_METHODS, "EnrolmentFailed"},
        {ENROL_E_EXPIRED, "EnrolmentExpired"}, {ENROL_E_SEALING, "NoSealingKey"},
        {MEF_E_REFUSED, "MefRefused"},         {HTTP_E_PSK, "PskRefused"},
        {PEER_E_UNTRUSTED, "PeerUntrusted"},   {UICC_E_CARD_ABSENT, "CardAbsent"},
    };
    struct service_world *w = *state;
    _cleanup_answer_ struct answer unknown = {0};

    add(w, "water");
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_answer_ struct answer answer = {0};
        char name[96];

        w->agent.fail_code = cases[i].code;
        get_key(w, "km", "maf.example.com", &answer);
        (void)snprintf(name, sizeof(name), ERROR_PREFIX "%s", cases[i].name);
        assert_error(&answer, name);
    }
    w->agent.fail_code = 0;
    get_key(w, "km", "other.example.com", &unknown);
    assert_error(&unknown, ERROR_PREFIX "ProfileUnknown");
}

static void options_of_the_wrong_type_are_refused(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer suid = {0}, profile = {0}, other = {0};

    add(w, "water");
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_KEYS, "GetKey", answer_got, &suid,
                                                "ssa{sv}", "usage", "maf", 1, "Suid", "s", "23"),
                       0);
    answer_wait(w->event, &suid);
    assert_error(&suid, ERROR_INVALID_OPTION);
    assert_non_null(strstr(error_text(&suid), "must be a number"));
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_KEYS, "GetKey", answer_got, &profile,
                                                "ssa{sv}", "km", "maf", 1, "Profile", "u", 1u),
                       0);
    answer_wait(w->event, &profile);
    assert_error(&profile, ERROR_INVALID_OPTION);
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_KEYS, "GetKey", answer_got, &other,
                                                "ssa{sv}", "km", "maf", 1, "Force", "b", 1),
                       0);
    answer_wait(w->event, &other);
    assert_error(&other, ERROR_UNKNOWN_OPTION);
    assert_int_equal(w->agent.asked, 0);
}

/* --- Configure ----------------------------------------------------------------------------------- */

/* Hand @fd over, which is closed here. */
static void configure(struct service_world *w, int fd, struct answer *answer) {
    assert_return_code(fd, errno);
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_MANAGER, "Configure", answer_got, answer,
                                                "h", fd),
                       0);
    (void)close(fd);
    answer_wait(w->event, answer);
}

static int memfd_of(const void *data, size_t length) {
    int fd = memfd_create("document", MFD_CLOEXEC);

    assert_return_code(fd, errno);
    assert_int_equal(write(fd, data, length), length);
    return fd; /* its position is at the end: what counts is the file */
}

static int pipe_of(const void *data, size_t length, int *ret_other) {
    int fds[2];

    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    assert_int_equal(write(fds[1], data, length), length);
    if (ret_other)
        *ret_other = fds[1];
    else
        (void)close(fds[1]);
    return fds[0];
}

static int file_of(const void *data, size_t length) {
    char path[] = "/tmp/keystrap-document-XXXXXX";
    int fd = mkostemp(path, O_CLOEXEC);

    assert_return_code(fd, errno);
    assert_return_code(unlink(path), errno);
    assert_int_equal(write(fd, data, length), length);
    return fd;
}

static void a_document_is_taken_from_file_memfd_and_pipe(void **state) {
    static const char document[] = "a signed document";
    struct service_world *w = *state;
    struct heard heard = {0};

    listen_to(w, &heard);
    for (unsigned i = 0; i < 3; i++) {
        _cleanup_answer_ struct answer answer = {0};

        w->agent.enrolments_count = 0;
        change(w);
        heard.text[0] = '\0';
        memset(w->agent.document, 0, sizeof(w->agent.document));
        configure(w,
                  i == 0   ? memfd_of(document, sizeof(document))
                  : i == 1 ? pipe_of(document, sizeof(document), NULL)
                           : file_of(document, sizeof(document)),
                  &answer);
        assert_false(sd_bus_message_is_method_error(answer.message, NULL));
        assert_int_equal(w->agent.configured, i + 1);
        assert_int_equal(w->agent.document_length, sizeof(document));
        assert_string_equal((const char *)w->agent.document, document);
        /* What it configures is there before the answer. */
        assert_string_equal(heard.text, "InterfacesAdded from_document;PropertiesChanged Agent1;");
    }
}

static void a_document_as_long_as_is_allowed_is_taken_and_a_longer_one_not(void **state) {
    static uint8_t document[INSTRUCTION_MAX + 1];
    struct service_world *w = *state;

    for (unsigned i = 0; i < 2; i++) {
        _cleanup_answer_ struct answer whole = {0}, longer = {0};

        w->agent.enrolments_count = 0;
        configure(w,
                  i == 0 ? memfd_of(document, INSTRUCTION_MAX)
                         : pipe_of(document, INSTRUCTION_MAX, NULL),
                  &whole);
        assert_false(sd_bus_message_is_method_error(whole.message, NULL));
        assert_int_equal(w->agent.document_length, INSTRUCTION_MAX);
        configure(w,
                  i == 0 ? memfd_of(document, INSTRUCTION_MAX + 1)
                         : pipe_of(document, INSTRUCTION_MAX + 1, NULL),
                  &longer);
        assert_error(&longer, ERROR_PREFIX "InstructionMalformed");
        assert_int_equal(w->agent.configured, i + 1);
    }
}

static void a_pipe_that_would_have_to_be_waited_for_is_refused(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer open = {0}, empty = {0};
    int other = -1;

    configure(w, pipe_of("begin", 5, &other), &open);
    assert_error(&open, SD_BUS_ERROR_INVALID_ARGS);
    assert_non_null(strstr(error_text(&open), "the pipe must hold the whole document"));
    (void)close(other);
    configure(w, pipe_of("", 0, &other), &empty);
    assert_error(&empty, SD_BUS_ERROR_INVALID_ARGS);
    (void)close(other);
    assert_int_equal(w->agent.configured, 0);
}

static int socket_end(void) {
    int fds[2];

    assert_return_code(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), errno);
    (void)close(fds[1]);
    return fds[0];
}

static int write_only(void) {
    int fds[2];

    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    (void)close(fds[0]);
    return fds[1];
}

static void a_descriptor_of_another_kind_is_refused(void **state) {
    struct service_world *w = *state;
    const int fds[] = {
        open("/dev/zero", O_RDONLY | O_CLOEXEC),
        open("/", O_RDONLY | O_CLOEXEC | O_DIRECTORY),
        open("/dev/null", O_PATH | O_CLOEXEC),
        socket_end(),
        write_only(),
    };

    for (size_t i = 0; i < ELEMENTS(fds); i++) {
        _cleanup_answer_ struct answer answer = {0};

        configure(w, fds[i], &answer);
        assert_error(&answer, SD_BUS_ERROR_INVALID_ARGS);
    }
    assert_int_equal(w->agent.configured, 0);
}

static void a_descriptor_of_who_may_not_manage_is_not_touched(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    int fds[2];
    char c;

    assert_return_code(pipe2(fds, O_CLOEXEC), errno);
    assert_int_equal(write(fds[1], "x", 1), 1);
    w->agent.denied = true;
    configure(w, dup(fds[0]), &answer);
    assert_error(&answer, ERROR_PREFIX "AccessDenied");
    /* The description is shared: neither its flags nor what it holds has changed. */
    assert_int_equal(fcntl(fds[0], F_GETFL) & O_NONBLOCK, 0);
    assert_int_equal(read(fds[0], &c, 1), 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void refusals_of_a_document_have_their_names(void **state) {
    static const struct {
        int code;
        const char *name;
    } cases[] = {
        {INSTRUCTION_E_MALFORMED, "InstructionMalformed"},
        {INSTRUCTION_E_SIGNATURE, "InstructionNotAuthentic"},
        {INSTRUCTION_E_SIGNER, "InstructionSignerUnconfigured"},
        {INSTRUCTION_E_REPLAY, "InstructionReplayed"},
        {INSTRUCTION_E_INVALID, "InstructionInvalid"},
        {ENROL_E_SEALING, "NoSealingKey"},
    };
    struct service_world *w = *state;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_answer_ struct answer answer = {0};
        char name[96];

        w->agent.fail_code = cases[i].code;
        configure(w, memfd_of("x", 1), &answer);
        (void)snprintf(name, sizeof(name), ERROR_PREFIX "%s", cases[i].name);
        assert_error(&answer, name);
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_profile_has_an_object_that_speaks_of_it),
        TEST(what_became_of_each_method_and_why_is_told),
        TEST(profiles_that_come_and_go_are_told),
        TEST(a_change_is_told_once_and_by_its_object),
        TEST(after_a_restart_of_the_bus_every_profile_is_there_as_it_is_now),
        TEST(enrol_and_renew_answer_with_the_key_identifier),
        TEST(forget_is_told_before_it_is_answered),
        TEST(refusals_of_every_method_have_their_names),
        TEST(an_option_that_is_not_known_asks_the_agent_for_nothing),
        TEST(a_caller_that_leaves_cancels_its_enrolment),
        TEST(a_key_comes_by_pipe_with_what_it_is_of),
        TEST(a_key_that_cost_an_enrolment_is_told_first),
        TEST(refusals_of_a_key_have_their_names),
        TEST(options_of_the_wrong_type_are_refused),
        TEST(a_document_is_taken_from_file_memfd_and_pipe),
        TEST(a_document_as_long_as_is_allowed_is_taken_and_a_longer_one_not),
        TEST(a_pipe_that_would_have_to_be_waited_for_is_refused),
        TEST(a_descriptor_of_another_kind_is_refused),
        TEST(a_descriptor_of_who_may_not_manage_is_not_touched),
        TEST(refusals_of_a_document_have_their_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
