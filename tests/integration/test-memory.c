/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * No key is where it should not be: the whole memory of keystrapd, of its programs and of the bus daemon is read
 * after keys were made and handed out, and searched for them, raw, as hex and as base64.
 *
 * The keys are computed here from the subscriber's K with the lab's Milenage, so the test knows what to look for. That
 * it can find a key at all is shown by the Ks, which must be in keystrapd's arena and nowhere else.
 */

#include "gateway.h"

#include <fcntl.h>
#include <inttypes.h>
#include <nettle/base64.h>
#include <unistd.h>

#include "lab/hex.h"
#include "lab/milenage.h"
#include "lab/subscribers.h"

#define NEEDLES_MAX 96
#define CHUNK       (1024 * 1024)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

struct needle {
    const char *name;
    uint8_t octets[80];
    size_t length;
};

struct needles {
    struct needle list[NEEDLES_MAX];
    size_t count;
};

static void needles_add(struct needles *needles, const char *name, const void *data,
                        size_t length) {
    struct needle *needle = &needles->list[needles->count++];

    assert_true(needles->count <= NEEDLES_MAX);
    assert_true(length <= sizeof(needle->octets));
    needle->name = name;
    memcpy(needle->octets, data, length);
    needle->length = length;
}

/* A secret in every form in which it might lie about; a half of it is too much already. */
static void needles_add_secret(struct needles *needles, const char *name, const uint8_t *data,
                               size_t length) {
    char hex[2 * 32 + 1], base64[BASE64_ENCODE_RAW_LENGTH(32)];

    assert_true(length <= 32);
    needles_add(needles, name, data, length);
    if (length >= 16) {
        needles_add(needles, name, data, length / 2);
        needles_add(needles, name, data + length / 2, length / 2);
    }
    for (size_t i = 0; i < length; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", data[i]);
    needles_add(needles, name, hex, 2 * length);
    base64_encode_raw(base64, length, data);
    needles_add(needles, name, base64, BASE64_ENCODE_RAW_LENGTH(length) - 3);
}

struct found {
    unsigned in_arena;
    unsigned elsewhere;
};

static void search(const struct needles *needles, const uint8_t *data, size_t length, bool arena,
                   const char *who, const char *where, struct found *ret) {
    for (size_t i = 0; i < needles->count; i++) {
        const struct needle *needle = &needles->list[i];
        const uint8_t *hit = data;

        while ((hit = memmem(hit, length - (size_t)(hit - data), needle->octets, needle->length))) {
            if (arena) {
                ret->in_arena++;
            } else {
                ret->elsewhere++;
                fprintf(stderr, "%s: %zu octets of %s in %s", who, needle->length, needle->name,
                        where);
            }
            hit++;
        }
    }
}

/* One mapping, in pieces that overlap by the longest needle. */
static void search_mapping(const struct needles *needles, int memory, uint64_t begin, uint64_t end,
                           bool arena, const char *who, const char *where, struct found *ret) {
    uint8_t *chunk = malloc(CHUNK + 80);
    assert_non_null(chunk);

    for (uint64_t at = begin; at < end; at += CHUNK) {
        size_t want = end - at < CHUNK + 80 ? (size_t)(end - at) : CHUNK + 80;
        ssize_t n = pread(memory, chunk, want, (off_t)at);

        /* Device memory and guard pages cannot be read by anybody. */
        if (n > 0)
            search(needles, chunk, (size_t)n, arena, who, where, ret);
    }
    free(chunk);
}

static void search_process(pid_t pid, const char *who, const struct needles *needles,
                           struct found *ret) {
    char path[64], line[512], where[512] = "";
    uint64_t begin = 0, end = 0;
    bool readable = false;
    int memory;
    FILE *maps;

    memset(ret, 0, sizeof(*ret));
    (void)snprintf(path, sizeof(path), "/proc/%d/mem", pid);
    memory = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(memory >= 0);
    (void)snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
    maps = fopen(path, "re");
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        uint64_t first, last;
        char permissions[8];

        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %7s", &first, &last, permissions) == 3) {
            begin = first;
            end = last;
            readable = permissions[0] == 'r';
            (void)snprintf(where, sizeof(where), "%s", line);
        } else if (strncmp(line, "VmFlags:", 8) == 0 && readable) {
            bool arena = strstr(line, " lo") && strstr(line, " dd") && strstr(line, " wf");

            search_mapping(needles, memory, begin, end, arena, who, where, ret);
        }
    }
    (void)fclose(maps);
    (void)close(memory);
}

