/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap.conf: defaults, ranges, the words of every refusal, drop-ins, and that the table, the manual page and the
 * installed file say the same.
 */

#include "conf-helpers.h"
#include "man-page.h"

#include <ctype.h>
#include <errno.h>
#include <syslog.h>

#include "conf.h"

static int parse(const char *text, struct conf **ret, struct failure *failure) {
    *failure = (struct failure){0};
    return conf_parse("k.conf", text, strlen(text), ret, failure);
}

static void without_a_file_every_key_has_its_default(void **state) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct failure failure = {0};

    assert_int_equal(conf_load(*state, &conf, &failure), 0);
    assert_int_equal(conf->log_level, LOG_INFO);
    assert_null(conf->instruction_signers);
    assert_string_equal(conf->cards[0]->transport, "pcsc");
    assert_null(conf->cards[0]->reader);
    assert_null(conf->cards[0]->device);
    assert_int_equal(conf->cards_count, 1);
    assert_string_equal(conf->cards[0]->name, "default");
    assert_int_equal(conf->cards[0]->slot, 0);
    assert_true(conf->cards[0]->proxy);
    assert_int_equal(conf->cards[0]->access, CONF_ACCESS_APDU);
    assert_null(conf->cards[0]->iccid);
    assert_null(conf->cards[0]->imsi);
    assert_int_equal(conf->cards[0]->application, CONF_APPLICATION_AUTO);
    assert_int_equal(conf->cards[0]->mode, CONF_MODE_AUTO);
    assert_int_equal(conf->cards[0]->tls_min, CONF_TLS_1_2);
    assert_true(conf->cards[0]->tmpi);
    assert_true(conf->cards[0]->aka_v2);
    assert_true(conf->cards[0]->renew);
    assert_int_equal(conf->cards[0]->apdu_timeout_usec, 10 * USEC_PER_SEC);
    assert_int_equal(conf->cards[0]->mnc_length, 0);
    assert_null(conf->cards[0]->impi);
    assert_null(conf->cards[0]->bsf);
    assert_string_equal(conf->cards[0]->scheme, "http");
    assert_int_equal(conf->cards[0]->port, 0);
    assert_string_equal(conf->cards[0]->path, "/");
    assert_null(conf->cards[0]->realm);
    assert_null(conf->cards[0]->connect_to);
    assert_string_equal(conf->cards[0]->user_agent, "Bootstrapping Client Agent; Release-6");
    assert_null(conf->cards[0]->headers);
    assert_null(conf->cards[0]->trust_anchors);
    assert_true(conf->cards[0]->require_rspauth);
    assert_true(conf->cards[0]->require_auth_int);
    assert_int_equal(conf->cards[0]->connect_timeout_usec, 10 * USEC_PER_SEC);
    assert_int_equal(conf->cards[0]->request_timeout_usec, 30 * USEC_PER_SEC);
    assert_int_equal(conf->cards[0]->lifetime_max_usec, 604800 * USEC_PER_SEC);
}

static const char every_key[] = "[Agent]\n"
                                "LogLevel=debug\n"
                                "InstructionSigners=/etc/keystrap/signers.pem\n"
                                "[UICC]\n"
                                "Transport=qmi\n"
                                "Reader=Virtual PCD*\n"
                                "Device=/dev/cdc-wdm0\n"
                                "Slot=2\n"
                                "Proxy=no\n"
                                "Access=authenticate\n"
                                "Iccid=8988211*\n"
                                "Imsi=00101?[1-9]*\n"
                                "Application=isim\n"
                                "ApduTimeoutSec=0.1\n"
                                "MncLength=3\n"
                                "[GBA]\n"
                                "Mode=digest\n"
                                "Impi=001010123456789@ims.example.com\n"
                                "Bsf=bsf.example.com\n"
                                "Scheme=https\n"
                                "Port=8443\n"
                                "Path=/bsf?x=%20\n"
                                "Realm=a realm\n"
                                "ConnectTo=[2001:db8::1]:8080\n"
                                "UserAgent=x/1; y\n"
                                "Header=X-One: 1\n"
                                "Header=X-Two: 2; 3\n"
                                "TrustAnchors=/etc/ssl/bsf.pem\n"
                                "TlsMin=1.3\n"
                                "Tmpi=no\n"
                                "AkaV2=no\n"
                                "Renew=no\n"
                                "RequireRspauth=no\n"
                                "RequireAuthInt=no\n"
                                "ConnectTimeoutSec=1.5\n"
                                "RequestTimeoutSec=0.123456\n"
                                "LifetimeMaxSec=60\n";

