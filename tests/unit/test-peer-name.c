/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Each flavour of name is found where its certificates have it (TS-0003 10.1), and nowhere else; what only resembles it is
 * refused with what was found and what was expected.
 */

#include "peer-scene.h"

static struct scene named(void **state, enum peer_flavour flavour, const char *expected,
                          const char *names) {
    struct scene scene = scene_of(
        *state, &(const struct wish){.subject = "a peer", .names = names, .usage = LEAF_USAGE});

    scene.expected.flavour = flavour;
    scene.expected.name = expected;
    return scene;
}

static void is(void **state, enum peer_flavour flavour, const char *expected, const char *names) {
    _cleanup_scene_ struct scene scene = named(state, flavour, expected, names);

    accepted(&scene);
}

/* @found: a part of the text. */
static void is_not(void **state, enum peer_flavour flavour, const char *expected, const char *names,
                   const char *found) {
    _cleanup_scene_ struct scene scene = named(state, flavour, expected, names);
    char flavour_text[32];

    (void)snprintf(flavour_text, sizeof(flavour_text), "(%s) is expected",
                   peer_flavour_name(flavour));
    refused(&scene, PEER_E_NAME, "CN = a peer", found, flavour_text);
}

/* --- FQDN --------------------------------------------------------------------------------------------- */

static void an_fqdn_is_a_dns_name_or_the_host_of_a_uri(void **state) {
    is(state, PEER_FQDN, MEF, "DNS:mef.example.com");
    is(state, PEER_FQDN, MEF, "DNS:other.example, DNS:MEF.Example.com");
    is(state, PEER_FQDN, MEF, "URI:https://mef.example.com/");
    is(state, PEER_FQDN, MEF, "URI:coaps://mef.example.com:5684?a=b");
    is(state, PEER_FQDN, MEF, "URI://mef.example.com");
}

static void an_fqdn_is_no_wildcard_no_part_and_no_subject(void **state) {
    is_not(state, PEER_FQDN, MEF, "DNS:*.example.com", "\"*.example.com\"");
    is_not(state, PEER_FQDN, "*.example.com", "DNS:mef.example.com", "\"mef.example.com\"");
    is_not(state, PEER_FQDN, MEF, "DNS:mef.example.com.evil.example", "evil.example");
    is_not(state, PEER_FQDN, MEF, "DNS:xmef.example.com", "xmef");
    is_not(state, PEER_FQDN, MEF, "email:mef@example.com", "none");
    is_not(state, PEER_FQDN, "a peer", NULL, "none");
}

/* Each of these has the name in it, and another host. */
static void a_uri_of_another_host_is_not_taken_for_ours(void **state) {
    is_not(state, PEER_FQDN, MEF, "URI:https://evil.example/?https://mef.example.com/", "evil");
    is_not(state, PEER_FQDN, MEF, "URI:https://mef.example.com@evil.example/", "evil");
    is_not(state, PEER_FQDN, MEF, "URI:https://mef.example.com:x@evil.example/", "evil");
    is_not(state, PEER_FQDN, MEF, "URI:mailto:a@evil.example//mef.example.com", "evil");
    is_not(state, PEER_FQDN, MEF, "URI:mef.example.com", "\"mef.example.com\"");
}

/* A dNSName "mef.example.com", NUL, "evil": 30 16 82 14 ... */
static void a_name_with_a_nul_is_none(void **state) {
    is_not(state, PEER_FQDN, MEF, "DER:301682146d65662e6578616d706c652e636f6d006576696c", "none");
}

static void a_name_beyond_the_limit_is_none(void **state) {
    char names[PEER_NAME_MAX + 64] = "DNS:", name[PEER_NAME_MAX + 2] = "";

    memset(name, 'a', PEER_NAME_MAX);
    (void)strcat(names, name);
    is(state, PEER_FQDN, name, names);
    (void)strcat(name, "a");
    (void)strcat(names, "a");
    is_not(state, PEER_FQDN, name, names, "none");
}

