/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Enrolment profiles: defaults, every key, the words of every refusal, what no single value can tell, enrol.d as a whole, and
 * that table, manual page and installed file say the same.
 */

#include "conf-helpers.h"
#include "man-page.h"

#include <errno.h>
#include <unistd.h>

#include "conf.h"
#include "enrol-profile.h"

#define SHA256    "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define NI_SHA128 "ni:///sha-256-128;ABEiM0RVZneImaq7zN3u_w"

/* The least that each method needs. */
#define GBA "[Enrolment]\nMethods=gba\nTarget=maf.example.com\n"
#define PSK                                                                           \
    "[Enrolment]\nMethods=psk\nMef=https://mef.example.com\nTarget=maf.example.com\n" \
    "Identity=Cgw\n[Psk]\nKpmId=10-gw@mef.example.com\nKpm=credential:kpm\n"
#define CERTIFICATE                                                                           \
    "[Enrolment]\nMethods=certificate\nMef=https://mef.example.com\nTarget=maf.example.com\n" \
    "Identity=Cgw\n[Certificate]\nCertificate=/etc/gw.pem\nPrivateKey=credential:gw.key\n"

static int parse(const char *text, struct enrol_profile **ret, struct failure *failure) {
    *failure = (struct failure){0};
    return enrol_profile_parse("water", "water.conf", text, strlen(text), ret, failure);
}

static struct enrol_profile *profile_of(const char *text) {
    struct enrol_profile *profile = NULL;
    struct failure failure;

    if (parse(text, &profile, &failure) != 0)
        fail_msg("%s", failure.text);
    return profile;
}

