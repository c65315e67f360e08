/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BootstrappingInfo is read as TS 24.109 Annex C has it, with what later releases may add, and nothing else is.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "gba.h"
#include "unit/gba-vectors.h"

#define OPEN     "<BootstrappingInfo xmlns=\"uri:3gpp-gba\">"
#define CLOSE    "</BootstrappingInfo>"
#define BTID     "<btid>b@x</btid>"
#define LIFETIME "<lifetime>2030-01-01T00:00:00Z</lifetime>"
#define Y2030    1893456000 /* 2030-01-01T00:00:00Z */

/* Parse a copy that ends where the text ends, so that reading beyond it is seen. */
static int parse_octets(const void *body, size_t length, struct bootstrapping_info *ret,
                        struct failure *failure) {
    _cleanup_free_ uint8_t *copy = malloc(length > 0 ? length : 1);

    assert_non_null(copy);
    memcpy(copy, body, length);
    return bootstrapping_info_parse(copy, length, ret, failure);
}

static struct bootstrapping_info parse(const char *body) {
    struct bootstrapping_info info;
    struct failure failure = {0};

    memset(&info, 0xaa, sizeof(info));
    if (parse_octets(body, strlen(body), &info, &failure) != 0)
        fail_msg("%s: %s", body, failure.text);
    return info;
}

static void assert_octets_refused(const void *body, size_t length) {
    struct bootstrapping_info info, before;
    struct failure failure = {0};

    memset(&info, 0xaa, sizeof(info));
    memcpy(&before, &info, sizeof(before));
    if (parse_octets(body, length, &info, &failure) != UB_E_INFO_MALFORMED)
        fail_msg("not refused: %.*s", (int)length, (const char *)body);
    assert_int_equal(failure.code, UB_E_INFO_MALFORMED);
    assert_true(*failure.text);
    assert_null(strchr(failure.text, '\n'));
    assert_memory_equal(&info, &before, sizeof(before));
}

static void assert_refused(const char *body) {
    assert_octets_refused(body, strlen(body));
}

static void test_worked_example(void **state _unused_) {
    struct bootstrapping_info info = parse(VECTOR_BODY);

    assert_string_equal(info.btid, VECTOR_BTID);
    assert_int_equal(info.lifetime, Y2030);
    assert_false(info.has_currenttime);
}

static void test_forms_that_mean_the_same(void **state _unused_) {
    static const char *const bodies[] = {
        OPEN BTID LIFETIME CLOSE,
        OPEN LIFETIME BTID CLOSE,
        "\xef\xbb\xbf<?xml version='1.0'?>\n<!-- c --><?pi x?>" OPEN
        "\n  <btid>\n  b@x\t</btid>\r\n <lifetime> 2030-01-01T00:00:00Z\n</lifetime>" CLOSE "\n",
        "<g:BootstrappingInfo xmlns:g=\"uri:3gpp-gba\" a=\"1\" g:b=\"2\"><g:btid "
        "c=\"3\">b@x</g:btid>"
        "<g:lifetime>2030-01-01T01:00:00+01:00</g:lifetime></g:BootstrappingInfo>",
        OPEN "<btid>b<![CDATA[@]]>&#x78;</btid><lifetime>2030-01-01T00:00:00</lifetime>" CLOSE,
        OPEN BTID LIFETIME "<new><btid>no</btid><lifetime>no</lifetime></new>"
                           "<o:btid xmlns:o=\"urn:o\">no</o:btid><x xmlns=\"\"/>" CLOSE,
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>" OPEN BTID LIFETIME "<n>\xfc</n>" CLOSE,
    };

    for (size_t i = 0; i < ELEMENTS(bodies); i++) {
        struct bootstrapping_info info = parse(bodies[i]);

        assert_string_equal(info.btid, "b@x");
        assert_int_equal(info.lifetime, Y2030);
        assert_false(info.has_currenttime);
    }
}

