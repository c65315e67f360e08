/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA push in the running service: an application hands in what the NAF sent, and has the key that the BSF would tell that
 * NAF, without a word to the BSF; whoever makes a push up, uses one twice or has no right to the NAF's keys has none.
 */

#include "gateway.h"

#include <errno.h>
#include <grp.h>
#include <sys/wait.h>
#include <unistd.h>

#include <systemd/sd-bus.h>

#include "lab/hex.h"

#define IMPI "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define PUMP "001010000000004@ims.mnc001.mcc001.3gppnetwork.org" /* of a card with GBA_U */
#define UA   "0100000005"

/* What PushInfo was answered with: P-TID and key in hex, or the error's name. */
struct pushed {
    bool done;
    char ptid[256];
    char naf[256];
    char key[2 * 32 + 2];
    char error[128];
    char text[512];
};

static int read_reply(sd_bus_message *reply, struct pushed *pushed) {
    const char *ptid, *names[2], *naf;
    uint8_t key[33];
    uint64_t expires, boot;
    int fd, r;

    r = sd_bus_message_read(reply, "shta{sv}", &ptid, &fd, &expires, 2, &names[0], "t", &boot,
                            &names[1], "s", &naf);
    if (r < 0)
        return r;
    if (read(fd, key, sizeof(key)) != 32)
        return -EBADMSG;
    pushed->done = true;
    (void)snprintf(pushed->ptid, sizeof(pushed->ptid), "%s", ptid);
    (void)snprintf(pushed->naf, sizeof(pushed->naf), "%s", naf);
    hex_encode(key, 32, pushed->key);
    return 0;
}

static int call(const uint8_t *gpi, size_t length, struct pushed *pushed) {
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *message = NULL, *reply = NULL;
    sd_bus *bus = NULL;
    int r;

    r = sd_bus_open_system(&bus);
    if (r >= 0)
        r = sd_bus_message_new_method_call(bus, &message, "org.keystrap.Agent1",
                                           "/org/keystrap/Agent1", "org.keystrap.Agent1.Keys",
                                           "PushInfo");
    if (r >= 0)
        r = sd_bus_message_append_array(message, 'y', gpi, length);
    if (r >= 0)
        r = sd_bus_call(bus, message, 20 * 1000000, &error, &reply);
    if (r >= 0)
        r = read_reply(reply, pushed);
    (void)snprintf(pushed->error, sizeof(pushed->error), "%s", error.name ? error.name : "");
    (void)snprintf(pushed->text, sizeof(pushed->text), "%s", error.message ? error.message : "");
    sd_bus_error_free(&error);
    sd_bus_message_unref(reply);
    sd_bus_message_unref(message);
    sd_bus_flush_close_unref(bus);
    return r;
}

/* A process of its own is @uid and asks. */
static struct pushed push_as(uid_t uid, const char *hex) {
    struct pushed pushed = {0};
    uint8_t gpi[1024];
    size_t length = 0;
    int fds[2];
    pid_t pid;

    assert_int_equal(hex_decode(hex, gpi, sizeof(gpi), &length), 0);
    assert_int_equal(pipe(fds), 0);
    pid = fork();
    if (pid == 0) {
        if (setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
            setresuid(uid, uid, uid) == 0)
            (void)call(gpi, length, &pushed);
        (void)!write(fds[1], &pushed, sizeof(pushed));
        _exit(0);
    }
    assert_true(pid > 0);
    (void)close(fds[1]);
    assert_int_equal(read(fds[0], &pushed, sizeof(pushed)), sizeof(pushed));
    (void)close(fds[0]);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    return pushed;
}

static void expect_error(const struct pushed *pushed, const char *name, const char *words) {
    char expected[128];

    (void)snprintf(expected, sizeof(expected), "org.keystrap.Agent1.Error.%s", name);
    assert_false(pushed->done);
    assert_string_equal(pushed->error, expected);
    if (!strstr(pushed->text, words))
        fail_msg("\"%s\" is not in: %s", words, pushed->text);
}

/* Have the BSF make a push for @impi and the NAF @fqdn; @more is "" or " u", for GBA_U. */
static void make_push(struct gateway *gateway, const char *impi, const char *fqdn, const char *more,
                      char *ret, size_t size) {
    char command[256], reply[1024];

    (void)snprintf(command, sizeof(command), "gpi %s %s " UA "%s", impi, fqdn, more);
    assert_int_equal(world_ctl(gateway->bsf, command, reply, sizeof(reply)), 0);
    (void)snprintf(ret, size, "%s", strncmp(reply, "ok ", 3) == 0 ? reply + 3 : reply);
}

