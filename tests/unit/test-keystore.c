/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The key store and the way out of it: a Ks lives as long as the BSF said and not a microsecond longer, what is
 * derived is right and is not kept, and a key leaves through a pipe once.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "gba.h"
#include "keystore.h"
#include "util.h"

#define IMPI   "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define CK_IK  "b40ba9a3c58b2a05bbf0d987b21bf8cbf769bcd751044604127672711c6d3441"
#define RAND   "23553cbe9637a89d218ae64dae47bf35"
#define KS_NAF "ae9ecc3c7c17692c1d44d6d68d53a3b1624a706039753ba991e8293f3cfdec08"

static const uint8_t ua_digest[UA_PROTOCOL_LENGTH] = {0x01, 0x00, 0x00, 0x00, 0x02};

/* What a bootstrap would have brought, with a life of @usec. */
static void make_result(struct ub_result *ret, uint64_t usec) {
    uint8_t octets[KS_LENGTH];
    size_t length;

    memset(ret, 0, sizeof(*ret));
    assert_int_equal(hex_decode(CK_IK, octets, sizeof(octets), &length), 0);
    assert_int_equal(secret_new_copy(octets, length, &ret->ks), 0);
    assert_int_equal(hex_decode(RAND, ret->rand, sizeof(ret->rand), &length), 0);
    (void)snprintf(ret->impi, sizeof(ret->impi), "%s", IMPI);
    (void)snprintf(ret->btid, sizeof(ret->btid), "btid@bsf.example");
    ret->expires_usec = deadline_after(usec);
    ret->expires_utc_usec = 1893456000 * USEC_PER_SEC;
}

static void an_empty_store_has_nothing_to_give(void **state) {
    struct keystore *store = *state;
    struct keystore_info info;
    struct secret *key = NULL;

    assert_int_equal(keystore_get(store, &info), KEYS_E_NONE);
    assert_int_equal(keystore_derive(store, "naf.example.com", ua_digest, &key, &info),
                     KEYS_E_NONE);
    assert_null(key);
    assert_false(keystore_forget(store));
}

static void a_kept_ks_derives_the_published_example(void **state) {
    struct keystore *store = *state;
    _cleanup_secret_ struct secret *key = NULL;
    struct keystore_info info;
    struct ub_result result;
    char hex[2 * NAF_KEY_LENGTH + 1];

    make_result(&result, USEC_PER_SEC * 3600);
    keystore_put_take(store, &result);
    assert_null(result.ks);
    assert_int_equal(keystore_derive(store, "naf.example.com", ua_digest, &key, &info), 0);
    hex_encode(secret_data(key), secret_length(key), hex);
    assert_string_equal(hex, KS_NAF);
    assert_string_equal(info.btid, "btid@bsf.example");
    assert_true(info.expires_utc_usec == 1893456000 * USEC_PER_SEC);
}

static void derived_keys_cost_no_memory(void **state) {
    struct keystore *store = *state;
    struct keystore_info info;
    struct ub_result result;
    size_t before;

    make_result(&result, USEC_PER_SEC * 3600);
    keystore_put_take(store, &result);
    before = secret_arena_used();
    for (unsigned i = 0; i < 1000; i++) {
        struct secret *key = NULL;
        char naf[64];

        (void)snprintf(naf, sizeof(naf), "naf-%u.example.com", i);
        assert_int_equal(keystore_derive(store, naf, ua_digest, &key, &info), 0);
        secret_free(key);
    }
    assert_int_equal(secret_arena_used(), before);
    assert_int_equal(keystore_get(store, &info), 0);
    assert_int_equal(info.derivations, 1000);
}

static void a_dead_ks_is_erased_by_who_looks_first(void **state) {
    struct keystore *store = *state;
    struct keystore_info info;
    struct ub_result result;
    size_t before = secret_arena_used();

    make_result(&result, 0);
    keystore_put_take(store, &result);
    assert_int_equal(keystore_get(store, &info), KEYS_E_EXPIRED);
    assert_int_equal(secret_arena_used(), before);
    assert_int_equal(keystore_get(store, &info), KEYS_E_NONE);
}

static void a_new_ks_erases_the_one_before(void **state) {
    struct keystore *store = *state;
    struct ub_result result;
    size_t one;

    make_result(&result, USEC_PER_SEC);
    keystore_put_take(store, &result);
    one = secret_arena_used();
    make_result(&result, USEC_PER_SEC);
    keystore_put_take(store, &result);
    assert_int_equal(secret_arena_used(), one);
    assert_true(keystore_forget(store));
    assert_true(secret_arena_used() < one);
}

static void a_pipe_gives_the_key_once_and_then_ends(void **state) {
    _cleanup_secret_ struct secret *secret = NULL;
    _cleanup_close_ int fd = -1;
    uint8_t octets[64];

    (void)state;
    assert_int_equal(secret_new_copy("0123456789abcdef0123456789ABCDEF", 32, &secret), 0);
    fd = delivery_pipe(secret);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(read(fd, octets, sizeof(octets)), 32);
    assert_memory_equal(octets, "0123456789abcdef0123456789ABCDEF", 32);
    assert_int_equal(read(fd, octets, sizeof(octets)), 0);
}

static void deliveries_leave_no_descriptor_open(void **state) {
    _cleanup_secret_ struct secret *secret = NULL;
    int first, last;

    (void)state;
    assert_int_equal(secret_new_copy("k", 1, &secret), 0);
    first = delivery_pipe(secret);
    assert_true(first >= 0);
    assert_int_equal(close(first), 0);
    for (unsigned i = 0; i < 100; i++) {
        last = delivery_pipe(secret);
        assert_int_equal(last, first);
        assert_int_equal(close(last), 0);
    }
}

static int set_up(void **state) {
    struct keystore *store = NULL;
    int r = keystore_new(&store);

    *state = store;
    return r;
}

static int tear_down(void **state) {
    *state = keystore_free(*state);
    return 0;
}

static int arena_up(void **state) {
    (void)state;
    return secret_arena_init();
}

static int arena_down(void **state) {
    (void)state;
    return secret_arena_used() == 0 ? (secret_arena_done(), 0) : -1;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_empty_store_has_nothing_to_give, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_kept_ks_derives_the_published_example, set_up, tear_down),
        cmocka_unit_test_setup_teardown(derived_keys_cost_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dead_ks_is_erased_by_who_looks_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_new_ks_erases_the_one_before, set_up, tear_down),
        cmocka_unit_test(a_pipe_gives_the_key_once_and_then_ends),
        cmocka_unit_test(deliveries_leave_no_descriptor_open),
    };

    return cmocka_run_group_tests(tests, arena_up, arena_down);
}
