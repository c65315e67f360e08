/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The commands of a MEF (TS-0003 8.3.9, 12.3, 12.4).
 *
 * One is fetched, executed and answered; the answer to the answer is the next. What a command may bring about is the
 * handler's to say; what it may ask for is checked here: no command twice, and no address but the MEF's own.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mef-names.h"
#include "mef-request.h"
#include "secure-json.h"
#include "util.h"

/* --- Reading a command -------------------------------------------------------------------------------- */

struct unit {
    char letter;
    bool time; /* behind the "T" */
    uint64_t seconds;
};

/* In their order. A year and a month are as long as the longest of them. */
static const struct unit units[] = {
    {'Y', false, 31622400}, {'M', false, 2678400}, {'D', false, 86400},
    {'H', true, 3600},      {'M', true, 60},       {'S', true, 1},
};

/* One number with its unit of those that may still come; "." and digits that are not counted before an "S". */
static bool parse_part(const char **text, bool time, size_t *next, uint64_t *seconds) {
    size_t digits = strspn(*text, "0123456789"), i;
    uint64_t number;

    if (digits == 0 || digits > 9)
        return false;
    number = strtoull(*text, NULL, 10);
    *text += digits;
    if (**text == '.') {
        digits = strspn(*text + 1, "0123456789");
        if (digits == 0 || (*text)[1 + digits] != 'S')
            return false;
        *text += 1 + digits;
    }
    for (i = *next; i < ELEMENTS(units); i++)
        if (units[i].letter == **text && units[i].time == time)
            break;
    if (i == ELEMENTS(units))
        return false;
    *seconds += number * units[i].seconds;
    *next = i + 1;
    (*text)++;
    return true;
}

/* xs:duration that is not negative, "P1DT2H3M4S"; a longer one than KEY_LIFETIME_MAX_SEC is that. */
static bool parse_duration(const char *text, uint64_t *ret) {
    uint64_t seconds = 0;
    bool time = false;
    size_t next = 0;

    if (*text++ != 'P' || *text == '\0')
        return false;
    while (*text) {
        if (*text == 'T' && !time) {
            time = true;
            text++;
        }
        if (!parse_part(&text, time, &next, &seconds))
            return false;
    }
    *ret = (seconds < KEY_LIFETIME_MAX_SEC ? seconds : KEY_LIFETIME_MAX_SEC) * USEC_PER_SEC;
    return true;
}

static bool take_no_more(const json_t *args, struct mef_command *ret) {
    const json_t *object = mef_open(args, MEF_ATTR_CMD_NO_MORE);
    const char *text = object ? secure_json_text(object, MEF_ATTR_CMD_RETRY) : NULL;

    if (!object || !json_object_get(object, MEF_ATTR_CMD_RETRY))
        return true;
    return text && parse_duration(text, &ret->retry_usec);
}

static bool take_cert_prov(const json_t *args, struct mef_command *ret) {
    const json_t *object = mef_open(args, MEF_ATTR_CMD_CERT_PROV);

    return object && mef_get_number(object, MEF_ATTR_CMD_PROTOCOL, 9, &ret->protocol) &&
           mef_get_text(object, MEF_ATTR_CMD_URI, ret->uri, sizeof(ret->uri)) &&
           mef_get_number(object, MEF_ATTR_CMD_SUBJECT_TYPE, 9, &ret->subject_type) &&
           mef_get_text(object, MEF_ATTR_CMD_SUBJECT, ret->subject, sizeof(ret->subject));
}

static bool take_dev_cfg(const json_t *args, struct mef_command *ret) {
    const json_t *object = mef_open(args, MEF_ATTR_CMD_DEV_CFG);

    return object && mef_get_text(object, MEF_ATTR_CMD_DEV_URI, ret->uri, sizeof(ret->uri));
}

static bool take_mo_node(const json_t *args, struct mef_command *ret) {
    const json_t *object = mef_open(args, MEF_ATTR_CMD_MO_NODE), *specific;

    if (!object || !mef_get_text(object, MEF_ATTR_CMD_PATH, ret->path, sizeof(ret->path)) ||
        !mef_get_number(object, MEF_ATTR_CMD_OBJECT_TYPE, 9, &ret->object_type))
        return false;
    specific = mef_open(object, MEF_ATTR_CMD_SPECIFIC);
    return !specific || mef_get_number(specific, MEF_ATTR_SUID, 99, &ret->suid);
}

/* Whether its arguments are those of its class. */
static bool take_arguments(const json_t *args, struct mef_command *ret) {
    switch (ret->class) {
    case MEF_NO_MORE_COMMANDS:
        return take_no_more(args, ret);
    case MEF_CERT_PROV:
        return take_cert_prov(args, ret);
    case MEF_DEV_CFG:
        return take_dev_cfg(args, ret);
    case MEF_MO_NODE:
        return take_mo_node(args, ret);
    default: /* a number of the MEF's, not an enum */
        return true;
    }
}

