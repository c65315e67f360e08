/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Records and the disk: a process that is killed at each of its system calls, a disk that is full or read-only, links and
 * other strangers in the directory, and files of the formats as they were released.
 *
 * The writer that is killed is this program, started anew: a forked child has no secrets.
 */

#include "conf-helpers.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "arena.h"
#include "record.h"

#define KEY    "0123456789abcdef0123456789abcdef"
#define BEFORE "the record before"
#define AFTER  "the record after, of another length"

/* "from the first release", as record "water", sealed under KEY, with a cryptography library of Python. */
static const char version_1[] =
    "\x4b\x53\x54\x52\x01\x00\x00\x00\x6e\x6f\x6e\x63\x65\x2d\x6f\x66\x2d\x76\x31\x2e"
    "\x54\x1b\xa1\xdb\xd3\x50\x92\xd0\xa0\x2c\x65\x9f\xc4\xf8\xa6\xa6\x7e\x28\x03\xf9"
    "\xc1\x19\xc3\x96\x05\x28\x1f\xd6\xfc\x55\x76\x95\x8d\xfd\xeb\xbf\x8f\x5c";

/* "from the present one", likewise. */
static const char version_2[] =
    "\x4b\x53\x54\x52\x02\x00\x00\x05\x77\x61\x74\x65\x72\x6e\x6f\x6e\x63\x65\x2d\x6f\x66\x2d"
    "\x76\x32\x2e\xeb\x81\xd2\x2a\xba\x7b\x79\x45\x73\xe0\xcd\x54\xe8\xa9\xcc\xc9\x05\x7a\x33"
    "\x17\xf7\xdb\xe0\x23\x72\xee\x98\x38\x10\x67\x09\xa6\xfa\x52\x19\x9d";

static struct record_store *store_of(const char *directory) {
    _cleanup_secret_ struct secret *key = NULL;
    struct record_store *store = NULL;
    struct failure failure = {0};

    assert_int_equal(secret_new_copy(KEY, strlen(KEY), &key), 0);
    if (record_store_open(directory, key, &store, &failure) != 0)
        fail_msg("%s", failure.text);
    return store;
}

static int put(struct record_store *store, const char *text, struct failure *failure) {
    _cleanup_secret_ struct secret *content = NULL;

    assert_int_equal(secret_new_copy(text, strlen(text), &content), 0);
    return record_put(store, "water", content, failure);
}

static bool has(struct record_store *store, const char *text) {
    _cleanup_secret_ struct secret *content = NULL;
    int r = record_get(store, "water", &content, NULL);

    if (r == RECORD_E_NONE)
        return !text;
    assert_int_equal(r, 0);
    return text && secret_length(content) == strlen(text) &&
           memcmp(secret_data(content), text, strlen(text)) == 0;
}

static size_t count_files(const char *directory) {
    DIR *stream = opendir(directory);
    struct dirent *entry;
    size_t count = 0;

    assert_non_null(stream);
    while ((entry = readdir(stream)))
        count += entry->d_name[0] != '.';
    (void)closedir(stream);
    return count;
}

static size_t read_record(const char *directory, uint8_t *ret, size_t size) {
    char path[PATH_SIZE];
    FILE *f = fopen(path_in(directory, "water.record", path), "re");
    size_t length;

    assert_non_null(f);
    length = fread(ret, 1, size, f);
    assert_int_equal(fclose(f), 0);
    return length;
}

/* --- A process that is killed --------------------------------------------------------------------------- */

/* What the writer does: open, say so by a signal, and write or remove. */
static int write_and_end(const char *directory, const char *what) {
    struct record_store *store;
    int r;

    if (secret_arena_init() != 0)
        return 1;
    store = store_of(directory);
    (void)raise(SIGUSR1);
    r = strcmp(what, "remove") == 0 ? record_remove(store, "water", NULL) : put(store, AFTER, NULL);
    _exit(r == 0 ? 0 : 1);
}

static pid_t writer_start(const char *directory, const char *what) {
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        (void)ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        (void)execl("/proc/self/exe", "writer", directory, what, NULL);
        _exit(1);
    }
    assert_true(pid > 0);
    do {
        assert_int_equal(waitpid(pid, &status, __WALL), pid);
        assert_true(WIFSTOPPED(status));
        assert_int_equal(
            ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL), 0);
        if (WSTOPSIG(status) != SIGUSR1)
            assert_int_equal(ptrace(PTRACE_CONT, pid, NULL, NULL), 0);
    } while (WSTOPSIG(status) != SIGUSR1);
    return pid;
}

