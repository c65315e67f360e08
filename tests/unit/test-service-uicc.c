/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The cards on the bus: one object for each that is configured, whose properties, methods and signals are its own.
 */

#include "service-world.h"

#define FRONT SERVICE_PATH "/uicc/default"
#define BACK  SERVICE_PATH "/uicc/back_2"

/* The signals that came, one after the other: "Member path ...;". */
struct heard {
    char text[1024];
};

static int on_signal(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    const char *member = sd_bus_message_get_member(m), *path = sd_bus_message_get_path(m);
    struct heard *heard = userdata;
    const char *object = "";
    char line[256];

    (void)error;
    if (strcmp(member, "PropertiesChanged") != 0)
        assert_return_code(sd_bus_message_read(m, "o", &object), 0);
    else
        object = path;
    (void)snprintf(line, sizeof(line), "%s %s;", member, strrchr(object, '/') + 1);
    strncat(heard->text, line, sizeof(heard->text) - 1 - strlen(heard->text));
    return 0;
}

static void listen(struct service_world *w, struct heard *heard) {
    assert_return_code(sd_bus_add_match(w->client, NULL,
                                        "type='signal',sender='" SERVICE_BUS_NAME
                                        "',path_namespace='" SERVICE_PATH "'",
                                        on_signal, heard),
                       0);
}

static void add_card(struct service_world *w, const char *name) {
    w->agent.others[w->agent.others_count++] = (struct agent_status){
        .name = name,
        .state = AGENT_NO_CARD,
        .transport = "qmi",
        .reader = "",
        .pin_tries = -1,
        .mode = "auto",
        .last_failure = &w->agent.last_failure,
    };
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

    get(w, path, SERVICE_UICC, name, &answer);
    assert_false(sd_bus_message_is_method_error(answer.message, NULL));
    assert_return_code(sd_bus_message_read(answer.message, "v", "s", &value), 0);
    assert_string_equal(value, expected);
}

/* The strings of an array property, with a space after each. */
static void assert_array(struct service_world *w, const char *path, const char *interface,
                         const char *name, const char *type, const char *expected) {
    _cleanup_answer_ struct answer answer = {0};
    char all[256] = "", array[3] = {'a', type[0], '\0'};
    const char *value;

    get(w, path, interface, name, &answer);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'v', array), 0);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'a', type), 0);
    while (sd_bus_message_read_basic(answer.message, type[0], &value) > 0) {
        strncat(all, value, sizeof(all) - 1 - strlen(all));
        strncat(all, " ", sizeof(all) - 1 - strlen(all));
    }
    assert_string_equal(all, expected);
}

static void each_card_has_an_object_that_speaks_of_it(void **state) {
    struct service_world *w = *state;

    add_card(w, "back-2");
    change(w);
    assert_text(w, FRONT, "Name", "default");
    assert_text(w, FRONT, "State", "card-ready");
    assert_text(w, FRONT, "Imsi", "00101...");
    assert_text(w, FRONT, "Application", "usim");
    assert_text(w, FRONT, "GbaMode", "me");
    assert_array(w, FRONT, SERVICE_UICC, "Applications", "s", "usim isim ");
    assert_array(w, FRONT, SERVICE_UICC, "Services", "s", "gba ");
    assert_text(w, BACK, "Name", "back-2");
    assert_text(w, BACK, "State", "no-card");
    assert_text(w, BACK, "Transport", "qmi");
    assert_text(w, BACK, "GbaMode", "auto");
    assert_array(w, BACK, SERVICE_UICC, "Applications", "s", "");
    assert_array(w, SERVICE_PATH, SERVICE_MANAGER, "Uiccs", "o", FRONT " " BACK " ");
}