static char *print(const struct enrol_profile *profile) {
    size_t length;
    char *text = NULL;
    FILE *f = open_memstream(&text, &length);

    assert_non_null(f);
    enrol_profile_print(profile, f);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void expect_refusal(const char *text, const char *words) {
    struct enrol_profile *profile = NULL;
    struct failure failure;

    if (parse(text, &profile, &failure) == 0)
        fail_msg("was taken: %s", text);
    assert_int_equal(failure.code, -EINVAL);
    assert_null(profile);
    assert_contains(failure.text, words);
    assert_contains(failure.text, "water.conf");
}

/* --- One profile ------------------------------------------------------------------------------------ */

static void what_a_profile_does_not_say_has_its_default(_unused_ void **state) {
    _cleanup_enrol_profile_ struct enrol_profile *profile = profile_of(GBA);

    assert_string_equal(profile->name, "water");
    assert_int_equal(profile->methods_count, 1);
    assert_int_equal(profile->methods[0], ENROL_GBA);
    assert_int_equal(profile->after_refusal, ENROL_REFUSED_STOP);
    assert_null(profile->mef);
    assert_null(profile->mef_fqdn);
    assert_int_equal(profile->target_kind, ONEM2M_TARGET_MAF);
    assert_int_equal(profile->derivation, ONEM2M_USAGE_CONSTRAINED);
    assert_int_equal(profile->suid, ONEM2M_SUID_MAF);
    assert_true(profile->expiry_usec == 31536000 * USEC_PER_SEC);
    assert_int_equal(profile->exchange, MEF_RESOURCES);
    assert_false(profile->commands);
    assert_int_equal(profile->connect_timeout_usec, 10 * USEC_PER_SEC);
    assert_int_equal(profile->request_timeout_usec, 30 * USEC_PER_SEC);
    assert_int_equal(profile->peer_flavour, PEER_FQDN);
    assert_int_equal(profile->peer_roots_count, 0);
    assert_false(profile->ocsp_required || profile->provision);
    assert_memory_equal(profile->ua_protocol, "\x01\x00\x01\x00\xae", UA_PROTOCOL_LENGTH);
}

static const char every_key[] = "[Enrolment]\n"
                                "Methods=psk gba certificate\n"
                                "AfterRefusal=next\n"
                                "Mef=coaps://mef.example.com:5685/a/b\n"
                                "ConnectTo=[2001:db8::1]:5684\n"
                                "Target=//sp.example/cse1/Cae\n"
                                "TargetFqdn=cae.cse1.sp.example\n"
                                "Identity=//sp.example/gw\n"
                                "AdminFqdn=admin.example.com\n"
                                "Labels=north pump\n"
                                "Derivation=release-1\n"
                                "Suid=23\n"
                                "ExpirySec=3600.5\n"
                                "CipherSuites=PSK-AES128-CCM8:ECDHE-PSK-AES128-CBC-SHA256\n"
                                "Exchange=indications\n"
                                "Commands=yes\n"
                                "ConnectTimeoutSec=0.1\n"
                                "RequestTimeoutSec=600\n"
                                "\n[Psk]\n"
                                "KpmId=10-gw@mef.example.com\n"
                                "Kpm=/etc/keystrap/kpm\n"
                                "\n[Certificate]\n"
                                "Certificate=credential:gw.pem\n"
                                "PrivateKey=pkcs11:token=gw;object=1\n"
                                "PrivateKeyPin=credential:pin\n"
                                "PeerFlavour=named\n"
                                "PeerName=MEF of the north\n"
                                "PeerRoot=" SHA256 "\n"
                                "PeerRoot=" NI_SHA128 "\n"
                                "TrustAnchors=/etc/ca.pem\n"
                                "Crl=/etc/crl.pem\n"
                                "RequireOcsp=yes\n"
                                "Provision=yes\n"
                                "Est=https://MEF.example.com:8443/est\n"
                                "\n[Token]\n"
                                "Token=credential:token\n"
                                "\n[Gba]\n"
                                "Uicc=modem-2\n"
                                "UaProtocol=010001002f\n";

static void every_key_is_read(_unused_ void **state) {
    _cleanup_enrol_profile_ struct enrol_profile *profile = profile_of(every_key);

    assert_int_equal(profile->methods_count, 3);
    assert_int_equal(profile->methods[0], ENROL_PSK);
    assert_int_equal(profile->methods[1], ENROL_GBA);
    assert_int_equal(profile->methods[2], ENROL_CERTIFICATE);
    assert_int_equal(profile->after_refusal, ENROL_REFUSED_NEXT);
    assert_string_equal(profile->mef_fqdn, "mef.example.com");
    assert_string_equal(profile->connect_to, "[2001:db8::1]:5684");
    assert_int_equal(profile->target_kind, ONEM2M_TARGET_B);
    assert_string_equal(profile->target_fqdn, "cae.cse1.sp.example");
    assert_string_equal(profile->identity, "//sp.example/gw");
    assert_string_equal(profile->admin_fqdn, "admin.example.com");
    assert_string_equal(profile->labels, "north pump");
    assert_int_equal(profile->derivation, ONEM2M_RELEASE_1);
    assert_int_equal(profile->suid, 23);
    assert_true(profile->expiry_usec == 3600500000);
    assert_string_equal(profile->suites, "PSK-AES128-CCM8:ECDHE-PSK-AES128-CBC-SHA256");
    assert_int_equal(profile->exchange, MEF_INDICATIONS);
    assert_true(profile->commands);
    assert_int_equal(profile->connect_timeout_usec, 100000);
    assert_string_equal(profile->kpm_id, "10-gw@mef.example.com");
    assert_string_equal(profile->kpm, "/etc/keystrap/kpm");
    assert_string_equal(profile->certificate, "credential:gw.pem");
    assert_string_equal(profile->private_key, "pkcs11:token=gw;object=1");
    assert_string_equal(profile->private_key_pin, "credential:pin");
    assert_int_equal(profile->peer_flavour, PEER_NAMED);
    assert_string_equal(profile->peer_name, "MEF of the north");
    assert_string_equal(profile->trust_anchors, "/etc/ca.pem");
    assert_string_equal(profile->crl, "/etc/crl.pem");
    assert_true(profile->ocsp_required && profile->provision);
    assert_string_equal(profile->est, "https://MEF.example.com:8443/est");
    assert_string_equal(profile->token, "credential:token");
    assert_string_equal(profile->uicc, "modem-2");
    assert_memory_equal(profile->ua_protocol, "\x01\x00\x01\x00\x2f", UA_PROTOCOL_LENGTH);
}

/* Two spellings of a digest, and one that is cut (RFC 6920 2). */
static void roots_are_digests_in_either_spelling(_unused_ void **state) {
    _cleanup_enrol_profile_ struct enrol_profile *profile = profile_of(every_key);
    uint8_t digest[PEER_DIGEST_MAX];
    size_t length;

    assert_int_equal(hex_decode(SHA256, digest, sizeof(digest), &length), 0);
    assert_int_equal(profile->peer_roots_count, 2);
    assert_int_equal(profile->peer_roots[0].length, 32);
    assert_memory_equal(profile->peer_roots[0].digest, digest, 32);
    assert_int_equal(profile->peer_roots[1].length, 16);
    assert_memory_equal(profile->peer_roots[1].digest, digest, 16);
}

static void the_print_of_a_whole_file_is_that_file(_unused_ void **state) {
    _cleanup_enrol_profile_ struct enrol_profile *profile = profile_of(every_key);
    _cleanup_free_ char *text = print(profile);

    assert_string_equal(text, every_key);
}

static void what_is_printed_is_read_back_the_same(_unused_ void **state) {
    static const char *const texts[] = {GBA, PSK, CERTIFICATE, every_key};

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        _cleanup_enrol_profile_ struct enrol_profile *profile = profile_of(texts[i]);
        _cleanup_free_ char *text = print(profile);
        _cleanup_enrol_profile_ struct enrol_profile *again = profile_of(text);

        assert_true(enrol_profile_equal(profile, again));
    }
}

static void profiles_are_compared_by_value(_unused_ void **state) {
    _cleanup_enrol_profile_ struct enrol_profile *a = profile_of(PSK);
    _cleanup_enrol_profile_ struct enrol_profile *b = profile_of(PSK "\n[Enrolment]\nSuid=21\n");
    _cleanup_enrol_profile_ struct enrol_profile *c = profile_of(PSK "\n[Enrolment]\nSuid=22\n");
    _cleanup_enrol_profile_ struct enrol_profile *d =
        profile_of(PSK "\n[Certificate]\nPeerRoot=" SHA256 "\n");

    assert_true(enrol_profile_equal(a, b));
    assert_false(enrol_profile_equal(a, c));
    assert_false(enrol_profile_equal(a, d));
}

