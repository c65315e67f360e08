/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Access rules of any octets: taken or refused as a whole; whatever they say, the decision is one of three, and rules
 * that hold no "always" and no filter grant nothing.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ara.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void decide(const struct ara_rules *rules, const uint8_t *aid, size_t length,
                   const struct device_app_hash *hashes, size_t count) {
    struct ara_decision decision;
    bool may_grant = false;

    ara_decide(rules, aid, length, hashes, count, &decision);
    for (size_t i = 0; i < rules->count; i++)
        may_grant |= rules->list[i].decision.access != ARA_NEVER;
    if (!may_grant && decision.access != ARA_NEVER)
        abort();
    if (decision.filters_count > ARA_FILTERS_MAX)
        abort();
    if (ara_permits(&decision, 0x80, 0xca, 0xff, 0x40) && decision.access == ARA_NEVER)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const uint8_t aid[] = {0xd2, 0x76, 0x00, 0x01, 0x24, 0x01};
    struct device_app_hash hash = {.length = 20};
    struct ara_rules rules = {0};
    int r;

    r = ara_parse(data, size, &rules);
    if (r != 0 && r != -EBADMSG)
        abort();
    if (r != 0 && rules.list)
        abort();
    if (r == 0) {
        if (rules.count > ARA_RULES_MAX)
            abort();
        decide(&rules, aid, sizeof(aid), NULL, 0);
        decide(&rules, aid, sizeof(aid), &hash, 1);
        decide(&rules, aid, 0, NULL, 0);
        for (size_t i = 0; i < rules.count; i++)
            decide(&rules, rules.list[i].aid, rules.list[i].aid_length, &rules.list[i].hash, 1);
    }
    ara_rules_done(&rules);
    return 0;
}
