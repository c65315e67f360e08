/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Memory of libraries that is erased when they give it back.
 *
 * A key that is read by OpenSSL, or a body that libcurl or libcoap receives, passes through buffers that those free without a
 * thought. The program lives on for the next request; a stranger who takes it over then must not find the last one's key.
 */

#include <errno.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http-memory.h"
#include "secret.h"
#include "util.h"

/* More than any function of the libraries was seen to use. */
#define STACK_SIZE (256u * 1024)

void *erasing_malloc(size_t size) {
    return malloc(size);
}

void *erasing_calloc(size_t count, size_t size) {
    return calloc(count, size);
}

void erasing_free(void *memory) {
    if (memory)
        secret_erase(memory, malloc_usable_size(memory));
    free(memory);
}

/* realloc() may move, and then it frees what it leaves. */
void *erasing_realloc(void *memory, size_t size) {
    size_t before = memory ? malloc_usable_size(memory) : 0;
    void *moved;

    if (memory && size == 0) {
        erasing_free(memory);
        return NULL;
    }
    moved = malloc(size);
    if (!moved)
        return NULL;
    if (before > 0)
        memcpy(moved, memory, before < size ? before : size);
    erasing_free(memory);
    return moved;
}

char *erasing_strdup(const char *text) {
    return strdup(text);
}

static void *openssl_malloc(size_t size, const char *file _unused_, int line _unused_) {
    return erasing_malloc(size);
}

static void *openssl_realloc(void *memory, size_t size, const char *file _unused_,
                             int line _unused_) {
    return erasing_realloc(memory, size);
}

static void openssl_free(void *memory, const char *file _unused_, int line _unused_) {
    erasing_free(memory);
}

int http_memory_init(void) {
    return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1 ? 0
                                                                                        : -EALREADY;
}

__attribute__((noinline)) void http_memory_erase_stack(void) {
    uint8_t stack[STACK_SIZE];

    secret_erase(stack, sizeof(stack));
}
