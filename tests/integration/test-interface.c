/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The D-Bus interface of the running service, as an application written against org.keystrap.Agent1(5) meets it:
 * introspection, signals, named errors for wrong arguments, and the bus policy.
 */

#include "gateway.h"

#include <errno.h>
#include <grp.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#define NAME    "org.keystrap.Agent1"
#define PATH    "/org/keystrap/Agent1"
#define KEYS    NAME ".Keys"
#define MANAGER NAME ".Manager"
#define ERROR   NAME ".Error."

static sd_bus *open_bus(void) {
    sd_bus *bus = NULL;

    assert_true(sd_bus_open_system(&bus) >= 0);
    return bus;
}

static void start_with_rule_for_root(struct gateway *gateway, struct world *world) {
    gateway_start(gateway, world, NULL, NULL);
    assert_int_equal(world_write_access("[Principal root]\nUser=root\nNafFqdn=naf.example.com\n"
                                        "UaProtocol=0100000002\n"),
                     0);
    free(gateway_reload(gateway));
}

/* --- Introspection --------------------------------------------------------------------------------- */

/* The names of what @element ("method", "property") begins in @xml, in order of the text, one a line. */
static void list_names(const char *xml, const char *element, char *ret, size_t size) {
    char start[64];
    size_t used = 0;

    (void)snprintf(start, sizeof(start), "<%s name=\"", element);
    ret[0] = '\0';
    for (const char *p = xml; (p = strstr(p, start)); p++) {
        const char *name = p + strlen(start);

        used += (size_t)snprintf(ret + used, size - used, "%.*s\n", (int)strcspn(name, "\""), name);
        assert_true(used < size);
    }
}

/* From @interface to its end, copied into @ret; nothing where there is none. */
static void cut_interface(const char *xml, const char *interface, char *ret, size_t size) {
    char start[128];
    const char *begin, *end;

    (void)snprintf(start, sizeof(start), "<interface name=\"%s\">", interface);
    begin = strstr(xml, start);
    end = begin ? strstr(begin, "</interface>") : NULL;
    if (!end)
        fail_msg("no %s in: %s", start, xml);
    assert_true((size_t)(end - begin) < size);
    (void)snprintf(ret, size, "%.*s", (int)(end - begin), begin);
}

/* The members of @interface at @path, in the file @name and in what the service says of itself. */
static void compare_interface(sd_bus *bus, const char *name, const char *path,
                              const char *interface) {
    static const char *const elements[] = {"method", "property", "signal"};
    static char file[32 * 1024], of_file[32 * 1024], of_service[32 * 1024];
    sd_bus_message *reply = NULL;
    const char *xml;
    FILE *f = fopen(name, "re");

    assert_non_null(f);
    file[fread(file, 1, sizeof(file) - 1, f)] = '\0';
    (void)fclose(f);
    assert_true(sd_bus_call_method(bus, NAME, path, "org.freedesktop.DBus.Introspectable",
                                   "Introspect", NULL, &reply, "") >= 0);
    assert_true(sd_bus_message_read(reply, "s", &xml) >= 0);
    cut_interface(file, interface, of_file, sizeof(of_file));
    cut_interface(xml, interface, of_service, sizeof(of_service));
    for (size_t j = 0; j < 3; j++) {
        char expected[1024], found[1024];

        list_names(of_file, elements[j], expected, sizeof(expected));
        list_names(of_service, elements[j], found, sizeof(found));
        assert_string_equal(found, expected);
        assert_true(j > 0 || found[0] != '\0');
    }
    sd_bus_message_unref(reply);
}