static void a_name_behind_more_than_are_looked_at_is_not_found(void **state) {
    char names[PEER_SAN_MAX * 16 + 64] = "";

    for (size_t i = 1; i < PEER_SAN_MAX; i++)
        (void)strcat(names, "DNS:x.example,");
    (void)strcat(names, "DNS:" MEF);
    is(state, PEER_FQDN, MEF, names);
    memmove(names + 14, names, strlen(names) + 1);
    memcpy(names, "DNS:y.example,", 14);
    is_not(state, PEER_FQDN, MEF, names, "\"y.example\"");
}

/* --- Devices, nodes, CSEs, AEs --------------------------------------------------------------------------- */

static void a_device_is_its_other_name(void **state) {
    is(state, PEER_DEVICE, "0.2.481.1;100.3030.10011", "otherName:0.2.481.1;UTF8:100.3030.10011");
    is(state, PEER_DEVICE, "0.2.481.1;1.2.3", "otherName:0.2.481.1;OID:1.2.3");
    is(state, PEER_DEVICE, "1.2.3;x",
       "otherName:1.2.3;IA5STRING:y, otherName:1.2.3;PRINTABLESTRING:x");
    is_not(state, PEER_DEVICE, "0.2.481.1;100.3030.10011",
           "otherName:0.2.481.2;UTF8:100.3030.10011", "\"0.2.481.2,100.3030.10011\"");
    is_not(state, PEER_DEVICE, "0.2.481.1;100", "otherName:0.2.481.1;UTF8:100.3030.10011", "3030");
    is_not(state, PEER_DEVICE, "0.2.481.1;100", "DNS:100", "\"100\"");
    is_not(state, PEER_DEVICE, "0.2.481.1;1", "otherName:0.2.481.1;INTEGER:1", "none");
}

/* 0.2.481.1 with 0d 05 64 97 56 ce 1b: the arcs 100, 3030 and 10011. */
#define ARCS(tail) "DER:3011a00f060402836101a0070d05" tail

static void a_device_is_the_rest_of_its_oid(void **state) {
    is(state, PEER_DEVICE, "0.2.481.1;100.3030.10011", ARCS("649756ce1b"));
    is_not(state, PEER_DEVICE, "0.2.481.1;100.3030.10011", ARCS("649756ce1c"), "100.3030.10012");
    is_not(state, PEER_DEVICE, "0.2.481.1;100.3030.10011", ARCS("649756ce9b"), "none");
    is_not(state, PEER_DEVICE, "0.2.481.1;100.3030", ARCS("8064649756"), "none");
}

static void an_arc_that_overflows_is_no_name(void **state) {
    is_not(state, PEER_DEVICE, "0.2.481.1;0",
           "DER:3017a015060402836101a00d0d0b"
           "9080808080808080808000",
           "none");
}

static void a_node_is_known_by_any_of_its_names(void **state) {
    is(state, PEER_NODE_ID, "node-1", "DNS:node-1");
    is(state, PEER_NODE_ID, "urn:dev:node-1", "URI:urn:dev:node-1");
    is(state, PEER_NODE_ID, "node-1", "otherName:1.2.3;UTF8:node-1");
    is_not(state, PEER_NODE_ID, "node-1", "DNS:Node-1", "\"Node-1\"");
    is_not(state, PEER_NODE_ID, "node-1", "otherName:1.2.3;UTF8:node-2", "node-2");
    is_not(state, PEER_NODE_ID, "1.2.3;node-1", "otherName:1.2.3;UTF8:node-1", "node-1");
}

static void a_cse_is_a_dns_name_or_a_uri(void **state) {
    is(state, PEER_CSE_ID, "mn-cse-1.sp.example", "DNS:mn-cse-1.sp.example");
    is(state, PEER_CSE_ID, "//sp.example/mn-cse-1", "URI://sp.example/mn-cse-1");
    is(state, PEER_CSE_ID, "//sp.example/mn-cse-1",
       "DNS:localhost, URI:https://sp.example/mn-cse-1");
    is_not(state, PEER_CSE_ID, "//sp.example/mn-cse-1", "URI://sp.example/mn-cse-2", "mn-cse-2");
    is_not(state, PEER_CSE_ID, "//sp.example/mn-cse-1", "URI://sp.example/MN-CSE-1", "MN-CSE-1");
    is_not(state, PEER_CSE_ID, "//sp.example/mn", "URI:x:y//sp.example/mn", "x:y//");
    is_not(state, PEER_CSE_ID, "sp.example", "URI:https://sp.example/", "https");
}

