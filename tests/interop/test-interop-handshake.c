/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The handshake with a MEF against two servers that nobody here wrote: `openssl s_server` and `gnutls-serv`.
 *
 * Proved here, with the code that keystrap-http and keystrap-coap shake hands by (http-handshake.c): by pre-shared key with each
 * of oneM2M's mandatory suites and with a better one where the server has it, and by certificates of both ends, the exporter that
 * the server prints is ours; over TLS 1.2 with both, over DTLS 1.2 with OpenSSL's. gnutls-serv prints none of a DTLS connection:
 * with it over UDP, what is sent comes back, which only the same keys can bring about.
 */

#include "../unit/tls-server.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include "http-handshake.h"
#include "outcome.h"
#include "util.h"

#define LABEL    "EXPORTER-oneM2M-Bootstrap"
#define IDENTITY "10-gateway@mef.example.com"
#define KPM      "00112233445566778899aabbccddeeff"
#define NAME     "mef.example.com"
#define WAIT     20 /* seconds */

struct peer {
    struct tls_server files;
    char psk_file[160], printed[8192];
    int in, out; /* its standard input, and what it prints */
    pid_t pid;
    unsigned port;
};

/* A port that was free a moment ago, for a program that cannot tell which one it got. */
static unsigned free_port(int type) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* What it prints, until @words are there. */
static const char *read_until(struct peer *peer, const char *words) {
    size_t length = strlen(peer->printed);
    uint64_t end = now_usec() + WAIT * USEC_PER_SEC;
    const char *found;

    while (!(found = strstr(peer->printed, words)) || !strchr(found, '\n')) {
        struct pollfd ready = {.fd = peer->out, .events = POLLIN};
        ssize_t n;

        if (now_usec() > end || poll(&ready, 1, 1000) < 0)
            fail_msg("\"%s\" did not come: %s", words, peer->printed);
        if (ready.revents == 0)
            continue;
        n = read(peer->out, peer->printed + length, sizeof(peer->printed) - 1 - length);
        if (n <= 0)
            fail_msg("it ended before \"%s\": %s", words, peer->printed);
        length += (size_t)n;
        peer->printed[length] = '\0';
    }
    return found;
}

static void peer_start(struct peer *peer, const char *command) {
    int in[2], out[2];

    peer->printed[0] = '\0';
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    peer->pid = fork();
    if (peer->pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(in[0], STDIN_FILENO);
        (void)dup2(out[1], STDOUT_FILENO);
        (void)dup2(out[1], STDERR_FILENO);
        (void)execlp("sh", "sh", "-c", command, NULL);
        _exit(127);
    }
    assert_true(peer->pid > 0);
    (void)close(in[0]);
    (void)close(out[1]);
    peer->in = in[1];
    peer->out = out[0];
}

static void peer_stop(struct peer *peer) {
    (void)kill(peer->pid, SIGKILL);
    (void)waitpid(peer->pid, NULL, 0);
    (void)close(peer->in);
    (void)close(peer->out);
}

static void start_openssl(struct peer *peer, bool psk, bool datagrams, const char *suite) {
    char command[1024];

    (void)snprintf(command, sizeof(command),
                   "exec openssl s_server -accept 127.0.0.1:0 %s -cipher %s -keymatexport " LABEL
                   " -keymatexportlen %d ",
                   datagrams ? "-dtls1_2" : "-tls1_2", suite, TLS_EXPORTER_LENGTH);
    if (psk)
        (void)strcat(command, "-nocert -psk_identity " IDENTITY " -psk " KPM);
    else
        (void)snprintf(command + strlen(command), sizeof(command) - strlen(command),
                       "-cert %s -key %s -CAfile %s -Verify 1 -verify_return_error",
                       peer->files.certificate, peer->files.key, peer->files.certificate);
    peer_start(peer, command);
    assert_int_equal(
        sscanf(read_until(peer, "ACCEPT 127.0.0.1:"), "ACCEPT 127.0.0.1:%u", &peer->port), 1);
}

