/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * `keystrap-lab mef` as a process: EST with curl by certificates and with openssl s_client by a pre-shared key, resources
 * over HTTPS and CoAPS, and faults by its control socket.
 */

#include "mef-process.h"

#define MEF      "mef.example.com"
#define GATEWAY  "gw1.example.com"
#define IDENTITY "kpm-gw1@mef.example.com"
#define KEY      "0123456789abcdef0123456789abcdef"
#define KEY_HEX                        \
    "30313233343536373839616263646566" \
    "30313233343536373839616263646566"

static const char enrolees[] =
    "[gw1]\nIdentity=" GATEWAY "\nKpmId=" IDENTITY "\nKpm=" KEY_HEX "\n[gw2.example.com]\n";

struct scene {
    struct scratch scratch;
    struct mef_process mef;
};

static void start(struct scene *scene, const char *const *more) {
    static const char *const words[] = {
        "--fqdn",    MEF,           "--enrolees",    "enrolees",    "--psk-listen", "127.0.0.1:0",
        "--listen",  "127.0.0.1:0", "--coap-listen", "127.0.0.1:0", "--tls-cert",   "mef.pem",
        "--tls-key", "mef.key",     "--anchors",     "root.pem",    NULL,
    };

    mef_process_start(&scene->mef, &scene->scratch, KEYSTRAP_LAB, words, more);
    assert_true(scene->mef.psk > 0 && scene->mef.https > 0 && scene->mef.coaps > 0);
}

static void stop(struct scene *scene) {
    mef_process_stop(&scene->mef);
}

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    scratch_open(&scene->scratch);
    make_authority(&scene->scratch, "root");
    make_certificate(&scene->scratch, "root", "mef", "DNS:" MEF);
    /* Who looks at a stapled response needs the issuer. */
    must(&scene->scratch, "cat root.pem >> mef.pem");
    make_certificate(&scene->scratch, "root", "old", "DNS:" GATEWAY);
    scratch_write(&scene->scratch, "enrolees", enrolees, strlen(enrolees));
    must(&scene->scratch,
         "openssl req -new " PEER_NEW_KEY " -keyout gw.key -out gw.csr -subj /CN=gw "
         "-addext subjectAltName=DNS:" GATEWAY " 2>&1 && "
         "openssl req -in gw.csr -outform DER | openssl base64 -e > gw.b64");
    start(scene, NULL);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;

    stop(scene);
    scratch_close(&scene->scratch);
    free(scene);
    return 0;
}

static void order(const struct scene *scene, const char *line, char *ret, size_t size) {
    mef_process_order(&scene->mef, line, ret, size);
}

/* The status that curl gets, as the body in "body" and the head in "head". */
static long ask_curl(const struct scene *scene, const char *options, const char *path) {
    int status;
    char *text = shell(&scene->scratch, &status,
                       "curl -sS -o body -D head -w '%%{http_code}' --tls-max 1.2 --noproxy '*' -m "
                       "15 --cacert root.pem "
                       "--resolve " MEF ":%u:127.0.0.1 %s https://" MEF ":%u%s",
                       scene->mef.https, options, scene->mef.https, path);
    long code = strtol(text, NULL, 10);

    free(text);
    return code;
}

#define EST    "/.well-known/est/"
#define POST   " --data-binary @gw.b64 -H 'Content-Type: application/pkcs10'"
#define AS_OLD "--cert old.pem --key old.key"
#define AS_NEW "--cert new.pem --key gw.key"
#define FIELDS " -H 'X-M2M-Origin: " GATEWAY "' -H 'X-M2M-RI: r1' -H 'X-M2M-RVI: 3'"
#define UNWRAP "openssl base64 -d -in body | openssl pkcs7 -inform DER -print_certs -out "

/* --- EST by certificates --------------------------------------------------------------------------- */

static void curl_enrols_and_renews_with_what_it_got(void **state) {
    struct scene *scene = *state;
    char counts[256];

    assert_int_equal(ask_curl(scene, "", EST "cacerts"), 200);
    must(&scene->scratch, "grep -qi '^content-transfer-encoding: base64' head && " UNWRAP "ca.pem");
    assert_int_equal(ask_curl(scene, AS_OLD POST, EST "simpleenroll"), 200);
    must(&scene->scratch,
         "grep -qi '^content-type: application/pkcs7-mime; smime-type=certs-only' head && " UNWRAP
         "new.pem");
    must(&scene->scratch, "openssl verify -purpose sslclient -CAfile ca.pem new.pem");
    assert_int_equal(ask_curl(scene, AS_NEW POST, EST "simplereenroll"), 200);
    must(&scene->scratch, UNWRAP
         "newer.pem && openssl verify -CAfile ca.pem newer.pem && ! cmp -s new.pem newer.pem");
    order(scene, "est count", counts, sizeof(counts));
    assert_string_equal(counts, "cacerts 1 csrattrs 0 enrolled 1 renewed 1 refused 0");
}

