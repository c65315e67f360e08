/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the stories of keystrap-lab demo share.
 */

#include <stdbool.h>

#include "util.h"
#include "world.h"

struct demo {
    struct world *world;
    struct world_process *usim, *bsf, *naf, *mef, *keystrapd;
    char url[128];
    char address[64];
    const char *transport; /* "pcsc", or the protocol of a modem */
    const char *method;    /* of an enrolment: "psk", "certificate" or "chain"; NULL for a story of GBA alone */
    bool gba_u;            /* the Ks stays in the card */
    bool keep;
};

/**
 * demo_step() - a line of the story with its time; demo_detail() one that belongs to it; demo_quote() what a program has said
 */
void demo_step(struct demo *demo, const char *format, ...) _printf_(2, 3);
void demo_detail(const char *format, ...) _printf_(1, 2);
void demo_quote(const char *text);

/**
 * demo_raise_keystrapd() - start it, and tell. Return: 0; -1.
 */
int demo_raise_keystrapd(struct demo *demo);

/**
 * demo_stranger() - the user "stranger" runs @argv, which must be refused. Return: 0; -1.
 */
int demo_stranger(struct demo *demo, const char *const *argv);

/**
 * demo_enrol() - the story of --method. Return: 0; -1.
 */
int demo_enrol(struct demo *demo);