static void test_currenttime_is_found_in_the_extension(void **state _unused_) {
    static const char *const bodies[] = {
        OPEN BTID LIFETIME
        "<Extension><v "
        "xmlns=\"urn:v\"/><currenttime>2029-12-31T23:00:00Z</currenttime></Extension>" CLOSE,
        OPEN
        "<Extension><currenttime xmlns=\"\">2029-12-31T23:00:00Z</currenttime></Extension>" BTID
            LIFETIME CLOSE,
        OPEN BTID LIFETIME "<currenttime>2029-12-31T23:00:00Z</currenttime>" CLOSE,
    };

    for (size_t i = 0; i < ELEMENTS(bodies); i++) {
        struct bootstrapping_info info = parse(bodies[i]);

        assert_true(info.has_currenttime);
        assert_int_equal(info.currenttime, Y2030 - 3600);
    }
}

/* A currenttime elsewhere is somebody else's. */
static void test_currenttime_elsewhere_is_skipped(void **state _unused_) {
    static const char *const bodies[] = {
        OPEN BTID LIFETIME "<Extension><v><currenttime>x</currenttime></v></Extension>" CLOSE,
        OPEN BTID LIFETIME "<Extension/><v><currenttime>x</currenttime></v>" CLOSE,
        OPEN BTID LIFETIME "<currenttime xmlns=\"\">x</currenttime>" CLOSE,
        OPEN BTID LIFETIME
        "<Extension><currenttime xmlns=\"urn:v\">x</currenttime></Extension>" CLOSE,
    };

    for (size_t i = 0; i < ELEMENTS(bodies); i++)
        assert_false(parse(bodies[i]).has_currenttime);
}

static void test_what_is_missing_double_or_strange_is_refused(void **state _unused_) {
    static const char *const bodies[] = {
        "",
        " ",
        "not XML",
        "<html><body>Welcome</body></html>",
        "<BootstrappingInfo>" BTID LIFETIME CLOSE, /* no namespace */
        "<BootstrappingInfo xmlns=\"uri:3gpp-GBA\">" BTID LIFETIME CLOSE,
        "<x xmlns=\"uri:3gpp-gba\">" OPEN BTID LIFETIME CLOSE "</x>",
        OPEN CLOSE,
        OPEN BTID CLOSE,
        OPEN LIFETIME CLOSE,
        OPEN BTID BTID LIFETIME CLOSE,
        OPEN BTID LIFETIME LIFETIME CLOSE,
        OPEN BTID LIFETIME "<Extension><currenttime>2029-12-31T23:00:00Z</currenttime>"
                           "<currenttime>2029-12-31T23:00:00Z</currenttime></Extension>" CLOSE,
        OPEN "<x>" BTID LIFETIME "</x>" CLOSE,
        OPEN "<btid/>" LIFETIME CLOSE,
        OPEN "<btid> \n</btid>" LIFETIME CLOSE,
        OPEN "<btid>a b</btid>" LIFETIME CLOSE,
        OPEN "<btid>a\nb</btid>" LIFETIME CLOSE,
        OPEN "<btid>a&#9;b</btid>" LIFETIME CLOSE,
        OPEN "<btid>b\xc3\xbc</btid>" LIFETIME CLOSE,
        OPEN "<btid>a<b/></btid>" LIFETIME CLOSE,
        OPEN BTID "<lifetime/>" CLOSE,
        OPEN BTID "<lifetime>soon</lifetime>" CLOSE,
        OPEN BTID "<lifetime>3600</lifetime>" CLOSE,
        OPEN BTID LIFETIME "<Extension><currenttime/></Extension>" CLOSE,
        OPEN BTID LIFETIME,
        OPEN BTID LIFETIME "</BootstrappingInf>",
        OPEN BTID LIFETIME CLOSE "x",
        OPEN BTID LIFETIME CLOSE OPEN BTID LIFETIME CLOSE,
        OPEN "<btid>\xff</btid>" LIFETIME CLOSE,
        OPEN "<btid>&#0;</btid>" LIFETIME CLOSE,
        OPEN "<btid>&x;</btid>" LIFETIME CLOSE,
        "<?xml version=\"1.0\" encoding=\"no-such\"?>" OPEN BTID LIFETIME CLOSE,
    };

    for (size_t i = 0; i < ELEMENTS(bodies); i++)
        assert_refused(bodies[i]);
}

