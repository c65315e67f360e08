/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Packets: that what is written is read back, that nothing malformed gets through, and that waiting ends when it
 * should. The malformed ones are spelled out octet by octet.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "keystrap-limits.h"
#include "packet.h"
#include "util.h"

/* The octets of a C string without its NUL. */
#define OCTETS(s) (const uint8_t *)(s), sizeof(s) - 1

static void make_sockets(int fds[2]) {
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
}

static void test_a_packet_is_laid_out_as_the_protocol_says(void **state) {
    _cleanup_packet_ struct packet packet = {0};

    (void)state;
    assert_int_equal(packet_init(&packet, 64), 0);
    packet_begin(&packet, 6, 0x01020304);
    assert_int_equal(packet_append(&packet, 9, "\xa0\xa4", 2), 0);
    assert_int_equal(packet_append_u8(&packet, 11, 3), 0);
    assert_int_equal(packet_append_u32(&packet, 2, 0xaabbccdd), 0);
    assert_int_equal(packet_append_text(&packet, 1, "pcsc"), 0);
    assert_int_equal(packet.length, 12 + 6 + 5 + 8 + 8);
    assert_memory_equal(packet.data,
                        "\1\6\0\0\1\2\3\4\0\0\0\x1b"
                        "\x09\0\0\2\xa0\xa4"
                        "\x0b\0\0\1\3"
                        "\2\0\0\4\xaa\xbb\xcc\xdd"
                        "\1\0\0\4pcsc",
                        packet.length);
    assert_int_equal(packet_check(&packet), 0);
    assert_int_equal(packet_type(&packet), 6);
    assert_int_equal(packet_serial(&packet), 0x01020304);
}

static void test_fields_are_read_back(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    const uint8_t *data = NULL;
    size_t length = 77;
    uint32_t number = 0;
    uint8_t octet = 0;
    char text[8];

    (void)state;
    assert_int_equal(packet_init(&packet, 64), 0);
    packet_begin(&packet, 1, 1);
    assert_int_equal(packet_append(&packet, 9, NULL, 0), 0);
    assert_int_equal(packet_append_u8(&packet, 11, 3), 0);
    assert_int_equal(packet_append_u32(&packet, 2, 0xaabbccdd), 0);
    assert_int_equal(packet_append_text(&packet, 1, "k\xc3\xa4rte"), 0);

    assert_true(packet_get(&packet, 9, &data, &length));
    assert_int_equal(length, 0);
    assert_true(packet_get_u8(&packet, 11, &octet));
    assert_int_equal(octet, 3);
    assert_true(packet_get_u32(&packet, 2, &number));
    assert_int_equal(number, 0xaabbccdd);
    assert_true(packet_get_text(&packet, 1, text, sizeof(text)));
    assert_string_equal(text, "k\xc3\xa4rte");
}

static void test_what_is_missing_or_of_another_kind_leaves_outputs_alone(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    const uint8_t *data = (const uint8_t *)"kept";
    const uint8_t *before = data;
    size_t length = 77;
    uint32_t number = 78;
    uint8_t octet = 79;
    char text[8] = "kept";

    (void)state;
    assert_int_equal(packet_init(&packet, 64), 0);
    packet_begin(&packet, 1, 1);
    assert_int_equal(packet_append(&packet, 1, "12345678", 8), 0);
    assert_int_equal(packet_append(&packet, 2, "a\nb", 3), 0);
    assert_int_equal(packet_append(&packet, 3, "\xff", 1), 0);
    assert_int_equal(packet_append(&packet, 4, "a\0b", 3), 0);

    assert_false(packet_get(&packet, 9, &data, &length));
    assert_false(packet_get_u8(&packet, 9, &octet));
    assert_false(packet_get_u8(&packet, 1, &octet));
    assert_false(packet_get_u32(&packet, 9, &number));
    assert_false(packet_get_u32(&packet, 1, &number));
    assert_false(packet_get_text(&packet, 9, text, sizeof(text)));
    assert_false(packet_get_text(&packet, 1, text, sizeof(text))); /* no room for the NUL */
    for (uint8_t tag = 2; tag <= 4; tag++)
        assert_false(packet_get_text(&packet, tag, text, sizeof(text)));
    assert_ptr_equal(data, before);
    assert_int_equal(length, 77);
    assert_int_equal(number, 78);
    assert_int_equal(octet, 79);
    assert_string_equal(text, "kept");
}