static void every_key_is_read(_unused_ void **state) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct failure failure;

    assert_int_equal(parse(every_key, &conf, &failure), 0);
    assert_int_equal(conf->log_level, LOG_DEBUG);
    assert_string_equal(conf->instruction_signers, "/etc/keystrap/signers.pem");
    assert_string_equal(conf->cards[0]->transport, "qmi");
    assert_string_equal(conf->cards[0]->reader, "Virtual PCD*");
    assert_string_equal(conf->cards[0]->device, "/dev/cdc-wdm0");
    assert_int_equal(conf->cards[0]->slot, 2);
    assert_false(conf->cards[0]->proxy);
    assert_int_equal(conf->cards[0]->access, CONF_ACCESS_AUTHENTICATE);
    assert_string_equal(conf->cards[0]->iccid, "8988211*");
    assert_string_equal(conf->cards[0]->imsi, "00101?[1-9]*");
    assert_int_equal(conf->cards[0]->application, CONF_APPLICATION_ISIM);
    assert_int_equal(conf->cards[0]->mode, CONF_MODE_DIGEST);
    assert_int_equal(conf->cards[0]->tls_min, CONF_TLS_1_3);
    assert_false(conf->cards[0]->tmpi);
    assert_false(conf->cards[0]->aka_v2);
    assert_false(conf->cards[0]->renew);
    assert_int_equal(conf->cards[0]->apdu_timeout_usec, 100000);
    assert_int_equal(conf->cards[0]->mnc_length, 3);
    assert_string_equal(conf->cards[0]->impi, "001010123456789@ims.example.com");
    assert_string_equal(conf->cards[0]->bsf, "bsf.example.com");
    assert_string_equal(conf->cards[0]->scheme, "https");
    assert_int_equal(conf->cards[0]->port, 8443);
    assert_string_equal(conf->cards[0]->path, "/bsf?x=%20");
    assert_string_equal(conf->cards[0]->realm, "a realm");
    assert_string_equal(conf->cards[0]->connect_to, "[2001:db8::1]:8080");
    assert_string_equal(conf->cards[0]->user_agent, "x/1; y");
    assert_string_equal(conf->cards[0]->headers[0], "X-One: 1");
    assert_string_equal(conf->cards[0]->headers[1], "X-Two: 2; 3");
    assert_null(conf->cards[0]->headers[2]);
    assert_string_equal(conf->cards[0]->trust_anchors, "/etc/ssl/bsf.pem");
    assert_false(conf->cards[0]->require_rspauth);
    assert_false(conf->cards[0]->require_auth_int);
    assert_int_equal(conf->cards[0]->connect_timeout_usec, 1500000);
    assert_int_equal(conf->cards[0]->request_timeout_usec, 123456);
    assert_int_equal(conf->cards[0]->lifetime_max_usec, 60 * USEC_PER_SEC);
}

static const char several_cards[] = "[UICC modem-2]\n"
                                    "Transport=qmi\n"
                                    "[GBA reader]\n"
                                    "Bsf=bsf.example.net\n"
                                    "Header=\n"
                                    "[UICC]\n"
                                    "ApduTimeoutSec=3\n"
                                    "[GBA]\n"
                                    "Bsf=bsf.example.com\n"
                                    "Header=X-One: 1\n"
                                    "Header=X-Two: 2\n"
                                    "[UICC\treader]\n"
                                    "Reader=*\n";

