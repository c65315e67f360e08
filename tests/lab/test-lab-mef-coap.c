/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The CoAPS server against other people's clients: libcoap's on OpenSSL for whole requests, openssl s_client for suites,
 * exporter and stapling, and messages by hand for what no well-behaved client sends.
 */

#include "mef-peer.h"

#include <pthread.h>
#include <sys/ioctl.h>

#include "hex.h"
#include "mef-coap.h"

#define LABEL    "EXPORTER-oneM2M-Bootstrap"
#define IDENTITY "kpm-gw1@mef.example"
#define KEY      "0123456789abcdef0123456789abcdef"
#define KEY_HEX                        \
    "30313233343536373839616263646566" \
    "30313233343536373839616263646566"
#define MEF     "mef.example"
#define GATEWAY "gw1.example"

/* What the handler saw last. */
struct record {
    unsigned requests;
    char method[16], path[64], from[64], number[64], release[16], body[256];
    long type, format;
    char exporter[2 * MEF_COAP_EXPORTER_LENGTH + 1];
    char suite[64];
};

/* What the server's threads and the test share. */
struct shared {
    pthread_mutex_t lock;
    struct record record;
    struct mef_coap_reply reply; /* what is answered; body: a literal */
};

struct scene {
    struct scratch scratch;
    struct shared shared;
    char *certificate, *key, *anchors;
    struct mef_coap *coap;
    char uri[96], address[64];
    struct child child;
};

/* --- The server's side ---------------------------------------------------------------------------- */

static size_t psk(void *userdata, const char *identity, uint8_t ret[MEF_DTLS_KEY_MAX]) {
    (void)userdata;
    if (strcmp(identity, IDENTITY) != 0)
        return 0;
    memcpy(ret, KEY, strlen(KEY));
    return strlen(KEY);
}

static bool admits(void *userdata, const uint8_t *der, size_t length, bool trusted) {
    (void)userdata;
    assert_non_null(der);
    assert_true(length > 0);
    return trusted;
}

static void note(struct record *record, const struct mef_coap_request *request) {
    uint8_t exporter[MEF_COAP_EXPORTER_LENGTH];

    record->requests++;
    (void)snprintf(record->method, sizeof(record->method), "%s", request->method);
    (void)snprintf(record->path, sizeof(record->path), "%s", request->path);
    (void)snprintf(record->from, sizeof(record->from), "%s", request->from);
    (void)snprintf(record->number, sizeof(record->number), "%s", request->number);
    (void)snprintf(record->release, sizeof(record->release), "%s", request->release);
    (void)snprintf(record->body, sizeof(record->body), "%.*s", (int)request->body_length,
                   request->body ? (const char *)request->body : "");
    record->type = request->type;
    record->format = request->format;
    record->exporter[0] = '\0';
    if (mef_coap_exporter(request->session, LABEL, exporter))
        hex_encode(exporter, sizeof(exporter), record->exporter);
    (void)snprintf(record->suite, sizeof(record->suite), "%s",
                   gnutls_cipher_suite_get_name(gnutls_kx_get(request->session),
                                                gnutls_cipher_get(request->session),
                                                gnutls_mac_get(request->session)));
}

static int handle(const struct mef_coap_request *request, struct mef_coap_reply *reply,
                  void *userdata) {
    struct shared *shared = userdata;

    (void)pthread_mutex_lock(&shared->lock);
    note(&shared->record, request);
    *reply = shared->reply;
    if (reply->body) {
        reply->body_length = strlen(reply->body);
        reply->body = strdup(reply->body);
    }
    (void)pthread_mutex_unlock(&shared->lock);
    return 0;
}

static struct record look(struct scene *scene) {
    struct record record;

    (void)pthread_mutex_lock(&scene->shared.lock);
    record = scene->shared.record;
    (void)pthread_mutex_unlock(&scene->shared.lock);
    return record;
}

static void answer_with(struct scene *scene, struct mef_coap_reply reply) {
    (void)pthread_mutex_lock(&scene->shared.lock);
    scene->shared.reply = reply;
    (void)pthread_mutex_unlock(&scene->shared.lock);
}

