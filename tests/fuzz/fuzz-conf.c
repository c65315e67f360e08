/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * keystrap.conf of any octets: loaded or refused with words; and what is loaded can be printed and read back.
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "conf.h"
#include "log.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void print_and_read_back(const struct conf *conf) {
    _cleanup_conf_ struct conf *again = NULL;
    _cleanup_free_ char *text = NULL;
    size_t length;
    FILE *f = open_memstream(&text, &length);

    if (!f)
        abort();
    conf_print(conf, f);
    if (fclose(f) != 0 || conf_parse("printed", text, length, &again, NULL) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_conf_ struct conf *conf = NULL;
    struct failure failure = {0};
    int r;

    log_set_max_level(LOG_ERR);
    r = conf_parse("fuzz", (const char *)data, size, &conf, &failure);
    if ((r == 0) != (conf != NULL) || failure.code != r || (r != 0 && failure.text[0] == '\0'))
        abort();
    if (conf)
        print_and_read_back(conf);
    return 0;
}