static void a_card_has_what_is_common_but_for_what_is_its_own(_unused_ void **state) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct failure failure;

    assert_int_equal(parse(several_cards, &conf, &failure), 0);
    assert_int_equal(conf->cards_count, 2);
    assert_string_equal(conf->cards[0]->name, "modem-2");
    assert_string_equal(conf->cards[0]->transport, "qmi");
    assert_string_equal(conf->cards[0]->bsf, "bsf.example.com");
    assert_int_equal(conf->cards[0]->apdu_timeout_usec, 3 * USEC_PER_SEC);
    assert_string_equal(conf->cards[0]->headers[1], "X-Two: 2");
    assert_null(conf->cards[0]->headers[2]);
    assert_string_equal(conf->cards[1]->name, "reader");
    assert_string_equal(conf->cards[1]->transport, "pcsc");
    assert_string_equal(conf->cards[1]->reader, "*");
    assert_string_equal(conf->cards[1]->bsf, "bsf.example.net");
    /* Empty in its own section is empty, whatever is common. */
    assert_null(conf->cards[1]->headers);
}

static void a_name_that_is_no_card_s_is_refused_with_its_line(_unused_ void **state) {
    static const char *const names[] = {"Modem", "a_b", "a b", "../x", "aaaaaaaaaaaaaaaaa"};

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        struct conf *conf = NULL;
        struct failure failure;
        char text[128];

        (void)snprintf(text, sizeof(text), "\n[UICC %s]\nReader=*\n", names[i]);
        assert_int_equal(parse(text, &conf, &failure), -EINVAL);
        assert_contains(failure.text, "k.conf:2: [UICC ");
        assert_contains(failure.text, "allowed: 1 to 16 of a-z, 0-9 and -");
    }
}

static void more_cards_than_are_served_are_refused(_unused_ void **state) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct conf *none = NULL;
    struct failure failure;
    char text[2048] = "";

    for (unsigned i = 0; i < CARDS_MAX; i++)
        (void)sprintf(text + strlen(text), "[UICC c%u]\nReader=*\n", i);
    assert_int_equal(parse(text, &conf, &failure), 0);
    assert_int_equal(conf->cards_count, CARDS_MAX);
    (void)strcat(text, "[GBA one-more]\nPort=1\n");
    assert_int_equal(parse(text, &none, &failure), -EINVAL);
    assert_contains(failure.text, "k.conf:33: [GBA one-more]: more than 16 cards");
}

static void cards_that_choose_the_same_are_a_warning(_unused_ void **state) {
    static const struct {
        const char *text;
        bool warns;
    } cases[] = {
        {"[UICC a]\nReader=*\n[UICC b]\nReader=*\n", true},
        {"[GBA a]\nBsf=a.example\n[GBA b]\nBsf=b.example\n", true},
        {"[UICC a]\nReader=1*\n[UICC b]\nReader=2*\n", false},
        {"[UICC a]\nIccid=1*\n[UICC b]\nIccid=2*\n", false},
        {"[UICC a]\nSlot=1\n[UICC b]\nSlot=2\n", false},
        {"[UICC a]\nTransport=qmi\n[UICC b]\nTransport=pcsc\n", false},
        {"[UICC a]\nReader=*\n[GBA b]\nMode=digest\n", false},
        {"[GBA a]\nMode=digest\n[UICC b]\nReader=\n", false},
        {"[UICC]\nReader=*\n", false},
    };

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_conf_ struct conf *conf = NULL;
        struct capture capture;
        struct failure failure;

        capture_start(&capture);
        assert_int_equal(parse(cases[i].text, &conf, &failure), 0);
        capture_end(&capture);
        assert_true(cases[i].warns ==
                    (strstr(capture.text, "[UICC a] and [UICC b] choose the same card; ") != NULL));
    }
}

static enum conf_change compare(const char *a, const char *b) {
    _cleanup_conf_ struct conf *left = NULL, *right = NULL;
    struct failure failure;

    assert_int_equal(parse(a, &left, &failure), 0);
    assert_int_equal(parse(b, &right, &failure), 0);
    return conf_card_compare(left->cards[0], right->cards[0]);
}