static void make_needles_of(struct gateway *gateway, const char *subscriber,
                            const char *naf_key_hex, struct needles *ret) {
    struct lab_subscribers subscribers;
    struct milenage_answer answer;
    struct base64_decode_ctx decoder;
    uint8_t rand[32], ks[32], naf_key[32];
    char btid[512], error[256];
    size_t length = sizeof(rand);

    assert_int_equal(world_ctl(gateway->bsf, "btid", btid, sizeof(btid)), 0);
    base64_decode_init(&decoder);
    assert_true(base64_decode_update(&decoder, &length, rand, 24, btid + strlen("ok ")));
    assert_int_equal(length, MILENAGE_RAND);
    assert_int_equal(lab_subscribers_load(WORLD_SOURCE "/tests/lab/lab.conf", &subscribers, error,
                                          sizeof(error)),
                     0);
    milenage_f2345(&lab_subscribers_by_name(&subscribers, subscriber)->key, rand, &answer);
    memcpy(ks, answer.ck, 16);
    memcpy(ks + 16, answer.ik, 16);
    for (size_t i = 0; i < sizeof(naf_key); i++)
        assert_int_equal(sscanf(naf_key_hex + 2 * i, "%2hhx", &naf_key[i]), 1);

    needles_add_secret(ret, "RES", answer.res, sizeof(answer.res));
    needles_add_secret(ret, "CK", answer.ck, sizeof(answer.ck));
    needles_add_secret(ret, "IK", answer.ik, sizeof(answer.ik));
    needles_add_secret(ret, "Ks", ks, sizeof(ks));
    needles_add_secret(ret, "Ks_NAF", naf_key, sizeof(naf_key));
    lab_subscribers_done(&subscribers);
}

static void make_needles(struct gateway *gateway, const char *naf_key_hex, struct needles *ret) {
    make_needles_of(gateway, SUBSCRIBER, naf_key_hex, ret);
}

static void expect_clean(pid_t pid, const char *who, const struct needles *needles) {
    struct found found;

    search_process(pid, who, needles, &found);
    assert_int_equal(found.elsewhere, 0);
}

static void after_use_no_key_is_outside_of_the_arena(void **state) {
    struct world_process *bus;
    struct needles needles = {.count = 0};
    struct gateway gateway;
    struct found found;
    char key[128];

    gateway_start(&gateway, *state, NULL, NULL);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    make_needles(&gateway, key, &needles);
    bus = world_find(gateway.world, "dbus-daemon");
    assert_non_null(bus);

    search_process(gateway.keystrapd->pid, "keystrapd", &needles, &found);
    assert_true(found.in_arena > 0);
    assert_int_equal(found.elsewhere, 0);
    expect_clean(bus->pid, "dbus-daemon", &needles);
    expect_clean(gateway_program("uicc-pcsc"), "uicc-pcsc", &needles);
    expect_clean(gateway_program("keystrap-http"), "keystrap-http", &needles);
}

static void after_forget_no_key_is_anywhere(void **state) {
    static const char *const forget[] = {"keystrapctl", "forget", NULL};
    struct needles needles = {.count = 0};
    struct gateway gateway;
    struct found found;
    char key[128];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
    make_needles(&gateway, key, &needles);
    assert_int_equal(world_call_as(gateway.world, WORLD_USER_ROOT, forget, NULL, 0), 0);
    search_process(gateway.keystrapd->pid, "keystrapd", &needles, &found);
    assert_int_equal(found.in_arena, 0);
    assert_int_equal(found.elsewhere, 0);
}

static void after_a_failed_bootstrap_no_key_is_anywhere(void **state) {
    struct needles needles = {.count = 0};
    struct gateway gateway;
    struct found found;
    char key[128];

    /* The BSF takes the proof and gives a B-TID, but does not prove itself. */
    gateway_start(&gateway, *state, NULL, NULL);
    assert_int_equal(world_ctl(gateway.bsf, "fault wrong-rspauth", NULL, 0), 0);
    assert_int_not_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
    make_needles(&gateway,
                 "00000000000000000000000000000000"
                 "00000000000000000000000000000000",
                 &needles);
    needles.count -= 5; /* there was no Ks_NAF */
    search_process(gateway.keystrapd->pid, "keystrapd", &needles, &found);
    assert_int_equal(found.in_arena, 0);
    assert_int_equal(found.elsewhere, 0);
}

/* Not in the arena either: in GBA_U neither Ks nor what it is made of is ever outside of the card. */
static void in_gba_u_there_is_nothing_to_find(void **state) {
    struct needles needles = {.count = 0};
    struct gateway gateway;
    struct found found;
    char key[128];

    gateway_start_with(&gateway, *state, "pump", NULL, NULL);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(gateway_ask(&gateway, WORLD_USER_METER, "naf.example.com", key, 128), 0);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    make_needles_of(&gateway, "pump", key, &needles);
    search_process(gateway.keystrapd->pid, "keystrapd", &needles, &found);
    assert_int_equal(found.in_arena, 0);
    assert_int_equal(found.elsewhere, 0);
    expect_clean(gateway_program("uicc-pcsc"), "uicc-pcsc", &needles);
    expect_clean(gateway_program("keystrap-http"), "keystrap-http", &needles);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_use_no_key_is_outside_of_the_arena),
        cmocka_unit_test(after_forget_no_key_is_anywhere),
        cmocka_unit_test(after_a_failed_bootstrap_no_key_is_anywhere),
        cmocka_unit_test(in_gba_u_there_is_nothing_to_find),
    };

    if (SANITIZED) {
        fprintf(stderr, "not with sanitizers, which keep what was freed: see the release build\n");
        return WORLD_SKIPPED;
    }
    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