static void the_service_says_of_itself_what_the_installed_file_says(void **state) {
    struct gateway gateway;
    sd_bus *bus;

    gateway_start(&gateway, *state, NULL, NULL);
    bus = open_bus();
    compare_interface(bus, WORLD_SOURCE "/dbus/org.keystrap.Agent1.xml", PATH, KEYS);
    compare_interface(bus, WORLD_SOURCE "/dbus/org.keystrap.Agent1.xml", PATH, MANAGER);
    compare_interface(bus, WORLD_SOURCE "/dbus/org.keystrap.Agent1.xml", PATH,
                      NAME ".SecureElement");
    compare_interface(bus, WORLD_SOURCE "/dbus/org.keystrap.Agent1.Uicc.xml", PATH "/uicc/default",
                      NAME ".Uicc");
    sd_bus_flush_close_unref(bus);
}

/* --- PropertiesChanged ----------------------------------------------------------------------------- */

/* What PropertiesChanged has told, in order. */
struct told {
    char states[512]; /* each followed by a space */
    char btid[512];
};

static int on_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    struct told *told = userdata;
    const char *interface, *name, *value;

    (void)error;
    assert_true(sd_bus_message_read(m, "s", &interface) >= 0);
    assert_string_equal(interface, MANAGER);
    assert_true(sd_bus_message_enter_container(m, 'a', "{sv}") >= 0);
    while (sd_bus_message_enter_container(m, 'e', "sv") > 0) {
        assert_true(sd_bus_message_read(m, "s", &name) >= 0);
        if (strcmp(name, "State") == 0 || strcmp(name, "Btid") == 0) {
            assert_true(sd_bus_message_read(m, "v", "s", &value) >= 0);
            if (strcmp(name, "State") == 0)
                (void)snprintf(told->states + strlen(told->states),
                               sizeof(told->states) - strlen(told->states), "%s ", value);
            else
                (void)snprintf(told->btid, sizeof(told->btid), "%s", value);
        } else {
            assert_true(sd_bus_message_skip(m, "v") >= 0);
        }
        assert_true(sd_bus_message_exit_container(m) >= 0);
    }
    return 0;
}

static void wait_told(struct gateway *gateway, sd_bus *bus, const struct told *told,
                      const char *states) {
    uint64_t end = world_elapsed_msec(gateway->world) + WORLD_WAIT_MSEC;

    while (!strstr(told->states, states)) {
        if (world_elapsed_msec(gateway->world) >= end)
            fail_msg("told of \"%s\", not of \"%s\"", told->states, states);
        if (sd_bus_process(bus, NULL) == 0)
            (void)sd_bus_wait(bus, 100000);
    }
}

static void a_subscriber_hears_of_bootstrap_and_removal(void **state) {
    struct told told = {.states = ""};
    struct gateway gateway;
    char btid[512];
    sd_bus *bus;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    bus = open_bus();
    assert_true(sd_bus_match_signal(bus, NULL, NAME, PATH, "org.freedesktop.DBus.Properties",
                                    "PropertiesChanged", on_changed, &told) >= 0);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    wait_told(&gateway, bus, &told, "bootstrapping bootstrapped ");
    gateway_property(&gateway, "Btid", btid, sizeof(btid));
    assert_string_equal(told.btid, btid);
    assert_int_equal(world_ctl(gateway.usim, "remove", NULL, 0), 0);
    wait_told(&gateway, bus, &told, "bootstrapped no-card ");
    assert_string_equal(told.btid, "");
    assert_int_equal(world_ctl(gateway.usim, "insert", NULL, 0), 0);
    wait_told(&gateway, bus, &told, "no-card card-ready ");
    sd_bus_flush_close_unref(bus);
}

static int on_changed_too(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)m, (void)error;
    *(bool *)userdata = true;
    return 0;
}

