/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * GBA Push Info as it comes from a stranger: what is accepted is whole and within its limits, and no key that is not its own
 * proves it.
 */

#include <stdlib.h>
#include <string.h>

#include "gba.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

static void check_gpi(const struct gpi *gpi, const uint8_t *data, size_t size) {
    _cleanup_secret_ struct secret *key = NULL;
    char name[NAF_FQDN_MAX + 1];

    check(gpi->mode == GBA_MODE_ME || gpi->mode == GBA_MODE_U);
    check(*gpi->ptid && text_is_plain(gpi->ptid, strlen(gpi->ptid)));
    check(gba_fqdn_normalise(gpi->naf_fqdn, name, NULL) == 0 && strcmp(name, gpi->naf_fqdn) == 0);
    check(strlen(gpi->label) <= GPI_LABEL_MAX && gpi->lifetime >= 0);
    check(gpi->signed_length + 3 + GPI_MAC_LENGTH == size);
    check(secret_new_copy("0123456789abcdef0123456789abcdef", NAF_KEY_LENGTH, &key) == 0);
    check(gpi_check(gpi, data, key, NULL) == UB_E_PUSH_MAC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool arena;
    struct failure failure = {0};
    struct gpi gpi;
    int r;

    if (!arena)
        check(secret_arena_init() == 0);
    arena = true;

    r = gpi_parse(data, size, &gpi, &failure);
    check(failure.code == r);
    if (r == 0)
        check_gpi(&gpi, data, size);
    else
        check(r == UB_E_PUSH_MALFORMED && text_is_plain(failure.text, strlen(failure.text)));
    check(secret_arena_used() == 0);
    return 0;
}
