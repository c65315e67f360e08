/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The subscribers of the lab: one ini file that both the card and the network read, so that they
 * share the keys as a real card and its home network do.
 *
 *     [Subscriber NAME]
 *     Imsi = 001010123456789              6 to 15 digits
 *     MncLength = 2                       2 or 3: digits of the IMSI's network code
 *     Iccid = 8988201000000000019         up to 20 digits
 *     K = (32 hexadecimal digits)
 *     Opc = (32 hexadecimal digits)       or Op, the operator's, of which OPc is computed
 *     Algorithm = milenage                or tuak, with Topc = (64 hexadecimal digits), or Top, in
 *                                         place of Opc, and a ResLength of 4 or 8
 *     Amf = 8000                          of the network's AUTN; 8000 if absent
 *     Sqn = 000000000020                  12 hexadecimal digits: highest SQN so far; 0 if absent
 *     IndBits = 5                         bits of the SQN that are its IND: 0 to 8; 5 if absent
 *     ResLength = 8                       octets of RES and XRES: 4 to 8; 8 if absent
 *     Impi = NAI                          made of the IMSI (TS 23.003 clause 13.3) if absent
 *     IsimImpi = NAI                      the card has an ISIM, with this in EF_IMPI; none if absent
 *     Gba = no                            yes: the card does GBA_U, and the BSF uses it; promised: the card's
 *                                         service table says so, and its AUTHENTICATE does not; no if absent
 *     Sim = no                            yes: an old SIM, without USIM, channels and PIN; for 2G GBA
 *     Pin = 1234                          4 to 8 digits; 1234 if absent
 *     Ara = e20b...                       access rules on the card, in hexadecimal; no ARA-M if absent
 *     Lifetime = 3600                     seconds that the BSF lets a Ks live; 3600 if absent
 *     Password = TEXT                     of GBA_Digest; none if absent
 *
 * Keys in a plain file are right for a lab and for nothing else.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "milenage.h"

enum {
    LAB_NAME_MAX = 63,
    LAB_IMSI_MIN = 6,
    LAB_IMSI_MAX = 15,
    LAB_ICCID_MAX = 20,
    LAB_IMPI_MAX = 255,
    LAB_PIN_MIN = 4,
    LAB_PIN_MAX = 8,
    LAB_PASSWORD_MAX = 127,
    LAB_ARA_MAX = 256,
    LAB_SUBSCRIBERS_MAX = 1024,
};

enum lab_gba {
    LAB_GBA_NO,
    LAB_GBA_PROMISED,
    LAB_GBA_YES,
};

struct lab_subscriber {
    char name[LAB_NAME_MAX + 1];
    char imsi[LAB_IMSI_MAX + 1];
    char iccid[LAB_ICCID_MAX + 1];
    char impi[LAB_IMPI_MAX + 1];
    char isim_impi[LAB_IMPI_MAX + 1]; /* "" for no ISIM */
    enum lab_gba gba;
    bool sim;
    char pin[LAB_PIN_MAX + 1];
    char password[LAB_PASSWORD_MAX + 1]; /* "" for none */
    struct milenage_key key;
    uint8_t amf[MILENAGE_AMF];
    uint64_t sqn;
    unsigned ind_bits;
    unsigned mnc_length;
    unsigned res_length;
    unsigned lifetime;
    bool has_ara;
    uint8_t ara[LAB_ARA_MAX];
    size_t ara_length;
};

struct lab_subscribers {
    struct lab_subscriber *list;
    size_t count;
};

/*
 * Reads the file at PATH into *RET_SUBSCRIBERS, which the caller releases with
 * lab_subscribers_done(). A key that is unknown, missing, twice or has a bad value, and two
 * subscribers with one name, IMSI or IMPI, are refused.
 *
 * Returns 0; -ENOENT or another errno when the file cannot be read; -EINVAL when it is wrong;
 * -ENOMEM. On failure ERROR (SIZE octets) has one line that names file, section and key, and says
 * what is wrong.
 */
int lab_subscribers_load(const char *path, struct lab_subscribers *ret_subscribers, char *error,
                         size_t size);

/* As lab_subscribers_load(), of the text TEXT; WHERE stands for the file's name in errors. */
int lab_subscribers_parse(const char *text, const char *where,
                          struct lab_subscribers *ret_subscribers, char *error, size_t size);

/* Erases the keys and frees the list; *SUBSCRIBERS is empty then. */
void lab_subscribers_done(struct lab_subscribers *subscribers);

/*
 * The subscriber with that name, IMSI or IMPI (an exact match), borrowed from SUBSCRIBERS; NULL if
 * none.
 */
struct lab_subscriber *lab_subscribers_by_name(const struct lab_subscribers *subscribers,
                                               const char *name);
struct lab_subscriber *lab_subscribers_by_imsi(const struct lab_subscribers *subscribers,
                                               const char *imsi);
struct lab_subscriber *lab_subscribers_by_impi(const struct lab_subscribers *subscribers,
                                               const char *impi);

/* The one whose name, or else IMSI, is WHO; the first of all where WHO is NULL. */
struct lab_subscriber *lab_subscribers_find(const struct lab_subscribers *subscribers,
                                            const char *who);
