/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Secrets: what the arena promises, each promise looked at where it is kept (in the memory, in /proc, in a
 * forked child), and what becomes of a process that breaks the rules.
 */

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <openssl/crypto.h>

#include <cmocka.h>

#include "keystrap-limits.h"
#include "secret.h"
#include "util.h"

static int setup(void **state) {
    (void)state;
    return secret_arena_init();
}

static int teardown(void **state) {
    int r = secret_arena_used() == 0 ? 0 : -1;

    (void)state;
    secret_arena_done();
    return r;
}

/* Looks at memory that the code under test gave up, which AddressSanitizer would forbid. */
__attribute__((noinline, no_sanitize("address"))) static uint8_t peek(const uint8_t *p) {
    return *(const volatile uint8_t *)p;
}

static bool all_zero(const uint8_t *data, size_t length) {
    for (size_t i = 0; i < length; i++)
        if (peek(data + i) != 0)
            return false;
    return true;
}

static void test_the_self_test_passes_with_an_arena_and_only_then(void **state) {
    (void)state;
    assert_int_equal(secret_self_test(), -EIO);
    assert_int_equal(secret_arena_init(), 0);
    assert_int_equal(secret_self_test(), 0);
    assert_int_equal(secret_arena_used(), 0);
    secret_arena_done();
    assert_int_equal(secret_self_test(), -EIO);
}

