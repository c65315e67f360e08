/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The resources of the MEF, as docs/MEF.md has them.
 */

#include "lab-mef.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <gnutls/gnutls.h>

#define TYPE_CLIENT 40001
#define TYPE_KEY    40002

struct scene {
    struct mef *mef;
    struct mef_exchange *exchange;
    struct mef_enrolee *enrolee;
    json_t *body;      /* of the request, or NULL */
    const bool *shown; /* of each fault */
};

/* --- Words --------------------------------------------------------------------------------------------- */

static void timestamp(int64_t when, char ret[16]) {
    time_t time = when;
    struct tm tm;

    (void)gmtime_r(&time, &tm);
    (void)strftime(ret, 16, "%Y%m%dT%H%M%S", &tm);
}

static int64_t read_timestamp(const char *text) {
    struct tm tm = {0};

    if (!text || !strptime(text, "%Y%m%dT%H%M%S", &tm))
        return 0;
    return timegm(&tm);
}

static void answer(struct scene *scene, unsigned status, unsigned rsc, json_t *body) {
    scene->exchange->status = status;
    scene->exchange->rsc = rsc;
    free(scene->exchange->answer);
    scene->exchange->answer = body ? json_dumps(body, JSON_COMPACT) : NULL;
    json_decref(body);
}

static void refuse(struct scene *scene, unsigned status, unsigned rsc, const char *words) {
    answer(scene, status, rsc, json_pack("{s:s}", "error", words));
}

static json_t *inner(const struct scene *scene, const char *name) {
    json_t *value = json_object_get(scene->body, name);

    return json_is_object(value) ? value : NULL;
}

static const char *text_of(const json_t *object, const char *name) {
    return json_string_value(json_object_get(object, name));
}

static char *encode(const uint8_t *octets, size_t length) {
    const gnutls_datum_t plain = {(unsigned char *)(uintptr_t)octets, (unsigned)length};
    gnutls_datum_t base64 = {NULL, 0};
    char *text;

    if (gnutls_base64_encode2(&plain, &base64) < 0)
        return NULL;
    text = strndup((const char *)base64.data, base64.size);
    gnutls_free(base64.data);
    return text;
}