/* A caller that got its answer may look at the properties at once, and has been told of them. */
static void the_answer_to_forget_comes_after_its_signal(void **state) {
    sd_bus_message *call = NULL, *reply = NULL;
    struct gateway gateway;
    bool told = false;
    uint64_t queued;
    sd_bus *bus;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_bootstrap(&gateway), 0);
    bus = open_bus();
    assert_true(sd_bus_match_signal(bus, NULL, NAME, PATH, "org.freedesktop.DBus.Properties",
                                    "PropertiesChanged", on_changed_too, &told) >= 0);
    assert_true(sd_bus_message_new_method_call(bus, &call, NAME, PATH, MANAGER, "Forget") >= 0);
    /* It reads everything up to the answer; what came before that is in its queue and is handled now. */
    assert_true(sd_bus_call(bus, call, 0, NULL, &reply) >= 0);
    sd_bus_message_unref(reply);
    sd_bus_message_unref(call);
    assert_true(sd_bus_get_n_queued_read(bus, &queued) >= 0);
    while (queued-- > 0)
        assert_true(sd_bus_process(bus, NULL) > 0);
    assert_true(told);
    sd_bus_flush_close_unref(bus);
}

/* --- Errors ---------------------------------------------------------------------------------------- */

/* Have DeriveNafKey called with these and fail with this name. */
static void expect_derive_error(sd_bus *bus, const char *naf, size_t ua_length, const char *option,
                                const char *type, const char *name) {
    static const uint8_t ua[16] = {0x01, 0x00, 0x00, 0x00, 0x02};
    sd_bus_message *call = NULL, *reply = NULL;
    sd_bus_error error = SD_BUS_ERROR_NULL;

    assert_true(sd_bus_message_new_method_call(bus, &call, NAME, PATH, KEYS, "DeriveNafKey") >= 0);
    assert_true(sd_bus_message_append(call, "s", naf) >= 0);
    assert_true(sd_bus_message_append_array(call, 'y', ua, ua_length) >= 0);
    if (!option)
        assert_true(sd_bus_message_append(call, "a{sv}", 0) >= 0);
    else if (type[0] == 'b')
        assert_true(sd_bus_message_append(call, "a{sv}", 1, option, "b", 1) >= 0);
    else
        assert_true(sd_bus_message_append(call, "a{sv}", 1, option, "s", "yes") >= 0);
    assert_true(sd_bus_call(bus, call, 0, &error, &reply) < 0);
    assert_string_equal(error.name, name);
    assert_non_null(error.message);
    assert_true(strlen(error.message) > 10);
    sd_bus_error_free(&error);
    sd_bus_message_unref(call);
}

static void what_is_wrong_with_the_arguments_has_a_name(void **state) {
    struct gateway gateway;
    char name[400];
    sd_bus *bus;

    start_with_rule_for_root(&gateway, *state);
    bus = open_bus();
    expect_derive_error(bus, "naf.example.com", 4, NULL, NULL, ERROR "UaProtocolInvalid");
    expect_derive_error(bus, "naf.example.com", 6, NULL, NULL, ERROR "UaProtocolInvalid");
    expect_derive_error(bus, "naf.example.com", 0, NULL, NULL, ERROR "UaProtocolInvalid");
    expect_derive_error(bus, "", 5, NULL, NULL, ERROR "NafNameInvalid");
    expect_derive_error(bus, "naf..example.com", 5, NULL, NULL, ERROR "NafNameInvalid");
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    expect_derive_error(bus, name, 5, NULL, NULL, ERROR "NafNameInvalid");
    expect_derive_error(bus, "naf.example.com", 5, "Speed", "b", ERROR "UnknownOption");
    expect_derive_error(bus, "naf.example.com", 5, "Force", "s", ERROR "InvalidOption");
    expect_derive_error(bus, "other.example.com", 5, NULL, NULL, ERROR "AccessDenied");
    sd_bus_flush_close_unref(bus);
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 0);
}

