/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The older exchange with the MEF (TS-0003 8.3.2.1): indications of what an enrolee wants, and credentials that its enrolment
 * target fetches.
 */

#include "mef-scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- Indications ------------------------------------------------------------------------------------ */

static bool wants(const json_t *object, const char *name) {
    return json_is_true(json_object_get(object, name));
}

static int add_instruction(json_t *list, const char *type, const char *uri) {
    return json_array_append_new(
        list, json_pack("{s:s,s:s}", NAME_INSTRUCTION_TYPE, type, NAME_URI, uri));
}

/* One for each thing that is wanted. */
static json_t *instructions_for(const struct mef_scene *scene, const json_t *object) {
    const struct mef_enrolee *enrolee = scene->enrolee;
    char uri[MEF_NAME_MAX + 64];
    json_t *list = json_array();
    int r = 0;

    if (wants(object, NAME_CERTIFICATE_WANTED)) {
        mef_est_base(scene, uri, sizeof(uri));
        r |= add_instruction(list, "certificate-enrolment", uri);
    }
    if (wants(object, NAME_MAF_WANTED)) {
        (void)snprintf(uri, sizeof(uri), "https://%s/",
                       enrolee->targets_count > 0 ? enrolee->targets[0] : scene->mef->fqdn);
        r |= add_instruction(list, "maf", uri);
    }
    if (wants(object, NAME_MANAGEMENT_WANTED)) {
        (void)snprintf(uri, sizeof(uri), "https://%s/device-management", scene->mef->fqdn);
        r |= add_instruction(list, "remote-management", uri);
    }
    if (r == 0)
        return list;
    json_decref(list);
    return NULL;
}

int mef_indicate(struct mef_scene *scene) {
    static const struct mef_field fields[] = {
        {NAME_CERTIFICATE_WANTED, MEF_KIND_BOOL, true},
        {NAME_MAF_WANTED, MEF_KIND_BOOL, true},
        {NAME_MANAGEMENT_WANTED, MEF_KIND_BOOL, true},
        {NAME_TOKEN, MEF_KIND_TEXT, false},
        {0},
    };
    const json_t *object = mef_fields(scene, NAME_INDICATION, fields);
    const struct mef_reg *reg;
    const char *wrong;
    json_t *answer;

    if (!object)
        return mef_refuse(scene, MEF_BAD_REQUEST, scene->wrong);
    if (!scene->exchange->has_exporter)
        return mef_refuse(scene, MEF_BAD_REQUEST, "a handshake without extended master secret");
    wrong = mef_token_present(scene->mef, scene->enrolee, mef_text(object, NAME_TOKEN));
    if (wrong)
        return mef_refuse(scene, MEF_TOKEN_REFUSED, wrong);
    reg = mef_keep_ke(scene, mef_grant(scene, NULL));
    answer = json_pack("{s:o}", NAME_INSTRUCTIONS, instructions_for(scene, object));
    if (!answer || mef_add_expiry(scene, answer, reg->expires) < 0) {
        json_decref(answer);
        return -ENOMEM;
    }
    return mef_answer(scene, MEF_OK, json_pack("{s:o}", NAME_INSTRUCTION, answer));
}

/* --- Credentials ------------------------------------------------------------------------------------- */

static bool is_target(const struct mef_enrolee *enrolee, const char *identity) {
    for (size_t i = 0; i < enrolee->targets_count; i++)
        if (strcmp(enrolee->targets[i], identity) == 0)
            return true;
    return false;
}

static int fail(struct mef_scene *scene, const char *words) {
    return mef_answer(scene, MEF_OK,
                      json_pack("{s:b,s:s}", NAME_STATUS, 0, NAME_ERROR_STRING, words));
}

/* KEID/SUID; -1 where it is no SUID of a key that comes of remote provisioning (TS-0004 6.3.4.2.39). */
static long suid_of(const char *slash) {
    char *end;
    long suid = slash ? strtol(slash + 1, &end, 10) : -1;

    return slash && end != slash + 1 && *end == '\0' && suid / 10 == 2 && mef_is_suid(suid) ? suid
                                                                                            : -1;
}

int mef_fetch(struct mef_scene *scene, const char *what) {
    const char *slash = strchr(what, '/'), *target = scene->enrolee->identity;
    const struct mef_reg *reg =
        slash ? mef_reg_of_ke(scene->mef, what, (size_t)(slash - what)) : NULL;
    long suid = suid_of(slash);
    uint8_t key[MEF_KEY_LENGTH];
    json_t *answer;
    int r;

    if (!mef_asks(scene, "GET"))
        return mef_refuse(scene, MEF_BAD_REQUEST, "credentials are fetched");
    scene->mef->counts.fetches++;
    if (!reg)
        return fail(scene, "there is no such KeId");
    if (!is_target(reg->enrolee, target))
        return fail(scene, "this KeId is not for this target");
    if (suid < 0)
        return fail(scene, "there is no such SUID");
    mef_usage_key(reg->ke, (unsigned)suid, target, key);
    answer = json_pack("{s:b,s:s,s:I}", NAME_STATUS, 1, NAME_ENROLEE_ID, reg->enrolee->identity,
                       NAME_LIFETIME, (json_int_t)(reg->expires - time(NULL)));
    r = answer ? mef_add_key(scene, answer, NAME_CREDENTIAL, key) : -ENOMEM;
    memset(key, 0, sizeof(key));
    if (r < 0) {
        json_decref(answer);
        return r;
    }
    return mef_answer(scene, MEF_OK, answer);
}
