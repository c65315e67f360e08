/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A whole bootstrap with a BSF and a card that do what the input says. Each line is a command:
 *
 *   A401            the next answer, with its status
 *   HName: value    a field of that answer
 *   Bbody           its body
 *   P               with the right proof of the BSF
 *   E               the next GET fails
 *   C0, CS, CM, ... the card's next answer: right, synchronisation failure, network not accepted, ...
 *   L               do without a proof of the BSF
 *   Q               take a challenge that does not offer auth-int
 *
 * Whatever comes, there is a whole result or a named failure, never more than four requests, and no secret left.
 */

#include "../unit/ub-world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
    struct step steps[STEPS_MAX];
    size_t count;
    struct card_step card[STEPS_MAX];
    size_t card_count;
    bool lenient;
    bool auth_will_do;
};

static void check(bool holds) {
    if (!holds)
        abort();
}

static void script_field(struct step *step, const char *line) {
    const char *colon = strstr(line, ": ");

    for (size_t i = 0; i < FIELDS_MAX; i++)
        if (!step->fields[i]) {
            /* The part before the first ": " must have no colon of its own for the world's splitter. */
            if (colon && strchr(line, ':') == colon)
                step->fields[i] = line;
            return;
        }
}

static void script_card(struct script *script, char kind) {
    static const struct {
        char kind;
        struct card_step step;
    } kinds[] = {
        {'0', {0}},
        {'S', {.r = UICC_E_SYNC}},
        {'M', {.r = UICC_E_MAC}},
        {'R', {.r = UICC_E_RESET}},
        {'N', {.r = -ENODEV}},
        {'X', {.res = "00"}},
        {'L', {.res = "000102030405060708090a0b0c0d0e0f10"}},
        {'K', {.ck = "00"}},
        {'I', {.ik = "00"}},
    };

    for (size_t i = 0; i < ELEMENTS(kinds); i++)
        if (kinds[i].kind == kind && script->card_count < STEPS_MAX)
            script->card[script->card_count++] = kinds[i].step;
}

static void script_line(struct script *script, const char *line) {
    struct step *step = script->count > 0 ? &script->steps[script->count - 1] : NULL;
    bool room = script->count < STEPS_MAX;

    if (line[0] == 'A' && room) {
        script->steps[script->count++].status =
            100 + ((unsigned)strtoul(line + 1, NULL, 10) - 100) % 500;
    } else if (line[0] == 'E' && room) {
        script->steps[script->count++].r = HTTP_E_TIMEOUT;
    } else if (line[0] == 'H' && step) {
        script_field(step, line + 1);
    } else if (line[0] == 'B' && step) {
        step->body = line + 1;
    } else if (line[0] == 'P' && step) {
        step->proof = true;
    } else if (line[0] == 'C') {
        script_card(script, line[1]);
    } else if (line[0] == 'L') {
        script->lenient = true;
    } else if (line[0] == 'Q') {
        script->auth_will_do = true;
    }
}

static void script_read(struct script *script, char *text) {
    char *line;

    while ((line = strsep(&text, "\n")))
        script_line(script, line);
    for (size_t i = script->count; i < STEPS_MAX; i++)
        script->steps[i].r = UB_E_CANCELLED;
}

static void run(const struct script *script) {
    _cleanup_ub_result_ struct ub_result result = {0};
    struct ub_parameters parameters = world_parameters;
    struct failure failure = {0};
    uint64_t retry_after = 42;
    int r;

    parameters.require_rspauth = !script->lenient;
    parameters.require_auth_int = !script->auth_will_do;
    world_begin(script->steps, script->card);
    r = ub_bootstrap(&parameters, &world_ops, NULL, &result, &retry_after, &failure);

    check(world.gets >= 1 && world.gets <= UB_ROUNDS_MAX);
    check(failure.code == r && text_is_plain(failure.text, strlen(failure.text)));
    if (r == UB_E_BUSY)
        check(retry_after <= RETRY_AFTER_MAX_SEC * USEC_PER_SEC);
    else
        check(retry_after == 42);
    if (r != 0) {
        check(!result.ks && !*result.btid && result.expires_usec == 0);
        return;
    }
    check(world.authentications >= 1 && secret_length(result.ks) == KS_LENGTH && *result.btid);
    check(script->auth_will_do ||
          strstr(world.authorization[world.gets - 1], "qop=auth-int,") != NULL);
    check(result.expires_usec > CLOCK_START);
    check(result.expires_usec <= now_usec() + KEY_LIFETIME_MAX_SEC * USEC_PER_SEC);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static bool arena;
    struct script script = {0};
    _cleanup_free_ char *text = NULL;

    if (!arena)
        check(secret_arena_init() == 0);
    arena = true;

    text = malloc(size + 1);
    check(text);
    memcpy(text, data, size);
    text[size] = 0;
    script_read(&script, text);
    run(&script);
    check(secret_arena_used() == 0);
    return 0;
}
