/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Names of users and groups: a name service that is down is no reason to take keys away, and a denial asks nobody.
 *
 * This program defines the C library's look-ups itself, so that they say what a test wants and are counted.
 */

#include "conf-helpers.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>

#include "access.h"

static const uint8_t digest[UA_PROTOCOL_LENGTH] = {0x01, 0x00, 0x00, 0x00, 0x02};

/* What the name service does. */
static struct {
    int error;      /* returned for every name, with nothing found */
    size_t wants;   /* octets of buffer, or ERANGE */
    size_t largest; /* that was offered */
    unsigned asked;
} service;

/* What is in /etc/passwd, and how often it was looked into. */
static struct {
    unsigned lines;
    unsigned at;
    unsigned reads;
} passwd;

#define PASSWD_UID 70000u /* of the first line; each has one more */
#define KNOWN_ID   60001u /* of everybody whom the service knows */

static int serve(const char *name, size_t size, bool *ret_found) {
    service.asked++;
    service.largest = size > service.largest ? size : service.largest;
    *ret_found = false;
    if (service.error)
        return service.error;
    if (size < service.wants)
        return ERANGE;
    *ret_found = strcmp(name, "known") == 0;
    return 0;
}

int getpwnam_r(const char *name, struct passwd *pw, _unused_ char *buffer, size_t size,
               struct passwd **ret) {
    bool found;
    int r = serve(name, size, &found);

    *pw = (struct passwd){.pw_uid = KNOWN_ID};
    *ret = found ? pw : NULL;
    return r;
}

int getgrnam_r(const char *name, struct group *gr, _unused_ char *buffer, size_t size,
               struct group **ret) {
    bool found;
    int r = serve(name, size, &found);

    *gr = (struct group){.gr_gid = KNOWN_ID};
    *ret = found ? gr : NULL;
    return r;
}

int fgetpwent_r(_unused_ FILE *stream, struct passwd *pw, char *buffer, size_t size,
                struct passwd **ret) {
    passwd.reads++;
    *ret = NULL;
    if (passwd.at == passwd.lines)
        return ENOENT;
    (void)snprintf(buffer, size, "local%u%s", passwd.at,
                   passwd.at == 1 ? "-with-a-name-that-is-longer-than-any" : "");
    *pw = (struct passwd){.pw_name = buffer, .pw_uid = PASSWD_UID + passwd.at++};
    *ret = pw;
    return 0;
}

static int set_up(_unused_ void **state) {
    memset(&service, 0, sizeof(service));
    memset(&passwd, 0, sizeof(passwd));
    return 0;
}

static int parse(const char *text, struct access **ret, struct failure *failure) {
    *failure = (struct failure){0};
    return access_parse("r.conf", text, strlen(text), ret, failure);
}

static struct access *rules(const char *text) {
    struct access *access = NULL;
    struct failure failure;

    if (parse(text, &access, &failure) != 0)
        fail_msg("%s", failure.text);
    return access;
}

static int ask(const struct access *access, uid_t uid, gid_t gid, struct failure *failure) {
    const struct access_caller caller = {.uid = uid, .groups = {gid}, .groups_count = 1};

    return access_may_naf(access, &caller, "naf", digest, failure);
}

#define USER  "[Principal p]\nUser=known\nNafFqdn=*\nUaProtocol=*\n"
#define GROUP "[Principal p]\nNafFqdn=*\nUaProtocol=*\nGroup=known\n"

/* getpwnam(3): these all mean "the given name was not found". */
static void a_name_that_is_not_found_is_a_warning_however_it_is_said(_unused_ void **state) {
    static const int errors[] = {0, ENOENT, ESRCH, EBADF, EPERM};
    static const char *const text =
        "[Principal p]\nUser=gone 5\nGroup=gone 6\nNafFqdn=*\nUaProtocol=*\n";

    for (size_t i = 0; i < ELEMENTS(errors); i++) {
        _cleanup_access_ struct access *access = NULL;
        struct capture capture;

        service.error = errors[i];
        capture_start(&capture);
        access = rules(text);
        capture_end(&capture);
        assert_contains(capture.text, "r.conf:2: User=gone: there is no such user");
        assert_contains(capture.text, "r.conf:3: Group=gone: there is no such group");
        /* What else the rule says is in force. */
        assert_int_equal(ask(access, 5, 5, NULL), 0);
        assert_int_equal(ask(access, 6, 6, NULL), 0);
        assert_int_equal(ask(access, 7, 7, NULL), ACCESS_E_DENIED);
    }
}

static void a_name_service_that_is_down_refuses_the_rules(_unused_ void **state) {
    static const int errors[] = {EIO,    EMFILE, ENFILE,       EINTR,    EAGAIN,
                                 EACCES, EINVAL, ECONNREFUSED, ETIMEDOUT};

    for (size_t i = 0; i < ELEMENTS(errors); i++) {
        struct access *access = NULL;
        struct failure failure;

        service.error = errors[i];
        assert_int_equal(parse(USER, &access, &failure), -errors[i]);
        assert_null(access);
        assert_int_equal(failure.code, -errors[i]);
        assert_contains(failure.text, "r.conf:2: User=known: nobody can say whether there is that "
                                      "user: ");
        assert_contains(failure.text, strerror(errors[i]));
        assert_contains(failure.text, "; mend the name service (nsswitch.conf)");
        assert_int_equal(parse(GROUP, &access, &failure), -errors[i]);
        assert_contains(failure.text, "r.conf:4: Group=known: nobody can say whether there is that "
                                      "group: ");
    }
    service.error = ENOMEM;
    for (size_t i = 0; i < 2; i++) {
        struct access *access = NULL;
        struct failure failure;

        assert_int_equal(parse(i == 0 ? USER : GROUP, &access, &failure), -ENOMEM);
        assert_null(access);
    }
}

