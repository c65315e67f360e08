/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The lab's arithmetic against worked examples (TS 33.220 Annex B with the Milenage inputs of TS 35.208 set 1, and
 * RFC 7616), and its parser against what servers and clients send, right and wrong.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "digest.h"
#include "gba-kdf.h"
#include "hex.h"

#define IMPI "001010123456789@ims.mnc001.mcc001.3gppnetwork.org"
#define BSF  "bsf.mnc001.mcc001.pub.3gppnetwork.org"
#define BTID "I1U8vpY3qJ0hiuZNrke/NQ==@" BSF

static const char nonce_text[] = "I1U8vpY3qJ0hiuZNrke/NVXzKLQ1d7m5Sp/6w1Tfr7M=";
static const uint8_t res[] = {0xa5, 0x42, 0x11, 0xd5, 0xe3, 0xba, 0x50, 0xbf};

static void load(uint8_t ks[LAB_KS_LENGTH], uint8_t rand[LAB_RAND_LENGTH]) {
    assert_int_equal(hex_decode_exactly("b40ba9a3c58b2a05bbf0d987b21bf8cb"
                                        "f769bcd751044604127672711c6d3441",
                                        ks, LAB_KS_LENGTH),
                     0);
    assert_int_equal(hex_decode_exactly("23553cbe9637a89d218ae64dae47bf35", rand, LAB_RAND_LENGTH),
                     0);
}

static void every_worked_ks_naf_is_reproduced(void **state) {
    static const struct {
        const char *fqdn, *ua, *key;
    } vectors[] = {
        {"naf.example.com", "0100000002",
         "ae9ecc3c7c17692c1d44d6d68d53a3b1624a706039753ba991e8293f3cfdec08"},
        {"naf.example.com", "010001c02f",
         "e13ef72cdd9c490cf4616b5b2874facb823750b685597ed68eafba446b66a9b2"},
        {"naf.example.com", "01000100a8",
         "9f86b69a955cf63f3183301898740f3ef61c226692881fdd4986db55b3d39be2"},
        {"naf.example.com", "0100000007",
         "48f9b22b93fe68abf63e1b85a920b4bff518b2c7add5acf25d4d5f4e6db9b995"},
        {"xcap.ims.mnc001.mcc001.pub.3gppnetwork.org", "0100000002",
         "fd1ac8d09e974a83d864e40f158ddb173379a13316de75a7f659d3b4ab4dffab"},
    };
    uint8_t ks[LAB_KS_LENGTH], rand[LAB_RAND_LENGTH], naf_id[300], key[LAB_NAF_KEY_LENGTH];
    char hex[2 * LAB_NAF_KEY_LENGTH + 1];

    (void)state;
    load(ks, rand);
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        size_t length = strlen(vectors[i].fqdn);

        memcpy(naf_id, vectors[i].fqdn, length);
        assert_int_equal(hex_decode_exactly(vectors[i].ua, naf_id + length, LAB_UA_LENGTH), 0);
        assert_int_equal(lab_naf_key(ks, rand, IMPI, naf_id, length + LAB_UA_LENGTH, key), 0);
        hex_encode(key, sizeof(key), hex);
        assert_string_equal(hex, vectors[i].key);
    }
}

/* TMPI (TS 33.220 B.4) is the same derivation with the BSF in the NAF's place. */
static void the_worked_tmpi_is_reproduced(void **state) {
    static const char bsf_id[] = BSF "\x01\x00\x00\x01\x00";
    uint8_t ks[LAB_KS_LENGTH], rand[LAB_RAND_LENGTH], key[LAB_NAF_KEY_LENGTH];
    char *text;

    (void)state;
    load(ks, rand);
    assert_int_equal(lab_naf_key(ks, rand, IMPI, (const uint8_t *)bsf_id, sizeof(bsf_id) - 1, key),
                     0);
    text = lab_base64_encode(key, 24);
    assert_non_null(text);
    assert_string_equal(text, "NdfNQvvGWK4SGbs7c17alrZHQXyhEcrW");
    free(text);
}

