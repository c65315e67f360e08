/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap-coap: the program that speaks CoAP for keystrapd.
 */

#include <coap3/coap.h>
#include <unistd.h>

#include "coap-fetch.h"

/* libcoap and OpenSSL read their configuration here. */
static int start(void) {
    coap_startup();
    coap_set_log_level(LOG_EMERG); /* what goes wrong is told by outcomes */
    return 0;
}

int main(int argc, char **argv) {
    static const struct http_program program = {"keystrap-coap", start, coap_fetch};

    /* The end of the process releases everything at once, and no destructor runs inside the sandbox. */
    _exit(http_program_main(&program, argc, argv));
}
