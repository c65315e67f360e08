/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Credentials that a profile refers to: where each form is looked for, whose file is taken, and the words for every other.
 */

#include "conf-helpers.h"

#include <errno.h>
#include <unistd.h>

#include "credential.h"
#include "secret.h"

#define KEY "0123456789abcdef"

static int setup(void **state) {
    int r = setup_directory(state);

    if (r == 0 && setenv("CREDENTIALS_DIRECTORY", *state, 1) < 0)
        r = -1;
    return r == 0 ? secret_arena_init() : r;
}

static int teardown(void **state) {
    size_t used = secret_arena_used();

    secret_arena_done();
    return teardown_directory(state) != 0 || used != 0 ? -1 : 0;
}

/* A file of ours alone, and its path. */
static const char *put(void **state, const char *name, const void *data, size_t length,
                       char path[PATH_SIZE]) {
    write_octets(*state, name, data, length);
    set_mode(*state, name, 0600);
    return path_in(*state, name, path);
}

static void expect(const char *reference, const void *octets, size_t length) {
    _cleanup_secret_ struct secret *secret = NULL;
    struct failure failure = {0};

    if (enrol_credential_read(reference, 16, 64, &secret, &failure) != 0)
        fail_msg("%s", failure.text);
    assert_int_equal(secret_length(secret), length);
    assert_memory_equal(secret_data(secret), octets, length);
}

static void refused(const char *reference, const char *words) {
    struct secret *secret = NULL;
    struct failure failure = {0};

    assert_int_equal(enrol_credential_read(reference, 16, 64, &secret, &failure),
                     ENROL_E_CREDENTIAL);
    assert_null(secret);
    assert_int_equal(failure.code, ENROL_E_CREDENTIAL);
    assert_contains(failure.text, "the credential ");
    assert_contains(failure.text, words);
}

static void certificate_refused(const char *reference, const char *words) {
    struct failure failure = {0};
    char *text = NULL;

    assert_int_equal(enrol_certificate_read(reference, &text, &failure), ENROL_E_CREDENTIAL);
    assert_null(text);
    assert_contains(failure.text, words);
}

/* --- Where ------------------------------------------------------------------------------------------ */

static void a_path_is_the_file_at_it(void **state) {
    char path[PATH_SIZE];

    expect(put(state, "kpm", KEY "\n", 17, path), KEY, 16);
    /* Binary octets are taken as they are, a NUL and a second newline with them. */
    expect(put(state, "kpm", "\0" KEY "\n\n", 19, path), "\0" KEY "\n", 18);
}

static void a_credential_of_systemd_is_where_systemd_leaves_it(void **state) {
    char path[PATH_SIZE];

    (void)put(state, "kpm", KEY, 16, path);
    expect("credential:kpm", KEY, 16);
    /* systemd.exec(5): mode 0400 or, with an ACL, 0440, and root's. Their directory is ours alone. */
    set_mode(*state, "kpm", 0444);
    expect("credential:kpm", KEY, 16);
}

static void without_systemd_there_is_none_and_the_remedy_is_said(void **state) {
    static const char remedy[] =
        "the credential credential:kpm: systemd has not handed it over; give "
        "keystrapd.service a LoadCredential= of that name and restart it";

    (void)state;
    refused("credential:kpm", remedy);
    assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "relative", 1), 0);
    refused("credential:kpm", remedy);
    assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    refused("credential:kpm", remedy);
}

static void what_is_neither_is_refused(void **state) {
    static const char *const references[] = {"",
                                             "kpm",
                                             "credential:",
                                             "CREDENTIAL:kpm",
                                             "credential:../kpm",
                                             "credential:..",
                                             "pkcs11:object=kpm",
                                             "hex:00112233445566778899aabbccddee"};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(references); i++)
        refused(references[i], "it is neither an absolute path nor credential:NAME");
}

static void what_is_not_there_is_named(void **state) {
    char path[PATH_SIZE];

    refused(path_in(*state, "kpm", path), path);
    refused(path, "it cannot be read: No such file or directory");
}

/* --- What ------------------------------------------------------------------------------------------- */

