/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A TLS server with a certificate of any fault: `openssl s_server`, whose other side is not our code. It answers each GET with
 * a page about the connection, and closes.
 */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cmocka.h>

#define DAY 86400L

struct tls_server {
    char directory[64];
    char certificate[128], key[128];
    FILE *output; /* what it says of its connections */
    unsigned port;
    pid_t pid;
};

/* Signed by itself, for @dns_name, from @from to @to seconds from now. */
static inline X509 *tls_make_certificate(EVP_PKEY *key, const char *dns_name, long from, long to) {
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);
    X509_EXTENSION *names;
    char alternative[300];

    (void)snprintf(alternative, sizeof(alternative), "DNS:%s", dns_name);
    names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alternative);
    assert_non_null(names);
    assert_int_equal(X509_set_version(certificate, 2), 1);
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), from));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), to));
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                                (const uint8_t *)dns_name, -1, -1, 0),
                     1);
    assert_int_equal(X509_set_issuer_name(certificate, name), 1);
    assert_int_equal(X509_set_pubkey(certificate, key), 1);
    assert_int_equal(X509_add_ext(certificate, names, -1), 1);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    X509_EXTENSION_free(names);
    return certificate;
}

static inline void tls_write_files(struct tls_server *server, const char *dns_name, long from,
                                   long to) {
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate;
    FILE *file;

    (void)snprintf(server->directory, sizeof(server->directory), "%s/keystrap-http-XXXXXX",
                   getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp");
    assert_non_null(mkdtemp(server->directory));
    (void)snprintf(server->certificate, sizeof(server->certificate), "%s/cert.pem",
                   server->directory);
    (void)snprintf(server->key, sizeof(server->key), "%s/key.pem", server->directory);

    assert_non_null(key);
    certificate = tls_make_certificate(key, dns_name, from, to);
    file = fopen(server->certificate, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_X509(file, certificate), 1);
    assert_int_equal(fclose(file), 0);
    file = fopen(server->key, "we");
    assert_non_null(file);
    assert_int_equal(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    assert_int_equal(fclose(file), 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
}

/* The 32 octets of the private key in @path, the most significant first. */
static inline void tls_read_key(const char *path, uint8_t ret[32]) {
    FILE *file = fopen(path, "re");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    BIGNUM *number = NULL;

    assert_non_null(key);
    assert_int_equal(EVP_PKEY_get_bn_param(key, "priv", &number), 1);
    assert_int_equal(BN_bn2binpad(number, ret, 32), 32);
    BN_clear_free(number);
    EVP_PKEY_free(key);
    (void)fclose(file);
}

static inline void tls_remove_files(struct tls_server *server) {
    (void)unlink(server->certificate);
    (void)unlink(server->key);
    (void)rmdir(server->directory);
}

/* @first and @options: further ones of s_server, each in one text, separated by single spaces; "" for none. */
static inline void tls_server_run(struct tls_server *server, const char *first, const char *options,
                                  long from, long to) {
    char command[768], *rest = command, *argv[32] = {NULL}, line[256];
    size_t count = 0;
    int fds[2];

    tls_write_files(server, "bsf.example", from, to);
    (void)snprintf(command, sizeof(command),
                   "openssl s_server -accept 127.0.0.1:0 -cert %s -key %s%s%s%s%s",
                   server->certificate, server->key, *first ? " " : "", first, *options ? " " : "",
                   options);
    while (rest && count < 31)
        argv[count++] = strsep(&rest, " ");
    assert_int_equal(pipe(fds), 0);
    server->pid = fork();
    if (server->pid == 0) {
        /* A test that fails on the way leaves no server behind. */
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(fds[1], STDOUT_FILENO);
        (void)close(fds[0]);
        /* Its standard input never ends, with which it would: the program itself has the other end. */
        if (pipe(fds) < 0)
            _exit(126);
        (void)dup2(fds[0], STDIN_FILENO);
        (void)execvp("openssl", argv);
        _exit(127);
    }
    assert_true(server->pid > 0);
    (void)close(fds[1]);
    server->output = fdopen(fds[0], "r");
    assert_non_null(server->output);
    while (fgets(line, sizeof(line), server->output))
        if (sscanf(line, "ACCEPT 127.0.0.1:%u", &server->port) == 1)
            return;
    fail_msg("openssl s_server did not start");
}

static inline void tls_server_start(struct tls_server *server, const char *options, long from,
                                    long to) {
    tls_server_run(server, "-www", options, from, to);
}

static inline void tls_server_stop(struct tls_server *server) {
    (void)kill(server->pid, SIGKILL);
    (void)waitpid(server->pid, NULL, 0);
    (void)fclose(server->output);
    tls_remove_files(server);
}
