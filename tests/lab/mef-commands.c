/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * MEF client commands (TS-0003 8.3.9): those that wait for an enrolee, one after the other, and then NO_MORE_COMMANDS.
 */

#include "mef-scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_NO_MORE    0u
#define CLASS_CERT_PROV  1u
#define CLASS_DEV_CFG    2u
#define CLASS_MO_NODE    3u
#define CLASS_MAX        255u
#define CLASS_FOREIGN    91u /* of the control socket alone */
#define STATUS_ISSUED    10
#define STATUS_REISSUED  11
#define STATUS_MAX       999
#define PROTOCOL_EST     1
#define SUBJECT_NODE     1
#define SUBJECT_CSE      2
#define SUBJECT_AE       3
#define OBJECT_PROFILE   1
#define RETRY_DURATION   "PT1H"
#define FOREIGN_EST_BASE "https://elsewhere.example/.well-known/est"
#define OBJECT_PATH      "./authenticationProfile/1"

bool mef_command_parse(struct mef_commands *commands, const char *word) {
    static const struct {
        const char *name;
        struct mef_command command;
    } names[] = {
        {"cert-prov", {CLASS_CERT_PROV, MEF_COMMAND_GOOD, 0}},
        {"dev-cfg", {CLASS_DEV_CFG, MEF_COMMAND_GOOD, 0}},
        {"mo-node", {CLASS_MO_NODE, MEF_COMMAND_GOOD, 0}},
        {"foreign", {CLASS_CERT_PROV, MEF_COMMAND_FOREIGN, 0}},
        {"bad", {CLASS_CERT_PROV, MEF_COMMAND_BAD, 0}},
    };
    struct mef_command command = {0};
    char *end;

    if (commands->count == MEF_COMMANDS_MAX)
        return false;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(word, names[i].name) == 0)
            command = names[i].command;
    if (command.class == 0) {
        unsigned long class = strtoul(word, &end, 10);

        if (end == word || *end != '\0' || word[0] == '-' || class == 0 || class > CLASS_MAX)
            return false;
        command = class == CLASS_FOREIGN ? names[3].command
                                         : (struct mef_command){.class = (unsigned)class};
    }
    commands->list[commands->count++] = command;
    return true;
}

/* --- What is shown --------------------------------------------------------------------------------- */

/* An AE-ID or CSE-ID begins with "//"; the last part of an AE-ID begins with C or S (TS-0001 7.2). */
static int subject_type_of(const char *identity) {
    const char *last = strrchr(identity, '/');

    if (strncmp(identity, "//", 2) != 0)
        return SUBJECT_NODE;
    return last && (last[1] == 'C' || last[1] == 'S') ? SUBJECT_AE : SUBJECT_CSE;
}

static json_t *certificate_arguments(const struct mef_scene *scene, enum mef_command_kind kind) {
    char uri[MEF_NAME_MAX + 64];

    mef_est_base(scene, uri, sizeof(uri));
    if (kind == MEF_COMMAND_BAD)
        return json_pack("{s:{s:i}}", NAME_CERT_PROV_ARGS, "certProvProtocolID", PROTOCOL_EST);
    return json_pack("{s:{s:i,s:s,s:i,s:s}}", NAME_CERT_PROV_ARGS, "certProvProtocolID",
                     PROTOCOL_EST, NAME_URI, kind == MEF_COMMAND_FOREIGN ? FOREIGN_EST_BASE : uri,
                     "certSubjectType", subject_type_of(scene->enrolee->identity), "certSubjectID",
                     scene->enrolee->identity);
}

static json_t *arguments_of(const struct mef_scene *scene, const struct mef_command *command) {
    char uri[MEF_NAME_MAX + 64];

    switch (command->class) {
    case CLASS_NO_MORE:
        return json_pack("{s:{s:s}}", NAME_NO_MORE_ARGS, "retryDuration", RETRY_DURATION);
    case CLASS_CERT_PROV:
        return certificate_arguments(scene, command->kind);
    case CLASS_DEV_CFG:
        (void)snprintf(uri, sizeof(uri), "1:https://%s/device-management", scene->mef->fqdn);
        return json_pack("{s:{s:s}}", NAME_DEV_CFG_ARGS, "deviceConfigURI", uri);
    case CLASS_MO_NODE:
        return json_pack("{s:{s:s,s:i,s:{s:i}}}", NAME_MO_NODE_ARGS, "objectPath", OBJECT_PATH,
                         "objectTypeID", OBJECT_PROFILE, "objectTypeSpecificArgs", NAME_SUID, 21);
    default: /* a class that nobody knows */
        return json_object();
    }
}

static int show(struct mef_scene *scene, unsigned status, unsigned rsc) {
    static const struct mef_command no_more = {.class = CLASS_NO_MORE};
    struct mef_commands *commands = &scene->enrolee->commands;
    const struct mef_command *command =
        commands->next < commands->count ? &commands->list[commands->next] : &no_more;
    bool again = commands->shown && command != &no_more;
    char id[32];

    if (!commands->shown || command == &no_more) {
        if (commands->next == 0 || !mef_fault_take(scene->mef, MEF_FAULT_REPEAT))
            commands->number++;
        commands->shown = true;
    }
    (void)snprintf(id, sizeof(id), "cmd-%u", commands->number);
    return mef_answer(scene, status, rsc,
                      json_pack("{s:{s:s,s:i,s:{s:i,s:o}}}", NAME_CLIENT_CMD, NAME_CMD_ID, id,
                                NAME_CMD_STATUS, again ? STATUS_REISSUED : STATUS_ISSUED,
                                NAME_CMD_DESCRIPTION, NAME_CMD_CLASS, (int)command->class,
                                NAME_CMD_ARGS, arguments_of(scene, command)));
}

int mef_show_command(struct mef_scene *scene) {
    return show(scene, MEF_OK);
}

/* --- Results ---------------------------------------------------------------------------------------- */

int mef_take_result(struct mef_scene *scene, const struct mef_reg *reg) {
    static const struct mef_field fields[] = {
        {NAME_CLIENT_REG_ID, MEF_KIND_TEXT, true},
        {NAME_CMD_ID, MEF_KIND_TEXT, true},
        {NAME_CMD_STATUS, MEF_KIND_COUNT, true},
        {0},
    };
    struct mef_commands *commands = &scene->enrolee->commands;
    json_t *object = mef_fields(scene, NAME_CLIENT_CMD, fields);
    json_int_t status = json_integer_value(json_object_get(object, NAME_CMD_STATUS));
    char id[32];

    if (!object)
        return mef_refuse(scene, MEF_BAD_REQUEST, scene->wrong);
    if (strcmp(mef_text(object, NAME_CLIENT_REG_ID), reg->id) != 0)
        return mef_refuse(scene, MEF_BAD_REQUEST, "clientRegID is not that of the path");
    (void)snprintf(id, sizeof(id), "cmd-%u", commands->number);
    if (!commands->shown || strcmp(mef_text(object, NAME_CMD_ID), id) != 0)
        return mef_refuse(scene, MEF_BAD_REQUEST, "cmdID is not that of the last command");
    if (status == STATUS_ISSUED || status == STATUS_REISSUED || status > STATUS_MAX)
        return mef_refuse(scene, MEF_BAD_REQUEST, "cmdStatusCode is no client's");
    scene->mef->counts.commands++;
    commands->last_status = (unsigned)status;
    if (commands->next < commands->count)
        commands->list[commands->next++].status = (unsigned)status;
    commands->shown = false;
    return show(scene, MEF_UPDATED);
}