static void behind_hex_there_are_digits(void **state) {
    static const uint8_t octets[] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
                                     0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    static const char *const bad[] = {
        "hex:00112233445566778899aabbccddeef",      "hex:00112233445566778899aabbccddeefg",
        "hex:00112233445566778899aabbccddee f",     "hex: 00112233445566778899aabbccddeeff",
        "hex:00112233445566778899aabbccddeeff\n\n", "hex:0x112233445566778899aabbccddeeff",
    };
    char path[PATH_SIZE], text[4 + 128 + 4] = "hex:";
    uint8_t longest[64];

    expect(put(state, "kpm", "hex:00112233445566778899aabbccddeeff", 36, path), octets, 16);
    expect(put(state, "kpm", "hex:00112233445566778899AABBCCDDEEFF\n", 37, path), octets, 16);
    for (size_t i = 0; i < ELEMENTS(bad); i++)
        refused(put(state, "kpm", bad[i], strlen(bad[i]), path),
                "behind \"hex:\" there are no pairs of hex digits alone");
    refused(put(state, "kpm", "hex:", 4, path), "it has 0 octets; 16 to 64 are right");
    refused(put(state, "kpm", "hex:0011", 8, path), "it has 2 octets; 16 to 64 are right");

    memset(longest, 0xab, sizeof(longest));
    for (size_t i = 0; i < sizeof(longest); i++)
        (void)strcat(text, "ab");
    (void)strcat(text, "\n");
    expect(put(state, "kpm", text, strlen(text), path), longest, sizeof(longest));
    text[strlen(text) - 1] = '\0';
    (void)strcat(text, "ab");
    refused(put(state, "kpm", text, strlen(text), path), "16 to 64 octets are right");
}

static void what_has_another_length_is_refused_with_both(void **state) {
    char path[PATH_SIZE], octets[SECRET_LENGTH_MAX + 64];

    memset(octets, 'x', sizeof(octets));
    refused(put(state, "kpm", "", 0, path), "it has 0 octets; 16 to 64 are right");
    refused(put(state, "kpm", KEY, 15, path), "it has 15 octets; 16 to 64 are right");
    expect(put(state, "kpm", octets, 64, path), octets, 64);
    refused(put(state, "kpm", octets, 65, path), "it has 65 octets; 16 to 64 are right");
    refused(put(state, "kpm", octets, 134, path), "it is too long; 16 to 64 octets are right");
    refused(put(state, "kpm", octets, sizeof(octets), path), "it is too long");
}

/* What is cut at the end of our memory must not look like something whole. */
static void nothing_is_cut(void **state) {
    char path[PATH_SIZE], octets[2 * SECRET_LENGTH_MAX];
    const size_t max = SECRET_LENGTH_MAX - 2;
    struct secret *secret = NULL;
    struct failure failure = {0};

    memset(octets, 'a', sizeof(octets));
    octets[max] = '\n';
    (void)put(state, "key", octets, max + 1, path);
    assert_int_equal(enrol_credential_read(path, 1, max, &secret, NULL), 0);
    assert_int_equal(secret_length(secret), max);
    secret = secret_free(secret);
    (void)put(state, "key", octets, max + 2, path);
    assert_int_equal(enrol_credential_read(path, 1, max, &secret, NULL), ENROL_E_CREDENTIAL);
    memcpy(octets, "hex:", 4);
    octets[max] = 'a';
    (void)put(state, "key", octets, sizeof(octets), path);
    assert_int_equal(enrol_credential_read(path, 1, max, &secret, &failure), ENROL_E_CREDENTIAL);
    assert_contains(failure.text, "it is too long");
    assert_int_equal(enrol_credential_read(path, 1, max + 1, &secret, NULL), -EINVAL);
    assert_int_equal(enrol_credential_read(path, 0, 16, &secret, NULL), -EINVAL);
    assert_int_equal(enrol_credential_read(path, 17, 16, &secret, NULL), -EINVAL);
    assert_null(secret);
}

/* --- Whose ------------------------------------------------------------------------------------------ */

static void what_others_may_read_or_write_is_refused(void **state) {
    static const struct {
        mode_t mode;
        const char *words;
    } cases[] = {
        {0604, "others can read it; forbid it (chmod o-r)"},
        {0644, "others can read it; forbid it (chmod o-r)"},
        {0602, "others can write it; forbid it (chmod go-w)"},
        {0620, "others can write it; forbid it (chmod go-w)"},
    };
    char path[PATH_SIZE];

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        (void)put(state, "kpm", KEY, 16, path);
        set_mode(*state, "kpm", cases[i].mode);
        refused(path, cases[i].words);
    }
    /* Our own group, or root's, is nobody else. */
    set_mode(*state, "kpm", 0640);
    expect(path, KEY, 16);
}

