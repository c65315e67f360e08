/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The reader of the operator's files: what it passes on, what it refuses, and that it always says where.
 */

#include "conf-helpers.h"

#include <errno.h>

#include "conf-file.h"

/* Everything that was passed on, one "file-basename:line(section-line) opens [section] key=value" a line. */
struct seen {
    char text[8192];
    unsigned count;
    int stop_with;
};

static int note(const struct conf_line *line, void *userdata, _unused_ struct failure *failure) {
    const char *slash = strrchr(line->file, '/');
    struct seen *seen = userdata;
    size_t used = strlen(seen->text);

    seen->count++;
    (void)snprintf(seen->text + used, sizeof(seen->text) - used, "%s:%u(%u)%s [%s] %s=%s\n",
                   slash ? slash + 1 : line->file, line->line, line->section_line,
                   line->opens ? "!" : "", line->section, line->key, line->value);
    return seen->stop_with;
}

static int parse(const char *text, size_t length, struct seen *seen, struct failure *failure) {
    *seen = (struct seen){0};
    *failure = (struct failure){0};
    return conf_text_parse("f", text, length, note, seen, failure);
}

static void lines_come_with_section_and_number(_unused_ void **state) {
    static const char text[] = "# comment\n"
                               "A=0\n"
                               "\n"
                               "  [One]  ; why\n"
                               "  Key = a value ; not a comment  \r\n"
                               "Empty=\n"
                               "; comment\n"
                               "[Two]\n"
                               "Key=x=y\n"
                               "[Two]\n"
                               "Key=\xc3\xa9";
    struct failure failure;
    struct seen seen;

    assert_int_equal(parse(text, strlen(text), &seen, &failure), 0);
    assert_string_equal(seen.text, "f:2(0)! [] A=0\n"
                                   "f:5(4)! [One] Key=a value ; not a comment\n"
                                   "f:6(4) [One] Empty=\n"
                                   "f:9(8)! [Two] Key=x=y\n"
                                   "f:11(10)! [Two] Key=\xc3\xa9\n");
}

static void a_byte_order_mark_is_passed_over(_unused_ void **state) {
    struct failure failure;
    struct seen seen;

    assert_int_equal(parse("\xef\xbb\xbf[S]\nK=v", 10, &seen, &failure), 0);
    assert_string_equal(seen.text, "f:2(1)! [S] K=v\n");
}

static void an_indented_line_is_a_key_and_no_continuation(_unused_ void **state) {
    struct failure failure;
    struct seen seen;

    assert_int_equal(parse("[S]\nA=1\n B=2\n", 13, &seen, &failure), 0);
    assert_string_equal(seen.text, "f:2(1)! [S] A=1\nf:3(1) [S] B=2\n");
}

static void what_is_no_line_is_refused_with_its_number(_unused_ void **state) {
    static const struct {
        const char *text;
        const char *says;
    } bad[] = {
        {"[S]\nA=1\nnonsense\n", "f:3: neither"},
        {"[S]\nA:1\n", "f:2: neither"},
        {"[S]\n=1\n", "f:2: there is no key"},
        {"[S\nA=1\n", "f:1: \"]\" is missing"},
        {"[]\nA=1\n", "f:1: the section has no name"},
        {"[S] A=1\n", "f:1: there is something after"},
        {"A=\x01\n", "f:1: there is a control character"},
        {"A=\xff\n", "f:1: there is a control character in this line, or it is not UTF-8"},
        {"A=\xc0\x80\n", "f:1: there is a control character"},
        {"A=\xed\xa0\x80\n", "f:1: there is a control character"},
        {"A=\xc2\x85\n", "f:1: there is a control character"},
        {"A=\xe2\x82", "f:1: there is a control character"},
        {"A=1\rB=2\n", "f:1: there is a control character"},
    };

    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        struct failure failure;
        struct seen seen;

        assert_int_equal(parse(bad[i].text, strlen(bad[i].text), &seen, &failure), -EINVAL);
        assert_int_equal(failure.code, -EINVAL);
        assert_contains(failure.text, bad[i].says);
        assert_true(seen.count <= 1);
    }
}