/* With the high octet of a length forgotten, 256 zeros and nothing would be the same text as nothing and 256 zeros. */
static void parameter_lengths_count_in_sixteen_bits(void **state) {
    uint8_t key[32] = {1}, one[32], other[32];
    static const uint8_t text[65536];
    const struct lab_kdf_parameter split[] = {{text, 256}, {text, 0}};
    const struct lab_kdf_parameter whole[] = {{text, 0}, {text, 256}};
    struct lab_kdf_parameter parameter = {text, 65535};

    (void)state;
    assert_int_equal(lab_kdf(key, sizeof(key), 0x01, &parameter, 1, one), 0);
    parameter.length = 65536;
    assert_int_equal(lab_kdf(key, sizeof(key), 0x01, &parameter, 1, other), -EINVAL);

    assert_int_equal(lab_kdf(key, sizeof(key), 0x01, split, 2, one), 0);
    assert_int_equal(lab_kdf(key, sizeof(key), 0x01, whole, 2, other), 0);
    assert_memory_not_equal(one, other, sizeof(one));
}

static struct lab_digest_input worked_input(void) {
    return (struct lab_digest_input){
        .username = IMPI,
        .realm = BSF,
        .password = res,
        .password_length = sizeof(res),
        .method = "GET",
        .uri = "/",
        .nonce = nonce_text,
        .nc = "00000001",
        .cnonce = "0123456789abcdef",
        .qop = "auth-int",
    };
}

static void the_worked_aka_response_is_reproduced(void **state) {
    struct lab_digest_input input = worked_input();
    char response[LAB_DIGEST_HEX];

    (void)state;
    lab_digest_response(&input, response);
    assert_string_equal(response, "4fd4e581b01afaa2a04523f920ca526f");
    input.password_length = 0;
    lab_digest_response(&input, response);
    assert_string_equal(response, "b5493bce9f2ab17b01034a9764e9285e");
}

static void the_worked_rspauth_is_reproduced(void **state) {
    static const char body[] =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><BootstrappingInfo xmlns=\"uri:3gpp-gba\">"
        "<btid>" BTID "</btid><lifetime>2030-01-01T00:00:00Z</lifetime></BootstrappingInfo>";
    struct lab_digest_input input = worked_input();
    char rspauth[LAB_DIGEST_HEX];

    (void)state;
    input.method = "";
    input.body = (const uint8_t *)body;
    input.body_length = strlen(body);
    lab_digest_response(&input, rspauth);
    assert_string_equal(rspauth, "098ae0fd29a94d7d411d9c692407ef18");
}

/* RFC 7616 3.9.1, the MD5 half: published, and with qop auth. */
static void the_published_md5_response_is_reproduced(void **state) {
    static const char password[] = "Circle of Life";
    const struct lab_digest_input input = {
        .username = "Mufasa",
        .realm = "http-auth@example.org",
        .password = (const uint8_t *)password,
        .password_length = strlen(password),
        .method = "GET",
        .uri = "/dir/index.html",
        .nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        .nc = "00000001",
        .cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        .qop = "auth",
    };
    char response[LAB_DIGEST_HEX];

    (void)state;
    lab_digest_response(&input, response);
    assert_string_equal(response, "8ca523f5e9506fed4657c9700eebdbec");
}

static void a_header_field_is_cut_into_its_parameters(void **state) {
    struct lab_digest digest;

    (void)state;
    assert_int_equal(lab_digest_parse("digest  Username = \"a \\\"b\\\\\" ,realm=\"x, y=z\",\t"
                                      "algorithm=AKAv1-MD5,qop=auth-int, strange=\"1\", nonce=\"\"",
                                      true, &digest),
                     0);
    assert_string_equal(digest.value[LAB_DIGEST_USERNAME], "a \"b\\");
    assert_string_equal(digest.value[LAB_DIGEST_REALM], "x, y=z");
    assert_string_equal(digest.value[LAB_DIGEST_ALGORITHM], "AKAv1-MD5");
    assert_string_equal(digest.value[LAB_DIGEST_QOP], "auth-int");
    assert_string_equal(digest.value[LAB_DIGEST_NONCE], "");
    assert_null(digest.value[LAB_DIGEST_AUTS]);
    assert_int_equal(lab_digest_parse("rspauth=\"00\", nc=00000001", false, &digest), 0);
    assert_string_equal(digest.value[LAB_DIGEST_NC], "00000001");
}

