/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The resources of the MEF, as docs/MEF.md has them: which one a path names, and client registrations.
 */

#include "mef-scene.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CHANGED_ADMIN "elsewhere.example"

/* The name and port that the client has asked, where they are ours: what is to be reached then is reached the same way. */
void mef_est_base(const struct mef_scene *scene, char *ret, size_t size) {
    const char *fqdn = scene->mef->fqdn, *authority = scene->exchange->authority;
    size_t length = strlen(fqdn);

    if (!authority || strncasecmp(authority, fqdn, length) != 0 ||
        (authority[length] != '\0' && authority[length] != ':'))
        authority = fqdn;
    (void)snprintf(ret, size, "https://%.*s/.well-known/est", (int)MEF_NAME_MAX, authority);
}

/* --- Client registrations ------------------------------------------------------------------------- */

struct mef_reg *mef_keep_ke(struct mef_scene *scene, int64_t expires) {
    struct mef_reg *reg = mef_reg_new(scene->mef);

    reg->enrolee = scene->enrolee;
    reg->expires = expires;
    mef_ke_id(scene->exchange->exporter, scene->mef->fqdn, reg->ke_id);
    memcpy(reg->ke, scene->exchange->exporter + MEF_RELATIVE_ID_LENGTH, MEF_KEY_LENGTH);
    scene->mef->counts.registrations++;
    return reg;
}

static int describe(struct mef_scene *scene, const struct mef_reg *reg, unsigned status,
                    unsigned rsc) {
    bool changed = mef_fault_take(scene->mef, MEF_FAULT_CHANGED);
    json_t *object = json_pack(
        "{s:s,s:s,s:s,s:s}", NAME_CLIENT_REG_ID, reg->id, NAME_CLIENT_ID, reg->enrolee->identity,
        NAME_ADMIN_FQDN, changed ? CHANGED_ADMIN : reg->admin_fqdn, NAME_CMD_REFERENCE, PATH_CMD);
    int r = object ? mef_add_expiry(scene, object, reg->expires) : -ENOMEM;

    if (r == 0 && reg->labels)
        r = json_object_set(object, NAME_LABELS, reg->labels) < 0 ? -ENOMEM : 0;
    if (r < 0) {
        json_decref(object);
        return r;
    }
    return mef_answer(scene, status, rsc, json_pack("{s:o}", NAME_CLIENT_REG, object));
}

static int register_client(struct mef_scene *scene) {
    static const struct mef_field fields[] = {
        {NAME_FQDN, MEF_KIND_TEXT, true},       {NAME_EXPIRES, MEF_KIND_TIME, true},
        {NAME_ADMIN_FQDN, MEF_KIND_TEXT, true}, {NAME_LABELS, MEF_KIND_TEXTS, false},
        {NAME_TOKEN, MEF_KIND_TEXT, false},     {0},
    };
    const json_t *object = mef_fields(scene, NAME_CLIENT_REG, fields);
    struct mef_reg *reg;
    const char *wrong;

    if (!object)
        return mef_refuse(scene, MEF_BAD_REQUEST, scene->wrong);
    if (!scene->exchange->has_exporter)
        return mef_refuse(scene, MEF_BAD_REQUEST, "a handshake without extended master secret");
    wrong = mef_token_present(scene->mef, scene->enrolee, mef_text(object, NAME_TOKEN));
    if (wrong)
        return mef_refuse(scene, MEF_TOKEN_REFUSED, wrong);
    reg = mef_keep_ke(scene, mef_grant(scene, object));
    strcpy(reg->admin_fqdn, mef_text(object, NAME_ADMIN_FQDN));
    reg->labels = json_deep_copy(json_object_get(object, NAME_LABELS));
    return describe(scene, reg, MEF_CREATED);
}

static int update(struct mef_scene *scene, struct mef_reg *reg) {
    static const struct mef_field fields[] = {
        {NAME_FQDN, MEF_KIND_TEXT, true},
        {NAME_EXPIRES, MEF_KIND_TIME, false},
        {NAME_LABELS, MEF_KIND_TEXTS, false},
        {0},
    };
    const json_t *object = mef_fields(scene, NAME_CLIENT_REG, fields);
    json_t *labels;

    if (!object)
        return mef_refuse(scene, MEF_BAD_REQUEST, scene->wrong);
    if (json_object_size(object) < 2)
        return mef_refuse(scene, MEF_BAD_REQUEST, "there is nothing to update");
    labels = json_deep_copy(json_object_get(object, NAME_LABELS));
    if (labels) {
        json_decref(reg->labels);
        reg->labels = labels;
    }
    if (mef_text(object, NAME_EXPIRES))
        reg->expires = mef_grant(scene, object);
    scene->mef->counts.updates++;
    return describe(scene, reg, MEF_UPDATED);
}