static void a_nul_octet_is_refused(_unused_ void **state) {
    struct failure failure;
    struct seen seen;

    assert_int_equal(parse("[S]\nA=1\0B=2\n", 12, &seen, &failure), -EINVAL);
    assert_contains(failure.text, "f:2: ");
    assert_int_equal(seen.count, 0);
}

static void a_line_of_1024_octets_passes_and_one_more_does_not(_unused_ void **state) {
    char text[CONF_LINE_MAX + 3];
    struct failure failure;
    struct seen seen;

    memset(text, 'x', sizeof(text));
    memcpy(text, "K=", 2);
    text[CONF_LINE_MAX] = '\n';
    assert_int_equal(parse(text, CONF_LINE_MAX + 1, &seen, &failure), 0);
    assert_int_equal(strlen(seen.text), strlen("f:1(0)! [] ") + CONF_LINE_MAX + 1);
    text[CONF_LINE_MAX] = 'x';
    assert_int_equal(parse(text, CONF_LINE_MAX + 1, &seen, &failure), -EINVAL);
    assert_contains(failure.text, "f:1: this line is too long");
}

/* inih would cut both names, and two principals with a long common start would become one. */
static void names_are_never_cut(_unused_ void **state) {
    char text[160], name[CONF_SECTION_MAX + 2];
    struct failure failure;
    struct seen seen;

    memset(name, 'n', sizeof(name));
    name[CONF_SECTION_MAX] = '\0';
    (void)snprintf(text, sizeof(text), "[%s]\n%s=1\n", name, name);
    assert_int_equal(parse(text, strlen(text), &seen, &failure), 0);
    assert_contains(seen.text, name);
    name[CONF_SECTION_MAX] = 'n';
    name[CONF_SECTION_MAX + 1] = '\0';
    (void)snprintf(text, sizeof(text), "[%s]\n", name);
    assert_int_equal(parse(text, strlen(text), &seen, &failure), -EINVAL);
    assert_contains(failure.text, "f:1: the section's name is longer");
    (void)snprintf(text, sizeof(text), "[S]\n%s=1\n", name);
    assert_int_equal(parse(text, strlen(text), &seen, &failure), -EINVAL);
    assert_contains(failure.text, "f:2: the key is longer");
}

static void the_taker_can_stop_the_reading(_unused_ void **state) {
    struct seen seen = {.stop_with = -EXDEV};

    assert_int_equal(conf_text_parse("f", "A=1\nB=2\n", 8, note, &seen, NULL), -EXDEV);
    assert_int_equal(seen.count, 1);
}

static int parse_file(const char *directory, const char *name, enum conf_trust trust,
                      struct seen *seen, struct failure *failure) {
    char path[PATH_SIZE];

    *seen = (struct seen){0};
    *failure = (struct failure){0};
    return conf_file_parse(path_in(directory, name, path), trust, note, seen, failure);
}

static void a_missing_file_is_an_empty_one(void **state) {
    struct failure failure;
    struct seen seen;

    assert_int_equal(parse_file(*state, "none.conf", CONF_TRUST_REFUSE, &seen, &failure), 0);
    assert_int_equal(failure.code, 0);
    assert_int_equal(seen.count, 0);
}

static void a_file_larger_than_the_limit_is_refused(void **state) {
    char *text = malloc(CONF_FILE_MAX + 1);
    struct failure failure;
    struct seen seen;

    assert_non_null(text);
    memset(text, '\n', CONF_FILE_MAX + 1);
    memcpy(text + CONF_FILE_MAX - 4, "\nA=1", 4);
    write_octets(*state, "a.conf", text, CONF_FILE_MAX);
    assert_int_equal(parse_file(*state, "a.conf", CONF_TRUST_REFUSE, &seen, &failure), 0);
    assert_int_equal(seen.count, 1);
    write_octets(*state, "a.conf", text, CONF_FILE_MAX + 1);
    assert_int_equal(parse_file(*state, "a.conf", CONF_TRUST_REFUSE, &seen, &failure), -EFBIG);
    assert_contains(failure.text, "a.conf: is larger than 262144 octets");
    assert_int_equal(seen.count, 0);
    free(text);
}