static void the_target_tells_what_kind_it_is(_unused_ void **state) {
    static const struct {
        const char *target;
        enum onem2m_target kind;
    } cases[] = {
        {"maf.example.com", ONEM2M_TARGET_MAF},
        {"Smaf.example.com", ONEM2M_TARGET_MAF},
        {"/cse1", ONEM2M_TARGET_B},
        {"//sp.example/cse1", ONEM2M_TARGET_B},
        {"Cae7", ONEM2M_TARGET_B},
        {"S12", ONEM2M_TARGET_B},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_enrol_profile_ struct enrol_profile *profile = NULL;
        char text[256];

        (void)snprintf(text, sizeof(text), "[Enrolment]\nMethods=gba\nTarget=%s\n%s",
                       cases[i].target,
                       cases[i].kind == ONEM2M_TARGET_B ? "TargetFqdn=b.example.com\n" : "");
        profile = profile_of(text);
        assert_int_equal(profile->target_kind, cases[i].kind);
    }
}

static void an_empty_value_is_the_default_again(_unused_ void **state) {
    _cleanup_enrol_profile_ struct enrol_profile *profile = profile_of(
        CERTIFICATE "PeerRoot=" SHA256 "\nPeerRoot=\nPeerRoot=" NI_SHA128 "\n"
                    "Provision=yes\nProvision=\n[Enrolment]\nSuid=25\nSuid=\n[Token]\nToken=\n");

    assert_int_equal(profile->peer_roots_count, 1);
    assert_int_equal(profile->peer_roots[0].length, 16);
    assert_false(profile->provision);
    assert_int_equal(profile->suid, 21);
    assert_null(profile->token);
}

/* --- Refusals --------------------------------------------------------------------------------------- */

/* Each line is the ninth, in a section of its own; place, key, cause and what would be right are in the text. */
static const struct {
    const char *section, *line, *words;
} bad_values[] = {
    {"Enrolment", "Methods=gba gba", "\"gba\" is unknown, or stands there twice; allowed: gba, "},
    {"Enrolment", "Methods=psk x509", "\"x509\" is unknown, or stands there twice"},
    {"Enrolment", "Methods=GBA", "\"GBA\" is unknown"},
    {"Enrolment", "AfterRefusal=go", "none of these; allowed: stop or next"},
    {"Enrolment", "Mef=http://mef.example.com", "neither https:// nor coaps://; allowed: https://"},
    {"Enrolment", "Mef=https:///x", "an empty label in the name"},
    {"Enrolment", "Mef=https://mef_example.com:0", "the port is out of range"},
    {"Enrolment", "Mef=https://mef.example.com:70000", "the port is out of range"},
    {"Enrolment", "Mef=https://mef.example.com:1234567890", "the port is out of range"},
    {"Enrolment", "Mef=https://mef.example.com:", "the port is not a number"},
    {"Enrolment", "Mef=https://mef.example.com:8/a?b", "a query in it"},
    {"Enrolment", "Mef=https://mef.example.com/a b", "must be percent-encoded"},
    {"Enrolment", "Mef=https://user@mef.example.com", "not the name of a host"},
    {"Enrolment", "Mef=https://[::1]/", "not the name of a host"},
    {"Enrolment", "Mef=coaps://-mef.example.com", "a label starts or ends with a hyphen"},
    {"Enrolment", "ConnectTo=mef.example.com", "the port is missing; allowed: HOST:PORT"},
    {"Enrolment", "Target=maf example", "a space, quote or backslash in it; allowed: a MAF-ID"},
    {"Enrolment", "Identity=a\"b", "a space, quote or backslash in it; allowed: an AE-ID"},
    {"Enrolment", "AdminFqdn=a..b", "an empty label in the name; allowed: a host name"},
    {"Enrolment", "Labels=a\\b", "a quote or backslash in it"},
    {"Enrolment", "Derivation=release-2", "none of these; allowed: usage-constrained or release-1"},
    {"Enrolment", "Suid=20", "out of range; allowed: 21 to 25"},
    {"Enrolment", "Suid=26", "out of range; allowed: 21 to 25"},
    {"Enrolment", "Suid=x", "not a number; allowed: 21 to 25"},
    {"Enrolment", "ExpirySec=59", "out of range; allowed: 60 to 316224000 seconds"},
    {"Enrolment", "CipherSuites=PSK AES", "not names with \":\" between them; allowed: names of"},
    {"Enrolment", "CipherSuites=PSK:@SECLEVEL=0", "not names with \":\" between them"},
    {"Enrolment", "CipherSuites=PSK:eNULL", "a suite without a cipher"},
    {"Enrolment", "CipherSuites=PSK-NULL-SHA256:PSK", "a suite without a cipher"},
    {"Enrolment", "CipherSuites=AECDH-AES128-SHA", "without a proof of who it is"},
    {"Enrolment", "Exchange=coap", "none of these; allowed: resources or indications"},
    {"Enrolment", "Commands=maybe", "neither yes nor no; allowed: yes or no"},
    {"Enrolment", "ConnectTimeoutSec=0", "out of range; allowed: 0.1 to 300 seconds"},
    {"Enrolment", "RequestTimeoutSec=601", "out of range; allowed: 0.1 to 600 seconds"},
    {"Psk", "KpmId=a b", "a space, quote or backslash in it; allowed: 1 to 128 octets"},
    {"Psk", "Kpm=kpm", "neither an absolute path nor credential:NAME; allowed: an absolute path"},
    {"Psk", "Kpm=hex:00112233445566778899aabbccddeeff", "neither an absolute path nor credential"},
    {"Psk", "Kpm=credential:../shadow", "neither an absolute path nor credential:NAME"},
    {"Psk", "Kpm=credential:", "not the name of a credential"},
    {"Psk", "Kpm=credential:..", "not the name of a credential"},
    {"Psk", "Kpm=pkcs11:object=kpm", "neither an absolute path nor credential:NAME"},
    {"Certificate", "Certificate=pkcs11:x", "neither an absolute path nor credential:NAME"},
    {"Certificate", "PrivateKey=pkcs11:object=a?pin-value=1", "belongs into PrivateKeyPin="},
    {"Certificate", "PrivateKey=pkcs11:object=a?module-path=/x.so", "names a module"},
    {"Certificate", "PrivateKeyPin=1234", "neither an absolute path nor credential:NAME"},
    {"Certificate", "PrivateKey=gw.key",
     "allowed: an absolute path, credential:NAME of systemd, or"},
    {"Certificate", "PeerFlavour=dns", "none of these; allowed: fqdn, raw-public-key, device"},
    {"Certificate", "PeerRoot=ni:///sha-1;ABEiM0RVZneImaq7zN3u_w",
     "not the digest of a public key"},
    {"Certificate", "PeerRoot=sha-256;ABEiM0RVZneImaq7zN3u_w", "not the digest of a public key"},
    {"Certificate", "PeerRoot=0011", "too short; allowed: ni:///sha-256;BASE64URL"},
    {"Certificate", "TrustAnchors=ca.pem", "not an absolute path; allowed: an absolute path"},
    {"Certificate", "Crl=credential:crl", "not an absolute path"},
    {"Certificate", "RequireOcsp=2", "neither yes nor no"},
    {"Certificate", "Est=coaps://mef.example.com/est", "not https://; allowed: https://HOST"},
    {"Token", "Token=secret-in-clear", "neither an absolute path nor credential:NAME"},
    {"Gba", "Uicc=Modem 2", "not the name of a card"},
    {"Gba", "UaProtocol=01000100zz", "not hex digits; allowed: ten hex digits"},
    {"Gba", "UaProtocol=010001", "too short; allowed: ten hex digits"},
};