/* Runs in a child, as what it breaks stays broken: 0 when the self-test passes. */
static int self_test_in_child(void (*sabotage)(struct secret *probe)) {
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct secret *probe;

        if (secret_arena_init() != 0 || secret_new(16, &probe) != 0)
            _exit(99);
        sabotage(probe);
        _exit(secret_self_test() == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static uint8_t *page_of(struct secret *secret) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    return secret_data_mutable(secret) - (uintptr_t)secret_data(secret) % page;
}

static void sabotage_nothing(struct secret *probe) {
    (void)probe;
}

static void sabotage_lock(struct secret *probe) {
    /* AddressSanitizer makes munlock(3) do nothing. */
    (void)syscall(SYS_munlock, page_of(probe), SECRET_ARENA_SIZE);
}

static void sabotage_dump(struct secret *probe) {
    (void)madvise(page_of(probe), SECRET_ARENA_SIZE, MADV_DODUMP);
}

static void sabotage_fork(struct secret *probe) {
    (void)madvise(page_of(probe), SECRET_ARENA_SIZE, MADV_KEEPONFORK);
}

static void test_the_self_test_fails_without_lock_or_with_dumps(void **state) {
    (void)state;
    assert_int_equal(self_test_in_child(sabotage_nothing), 0);
    assert_int_equal(self_test_in_child(sabotage_lock), 1);
    assert_int_equal(self_test_in_child(sabotage_dump), 1);
    assert_int_equal(self_test_in_child(sabotage_fork), 1);
}

static void test_a_second_arena_is_refused(void **state) {
    (void)state;
    assert_int_equal(secret_arena_init(), -EALREADY);
}

static void test_there_is_no_secret_without_an_arena(void **state) {
    struct secret *secret = NULL;

    (void)state;
    assert_int_equal(secret_new(16, &secret), -ENOMEM);
    assert_null(secret);
}

static void test_memory_that_cannot_be_locked_is_refused(void **state) {
    int status;
    pid_t pid = fork();

    (void)state;
    if (pid == 0) {
        struct rlimit none = {0, 0};

        /* As a user without the capability to ignore the limit. */
        if (setrlimit(RLIMIT_MEMLOCK, &none) < 0 || (geteuid() == 0 && setuid(65534) < 0))
            _exit(99);
        _exit(-secret_arena_init());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_true(WEXITSTATUS(status) == EPERM || WEXITSTATUS(status) == ENOMEM);
}

static void test_a_new_secret_is_zero_and_has_its_length(void **state) {
    static const size_t lengths[] = {1, 15, 16, 17, 32, 33, 1000, SECRET_LENGTH_MAX};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(lengths); i++) {
        _cleanup_secret_ struct secret *secret = NULL;

        assert_int_equal(secret_new(lengths[i], &secret), 0);
        assert_int_equal(secret_length(secret), lengths[i]);
        assert_true(all_zero(secret_data(secret), lengths[i]));
        memset(secret_data_mutable(secret), 0xff, lengths[i]);
    }
}

static void test_lengths_out_of_range_are_refused(void **state) {
    struct secret *secret = NULL;

    (void)state;
    assert_int_equal(secret_new(0, &secret), -EINVAL);
    assert_int_equal(secret_new(SECRET_LENGTH_MAX + 1, &secret), -EINVAL);
    assert_int_equal(secret_new_copy("", 0, &secret), -EINVAL);
    assert_null(secret);
}

static void test_a_freed_secret_reads_as_zero(void **state) {
    struct secret *secret;
    const uint8_t *data;

    (void)state;
    assert_int_equal(secret_new_copy("0123456789abcdef0123456789abcdef", 32, &secret), 0);
    data = secret_data(secret);
    assert_int_equal(peek(data), '0');
    assert_null(secret_free(secret));
    assert_true(all_zero(data, 48));
    assert_null(secret_free(NULL));
}

static void test_truncating_erases_the_rest_and_keeps_the_start(void **state) {
    _cleanup_secret_ struct secret *secret = NULL;
    const uint8_t *data;

    (void)state;
    assert_int_equal(secret_new_copy("0123456789abcdef", 16, &secret), 0);
    data = secret_data(secret);
    secret_truncate(secret, 4);
    assert_int_equal(secret_length(secret), 4);
    assert_memory_equal(data, "0123", 4);
    assert_true(all_zero(data + 4, 12));
    secret_truncate(secret, 0);
    assert_int_equal(secret_length(secret), 0);
}

static void test_only_equal_secrets_are_equal(void **state) {
    _cleanup_secret_ struct secret *a = NULL, *b = NULL, *other = NULL, *longer = NULL;

    (void)state;
    assert_int_equal(secret_new_copy("0123456789abcdef", 16, &a), 0);
    assert_int_equal(secret_new_copy("0123456789abcdef", 16, &b), 0);
    assert_int_equal(secret_new_copy("0123456789abcdeF", 16, &other), 0);
    assert_int_equal(secret_new_copy("0123456789abcdef", 17, &longer), 0);
    assert_true(secret_equal(a, b));
    assert_true(secret_equal(a, a));
    assert_false(secret_equal(a, other));
    assert_false(secret_equal(a, longer));
    assert_false(secret_equal(a, NULL));
    assert_false(secret_equal(NULL, NULL));
}

static void test_a_full_arena_refuses_and_recovers(void **state) {
    static struct secret *secrets[SECRET_ARENA_SIZE / 16];
    struct secret *one_more = NULL;
    size_t count = 0;

    (void)state;
    while (secret_new(1000, &secrets[count]) == 0)
        count++;
    assert_true(count * 1000 > SECRET_ARENA_SIZE * 9 / 10);
    assert_true(secret_arena_used() <= SECRET_ARENA_SIZE);
    assert_int_equal(secret_new(1000, &one_more), -ENOMEM);
    assert_null(one_more);

    /* A hole is used again. */
    secrets[count / 2] = secret_free(secrets[count / 2]);
    assert_int_equal(secret_new(1000, &secrets[count / 2]), 0);
    for (size_t i = 0; i < count; i++)
        secret_free(secrets[i]);
    assert_int_equal(secret_arena_used(), 0);
}

/* Random sizes, each secret filled with its own number: none may ever overlap another. */
static void test_secrets_never_overlap(void **state) {
    struct secret *secrets[100] = {0};
    unsigned seed = 1;

    (void)state;
    for (unsigned round = 0; round < 5000; round++) {
        size_t i = (size_t)rand_r(&seed) % ELEMENTS(secrets);

        if (secrets[i]) {
            const uint8_t *data = secret_data(secrets[i]);

            for (size_t j = 0; j < secret_length(secrets[i]); j++)
                assert_int_equal(data[j], i + 1);
            secrets[i] = secret_free(secrets[i]);
        } else {
            size_t length = 1 + (size_t)rand_r(&seed) % 2000;

            assert_int_equal(secret_new(length, &secrets[i]), 0);
            assert_true(all_zero(secret_data(secrets[i]), length));
            memset(secret_data_mutable(secrets[i]), (int)i + 1, length);
        }
    }
    for (size_t i = 0; i < ELEMENTS(secrets); i++)
        secret_free(secrets[i]);
}

static void *churn(void *data) {
    (void)data;
    for (unsigned i = 0; i < 2000; i++) {
        struct secret *secret;

        if (secret_new(1 + i % 100, &secret) != 0)
            return (void *)churn;
        memset(secret_data_mutable(secret), 0x55, secret_length(secret));
        secret_free(secret);
    }
    return NULL;
}

static void test_threads_may_share_the_arena(void **state) {
    pthread_t threads[4];
    void *result;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, NULL), 0);
    for (size_t i = 0; i < ELEMENTS(threads); i++) {
        assert_int_equal(pthread_join(threads[i], &result), 0);
        assert_null(result);
    }
}