static void what_is_no_regular_file_is_refused_and_never_waited_for(void **state) {
    char path[PATH_SIZE];
    struct failure failure;
    struct seen seen;

    assert_int_equal(mkfifo(path_in(*state, "fifo.conf", path), 0644), 0);
    assert_int_equal(parse_file(*state, "fifo.conf", CONF_TRUST_REFUSE, &seen, &failure), -EINVAL);
    assert_contains(failure.text, "fifo.conf: is not a regular file");
}

static void a_file_that_others_may_write_is_refused_or_warned_of(void **state) {
    struct capture capture;
    struct failure failure;
    struct seen seen;

    write_file(*state, "a.conf", "A=1\n");
    set_mode(*state, "a.conf", 0664);
    assert_int_equal(parse_file(*state, "a.conf", CONF_TRUST_REFUSE, &seen, &failure), -EPERM);
    assert_contains(failure.text, "a.conf: can be written by others (mode 0664)");
    assert_contains(failure.text, "chmod go-w");
    assert_int_equal(seen.count, 0);

    set_mode(*state, "a.conf", 0602);
    assert_int_equal(parse_file(*state, "a.conf", CONF_TRUST_REFUSE, &seen, &failure), -EPERM);

    capture_start(&capture);
    assert_int_equal(parse_file(*state, "a.conf", CONF_TRUST_WARN, &seen, &failure), 0);
    capture_end(&capture);
    assert_contains(capture.text, "can be written by others");
    assert_int_equal(seen.count, 1);
}

static void a_file_of_a_stranger_is_refused(void **state) {
    char path[PATH_SIZE];
    struct failure failure;
    struct seen seen;

    if (geteuid() != 0)
        skip();
    write_file(*state, "a.conf", "A=1\n");
    assert_int_equal(chown(path_in(*state, "a.conf", path), 60001, 0), 0);
    assert_int_equal(parse_file(*state, "a.conf", CONF_TRUST_REFUSE, &seen, &failure), -EPERM);
    assert_contains(failure.text, "belongs to uid 60001");
}

static int parse_directory(const char *directory, const char *name, struct seen *seen,
                           struct failure *failure) {
    char path[PATH_SIZE];

    *seen = (struct seen){0};
    *failure = (struct failure){0};
    return conf_directory_parse(path_in(directory, name, path), CONF_TRUST_REFUSE, note, seen,
                                failure);
}

static void drop_ins_come_in_the_order_of_their_names(void **state) {
    char path[PATH_SIZE];
    struct capture capture;
    struct failure failure;
    struct seen seen;

    write_file(*state, "d/b.conf", "K=b\n");
    write_file(*state, "d/a.conf", "K=a\n");
    write_file(*state, "d/B.conf", "K=B\n");
    write_file(*state, "d/10.conf", "K=10\n");
    write_file(*state, "d/.hidden.conf", "K=hidden\n");
    write_file(*state, "d/a.conf.bak", "K=backup\n");
    write_file(*state, "elsewhere", "K=link\n");
    assert_int_equal(symlink("../elsewhere", path_in(*state, "d/c.conf", path)), 0);
    assert_int_equal(symlink("../nowhere", path_in(*state, "d/d.conf", path)), 0);
    assert_int_equal(mkdir(path_in(*state, "d/e.conf", path), 0755), 0);
    capture_start(&capture);
    assert_int_equal(parse_directory(*state, "d", &seen, &failure), 0);
    capture_end(&capture);
    assert_string_equal(seen.text, "10.conf:1(0)! [] K=10\n"
                                   "B.conf:1(0)! [] K=B\n"
                                   "a.conf:1(0)! [] K=a\n"
                                   "b.conf:1(0)! [] K=b\n"
                                   "c.conf:1(0)! [] K=link\n");
    assert_contains(capture.text, "e.conf: is not a regular file and is passed over");
}

static void a_directory_that_others_may_write_is_refused(void **state) {
    struct failure failure;
    struct seen seen;

    write_file(*state, "d/a.conf", "K=a\n");
    set_mode(*state, "d", 0777);
    assert_int_equal(parse_directory(*state, "d", &seen, &failure), -EPERM);
    assert_contains(failure.text, "/d: can be written by others (mode 0777)");
    assert_int_equal(seen.count, 0);
}