static void
a_bad_value_is_refused_with_file_line_key_cause_and_what_is_right(_unused_ void **state) {
    for (size_t i = 0; i < ELEMENTS(bad_values); i++) {
        const char *line = bad_values[i].line;
        char text[1024], place[128];

        (void)snprintf(text, sizeof(text), PSK "[%s]\n%s\n", bad_values[i].section, line);
        expect_refusal(text, bad_values[i].words);
        (void)snprintf(place, sizeof(place), "water.conf:10: [%s] %.*s=: ", bad_values[i].section,
                       (int)strcspn(line, "="), line);
        expect_refusal(text, place);
    }
}

/* A value may be a secret that somebody has put where its place should be. */
static void a_refusal_does_not_quote_the_value(_unused_ void **state) {
    struct enrol_profile *profile = NULL;
    struct failure failure;

    assert_int_equal(parse(PSK "Kpm=0123456789abcdef\n", &profile, &failure), -EINVAL);
    assert_lacks(failure.text, "0123456789abcdef");
    assert_int_equal(parse(PSK "[Token]\nToken=opensesame\n", &profile, &failure), -EINVAL);
    assert_lacks(failure.text, "opensesame");
}

static void what_does_not_fit_together_is_refused(_unused_ void **state) {
    static const struct {
        const char *text, *words;
    } cases[] = {
        {"[Enrolment]\nMethods=gba\n", "water.conf: [Enrolment] Target=: it must be given"},
        {"[Enrolment]\nTarget=maf.example.com\n", "Mef=: the methods need it"},
        {PSK "[Enrolment]\nMef=\n",
         "water.conf:10: [Enrolment] Mef=: the methods need it; allowed"},
        {PSK "[Enrolment]\nIdentity=\n",
         "water.conf:10: [Enrolment] Identity=: the methods need it"},
        {PSK "KpmId=\n", "water.conf:9: [Psk] KpmId=: the methods need it; allowed: 1 to 128"},
        {PSK "Kpm=\n", "water.conf:9: [Psk] Kpm=: the methods need it; allowed: an absolute path"},
        {CERTIFICATE "Certificate=\n",
         "water.conf:9: [Certificate] Certificate=: the method certificate needs it, or Provision"},
        {CERTIFICATE "PrivateKey=\n",
         "water.conf:9: [Certificate] PrivateKey=: the method certificate needs it"},
        {CERTIFICATE "Provision=yes\n", "[Psk] KpmId=: the methods need it"},
        {CERTIFICATE "PeerFlavour=raw-public-key\n", "PeerRoot=: PeerFlavour=raw-public-key needs"},
        {CERTIFICATE "PeerFlavour=raw-public-key\nPeerName=x\nPeerRoot=" SHA256 "\n",
         "water.conf:10: [Certificate] PeerName=: a raw public key has no name"},
        {CERTIFICATE "PeerFlavour=named\nTrustAnchors=/ca\n", "PeerRoot=: PeerFlavour=named needs"},
        {CERTIFICATE "PeerFlavour=cse-id\n",
         "TrustAnchors=: this PeerFlavour= needs it, or PeerRo"},
        {CERTIFICATE "PeerFlavour=device\nTrustAnchors=/ca\n",
         "PeerName=: PeerFlavour=device needs"},
        {CERTIFICATE "PeerFlavour=device\nTrustAnchors=/ca\nPeerName=x\n", "as OID;VALUE; allowed"},
        {CERTIFICATE "Est=https://other.example.com/est\n",
         "water.conf:9: [Certificate] Est=: another host than the MEF's"},
        {CERTIFICATE "Est=https://mef.example.com.evil/est\n", "another host than the MEF's"},
        {GBA "Target=/cse1\n", "TargetFqdn=: GBA and usage-constrained keys need it"},
        {PSK "[Enrolment]\nTarget=/cse1\n", "TargetFqdn=: GBA and usage-constrained keys need it"},
        {GBA "TargetFqdn=maf.example.com\n",
         "water.conf:4: [Enrolment] TargetFqdn=: Target= is an FQDN itself"},
        {GBA "Target=maf..com\n", "water.conf:4: [Enrolment] Target=: an empty label in the name"},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++)
        expect_refusal(cases[i].text, cases[i].words);
}

