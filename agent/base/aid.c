/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which applications stand for the subscription.
 *
 * One short table, so that the rules, the card's own room and the tests mean the same by "never open".
 */

#include <string.h>

#include "aid.h"
#include "util.h"

static const struct {
    const char *name;
    uint8_t prefix[7]; /* RID and application code */
} subscriptions[] = {
    {"USIM", {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02}},
    {"ISIM", {0xa0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x04}},
    {"SIM", {0xa0, 0x00, 0x00, 0x00, 0x09, 0x00, 0x01}},
    {"CSIM", {0xa0, 0x00, 0x00, 0x03, 0x43, 0x10, 0x02}},
};

const char *aid_name(const uint8_t *aid, size_t length) {
    for (size_t i = 0; i < ELEMENTS(subscriptions); i++) {
        size_t size = sizeof(subscriptions[i].prefix);
        size_t common = length < size ? length : size;

        if (common == 0 || memcmp(aid, subscriptions[i].prefix, common) == 0)
            return subscriptions[i].name;
    }
    return NULL;
}

bool aid_is_subscription(const uint8_t *aid, size_t length) {
    return aid_name(aid, length) != NULL;
}
