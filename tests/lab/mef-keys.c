/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Key registrations of the MEF (TS-0003 8.3.5.2.7 to 8.3.5.2.10): the source registers, the targets retrieve.
 */

#include "mef-scene.h"

#include <errno.h>
#include <string.h>

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>

#define CHANGED_TARGET "//elsewhere.example/cse"
#define CHANGED_ADMIN  "elsewhere.example"

/* The second digit of a SUID is the use; these are between two, who are to know each other. */
#define USE_MAF    1u
#define USE_ESPRIM 3u

/* --- Descriptions --------------------------------------------------------------------------------- */

static json_t *described_targets(const struct mef_scene *scene, const struct mef_key *key,
                                 bool changed) {
    if (changed || mef_fault_take(scene->mef, MEF_FAULT_TARGETS))
        return json_pack("[s]", CHANGED_TARGET);
    return json_deep_copy(key->targets);
}

static int describe(struct mef_scene *scene, const struct mef_key *key, bool with_value,
                    unsigned status, unsigned rsc) {
    bool changed = mef_fault_take(scene->mef, MEF_FAULT_CHANGED);
    json_t *object = json_pack("{s:s,s:s,s:s,s:i,s:o}", NAME_RELATIVE_KEY_ID, key->id,
                               NAME_SOURCE_CLIENT_ID, key->owner->identity, NAME_ADMIN_FQDN,
                               changed ? CHANGED_ADMIN : key->admin_fqdn, NAME_SUID, (int)key->suid,
                               NAME_TARGET_IDS, described_targets(scene, key, changed));
    int r = object ? mef_add_expiry(scene, object, key->expires) : -ENOMEM;

    if (r == 0 && key->labels)
        r = json_object_set(object, NAME_LABELS, key->labels) < 0 ? -ENOMEM : 0;
    if (r == 0 && with_value)
        r = mef_add_key(scene, object, NAME_KEY_VALUE, key->value);
    if (r < 0) {
        json_decref(object);
        return r;
    }
    return mef_answer(scene, status, rsc, json_pack("{s:o}", NAME_KEY_REG, object));
}

/* --- Registration ---------------------------------------------------------------------------------- */

/* RelativeKeyID is the exporter's where that is unused, and with a value that the client has made at random. */
static int choose_id(struct mef_scene *scene, bool by_exporter, char ret[MEF_RELATIVE_ID_SIZE]) {
    uint8_t octets[MEF_EXPORTER_LENGTH] = {0};

    if (by_exporter) {
        mef_relative_id(scene->exchange->exporter, ret);
        if (!mef_key_find(scene->mef, ret, strlen(ret)))
            return 0;
    }
    if (gnutls_rnd(GNUTLS_RND_NONCE, octets, MEF_RELATIVE_ID_LENGTH) < 0)
        return -EIO;
    mef_relative_id(octets, ret);
    return 0;
}

static const char *judge(const struct mef_scene *scene, const json_t *object) {
    long long suid = json_integer_value(json_object_get(object, NAME_SUID));
    size_t targets = json_array_size(json_object_get(object, NAME_TARGET_IDS));

    if (!mef_is_suid(suid))
        return "SUID is none of m2m:suid";
    if (suid % 10 >= USE_MAF && suid % 10 <= USE_ESPRIM && targets != 1)
        return "targetIDs has to be one target with this SUID";
    if (!mef_text(object, NAME_KEY_VALUE) && !scene->exchange->has_exporter)
        return "keyValue is missing, and the handshake without extended master secret gives none";
    return NULL;
}