static void test_a_full_packet_refuses_and_stays_whole(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    uint8_t octets[9] = {0};

    (void)state;
    assert_int_equal(packet_init(&packet, 12), 0);
    packet_begin(&packet, 1, 1);
    assert_int_equal(packet_append(&packet, 1, octets, 9), -ENOBUFS);
    assert_int_equal(packet_append(&packet, 1, octets, 8), 0);
    assert_int_equal(packet_append(&packet, 2, octets, 0), -ENOBUFS);
    assert_int_equal(packet.length, packet.size);
    assert_int_equal(packet_check(&packet), 0);
}

static void test_sizes_beyond_the_limits_are_refused(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    uint8_t *octets = calloc(1, 65536);

    (void)state;
    assert_int_equal(packet_init(&packet, PACKET_PAYLOAD_MAX + 1), -EINVAL);
    assert_int_equal(packet_init_secret(&packet, SECRET_LENGTH_MAX - 11), -EINVAL);
    assert_null(packet.data);
    assert_int_equal(packet_init(&packet, PACKET_PAYLOAD_MAX), 0);
    packet_begin(&packet, 1, 1);
    assert_int_equal(packet_append(&packet, 1, octets, 65536), -ENOBUFS);
    free(octets);
}

static void test_a_secret_packet_lives_in_the_arena_and_leaves_nothing(void **state) {
    struct packet packet = {0};

    (void)state;
    assert_int_equal(secret_arena_init(), 0);
    assert_int_equal(packet_init_secret(&packet, SECRET_LENGTH_MAX - 12), 0);
    assert_int_not_equal(secret_arena_used(), 0);
    assert_ptr_equal(packet.data, secret_data(packet.memory));
    packet_begin(&packet, 1, 1);
    assert_int_equal(packet_append_text(&packet, 1, "a secret"), 0);

    /* Beginning the next message erases the last. */
    packet_begin(&packet, 2, 2);
    for (size_t i = 12; i < packet.size; i++)
        assert_int_equal(packet.data[i], 0);
    packet_done(&packet);
    packet_done(&packet);
    assert_int_equal(secret_arena_used(), 0);
    secret_arena_done();
}

/* Whether the kernel's flags of the mapping at @address have @flag. */
static bool mapping_has(const void *address, const char *flag) {
    _cleanup_fclose_ FILE *maps = fopen("/proc/self/smaps", "re");
    unsigned long from = 0, to = 0;
    char line[512];

    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        if (strncmp(line, "VmFlags:", 8) != 0)
            (void)sscanf(line, "%lx-%lx ", &from, &to);
        else if ((uintptr_t)address >= from && (uintptr_t)address < to)
            return strstr(line, flag) != NULL;
    }
    return false;
}