static void start_gnutls(struct peer *peer, bool psk, bool datagrams, const char *suite) {
    char command[1024];

    peer->port = free_port(datagrams ? SOCK_DGRAM : SOCK_STREAM);
    (void)snprintf(command, sizeof(command),
                   "exec stdbuf -oL gnutls-serv --echo %s -p %u --keymatexport " LABEL
                   " --keymatexportsize %d --priority NONE:+VERS-TLS1.2:+VERS-DTLS1.2:+GROUP-ALL:"
                   "+SIGN-ALL:+COMP-NULL:+CTYPE-ALL:%s ",
                   datagrams ? "--udp" : "", peer->port, TLS_EXPORTER_LENGTH, suite);
    if (psk)
        (void)snprintf(command + strlen(command), sizeof(command) - strlen(command),
                       "--pskpasswd %s", peer->psk_file);
    else
        (void)snprintf(command + strlen(command), sizeof(command) - strlen(command),
                       "--x509certfile %s --x509keyfile %s --x509cafile %s --require-client-cert "
                       "--verify-client-cert",
                       peer->files.certificate, peer->files.key, peer->files.certificate);
    peer_start(peer, command);
    (void)read_until(peer, "listening on IPv4");
}

static void read_file(const char *path, void *ret, size_t size, size_t *ret_length) {
    FILE *file = fopen(path, "re");

    assert_non_null(file);
    *ret_length = fread(ret, 1, size, file);
    assert_int_equal(fclose(file), 0);
}

static void set_up(struct handshake *handshake, const struct peer *peer, bool psk, bool datagrams,
                   const char *suites) {
    size_t length;

    *handshake = (struct handshake){.wanted = true, .datagrams = datagrams, .alert = -1};
    (void)snprintf(handshake->suites, sizeof(handshake->suites), "%s", suites ? suites : "");
    if (psk) {
        (void)strcpy(handshake->psk_identity, IDENTITY);
        for (size_t i = 0; i < 16; i++)
            handshake->psk[i] = (uint8_t)(i * 0x11);
        handshake->psk_length = 16;
        return;
    }
    read_file(peer->files.certificate, handshake->certificate, sizeof(handshake->certificate) - 1,
              &length);
    read_file(peer->files.key, handshake->private_key, sizeof(handshake->private_key),
              &handshake->private_key_length);
    handshake->has_peer = true;
    (void)strcpy(handshake->peer_name, NAME);
    (void)strcpy(handshake->peer_anchors, peer->files.certificate);
    handshake->peer.flavour = PEER_FQDN;
    handshake->peer.name = handshake->peer_name;
    handshake->peer.trust_anchors = handshake->peer_anchors;
}

/* Octets that are sent come back (gnutls-serv --echo). */
static void expect_echo(SSL *ssl) {
    char answer[16] = "";

    assert_int_equal(SSL_write(ssl, "hello\n", 6), 6);
    assert_int_equal(SSL_read(ssl, answer, sizeof(answer) - 1), 6);
    assert_string_equal(answer, "hello\n");
}

/* Shakes hands and gives the exporter as hex digits. */
static void shake_hands(struct handshake *handshake, const struct peer *peer, bool echo,
                        char ret[2 * TLS_EXPORTER_LENGTH + 1]) {
    const struct timeval wait = {.tv_sec = WAIT};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)peer->port)};
    SSL_CTX *context =
        SSL_CTX_new(handshake->datagrams ? DTLS_client_method() : TLS_client_method());
    int fd = socket(AF_INET, (handshake->datagrams ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    uint8_t exporter[TLS_EXPORTER_LENGTH];
    BIO *bio;
    SSL *ssl;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), 0);
    assert_non_null(context);
    assert_true(handshake_prepare(context, handshake));
    ssl = SSL_new(context);
    bio = handshake->datagrams ? BIO_new_dgram(fd, BIO_NOCLOSE) : BIO_new_socket(fd, BIO_NOCLOSE);
    assert_non_null(ssl);
    assert_non_null(bio);
    if (handshake->datagrams)
        (void)BIO_ctrl(bio, BIO_CTRL_DGRAM_SET_CONNECTED, 0, &address);
    SSL_set_bio(ssl, bio, bio);
    assert_int_equal(SSL_set_tlsext_host_name(ssl, (char[]){NAME}), 1);
    if (SSL_connect(ssl) != 1)
        fail_msg("no handshake: %s; %s; it says: %s", handshake->failure.text,
                 ERR_reason_error_string(ERR_peek_last_error()), peer->printed);
    assert_int_equal(handshake_exporter(ssl, LABEL, exporter), 0);
    for (size_t i = 0; i < sizeof(exporter); i++)
        (void)snprintf(ret + 2 * i, 3, "%02X", exporter[i]);
    if (echo)
        expect_echo(ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
    (void)close(fd);
}

