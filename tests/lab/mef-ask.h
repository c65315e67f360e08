/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A client of the MEF for tests: libcurl on OpenSSL, so that handshake and exporter are another implementation's than the
 * MEF's, and OpenSSL's HMAC. Every function fails the cmocka test that calls it, but where the answer is said to tell.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#define MEF_ASK_FQDN "mef.example.com"

/* Who asks, and its connection. */
struct mef_asker {
    unsigned port;
    const char *identity; /* X-M2M-Origin; NULL: no such field */
    const char *suite;    /* OpenSSL's name; NULL for any */
    /* By key. */
    const char *kpm_id;
    uint8_t kpm[64];
    size_t kpm_length;
    /* Or by certificate: files. */
    const char *certificate, *key, *anchors;

    const char *release; /* X-M2M-RVI; NULL: "3" */
    const char *type;    /* of a body; NULL: as docs/MEF.md has it */
    bool no_number;      /* no X-M2M-RI */
    bool stay;           /* with the connection that is there */
    int64_t patience_msec; /* how long to wait for the answer of a request that was sent; 0 for long */

    void *curl; /* made by the first request */
    unsigned number;
    int64_t connected_msec;
    uint8_t exporter[48]; /* of the connection that the last request went by */
    char used_suite[64];
};

struct mef_told {
    int error; /* CURLcode; the rest is 0 or NULL where no answer came */
    long status, rsc, retry_after;
    bool number_is_mine; /* X-M2M-RI is that of the request */
    char type[128];      /* Content-Type */
    size_t length;
    json_t *body; /* NULL where there is none, or it is no JSON */
};

/**
 * mef_ask() - one request. @type: ty of a Create, 0 for none; @body: released, NULL for none
 */
void mef_ask(struct mef_asker *asker, const char *method, const char *path, int type, json_t *body,
             struct mef_told *ret);

void mef_told_done(struct mef_told *told);

#define _cleanup_told_ __attribute__((cleanup(mef_told_done)))

/**
 * mef_asker_done() - close its connection
 */
void mef_asker_done(struct mef_asker *asker);

/**
 * mef_told_object() - the object of that name, alone in the body, borrowed
 */
json_t *mef_told_object(const struct mef_told *told, const char *name);

/**
 * mef_told_text() - a text of that object, borrowed
 */
const char *mef_told_text(const struct mef_told *told, const char *name, const char *field);

/**
 * mef_hash() - the first 16 digits of SHA-256 of 32 octets
 */
void mef_hash(const uint8_t key[32], char ret[17]);

/**
 * mef_hmac() - HMAC-SHA-256 of one text after the other; the last is NULL
 */
void mef_hmac(const uint8_t key[32], uint8_t ret[32], ...);

/**
 * mef_decode() - base64 of at most 32 octets. Return: its length
 */
size_t mef_decode(const char *text, uint8_t ret[33]);