static void expect_key(struct gateway *gateway, const struct pushed *pushed) {
    char command[512], reply[256];

    if (!pushed->done)
        fail_msg("%s: %s", pushed->error, pushed->text);
    assert_string_equal(pushed->naf, WORLD_NAF_NAME);
    (void)snprintf(command, sizeof(command), "key %s " WORLD_NAF_NAME " " UA, pushed->ptid);
    assert_int_equal(world_ctl(gateway->bsf, command, reply, sizeof(reply)), 0);
    assert_non_null(strstr(reply, pushed->key));
}

static void a_pushed_key_is_the_nafs_and_costs_no_request(void **state) {
    struct gateway gateway;
    struct pushed pushed;
    char gpi[1024];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    make_push(&gateway, IMPI, WORLD_NAF_NAME, "", gpi, sizeof(gpi));
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_key(&gateway, &pushed);
    assert_int_equal(gateway_count(gateway.bsf, "requests"), 0);

    /* It was for one key: the card knows it, and an ordinary bootstrap is none the worse. */
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_error(&pushed, "ResynchronisationFailed", "used already");
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    make_push(&gateway, IMPI, WORLD_NAF_NAME, "", gpi, sizeof(gpi));
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_key(&gateway, &pushed);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
}

static void who_has_no_right_or_makes_one_up_has_no_key(void **state) {
    struct gateway gateway;
    struct pushed pushed;
    char gpi[1024], other[1024];
    size_t length;

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    make_push(&gateway, IMPI, WORLD_NAF_NAME, "", gpi, sizeof(gpi));
    pushed = push_as(WORLD_USER_STRANGER, gpi);
    expect_error(&pushed, "AccessDenied", "stranger");
    make_push(&gateway, IMPI, "naf.elsewhere.test", "", other, sizeof(other));
    pushed = push_as(WORLD_USER_METER, other);
    expect_error(&pushed, "AccessDenied", "naf.elsewhere.test");

    /* The last digit is of the MAC; the digits from the fourth on are of RAND. */
    length = strlen(gpi);
    gpi[length - 1] = gpi[length - 1] == '0' ? '1' : '0';
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_error(&pushed, "PushInfoNotAuthentic", "do not trust");
    gpi[4] = gpi[4] == '0' ? '1' : '0';
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_error(&pushed, "NetworkNotAuthentic", "do not trust");
    gpi[length - 2] = '\0';
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_error(&pushed, "PushInfoMalformed", "malformed");
    assert_true(gateway.keystrapd->running);
}

static void without_a_card_a_push_is_a_named_error(void **state) {
    struct gateway gateway;
    struct pushed pushed;
    char gpi[1024];

    gateway_start(&gateway, *state, NULL, NULL);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    make_push(&gateway, IMPI, WORLD_NAF_NAME, "", gpi, sizeof(gpi));
    assert_int_equal(world_ctl(gateway.usim, "remove", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "no-card"));
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_error(&pushed, "CardAbsent", "no card");
    assert_int_equal(world_ctl(gateway.usim, "insert", NULL, 0), 0);
    assert_true(gateway_wait_state(&gateway, "card-ready"));
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_key(&gateway, &pushed);
}

/* The card takes the push's Ks in place of the one that it had, so the next key needs a bootstrap. */
static void a_push_in_gba_u_yields_a_key_that_the_card_derived(void **state) {
    struct gateway gateway;
    struct pushed pushed;
    char gpi[1024];

    gateway_start_with(&gateway, *state, "pump", NULL, "Impi=" PUMP "\nBsf=" WORLD_BSF_NAME);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    make_push(&gateway, PUMP, WORLD_NAF_NAME, " u", gpi, sizeof(gpi));
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_key(&gateway, &pushed);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 1);
    assert_int_equal(gateway_naf_get(&gateway, WORLD_USER_METER), 0);
    assert_int_equal(gateway_count(gateway.bsf, "bootstraps"), 2);
    /* A push in the mode that is not the subscriber's is not the network's. */
    make_push(&gateway, PUMP, WORLD_NAF_NAME, "", gpi, sizeof(gpi));
    gpi[3] = '1';
    pushed = push_as(WORLD_USER_METER, gpi);
    expect_error(&pushed, "NetworkNotAuthentic", "9862");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pushed_key_is_the_nafs_and_costs_no_request),
        cmocka_unit_test(who_has_no_right_or_makes_one_up_has_no_key),
        cmocka_unit_test(without_a_card_a_push_is_a_named_error),
        cmocka_unit_test(a_push_in_gba_u_yields_a_key_that_the_card_derived),
    };

    return world_test_main(tests, sizeof(tests) / sizeof(tests[0]));
}
