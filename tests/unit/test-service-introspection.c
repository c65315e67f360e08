/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The XML that is installed says exactly what the running service says of itself. Both are read with a real XML parser into
 * one sorted list of facts, so that neither order nor comments nor white space counts; the bus policy is held against the same.
 */

#include "service-world.h"

#include <expat.h>

#define FACTS_MAX 256

struct facts {
    char all[FACTS_MAX][256];
    size_t count;
    char interface[64], member[64];
    unsigned argument;
    bool ours; /* inside one of our interfaces */
};

static const char *attribute(const char **attributes, const char *name) {
    for (size_t i = 0; attributes[i]; i += 2)
        if (strcmp(attributes[i], name) == 0)
            return attributes[i + 1];
    return "";
}

static void add_fact(struct facts *f, const char *kind, const char *a, const char *b,
                     const char *c) {
    assert_true(f->count < FACTS_MAX);
    (void)snprintf(f->all[f->count++], sizeof(f->all[0]), "%s %s %s [%s] [%s] [%s]", f->interface,
                   f->member, kind, a, b, c);
}

static void on_start(void *userdata, const char *element, const char **attributes) {
    struct facts *f = userdata;
    const char *name = attribute(attributes, "name");
    char position[16];

    if (strcmp(element, "interface") == 0) {
        f->ours = strncmp(name, SERVICE_BUS_NAME, strlen(SERVICE_BUS_NAME)) == 0;
        (void)snprintf(f->interface, sizeof(f->interface), "%s", name);
        f->member[0] = '\0';
    }
    if (!f->ours)
        return;
    if (strcmp(element, "method") == 0 || strcmp(element, "signal") == 0 ||
        strcmp(element, "property") == 0) {
        (void)snprintf(f->member, sizeof(f->member), "%s", name);
        f->argument = 0;
        add_fact(f, element, attribute(attributes, "type"), attribute(attributes, "access"), "");
    } else if (strcmp(element, "arg") == 0) {
        (void)snprintf(position, sizeof(position), "%u %s", f->argument++,
                       attribute(attributes, "direction"));
        add_fact(f, "arg", position, name, attribute(attributes, "type"));
    } else if (strcmp(element, "annotation") == 0) {
        add_fact(f, "annotation", name, attribute(attributes, "value"), "");
    }
}

static void on_end(void *userdata, const char *element) {
    struct facts *f = userdata;

    if (strcmp(element, "interface") == 0)
        f->ours = false;
}

static int by_text(const void *a, const void *b) {
    return strcmp(a, b);
}

static void parse(const char *xml, size_t length, struct facts *f) {
    XML_Parser parser = XML_ParserCreate(NULL);

    assert_non_null(parser);
    XML_SetUserData(parser, f);
    XML_SetElementHandler(parser, on_start, on_end);
    assert_int_equal(XML_Parse(parser, xml, (int)length, XML_TRUE), XML_STATUS_OK);
    XML_ParserFree(parser);
    qsort(f->all, f->count, sizeof(f->all[0]), by_text);
}

static char *read_source(const char *name) {
    _cleanup_fclose_ FILE *f = NULL;
    char path[512], *text;
    size_t length;

    (void)snprintf(path, sizeof(path), "%s/%s", DBUS_SOURCE_DIR, name);
    f = fopen(path, "re");
    assert_non_null(f);
    text = calloc(1, 65536);
    assert_non_null(text);
    length = fread(text, 1, 65535, f);
    assert_true(length > 0 && length < 65535);
    return text;
}

static void assert_introspection(struct service_world *w, const char *name, const char *path,
                                 size_t count) {
    _cleanup_answer_ struct answer answer = {0};
    _cleanup_free_ char *file = read_source(name);
    static struct facts live, installed;
    const char *xml;

    live.count = installed.count = 0;
    assert_return_code(sd_bus_call_method_async(w->client, NULL, SERVICE_BUS_NAME, path,
                                                "org.freedesktop.DBus.Introspectable", "Introspect",
                                                answer_got, &answer, NULL),
                       0);
    answer_wait(w->event, &answer);
    assert_return_code(sd_bus_message_read(answer.message, "s", &xml), 0);
    parse(xml, strlen(xml), &live);
    parse(file, strlen(file), &installed);
    assert_true(live.count >= count);
    for (size_t i = 0; i < live.count && i < installed.count; i++)
        assert_string_equal(installed.all[i], live.all[i]);
    assert_int_equal(installed.count, live.count);
}