#define OK_BODY   ((char *)(uintptr_t) "{\"ok\":true}")
#define NEXT_BODY ((char *)(uintptr_t) "{\"next\":true}")

static void start(struct scene *scene, const char *priority, const char *ocsp) {
    const struct mef_coap_options options = {
        .listen = "127.0.0.1:0",
        .priority = priority,
        .certificate = scene->certificate,
        .key = scene->key,
        .anchors = scene->anchors,
        .ocsp = ocsp,
        .psk = psk,
        .admits = admits,
        .handler = handle,
        .userdata = &scene->shared,
    };

    assert_int_equal(mef_coap_start(&options, &scene->coap), 0);
    (void)snprintf(scene->address, sizeof(scene->address), "127.0.0.1:%u",
                   mef_coap_port(scene->coap));
    (void)snprintf(scene->uri, sizeof(scene->uri), "coaps://%s/", scene->address);
}

static int set_up(void **state) {
    struct scene *scene = calloc(1, sizeof(*scene));

    assert_non_null(scene);
    scratch_open(&scene->scratch);
    (void)pthread_mutex_init(&scene->shared.lock, NULL);
    answer_with(scene, (struct mef_coap_reply){.status = 200, .rsc = 2000, .body = OK_BODY});
    make_authority(&scene->scratch, "ca");
    make_certificate(&scene->scratch, "ca", "mef", "DNS:" MEF);
    make_certificate(&scene->scratch, "ca", "gw", "DNS:" GATEWAY);
    scene->certificate = scratch_read(&scene->scratch, "mef.pem");
    scene->key = scratch_read(&scene->scratch, "mef.key");
    scene->anchors = scratch_read(&scene->scratch, "ca.pem");
    start(scene, NULL, NULL);
    *state = scene;
    return 0;
}

static int tear_down(void **state) {
    struct scene *scene = *state;

    (void)mef_coap_stop(scene->coap);
    free(scene->certificate);
    free(scene->key);
    free(scene->anchors);
    scratch_close(&scene->scratch);
    (void)pthread_mutex_destroy(&scene->shared.lock);
    free(scene);
    return 0;
}

static void restart(struct scene *scene, const char *priority, const char *ocsp) {
    scene->coap = mef_coap_stop(scene->coap);
    start(scene, priority, ocsp);
}

/* --- libcoap's client ------------------------------------------------------------------------------ */

#define ARGUMENTS_MAX 32u

/* coap-client-openssl with @more; it prints each message it sends or receives as one line that begins with "v:1". */
static void ask(struct scene *scene, const char *const *more) {
    const char *argv[ARGUMENTS_MAX + 1] = {"coap-client-openssl", "-v", "7", "-B", "15"};
    size_t n = 5;

    for (; *more; more++) {
        assert_true(n < ARGUMENTS_MAX - 1);
        argv[n++] = *more;
    }
    argv[n] = NULL;
    child_start(&scene->child, &scene->scratch, argv);
}

/* The line of the answer. The client refuses options that it does not know, so it is not waited for. */
static void read_answer(struct scene *scene, char *ret, size_t size) {
    const char *line, *end;

    assert_true(child_read_until(&scene->child, " t:ACK "));
    line = strstr(scene->child.text, " t:ACK ");
    assert_true(child_read_until(&scene->child, "removed "));
    end = strchr(line, '\n');
    assert_non_null(end);
    (void)snprintf(ret, size, "%.*s", (int)(end - line), line);
    child_stop(&scene->child);
}

#define BY_KEY         "-u", IDENTITY, "-k", KEY
#define BY_CERTIFICATE "-c", "gw.pem", "-j", "gw.key", "-C", "ca.pem"

