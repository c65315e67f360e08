/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Application identifiers (ISO/IEC 7816-4 8.2.1.2, TS 101 220 Annex E), and which of them stand for the subscription.
 *
 * The applications that hold the operator's keys are keystrapd's alone: whatever a rule says, nobody else may
 * reach them. A card selects by a part of an AID as well, so a part that could mean one of them counts as one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"

/* Who a device application is to the access rules on a card: SHA-1 or SHA-256 of its certificate on other systems,
 * whatever operator and integrator agree on here (GlobalPlatform SEAC 6.1, DeviceAppID-REF-DO). */
struct device_app_hash {
    uint8_t value[DEVICE_APP_HASH_MAX];
    size_t length; /* 20 or 32 */
};

/**
 * aid_is_subscription() - whether SELECT with the @length octets at @aid could select an application that
 * authenticates the subscriber: USIM, ISIM, SIM or CSIM
 *
 * True for such an AID whatever follows it, for the beginning of one, and for none at all (@length 0), which
 * selects what the card likes best.
 */
bool aid_is_subscription(const uint8_t *aid, size_t length);

/**
 * aid_name() - "USIM", "ISIM", "SIM" or "CSIM" for the first that aid_is_subscription() means; NULL for none
 */
const char *aid_name(const uint8_t *aid, size_t length);
