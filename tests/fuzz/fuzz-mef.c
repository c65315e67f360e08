/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Every call of mef.h with a MEF that answers what the input says. The first octet is the call, each line after it a command:
 *
 *   Bbody           the next answer: the status and code that the call waits for, with that body
 *   A403 4103       the next answer, with its status and X-M2M-RSC
 *   E               the next request fails
 *   bbody           the body of the answer before
 *   Ttype           its Content-Type; N: its X-M2M-RI; W: its Retry-After
 *   X               it came by a connection without an exporter
 *
 * Whatever comes, the call gives a whole result or a named failure in printable words with nothing filled, it ends, and no
 * secret is left.
 */

#include <strings.h>

#include "../unit/mef-world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
    if (!holds)
        abort();
}

/* --- The script --------------------------------------------------------------------------------------- */

struct script {
    struct step steps[STEPS_MAX + 1];
    size_t count;
    char call;
};

/* What each call waits for; of the commands the second answer has another code. */
static const char *code_of(const struct script *script) {
    if (script->call == 'c' && script->count > 0)
        return "2004";
    switch (script->call) {
    case 'r':
    case 'k':
    case 'v':
        return "2001";
    case 'u':
    case 'p':
        return "2004";
    case 'd':
    case 'x':
        return "2002";
    default:
        return "2000";
    }
}

/* "STATUS RSC" */
static void script_answer(struct script *script, char *text) {
    char *rsc = strchr(text, ' ');

    if (rsc)
        *rsc++ = '\0';
    script->steps[script->count++] =
        (struct step){.status = 100 + ((unsigned)strtoul(text, NULL, 10) - 100) % 500, .rsc = rsc};
}

static void script_line(struct script *script, char *line) {
    struct step *step = script->count > 0 ? &script->steps[script->count - 1] : NULL;
    bool room = script->count < STEPS_MAX;

    if (line[0] == 'B' && room) {
        const char *code = code_of(script);

        script->steps[script->count++] = (struct step)YES(code, line + 1);
    } else if (line[0] == 'A' && room) {
        script_answer(script, line + 1);
    } else if (line[0] == 'E' && room) {
        script->steps[script->count++].r = HTTP_E_TIMEOUT;
    } else if (line[0] == 'b' && step) {
        step->body = line + 1;
    } else if (line[0] == 'T' && step) {
        step->type = line + 1;
    } else if (line[0] == 'N' && step) {
        step->number = line + 1;
    } else if (line[0] == 'W' && step) {
        step->wait = line + 1;
    } else if (line[0] == 'X' && step) {
        step->no_exporter = true;
    }
}

static void script_read(struct script *script, char *text) {
    char *line;

    script->call = text[0];
    (void)strsep(&text, "\n");
    while ((line = strsep(&text, "\n")))
        if (strlen(line) <= SECRET_LENGTH_MAX)
            script_line(script, line);
}

/* --- The calls: what is filled is whole, or as it was ------------------------------------------------------ */

static bool is_part_of_path(const char *id) {
    size_t length = strlen(id);

    return length > 0 && length <= MEF_ID_MAX && !strpbrk(id, "/?#% ") &&
           text_is_plain(id, length) && strcmp(id, "..") != 0;
}

static bool is_ke(const struct secret *ke) {
    return ke && secret_length(ke) == KE_LENGTH;
}

static int call_register(bool older) {
    _cleanup_(mef_registration_done) struct mef_registration registration = {0}, none = {0};
    int r;

    world.profile.exchange = older ? MEF_INDICATIONS : MEF_RESOURCES;
    r = mef_register(&world.client, NULL, &registration, &world.failure);
    if (r != 0) {
        check(memcmp(&registration, &none, sizeof(none)) == 0);
        return r;
    }
    check(is_ke(registration.ke) && strlen(registration.ke_id) == 32 + 1 + strlen(MEF_FQDN));
    check(registration.expires > NOW && registration.expires <= NOW + 365 * DAY_SEC);
    check(older ? !*registration.client_reg_id : is_part_of_path(registration.client_reg_id));
    check(!*registration.command || is_part_of_path(registration.command));
    return 0;
}

static int call_update(void) {
    struct mef_registration registration = {.client_reg_id = "reg-1", .expires = 5}, before;
    int r;

    before = registration;
    r = mef_registration_update(&world.client, &registration, 0, &world.failure);
    check(!registration.ke && strcmp(registration.client_reg_id, "reg-1") == 0);
    if (r != 0)
        check(memcmp(&registration, &before, sizeof(before)) == 0);
    else
        check(registration.expires > NOW &&
              (!*registration.command || is_part_of_path(registration.command)));
    return r;
}