static void cards_are_compared_by_value(_unused_ void **state) {
    assert_int_equal(compare("", ""), CONF_SAME);
    assert_int_equal(compare(every_key, every_key), CONF_SAME);
    assert_int_equal(compare("", "[Agent]\nLogLevel=debug\n"), CONF_SAME);
    assert_int_equal(compare("", "[UICC]\nTransport=pcsc\n[GBA]\nLifetimeMaxSec=604800.0\n"),
                     CONF_SAME);
    assert_int_equal(compare("[GBA]\nHeader=A: 1\n", "[GBA default]\nHeader=A: 1\n"), CONF_SAME);
    assert_int_equal(compare("[GBA]\nHeader=A: 1\n", "[GBA]\nHeader=A: 1\nHeader=B: 1\n"),
                     CONF_OTHER_KS);
    assert_int_equal(compare("", "[GBA]\nRequestTimeoutSec=3\n"), CONF_OTHER_WAY);
    assert_int_equal(compare("", "[UICC]\nApduTimeoutSec=3\n"), CONF_OTHER_WAY);
    assert_int_equal(compare("", "[UICC]\nProxy=no\n"), CONF_OTHER_WAY);
    assert_int_equal(compare("", "[GBA]\nRequestTimeoutSec=3\nBsf=b\n"), CONF_OTHER_KS);
    assert_int_equal(compare("", "[GBA]\nRequireRspauth=no\n"), CONF_OTHER_KS);
    assert_int_equal(compare("", "[UICC]\nIccid=8*\n"), CONF_OTHER_KS);
}