/* One stop further, before or behind a system call. False when the writer has come to its end. */
static bool writer_step(pid_t pid) {
    int status;

    assert_int_equal(ptrace(PTRACE_SYSCALL, pid, NULL, NULL), 0);
    assert_int_equal(waitpid(pid, &status, __WALL), pid);
    if (!WIFEXITED(status))
        return true;
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static void writer_kill(pid_t pid) {
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, __WALL), pid);
}

/* Killed at its first stop, at its second, and so on to its end: there is BEFORE, and from some stop on @after. */
static void kill_at_each_call(const char *directory, const char *what, const char *after) {
    bool was_after = false, ended = false;

    for (unsigned stops = 0; !ended; stops++) {
        struct record_store *store = store_of(directory);
        pid_t pid;

        assert_true(stops < 1000);
        assert_int_equal(put(store, BEFORE, NULL), 0);
        record_store_free(store);

        pid = writer_start(directory, what);
        for (unsigned i = 0; !ended && i <= stops; i++)
            ended = !writer_step(pid);
        if (!ended)
            writer_kill(pid);

        store = store_of(directory);
        if (!has(store, BEFORE) || ended || was_after) {
            assert_true(has(store, after));
            was_after = true;
        }
        record_store_free(store);
        assert_int_equal(count_files(directory), was_after && !after ? 0 : 1);
    }
    assert_true(was_after);
}

static void a_writer_killed_at_any_call_leaves_the_record_before_or_after(void **state) {
    kill_at_each_call(*state, "write", AFTER);
}

static void a_remover_killed_at_any_call_leaves_the_record_or_none(void **state) {
    kill_at_each_call(*state, "remove", NULL);
}

/* What no kill can show and a power loss would: nothing is renamed before it is on the disk, or promised before its name is. */
static void the_file_is_synced_before_its_name_and_the_directory_after(void **state) {
    char calls[64] = "";
    pid_t pid;

    pid = writer_start(*state, "write");
    while (writer_step(pid)) {
        struct __ptrace_syscall_info info;

        if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) <= 0 ||
            info.op != PTRACE_SYSCALL_INFO_ENTRY || strlen(calls) > sizeof(calls) - 2)
            continue;
        if (info.entry.nr == SYS_write)
            strcat(calls, "w");
        else if (info.entry.nr == SYS_fsync)
            strcat(calls, "s");
        else if (info.entry.nr == SYS_renameat || info.entry.nr == SYS_renameat2)
            strcat(calls, "r");
    }
    assert_string_equal(calls, "wsrs");
}

/* --- Disks ------------------------------------------------------------------------------------------------ */