static void without_a_certificate_only_what_is_public_is_served(void **state) {
    struct scene *scene = *state;

    assert_int_equal(ask_curl(scene, "", EST "cacerts"), 200);
    assert_int_equal(ask_curl(scene, "", EST "csrattrs"), 200);
    assert_int_equal(ask_curl(scene, POST, EST "simpleenroll"), 403);
    assert_int_equal(ask_curl(scene, "", "/anything"), 403);
}

static void a_stranger_and_somebody_elses_name_are_refused(void **state) {
    struct scene *scene = *state;

    make_authority(&scene->scratch, "other");
    make_certificate(&scene->scratch, "other", "odd", "DNS:" GATEWAY);
    make_certificate(&scene->scratch, "root", "gw2", "DNS:gw2.example.com");
    assert_int_equal(ask_curl(scene, "--cert odd.pem --key odd.key" POST, EST "simpleenroll"), 403);
    assert_int_equal(ask_curl(scene, "--cert gw2.pem --key gw2.key" POST, EST "simpleenroll"), 403);
}

static void pending_and_busy_say_when_to_come_back(void **state) {
    struct scene *scene = *state;

    order(scene, "est fault pending 2 x1", NULL, 0);
    assert_int_equal(ask_curl(scene, AS_OLD POST, EST "simpleenroll"), 202);
    must(&scene->scratch, "grep -qi '^retry-after: 2' head");
    order(scene, "est fault busy 3 x1", NULL, 0);
    assert_int_equal(ask_curl(scene, AS_OLD POST, EST "simpleenroll"), 503);
    must(&scene->scratch, "grep -qi '^retry-after: 3' head");
    assert_int_equal(ask_curl(scene, AS_OLD POST, EST "simpleenroll"), 200);
}

/* --- EST by a pre-shared key ------------------------------------------------------------------------- */

/* One request by TLS-PSK; the answer in the child's text. */
static void ask_by_key(struct scene *scene, const char *request, const char *suite) {
    static const char *const tail[] = {"-servername", MEF, "-quiet", NULL};
    char address[64];
    const char *argv[32] = {"openssl", "s_client",      "-tls1_2", "-connect", address, "-cipher",
                            suite,     "-psk_identity", IDENTITY,  "-psk",     KEY_HEX};
    struct child child;
    size_t n = 11;

    for (const char *const *word = tail; *word; word++)
        argv[n++] = *word;
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", scene->mef.psk);
    child_start(&child, &scene->scratch, argv);
    assert_int_equal(write(child.in, request, strlen(request)), strlen(request));
    assert_true(child_read_until(&child, NULL));
    scratch_write(&scene->scratch, "answer", child.text, child.length);
    child_stop(&child);
    must(&scene->scratch, "tr -d '\\r' < answer | sed '1,/^$/d' > body");
}

