/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The oneM2M key hierarchy (TS-0003): from the exporter of a handshake to Ke, and from Ke to its children.
 *
 * Every gap of the specification is one function here: the order of the exporter's octets, the digits of a SUID, the
 * identifier's form.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "keystrap-limits.h"
#include "outcome.h"
#include "secret.h"

#define ONEM2M_EXPORTER_LABEL \
    "EXPORTER-oneM2M-Bootstrap" /* TS-0003 10.3.1; 48 octets, no context */

/* How a key for a target is made of Ke. */
enum onem2m_derivation {
    ONEM2M_USAGE_CONSTRAINED, /* TS-0003 10.3.7, Release 2 and later: with the SUID */
    ONEM2M_RELEASE_1,         /* TS-0003 10.3.2 for a MAF, 10.3.3 for an Enrolee B: without */
};

/* What kind of name a target has. */
enum onem2m_target {
    ONEM2M_TARGET_MAF, /* an FQDN, the MAF-ID */
    ONEM2M_TARGET_B,   /* an Enrolee B: a CSE-ID or AE-ID */
};

/* m2m:suid (TS-0004 6.3.4.2.39), as far as they are derived here. */
#define ONEM2M_SUID_MAF 21u

/**
 * onem2m_ke() - Ke and KeId from the exporter of a MEF handshake (TS-0003 10.3.1, 10.3.4)
 * @exporter: 48 octets: the first 16 are RelativeKeID, the others Ke
 * @mef_fqdn: the MEF's FQDN
 * @ret_ke_id: gets 32 upper-case hex digits, "@" and the FQDN
 * @ret_ke: 32 octets; the caller owns it
 *
 * Return: 0; -EINVAL for another length; -ENOMEM.
 */
int onem2m_ke(const struct secret *exporter, const char *mef_fqdn, char ret_ke_id[KE_ID_MAX + 1],
              struct secret **ret_ke);

/**
 * onem2m_key() - Km or Kpsa or a usage-constrained key, from Ke
 * @derivation, @target: which formula
 * @suid: with ONEM2M_USAGE_CONSTRAINED, see onem2m_suid_is_derived()
 * @target_id: MAF-ID or Enrolee-B-ID, for 10.3.7 the FQDN representation of it: UTF-8, 1 to ENTITY_ID_MAX octets, before and
 * after its normalisation (NFKC, 3.2), which is done here
 * @ret: 32 octets; the caller owns it
 *
 * Return: 0; -EINVAL for a Ke of another length, a SUID that is not derived, or no such identifier; -ENOMEM; another errno of
 * the library.
 */
int onem2m_key(const struct secret *ke, enum onem2m_derivation derivation,
               enum onem2m_target target, unsigned suid, const char *target_id,
               struct secret **ret);

/**
 * onem2m_suid_is_derived() - whether credentials of @suid are made of Ke: 21 to 25
 */
bool onem2m_suid_is_derived(unsigned suid);

/**
 * onem2m_target_kind() - of a name: ONEM2M_TARGET_B for one with a "/" or of an AE-ID's form ("C..." or "S..." with no dot), else
 * ONEM2M_TARGET_MAF
 */
enum onem2m_target onem2m_target_kind(const char *target_id);

/**
 * onem2m_timestamp_parse() - m2m:timestamp, "20261127T024058" with an optional fraction ("," and up to six digits), UTC
 *
 * Return: 0 with seconds since the epoch; -EINVAL.
 */
int onem2m_timestamp_parse(const char *text, int64_t *ret);

/**
 * onem2m_timestamp_print() - the other way round, without a fraction
 */
void onem2m_timestamp_print(int64_t when, char ret[16]);