static char *print(const struct conf *conf) {
    size_t length;
    char *text = NULL;
    FILE *f = open_memstream(&text, &length);

    assert_non_null(f);
    conf_print(conf, f);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void what_is_printed_is_read_back_the_same(_unused_ void **state) {
    static const char *const texts[] = {every_key, "", "[GBA]\nConnectTo=h:1\n", several_cards};

    for (size_t i = 0; i < ELEMENTS(texts); i++) {
        _cleanup_free_ char *first = NULL, *second = NULL;
        _cleanup_conf_ struct conf *conf = NULL, *again = NULL;
        struct capture capture;
        struct failure failure;

        assert_int_equal(parse(texts[i], &conf, &failure), 0);
        first = print(conf);
        capture_start(&capture);
        assert_int_equal(parse(first, &again, &failure), 0);
        capture_end(&capture);
        assert_string_equal(capture.text, "");
        second = print(again);
        assert_string_equal(first, second);
    }
}

static void the_print_of_a_whole_file_is_that_file(_unused_ void **state) {
    _cleanup_conf_ struct conf *conf = NULL;
    _cleanup_free_ char *text = NULL;
    struct failure failure;
    const char *line;

    assert_int_equal(parse(every_key, &conf, &failure), 0);
    text = print(conf);
    /* But for the blank lines between sections. */
    for (line = every_key; *line; line = strchr(line, '\n') + 1) {
        char expected[128];

        (void)snprintf(expected, sizeof(expected), "%.*s", (int)(strchr(line, '\n') - line + 1),
                       line);
        assert_contains(text, expected);
    }
}

static const struct {
    const char *text;
    const char *says;
} bad[] = {
    {"[Agent]\n\nLogLevel=loud\n",
     "k.conf:3: LogLevel=loud: not a level; allowed: err, warning, notice, info or debug"},
    {"[UICC]\nTransport=../evil\n",
     "k.conf:2: Transport=../evil: not the name of a transport; allowed: 1 to 32 of"},
    {"[UICC]\nTransport=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n", "longer than 32 octets"},
    {"[UICC]\nReader=\xc3\xa9\n", "not printable ASCII"},
    {"[UICC]\nDevice=cdc-wdm0\n", "not an absolute path; allowed: an absolute path"},
    {"[UICC]\nApduTimeoutSec=fast\n",
     "k.conf:2: ApduTimeoutSec=fast: not a number of seconds; allowed: 0.1 to 300 seconds"},
    {"[UICC]\nApduTimeoutSec=0.099999\n", "out of range; allowed: 0.1 to 300 seconds"},
    {"[UICC]\nApduTimeoutSec=300.000001\n", "out of range"},
    {"[UICC]\nApduTimeoutSec=-1\n", "not a number"},
    {"[UICC]\nApduTimeoutSec=1.\n", "not a number"},
    {"[UICC]\nApduTimeoutSec=.5\n", "not a number"},
    {"[UICC]\nApduTimeoutSec=1.0000001\n", "not a number"},
    {"[UICC]\nApduTimeoutSec=1s\n", "not a number"},
    {"[UICC]\nApduTimeoutSec=18446744073709551616\n", "not a number"},
    {"[UICC]\nApduTimeoutSec=999999999999999\n", "out of range"},
    {"[UICC]\nMncLength=1\n", "no MNC has one digit; allowed: 2, 3, or 0"},
    {"[UICC]\nMncLength=4\n", "out of range"},
    {"[UICC]\nSlot=9\n", "out of range; allowed: 0 to 8"},
    {"[UICC]\nAccess=at\n", "k.conf:2: Access=at: none of these; allowed: apdu or authenticate"},
    {"[UICC]\nIccid=89x\n", "not a pattern of digits; allowed: a shell pattern"},
    {"[UICC modem]\nMncLength=1\n", "k.conf:2: MncLength=1: no MNC has one digit"},
    {"[GBA]\nMode=U\n", "none of these; allowed: auto, me, u, 2g or digest"},
    {"[GBA]\nTlsMin=1.1\n", "none of these; allowed: 1.2 or 1.3"},
    {"[GBA]\nBsf=bsf_.example..com\n", "an empty label"},
    {"[GBA]\nBsf=bsf.example.com:80\n", "not the name of a host"},
    {"[GBA]\nBsf=-a.example\n", "hyphen"},
    {"[GBA]\nBsf=a.example.\n", "an empty label"},
    {"[GBA]\nScheme=ftps\n", "not a scheme that is supported; allowed: http or https"},
    {"[GBA]\nPort=65536\n", "out of range; allowed: 0 to 65535"},
    {"[GBA]\nPort=0x50\n", "not a number"},
    {"[GBA]\nPort=+80\n", "not a number"},
    {"[GBA]\nPath=bsf\n", "does not start with /"},
    {"[GBA]\nPath=/a b\n", "percent-encoded"},
    {"[GBA]\nPath=/a\"b\n", "percent-encoded"},
    {"[GBA]\nPath=/a#b\n", "percent-encoded"},
    {"[GBA]\nPath=/\xc3\xa9\n", "not printable ASCII"},
    {"[GBA]\nRealm=a\"b\n", "a quote or backslash"},
    {"[GBA]\nConnectTo=host\n", "the port is missing"},
    {"[GBA]\nConnectTo=::1:80\n", "an IPv6 address needs brackets"},
    {"[GBA]\nConnectTo=[::1]\n", "\"]:PORT\" is missing"},
    {"[GBA]\nConnectTo=[host]:80\n", "not an IPv6 address"},
    {"[GBA]\nConnectTo=[::1]:0\n", "the port is out of range"},
    {"[GBA]\nConnectTo=host:65536\n", "the port is out of range"},
    {"[GBA]\nConnectTo=host:http\n", "the port is not a number"},
    {"[GBA]\nConnectTo=u@host:80\n", "not the name of a host"},
    {"[GBA]\nConnectTo=:80\n", "an empty label"},
    {"[GBA]\nHeader=X-One\n", "not \"Name: value\""},
    {"[GBA]\nHeader=X One: 1\n", "not \"Name: value\""},
    {"[GBA]\nHeader=X-One:\n", "has no value"},
    {"[GBA]\nHeader=authorization: Basic eDp5\n", "would carry a secret"},
    {"[GBA]\nHeader=Cookie: a=b\n", "would carry a secret"},
    {"[GBA]\nHeader=HOST: other\n", "keystrapd's own"},
    {"[GBA]\nHeader=Transfer-Encoding: chunked\n", "keystrapd's own"},
    {"[GBA]\nTrustAnchors=bsf.pem\n", "not an absolute path"},
    {"[GBA]\nRequireRspauth=maybe\n", "neither yes nor no; allowed: yes or no"},
    {"[GBA]\nLifetimeMaxSec=59\n", "out of range; allowed: 60 to 31622400 seconds"},
    {"[GBA]\nImpi=001010123456789\n", "not user@realm"},
    {"[GBA]\nImpi=a@b@c\n", "not user@realm"},
    {"[GBA]\nImpi=a\"@b\n", "a space, quote or backslash"},
};

static void a_bad_value_is_refused_with_file_line_cause_and_remedy(_unused_ void **state) {
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        struct conf *conf = NULL;
        struct failure failure;

        assert_int_equal(parse(bad[i].text, &conf, &failure), -EINVAL);
        assert_null(conf);
        assert_int_equal(failure.code, -EINVAL);
        assert_contains(failure.text, bad[i].says);
        assert_contains(failure.text, "k.conf:");
        assert_contains(failure.text, "; allowed: ");
    }
}