/* The rest of @ret is filled where *@ret_ok is set. */
static int take_command(const struct mef_client *client, const json_t *answer,
                        struct mef_command *ret, bool *ret_ok, struct failure *failure) {
    const json_t *object = mef_open(answer, MEF_NAME_CLIENT_CMD);
    const json_t *description = object ? mef_open(object, MEF_ATTR_CMD_DESCRIPTION) : NULL;

    *ret = (struct mef_command){0};
    if (!description || !mef_get_text(object, MEF_ATTR_CMD_ID, ret->id, sizeof(ret->id)) ||
        !mef_get_number(description, MEF_ATTR_CMD_CLASS, 999, &ret->class))
        return mef_malformed(client, "no command", failure);
    *ret_ok = take_arguments(mef_open(description, MEF_ATTR_CMD_ARGS), ret);
    return 0;
}

/* --- Executing ---------------------------------------------------------------------------------------- */

static int execute(const struct mef_client *client, const struct mef_command_handler *handler,
                   const struct mef_command *command, bool ok, bool repeated) {
    if (repeated)
        return MEF_COMMAND_REPEATED;
    if (!ok)
        return MEF_COMMAND_BAD_ARGUMENTS;
    if ((command->class == MEF_CERT_PROV || command->class == MEF_DEV_CFG) &&
        !mef_is_own_uri(client, command->uri))
        return MEF_COMMAND_UNACCEPTABLE_ARGUMENTS;
    return handler->execute(handler->userdata, command);
}

static int answer_command(struct mef_client *client, const char *path, const char *client_reg_id,
                          const char *id, int status, json_t **ret, struct failure *failure) {
    _cleanup_json_ json_t *body = NULL;
    struct mef_request request = {.method = HTTP_PUT, .path = path, .rsc = MEF_RSC_UPDATED};

    body = mef_wrap(MEF_NAME_CLIENT_CMD,
                    json_pack("{s:s,s:s,s:i}", MEF_ATTR_CLIENT_REG_ID, client_reg_id,
                              MEF_ATTR_CMD_ID, id, MEF_ATTR_CMD_STATUS, status));
    if (!body)
        return -ENOMEM;
    request.body = body;
    return mef_ask(client, &request, ret, NULL, failure);
}

struct seen {
    char ids[MEF_COMMANDS_MAX][MEF_ID_MAX + 1];
    size_t count;
};

static bool is_repeated(struct seen *seen, const char *id) {
    for (size_t i = 0; i < seen->count; i++)
        if (strcmp(seen->ids[i], id) == 0)
            return true;
    (void)strcpy(seen->ids[seen->count++], id);
    return false;
}

int mef_run_commands(struct mef_client *client, const struct mef_registration *registration,
                     const struct mef_command_handler *handler, uint64_t *ret_retry_usec,
                     struct failure *failure) {
    _cleanup_free_ struct mef_command *command = calloc(1, sizeof(*command));
    _cleanup_free_ struct seen *seen = calloc(1, sizeof(*seen));
    _cleanup_json_ json_t *answer = NULL;
    char path[2 * MEF_ID_MAX + 2];
    const struct mef_request request = {.method = HTTP_GET, .path = path, .rsc = MEF_RSC_OK};
    bool ok = false;
    int r, status;

    if (!command || !seen)
        return -ENOMEM;
    r = mef_check_id(registration->client_reg_id, failure);
    if (r == 0)
        r = mef_check_id(registration->command, failure);
    if (r != 0)
        return r;
    secure_json_init();
    (void)snprintf(path, sizeof(path), "%s/%s", registration->client_reg_id, registration->command);
    r = mef_ask(client, &request, &answer, NULL, failure);
    for (unsigned round = 0; r == 0 && round < MEF_COMMANDS_MAX; round++) {
        json_t *next = NULL;

        r = take_command(client, answer, command, &ok, failure);
        if (r != 0)
            return r;
        if (command->class == MEF_NO_MORE_COMMANDS && ok) {
            *ret_retry_usec = command->retry_usec;
            return 0;
        }
        status = execute(client, handler, command, ok, is_repeated(seen, command->id));
        if (status < 0 || status == UB_E_CANCELLED)
            return status;
        r = answer_command(client, path, registration->client_reg_id, command->id, status, &next,
                           failure);
        json_decref(answer);
        answer = next;
    }
    return r != 0 ? r : mef_malformed(client, "more commands than anybody has use for", failure);
}