static void a_request_by_key_arrives_with_all_its_options(void **state) {
    struct scene *scene = *state;
    char uri[128], line[512];
    const char *const arguments[] = {"-m",      "post", BY_KEY,      "-O", "256,gw1",    "-O",
                                     "257,r-7", "-O",   "271,3",     "-O", "267,0x9c41", "-t",
                                     "50",      "-e",   "{\"a\":1}", uri,  NULL};

    answer_with(scene, (struct mef_coap_reply){.status = 201, .rsc = 2001, .body = OK_BODY});
    (void)snprintf(uri, sizeof(uri), "%sreg-1/sub", scene->uri);
    ask(scene, arguments);
    read_answer(scene, line, sizeof(line));
    assert_string_equal(look(scene).method, "POST");
    assert_string_equal(look(scene).path, "/reg-1/sub");
    assert_string_equal(look(scene).from, "gw1");
    assert_string_equal(look(scene).number, "r-7");
    assert_string_equal(look(scene).release, "3");
    assert_int_equal(look(scene).type, 40001);
    assert_int_equal(look(scene).format, 50);
    assert_string_equal(look(scene).body, "{\"a\":1}");

    assert_non_null(strstr(line, "c:2.01 "));
    assert_non_null(strstr(line, "Content-Format:application/json"));
    assert_non_null(strstr(line, "257:\\x72\\x2D\\x37"));
    assert_non_null(strstr(line, "265:\\x07\\xD1"));
    assert_non_null(strstr(line, ":: '{\"ok\":true}'"));
}

static void a_request_by_certificates_of_both_ends_arrives(void **state) {
    struct scene *scene = *state;
    char line[512];
    const char *const arguments[] = {"-m", "get", BY_CERTIFICATE, scene->uri, NULL};

    ask(scene, arguments);
    read_answer(scene, line, sizeof(line));
    assert_non_null(strstr(line, "c:2.05 "));
    assert_string_equal(look(scene).path, "/");
    assert_int_equal(look(scene).type, -1);
    assert_int_equal(look(scene).format, -1);
    assert_non_null(strstr(look(scene).suite, "ECDHE_ECDSA"));
}

static void each_method_has_its_own_code_of_success_and_errors_are_as_in_http(void **state) {
    struct scene *scene = *state;
    const struct {
        const char *method;
        unsigned status;
        const char *code;
    } cases[] = {
        {"get", 200, "c:2.05 "},  {"put", 200, "c:2.04 "},  {"delete", 200, "c:2.02 "},
        {"post", 200, "c:2.04 "}, {"post", 201, "c:2.01 "}, {"get", 404, "c:4.04 "},
        {"get", 403, "c:4.03 "},  {"post", 409, "c:4.09 "}, {"get", 500, "c:5.00 "},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *const arguments[] = {"-m", cases[i].method, BY_KEY, scene->uri, NULL};
        char line[512];

        answer_with(scene, (struct mef_coap_reply){.status = cases[i].status});
        ask(scene, arguments);
        read_answer(scene, line, sizeof(line));
        if (!strstr(line, cases[i].code))
            fail_msg("%s %u: %s", cases[i].method, cases[i].status, line);
    }
}

static void busy_says_when_to_come_back(void **state) {
    struct scene *scene = *state;
    const char *const arguments[] = {"-m", "get", BY_KEY, scene->uri, NULL};
    char line[512];

    answer_with(scene, (struct mef_coap_reply){.status = 503, .rsc = 5103, .retry_after_sec = 7});
    ask(scene, arguments);
    read_answer(scene, line, sizeof(line));
    assert_non_null(strstr(line, "c:5.03 "));
    assert_non_null(strstr(line, "Max-Age:7"));
    assert_non_null(strstr(line, "265:\\x13\\xEF"));
}

/* The client must give up, and the handler never be called. */
static void assert_no_handshake(struct scene *scene, const char *const *arguments) {
    ask(scene, arguments);
    assert_true(child_read_until(&scene->child, "SSL3 alert read:fatal"));
    child_stop(&scene->child);
    assert_int_equal(look(scene).requests, 0);
}