static void arguments_of_another_type_are_refused_in_the_words_of_dbus(void **state) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    struct gateway gateway;
    sd_bus *bus;

    start_with_rule_for_root(&gateway, *state);
    bus = open_bus();
    assert_true(sd_bus_call_method(bus, NAME, PATH, KEYS, "DeriveNafKey", &error, NULL, "ss",
                                   "naf.example.com", "0100000002") < 0);
    assert_string_equal(error.name, "org.freedesktop.DBus.Error.InvalidArgs");
    sd_bus_error_free(&error);
    assert_true(sd_bus_call_method(bus, NAME, PATH, MANAGER, "Bootstrap", &error, NULL, "a{sv}", 1,
                                   "Force", "b", 1) < 0);
    assert_string_equal(error.name, ERROR "UnknownOption");
    sd_bus_error_free(&error);
    assert_true(sd_bus_set_property(bus, NAME, PATH, MANAGER, "State", &error, "s", "x") < 0);
    assert_string_equal(error.name, "org.freedesktop.DBus.Error.PropertyReadOnly");
    sd_bus_error_free(&error);
    sd_bus_flush_close_unref(bus);
}

/* The pipe holds the key once, then it ends; nothing of it is in the reply. */
static void a_key_is_read_from_its_descriptor_once(void **state) {
    static const uint8_t ua[] = {0x01, 0x00, 0x00, 0x00, 0x02};
    sd_bus_message *call = NULL, *reply = NULL;
    struct gateway gateway;
    uint64_t expires;
    uint8_t key[64];
    const char *btid;
    sd_bus *bus;
    int fd;

    start_with_rule_for_root(&gateway, *state);
    bus = open_bus();
    assert_true(sd_bus_message_new_method_call(bus, &call, NAME, PATH, KEYS, "DeriveNafKey") >= 0);
    assert_true(sd_bus_message_append(call, "s", "naf.example.com") >= 0);
    assert_true(sd_bus_message_append_array(call, 'y', ua, sizeof(ua)) >= 0);
    assert_true(sd_bus_message_append(call, "a{sv}", 1, "Force", "b", 0) >= 0);
    assert_true(sd_bus_call(bus, call, 0, NULL, &reply) >= 0);
    assert_true(sd_bus_message_has_signature(reply, "shta{sv}"));
    assert_true(sd_bus_message_read(reply, "sht", &btid, &fd, &expires) >= 0);
    assert_non_null(strchr(btid, '@'));
    assert_true(expires > 0);
    assert_int_equal(read(fd, key, sizeof(key)), 32);
    assert_int_equal(read(fd, key, sizeof(key)), 0);
    sd_bus_message_unref(reply);
    sd_bus_message_unref(call);
    sd_bus_flush_close_unref(bus);
}

/* --- Policy ---------------------------------------------------------------------------------------- */

/* What RequestName says to @uid: the errno, or 0 when it got the name. */
static int request_name_as(uid_t uid) {
    pid_t pid = fork();
    int status;

    assert_true(pid >= 0);
    if (pid == 0) {
        sd_bus *bus = NULL;
        int r;

        if (setgroups(0, NULL) < 0 || setgid(uid) < 0 || setuid(uid) < 0)
            _exit(255);
        r = sd_bus_open_system(&bus);
        if (r < 0)
            _exit(254);
        r = sd_bus_request_name(bus, NAME, 0);
        _exit(r < 0 ? -r : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void nobody_but_the_service_may_own_the_name(void **state) {
    assert_non_null(world_start_bus(*state));
    assert_int_equal(request_name_as(WORLD_USER_METER), EACCES);
    assert_int_equal(request_name_as(WORLD_USER_STRANGER), EACCES);
    assert_int_equal(request_name_as(WORLD_USER_KEYSTRAP), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_service_says_of_itself_what_the_installed_file_says),
        cmocka_unit_test(a_subscriber_hears_of_bootstrap_and_removal),
        cmocka_unit_test(the_answer_to_forget_comes_after_its_signal),
        cmocka_unit_test(what_is_wrong_with_the_arguments_has_a_name),
        cmocka_unit_test(arguments_of_another_type_are_refused_in_the_words_of_dbus),
        cmocka_unit_test(a_key_is_read_from_its_descriptor_once),
        cmocka_unit_test(nobody_but_the_service_may_own_the_name),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
