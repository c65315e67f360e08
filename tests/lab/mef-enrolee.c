/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whom the MEF knows, and how it knows them again after a handshake.
 */

#include "lab-mef.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <ini.h>

#include "hex.h"
#include "mef-name.h"

#define LIFETIME_MAX_SEC (INT64_C(10) * 366 * 86400)

/* --- The file ------------------------------------------------------------------------------------ */

struct loader {
    struct mef *mef;
    char section[MEF_NAME_MAX + 1];
};

static bool keep(char ret[MEF_NAME_MAX + 1], const char *value) {
    if (strlen(value) > MEF_NAME_MAX)
        return false;
    (void)snprintf(ret, MEF_NAME_MAX + 1, "%s", value);
    return true;
}

/* "[NAME]" and "[Enrolee NAME]" are the same. */
static struct mef_enrolee *enrolee_of_section(struct loader *loader, const char *section) {
    static const char kind[] = "Enrolee ";
    struct mef *mef = loader->mef;
    struct mef_enrolee *enrolee;

    if (mef->enrolees_count > 0 && strcmp(section, loader->section) == 0)
        return &mef->enrolees[mef->enrolees_count - 1];
    if (mef->enrolees_count == MEF_ENROLEES_MAX || !keep(loader->section, section))
        return NULL;
    if (strncmp(section, kind, strlen(kind)) == 0)
        section += strlen(kind);
    enrolee = &mef->enrolees[mef->enrolees_count++];
    enrolee->token_required = true;
    (void)keep(enrolee->identity, section);
    return enrolee;
}

/* Each word of a line that has several; false where one is not understood. */
static bool for_each_word(struct mef_enrolee *enrolee, const char *value,
                          bool (*take)(struct mef_enrolee *enrolee, const char *word)) {
    char *words = strdup(value), *rest = NULL;
    bool good = words != NULL;

    for (char *word = good ? strtok_r(words, " \t", &rest) : NULL; word && good;
         word = strtok_r(NULL, " \t", &rest))
        good = take(enrolee, word);
    free(words);
    return good;
}

static bool add_target(struct mef_enrolee *enrolee, const char *word) {
    return enrolee->targets_count < MEF_TARGETS_MAX &&
           keep(enrolee->targets[enrolee->targets_count++], word);
}

static bool add_command(struct mef_enrolee *enrolee, const char *word) {
    return mef_command_parse(&enrolee->commands, word);
}

static bool read_seconds(const char *value, int64_t *ret) {
    char *end;
    long long seconds;

    errno = 0;
    seconds = strtoll(value, &end, 10);
    *ret = seconds;
    return errno == 0 && end != value && *end == '\0' && seconds > 0 && seconds <= LIFETIME_MAX_SEC;
}

static bool read_token(struct mef_enrolee *enrolee, const char *value) {
    enrolee->token_state = MEF_TOKEN_WAITING;
    return value[0] != '\0' && keep(enrolee->token, value);
}

static bool read_switch(const char *value, bool *ret) {
    *ret = strcmp(value, "yes") == 0;
    return *ret || strcmp(value, "no") == 0;
}

static bool take_line(struct mef_enrolee *enrolee, const char *name, const char *value) {
    if (strcmp(name, "Identity") == 0)
        return keep(enrolee->identity, value);
    if (strcmp(name, "KpmId") == 0)
        return keep(enrolee->kpm_id, value);
    if (strcmp(name, "Kpm") == 0)
        return hex_decode(value, enrolee->kpm, sizeof(enrolee->kpm), &enrolee->kpm_length) == 0;
    if (strcmp(name, "Certificate") == 0 || strcmp(name, "CertName") == 0)
        return keep(enrolee->certificate, value);
    if (strcmp(name, "Target") == 0 || strcmp(name, "Targets") == 0)
        return for_each_word(enrolee, value, add_target);
    if (strcmp(name, "Token") == 0)
        return read_token(enrolee, value);
    if (strcmp(name, "TokenRequired") == 0)
        return read_switch(value, &enrolee->token_required);
    if (strcmp(name, "Lifetime") == 0)
        return read_seconds(value, &enrolee->lifetime_sec);
    if (strcmp(name, "Commands") == 0)
        return for_each_word(enrolee, value, add_command);
    return false;
}

static int handle_line(void *userdata, const char *section, const char *name, const char *value) {
    struct mef_enrolee *enrolee = enrolee_of_section(userdata, section);

    return enrolee && take_line(enrolee, name, value);
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
    struct mef *mef = userdata;

    if (!enrolee) {
        __atomic_add_fetch(&mef->unknown, 1, __ATOMIC_RELAXED);
        return 0;
    }
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