static void a_wrong_key_or_identity_ends_the_handshake(void **state) {
    struct scene *scene = *state;
    const char *const key[] = {"-u", IDENTITY, "-k", "another", scene->uri, NULL};
    const char *const identity[] = {"-u", "nobody@mef.example", "-k", KEY, scene->uri, NULL};

    ask(scene, key);
    /* GnuTLS takes a record that it cannot read for noise; its client sends for nothing until it stops. */
    assert_true(child_read_until(&scene->child, "SSL_connect:SSLv3/TLS write finished"));
    child_stop(&scene->child);
    assert_int_equal(look(scene).requests, 0);
    assert_no_handshake(scene, identity);
}

static void a_certificate_of_a_stranger_ends_the_handshake(void **state) {
    struct scene *scene = *state;
    const char *const arguments[] = {"-c",     "odd.pem", "-j",       "odd.key", "-C",
                                     "ca.pem", "-n",      scene->uri, NULL};

    make_authority(&scene->scratch, "other");
    make_certificate(&scene->scratch, "other", "odd", "DNS:" GATEWAY);
    assert_no_handshake(scene, arguments);
}

/* --- openssl s_client -------------------------------------------------------------------------------- */

/* GET /ea, confirmable, message 0x1234, token 07. */
static const uint8_t get_message[] = {0x41, 0x01, 0x12, 0x34, 0x07, 0xb2, 'e', 'a'};

static void dial(struct scene *scene, const char *const *more) {
    const char *argv[ARGUMENTS_MAX + 1] = {"openssl",  "s_client",         "-dtls1_2",
                                           "-connect", scene->address,     "-keymatexport",
                                           LABEL,      "-keymatexportlen", "48"};
    size_t n = 9;

    for (; *more; more++) {
        assert_true(n < ARGUMENTS_MAX - 1);
        argv[n++] = *more;
    }
    argv[n] = NULL;
    child_start(&scene->child, &scene->scratch, argv);
}

/* One request by s_client; the exporter that it prints must be the server's. */
static void assert_suite(struct scene *scene, const char *const *arguments, const char *suite) {
    char exporter[2 * MEF_COAP_EXPORTER_LENGTH + 1] = "";
    unsigned before = look(scene).requests;
    const char *printed;

    dial(scene, arguments);
    assert_int_equal(write(scene->child.in, get_message, sizeof(get_message)), sizeof(get_message));
    assert_true(child_read_until(&scene->child, "{\"ok\":true}"));
    printed = strstr(scene->child.text, "Keying material: ");
    assert_non_null(printed);
    assert_int_equal(sscanf(printed, "Keying material: %96[0-9A-F]", exporter), 1);
    child_stop(&scene->child);
    assert_int_equal(look(scene).requests, before + 1);
    assert_string_equal(look(scene).path, "/ea");
    assert_string_equal(look(scene).suite, suite);
    assert_int_equal(strlen(exporter), 96);
    for (size_t i = 0; i < 96; i++)
        if (exporter[i] >= 'A')
            exporter[i] = (char)(exporter[i] - 'A' + 'a');
    assert_string_equal(look(scene).exporter, exporter);
}

static void both_mandatory_suites_and_better_ones_export_the_same_as_openssl(void **state) {
    struct scene *scene = *state;
    const char *const psk_ccm[] = {
        "-cipher", "PSK-AES128-CCM8", "-psk_identity", IDENTITY, "-psk", KEY_HEX, NULL};
    const char *const psk_ecdhe[] = {
        "-cipher", "ECDHE-PSK-CHACHA20-POLY1305", "-psk_identity", IDENTITY, "-psk", KEY_HEX, NULL};
    const char *const ecdsa_ccm[] = {"-cipher",
                                     "ECDHE-ECDSA-AES128-CCM8",
                                     "-cert",
                                     "gw.pem",
                                     "-key",
                                     "gw.key",
                                     "-CAfile",
                                     "ca.pem",
                                     "-verify_return_error",
                                     "-verify_hostname",
                                     MEF,
                                     NULL};
    const char *const ecdsa_gcm[] = {
        "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", "-cert", "gw.pem", "-key", "gw.key", NULL};

    assert_suite(scene, psk_ccm, "PSK_AES_128_CCM_8");
    assert_suite(scene, psk_ecdhe, "ECDHE_PSK_CHACHA20_POLY1305");
    assert_suite(scene, ecdsa_ccm, "ECDHE_ECDSA_AES_128_CCM_8");
    assert_suite(scene, ecdsa_gcm, "ECDHE_ECDSA_AES_128_GCM_SHA256");
}