static void a_message_never_quotes_an_identity(_unused_ void **state) {
    struct conf *conf = NULL;
    struct failure failure;

    assert_int_equal(parse("[GBA]\nImpi=001010123456789\n", &conf, &failure), -EINVAL);
    assert_lacks(failure.text, "001010123456789");
    assert_int_equal(parse("[UICC]\nImsi=001010123456789x\n", &conf, &failure), -EINVAL);
    assert_lacks(failure.text, "001010123456789");
    assert_int_equal(parse("[GBA]\nHeader=Cookie: geheim\n", &conf, &failure), -EINVAL);
    assert_lacks(failure.text, "geheim");
}

static void a_long_value_does_not_push_the_remedy_out(_unused_ void **state) {
    char text[CONF_LINE_MAX + 16] = "[GBA]\nScheme=";
    struct conf *conf = NULL;
    struct failure failure;
    size_t used = strlen(text);

    memset(text + used, 'x', 900);
    assert_int_equal(parse(text, &conf, &failure), -EINVAL);
    assert_contains(failure.text, "xxx...");
    assert_contains(failure.text, "allowed: http or https");
}

static void limits_of_lists_and_texts_are_kept(_unused_ void **state) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct conf *none = NULL;
    struct failure failure;
    char text[2048] = "[GBA]\n", line[512];

    for (unsigned i = 0; i < CONF_HEADERS_MAX; i++)
        strcat(text, "Header=X: y\n");
    assert_int_equal(parse(text, &conf, &failure), 0);
    assert_string_equal(conf->cards[0]->headers[CONF_HEADERS_MAX - 1], "X: y");
    strcat(text, "Header=X: y\n");
    assert_int_equal(parse(text, &none, &failure), -EINVAL);
    assert_contains(failure.text, "k.conf:18: Header=: more than 16 lines");

    conf = conf_free(conf);
    (void)snprintf(line, sizeof(line), "[GBA]\nRealm=%0255d\n", 0);
    assert_int_equal(parse(line, &conf, &failure), 0);
    (void)snprintf(line, sizeof(line), "[GBA]\nRealm=%0256d\n", 0);
    assert_int_equal(parse(line, &none, &failure), -EINVAL);
    assert_contains(failure.text, "longer than 255 octets");
    (void)snprintf(line, sizeof(line), "[GBA]\nBsf=%064d.example\n", 0);
    assert_int_equal(parse(line, &none, &failure), -EINVAL);
    assert_contains(failure.text, "a label of more than 63 octets");
}

static void trust_anchors_without_tls_are_refused_where_they_stand(_unused_ void **state) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct conf *none = NULL;
    struct failure failure;

    assert_int_equal(parse("[GBA]\n\nTrustAnchors=/a.pem\nScheme=http\n", &none, &failure),
                     -EINVAL);
    assert_contains(failure.text, "k.conf:3: TrustAnchors=/a.pem: without TLS nobody looks");
    assert_contains(failure.text, "only with Scheme=https");
    assert_int_equal(parse("[GBA]\nTrustAnchors=/a.pem\nScheme=https\n", &conf, &failure), 0);
}

