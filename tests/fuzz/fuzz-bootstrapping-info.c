/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * BootstrappingInfo: any octets are either a B-TID that can be shown and a lifetime that can be counted, or refused.
 */

#include <stdlib.h>
#include <string.h>

#include "gba.h"
#include "util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define END_OF_TIME (253402300799 + 14 * 3600) /* 9999-12-31T23:59:59-14:00 */

static void check(bool holds) {
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct bootstrapping_info info;
    struct failure failure = {0};
    int r = bootstrapping_info_parse(data, size, &info, &failure);

    check(failure.code == r && text_is_plain(failure.text, strlen(failure.text)));
    if (r != 0) {
        check(r == UB_E_INFO_MALFORMED);
        return 0;
    }
    check(*info.btid && text_is_plain(info.btid, strlen(info.btid)));
    check(info.lifetime >= 0 && info.lifetime <= END_OF_TIME);
    check(!info.has_currenttime || (info.currenttime >= 0 && info.currenttime <= END_OF_TIME));
    return 0;
}