static void without_extended_master_secret_there_is_no_exporter(void **state) {
    struct scene *scene = *state;
    const char *const arguments[] = {
        "-cipher", "PSK-AES128-CCM8", "-psk_identity", IDENTITY, "-psk", KEY_HEX, NULL};

    restart(scene, "NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:+PSK:+AES-128-CCM-8:%NO_SESSION_HASH",
            NULL);
    dial(scene, arguments);
    assert_int_equal(write(scene->child.in, get_message, sizeof(get_message)), sizeof(get_message));
    assert_true(child_read_until(&scene->child, "{\"ok\":true}"));
    assert_non_null(strstr(scene->child.text, "Extended master secret: no"));
    child_stop(&scene->child);
    assert_string_equal(look(scene).exporter, "");
}

static void a_client_without_a_certificate_is_not_let_in(void **state) {
    struct scene *scene = *state;
    const char *const arguments[] = {"-cipher", "ECDHE-ECDSA-AES128-CCM8", NULL};

    dial(scene, arguments);
    assert_true(child_read_until(&scene->child, "alert"));
    child_stop(&scene->child);
    assert_int_equal(look(scene).requests, 0);
}

static void an_ocsp_response_is_stapled(void **state) {
    struct scene *scene = *state;
    char path[128];
    const char *const arguments[] = {
        "-cipher", "ECDHE-ECDSA-AES128-CCM8", "-cert", "gw.pem", "-key", "gw.key", "-status", NULL};

    must(&scene->scratch, "printf 'V\\t%%s\\t\\t%%s\\tunknown\\t/CN=mef\\n' \"$(date -u -d '+1 "
                          "day' +%%y%%m%%d%%H%%M%%SZ)\" "
                          "\"$(openssl x509 -in mef.pem -noout -serial | cut -d= -f2)\" > index && "
                          "openssl ocsp -index index -CA ca.pem -rsigner ca.pem -rkey ca.key "
                          "-issuer ca.pem -cert mef.pem "
                          "-ndays 1 -reqout request 2>&1 && "
                          "openssl ocsp -index index -CA ca.pem -rsigner ca.pem -rkey ca.key "
                          "-reqin request -ndays 1 -respout ocsp 2>&1");
    (void)snprintf(path, sizeof(path), "%s/ocsp", scene->scratch.directory);
    restart(scene, NULL, path);
    dial(scene, arguments);
    assert_true(child_read_until(&scene->child, "Cert Status: good"));
    child_stop(&scene->child);
}

static void silence_is_total_until_it_ends(void **state) {
    struct scene *scene = *state;
    const char *const arguments[] = {"-m", "get", BY_KEY, scene->uri, NULL};
    char line[512];

    mef_coap_set_silent(scene->coap, true);
    ask(scene, arguments);
    assert_true(child_read_until(&scene->child, "mid=0x"));
    assert_null(strstr(scene->child.text, "received"));
    mef_coap_set_silent(scene->coap, false);
    /* The same client sends its ClientHello again. */
    read_answer(scene, line, sizeof(line));
    assert_non_null(strstr(line, "c:2.05 "));
}

/* --- Messages by hand --------------------------------------------------------------------------------- */

/* In a datagram of its own: s_client has read it before anything follows. */
static void send_message(struct scene *scene, const void *octets, size_t length) {
    int unread = 1;

    assert_int_equal(write(scene->child.in, octets, length), length);
    while (unread > 0) {
        (void)usleep(1000);
        assert_int_equal(ioctl(scene->child.in, FIONREAD, &unread), 0);
    }
}