static void est_goes_through_the_session_of_a_pre_shared_key(void **state) {
    struct scene *scene = *state;
    char request[4096], *body = scratch_read(&scene->scratch, "gw.b64");

    ask_by_key(scene, "GET " EST "cacerts HTTP/1.1\r\nHost: " MEF "\r\nConnection: close\r\n\r\n",
               "PSK-AES128-CBC-SHA256");
    must(&scene->scratch, "head -1 answer | grep -q ' 200 ' && " UNWRAP "ca.pem");
    (void)snprintf(request, sizeof(request),
                   "POST " EST "simpleenroll HTTP/1.1\r\nHost: " MEF "\r\nConnection: close\r\n"
                   "Content-Type: application/pkcs10\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
    free(body);
    ask_by_key(scene, request, "ECDHE-PSK-AES128-CBC-SHA256");
    must(&scene->scratch, "head -1 answer | grep -q ' 200 ' && " UNWRAP
                          "new.pem && openssl verify -CAfile ca.pem new.pem");
    /* And what was got by the key is good for the other port. */
    assert_int_equal(ask_curl(scene, AS_NEW POST, EST "simplereenroll"), 200);
}

static void the_challenge_comes_by_csrattrs(void **state) {
    struct scene *scene = *state;
    const char *const more[] = {"--challenge", "--lifetime", "30", NULL};

    stop(scene);
    start(scene, more);
    assert_int_equal(ask_curl(scene, AS_OLD POST, EST "simpleenroll"), 403);
    assert_int_equal(ask_curl(scene, AS_OLD, EST "csrattrs"), 200);
    must(&scene->scratch,
         "challenge=$(openssl base64 -d -in body | openssl asn1parse -inform DER | "
         "sed -n 's/.*PRINTABLESTRING *://p') && "
         "printf "
         "'[req]\\nprompt=no\\ndistinguished_name=d\\nattributes=a\\nreq_extensions=e\\n[d]\\nCN="
         "gw\\n"
         "[a]\\nchallengePassword=%%s\\n[e]\\nsubjectAltName=DNS:" GATEWAY
         "\\n' \"$challenge\" > c.conf && "
         "openssl req -new -key gw.key -config c.conf -outform DER | openssl base64 -e > gw.b64");
    assert_int_equal(ask_curl(scene, AS_OLD POST, EST "simpleenroll"), 200);
    must(&scene->scratch, UNWRAP "new.pem && ! openssl x509 -in new.pem -noout -checkend 31");
}

/* --- OCSP, resources, faults --------------------------------------------------------------------------- */

static void https_staples_the_ocsp_response_of_its_option(void **state) {
    struct scene *scene = *state;
    const char *const more[] = {"--ocsp", "ocsp", NULL};

    must(&scene->scratch,
         "printf 'V\\t%%s\\t\\t%%s\\tunknown\\t/CN=mef\\n' \"$(date -u -d '+1 day' "
         "+%%y%%m%%d%%H%%M%%SZ)\" "
         "\"$(openssl x509 -in mef.pem -noout -serial | cut -d= -f2)\" > index && "
         "openssl ocsp -issuer root.pem -cert mef.pem -no_nonce -reqout request 2>&1 && "
         "openssl ocsp -index index -CA root.pem -rsigner root.pem -rkey root.key -reqin request "
         "-ndays 1 -respout ocsp 2>&1");
    stop(scene);
    start(scene, more);
    /* curl fails when nothing good is stapled. */
    assert_int_equal(ask_curl(scene, "--cert-status", EST "cacerts"), 200);
    assert_int_equal(ask_curl(scene, "--cert-status", EST "cacerts"), 200);
    stop(scene);
    start(scene, NULL);
    assert_int_equal(ask_curl(scene, "--cert-status", EST "cacerts"), 0);
}

/* The line of the answer that libcoap's client shows. */
static void ask_coap(struct scene *scene, const char *const *credentials, char *ret, size_t size) {
    char uri[64];
    const char *argv[28] = {"coap-client-openssl", "-v", "7",      "-B", "15",   "-m", "get", "-O",
                            ("256," GATEWAY),      "-O", "257,r1", "-O", "271,3"};
    const char *line, *end;
    struct child child;
    size_t n = 13;

    for (; *credentials; credentials++)
        argv[n++] = *credentials;
    argv[n] = uri;
    (void)snprintf(uri, sizeof(uri), "coaps://127.0.0.1:%u/nothing", scene->mef.coaps);
    child_start(&child, &scene->scratch, argv);
    assert_true(child_read_until(&child, " t:ACK "));
    line = strstr(child.text, " t:ACK ");
    assert_true(child_read_until(&child, "removed "));
    end = strchr(line, '\n');
    assert_non_null(end);
    (void)snprintf(ret, size, "%.*s", (int)(end - line), line);
    child_stop(&child);
}

static void coaps_serves_keys_and_certificates_with_the_same_answers_as_https(void **state) {
    static const char *const by_key[] = {"-u", IDENTITY, "-k", KEY, NULL};
    static const char *const by_certificate[] = {"-c", "old.pem",  "-j", "old.key",
                                                 "-C", "root.pem", NULL};
    struct scene *scene = *state;
    char line[512];

    ask_coap(scene, by_key, line, sizeof(line));
    assert_non_null(strstr(line, "c:4.04 "));
    assert_non_null(strstr(line, "257:\\x72\\x31"));
    assert_non_null(strstr(line, "265:\\x0F\\xA4")); /* 4004 */
    assert_non_null(strstr(line, "{\"error\":"));
    ask_coap(scene, by_certificate, line, sizeof(line));
    assert_non_null(strstr(line, "c:4.04 "));
    assert_int_equal(ask_curl(scene, AS_OLD FIELDS, "/nothing"), 404);
    must(&scene->scratch, "grep -qi '^x-m2m-rsc: 4004' head && grep -qi '^x-m2m-ri: r1' head && "
                          "grep -q '{\"error\":' body");
}

static void faults_are_the_same_over_both(void **state) {
    static const char *const by_key[] = {"-u", IDENTITY, "-k", KEY, NULL};
    struct scene *scene = *state;
    char line[512];

    order(scene, "fault busy 7 x2", NULL, 0);
    ask_coap(scene, by_key, line, sizeof(line));
    assert_non_null(strstr(line, "c:5.03 "));
    assert_non_null(strstr(line, "Max-Age:7"));
    assert_int_equal(ask_curl(scene, AS_OLD, "/"), 503);
    must(&scene->scratch, "grep -qi '^retry-after: 7' head");
    order(scene, "fault refuse", NULL, 0);
    ask_coap(scene, by_key, line, sizeof(line));
    assert_non_null(strstr(line, "c:4.03 "));
    assert_int_equal(ask_curl(scene, AS_OLD, "/"), 403);
    order(scene, "clear", NULL, 0);
    order(scene, "fault silent x1", NULL, 0);
    assert_int_equal(ask_curl(scene, AS_OLD " -m 1", "/"), 0);
    assert_int_equal(ask_curl(scene, AS_OLD FIELDS, "/nothing"), 404);
    order(scene, "fault silent x1", NULL, 0);
    /* The first request stays without an answer; what the client sends again does not. */
    ask_coap(scene, by_key, line, sizeof(line));
    assert_non_null(strstr(line, "c:4.04 "));
}

static void a_muted_coaps_port_says_nothing_until_it_may(void **state) {
    struct scene *scene = *state;
    char uri[64];
    const char *const argv[] = {
        "coap-client-openssl", "-v", "7",      "-B", "15",    "-u", IDENTITY, "-k", KEY, "-O",
        ("256," GATEWAY),      "-O", "257,r1", "-O", "271,3", uri,  NULL};
    struct child child;

    (void)snprintf(uri, sizeof(uri), "coaps://127.0.0.1:%u/nothing", scene->mef.coaps);
    order(scene, "mute on", NULL, 0);
    child_start(&child, &scene->scratch, argv);
    assert_true(child_read_until(&child, "write client hello"));
    assert_null(strstr(child.text, "received"));
    order(scene, "mute off", NULL, 0);
    assert_true(child_read_until(&child, "c:4.04 "));
    child_stop(&child);
}

static void wrong_options_and_files_are_refused(void **state) {
    static const char *const lines[] = {
        "",
        "--enrolees enrolees",
        "--enrolees enrolees --listen 127.0.0.1:0",
        "--enrolees enrolees --psk-listen 127.0.0.1:0 --lifetime 0",
        "--enrolees enrolees --psk-listen 127.0.0.1:0 --enrolment-lifetime x",
        "--enrolees enrolees --psk-listen 127.0.0.1:0 --path here",
        "--enrolees enrolees --psk-listen 127.0.0.1:0 --tls-cert mef.pem",
        "--enrolees nonexistent --psk-listen 127.0.0.1:0",
        "--enrolees mef.pem --psk-listen 127.0.0.1:0",
        "--enrolees enrolees --coap-listen 127.0.0.1:0 --tls-cert mef.pem --tls-key old.key",
        ("--enrolees enrolees --coap-listen 127.0.0.1:0 --tls-cert mef.pem --tls-key mef.key "
         "--ocsp "
         "nonexistent"),
        "--enrolees enrolees --psk-listen 127.0.0.1:0 --anchors nonexistent",
        "--enrolees enrolees --psk-listen 127.0.0.1:0 --ca-cert mef.pem --ca-key nonexistent",
    };
    struct scene *scene = *state;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        must(&scene->scratch,
             "timeout 10 " KEYSTRAP_LAB " mef %s >out 2>&1; code=$?; "
             "test $code -ne 0 && test $code -ne 124 && ! grep -q ^ready out",
             lines[i]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(curl_enrols_and_renews_with_what_it_got),
        TEST(without_a_certificate_only_what_is_public_is_served),
        TEST(a_stranger_and_somebody_elses_name_are_refused),
        TEST(pending_and_busy_say_when_to_come_back),
        TEST(est_goes_through_the_session_of_a_pre_shared_key),
        TEST(the_challenge_comes_by_csrattrs),
        TEST(https_staples_the_ocsp_response_of_its_option),
        TEST(coaps_serves_keys_and_certificates_with_the_same_answers_as_https),
        TEST(faults_are_the_same_over_both),
        TEST(a_muted_coaps_port_says_nothing_until_it_may),
        TEST(wrong_options_and_files_are_refused),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