static void test_a_locked_packet_is_in_no_swap_no_dump_and_no_child(void **state) {
    struct packet packet = {0};
    int status;
    pid_t pid;

    (void)state;
    assert_int_equal(packet_init_locked(&packet, PACKET_PAYLOAD_MAX + 1), -EINVAL);
    assert_null(packet.data);
    assert_int_equal(packet_init_locked(&packet, PACKET_PAYLOAD_MAX), 0);
    packet_begin(&packet, 1, 1);
    assert_int_equal(packet_append_text(&packet, 1, "a secret"), 0);
    assert_true(mapping_has(packet.data, " lo "));
    assert_true(mapping_has(packet.data, " dd "));
    assert_true(mapping_has(packet.data, " wf "));
    pid = fork();
    if (pid == 0)
        _exit(packet.data[0] == 0 && packet.data[16] == 0 ? 0 : 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_memory_equal(packet.data + 16, "a secret", 8);
    packet_done(&packet);
    packet_done(&packet);
    assert_null(packet.data);
}

static const struct {
    const char *what;
    const uint8_t *octets;
    size_t length;
} malformed[] = {
    {"nothing", OCTETS("")},
    {"half a header", OCTETS("\1\1\0\0\0\0\0\1\0\0\0")},
    {"version 0", OCTETS("\0\1\0\0\0\0\0\1\0\0\0\0")},
    {"version 2", OCTETS("\2\1\0\0\0\0\0\1\0\0\0\0")},
    {"reserved octets", OCTETS("\1\1\0\1\0\0\0\1\0\0\0\0")},
    {"more promised than sent", OCTETS("\1\1\0\0\0\0\0\1\0\0\0\5\1\0\0\0")},
    {"less promised than sent", OCTETS("\1\1\0\0\0\0\0\1\0\0\0\3\1\0\0\0")},
    {"a length that wraps", OCTETS("\1\1\0\0\0\0\0\1\xff\xff\xff\xff\1\0\0\0")},
    {"half a field's header", OCTETS("\1\1\0\0\0\0\0\1\0\0\0\3\1\0\0")},
    {"a field beyond the end", OCTETS("\1\1\0\0\0\0\0\1\0\0\0\5\1\0\0\2x")},
    {"a field's reserved octet", OCTETS("\1\1\0\0\0\0\0\1\0\0\0\5\1\1\0\1x")},
    {"the same tag twice", OCTETS("\1\1\0\0\0\0\0\1\0\0\0\x0a\1\0\0\1x\1\0\0\1x")},
    {"a high tag twice", OCTETS("\1\1\0\0\0\0\0\1\0\0\0\x08\xff\0\0\0\xff\0\0\0")},
    {"a stray octet", OCTETS("\1\1\0\0\0\0\0\1\0\0\0\6\1\0\0\1xy")},
};

static void test_malformed_packets_are_refused(void **state) {
    (void)state;
    for (size_t i = 0; i < ELEMENTS(malformed); i++) {
        _cleanup_packet_ struct packet packet = {0};

        assert_int_equal(packet_init(&packet, 64), 0);
        memcpy(packet.data, malformed[i].octets, malformed[i].length);
        packet.length = malformed[i].length;
        if (packet_check(&packet) != -EBADMSG)
            fail_msg("%s was taken", malformed[i].what);
    }
}

static void test_malformed_packets_do_not_come_through_a_socket(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    int fds[2];

    (void)state;
    make_sockets(fds);
    assert_int_equal(packet_init(&packet, 64), 0);
    for (size_t i = 1; i < ELEMENTS(malformed); i++) {
        assert_int_equal(send(fds[0], malformed[i].octets, malformed[i].length, 0),
                         malformed[i].length);
        assert_int_equal(packet_receive(fds[1], &packet, -1, deadline_after(USEC_PER_SEC)),
                         -EBADMSG);
    }
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_a_packet_goes_through_a_socket(void **state) {
    _cleanup_packet_ struct packet out = {0}, in = {0};
    int fds[2];

    (void)state;
    make_sockets(fds);
    assert_int_equal(packet_init(&out, PACKET_PAYLOAD_MAX), 0);
    assert_int_equal(packet_init(&in, PACKET_PAYLOAD_MAX), 0);
    packet_begin(&out, 7, 9);
    for (uint8_t tag = 1; tag <= 15; tag++) {
        uint8_t octets[4000];

        memset(octets, tag, sizeof(octets));
        assert_int_equal(packet_append(&out, tag, octets, sizeof(octets)), 0);
    }
    assert_int_equal(packet_send(fds[0], &out, deadline_after(USEC_PER_SEC)), 0);
    assert_int_equal(packet_receive(fds[1], &in, -1, deadline_after(USEC_PER_SEC)), 0);
    assert_int_equal(in.length, out.length);
    assert_memory_equal(in.data, out.data, in.length);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_a_packet_that_is_longer_than_our_room_is_refused(void **state) {
    _cleanup_packet_ struct packet out = {0}, in = {0};
    int fds[2];

    (void)state;
    make_sockets(fds);
    assert_int_equal(packet_init(&out, 64), 0);
    assert_int_equal(packet_init(&in, 5), 0);
    packet_begin(&out, 7, 9);
    assert_int_equal(packet_append(&out, 1, "1", 1), 0);
    assert_int_equal(packet_send(fds[0], &out, 0), 0);
    assert_int_equal(packet_receive(fds[1], &in, -1, deadline_after(USEC_PER_SEC)), 0);
    assert_int_equal(packet_append(&out, 2, "", 0), 0);
    assert_int_equal(packet_send(fds[0], &out, 0), 0);
    assert_int_equal(packet_receive(fds[1], &in, -1, deadline_after(USEC_PER_SEC)), -EBADMSG);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_waiting_ends_at_the_deadline(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    uint64_t start = now_usec();
    int fds[2];

    (void)state;
    make_sockets(fds);
    assert_int_equal(packet_init(&packet, 64), 0);
    assert_int_equal(packet_receive(fds[1], &packet, -1, 0), -ETIMEDOUT);
    assert_int_equal(packet_receive(fds[1], &packet, -1, deadline_after(20000)), -ETIMEDOUT);
    assert_true(now_usec() - start >= 20000);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_sending_to_one_who_does_not_read_ends_at_the_deadline(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    unsigned sent = 0;
    int fds[2], r;

    (void)state;
    make_sockets(fds);
    assert_int_equal(packet_init(&packet, 64), 0);
    packet_begin(&packet, 1, 1);
    do {
        r = packet_send(fds[0], &packet, 0);
    } while (r == 0 && ++sent < 1000000);
    assert_int_equal(r, -ETIMEDOUT);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_waiting_ends_when_it_is_cancelled(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    _cleanup_close_ int cancel = eventfd(1, EFD_CLOEXEC);
    int fds[2];

    (void)state;
    make_sockets(fds);
    assert_int_equal(packet_init(&packet, 64), 0);
    assert_int_equal(packet_receive(fds[1], &packet, cancel, USEC_INFINITY), -ECANCELED);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_the_other_side_gone_is_epipe_both_ways(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    int fds[2];

    (void)state;
    make_sockets(fds);
    (void)close(fds[0]);
    assert_int_equal(packet_init(&packet, 64), 0);
    packet_begin(&packet, 1, 1);
    assert_int_equal(packet_send(fds[1], &packet, USEC_INFINITY), -EPIPE);
    assert_int_equal(packet_receive(fds[1], &packet, -1, USEC_INFINITY), -EPIPE);
    (void)close(fds[1]);
}

/* A program that ends with our request unread resets the connection; for us it is gone all the same. */
static void test_a_reset_connection_is_epipe_too(void **state) {
    _cleanup_packet_ struct packet packet = {0};
    int fds[2];

    (void)state;
    make_sockets(fds);
    assert_int_equal(packet_init(&packet, 64), 0);
    packet_begin(&packet, 1, 1);
    assert_int_equal(packet_send(fds[1], &packet, USEC_INFINITY), 0);
    (void)close(fds[0]);
    assert_int_equal(packet_receive(fds[1], &packet, -1, USEC_INFINITY), -EPIPE);
    (void)close(fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_packet_is_laid_out_as_the_protocol_says),
        cmocka_unit_test(test_fields_are_read_back),
        cmocka_unit_test(test_what_is_missing_or_of_another_kind_leaves_outputs_alone),
        cmocka_unit_test(test_a_full_packet_refuses_and_stays_whole),
        cmocka_unit_test(test_sizes_beyond_the_limits_are_refused),
        cmocka_unit_test(test_a_locked_packet_is_in_no_swap_no_dump_and_no_child),
        cmocka_unit_test(test_a_secret_packet_lives_in_the_arena_and_leaves_nothing),
        cmocka_unit_test(test_malformed_packets_are_refused),
        cmocka_unit_test(test_malformed_packets_do_not_come_through_a_socket),
        cmocka_unit_test(test_a_packet_goes_through_a_socket),
        cmocka_unit_test(test_a_packet_that_is_longer_than_our_room_is_refused),
        cmocka_unit_test(test_waiting_ends_at_the_deadline),
        cmocka_unit_test(test_sending_to_one_who_does_not_read_ends_at_the_deadline),
        cmocka_unit_test(test_waiting_ends_when_it_is_cancelled),
        cmocka_unit_test(test_the_other_side_gone_is_epipe_both_ways),
        cmocka_unit_test(test_a_reset_connection_is_epipe_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