static bool mounted(const char *directory, const char *options) {
    static bool tried, may;

    if (!tried)
        may = unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    tried = true;
    if (!may || mount("tmpfs", directory, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        return false;
    assert_int_equal(chmod(directory, 0700), 0);
    return true;
}

static void expect_full(struct record_store *store, const char *directory) {
    struct failure failure = {0};

    assert_int_equal(put(store, AFTER, &failure), -ENOSPC);
    assert_contains(failure.text, directory);
    assert_contains(failure.text, "water.record cannot be written: No space left");
    assert_true(has(store, BEFORE));
}

static void a_full_disk_keeps_the_record_before(void **state) {
    struct record_store *store;
    char path[PATH_SIZE];
    uint8_t page[4096] = {0};
    size_t files;
    int fd;

    if (!mounted(*state, "size=64k,mode=0700"))
        skip();
    store = store_of(*state);
    assert_int_equal(put(store, BEFORE, NULL), 0);
    fd = open(path_in(*state, "ballast", path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    while (write(fd, page, sizeof(page)) > 0)
        continue;
    files = count_files(*state);
    expect_full(store, *state);
    assert_int_equal(count_files(*state), files);

    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(put(store, AFTER, NULL), 0);
    assert_true(has(store, AFTER));
    fd = safe_close(fd);
    record_store_free(store);
    assert_int_equal(umount2(*state, MNT_DETACH), 0);
}

static void a_disk_without_inodes_keeps_the_record_before(void **state) {
    struct record_store *store;

    /* One for the directory itself and one for the record. */
    if (!mounted(*state, "size=64k,nr_inodes=2,mode=0700"))
        skip();
    store = store_of(*state);
    assert_int_equal(put(store, BEFORE, NULL), 0);
    expect_full(store, *state);
    record_store_free(store);
    assert_int_equal(umount2(*state, MNT_DETACH), 0);
}

static void a_disk_that_became_read_only_says_so_and_can_be_read(void **state) {
    _cleanup_secret_ struct secret *content = NULL;
    struct failure failure = {0};
    struct record_store *store;

    if (!mounted(*state, "size=64k,mode=0700"))
        skip();
    store = store_of(*state);
    assert_int_equal(put(store, BEFORE, NULL), 0);
    assert_int_equal(mount(NULL, *state, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    assert_int_equal(put(store, AFTER, &failure), -EROFS);
    assert_contains(failure.text, "Read-only");
    assert_true(has(store, BEFORE));

    /* A damaged one cannot be set aside there, and nobody is told that it was. */
    assert_int_equal(mount(NULL, *state, NULL, MS_REMOUNT, NULL), 0);
    write_file(*state, "water.record", "torn");
    assert_int_equal(mount(NULL, *state, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
    failure_clear(&failure);
    assert_int_equal(record_get(store, "water", &content, &failure), RECORD_E_DAMAGED);
    assert_contains(failure.text, "cannot be set aside: Read-only");
    record_store_free(store);
    assert_int_equal(umount2(*state, MNT_DETACH), 0);
}

/* The first octets are written, the rest is not: at each length. */
static void a_write_that_stops_short_keeps_the_record_before(void **state) {
    struct record_store *store = store_of(*state);
    struct rlimit limit, all;
    bool written = false;

    assert_int_equal(put(store, BEFORE, NULL), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    (void)signal(SIGXFSZ, SIG_IGN);
    for (rlim_t length = 0; !written; length++) {
        struct failure failure = {0};
        int r;

        assert_true(length < 200);
        limit = (struct rlimit){.rlim_cur = length, .rlim_max = all.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        r = put(store, AFTER, &failure);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
        written = r == 0;
        if (!written)
            assert_int_equal(r, -EFBIG);
        assert_true(has(store, written ? AFTER : BEFORE));
        assert_int_equal(count_files(*state), 1);
    }
    (void)signal(SIGXFSZ, SIG_DFL);
    record_store_free(store);
}

/* --- What else is in the directory -------------------------------------------------------------------------- */

static void links_are_not_followed(void **state) {
    struct record_store *store = store_of(*state);
    _cleanup_secret_ struct secret *content = NULL;
    char path[PATH_SIZE], other[PATH_SIZE];
    struct failure failure = {0};
    struct stat st;

    write_file(*state, "other", "untouched");
    assert_int_equal(
        symlink(path_in(*state, "other", other), path_in(*state, "water.record", path)), 0);
    assert_int_equal(record_get(store, "water", &content, &failure), -ELOOP);
    assert_contains(failure.text, "water.record cannot be read");
    assert_int_equal(symlink(other, path_in(*state, "water.record.tmp", path)), 0);
    assert_int_equal(put(store, AFTER, NULL), 0);
    assert_true(has(store, AFTER));
    assert_int_equal(stat(other, &st), 0);
    assert_int_equal(st.st_size, strlen("untouched"));
    record_store_free(store);
}

static void what_is_no_file_neither_holds_up_nor_is_read(void **state) {
    struct record_store *store = store_of(*state);
    _cleanup_secret_ struct secret *content = NULL;
    struct failure failure = {0};
    char path[PATH_SIZE];

    assert_int_equal(mkfifo(path_in(*state, "water.record", path), 0600), 0);
    assert_int_equal(record_get(store, "water", &content, &failure), -EINVAL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(record_get(store, "water", &content, &failure), -EINVAL);
    assert_int_equal(rmdir(path), 0);
    assert_true(has(store, NULL));
    record_store_free(store);
}

static void a_directory_that_is_a_link_is_refused(void **state) {
    _cleanup_secret_ struct secret *key = NULL;
    char path[PATH_SIZE], inside[PATH_SIZE];
    struct record_store *store = NULL;
    struct failure failure = {0};

    assert_int_equal(secret_new_copy(KEY, strlen(KEY), &key), 0);
    assert_int_equal(mkdir(path_in(*state, "inside", inside), 0700), 0);
    assert_int_equal(symlink(inside, path_in(*state, "link", path)), 0);
    assert_true(record_store_open(path, key, &store, &failure) < 0);
    assert_null(store);
    assert_contains(failure.text, path);
}

static void files_and_directory_are_for_us_alone_whatever_the_umask_is(void **state) {
    struct record_store *store;
    char path[PATH_SIZE];
    struct stat st;
    mode_t old = umask(0);

    store = store_of(path_in(*state, "records", path));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(put(store, BEFORE, NULL), 0);
    assert_int_equal(stat(path_in(*state, "records/water.record", path), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    (void)umask(old);
    record_store_free(store);
}

/* --- Formats -------------------------------------------------------------------------------------------------- */

static void a_released_record_of_version_1_becomes_one_of_version_2(void **state) {
    struct record_store *store = store_of(*state);
    uint8_t file[256];

    write_octets(*state, "water.record", version_1, sizeof(version_1) - 1);
    assert_true(has(store, "from the first release"));
    assert_true(read_record(*state, file, sizeof(file)) > sizeof(version_1) - 1);
    assert_memory_equal(file, "KSTR\x02", 5);
    assert_true(has(store, "from the first release"));
    assert_int_equal(count_files(*state), 1);
    record_store_free(store);
}

/* A disk that is full is no reason to do without it. */
static void a_record_of_version_1_is_read_where_it_cannot_be_written_again(void **state) {
    struct record_store *store = store_of(*state);
    struct rlimit all, none;

    write_octets(*state, "water.record", version_1, sizeof(version_1) - 1);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &all), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = all.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_true(has(store, "from the first release"));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    (void)signal(SIGXFSZ, SIG_DFL);
    assert_true(has(store, "from the first release"));
    record_store_free(store);
}

static void a_released_record_of_version_2_is_read(void **state) {
    struct record_store *store = store_of(*state);

    write_octets(*state, "water.record", version_2, sizeof(version_2) - 1);
    assert_true(has(store, "from the present one"));
    record_store_free(store);
}

/* Only the version may claim to be a later one; whatever else is changed is noticed, set aside and named. */
static void flip_each_bit(const char *directory, const char *whole, size_t length) {
    struct record_store *store = store_of(directory);

    for (size_t i = 0; i < 8 * length; i++) {
        struct secret *content = NULL;
        struct failure failure = {0};
        char path[PATH_SIZE];
        uint8_t changed[256];
        int r;

        memcpy(changed, whole, length);
        changed[i / 8] ^= (uint8_t)(1 << i % 8);
        write_octets(directory, "water.record", changed, length);
        r = record_get(store, "water", &content, &failure);
        assert_null(content);
        if (i / 8 == 4 && changed[4] > 2) {
            assert_int_equal(r, RECORD_E_VERSION);
            continue;
        }
        if (r != RECORD_E_DAMAGED)
            fail_msg("bit %zu of octet %zu: %d", i % 8, i / 8, r);
        assert_contains(failure.text, "/water.record ");
        assert_contains(failure.text, "water.record.bad-1");
        assert_true(has(store, NULL));
        assert_int_equal(unlink(path_in(directory, "water.record.bad-1", path)), 0);
    }
    record_store_free(store);
}

static void each_flipped_bit_of_either_version_is_noticed(void **state) {
    struct capture capture;

    capture_start(&capture); /* of some hundred lines in the log */
    flip_each_bit(*state, version_1, sizeof(version_1) - 1);
    flip_each_bit(*state, version_2, sizeof(version_2) - 1);
    capture_end(&capture);
    assert_contains(capture.text, "water.record");
}

static int teardown(void **state) {
    return teardown_directory(state) == 0 ? arena_empty(state) : -1;
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
#define CLAIM(f) cmocka_unit_test_setup_teardown(f, setup_directory, teardown)
        CLAIM(a_writer_killed_at_any_call_leaves_the_record_before_or_after),
        CLAIM(a_remover_killed_at_any_call_leaves_the_record_or_none),
        CLAIM(the_file_is_synced_before_its_name_and_the_directory_after),
        CLAIM(a_full_disk_keeps_the_record_before),
        CLAIM(a_disk_without_inodes_keeps_the_record_before),
        CLAIM(a_disk_that_became_read_only_says_so_and_can_be_read),
        CLAIM(a_write_that_stops_short_keeps_the_record_before),
        CLAIM(links_are_not_followed),
        CLAIM(what_is_no_file_neither_holds_up_nor_is_read),
        CLAIM(a_directory_that_is_a_link_is_refused),
        CLAIM(files_and_directory_are_for_us_alone_whatever_the_umask_is),
        CLAIM(a_released_record_of_version_1_becomes_one_of_version_2),
        CLAIM(a_record_of_version_1_is_read_where_it_cannot_be_written_again),
        CLAIM(a_released_record_of_version_2_is_read),
        CLAIM(each_flipped_bit_of_either_version_is_noticed),
#undef CLAIM
    };

    if (argc == 3)
        return write_and_end(argv[1], argv[2]);
    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