static int keep(struct mef_scene *scene, const struct mef_reg *reg, const json_t *object,
                struct mef_key **ret) {
    const char *value = mef_text(object, NAME_KEY_VALUE);
    struct mef_key *key;
    char id[MEF_RELATIVE_ID_SIZE];
    int r = choose_id(scene, !value, id);

    if (r < 0)
        return r;
    key = mef_key_new(scene->mef);
    memcpy(key->id, id, sizeof(id));
    key->reg_serial = reg->serial;
    key->owner = scene->enrolee;
    strcpy(key->admin_fqdn, mef_text(object, NAME_ADMIN_FQDN));
    key->suid = (unsigned)json_integer_value(json_object_get(object, NAME_SUID));
    key->expires = mef_grant(scene, object);
    key->targets = json_deep_copy(json_object_get(object, NAME_TARGET_IDS));
    key->labels = json_deep_copy(json_object_get(object, NAME_LABELS));
    if (value)
        (void)mef_key_read(value, key->value);
    else
        memcpy(key->value, scene->exchange->exporter + MEF_RELATIVE_ID_LENGTH, MEF_KEY_LENGTH);
    if (!key->targets) {
        mef_key_drop(key);
        return -ENOMEM;
    }
    *ret = key;
    return 0;
}

int mef_register_key(struct mef_scene *scene, const struct mef_reg *reg) {
    static const struct mef_field fields[] = {
        {NAME_FQDN, MEF_KIND_TEXT, true},        {NAME_EXPIRES, MEF_KIND_TIME, true},
        {NAME_ADMIN_FQDN, MEF_KIND_TEXT, true},  {NAME_SUID, MEF_KIND_COUNT, true},
        {NAME_TARGET_IDS, MEF_KIND_TEXTS, true}, {NAME_KEY_VALUE, MEF_KIND_KEY, false},
        {NAME_LABELS, MEF_KIND_TEXTS, false},    {0},
    };
    const json_t *object = mef_fields(scene, NAME_KEY_REG, fields);
    const char *wrong = object ? judge(scene, object) : scene->wrong;
    struct mef_key *key;
    int r;

    if (wrong)
        return mef_refuse(scene, MEF_BAD_REQUEST, wrong);
    r = keep(scene, reg, object, &key);
    if (r < 0)
        return r;
    scene->mef->counts.keys++;
    return describe(scene, key, false, MEF_CREATED);
}

/* --- What is done with it --------------------------------------------------------------------------- */

static bool is_target(const struct mef_key *key, const char *identity) {
    for (size_t i = 0; i < json_array_size(key->targets); i++)
        if (strcmp(json_string_value(json_array_get(key->targets, i)), identity) == 0)
            return true;
    return false;
}

static int update(struct mef_scene *scene, struct mef_key *key) {
    static const struct mef_field fields[] = {
        {NAME_FQDN, MEF_KIND_TEXT, true},
        {NAME_EXPIRES, MEF_KIND_TIME, false},
        {NAME_TARGET_IDS, MEF_KIND_TEXTS, false},
        {0},
    };
    const json_t *object = mef_fields(scene, NAME_KEY_REG, fields);
    json_t *targets;

    if (!object)
        return mef_refuse(scene, MEF_BAD_REQUEST, scene->wrong);
    if (json_object_size(object) < 2)
        return mef_refuse(scene, MEF_BAD_REQUEST, "there is nothing to update");
    targets = json_deep_copy(json_object_get(object, NAME_TARGET_IDS));
    if (targets) {
        json_decref(key->targets);
        key->targets = targets;
    }
    if (mef_text(object, NAME_EXPIRES))
        key->expires = mef_grant(scene, object);
    scene->mef->counts.updates++;
    return describe(scene, key, false, MEF_UPDATED);
}

int mef_serve_key(struct mef_scene *scene, struct mef_key *key) {
    bool owner = key->owner == scene->enrolee;

    if (mef_asks(scene, "GET") && (owner || is_target(key, scene->enrolee->identity))) {
        scene->mef->counts.fetches++;
        return describe(scene, key, true, MEF_OK);
    }
    if (!owner)
        return mef_refuse(scene, MEF_NO_ACCESS, "the key is not for this client");
    if (mef_asks(scene, "PUT"))
        return update(scene, key);
    if (!mef_asks(scene, "DELETE"))
        return mef_refuse(scene, MEF_BAD_REQUEST, "a key has no such operation");
    mef_key_drop(key);
    scene->mef->counts.removals++;
    return mef_empty(scene, MEF_DELETED);
}