static int call_configure(void) {
    struct mef_configuration configuration = {0}, none = {0};
    int r;

    r = mef_retrieve_configuration(&world.client, "reg-1", &configuration, &world.failure);
    if (r != 0) {
        check(memcmp(&configuration, &none, sizeof(none)) == 0);
        return r;
    }
    check(strcasecmp(configuration.fqdn, MEF_FQDN) == 0 && *configuration.admin_fqdn);
    check(configuration.expires == 0 || configuration.expires > NOW);
    check(!*configuration.est ||
          (strchr(configuration.est, ':') && !strchr(configuration.est, ' ')));
    return 0;
}

/* By registration, retrieval or fetch. */
static int call_key(char call) {
    static const char *const value_octets = "0123456789abcdef0123456789abcdef";
    _cleanup_(mef_key_done) struct mef_key key = {0}, none = {0};
    _cleanup_secret_ struct secret *value = NULL;
    int r;

    if (call == 'v')
        check(secret_new_copy(value_octets, KE_LENGTH, &value) == 0);
    if (call == 'f')
        r = mef_fetch_credentials(&world.client, "00@" MEF_FQDN, 21, &key, &world.failure);
    else if (call == 'g')
        r = mef_key_retrieve(&world.client, "my-key", &key, &world.failure);
    else
        r = mef_key_register(&world.client, "reg-1", 22, KEY_TARGETS, NOW + DAY_SEC, value, &key,
                             &world.failure);
    if (r != 0) {
        check(memcmp(&key, &none, sizeof(none)) == 0);
        return r;
    }
    check(is_ke(key.key) && key.expires > NOW && *key.source && *key.key_id && key.suid <= 99);
    check(call == 'f' || (is_part_of_path(key.relative_key_id) && *key.targets));
    check(call == 'f' || call == 'g' ||
          (key.suid == 22 && strcmp(key.targets, KEY_TARGETS) == 0 &&
           strcmp(key.source, OURSELF) == 0));
    return 0;
}

static int call_key_update(void) {
    struct mef_key key = {.relative_key_id = "my-key", .targets = "a", .suid = 22}, before;
    int r;

    before = key;
    r = mef_key_update(&world.client, &key, NOW + DAY_SEC, KEY_TARGETS, &world.failure);
    if (r != 0)
        check(memcmp(&key, &before, sizeof(before)) == 0);
    else
        check(key.expires > NOW && strcmp(key.targets, KEY_TARGETS) == 0 && !key.key);
    return r;
}

static unsigned executed;

static int on_command(void *userdata, const struct mef_command *command) {
    (void)userdata;
    executed++;
    check(*command->id && command->class <= 999 && command->retry_usec == 0);
    if (command->class == MEF_CERT_PROV)
        check(strcasestr(command->uri, "://" MEF_FQDN) && *command->subject);
    if (command->class == MEF_DEV_CFG)
        check(strcasestr(command->uri, "://" MEF_FQDN));
    if (command->class == MEF_MO_NODE)
        check(*command->path && command->suid <= 99);
    return MEF_COMMAND_OK;
}

static int call_commands(void) {
    static const struct mef_registration registration = {.client_reg_id = "reg-1",
                                                         .command = "cmd"};
    static const struct mef_command_handler handler = {on_command, NULL};
    uint64_t retry = 42;
    int r;

    executed = 0;
    r = mef_run_commands(&world.client, &registration, &handler, &retry, &world.failure);
    check(r == 0 ? retry <= KEY_LIFETIME_MAX_SEC * USEC_PER_SEC : retry == 42);
    check(executed <= MEF_COMMANDS_MAX && world.count <= MEF_COMMANDS_MAX + 1);
    return r;
}

static int call_one(char call) {
    switch (call) {
    case 'r':
    case 'i':
        return call_register(call == 'i');
    case 'u':
        return call_update();
    case 'o':
        return call_configure();
    case 'p':
        return call_key_update();
    case 'c':
        return call_commands();
    case 'd':
        return mef_deregister(&world.client, "reg-1", &world.failure);
    case 'x':
        return mef_key_deregister(&world.client, "my-key", &world.failure);
    default: /* k, v, g, f */
        return call_key(call);
    }
}

/* Nothing of the machine is wrong, so what failed is the MEF's part, the connection's, or the script's end. */
static void check_failure(int r) {
    const char *text = world.failure.text;

    if (r == 0)
        return;
    check((r >= MEF_E_REFUSED && r <= MEF_E_CHANGED) || r == HTTP_E_TIMEOUT || r == -ENODATA);
    check(world.failure.code == r && *text);
    for (size_t step; *text; text += step) {
        step = utf8_printable(text, strlen(text));
        check(step > 0);
    }
    check(world.client.retry_after_usec <= RETRY_AFTER_MAX_SEC * USEC_PER_SEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ struct script *script = calloc(1, sizeof(*script));
    _cleanup_free_ char *text = calloc(1, size + 1);
    static bool arena;
    int r;

    if (!arena)
        check(secret_arena_init() == 0);
    arena = true;
    check(script && text);
    memcpy(text, data, size);
    script_read(script, text);
    (void)world_begin(script->steps);
    r = call_one(script->call);
    check_failure(r);
    check(secret_arena_used() == 0);
    return 0;
}
