/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Certificates of every flavour, made by openssl, and whose they are to the MEF.
 */

#include "mef-peer.h"

#include "mef-name.h"

static struct scratch *open_scene(void) {
    struct scratch *scratch = calloc(1, sizeof(*scratch));

    assert_non_null(scratch);
    scratch_open(scratch);
    return scratch;
}

static int set_up(void **state) {
    *state = open_scene();
    return 0;
}

static int tear_down(void **state) {
    scratch_close(*state);
    free(*state);
    return 0;
}

/* Whether the self-signed certificate with @san is that of @identity. */
static bool is(const struct scratch *scratch, const char *san, bool trusted, const char *identity) {
    uint8_t der[4096];
    char path[128];
    FILE *file;
    size_t n;

    must(scratch,
         "openssl req -x509 " PEER_NEW_KEY
         " -keyout x.key -outform DER -out x.der -subj /CN=x -addext 'subjectAltName=%s' 2>&1",
         san);
    (void)snprintf(path, sizeof(path), "%s/x.der", scratch->directory);
    file = fopen(path, "re");
    assert_non_null(file);
    n = fread(der, 1, sizeof(der), file);
    (void)fclose(file);
    return mef_certificate_is(der, n, trusted, identity);
}

static void names_are_compared_by_their_flavour(void **state) {
    static const struct {
        const char *san, *identity;
        bool is;
    } cases[] = {
        {"DNS:mef.example.com", "mef.example.com", true},
        {"DNS:MEF.Example.com", "mef.example.com", true},
        {"DNS:other.example.com,DNS:mef.example.com", "mef.example.com", true},
        {"DNS:*.example.com", "mef.example.com", false},
        {"DNS:mef.example.com.evil.org", "mef.example.com", false},
        {"URI:coaps://mef.example.com:5684/", "mef.example.com", true},
        {"URI:coaps://mef.example.com.evil.org/", "mef.example.com", false},
        {"URI://sp.example.com/gw1/C01", "//sp.example.com/gw1/C01", true},
        {"URI://sp.example.com/gw1/C02", "//sp.example.com/gw1/C01", false},
        {"DNS:gw1.sp.example.com", "//sp.example.com/gw1", true},
        {"DNS:gw2.sp.example.com", "//sp.example.com/gw1", false},
        {"IP:127.0.0.1", "127.0.0.1", false},
        {"email:mef.example.com@example.com", "mef.example.com", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (is(*state, cases[i].san, true, cases[i].identity) != cases[i].is)
            fail_msg("%s is%s %s", cases[i].san, cases[i].is ? "" : " not", cases[i].identity);
}

static void a_name_is_nobodys_without_trust(void **state) {
    assert_false(is(*state, "DNS:mef.example.com", false, "mef.example.com"));
}

static void a_device_is_known_by_oid_and_text(void **state) {
    static const char san[] = "otherName:0.2.481.1;UTF8:100.3030.10011";

    assert_true(is(*state, san, true, "0.2.481.1;100.3030.10011"));
    assert_false(is(*state, san, true, "0.2.481.1;100.3030.1001"));
    assert_false(is(*state, san, true, "0.2.481.2;100.3030.10011"));
    assert_false(is(*state, san, true, "100.3030.10011"));
    assert_false(is(*state, san, false, "0.2.481.1;100.3030.10011"));
}

/* The digest of the key in x.key, as RFC 6920 writes it, by openssl. */
static void digest_of(const struct scratch *scratch, unsigned octets, char ret[64]) {
    int status;
    char *text =
        shell(scratch, &status,
              "openssl pkey -in x.key -pubout -outform DER | openssl dgst -sha256 -binary | "
              "head -c %u | openssl base64 -A | tr '+/' '-_' | tr -d =",
              octets);

    assert_int_equal(status, 0);
    (void)snprintf(ret, 64, "%s", text);
    free(text);
}

static void a_raw_public_key_is_known_by_its_digest_alone(void **state) {
    static const struct {
        const char *prefix;
        unsigned octets;
    } forms[] = {
        {"sha-256;", 32}, {"ni:///sha-256;", 32}, {"sha-256-128;", 16}, {"sha-256-120;", 15}};
    const struct scratch *scratch = *state;

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        char digest[64], identity[128];
        uint8_t der[4096];
        char *octets;
        int status;

        assert_false(is(scratch, "DNS:x.example", false, "sha-256;AAAA"));
        digest_of(scratch, forms[i].octets, digest);
        (void)snprintf(identity, sizeof(identity), "%s%s", forms[i].prefix, digest);
        octets = shell(scratch, &status, "cat x.der");
        memcpy(der, octets, sizeof(der));
        free(octets);
        assert_int_equal(status, 0);
        assert_true(mef_certificate_is(der, (size_t)der[2] * 256 + der[3] + 4, false, identity));
        identity[strlen(forms[i].prefix)] ^= 1;
        assert_false(mef_certificate_is(der, (size_t)der[2] * 256 + der[3] + 4, false, identity));
    }
}

static void what_is_no_certificate_is_nobodys(void **state) {
    const uint8_t nothing[] = {0x30, 0x00};

    (void)state;
    assert_false(mef_certificate_is(nothing, sizeof(nothing), true, "mef.example.com"));
    assert_false(mef_certificate_is(nothing, 0, true, "mef.example.com"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(names_are_compared_by_their_flavour),
        TEST(a_name_is_nobodys_without_trust),
        TEST(a_device_is_known_by_oid_and_text),
        TEST(a_raw_public_key_is_known_by_its_digest_alone),
        TEST(what_is_no_certificate_is_nobodys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