static void cards_that_come_and_go_with_the_configuration_are_told(void **state) {
    struct service_world *w = *state;
    struct heard heard = {0};
    _cleanup_answer_ struct answer answer = {0};

    listen(w, &heard);
    add_card(w, "back-2");
    change(w);
    assert_string_equal(heard.text, "InterfacesAdded back_2;PropertiesChanged Agent1;");
    heard.text[0] = '\0';
    w->agent.others[0].present = true;
    change(w);
    assert_string_equal(heard.text, "CardInserted back_2;");
    heard.text[0] = '\0';
    w->agent.others_count = 0;
    change(w);
    assert_string_equal(heard.text,
                        "CardRemoved back_2;InterfacesRemoved back_2;PropertiesChanged Agent1;");
    get(w, BACK, SERVICE_UICC, "State", &answer);
    assert_error(&answer, SD_BUS_ERROR_UNKNOWN_OBJECT);
}

static void a_card_that_is_pulled_put_back_or_changed_is_told(void **state) {
    struct service_world *w = *state;
    struct heard heard = {0};

    listen(w, &heard);
    w->agent.status.present = false;
    w->agent.status.state = AGENT_NO_CARD;
    change(w);
    assert_string_equal(heard.text,
                        "CardRemoved default;PropertiesChanged default;PropertiesChanged Agent1;");
    heard.text[0] = '\0';
    w->agent.status.present = true;
    w->agent.status.insertions++;
    change(w);
    assert_string_equal(heard.text, "CardInserted default;");
    heard.text[0] = '\0';
    /* Between two looks another card came. */
    w->agent.status.insertions++;
    change(w);
    assert_string_equal(heard.text, "CardRemoved default;CardInserted default;");
}

static void only_the_object_of_the_card_that_changed_speaks(void **state) {
    struct service_world *w = *state;
    struct heard heard = {0};

    add_card(w, "back-2");
    change(w);
    listen(w, &heard);
    w->agent.others[0].state = AGENT_CARD_READY;
    change(w);
    assert_string_equal(heard.text, "PropertiesChanged back_2;");
}

static void the_object_manager_has_all_cards(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer answer = {0};
    unsigned count = 0;
    const char *path;

    add_card(w, "back-2");
    change(w);
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                "org.freedesktop.DBus.ObjectManager",
                                                "GetManagedObjects", answer_got, &answer, NULL),
                       0);
    answer_wait(w->event, &answer);
    assert_return_code(sd_bus_message_enter_container(answer.message, 'a', "{oa{sa{sv}}}"), 0);
    while (sd_bus_message_enter_container(answer.message, 'e', "oa{sa{sv}}") > 0) {
        assert_return_code(sd_bus_message_read(answer.message, "o", &path), 0);
        count += strcmp(path, FRONT) == 0 || strcmp(path, BACK) == 0;
        assert_return_code(sd_bus_message_skip(answer.message, "a{sa{sv}}"), 0);
        assert_return_code(sd_bus_message_exit_container(answer.message), 0);
    }
    assert_int_equal(count, 2);
}

static void manage_at(struct service_world *w, const char *path, const char *method, bool options,
                      struct answer *answer) {
    assert_return_code(
        options ? sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, path, SERVICE_UICC,
                                           method, answer_got, answer, "a{sv}", 0)
                : sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, path, SERVICE_UICC,
                                           method, answer_got, answer, NULL),
        0);
    answer_wait(w->event, answer);
}

static void the_methods_of_a_card_are_for_that_card(void **state) {
    static const struct {
        const char *method;
        bool options;
    } methods[] = {
        {"Bootstrap", true}, {"Forget", false}, {"Diagnose", true}, {"GetIdentity", false}};
    struct service_world *w = *state;

    add_card(w, "back-2");
    change(w);
    for (size_t i = 0; i < ELEMENTS(methods); i++) {
        _cleanup_answer_ struct answer answer = {0}, denied = {0};

        w->agent.uicc[0] = '\0';
        w->agent.denied = false;
        manage_at(w, BACK, methods[i].method, methods[i].options, &answer);
        assert_false(sd_bus_message_is_method_error(answer.message, NULL));
        assert_string_equal(w->agent.uicc, "back-2");
        w->agent.denied = true;
        manage_at(w, BACK, methods[i].method, methods[i].options, &denied);
        assert_error(&denied, ERROR_PREFIX "AccessDenied");
    }
}

