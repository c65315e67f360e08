/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Sealed records: what comes back after a restart, and what of every fault a file can have. The
 * power, full disks and older formats are in test-record-disk.
 */

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "arena.h"
#include "keystrap-limits.h"
#include "log.h"
#include "record.h"
#include "util.h"

#define SEALING_KEY "a sealing key of 32 octets and more"

struct place {
    char directory[64];
    struct record_store *store;
    struct failure failure;
};

static struct secret *secret_of(const char *text) {
    struct secret *secret = NULL;

    assert_int_equal(secret_new_copy(text, strlen(text), &secret), 0);
    return secret;
}

static int place_open(struct place *place, const char *key_text) {
    _cleanup_secret_ struct secret *key = secret_of(key_text);

    place->store = record_store_free(place->store);
    return record_store_open(place->directory, key, &place->store, &place->failure);
}

static int setup(void **state) {
    struct place *place = calloc(1, sizeof(*place));

    assert_non_null(place);
    (void)snprintf(place->directory, sizeof(place->directory), "%s/keystrap-record-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(place->directory));
    assert_int_equal(place_open(place, SEALING_KEY), 0);
    *state = place;
    return 0;
}

static void file_path(const struct place *place, const char *file, char ret[256]) {
    (void)snprintf(ret, 256, "%s/%s", place->directory, file);
}

static int teardown(void **state) {
    struct place *place = *state;
    DIR *directory = opendir(place->directory);
    struct dirent *entry;

    while (directory && (entry = readdir(directory)))
        (void)unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory)
        (void)closedir(directory);
    (void)rmdir(place->directory);
    record_store_free(place->store);
    free(place);
    return 0;
}

static void put(struct place *place, const char *name, const char *text) {
    _cleanup_secret_ struct secret *content = secret_of(text);

    assert_int_equal(record_put(place->store, name, content, &place->failure), 0);
}

static void expect(struct place *place, const char *name, const char *text) {
    _cleanup_secret_ struct secret *content = NULL, *wanted = secret_of(text);

    assert_int_equal(record_get(place->store, name, &content, &place->failure), 0);
    assert_true(secret_equal(content, wanted));
}

static size_t read_file(const struct place *place, const char *file, uint8_t *ret, size_t size) {
    char path[256];
    size_t length;
    FILE *f;

    file_path(place, file, path);
    f = fopen(path, "re");
    assert_non_null(f);
    length = fread(ret, 1, size, f);
    assert_int_equal(fclose(f), 0);
    return length;
}

static void write_file(const struct place *place, const char *file, const uint8_t *data,
                       size_t length) {
    char path[256];
    FILE *f;

    file_path(place, file, path);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, length, f), length);
    assert_int_equal(fclose(f), 0);
}

static bool exists(const struct place *place, const char *file) {
    char path[256];

    file_path(place, file, path);
    return access(path, F_OK) == 0;
}

/* --- What works ----------------------------------------------------------------------------------- */

static void test_a_record_is_there_after_a_restart_and_unreadable_without_the_key(void **state) {
    struct place *place = *state;
    uint8_t file[1024];
    size_t length;

    put(place, "ke-water", "the first");
    put(place, "ke-water", "the enrolled key");
    expect(place, "ke-water", "the enrolled key");
    assert_int_equal(place_open(place, SEALING_KEY), 0);
    expect(place, "ke-water", "the enrolled key");
    length = read_file(place, "ke-water.record", file, sizeof(file));
    assert_null(memmem(file, length, "enrolled key", 12));
}

static void test_the_same_content_is_never_sealed_to_the_same_octets(void **state) {
    struct place *place = *state;
    uint8_t first[1024], second[1024];
    size_t length;

    put(place, "a", "content");
    length = read_file(place, "a.record", first, sizeof(first));
    put(place, "a", "content");
    assert_int_equal(read_file(place, "a.record", second, sizeof(second)), length);
    assert_memory_not_equal(first, second, length);
}

static int take_name(const char *name, void *userdata) {
    strcat(strcat(userdata, name), " ");
    return 0;
}

static void test_names_come_in_order_and_a_removed_one_is_gone(void **state) {
    struct place *place = *state;
    char names[256] = "";
    struct secret *content = NULL;

    put(place, "b", "2");
    put(place, "a", "1");
    put(place, "c", "3");
    assert_int_equal(record_remove(place->store, "b", &place->failure), 0);
    assert_int_equal(record_remove(place->store, "b", &place->failure), 0);
    assert_int_equal(record_each(place->store, take_name, names), 0);
    assert_string_equal(names, "a c ");
    assert_int_equal(record_get(place->store, "b", &content, &place->failure), RECORD_E_NONE);
    assert_null(content);
}

static void test_names_and_lengths_that_are_none_are_refused(void **state) {
    static const char *const names[] = {"", ".a", "../a", "a/b", "A", "a b"};
    struct place *place = *state;
    _cleanup_secret_ struct secret *content = secret_of("content"), *long_one = NULL;

    for (size_t i = 0; i < ELEMENTS(names); i++)
        assert_int_equal(record_put(place->store, names[i], content, &place->failure), -EINVAL);
    if (RECORD_MAX + 1 <= SECRET_LENGTH_MAX) {
        assert_int_equal(secret_new(RECORD_MAX + 1, &long_one), 0);
        assert_int_equal(record_put(place->store, "a", long_one, &place->failure), -EINVAL);
    }
}

