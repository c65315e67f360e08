/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whom the MEF knows, and how it knows them again after a handshake.
 */

#include "lab-mef.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ini.h>

#include "hex.h"
#include "mef-name.h"

/* --- The file ------------------------------------------------------------------------------------ */

struct loader {
    struct mef *mef;
    char section[MEF_NAME_MAX + 1];
};

static int keep(char ret[MEF_NAME_MAX + 1], const char *value) {
    if (strlen(value) > MEF_NAME_MAX)
        return 0;
    (void)snprintf(ret, MEF_NAME_MAX + 1, "%s", value);
    return 1;
}

static int handle_line(void *userdata, const char *section, const char *name, const char *value) {
    struct loader *loader = userdata;
    struct mef *mef = loader->mef;
    struct mef_enrolee *enrolee;

    if (mef->enrolees_count == 0 || strcmp(section, loader->section) != 0) {
        if (mef->enrolees_count == MEF_ENROLEES_MAX || !keep(loader->section, section))
            return 0;
        enrolee = &mef->enrolees[mef->enrolees_count++];
        (void)keep(enrolee->identity, section);
    }
    enrolee = &mef->enrolees[mef->enrolees_count - 1];
    if (strcmp(name, "Identity") == 0)
        return keep(enrolee->identity, value);
    if (strcmp(name, "KpmId") == 0)
        return keep(enrolee->kpm_id, value);
    if (strcmp(name, "Kpm") == 0)
        return hex_decode(value, enrolee->kpm, sizeof(enrolee->kpm), &enrolee->kpm_length) == 0;
    if (strcmp(name, "Certificate") == 0)
        return keep(enrolee->certificate, value);
    if (strcmp(name, "Target") == 0)
        return keep(enrolee->target, value);
    if (strcmp(name, "Token") == 0) {
        enrolee->token_state = MEF_TOKEN_WAITING;
        return keep(enrolee->token, value);
    }
    return 0;
}

int mef_enrolees_load(struct mef *mef, const char *path) {
    struct loader loader = {.mef = mef};
    int line = ini_parse(path, handle_line, &loader);

    if (line == 0)
        return 0;
    if (line < 0)
        fprintf(stderr, "keystrap-lab mef: %s: %s\n", path, strerror(errno));
    else
        fprintf(stderr, "keystrap-lab mef: %s:%d: not understood\n", path, line);
    return -EINVAL;
}

/* --- Handshakes --------------------------------------------------------------------------------- */

static const struct mef_enrolee *by_key(const struct mef *mef, const char *kpm_id) {
    for (size_t i = 0; kpm_id && i < mef->enrolees_count; i++)
        if (mef->enrolees[i].kpm_length > 0 && strcmp(mef->enrolees[i].kpm_id, kpm_id) == 0)
            return &mef->enrolees[i];
    return NULL;
}

static const struct mef_enrolee *by_certificate(const struct mef *mef, const uint8_t *der,
                                                size_t length, bool trusted) {
    for (size_t i = 0; i < mef->enrolees_count; i++) {
        const struct mef_enrolee *enrolee = &mef->enrolees[i];
        const char *name = enrolee->certificate[0] ? enrolee->certificate : enrolee->identity;

        if (mef_certificate_is(der, length, trusted, name) ||
            mef_certificate_is(der, length, trusted, enrolee->identity))
            return enrolee;
    }
    return NULL;
}

size_t mef_kpm(void *userdata, const char *kpm_id, uint8_t ret[MEF_KPM_MAX]) {
    const struct mef_enrolee *enrolee = by_key(userdata, kpm_id);

    if (!enrolee)
        return 0;
    memcpy(ret, enrolee->kpm, enrolee->kpm_length);
    return enrolee->kpm_length;
}

bool mef_admits(void *userdata, const uint8_t *der, size_t length, bool trusted) {
    return by_certificate(userdata, der, length, trusted) != NULL;
}

const struct mef_enrolee *mef_enrolee_of(const struct mef *mef, gnutls_session_t session) {
    unsigned status = 0, count = 0;
    const gnutls_datum_t *chain;

    if (gnutls_auth_get_type(session) == GNUTLS_CRD_PSK)
        return by_key(mef, gnutls_psk_server_get_username(session));
    chain = gnutls_certificate_get_peers(session, &count);
    if (!chain || count == 0 || gnutls_certificate_verify_peers2(session, &status) < 0)
        return NULL;
    return by_certificate(mef, chain[0].data, chain[0].size, status == 0);
}