static void test_document_types_are_refused(void **state _unused_) {
    static const char *const types[] = {
        "<!DOCTYPE BootstrappingInfo>",
        "<!DOCTYPE BootstrappingInfo []>",
        "<!DOCTYPE B [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;\">]>",
        "<!DOCTYPE B SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE B PUBLIC \"x\" \"http://example.com/x.dtd\">",
    };
    char body[1024];

    for (size_t i = 0; i < ELEMENTS(types); i++) {
        (void)snprintf(body, sizeof(body), "%s" OPEN BTID LIFETIME CLOSE, types[i]);
        assert_refused(body);
    }
}

static void test_octets_of_nul_are_refused_wherever_they_are(void **state _unused_) {
    static const char body[] = OPEN BTID LIFETIME CLOSE;
    static const char within[] = OPEN "<btid>b\0@x</btid>" LIFETIME CLOSE;

    assert_octets_refused(body, sizeof(body));
    assert_octets_refused(within, sizeof(within) - 1);
    assert_octets_refused("", 1);
}

/* Depth, size of the B-TID and size of the whole: the last that is read, the first that is not. */
static void test_limits_are_held(void **state _unused_) {
    static char body[HTTP_BODY_MAX + 2];
    char btid[BTID_MAX + 2] = "";
    size_t length;

    for (unsigned extra = 0; extra < 2; extra++) {
        strcpy(body, OPEN BTID LIFETIME);
        for (unsigned i = 1; i < XML_DEPTH_MAX + extra; i++)
            strcat(body, "<d>");
        for (unsigned i = 1; i < XML_DEPTH_MAX + extra; i++)
            strcat(body, "</d>");
        strcat(body, CLOSE);
        if (extra == 0)
            (void)parse(body);
        else
            assert_refused(body);
    }

    memset(btid, 'b', BTID_MAX);
    (void)snprintf(body, sizeof(body), OPEN "<btid> %s </btid>" LIFETIME CLOSE, btid);
    assert_string_equal(parse(body).btid, btid);
    btid[BTID_MAX] = 'b';
    (void)snprintf(body, sizeof(body), OPEN "<btid>%.513s</btid>" LIFETIME CLOSE, btid);
    assert_refused(body);
    (void)snprintf(body, sizeof(body), OPEN "<btid>%8000s</btid>" LIFETIME CLOSE, "b");
    assert_refused(body);

    memset(body, ' ', sizeof(body));
    length = strlen(OPEN BTID LIFETIME CLOSE);
    memcpy(body + HTTP_BODY_MAX - length, OPEN BTID LIFETIME CLOSE, length);
    body[HTTP_BODY_MAX] = 0;
    (void)parse(body);
    body[HTTP_BODY_MAX] = ' ';
    assert_octets_refused(body, HTTP_BODY_MAX + 1);
}

/* No beginning of a document is a document. */
static void test_every_beginning_is_refused(void **state _unused_) {
    for (size_t length = 0; length < strlen(VECTOR_BODY); length++)
        assert_octets_refused(VECTOR_BODY, length);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worked_example),
        cmocka_unit_test(test_forms_that_mean_the_same),
        cmocka_unit_test(test_currenttime_is_found_in_the_extension),
        cmocka_unit_test(test_currenttime_elsewhere_is_skipped),
        cmocka_unit_test(test_what_is_missing_double_or_strange_is_refused),
        cmocka_unit_test(test_document_types_are_refused),
        cmocka_unit_test(test_octets_of_nul_are_refused_wherever_they_are),
        cmocka_unit_test(test_limits_are_held),
        cmocka_unit_test(test_every_beginning_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