static int show_configuration(struct mef_scene *scene, const struct mef_reg *reg) {
    char est[MEF_NAME_MAX + 64];
    json_t *object;
    int r;

    mef_est_base(scene, est, sizeof(est));
    object = json_pack("{s:s,s:s,s:s}", NAME_FQDN, scene->mef->fqdn, NAME_ADMIN_FQDN,
                       reg->admin_fqdn, NAME_EST_BASE, est);
    r = object ? mef_add_expiry(scene, object, reg->expires) : -ENOMEM;
    if (r == 0 && scene->mef->https_port > 0)
        r = json_object_set_new(object, NAME_HTTP_PORT, json_integer(scene->mef->https_port));
    if (r == 0 && scene->mef->coaps_port > 0)
        r = json_object_set_new(object, NAME_COAP_PORT, json_integer(scene->mef->coaps_port));
    if (r < 0) {
        json_decref(object);
        return -ENOMEM;
    }
    return mef_answer(scene, MEF_OK, json_pack("{s:o}", NAME_CLIENT_CFG, object));
}

/* --- Which it is ---------------------------------------------------------------------------------- */

static int serve_reg(struct mef_scene *scene, struct mef_reg *reg) {
    if (mef_asks(scene, "PUT"))
        return update(scene, reg);
    if (mef_asks(scene, "POST") && scene->exchange->type == MEF_TYPE_KEY_REG)
        return mef_register_key(scene, reg);
    if (!mef_asks(scene, "DELETE"))
        return mef_refuse(scene, MEF_BAD_REQUEST, "a registration has no such operation");
    mef_reg_drop(scene->mef, reg);
    scene->mef->counts.removals++;
    return mef_empty(scene, MEF_DELETED);
}

static int serve_below_reg(struct mef_scene *scene, const struct mef_reg *reg, const char *name) {
    bool command = strcmp(name, PATH_CMD) == 0;

    if (strcmp(name, PATH_CFG) == 0 && mef_asks(scene, "GET"))
        return show_configuration(scene, reg);
    if (command && mef_asks(scene, "GET"))
        return mef_show_command(scene);
    if (command && mef_asks(scene, "PUT"))
        return mef_take_result(scene, reg);
    return mef_refuse(scene, MEF_NOT_FOUND, "a registration has nothing of that name");
}

static int serve_root(struct mef_scene *scene) {
    if (!mef_asks(scene, "POST") || scene->exchange->type != MEF_TYPE_CLIENT_REG)
        return mef_refuse(scene, MEF_BAD_REQUEST, "here clients register");
    return register_client(scene);
}

static int serve_named(struct mef_scene *scene, const char *name) {
    size_t length = strcspn(name, "/");
    struct mef_reg *reg = mef_reg_find(scene->mef, name, length);
    struct mef_key *key;

    if (reg && reg->enrolee != scene->enrolee)
        return mef_refuse(scene, MEF_NO_ACCESS, "the registration is somebody else's");
    if (reg && name[length] == '\0')
        return serve_reg(scene, reg);
    if (reg)
        return serve_below_reg(scene, reg, name + length + 1);
    key = mef_key_find(scene->mef, name, strlen(name));
    return key ? mef_serve_key(scene, key)
               : mef_refuse(scene, MEF_NOT_FOUND, "there is nothing of that name");
}

/* What is below mef->path, "" or "/..."; NULL where a path is elsewhere. */
static const char *below(const struct mef *mef, const char *path) {
    size_t length = strlen(mef->path);

    if (strncmp(path, mef->path, length) != 0 || (path[length] != '\0' && path[length] != '/'))
        return NULL;
    return path + length;
}

static int serve(struct mef_scene *scene) {
    const char *path = scene->exchange->path, *rest = below(scene->mef, path);

    if (strncmp(path, PATH_FETCH, strlen(PATH_FETCH)) == 0)
        return mef_fetch(scene, path + strlen(PATH_FETCH));
    if (!rest)
        return mef_refuse(scene, MEF_NOT_FOUND, "the MEF is at another path");
    if (rest[0] == '\0' || strcmp(rest, "/") == 0)
        return serve_root(scene);
    if (strcmp(rest, PATH_INDICATION) == 0 && mef_asks(scene, "POST"))
        return mef_indicate(scene);
    return serve_named(scene, rest + 1);
}

int mef_resources(struct mef *mef, struct mef_exchange *exchange) {
    struct mef_scene scene = {
        .mef = mef,
        .exchange = exchange,
        .enrolee = &mef->enrolees[exchange->enrolee - mef->enrolees],
    };
    int r;

    if (exchange->body_length > 0)
        scene.body = json_loadb((const char *)exchange->body, exchange->body_length,
                                JSON_REJECT_DUPLICATES, NULL);
    r = serve(&scene);
    json_decref(scene.body);
    return r;
}
