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
 *   M0, M1, ...     the mode, by the number of enum gba_mode; CU is the answer of a card in GBA_U
 *   T               try by a temporary identity first
 *   V               take AKAv2
 *   X               that answer came by another TLS connection
 *
 * Whatever comes, there is a whole result or a named failure, never more than UB_ROUNDS_MAX requests, no Ks outside the
 * card in GBA_U, and no secret left.
 */

#include "../unit/ub-world.h"

#define OTHER_EXPORTER VECTOR_KS VECTOR_IK

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script {
    struct step steps[STEPS_MAX];
    size_t count;
    struct card_step card[STEPS_MAX];
    size_t card_count;
    bool lenient;
    bool auth_will_do;
    bool tmpi;
    bool akav2;
    enum gba_mode mode;
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
        {'U', {.ck = "", .ik = ""}},
    };

    for (size_t i = 0; i < ELEMENTS(kinds); i++)
        if (kinds[i].kind == kind && script->card_count < STEPS_MAX)
            script->card[script->card_count++] = kinds[i].step;
}

static void script_option(struct script *script, const char *line) {
    if (line[0] == 'L')
        script->lenient = true;
    else if (line[0] == 'Q')
        script->auth_will_do = true;
    else if (line[0] == 'T')
        script->tmpi = true;
    else if (line[0] == 'V')
        script->akav2 = true;
    else if (line[0] == 'M' && line[1] >= '0' && line[1] <= '3')
        script->mode = (enum gba_mode)(line[1] - '0');
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
    } else if (line[0] == 'X' && step) {
        step->exporter = OTHER_EXPORTER;
    } else {
        script_option(script, line);
    }
}

static void script_read(struct script *script, char *text) {
    char *line;

    while ((line = strsep(&text, "\n")))
        script_line(script, line);
    for (size_t i = script->count; i < STEPS_MAX; i++)
        script->steps[i].r = UB_E_CANCELLED;
}

static struct ub_parameters parameters_of(const struct script *script) {
    struct ub_parameters parameters = world_parameters;

    parameters.mode = script->mode;
    parameters.require_rspauth = !script->lenient;
    parameters.require_auth_int = !script->auth_will_do;
    parameters.akav2 = script->akav2;
    parameters.tmpi_wanted = script->tmpi;
    if (script->tmpi)
        parameters.tmpi = VECTOR_TMPI;
    if (script->mode == GBA_MODE_2G || script->mode == GBA_MODE_DIGEST)
        parameters.scheme = "https";
    return parameters;
}

/* The password that the right proof is made with, as far as it does not hang on what the BSF says. */
static const char *password_of(enum gba_mode mode) {
    return mode == GBA_MODE_2G ? VECTOR_RES_2G : mode == GBA_MODE_DIGEST ? VECTOR_PASSWD : NULL;
}

static void check_result(const struct script *script, const struct ub_result *result) {
    check(result->mode == script->mode && *result->btid && *result->lifetime_text);
    check((result->ks != NULL) == (script->mode != GBA_MODE_U));
    check(!result->ks || secret_length(result->ks) == KS_LENGTH);
    check((*result->nonce != '\0') == (script->mode == GBA_MODE_DIGEST));
    check(script->mode == GBA_MODE_DIGEST || world.authentications >= 1);
    check((script->auth_will_do && script->mode <= GBA_MODE_U) ||
          strstr(world.authorization[world.gets - 1], "qop=auth-int,") != NULL);
    check(!*result->tmpi || (result->server_tmpi && script->mode == GBA_MODE_ME));
    check(script->akav2 || !strstr(world.authorization[world.gets - 1], "AKAv2"));
    check(result->expires_usec > CLOCK_START);
    check(result->expires_usec <= now_usec() + KEY_LIFETIME_MAX_SEC * USEC_PER_SEC);
}

static void run(const struct script *script) {
    _cleanup_secret_ struct secret *password = secret_of("6f70656e20736573616d65");
    _cleanup_ub_result_ struct ub_result result = {0};
    struct ub_parameters parameters = parameters_of(script);
    struct failure failure = {0};
    uint64_t retry_after = 42;
    int r;

    parameters.password = password;
    world_begin(script->steps, script->card);
    world.password = password_of(script->mode);
    r = ub_bootstrap(&parameters, &world_ops, NULL, &result, &retry_after, &failure);

    check(world.gets >= 1 && world.gets <= UB_ROUNDS_MAX);
    check(failure.code == r && text_is_plain(failure.text, strlen(failure.text)));
    if (r == UB_E_BUSY)
        check(retry_after <= RETRY_AFTER_MAX_SEC * USEC_PER_SEC);
    else
        check(retry_after == 42);
    if (r == 0)
        check_result(script, &result);
    else
        check(!result.ks && !*result.btid && result.expires_usec == 0);
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