static bool decode(const char *text, uint8_t ret[MEF_KEY_LENGTH]) {
    const gnutls_datum_t base64 = {(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
    gnutls_datum_t plain = {NULL, 0};
    bool ok = gnutls_base64_decode2(&base64, &plain) == 0 && plain.size == MEF_KEY_LENGTH;

    if (ok)
        memcpy(ret, plain.data, MEF_KEY_LENGTH);
    gnutls_free(plain.data);
    return ok;
}

/* --- The token ------------------------------------------------------------------------------------------- */

/* Taken once, from the enrolee that it was made for; who had it taken goes on without. */
static bool take_token(struct scene *scene, const json_t *object) {
    struct mef_enrolee *enrolee = scene->enrolee;
    const char *token = text_of(object, "enrolmentToken");
    const char *wrong = NULL;

    if (!token && enrolee->token_state != MEF_TOKEN_WAITING)
        return true;
    if (token)
        scene->mef->counts.tokens++;
    if (!token)
        wrong = "enrolmentToken: this enrolee has to present one";
    else if (enrolee->token_state == MEF_TOKEN_TAKEN)
        wrong = "enrolmentToken: used already";
    else if (enrolee->token_state == MEF_TOKEN_NONE || strcmp(token, enrolee->token) != 0)
        wrong = "enrolmentToken: not one of this enrolee's";
    if (wrong) {
        scene->mef->counts.token_refusals += token != NULL;
        refuse(scene, 403, 4107, wrong);
        return false;
    }
    enrolee->token_state = MEF_TOKEN_TAKEN;
    return true;
}

/* --- Registrations --------------------------------------------------------------------------------------- */

static struct mef_reg *find_reg(struct scene *scene, const char *id, size_t length) {
    for (size_t i = 0; i < MEF_REGS_MAX; i++) {
        struct mef_reg *reg = &scene->mef->regs[i];

        if (reg->used && reg->enrolee == scene->enrolee && strlen(reg->id) == length &&
            strncmp(reg->id, id, length) == 0)
            return reg;
    }
    return NULL;
}

static struct mef_reg *new_reg(struct scene *scene) {
    struct mef *mef = scene->mef;
    struct mef_reg *reg = &mef->regs[mef->next_id % MEF_REGS_MAX];

    *reg = (struct mef_reg){.used = true, .enrolee = scene->enrolee};
    (void)snprintf(reg->id, sizeof(reg->id), "reg-%06u", mef->next_id++);
    mef_ke_id(scene->exchange->exporter, mef->fqdn, reg->ke_id);
    memcpy(reg->ke, scene->exchange->exporter + 16, MEF_KEY_LENGTH);
    mef->counts.registrations++;
    return reg;
}

static int64_t grant(const struct scene *scene, const json_t *object) {
    int64_t now = time(NULL), wish = read_timestamp(text_of(object, "expirationTime"));
    int64_t most = now + scene->mef->lifetime_sec;

    if (scene->shown[MEF_FAULT_EXPIRED])
        return now - 60;
    return wish > now && wish < most ? wish : most;
}

static json_t *describe_reg(const struct scene *scene, const struct mef_reg *reg) {
    const char *admin = scene->shown[MEF_FAULT_CHANGED] ? "other.example.com" : scene->mef->fqdn;
    char expires[16];

    timestamp(reg->expires, expires);
    return json_pack("{s:{s:s,s:s,s:s,s:s,s:s}}", "sec:mefClientReg", "clientRegID", reg->id,
                     "clientID", scene->enrolee->identity, "expirationTime", expires, "adminFQDN",
                     admin, "mefClientCmd", "cmd");
}

static void register_client(struct scene *scene) {
    json_t *object = inner(scene, "sec:mefClientReg");
    struct mef_reg *reg;

    if (!object || !text_of(object, "fqdn") || !text_of(object, "adminFQDN") ||
        read_timestamp(text_of(object, "expirationTime")) == 0) {
        refuse(scene, 400, 4000, "fqdn, expirationTime and adminFQDN are mandatory");
        return;
    }
    if (strcmp(text_of(object, "fqdn"), scene->mef->fqdn) != 0) {
        refuse(scene, 400, 4000, "another MEF's fqdn");
        return;
    }
    if (!scene->exchange->has_exporter) {
        refuse(scene, 400, 4000, "no extended master secret, so no exporter");
        return;
    }
    if (!take_token(scene, object))
        return;
    reg = new_reg(scene);
    reg->expires = grant(scene, object);
    answer(scene, 201, 2001, describe_reg(scene, reg));
}

static void indicate(struct scene *scene) {
    json_t *object = inner(scene, "sec:enrolmentIndication");
    char expires[16], uri[MEF_NAME_MAX + 16];
    struct mef_reg *reg;

    if (!object || !json_is_boolean(json_object_get(object, "mafEnrolmentIndication"))) {
        refuse(scene, 400, 4000, "no indications");
        return;
    }
    if (!scene->exchange->has_exporter || !take_token(scene, object))
        return;
    reg = new_reg(scene);
    reg->expires = grant(scene, object);
    timestamp(reg->expires, expires);
    (void)snprintf(uri, sizeof(uri), "https://%s/", scene->enrolee->target);
    answer(scene, 200, 2000,
           json_pack("{s:{s:[{s:s,s:s}],s:s}}", "sec:enrolmentInstruction", "instructions",
                     "instructionType", "maf", "URI", uri, "expirationTime", expires));
}

static void update_reg(struct scene *scene, struct mef_reg *reg) {
    json_t *object = inner(scene, "sec:mefClientReg");

    if (!object || !text_of(object, "expirationTime")) {
        refuse(scene, 400, 4000, "nothing to update");
        return;
    }
    reg->expires = grant(scene, object);
    answer(scene, 200, 2004, describe_reg(scene, reg));
}

static void configuration(struct scene *scene) {
    char est[200];

    (void)snprintf(est, sizeof(est), "https://%s/.well-known/est", scene->mef->fqdn);
    answer(scene, 200, 2000,
           json_pack("{s:{s:s,s:s,s:s}}", "sec:mefClientCfg", "fqdn", scene->mef->fqdn, "adminFQDN",
                     scene->mef->fqdn, "estBaseURI", est));
}

/* --- Commands -------------------------------------------------------------------------------------------- */

static json_t *arguments_of(const struct scene *scene, unsigned class) {
    char uri[200];

    (void)snprintf(uri, sizeof(uri), "https://%s/.well-known/est", scene->mef->fqdn);
    switch (class) {
    case 0:
        return json_pack("{s:{s:s}}", "noMoreCmdArgs", "retryDuration", "PT1H");
    case 1:
        return json_pack("{s:{s:i,s:s,s:i,s:s}}", "certProvCmdArgs", "certProvProtocolID", 1, "URI",
                         uri, "certSubjectType", 3, "certSubjectID", scene->enrolee->identity);
    case 2:
        (void)snprintf(uri, sizeof(uri), "1:https://%s/dm", scene->mef->fqdn);
        return json_pack("{s:{s:s}}", "devCfgCmdArgs", "deviceConfigURI", uri);
    case 3:
        return json_pack("{s:{s:s,s:i,s:{s:i}}}", "MONodeCmdArgs", "objectPath", "./profile",
                         "objectTypeID", 1, "objectTypeSpecificArgs", "SUID", 21);
    default: /* 91: a CERT_PROV with somebody else's address; others are unknown */
        if (class == 91)
            return json_pack("{s:{s:i,s:s,s:i,s:s}}", "certProvCmdArgs", "certProvProtocolID", 1,
                             "URI", "https://evil.example.com/est", "certSubjectType", 3,
                             "certSubjectID", scene->enrolee->identity);
        return json_object();
    }
}

static void show_command(struct scene *scene, unsigned rsc) {
    struct mef_enrolee *enrolee = scene->enrolee;
    bool more = enrolee->commands_next < enrolee->commands_count;
    unsigned class = more ? enrolee->commands[enrolee->commands_next] : 0;
    char id[32];

    (void)snprintf(id, sizeof(id), "cmd-%zu", more ? enrolee->commands_next : (size_t)99);
    answer(scene, 200, rsc,
           json_pack("{s:{s:s,s:i,s:{s:i,s:o}}}", "sec:mefClientCmd", "cmdID", id, "cmdStatusCode",
                     10, "cmdDescription", "cmdClassID", class == 91 ? 1 : (int)class, "cmdArgs",
                     arguments_of(scene, class)));
}

static void answer_command(struct scene *scene) {
    json_t *object = inner(scene, "sec:mefClientCmd");

    if (!object || !json_is_integer(json_object_get(object, "cmdStatusCode"))) {
        refuse(scene, 400, 4000, "no cmdStatusCode");
        return;
    }
    scene->enrolee->last_status =
        (unsigned)json_integer_value(json_object_get(object, "cmdStatusCode"));
    scene->enrolee->commands_next++;
    show_command(scene, 2004);
}

/* --- Keys ------------------------------------------------------------------------------------------------- */

static struct mef_key *find_key(struct scene *scene, const char *id) {
    for (size_t i = 0; i < MEF_KEYS_MAX; i++)
        if (scene->mef->keys[i].used && strcasecmp(scene->mef->keys[i].id, id) == 0)
            return &scene->mef->keys[i];
    return NULL;
}

static void join_targets(const json_t *list, char *ret, size_t size) {
    size_t length = 0, i;
    json_t *target;

    ret[0] = '\0';
    json_array_foreach((json_t *)(uintptr_t)list, i, target) {
        int n = snprintf(ret + length, size - length, "%s%s", i > 0 ? " " : "",
                         json_string_value(target) ? json_string_value(target) : "");

        if (n > 0 && length + (size_t)n < size)
            length += (size_t)n;
    }
}

static bool is_target(const struct mef_key *key, const char *identity) {
    const char *at = strstr(key->targets, identity);
    size_t length = strlen(identity);

    return at && (at == key->targets || at[-1] == ' ') && (at[length] == '\0' || at[length] == ' ');
}

static json_t *describe_key(const struct scene *scene, const struct mef_key *key, bool with_key) {
    json_t *list = json_array(), *object;
    char targets[MEF_NAME_MAX + 1], expires[16], *state = NULL, *value;

    (void)snprintf(targets, sizeof(targets), "%s",
                   scene->shown[MEF_FAULT_CHANGED] ? "//other.example/cse" : key->targets);
    for (char *word = strtok_r(targets, " ", &state); word; word = strtok_r(NULL, " ", &state))
        (void)json_array_append_new(list, json_string(word));
    timestamp(scene->shown[MEF_FAULT_EXPIRED] ? time(NULL) - 60 : key->expires, expires);
    object = json_pack("{s:s,s:s,s:s,s:s,s:i,s:o}", "relativeKeyID", key->id, "expirationTime",
                       expires, "sourceClientID", key->owner->identity, "adminFQDN",
                       scene->mef->fqdn, "SUID", (int)key->suid, "targetIDs", list);
    value = with_key ? encode(key->key, MEF_KEY_LENGTH) : NULL;
    if (value)
        (void)json_object_set_new(object, "keyValue", json_string(value));
    free(value);
    return json_pack("{s:o}", "sec:symmKeyReg", object);
}

static void register_key(struct scene *scene) {
    json_t *object = inner(scene, "sec:symmKeyReg");
    const char *value = text_of(object, "keyValue");
    struct mef_key *key = &scene->mef->keys[scene->mef->next_id % MEF_KEYS_MAX];
    uint8_t octets[MEF_KEY_LENGTH];

    if (!object || !json_is_integer(json_object_get(object, "SUID")) ||
        json_array_size(json_object_get(object, "targetIDs")) == 0) {
        refuse(scene, 400, 4000, "SUID and targetIDs are mandatory");
        return;
    }
    if (value ? !decode(value, octets) : !scene->exchange->has_exporter) {
        refuse(scene, 400, 4000, "no key value");
        return;
    }
    if (!value)
        memcpy(octets, scene->exchange->exporter + 16, sizeof(octets));
    *key = (struct mef_key){.used = true, .owner = scene->enrolee};
    (void)snprintf(key->id, sizeof(key->id), "key-%06u", scene->mef->next_id++);
    key->suid = (unsigned)json_integer_value(json_object_get(object, "SUID"));
    join_targets(json_object_get(object, "targetIDs"), key->targets, sizeof(key->targets));
    memcpy(key->key, octets, sizeof(octets));
    key->expires = grant(scene, object);
    answer(scene, 201, 2001, describe_key(scene, key, false));
}

static void update_key(struct scene *scene, struct mef_key *key) {
    json_t *object = inner(scene, "sec:symmKeyReg");
    json_t *targets = json_object_get(object, "targetIDs");

    if (text_of(object, "expirationTime"))
        key->expires = grant(scene, object);
    if (json_array_size(targets) > 0)
        join_targets(targets, key->targets, sizeof(key->targets));
    answer(scene, 200, 2004, describe_key(scene, key, false));
}

static void serve_key(struct scene *scene, struct mef_key *key) {
    const char *method = scene->exchange->method;
    bool owner = key->owner == scene->enrolee;

    if (strcmp(method, "GET") == 0 && (owner || is_target(key, scene->enrolee->identity))) {
        scene->mef->counts.fetches++;
        answer(scene, 200, 2000, describe_key(scene, key, true));
    } else if (strcmp(method, "PUT") == 0 && owner) {
        update_key(scene, key);
    } else if (strcmp(method, "DELETE") == 0 && owner) {
        key->used = false;
        answer(scene, 200, 2002, NULL);
    } else {
        refuse(scene, 403, 4103, "neither owner nor target of that key");
    }
}

/* --- The older fetch -------------------------------------------------------------------------------------- */

static struct mef_reg *reg_of_ke_id(struct mef *mef, const char *ke_id, size_t length) {
    for (size_t i = 0; i < MEF_REGS_MAX; i++)
        if (mef->regs[i].used && strlen(mef->regs[i].ke_id) == length &&
            strncasecmp(mef->regs[i].ke_id, ke_id, length) == 0)
            return &mef->regs[i];
    return NULL;
}

static void fetch_credentials(struct scene *scene, const char *what) {
    const char *slash = strchr(what, '/');
    struct mef_reg *reg = slash ? reg_of_ke_id(scene->mef, what, (size_t)(slash - what)) : NULL;
    uint8_t key[MEF_KEY_LENGTH];
    char *value;

    scene->mef->counts.fetches++;
    if (!reg || strcmp(reg->enrolee->target, scene->exchange->from) != 0 ||
        strcmp(scene->enrolee->identity, scene->exchange->from) != 0) {
        answer(scene, 200, 2000,
               json_pack("{s:b,s:s}", "Status", 0, "ErrorString", "no such KeId for this target"));
        return;
    }
    mef_usage_key(reg->ke, (unsigned)strtoul(slash + 1, NULL, 10), reg->enrolee->target, key);
    value = encode(key, sizeof(key));
    answer(scene, 200, 2000,
           json_pack("{s:b,s:s,s:s,s:i}", "Status", 1, "Credential", value ? value : "",
                     "EnroleeID", reg->enrolee->identity, "Lifetime",
                     (int)(reg->expires - time(NULL))));
    free(value);
}

/* --- All of it ---------------------------------------------------------------------------------------------- */

static bool is(const struct scene *scene, const char *method) {
    return strcmp(scene->exchange->method, method) == 0;
}

static void serve_reg(struct scene *scene, struct mef_reg *reg, const char *rest) {
    if (rest[0] == '\0' && is(scene, "POST") && scene->exchange->type == TYPE_KEY)
        register_key(scene);
    else if (rest[0] == '\0' && is(scene, "PUT"))
        update_reg(scene, reg);
    else if (rest[0] == '\0' && is(scene, "DELETE")) {
        reg->used = false;
        answer(scene, 200, 2002, NULL);
    } else if (strcmp(rest, "/mefClientCfg") == 0 && is(scene, "GET"))
        configuration(scene);
    else if (strcmp(rest, "/cmd") == 0 && is(scene, "GET"))
        show_command(scene, 2000);
    else if (strcmp(rest, "/cmd") == 0 && is(scene, "PUT"))
        answer_command(scene);
    else
        refuse(scene, 404, 4004, "nothing of that name");
}

static void route(struct scene *scene) {
    const char *path = scene->exchange->path + 1;
    size_t length = strcspn(path, "/");
    struct mef_reg *reg = find_reg(scene, path, length);
    struct mef_key *key = find_key(scene, path);

    if (path[0] == '\0' && is(scene, "POST") && scene->exchange->type == TYPE_CLIENT)
        register_client(scene);
    else if (strcmp(path, "enrolmentIndication") == 0 && is(scene, "POST"))
        indicate(scene);
    else if (strncmp(path, "fetchCredentials/", 17) == 0 && is(scene, "GET"))
        fetch_credentials(scene, path + 17);
    else if (reg)
        serve_reg(scene, reg, path + length);
    else if (key)
        serve_key(scene, key);
    else
        refuse(scene, 404, 4004, "nothing of that name");
}

/* What is done to an answer. */
static void disturb(struct scene *scene) {
    struct mef_exchange *exchange = scene->exchange;

    exchange->other_type = scene->shown[MEF_FAULT_TYPE];
    exchange->other_number = scene->shown[MEF_FAULT_NUMBER];
    exchange->silent |= scene->shown[MEF_FAULT_LOST];
    if (scene->shown[MEF_FAULT_BIG]) {
        free(exchange->answer);
        exchange->answer = calloc(1, 10001);
        if (exchange->answer)
            memset(exchange->answer, ' ', 10000);
    }
}

int mef_resources(struct mef *mef, struct mef_exchange *exchange, const bool shown[MEF_FAULTS]) {
    struct scene scene = {
        .mef = mef,
        .exchange = exchange,
        .enrolee = &mef->enrolees[exchange->enrolee - mef->enrolees],
        .shown = shown,
    };

    if (exchange->body_length > 0)
        scene.body = json_loadb((const char *)exchange->body, exchange->body_length, 0, NULL);
    if (scene.enrolee->refused)
        refuse(&scene, 403, 4103, "this enrolee is refused");
    else if (exchange->path[0] != '/' || strcmp(exchange->from, scene.enrolee->identity) != 0)
        refuse(&scene, 403, 4103, "the handshake was somebody else's than X-M2M-Origin");
    else
        route(&scene);
    disturb(&scene);
    json_decref(scene.body);
    return 0;
}