/* Rules of numbers alone are good whatever the name service does. */
static void numbers_are_asked_of_nobody(_unused_ void **state) {
    _cleanup_access_ struct access *access = NULL;

    service.error = EIO;
    access = rules("[Principal p]\nUser=5\nGroup=6\nNafFqdn=*\nUaProtocol=*\n");
    assert_int_equal(ask(access, 5, 5, NULL), 0);
    assert_int_equal(ask(access, 6, 6, NULL), 0);
    assert_int_equal(service.asked, 0);
}

static void the_buffer_grows_for_a_large_group_but_not_for_ever(_unused_ void **state) {
    static const char *const texts[] = {USER, GROUP};

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        _cleanup_access_ struct access *access = NULL;
        struct access *none = NULL;
        struct failure failure;

        (void)set_up(NULL);
        service.wants = ACCESS_NSS_BUFFER_MAX;
        access = rules(texts[i]);
        assert_int_equal(ask(access, KNOWN_ID, KNOWN_ID, NULL), 0);
        assert_int_equal(service.largest, ACCESS_NSS_BUFFER_MAX);

        service.wants = ACCESS_NSS_BUFFER_MAX + 1;
        service.asked = 0;
        assert_int_equal(parse(texts[i], &none, &failure), -ERANGE);
        assert_null(none);
        assert_contains(failure.text, "=known: nobody can say whether there is that ");
        assert_int_equal(service.largest, ACCESS_NSS_BUFFER_MAX);
        assert_in_range(service.asked, 2, 16);
    }
}

/* Anybody can have himself denied; it must not cost more than words. */
static void a_denial_reads_no_file_and_asks_no_service(_unused_ void **state) {
    _cleanup_access_ struct access *access = NULL;
    unsigned reads, asked;

    passwd.lines = 3;
    access = rules(USER);
    reads = passwd.reads;
    asked = service.asked;
    assert_int_equal(reads, 4);
    for (uid_t uid = PASSWD_UID - 2; uid < PASSWD_UID + 50; uid++) {
        const struct access_caller caller = {.uid = uid};
        struct failure failure = {0};

        assert_int_equal(ask(access, uid, uid, &failure), ACCESS_E_DENIED);
        assert_int_equal(access_check_naf(access, &caller, "naf", digest, NULL), ACCESS_E_DENIED);
        assert_int_equal(access_check_manage(access, &caller, NULL), ACCESS_E_DENIED);
    }
    assert_int_equal(passwd.reads, reads);
    assert_int_equal(service.asked, asked);
}

static void a_denial_names_whom_the_rules_or_the_file_know(_unused_ void **state) {
    static const struct {
        uid_t uid;
        const char *says;
    } cases[] = {
        {KNOWN_ID, "user known (uid 60001) may not have other"},
        {PASSWD_UID, "user local0 (uid 70000) may not have other"},
        {PASSWD_UID + 1, "user local1-with-a-name-that-is-longe... (uid 70001) may not"},
        {PASSWD_UID + 2, "user local2 (uid 70002) may not"},
        {PASSWD_UID + 3, "uid 70003 may not"},
        {PASSWD_UID - 1, "uid 69999 may not"},
    };
    _cleanup_access_ struct access *access = NULL;

    passwd.lines = 3;
    access = rules("[Principal p]\nUser=known\nNafFqdn=naf\nUaProtocol=*\n");
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        const struct access_caller caller = {.uid = cases[i].uid};
        struct failure failure = {0};

        assert_int_equal(access_check_naf(access, &caller, "other", digest, &failure),
                         ACCESS_E_DENIED);
        assert_ptr_equal(strstr(failure.text, cases[i].says), failure.text);
    }
}

static void only_so_many_lines_of_the_file_are_kept(_unused_ void **state) {
    _cleanup_access_ struct access *access = NULL;
    struct failure failure = {0};

    passwd.lines = ACCESS_NAMES_MAX + 10;
    access = rules("");
    assert_int_equal(passwd.at, ACCESS_NAMES_MAX);
    assert_int_equal(ask(access, PASSWD_UID + ACCESS_NAMES_MAX - 1, 0, &failure), ACCESS_E_DENIED);
    assert_contains(failure.text, "user local1023 (uid 71023)");
    failure_clear(&failure);
    assert_int_equal(ask(access, PASSWD_UID + ACCESS_NAMES_MAX, 0, &failure), ACCESS_E_DENIED);
    assert_ptr_equal(strstr(failure.text, "uid 71024 may"), failure.text);
}

#define TEST(f) cmocka_unit_test_setup(f, set_up)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_name_that_is_not_found_is_a_warning_however_it_is_said),
        TEST(a_name_service_that_is_down_refuses_the_rules),
        TEST(numbers_are_asked_of_nobody),
        TEST(the_buffer_grows_for_a_large_group_but_not_for_ever),
        TEST(a_denial_reads_no_file_and_asks_no_service),
        TEST(a_denial_names_whom_the_rules_or_the_file_know),
        TEST(only_so_many_lines_of_the_file_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