static void the_installed_xml_is_the_live_introspection(void **state) {
    /* 13 methods with 32 arguments, 2 signals with 3, 18 properties, 1 annotation */
    assert_introspection(*state, "org.keystrap.Agent1.xml", SERVICE_PATH, 69);
}

static void the_installed_xml_of_a_card_is_the_live_introspection(void **state) {
    /* 4 methods with 6 arguments, 21 properties, 1 annotation */
    assert_introspection(*state, "org.keystrap.Agent1.Uicc.xml", SERVICE_PATH "/uicc/default", 32);
}

static void the_installed_xml_of_an_enrolment_is_the_live_introspection(void **state) {
    struct service_world *w = *state;

    fake_agent_add_profile(&w->agent, "water");
    w->agent.changed(w->agent.changed_userdata);
    /* 3 methods with 6 arguments, 14 properties, 1 annotation */
    assert_introspection(w, "org.keystrap.Agent1.Enrolment.xml", SERVICE_PATH "/enrolment/water",
                         24);
}

static void assert_words(const char *name) {
    _cleanup_free_ char *file = read_source(name);
    static struct facts installed;

    installed.count = 0;
    parse(file, strlen(file), &installed);
    for (size_t i = 0; i < installed.count; i++) {
        char interface[64], member[64], kind[16], words[80];

        if (sscanf(installed.all[i], "%63s %63s %15s", interface, member, kind) != 3 ||
            (strcmp(kind, "method") != 0 && strcmp(kind, "property") != 0 &&
             strcmp(kind, "signal") != 0))
            continue;
        (void)snprintf(words, sizeof(words), " %s:", member);
        if (!strstr(file, words))
            fail_msg("%s has no comment", member);
    }
}

static void every_member_of_the_xml_has_words(void **state) {
    (void)state;
    assert_words("org.keystrap.Agent1.xml");
    assert_words("org.keystrap.Agent1.Enrolment.xml");
    assert_words("org.keystrap.Agent1.Uicc.xml");
}

static void the_bus_policy_lets_everybody_call_each_interface(void **state) {
    static const char *const interfaces[] = {SERVICE_KEYS,
                                             SERVICE_MANAGER,
                                             SERVICE_ENROLMENT,
                                             SERVICE_SECURE_ELEMENT,
                                             SERVICE_UICC,
                                             "org.freedesktop.DBus.Properties",
                                             "org.freedesktop.DBus.ObjectManager",
                                             "org.freedesktop.DBus.Introspectable",
                                             "org.freedesktop.DBus.Peer"};
    _cleanup_free_ char *file = read_source("org.keystrap.Agent1.conf");
    const char *everybody = strstr(file, "<policy context=\"default\">");

    (void)state;
    assert_non_null(everybody);
    for (size_t i = 0; i < ELEMENTS(interfaces); i++) {
        char rule[160];

        (void)snprintf(rule, sizeof(rule),
                       "<allow send_destination=\"" SERVICE_BUS_NAME "\" send_interface=\"%s\"/>",
                       interfaces[i]);
        assert_non_null(strstr(everybody, rule));
    }
    /* and own the name only daemon and root */
    assert_null(strstr(everybody, "own="));
    assert_non_null(strstr(file, "<policy user=\"keystrap\">"));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, world_up, world_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_installed_xml_is_the_live_introspection),
        TEST(the_installed_xml_of_a_card_is_the_live_introspection),
        TEST(the_installed_xml_of_an_enrolment_is_the_live_introspection),
        cmocka_unit_test(every_member_of_the_xml_has_words),
        cmocka_unit_test(the_bus_policy_lets_everybody_call_each_interface),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