static void what_belongs_to_somebody_else_is_refused(void **state) {
    char path[PATH_SIZE];

    if (geteuid() != 0)
        skip();
    (void)put(state, "kpm", KEY, 16, path);
    assert_int_equal(chown(path, 60001, 0), 0);
    refused(path, "it belongs to somebody else; make it root's or keystrapd's (chown)");
    assert_int_equal(chown(path, 0, 60001), 0);
    expect(path, KEY, 16);
    set_mode(*state, "kpm", 0640);
    refused(path, "another group than keystrapd's can read it; forbid it (chgrp, or chmod g-r)");
}

static void only_a_regular_file_is_read_and_no_link_followed(void **state) {
    char path[PATH_SIZE], link[PATH_SIZE];

    (void)put(state, "other", KEY, 16, path);
    assert_int_equal(symlink("other", path_in(*state, "link", link)), 0);
    refused(link, "it is a symbolic link; name the file that it leads to");
    refused("credential:link", "it is a symbolic link");
    assert_int_equal(mkfifo(path_in(*state, "fifo", path), 0600), 0);
    refused(path, "it is not a regular file");
    refused("credential:fifo", "it is not a regular file");
    refused(*state, "it is not a regular file");
    refused("/dev/zero", "it is not a regular file");
}

/* --- Certificates ----------------------------------------------------------------------------------- */

#define PEM "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

static void a_certificate_may_be_read_by_all(void **state) {
    char path[PATH_SIZE];
    char *text = NULL;

    (void)put(state, "gw.pem", PEM, strlen(PEM), path);
    set_mode(*state, "gw.pem", 0644);
    assert_int_equal(enrol_certificate_read(path, &text, NULL), 0);
    assert_string_equal(text, PEM);
    free(text);
    text = NULL;
    assert_int_equal(enrol_certificate_read("credential:gw.pem", &text, NULL), 0);
    assert_string_equal(text, PEM);
    free(text);
    set_mode(*state, "gw.pem", 0664);
    certificate_refused(path, "others can write it");
}

static void a_certificate_has_no_private_key_with_it(void **state) {
    static const char *const kinds[] = {"PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY"};
    char path[PATH_SIZE], text[512];

    for (size_t i = 0; i < ELEMENTS(kinds); i++) {
        (void)snprintf(text, sizeof(text), PEM "-----BEGIN %s-----\nMHcC\n", kinds[i]);
        certificate_refused(put(state, "gw.pem", text, strlen(text), path),
                            "there is a private key in it; put that into a file of its own");
    }
}

static void a_certificate_has_an_end(void **state) {
    char path[PATH_SIZE], octets[CERTIFICATE_CHAIN_MAX + 1];
    char *text = NULL;

    memset(octets, 'x', sizeof(octets));
    (void)put(state, "gw.pem", octets, CERTIFICATE_CHAIN_MAX, path);
    assert_int_equal(enrol_certificate_read(path, &text, NULL), 0);
    assert_int_equal(strlen(text), CERTIFICATE_CHAIN_MAX);
    free(text);
    certificate_refused(put(state, "gw.pem", octets, sizeof(octets), path),
                        "8192 octets are allowed");
    certificate_refused(put(state, "gw.pem", "", 0, path), "it is empty");
    certificate_refused(put(state, "gw.pem", "a\0b", 3, path), "it is not PEM");
    certificate_refused("gw.pem", "neither an absolute path");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_path_is_the_file_at_it),
        TEST(a_credential_of_systemd_is_where_systemd_leaves_it),
        TEST(without_systemd_there_is_none_and_the_remedy_is_said),
        TEST(what_is_neither_is_refused),
        TEST(what_is_not_there_is_named),
        TEST(behind_hex_there_are_digits),
        TEST(what_has_another_length_is_refused_with_both),
        TEST(nothing_is_cut),
        TEST(what_others_may_read_or_write_is_refused),
        TEST(what_belongs_to_somebody_else_is_refused),
        TEST(only_a_regular_file_is_read_and_no_link_followed),
        TEST(a_certificate_may_be_read_by_all),
        TEST(a_certificate_has_no_private_key_with_it),
        TEST(a_certificate_has_an_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
