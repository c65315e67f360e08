/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The peers: who is behind each bus connection that called, remembered by its unique name.
 */

#include <stdbool.h>
#include <stddef.h>
#include <systemd/sd-bus.h>

#include "access.h"
#include "keystrap-limits.h"

#define PEER_BUCKETS 1024u

struct agent_se_client;
struct call;
struct service;

struct peer {
    struct peer *bucket_next;
    struct peer *newer, *older; /* by last use */
    struct service *service;
    sd_bus_slot *slot;  /* of the question who it is, while that is open */
    struct call *calls; /* that wait for an answer */
    size_t calls_count;
    struct agent_se_client *se; /* its sessions; NULL without any */
    bool known; /* caller is filled */
    struct access_caller caller;
    char name[];
};

struct peer_table {
    struct peer *buckets[PEER_BUCKETS];
    struct peer *newest, *oldest;
    size_t count;
};

/**
 * peer_find() - the peer of that unique name, which counts as used now; NULL where there is none
 */
struct peer *peer_find(struct peer_table *table, const char *name);

/**
 * peer_add() - a new peer that nothing is known of; where PEERS_MAX are there, the one without calls and sessions that was
 * used longest ago goes
 *
 * Return: 0; -ENOMEM; -EINVAL for a name beyond BUS_NAME_MAX; ACCESS_E_TOO_MANY when all of them have either.
 */
int peer_add(struct peer_table *table, const char *name, struct peer **ret);

/**
 * peer_remove() - forget a peer, which must have neither calls nor sessions
 */
void peer_remove(struct peer_table *table, struct peer *peer);