static void the_unknown_is_a_warning_with_the_likely_word(_unused_ void **state) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct capture capture;
    struct failure failure;

    capture_start(&capture);
    assert_int_equal(parse("Early=1\n"
                           "[GBA]\n"
                           "ReqestTimeoutSec=1\n"
                           "LogLevel=debug\n"
                           "Colour=red\n"
                           "[GAB]\n"
                           "Port=1\n"
                           "Path=/x\n"
                           "[Weather]\n"
                           "Rain=yes\n",
                           &conf, &failure),
                     0);
    capture_end(&capture);
    assert_contains(capture.text, "k.conf:1: Early= stands before the first [Section]");
    assert_contains(capture.text, "k.conf:3: unknown key ReqestTimeoutSec= in [GBA]; ignored; did "
                                  "you mean RequestTimeoutSec=?");
    assert_contains(capture.text,
                    "k.conf:4: unknown key LogLevel= in [GBA]; ignored; it belongs into [Agent]");
    assert_contains(capture.text, "k.conf:5: unknown key Colour= in [GBA]; ignored\n");
    assert_contains(capture.text, "k.conf:6: unknown section [GAB]; ignored; did you mean [GBA]?");
    assert_contains(capture.text, "k.conf:9: unknown section [Weather]; ignored\n");
    /* One warning for a section, not one for each key in it. */
    assert_lacks(capture.text, "k.conf:7");
    assert_lacks(capture.text, "k.conf:8");
    assert_int_equal(conf->cards[0]->port, 0);
    assert_string_equal(conf->cards[0]->path, "/");
    assert_int_equal(conf->log_level, LOG_INFO);
}

static void drop_ins_replace_and_reset(void **state) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct failure failure = {0};

    write_file(*state, "keystrap.conf",
               "[GBA]\nPort=1\nPath=/main\nBsf=main.example\nHeader=A: 1\nHeader=B: 2\n");
    write_file(*state, "keystrap.conf.d/10.conf", "[GBA]\nPort=2\nPath=\nHeader=\nHeader=C: 3\n");
    write_file(*state, "keystrap.conf.d/20.conf", "[GBA]\nPort=3\n");
    assert_int_equal(conf_load(*state, &conf, &failure), 0);
    assert_int_equal(conf->cards[0]->port, 3);
    assert_string_equal(conf->cards[0]->path, "/");
    assert_string_equal(conf->cards[0]->bsf, "main.example");
    assert_string_equal(conf->cards[0]->headers[0], "C: 3");
    assert_null(conf->cards[0]->headers[1]);
}

static void a_bad_drop_in_is_named(void **state) {
    struct conf *conf = NULL;
    struct failure failure = {0};

    write_file(*state, "keystrap.conf", "[GBA]\nPort=1\n");
    write_file(*state, "keystrap.conf.d/10.conf", "[GBA]\nPort=none\n");
    assert_int_equal(conf_load(*state, &conf, &failure), -EINVAL);
    assert_contains(failure.text, "/keystrap.conf.d/10.conf:2: Port=none: not a number");
    assert_null(conf);
}

static void an_unreadable_file_has_a_text_of_its_own(void **state) {
    struct conf *conf = NULL;
    struct failure failure = {0};
    char path[PATH_SIZE];

    assert_int_equal(mkdir(path_in(*state, "keystrap.conf", path), 0755), 0);
    assert_int_equal(conf_load(*state, &conf, &failure), -EINVAL);
    assert_contains(failure.text, "/keystrap.conf: is not a regular file");
}

/* --- The table against what people read ---------------------------------------------------------- */

/* The paragraph of @key in the manual page. */
static char *man_entry(const char *man, const struct conf_description *key) {
    char header[64];

    (void)snprintf(header, sizeof(header), "\n.Sh THE [%s] SECTION\n", key->section);
    for (char *p = strchr(header, '['); *p != ']'; p++)
        *p = (char)toupper((unsigned char)*p);
    return man_paragraph(man, header, "\n.Sh ", key->name);
}

static void the_manual_page_has_every_key_with_its_default_and_range(_unused_ void **state) {
    _cleanup_free_ char *man = read_source("docs/man/keystrap.conf.5");
    struct conf_description key;

    for (size_t i = 0; conf_describe(i, &key); i++) {
        _cleanup_free_ char *entry = man_entry(man, &key);
        char expected[128];

        if (key.fallback[0])
            (void)snprintf(expected, sizeof(expected), "Default: %s .", key.fallback);
        else
            (void)snprintf(expected, sizeof(expected), "Default: empty");
        assert_contains(entry, expected);
        /* Ranges that the table has as numbers. */
        if (isdigit((unsigned char)key.allowed[0]) && strstr(key.allowed, " to "))
            assert_contains(entry, key.allowed);
    }
}