static void what_fits_together_is_taken(_unused_ void **state) {
    static const char *const texts[] = {
        CERTIFICATE "PeerFlavour=device\nTrustAnchors=/ca\nPeerName=1.2.3;4.5\n",
        CERTIFICATE "PeerFlavour=raw-public-key\nPeerRoot=" SHA256 "\n",
        CERTIFICATE "PeerFlavour=ae-id\nPeerName=//sp/Cmef\nPeerRoot=" SHA256 "\n",
        CERTIFICATE "Est=https://MEF.EXAMPLE.com\n",
        CERTIFICATE "Est=https://mef.example.com:8443/\n",
        CERTIFICATE "[Enrolment]\nCipherSuites=ECDHE-ECDSA-AES128-CCM8:!eNULL:!aNULL\n",
        /* A certificate by EST, in a session that Kpm protects. */
        "[Enrolment]\nMethods=certificate\nMef=coaps://m.example\nTarget=maf.example\nIdentity=Cg\n"
        "[Certificate]\nProvision=yes\n[Psk]\nKpmId=k\nKpm=/k\n",
        /* The older formula knows no FQDN of an Enrolee B, and without GBA nobody asks for it. */
        PSK "[Enrolment]\nTarget=/cse1\nDerivation=release-1\n",
        /* Without PSK nobody asks for Kpm. */
        CERTIFICATE "[Psk]\nKpmId=k\n",
    };

    for (size_t i = 0; i < ELEMENTS(texts); i++)
        enrol_profile_free(profile_of(texts[i]));
}

static void a_list_ends_where_the_limit_is(_unused_ void **state) {
    char text[1024] = CERTIFICATE;

    for (size_t i = 0; i < PEER_ROOTS_MAX; i++)
        (void)strcat(text, "PeerRoot=" SHA256 "\n");
    enrol_profile_free(profile_of(text));
    (void)strcat(text, "PeerRoot=" SHA256 "\n");
    expect_refusal(text, "water.conf:13: [Certificate] PeerRoot=: more than 4 lines; allowed: ");
}

static void the_unknown_is_a_warning_with_the_likely_word(_unused_ void **state) {
    _cleanup_enrol_profile_ struct enrol_profile *profile = NULL;
    struct capture capture;

    capture_start(&capture);
    profile = profile_of(GBA "Taget=x\n[Future]\nA=b\n");
    capture_end(&capture);
    assert_contains(capture.text, "water.conf:4: unknown key Taget= in [Enrolment]; ignored; did "
                                  "you mean Target=?");
    assert_contains(capture.text, "water.conf:6: unknown key A= in [Future]; ignored");
}

static void what_has_no_effect_is_a_warning(_unused_ void **state) {
    static const char card[] = "[UICC modem-2]\nTransport=qmi\n";
    static const struct {
        const char *text, *words;
    } cases[] = {
        {GBA, ""},
        {GBA "[Gba]\nUicc=modem-2\n", ""},
        {GBA "[Gba]\nUicc=modem-3\n",
         "enrol.d/water.conf: [Gba] Uicc=modem-3: keystrap.conf has no "
         "card of that name, so the method gba cannot be"},
        {GBA "[Token]\nToken=/t\n", "enrol.d/water.conf: [Token] Token=: only a MEF takes a token"},
        {PSK "[Token]\nToken=/t\n[Gba]\nUicc=modem-3\n", ""},
    };
    _cleanup_conf_ struct conf *conf = NULL;

    assert_int_equal(conf_parse("k.conf", card, strlen(card), &conf, NULL), 0);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_enrol_profile_ struct enrol_profile *profile = profile_of(cases[i].text);
        struct capture capture;

        capture_start(&capture);
        enrol_profile_warn(profile, conf);
        capture_end(&capture);
        if (cases[i].words[0])
            assert_contains(capture.text, cases[i].words);
        else
            assert_string_equal(capture.text, "");
    }
}

