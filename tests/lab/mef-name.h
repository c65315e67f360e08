/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Whose certificate it is, in the flavours of oneM2M (TS-0003 8.1.2, 10.1).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gnutls/x509.h>

/**
 * mef_name_is() - whether one name of a certificate or request is @identity
 * @type: dNSName or URI; other kinds are nobody's name
 * @identity: an FQDN, which stands as dNSName or as the host of a URI; or an absolute CSE-ID or AE-ID, "//SP/...", which
 * stands as URI, and a CSE-ID also as the dNSName of its public domain name (TS-0001 6.5.1.1)
 */
bool mef_name_is(gnutls_x509_subject_alt_name_t type, const char *name, const char *identity);

/**
 * mef_certificate_is() - whether a certificate (DER) that a handshake brought is that of @identity
 * @trusted: it is in force and leads to an anchor
 * @identity: as mef_name_is() compares it with subjectAltName; or "OID;TEXT", a device's otherName; or
 * "sha-256;BASE64URL", "sha-256-128;...", "sha-256-120;..." or the same after "ni:///" (RFC 6920), the digest of the public
 * key, which needs no @trusted
 */
bool mef_certificate_is(const uint8_t *der, size_t length, bool trusted, const char *identity);