static void an_ae_is_a_uri_alone(void **state) {
    is(state, PEER_AE_ID, "//sp.example/cse/C1", "URI://sp.example/cse/C1");
    is(state, PEER_AE_ID, "//sp.example/S1", "URI:coap://sp.example/S1");
    is_not(state, PEER_AE_ID, "sp.example", "DNS:sp.example", "\"sp.example\"");
    is_not(state, PEER_AE_ID, "//sp.example/cse/C1", "URI://sp.example/cse/C1/", "C1/");
}

/* --- The draft's --------------------------------------------------------------------------------------- */

static void the_drafts_name_may_be_in_any_field(void **state) {
    is(state, PEER_NAMED, "a peer", NULL);
    is(state, PEER_NAMED, "peer.example", "DNS:peer.example");
    is(state, PEER_NAMED, "urn:x:1", "URI:urn:x:1");
    is(state, PEER_NAMED, "1.2.3;x", "otherName:1.2.3;UTF8:x");
    is_not(state, PEER_NAMED, "A peer", NULL, "none");
    is_not(state, PEER_NAMED, "peer.example", "DNS:Peer.example", "\"Peer.example\"");
}

static void nobodys_name_is_nobodys_certificate(void **state) {
    _cleanup_scene_ struct scene scene = named(state, PEER_FQDN, "", "DNS:mef.example.com");

    refused(&scene, PEER_E_NAME, "CN = a peer", "has none", "expected");
    scene.expected.name = NULL;
    refused(&scene, PEER_E_NAME, "CN = a peer", "has none", "expected");
}

static void names_that_cannot_be_read_are_malformed(void **state) {
    _cleanup_scene_ struct scene scene = named(state, PEER_FQDN, MEF, "DER:3003820600");

    refused(&scene, PEER_E_MALFORMED, "CN = a peer", "cannot be read", "");
}

/* A subject of anybody's choice does not write into the log or into the remedy. */
static void a_subject_is_printable_in_every_message(void **state) {
    _cleanup_scene_ struct scene scene = scene_of(
        *state, &(const struct wish){
                    .subject = "a\x1b[31m;\n\xc3\xa4", .names = "DNS:b\\;c", .usage = LEAF_USAGE});
    struct failure failure;

    assert_int_equal(verify(&scene, &failure), PEER_E_NAME);
    for (const char *p = failure.text; *p; p++)
        assert_true(*p >= 0x20 && *p <= 0x7e && *p != ';');
}

#define TEST(name) cmocka_unit_test(name)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_fqdn_is_a_dns_name_or_the_host_of_a_uri),
        TEST(an_fqdn_is_no_wildcard_no_part_and_no_subject),
        TEST(a_uri_of_another_host_is_not_taken_for_ours),
        TEST(a_name_with_a_nul_is_none),
        TEST(a_name_beyond_the_limit_is_none),
        TEST(a_name_behind_more_than_are_looked_at_is_not_found),
        TEST(a_device_is_its_other_name),
        TEST(a_device_is_the_rest_of_its_oid),
        TEST(an_arc_that_overflows_is_no_name),
        TEST(a_node_is_known_by_any_of_its_names),
        TEST(a_cse_is_a_dns_name_or_a_uri),
        TEST(an_ae_is_a_uri_alone),
        TEST(the_drafts_name_may_be_in_any_field),
        TEST(nobodys_name_is_nobodys_certificate),
        TEST(names_that_cannot_be_read_are_malformed),
        TEST(a_subject_is_printable_in_every_message),
    };

    return cmocka_run_group_tests(tests, setup_directory, teardown_directory);
}
