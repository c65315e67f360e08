/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-coap: the program that speaks CoAP for keystrapd.
 */

#include <coap3/coap.h>
#include <unistd.h>

#include "coap-fetch.h"
#include "http-memory.h"

/* libcoap has all its memory from these three, and takes ours instead of its own, since a program's come first. */
#define _exported_ __attribute__((visibility("default")))

_exported_ void *coap_malloc_type(coap_memory_tag_t type, size_t size) {
    (void)type;
    return erasing_malloc(size);
}

_exported_ void *coap_realloc_type(coap_memory_tag_t type, void *memory, size_t size) {
    (void)type;
    return erasing_realloc(memory, size);
}

_exported_ void coap_free_type(coap_memory_tag_t type, void *memory) {
    (void)type;
    erasing_free(memory);
}

/* libcoap and OpenSSL read their configuration here. */
static int start(void) {
    int r = http_memory_init();

    if (r < 0)
        return r;
    coap_startup();
    coap_set_log_level(LOG_EMERG); /* what goes wrong is told by outcomes */
    return 0;
}

int main(int argc, char **argv) {
    static const struct http_program program = {"keystrap-coap", start, coap_fetch};

    /* The end of the process releases everything at once, and no destructor runs inside the sandbox. */
    _exit(http_program_main(&program, argc, argv));
}