static void the_manager_takes_the_name_of_a_card_as_an_option(void **state) {
    static const char *const methods[] = {"Bootstrap", "Diagnose"};
    struct service_world *w = *state;

    for (size_t i = 0; i < ELEMENTS(methods); i++) {
        _cleanup_answer_ struct answer named = {0}, plain = {0}, wrong = {0};

        assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                    SERVICE_MANAGER, methods[i], answer_got, &named,
                                                    "a{sv}", 1, "Uicc", "s", "back-2"),
                           0);
        answer_wait(w->event, &named);
        assert_string_equal(w->agent.uicc, "back-2");
        manage(w->client, methods[i], true, &plain);
        answer_wait(w->event, &plain);
        assert_string_equal(w->agent.uicc, "(null)");
        assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                    SERVICE_MANAGER, methods[i], answer_got, &wrong,
                                                    "a{sv}", 1, "Uicc", "b", 1),
                           0);
        answer_wait(w->event, &wrong);
        assert_error(&wrong, ERROR_INVALID_OPTION);
        assert_non_null(strstr(error_text(&wrong), "must be a string"));
    }
}

static void a_key_is_asked_of_the_card_that_the_caller_names(void **state) {
    struct service_world *w = *state;
    _cleanup_(sd_bus_message_unrefp) sd_bus_message *m = NULL;
    _cleanup_answer_ struct answer named = {0}, plain = {0};

    assert_return_code(sd_bus_message_new_method_call(w->client, &m, SERVICE_BUS_NAME, SERVICE_PATH,
                                                      SERVICE_KEYS, "DeriveNafKey"),
                       0);
    assert_return_code(sd_bus_message_append(m, "s", "naf.example.com"), 0);
    assert_return_code(sd_bus_message_append_array(m, 'y', ua_http, sizeof(ua_http)), 0);
    assert_return_code(sd_bus_message_append(m, "a{sv}", 2, "Uicc", "s", "back-2", "Force", "b", 1),
                       0);
    assert_return_code(sd_bus_call_async(w->client, NULL, m, answer_got, &named, 0), 0);
    answer_wait(w->event, &named);
    assert_key(&named, "naf.example.com");
    assert_string_equal(w->agent.uicc, "back-2");
    assert_true(w->agent.force);
    derive(w->client, "naf.example.com", &plain);
    answer_wait(w->event, &plain);
    assert_string_equal(w->agent.uicc, "(null)");
}

static void invalidate(struct service_world *w, const char *btid, struct answer *answer) {
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, SERVICE_PATH,
                                                SERVICE_KEYS, "Invalidate", answer_got, answer, "s",
                                                btid),
                       0);
    answer_wait(w->event, answer);
}

static void what_an_application_invalidates_is_told_before_it_is_answered(void **state) {
    struct service_world *w = *state;
    _cleanup_answer_ struct answer bootstrap = {0}, right = {0}, denied = {0};
    struct heard heard = {0};

    manage(w->client, "Bootstrap", true, &bootstrap);
    answer_wait(w->event, &bootstrap);
    listen(w, &heard);
    invalidate(w, FAKE_BTID, &right);
    assert_false(sd_bus_message_is_method_error(right.message, NULL));
    assert_string_equal(heard.text, "PropertiesChanged default;PropertiesChanged Agent1;");
    w->agent.denied = true;
    invalidate(w, FAKE_BTID, &denied);
    assert_error(&denied, ERROR_PREFIX "AccessDenied");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_card_has_an_object_that_speaks_of_it),
        TEST(cards_that_come_and_go_with_the_configuration_are_told),
        TEST(a_card_that_is_pulled_put_back_or_changed_is_told),
        TEST(only_the_object_of_the_card_that_changed_speaks),
        TEST(the_object_manager_has_all_cards),
        TEST(the_methods_of_a_card_are_for_that_card),
        TEST(the_manager_takes_the_name_of_a_card_as_an_option),
        TEST(what_an_application_invalidates_is_told_before_it_is_answered),
        TEST(a_key_is_asked_of_the_card_that_the_caller_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