static void a_profile_s_name_is_that_of_a_card_in_style(_unused_ void **state) {
    static const char *const bad[] = {"", "Water", "a.b", "a/b", "seventeen-letters", "a b"};
    struct enrol_profile *profile = NULL;
    struct failure failure = {0};

    assert_int_equal(enrol_profile_parse("sixteen-letters-", "f", GBA, strlen(GBA), &profile, NULL),
                     0);
    profile = enrol_profile_free(profile);
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        failure_clear(&failure);
        assert_int_equal(enrol_profile_parse(bad[i], "f", GBA, strlen(GBA), &profile, &failure),
                         -EINVAL);
        assert_contains(failure.text, "f: the name of a profile is 1 to 16 of a-z, 0-9 and -");
        assert_null(profile);
    }
}

/* --- Values from elsewhere -------------------------------------------------------------------------- */

static int from_values(const struct enrol_value *values, size_t count, struct enrol_profile **ret,
                       struct failure *failure) {
    *failure = (struct failure){0};
    return enrol_profile_from_values("water", values, count, ret, failure);
}

static void values_make_the_profile_that_a_file_makes(_unused_ void **state) {
    static const struct enrol_value values[] = {
        {"Enrolment", "Methods", "psk"},
        {"Enrolment", "Mef", "https://mef.example.com"},
        {"Enrolment", "Target", "maf.example.com"},
        {"Enrolment", "Identity", "Cgw"},
        {"Psk", "KpmId", "10-gw@mef.example.com"},
        {"Psk", "Kpm", "credential:kpm"},
    };
    _cleanup_enrol_profile_ struct enrol_profile *file = profile_of(PSK), *document = NULL;
    struct failure failure;

    assert_int_equal(from_values(values, ELEMENTS(values), &document, &failure), 0);
    assert_string_equal(document->name, "water");
    assert_true(enrol_profile_equal(file, document));
}

static void a_document_is_refused_for_what_a_file_is_warned_of(_unused_ void **state) {
    static const struct {
        struct enrol_value value;
        const char *words;
    } cases[] = {
        {{"Enrolment", "Taget", "x"}, "no key Taget= in [Enrolment]"},
        {{"Future", "Target", "x"}, "no key Target= in [Future]"},
        {{"Enrolment", "Suid", "7"}, "[Enrolment] Suid=: out of range; allowed: 21 to 25"},
        {{"Enrolment", "Target", "a\nKpm=/x"}, "Target=: not printable ASCII"},
        {{"Enrolment", "Labels", " north"}, "Labels=: a space at its start or end"},
        {{"Certificate", "TrustAnchors", "/ca.pem "}, "TrustAnchors=: a space at its start or end"},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct enrol_value values[] = {
            {"Enrolment", "Methods", "gba"},
            {"Enrolment", "Target", "maf.example.com"},
            cases[i].value,
        };
        struct enrol_profile *profile = NULL;
        struct failure failure;

        assert_int_equal(from_values(values, ELEMENTS(values), &profile, &failure), -EINVAL);
        assert_null(profile);
        assert_contains(failure.text, cases[i].words);
        assert_contains(failure.text, "the document's profile");
    }
}

/* --- enrol.d ---------------------------------------------------------------------------------------- */

static void a_directory_that_is_not_there_has_no_profile(void **state) {
    struct enrol_profiles profiles;
    struct failure failure = {0};

    assert_int_equal(enrol_profiles_load(*state, &profiles, &failure), 0);
    assert_int_equal(profiles.count, 0);
    enrol_profiles_done(&profiles);
}

static void each_file_is_a_profile_that_its_name_names(void **state) {
    struct enrol_profiles profiles = {0};
    struct failure failure = {0};

    write_file(*state, "enrol.d/water.conf", PSK);
    write_file(*state, "enrol.d/gas-2.conf", GBA);
    write_file(*state, "enrol.d/empty.conf", "# [Enrolment]\n");
    write_file(*state, "enrol.d/other.conf.disabled", "nonsense");
    assert_int_equal(enrol_profiles_load(*state, &profiles, &failure), 0);
    assert_int_equal(profiles.count, 2);
    assert_string_equal(profiles.profiles[0]->name, "gas-2");
    assert_string_equal(profiles.profiles[1]->name, "water");
    assert_int_equal(profiles.profiles[0]->methods[0], ENROL_GBA);
    assert_int_equal(profiles.profiles[1]->methods[0], ENROL_PSK);
    assert_null(profiles.profiles[0]->kpm);
    enrol_profiles_done(&profiles);
    assert_int_equal(profiles.count, 0);
}