/* With @openssl's server or GnuTLS's, which has only @suite in its own words; ours are @suites, NULL for the default. */
static void exporters_agree(const struct peer *files, bool openssl, bool psk, bool datagrams,
                            const char *suite, const char *suites) {
    char ours[2 * TLS_EXPORTER_LENGTH + 1], theirs[2 * TLS_EXPORTER_LENGTH + 1] = "";
    struct handshake handshake;
    struct peer peer = *files;

    (openssl ? start_openssl : start_gnutls)(&peer, psk, datagrams, suite);
    set_up(&handshake, &peer, psk, datagrams, suites);
    shake_hands(&handshake, &peer, !openssl && datagrams, ours);
    if (openssl)
        assert_int_equal(
            sscanf(read_until(&peer, "Keying material: "), "Keying material: %96s", theirs), 1);
    else if (!datagrams)
        assert_int_equal(sscanf(read_until(&peer, "Key material: "), "Key material: %96s", theirs),
                         1);
    if (openssl || !datagrams)
        assert_int_equal(strcasecmp(ours, theirs), 0);
    peer_stop(&peer);
    handshake_forget(&handshake);
}

static int setup(void **state) {
    static struct peer files;
    FILE *psk;

    tls_write_files(&files.files, NAME, -DAY, DAY);
    (void)snprintf(files.psk_file, sizeof(files.psk_file), "%s/psk", files.files.directory);
    psk = fopen(files.psk_file, "we");
    assert_non_null(psk);
    assert_true(fputs(IDENTITY ":" KPM "\n", psk) >= 0);
    assert_int_equal(fclose(psk), 0);
    *state = &files;
    return 0;
}

static int teardown(void **state) {
    struct peer *files = *state;

    (void)unlink(files->psk_file);
    tls_remove_files(&files->files);
    return 0;
}

static void test_psk_with_openssl_over_tls(void **state) {
    exporters_agree(*state, true, true, false, "PSK-AES128-CBC-SHA256", NULL);
    exporters_agree(*state, true, true, false, "PSK-AES128-CCM8:@SECLEVEL=0", NULL);
    exporters_agree(*state, true, true, false, "ALL:@SECLEVEL=0", NULL);
}

static void test_psk_with_openssl_over_dtls(void **state) {
    exporters_agree(*state, true, true, true, "PSK-AES128-CCM8:@SECLEVEL=0", NULL);
    exporters_agree(*state, true, true, true, "PSK-AES128-CBC-SHA256", NULL);
    exporters_agree(*state, true, true, true, "ALL:@SECLEVEL=0", NULL);
}

static void test_psk_with_gnutls_over_tls(void **state) {
    exporters_agree(*state, false, true, false, "+PSK:+AES-128-CBC:+SHA256", NULL);
    exporters_agree(*state, false, true, false, "+PSK:+AES-128-CCM-8:+AEAD", NULL);
    exporters_agree(*state, false, true, false, "+ECDHE-PSK:+CHACHA20-POLY1305:+AEAD", NULL);
}

static void test_psk_with_gnutls_over_dtls(void **state) {
    exporters_agree(*state, false, true, true, "+PSK:+AES-128-CCM-8:+AEAD", NULL);
    exporters_agree(*state, false, true, true, "+ECDHE-PSK:+CHACHA20-POLY1305:+AEAD", NULL);
}

static void test_certificates_with_openssl_over_tls_and_dtls(void **state) {
    exporters_agree(*state, true, false, false, "ECDHE-ECDSA-AES128-SHA256", NULL);
    exporters_agree(*state, true, false, false, "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", NULL);
    exporters_agree(*state, true, false, true, "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0", NULL);
    exporters_agree(*state, true, false, true, "ALL", NULL);
}

static void test_certificates_with_gnutls_over_tls_and_dtls(void **state) {
    exporters_agree(*state, false, false, false, "+ECDHE-ECDSA:+AES-128-CBC:+SHA256", NULL);
    exporters_agree(*state, false, false, false, "+ECDHE-ECDSA:+AES-128-GCM:+AEAD", NULL);
    exporters_agree(*state, false, false, true, "+ECDHE-ECDSA:+AES-128-CCM-8:+AEAD", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_psk_with_openssl_over_tls),
        cmocka_unit_test(test_psk_with_openssl_over_dtls),
        cmocka_unit_test(test_psk_with_gnutls_over_tls),
        cmocka_unit_test(test_psk_with_gnutls_over_dtls),
        cmocka_unit_test(test_certificates_with_openssl_over_tls_and_dtls),
        cmocka_unit_test(test_certificates_with_gnutls_over_tls_and_dtls),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
