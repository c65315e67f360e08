/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The key store: one Ks, alive until its lifetime is over.
 *
 * A dead Ks is erased by whoever looks at it first, so there is no call that finds it half-dead.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gba.h"
#include "keystore.h"
#include "util.h"

struct keystore {
    bool there;
    struct ub_result current; /* ks is NULL where it is in the card */
    uint64_t derivations;
};

int keystore_new(struct keystore **ret) {
    struct keystore *store;

    store = calloc(1, sizeof(*store));
    if (!store)
        return -ENOMEM;
    *ret = store;
    return 0;
}

bool keystore_forget(struct keystore *store) {
    bool there = store->there;

    store->there = false;
    ub_result_done(&store->current);
    memset(&store->current, 0, sizeof(store->current));
    store->derivations = 0;
    return there;
}

struct keystore *keystore_free(struct keystore *store) {
    if (store)
        (void)keystore_forget(store);
    free(store);
    return NULL;
}

void keystore_put_take(struct keystore *store, struct ub_result *result) {
    (void)keystore_forget(store);
    store->current = *result;
    result->ks = NULL;
    store->there = true;
}

int keystore_get(struct keystore *store, struct keystore_info *ret) {
    if (!store->there)
        return KEYS_E_NONE;
    if (now_usec() >= store->current.expires_usec) {
        (void)keystore_forget(store);
        return KEYS_E_EXPIRED;
    }

    *ret = (struct keystore_info){
        .btid = store->current.btid,
        .impi = store->current.impi,
        .expires_usec = store->current.expires_usec,
        .expires_utc_usec = store->current.expires_utc_usec,
        .derivations = store->derivations,
        .mode = store->current.mode,
    };
    return 0;
}

int keystore_derive(struct keystore *store, const char *naf_fqdn,
                    const uint8_t ua_protocol[UA_PROTOCOL_LENGTH], struct secret **ret,
                    struct keystore_info *ret_info) {
    struct keystore_info info;
    int r;

    r = keystore_get(store, &info);
    if (r != 0)
        return r;
    r = ub_result_derive(&store->current, naf_fqdn, ua_protocol, ret);
    if (r != 0)
        return r;
    store->derivations++;
    *ret_info = info;
    return 0;
}

bool keystore_is_in_card(const struct keystore *store) {
    return store->there && store->current.mode == GBA_MODE_U;
}

void keystore_count(struct keystore *store) {
    store->derivations++;
}