static void the_manual_page_has_no_key_too_many(_unused_ void **state) {
    _cleanup_free_ char *man = read_source("docs/man/keystrap.conf.5");
    char *rules = strstr(man, "\n.Sh RULES IN ACCESS.D");
    struct conf_description key;
    unsigned listed = 0, known = 0;

    assert_non_null(rules);
    *rules = '\0';
    for (const char *p = strstr(man, "\n.It Cm "); p; p = strstr(p + 1, "\n.It Cm "))
        listed++;
    while (conf_describe(known, &key))
        known++;
    assert_int_equal(listed, known);
}

static char *print_template(void) {
    size_t length;
    char *text = NULL;
    FILE *f = open_memstream(&text, &length);

    assert_non_null(f);
    conf_print_template(f);
    assert_int_equal(fclose(f), 0);
    return text;
}

static void the_installed_file_is_what_the_table_says(_unused_ void **state) {
    _cleanup_free_ char *installed = read_source("systemd/keystrap.conf");
    _cleanup_free_ char *expected = print_template();

    assert_string_equal(installed, expected);
}

/* As an operator does it: remove the "#" of each key. Help lines have "# " and stay comments. */
static void the_installed_file_can_be_uncommented_and_changes_nothing(_unused_ void **state) {
    _cleanup_free_ char *template = print_template(), *before = NULL, *after = NULL;
    _cleanup_conf_ struct conf *plain = NULL, *uncommented = NULL;
    struct capture capture;
    struct failure failure;

    capture_start(&capture);
    assert_int_equal(parse(template, &plain, &failure), 0);
    for (char *p = template; *p; p++)
        if (p[0] == '\n' && p[1] == '#' && isupper((unsigned char)p[2]))
            p[1] = ' ';
    assert_int_equal(parse(template, &uncommented, &failure), 0);
    capture_end(&capture);
    assert_string_equal(capture.text, "");
    before = print(plain);
    after = print(uncommented);
    assert_string_equal(before, after);
}

static void every_description_is_whole_and_its_words_fit(_unused_ void **state) {
    struct conf_description key;
    size_t i;

    for (i = 0; conf_describe(i, &key); i++) {
        assert_true(strlen(key.help) > 10 && key.help[strlen(key.help) - 1] == '.');
        assert_in_range(strlen(key.allowed), 1, sizeof(key.allowed) - 2);
    }
    assert_int_equal(i, 33);
    assert_false(conf_describe(SIZE_MAX, &key));
}

#define in_directory(f) cmocka_unit_test_setup_teardown(f, setup_directory, teardown_directory)

int main(void) {
    const struct CMUnitTest tests[] = {
        in_directory(without_a_file_every_key_has_its_default),
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(a_card_has_what_is_common_but_for_what_is_its_own),
        cmocka_unit_test(a_name_that_is_no_card_s_is_refused_with_its_line),
        cmocka_unit_test(more_cards_than_are_served_are_refused),
        cmocka_unit_test(cards_that_choose_the_same_are_a_warning),
        cmocka_unit_test(cards_are_compared_by_value),
        cmocka_unit_test(what_is_printed_is_read_back_the_same),
        cmocka_unit_test(the_print_of_a_whole_file_is_that_file),
        cmocka_unit_test(a_bad_value_is_refused_with_file_line_cause_and_remedy),
        cmocka_unit_test(a_message_never_quotes_an_identity),
        cmocka_unit_test(a_long_value_does_not_push_the_remedy_out),
        cmocka_unit_test(limits_of_lists_and_texts_are_kept),
        cmocka_unit_test(trust_anchors_without_tls_are_refused_where_they_stand),
        cmocka_unit_test(the_unknown_is_a_warning_with_the_likely_word),
        in_directory(drop_ins_replace_and_reset),
        in_directory(a_bad_drop_in_is_named),
        in_directory(an_unreadable_file_has_a_text_of_its_own),
        cmocka_unit_test(the_manual_page_has_every_key_with_its_default_and_range),
        cmocka_unit_test(the_manual_page_has_no_key_too_many),
        cmocka_unit_test(the_installed_file_is_what_the_table_says),
        cmocka_unit_test(the_installed_file_can_be_uncommented_and_changes_nothing),
        cmocka_unit_test(every_description_is_whole_and_its_words_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