static void a_malformed_header_field_is_refused(void **state) {
    static const char *const bad[] = {
        "",
        "Digest",
        "Digest ",
        "Basic dXNlcjpwYXNz",
        "Digestive username=\"a\"",
        "Digest username",
        "Digest username=",
        "Digest =\"a\"",
        "Digest username=\"a",
        "Digest username=\"a\\",
        "Digest username=\"a\" realm=\"b\"",
        "Digest username=\"a\", ",
        "Digest username=\"a\", username=\"b\"",
        "Digest username=\"a\"x, realm=\"b\"",
    };
    char *large = malloc(LAB_DIGEST_FIELD_MAX + 64);
    struct lab_digest digest;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(lab_digest_parse(bad[i], true, &digest), -EINVAL);

    assert_non_null(large);
    (void)snprintf(large, LAB_DIGEST_FIELD_MAX + 64, "Digest username=\"%0*d\"",
                   (int)LAB_DIGEST_FIELD_MAX, 0);
    assert_int_equal(lab_digest_parse(large, true, &digest), -EINVAL);
    free(large);
}

static void base64_is_strict_and_bounded(void **state) {
    static const char *const bad[] = {"AAA", "AAA\n", "A A=", "====", "AAAA=", "AA=A", "A*AA"};
    uint8_t octets[3];
    size_t length = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(lab_base64_decode(bad[i], octets, sizeof(octets), &length), -EINVAL);
    assert_int_equal(lab_base64_decode("AQI=", octets, sizeof(octets), &length), 0);
    assert_int_equal(length, 2);
    assert_int_equal(lab_base64_decode("AQID", octets, 3, &length), 0);
    assert_int_equal(length, 3);
    assert_int_equal(lab_base64_decode("AQID", octets, 2, &length), -EINVAL);
    assert_int_equal(lab_base64_decode("", octets, 0, &length), 0);
    assert_int_equal(length, 0);
}

static void responses_compare_by_value(void **state) {
    (void)state;
    assert_true(
        lab_digest_equal("4fd4e581b01afaa2a04523f920ca526f", "4FD4E581B01AFAA2A04523F920CA526F"));
    assert_false(
        lab_digest_equal("4fd4e581b01afaa2a04523f920ca526f", "4fd4e581b01afaa2a04523f920ca526e"));
    assert_false(lab_digest_equal("4fd4e581b01afaa2a04523f920ca526f", ""));
    assert_false(
        lab_digest_equal("zfd4e581b01afaa2a04523f920ca526f", "zfd4e581b01afaa2a04523f920ca526f"));
    assert_int_equal(lab_digest_nc("0000000a"), 10);
    assert_int_equal(lab_digest_nc("a"), 0);
    assert_int_equal(lab_digest_nc("+0000001"), 0);
    assert_int_equal(lab_digest_nc(NULL), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_worked_ks_naf_is_reproduced),
        cmocka_unit_test(the_worked_tmpi_is_reproduced),
        cmocka_unit_test(parameter_lengths_count_in_sixteen_bits),
        cmocka_unit_test(the_worked_aka_response_is_reproduced),
        cmocka_unit_test(the_worked_rspauth_is_reproduced),
        cmocka_unit_test(the_published_md5_response_is_reproduced),
        cmocka_unit_test(a_header_field_is_cut_into_its_parameters),
        cmocka_unit_test(a_malformed_header_field_is_refused),
        cmocka_unit_test(base64_is_strict_and_bounded),
        cmocka_unit_test(responses_compare_by_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