static void a_missing_directory_is_an_empty_one(void **state) {
    struct failure failure;
    struct seen seen;

    assert_int_equal(parse_directory(*state, "none", &seen, &failure), 0);
    assert_int_equal(failure.code, 0);
}

static void too_many_drop_ins_are_refused(void **state) {
    char name[32];
    struct failure failure;
    struct seen seen;

    for (unsigned i = 0; i < CONF_FILES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "d/%03u.conf", i);
        write_file(*state, name, "K=v\n");
    }
    assert_int_equal(parse_directory(*state, "d", &seen, &failure), 0);
    assert_int_equal(seen.count, CONF_FILES_MAX);
    write_file(*state, "d/z.conf", "K=v\n");
    assert_int_equal(parse_directory(*state, "d", &seen, &failure), -E2BIG);
    assert_int_equal(seen.count, 0);
}

static void the_first_bad_drop_in_ends_the_reading(void **state) {
    struct failure failure;
    struct seen seen;

    write_file(*state, "d/a.conf", "K=a\n");
    write_file(*state, "d/b.conf", "\nrubbish\n");
    write_file(*state, "d/c.conf", "K=c\n");
    assert_int_equal(parse_directory(*state, "d", &seen, &failure), -EINVAL);
    assert_contains(failure.text, "/d/b.conf:2: ");
    assert_int_equal(seen.count, 1);
}

static void near_words_are_suggested_and_far_ones_are_not(_unused_ void **state) {
    static const char *const words[] = {"RequestTimeoutSec", "ConnectTimeoutSec", "Bsf", NULL};

    assert_string_equal(conf_suggest("ReqestTimeoutSec", words), "RequestTimeoutSec");
    assert_string_equal(conf_suggest("connecttimeoutsec", words), "ConnectTimeoutSec");
    assert_string_equal(conf_suggest("Bfs", words), "Bsf");
    assert_string_equal(conf_suggest("BSF", words), "Bsf");
    assert_null(conf_suggest("Colour", words));
    assert_null(conf_suggest("", words));
}

static void a_boolean_is_one_of_eight_words(_unused_ void **state) {
    assert_int_equal(conf_bool_parse("yes"), 1);
    assert_int_equal(conf_bool_parse("True"), 1);
    assert_int_equal(conf_bool_parse("on"), 1);
    assert_int_equal(conf_bool_parse("1"), 1);
    assert_int_equal(conf_bool_parse("NO"), 0);
    assert_int_equal(conf_bool_parse("false"), 0);
    assert_int_equal(conf_bool_parse("off"), 0);
    assert_int_equal(conf_bool_parse("0"), 0);
    assert_int_equal(conf_bool_parse("y"), -EINVAL);
    assert_int_equal(conf_bool_parse(""), -EINVAL);
    assert_int_equal(conf_bool_parse("yes "), -EINVAL);
}

#define in_directory(f) cmocka_unit_test_setup_teardown(f, setup_directory, teardown_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_come_with_section_and_number),
        cmocka_unit_test(a_byte_order_mark_is_passed_over),
        cmocka_unit_test(an_indented_line_is_a_key_and_no_continuation),
        cmocka_unit_test(what_is_no_line_is_refused_with_its_number),
        cmocka_unit_test(a_nul_octet_is_refused),
        cmocka_unit_test(a_line_of_1024_octets_passes_and_one_more_does_not),
        cmocka_unit_test(names_are_never_cut),
        cmocka_unit_test(the_taker_can_stop_the_reading),
        in_directory(a_missing_file_is_an_empty_one),
        in_directory(a_file_larger_than_the_limit_is_refused),
        in_directory(what_is_no_regular_file_is_refused_and_never_waited_for),
        in_directory(a_file_that_others_may_write_is_refused_or_warned_of),
        in_directory(a_file_of_a_stranger_is_refused),
        in_directory(drop_ins_come_in_the_order_of_their_names),
        in_directory(a_directory_that_others_may_write_is_refused),
        in_directory(a_missing_directory_is_an_empty_one),
        in_directory(too_many_drop_ins_are_refused),
        in_directory(the_first_bad_drop_in_ends_the_reading),
        cmocka_unit_test(near_words_are_suggested_and_far_ones_are_not),
        cmocka_unit_test(a_boolean_is_one_of_eight_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
