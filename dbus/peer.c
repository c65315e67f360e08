/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table of peers.
 *
 * Credentials of a connection never change and a unique name is never given twice, so one question to the
 * bus daemon serves all calls of a connection. A hash table finds the peer, a list in order of use finds whom to forget.
 */

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "outcome.h"
#include "peer.h"

/* FNV-1a: unique names differ in their last digits, which it spreads well. */
static size_t bucket_of(const char *name) {
    uint32_t hash = 2166136261u;

    for (const unsigned char *p = (const unsigned char *)name; *p; p++)
        hash = (hash ^ *p) * 16777619u;
    return hash % PEER_BUCKETS;
}

static void unlink_from_order(struct peer_table *table, struct peer *peer) {
    if (peer->newer)
        peer->newer->older = peer->older;
    else
        table->newest = peer->older;
    if (peer->older)
        peer->older->newer = peer->newer;
    else
        table->oldest = peer->newer;
    peer->newer = peer->older = NULL;
}

static void link_as_newest(struct peer_table *table, struct peer *peer) {
    peer->newer = NULL;
    peer->older = table->newest;
    if (table->newest)
        table->newest->newer = peer;
    else
        table->oldest = peer;
    table->newest = peer;
}

struct peer *peer_find(struct peer_table *table, const char *name) {
    struct peer *peer = table->buckets[bucket_of(name)];

    while (peer && strcmp(peer->name, name) != 0)
        peer = peer->bucket_next;
    if (peer && peer != table->newest) {
        unlink_from_order(table, peer);
        link_as_newest(table, peer);
    }
    return peer;
}

static bool forget_an_idle_one(struct peer_table *table) {
    struct peer *peer = table->oldest;

    while (peer && (peer->calls_count > 0 || peer->se))
        peer = peer->newer;
    if (!peer)
        return false;
    peer_remove(table, peer);
    return true;
}

int peer_add(struct peer_table *table, const char *name, struct peer **ret) {
    size_t length = strlen(name);
    struct peer *peer;

    if (length > BUS_NAME_MAX)
        return -EINVAL;
    if (table->count >= PEERS_MAX && !forget_an_idle_one(table))
        return ACCESS_E_TOO_MANY;
    peer = calloc(1, sizeof(*peer) + length + 1);
    if (!peer)
        return -ENOMEM;

    memcpy(peer->name, name, length + 1);
    peer->bucket_next = table->buckets[bucket_of(name)];
    table->buckets[bucket_of(name)] = peer;
    link_as_newest(table, peer);
    table->count++;
    *ret = peer;
    return 0;
}

void peer_remove(struct peer_table *table, struct peer *peer) {
    struct peer **at = &table->buckets[bucket_of(peer->name)];

    assert(peer->calls_count == 0 && !peer->se);
    while (*at != peer)
        at = &(*at)->bucket_next;
    *at = peer->bucket_next;
    unlink_from_order(table, peer);
    table->count--;
    sd_bus_slot_unref(peer->slot);
    free(peer);
}