static void one_bad_file_refuses_all_and_is_named(void **state) {
    static const struct {
        const char *name, *text, *words;
    } cases[] = {
        {"enrol.d/b.conf", GBA "Suid=1\n", "enrol.d/b.conf:4: [Enrolment] Suid=: out of range"},
        {"enrol.d/z.conf", "[Enrolment]\nMethods=gba\n", "enrol.d/z.conf: [Enrolment] Target=: it"},
        {"enrol.d/a.conf", "[Enrolment]\nMethods=gba\n", "enrol.d/a.conf: [Enrolment] Target=: it"},
        {"enrol.d/Upper.conf", GBA, "enrol.d/Upper.conf: the name of a profile is"},
        {"enrol.d/x.conf", "[Enrolment]\nnonsense\n", "enrol.d/x.conf:2: "},
    };
    char path[PATH_SIZE];

    write_file(*state, "enrol.d/m.conf", PSK);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct enrol_profiles profiles = {0};
        struct failure failure = {0};

        write_file(*state, cases[i].name, cases[i].text);
        assert_int_equal(enrol_profiles_load(*state, &profiles, &failure), -EINVAL);
        assert_int_equal(profiles.count, 0);
        assert_contains(failure.text, cases[i].words);
        assert_int_equal(unlink(path_in(*state, cases[i].name, path)), 0);
    }
}

static void whoever_may_write_a_profile_decides_whom_we_trust_so_none_may(void **state) {
    struct enrol_profiles profiles = {0};
    struct failure failure = {0};

    write_file(*state, "enrol.d/water.conf", PSK);
    set_mode(*state, "enrol.d/water.conf", 0664);
    assert_int_equal(enrol_profiles_load(*state, &profiles, &failure), -EPERM);
    assert_contains(failure.text, "enrol.d/water.conf: can be written by others (mode 0664)");
    set_mode(*state, "enrol.d/water.conf", 0644);
    set_mode(*state, "enrol.d", 0777);
    failure_clear(&failure);
    assert_int_equal(enrol_profiles_load(*state, &profiles, &failure), -EPERM);
    assert_contains(failure.text, "enrol.d: can be written by others");
    set_mode(*state, "enrol.d", 0755);
    assert_int_equal(enrol_profiles_load(*state, &profiles, NULL), 0);
    enrol_profiles_done(&profiles);
}

static void there_are_no_more_profiles_than_are_served(void **state) {
    struct enrol_profiles profiles = {0};
    struct failure failure = {0};
    char name[32];

    for (unsigned i = 0; i < ENROL_PROFILES_MAX; i++) {
        (void)snprintf(name, sizeof(name), "enrol.d/p%u.conf", i);
        write_file(*state, name, GBA);
    }
    assert_int_equal(enrol_profiles_load(*state, &profiles, &failure), 0);
    assert_int_equal(profiles.count, ENROL_PROFILES_MAX);
    enrol_profiles_done(&profiles);
    write_file(*state, "enrol.d/z.conf", GBA);
    assert_int_equal(enrol_profiles_load(*state, &profiles, &failure), -E2BIG);
    assert_contains(failure.text, "enrol.d/z.conf: more than 8 profiles");
}

/* --- What is said of it ----------------------------------------------------------------------------- */

static void strip_quotes(char *text) {
    char *to = text;

    for (const char *p = text; *p; p++)
        if (*p != '"')
            *to++ = *p;
    *to = '\0';
}

static void the_manual_page_has_every_key_with_help_default_and_range(_unused_ void **state) {
    _cleanup_free_ char *man = read_source("docs/man/keystrap.conf.5");
    char *part = strstr(man, "\n.Sh PROFILES IN ENROL.D\n");
    struct conf_description key;

    assert_non_null(part);
    for (size_t i = 0; enrol_profile_describe(i, &key); i++) {
        _cleanup_free_ char *entry = NULL;
        char header[64], expected[256];

        (void)snprintf(header, sizeof(header), "\n.Ss [%s]\n", key.section);
        entry = man_paragraph(part, header, "\n.S", key.name);
        (void)snprintf(expected, sizeof(expected), "Allowed: %s.", key.allowed);
        strip_quotes(expected);
        assert_contains(entry, expected);
        (void)snprintf(expected, sizeof(expected), "Default: %s",
                       key.fallback[0] ? key.fallback : "empty.");
        assert_contains(entry, expected);
        /* The first sentence of the help; the page may say more of it. */
        (void)snprintf(expected, sizeof(expected), "%.*s",
                       (int)(strstr(key.help, ". ") ? strstr(key.help, ". ") + 1 - key.help
                                                    : (long)strlen(key.help)),
                       key.help);
        strip_quotes(expected);
        assert_contains(entry, expected);
    }
}