static void test_a_short_sealing_key_and_an_open_directory_are_refused(void **state) {
    struct place *place = *state;

    assert_int_equal(place_open(place, "short"), -EINVAL);
    failure_clear(&place->failure);
    assert_int_equal(chmod(place->directory, 0777), 0);
    assert_int_equal(place_open(place, SEALING_KEY), -EPERM);
    assert_non_null(strstr(place->failure.text, place->directory));
}

/* --- What a file can have ------------------------------------------------------------------------- */

/* The record "a" is damaged; it is set aside under a name that is told, and not there any more. */
static void expect_damage(struct place *place) {
    struct secret *content = NULL;

    failure_clear(&place->failure);
    assert_int_equal(record_get(place->store, "a", &content, &place->failure), RECORD_E_DAMAGED);
    assert_null(content);
    assert_non_null(strstr(place->failure.text, ".bad-"));
    assert_false(exists(place, "a.record"));
    assert_int_equal(record_get(place->store, "a", &content, &place->failure), RECORD_E_NONE);
}

static void test_each_flipped_bit_is_noticed(void **state) {
    struct place *place = *state;
    uint8_t whole[1024], changed[1024];
    size_t length;

    put(place, "a", "the enrolled key");
    length = read_file(place, "a.record", whole, sizeof(whole));
    for (size_t i = 0; i < length; i++) {
        struct secret *content = NULL;
        int r;

        memcpy(changed, whole, length);
        changed[i] ^= (uint8_t)(1 << (i % 8));
        write_file(place, "a.record", changed, length);
        r = record_get(place->store, "a", &content, &place->failure);
        /* The octet of the version may name a later one, which stays where it is. */
        if (r != RECORD_E_DAMAGED && !(i == 4 && r == RECORD_E_VERSION))
            fail_msg("octet %zu: %d", i, r);
        assert_null(content);
    }
}

static void test_each_torn_length_is_noticed_and_set_aside(void **state) {
    struct place *place = *state;
    uint8_t whole[1024];
    size_t length;

    put(place, "a", "the enrolled key");
    length = read_file(place, "a.record", whole, sizeof(whole));
    for (size_t i = 0; i < length; i++) {
        write_file(place, "a.record", whole, i);
        expect_damage(place);
    }
    write_file(place, "a.record", whole, length);
    expect(place, "a", "the enrolled key");
}

static void test_a_record_of_another_name_or_key_is_set_aside(void **state) {
    struct place *place = *state;
    uint8_t file[1024];
    size_t length;

    put(place, "b", "the key of another");
    length = read_file(place, "b.record", file, sizeof(file));
    write_file(place, "a.record", file, length);
    expect_damage(place);
    put(place, "a", "content");
    assert_int_equal(place_open(place, "another sealing key of 32 octets"), 0);
    expect_damage(place);
}

static void test_what_was_set_aside_is_kept_whatever_comes_after(void **state) {
    struct place *place = *state;

    for (unsigned i = 0; i < 3; i++) {
        write_file(place, "a.record", (const uint8_t *)"garbage", 7);
        expect_damage(place);
    }
    assert_true(exists(place, "a.record.bad-1"));
    assert_true(exists(place, "a.record.bad-2"));
    assert_true(exists(place, "a.record.bad-3"));
}

static void test_a_later_version_stays_where_it_is(void **state) {
    struct place *place = *state;
    struct secret *content = NULL;
    uint8_t file[1024];
    size_t length;

    put(place, "a", "content");
    length = read_file(place, "a.record", file, sizeof(file));
    file[4]++;
    write_file(place, "a.record", file, length);
    assert_int_equal(record_get(place->store, "a", &content, &place->failure), RECORD_E_VERSION);
    assert_true(exists(place, "a.record"));
    file[4]--;
    write_file(place, "a.record", file, length);
    expect(place, "a", "content");
}

/* --- The power ------------------------------------------------------------------------------------- */

static void test_what_a_power_loss_left_is_swept_up(void **state) {
    struct place *place = *state;
    char names[256] = "";
    DIR *directory;
    struct dirent *entry;
    size_t count = 0;

    put(place, "a", "content");
    write_file(place, "a.record.tmp", (const uint8_t *)"half", 4);
    assert_int_equal(place_open(place, SEALING_KEY), 0);
    expect(place, "a", "content");
    assert_int_equal(record_each(place->store, take_name, names), 0);
    assert_string_equal(names, "a ");
    directory = opendir(place->directory);
    assert_non_null(directory);
    while ((entry = readdir(directory)))
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    assert_int_equal(closedir(directory), 0);
    assert_int_equal(count, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        T(test_a_record_is_there_after_a_restart_and_unreadable_without_the_key),
        T(test_the_same_content_is_never_sealed_to_the_same_octets),
        T(test_names_come_in_order_and_a_removed_one_is_gone),
        T(test_names_and_lengths_that_are_none_are_refused),
        T(test_a_short_sealing_key_and_an_open_directory_are_refused),
        T(test_each_flipped_bit_is_noticed),
        T(test_each_torn_length_is_noticed_and_set_aside),
        T(test_a_record_of_another_name_or_key_is_set_aside),
        T(test_what_was_set_aside_is_kept_whatever_comes_after),
        T(test_a_later_version_stays_where_it_is),
        T(test_what_a_power_loss_left_is_swept_up),
#undef T
    };

    log_set_max_level(LOG_CRIT); /* each record that is set aside has a line */
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