static void dial_by_key(struct scene *scene) {
    const char *const arguments[] = {"-quiet", "-cipher", "PSK-AES128-CCM8", "-psk_identity",
                                     IDENTITY, "-psk",    KEY_HEX,           NULL};

    dial(scene, arguments);
}

static void a_message_that_comes_again_is_answered_again_and_handled_once(void **state) {
    const uint8_t next[] = {0x40, 0x01, 0x12, 0x35};
    struct scene *scene = *state;
    const char *answers;

    dial_by_key(scene);
    send_message(scene, get_message, sizeof(get_message));
    assert_true(child_read_until(&scene->child, "{\"ok\":true}"));
    send_message(scene, get_message, sizeof(get_message));
    assert_true(child_read_until(&scene->child, "true}aE"));
    assert_int_equal(look(scene).requests, 1);
    send_message(scene, next, sizeof(next));
    answers = strstr(scene->child.text, "true}aE");
    assert_non_null(answers);
    assert_true(child_read_until(&scene->child, "`E\x12"
                                                "5"));
    child_stop(&scene->child);
    assert_int_equal(look(scene).requests, 2);
}

static void an_exchange_that_is_met_with_silence_is_handled_again(void **state) {
    struct scene *scene = *state;

    answer_with(scene, (struct mef_coap_reply){.silent = true});
    dial_by_key(scene);
    send_message(scene, get_message, sizeof(get_message));
    while (look(scene).requests == 0)
        (void)usleep(1000);
    answer_with(scene, (struct mef_coap_reply){.status = 200, .body = OK_BODY});
    send_message(scene, get_message, sizeof(get_message));
    assert_true(child_read_until(&scene->child, "{\"ok\":true}"));
    child_stop(&scene->child);
    assert_int_equal(look(scene).requests, 2);
}

static void an_answer_that_is_lost_stays_lost_and_its_request_is_handled_once(void **state) {
    const uint8_t next[] = {0x40, 0x01, 0x51, 0x52};
    struct scene *scene = *state;

    answer_with(scene, (struct mef_coap_reply){.lost = true, .status = 200, .body = OK_BODY});
    dial_by_key(scene);
    send_message(scene, get_message, sizeof(get_message));
    while (look(scene).requests == 0)
        (void)usleep(1000);
    answer_with(scene, (struct mef_coap_reply){.status = 200, .body = NEXT_BODY});
    send_message(scene, get_message, sizeof(get_message));
    send_message(scene, next, sizeof(next));
    assert_true(child_read_until(&scene->child, "{\"next\":true}"));
    assert_null(strstr(scene->child.text, "{\"ok\":true}"));
    child_stop(&scene->child);
    assert_int_equal(look(scene).requests, 2);
}

static void garbage_is_no_message(void **state) {
    struct scene *scene = *state;

    answer_with(scene, (struct mef_coap_reply){.garbage = true, .status = 200, .body = OK_BODY});
    dial_by_key(scene);
    send_message(scene, get_message, sizeof(get_message));
    assert_true(child_read_until(&scene->child, "\xb7\xb7\xb7\xb7"));
    assert_null(strstr(scene->child.text, "{\"ok\":true}"));
    child_stop(&scene->child);
}

static void a_ping_is_reset_and_an_unknown_critical_option_is_refused(void **state) {
    const uint8_t ping[] = {0x40, 0x00, 0x41, 0x42};
    /* Option 9, which nobody has defined. */
    const uint8_t critical[] = {0x40, 0x01, 0x43, 0x44, 0x91, 'x'};
    /* Option 8 may be passed over. */
    const uint8_t elective[] = {0x40, 0x01, 0x45, 0x46, 0x81, 'x'};
    struct scene *scene = *state;

    dial_by_key(scene);
    send_message(scene, ping, sizeof(ping));
    assert_true(child_read_until(&scene->child, "p.AB"));
    send_message(scene, critical, sizeof(critical));
    assert_true(child_read_until(&scene->child, "`\x82"
                                                "CD"));
    assert_int_equal(look(scene).requests, 0);
    send_message(scene, elective, sizeof(elective));
    assert_true(child_read_until(&scene->child, "`E"
                                                "EF"));
    child_stop(&scene->child);
    assert_int_equal(look(scene).requests, 1);
}