static void the_manual_page_has_no_key_too_many(_unused_ void **state) {
    _cleanup_free_ char *man = read_source("docs/man/keystrap.conf.5");
    char *part = strstr(man, "\n.Sh PROFILES IN ENROL.D\n"), *end = strstr(man, "\n.Sh FILES\n");
    struct conf_description key;
    size_t listed = 0, known = 0;

    assert_true(part && end && part < end);
    *end = '\0';
    for (const char *p = strstr(part, "\n.It Cm "); p; p = strstr(p + 1, "\n.It Cm "))
        listed++;
    while (enrol_profile_describe(known, &key)) {
        assert_true(strlen(key.help) > 10 && key.help[strlen(key.help) - 1] == '.');
        assert_in_range(strlen(key.allowed), 1, sizeof(key.allowed) - 2);
        known++;
    }
    assert_int_equal(listed, known);
    assert_false(enrol_profile_describe(SIZE_MAX, &key));
}

static void the_installed_example_is_none_until_its_comments_go(_unused_ void **state) {
    _cleanup_free_ char *text = read_source("systemd/enrol-example.conf");
    _cleanup_enrol_profile_ struct enrol_profile *profile = NULL;
    struct failure failure;
    struct capture capture;

    /* As a file it would be no profile at all: not one line of it is more than a comment. */
    for (const char *p = text; *p; p = strchrnul(p, '\n') + (*strchrnul(p, '\n') != '\0'))
        assert_true(*p == '#' || *p == '\n');
    assert_int_equal(parse(text, &profile, &failure), -EINVAL);
    for (char *p = text; *p; p++)
        if (p[0] == '\n' && p[1] == '#' && p[2] != ' ' && p[2] != '\n')
            p[1] = ' ';
    capture_start(&capture);
    profile = profile_of(text);
    capture_end(&capture);
    assert_string_equal(capture.text, "");
    assert_int_equal(profile->methods_count, 3);
}

static void the_installed_example_in_its_place_is_no_profile(void **state) {
    _cleanup_free_ char *text = read_source("systemd/enrol-example.conf");
    struct enrol_profiles profiles = {0};

    write_file(*state, "enrol.d/example.conf", text);
    assert_int_equal(enrol_profiles_load(*state, &profiles, NULL), 0);
    assert_int_equal(profiles.count, 0);
}

static void methods_and_flavours_have_the_names_of_the_file(_unused_ void **state) {
    char text[1024];

    for (int method = ENROL_GBA; method <= ENROL_PSK; method++) {
        (void)snprintf(text, sizeof(text),
                       CERTIFICATE "[Psk]\nKpmId=k\nKpm=/k\n[Enrolment]\n"
                                   "Methods=%s\n",
                       enrol_method_name((enum enrol_method)method));
        {
            _cleanup_enrol_profile_ struct enrol_profile *profile = profile_of(text);

            assert_int_equal(profile->methods[0], method);
        }
    }
    for (int flavour = PEER_FQDN; flavour <= PEER_NAMED; flavour++) {
        (void)snprintf(text, sizeof(text), CERTIFICATE "PeerRoot=" SHA256 "\nPeerFlavour=%s\n%s",
                       peer_flavour_name((enum peer_flavour)flavour),
                       flavour == PEER_RAW_PUBLIC_KEY ? "" : "PeerName=1.2;3\n");
        {
            _cleanup_enrol_profile_ struct enrol_profile *profile = profile_of(text);

            assert_int_equal(profile->peer_flavour, flavour);
        }
    }
}

#define in_directory(f) cmocka_unit_test_setup_teardown(f, setup_directory, teardown_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_profile_does_not_say_has_its_default),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(roots_are_digests_in_either_spelling),
        cmocka_unit_test(the_print_of_a_whole_file_is_that_file),
        cmocka_unit_test(what_is_printed_is_read_back_the_same),
        cmocka_unit_test(profiles_are_compared_by_value),
        cmocka_unit_test(the_target_tells_what_kind_it_is),
        cmocka_unit_test(an_empty_value_is_the_default_again),
        cmocka_unit_test(a_bad_value_is_refused_with_file_line_key_cause_and_what_is_right),
        cmocka_unit_test(a_refusal_does_not_quote_the_value),
        cmocka_unit_test(what_does_not_fit_together_is_refused),
        cmocka_unit_test(what_fits_together_is_taken),
        cmocka_unit_test(a_list_ends_where_the_limit_is),
        cmocka_unit_test(the_unknown_is_a_warning_with_the_likely_word),
        cmocka_unit_test(what_has_no_effect_is_a_warning),
        cmocka_unit_test(a_profile_s_name_is_that_of_a_card_in_style),
        cmocka_unit_test(values_make_the_profile_that_a_file_makes),
        cmocka_unit_test(a_document_is_refused_for_what_a_file_is_warned_of),
        in_directory(a_directory_that_is_not_there_has_no_profile),
        in_directory(each_file_is_a_profile_that_its_name_names),
        in_directory(one_bad_file_refuses_all_and_is_named),
        in_directory(whoever_may_write_a_profile_decides_whom_we_trust_so_none_may),
        in_directory(there_are_no_more_profiles_than_are_served),
        cmocka_unit_test(the_manual_page_has_every_key_with_help_default_and_range),
        cmocka_unit_test(the_manual_page_has_no_key_too_many),
        cmocka_unit_test(the_installed_example_is_none_until_its_comments_go),
        in_directory(the_installed_example_in_its_place_is_no_profile),
        cmocka_unit_test(methods_and_flavours_have_the_names_of_the_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