static void test_a_forked_child_sees_zeros_and_may_free(void **state) {
    _cleanup_secret_ struct secret *secret = NULL;
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(secret_new_copy("0123456789abcdef", 16, &secret), 0);
    pid = fork();
    if (pid == 0) {
        bool wiped = all_zero(secret_data(secret), 16);

        secret_free(secret);
        _exit(wiped ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_memory_equal(secret_data(secret), "0123456789abcdef", 16);
}

static void test_openssls_own_copies_are_locked_too(void **state) {
    void *memory;

    (void)state;
    assert_int_equal(CRYPTO_secure_malloc_initialized(), 1);
    memory = OPENSSL_secure_malloc(32);
    assert_non_null(memory);
    assert_int_equal(CRYPTO_secure_allocated(memory), 1);
    OPENSSL_secure_clear_free(memory, 32);
}

/* Idle, the arena costs the page that was used and not the arena: resident pages, as the kernel counts. */
static void test_memory_is_taken_when_it_is_used(void **state) {
    _cleanup_secret_ struct secret *secret = NULL;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), resident = 0;
    unsigned char pages[SECRET_ARENA_SIZE / 4096];

    (void)state;
    /* valgrind 3.19 does not know mlock2(2), and locks whole mappings or none. */
    if (syscall(SYS_mlock2, pages, 0, 0) < 0 && errno == ENOSYS)
        skip();
    assert_int_equal(secret_new(32, &secret), 0);
    assert_int_equal(mincore(page_of(secret), SECRET_ARENA_SIZE, pages), 0);
    for (size_t i = 0; i < SECRET_ARENA_SIZE / page; i++)
        resident += pages[i] & 1;
    assert_true(resident <= 2);
}

/* --- Processes that break the rules ------------------------------------------------------------ */

/* The canary of the production build, or AddressSanitizer where that watches. */
static void overrun(struct secret *secret) {
    volatile uint8_t *end = secret_data_mutable(secret) + secret_length(secret);

    *end = (uint8_t) ~*end;
    secret_free(secret);
}

static void free_twice(struct secret *secret) {
    secret_free(secret);
    secret_free(secret);
}

static void free_another_thing(struct secret *secret) {
    (void)secret;
    secret_free((struct secret *)(void *)&secret);
}

static void grow(struct secret *secret) {
    secret_truncate(secret, secret_length(secret) + 1);
}

static void read_before_the_arena(struct secret *secret) {
    (void)*(const volatile uint8_t *)(page_of(secret) - 1);
}

static void read_behind_the_arena(struct secret *secret) {
    (void)*(const volatile uint8_t *)(page_of(secret) + SECRET_ARENA_SIZE);
}

static void test_a_process_that_breaks_the_rules_ends(void **state) {
    static void (*const crimes[])(struct secret *) = {
        overrun, free_twice, free_another_thing, grow, read_before_the_arena, read_behind_the_arena,
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(crimes); i++) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
            struct secret *secret;

            /* cmocka would catch the signal, and the sanitizer's report is of no interest. */
            (void)signal(SIGABRT, SIG_DFL);
            (void)signal(SIGSEGV, SIG_DFL);
            (void)close(STDERR_FILENO);
            if (secret_new(20, &secret) == 0)
                crimes[i](secret);
            _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
}

#define arena_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_self_test_passes_with_an_arena_and_only_then),
        cmocka_unit_test(test_the_self_test_fails_without_lock_or_with_dumps),
        cmocka_unit_test(test_there_is_no_secret_without_an_arena),
        cmocka_unit_test(test_memory_that_cannot_be_locked_is_refused),
        arena_test(test_a_second_arena_is_refused),
        arena_test(test_a_new_secret_is_zero_and_has_its_length),
        arena_test(test_lengths_out_of_range_are_refused),
        arena_test(test_a_freed_secret_reads_as_zero),
        arena_test(test_truncating_erases_the_rest_and_keeps_the_start),
        arena_test(test_only_equal_secrets_are_equal),
        arena_test(test_a_full_arena_refuses_and_recovers),
        arena_test(test_secrets_never_overlap),
        arena_test(test_threads_may_share_the_arena),
        arena_test(test_a_forked_child_sees_zeros_and_may_free),
        arena_test(test_openssls_own_copies_are_locked_too),
        arena_test(test_memory_is_taken_when_it_is_used),
        arena_test(test_a_process_that_breaks_the_rules_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