static void what_is_no_message_is_passed_over(void **state) {
    struct scene *scene = *state;
    const uint8_t lines[][6] = {
        {0x41, 0x01, 0x12, 0x34},             /* the token is missing */
        {0x01, 0x01, 0x12, 0x34, 0x07, 0x00}, /* another version */
        {0x60, 0x45, 0x12, 0x34, 0xff, 'x'},  /* an answer that nobody waits for */
        {0x40, 0x05, 0x12, 0x34, 0xff, 'x'},  /* FETCH */
    };
    const uint8_t lengths[] = {4, 6, 6, 6};

    for (size_t i = 0; i < sizeof(lengths); i++) {
        dial_by_key(scene);
        send_message(scene, lines[i], lengths[i]);
        child_stop(&scene->child);
    }
    dial_by_key(scene);
    send_message(scene, get_message, sizeof(get_message));
    assert_true(child_read_until(&scene->child, "{\"ok\":true}"));
    child_stop(&scene->child);
    assert_int_equal(look(scene).requests, 1);
}

static void an_answer_that_does_not_fit_is_an_error_of_the_server(void **state) {
    struct scene *scene = *state;
    char *body = malloc(MEF_DTLS_DATAGRAM_MAX + 1);

    assert_non_null(body);
    memset(body, 'x', MEF_DTLS_DATAGRAM_MAX);
    body[MEF_DTLS_DATAGRAM_MAX] = '\0';
    answer_with(scene, (struct mef_coap_reply){.status = 200, .body = body});
    dial_by_key(scene);
    send_message(scene, get_message, sizeof(get_message));
    assert_true(child_read_until(&scene->child, "a\xa0\x12"
                                                "4"));
    child_stop(&scene->child);
    answer_with(scene, (struct mef_coap_reply){.status = 200});
    free(body);
}

static void wrong_credentials_are_told_at_start(void **state) {
    struct scene *scene = *state;
    struct mef_coap_options options = {
        .listen = "127.0.0.1:0",
        .certificate = scene->key,
        .key = scene->key,
        .psk = psk,
        .admits = admits,
        .handler = handle,
    };
    struct mef_coap *coap = NULL;

    assert_true(mef_coap_start(&options, &coap) < 0);
    options.certificate = scene->certificate;
    options.priority = "NONSENSE";
    assert_true(mef_coap_start(&options, &coap) < 0);
    options.priority = NULL;
    options.listen = "nowhere";
    assert_true(mef_coap_start(&options, &coap) < 0);
    options.listen = scene->address;
    assert_true(mef_coap_start(&options, &coap) < 0);
    assert_null(coap);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_request_by_key_arrives_with_all_its_options),
        TEST(a_request_by_certificates_of_both_ends_arrives),
        TEST(each_method_has_its_own_code_of_success_and_errors_are_as_in_http),
        TEST(busy_says_when_to_come_back),
        TEST(a_wrong_key_or_identity_ends_the_handshake),
        TEST(a_certificate_of_a_stranger_ends_the_handshake),
        TEST(both_mandatory_suites_and_better_ones_export_the_same_as_openssl),
        TEST(without_extended_master_secret_there_is_no_exporter),
        TEST(a_client_without_a_certificate_is_not_let_in),
        TEST(an_ocsp_response_is_stapled),
        TEST(silence_is_total_until_it_ends),
        TEST(a_message_that_comes_again_is_answered_again_and_handled_once),
        TEST(an_exchange_that_is_met_with_silence_is_handled_again),
        TEST(an_answer_that_is_lost_stays_lost_and_its_request_is_handled_once),
        TEST(garbage_is_no_message),
        TEST(a_ping_is_reset_and_an_unknown_critical_option_is_refused),
        TEST(what_is_no_message_is_passed_over),
        TEST(an_answer_that_does_not_fit_is_an_error_of_the_server),
        TEST(wrong_credentials_are_told_at_start),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
