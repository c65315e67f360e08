/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A user's equipment that does everything right unless it is told otherwise.
 */

#include "lab-client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define CNONCE "0123456789abcdef"

void ue_init(struct ue *ue, const struct client_process *bsf,
             const struct lab_subscriber *subscriber) {
    memset(ue, 0, sizeof(*ue));
    ue->bsf = bsf;
    ue->subscriber = subscriber;
    ue->host = CLIENT_BSF;
    ue->realm = CLIENT_BSF;
    ue->qop = "auth-int";
    ue->sqn = subscriber->sqn;
}

static void send_authorization(const struct ue *ue, const char *authorization,
                               struct client_answer *ret) {
    const struct client_get get = {
        .port = ue->bsf->port,
        .host = ue->host,
        .target = "/",
        .authorization = authorization,
        .trust = ue->trust,
        .timeout_msec = ue->timeout_msec,
    };

    client_get(&get, ret);
}

void ue_ask(struct ue *ue, struct client_answer *ret) {
    char *value = NULL;

    assert_true(asprintf(&value,
                         "Digest username=\"%s\", realm=\"%s\", nonce=\"\", uri=\"/\", "
                         "response=\"\"",
                         ue->subscriber->impi, ue->realm) > 0);
    send_authorization(ue, value, ret);
    free(value);
}

enum ue_verdict ue_card(struct ue *ue, const struct client_answer *answer, struct lab_digest *ret,
                        uint8_t ret_auts[MILENAGE_AUTS]) {
    uint8_t nonce[MILENAGE_RAND + MILENAGE_AUTN + 256];
    struct milenage_answer aka;
    size_t length = 0;
    uint64_t sqn = 0;

    assert_int_equal(answer->status, 401);
    assert_non_null(answer->challenge);
    assert_int_equal(lab_digest_parse(answer->challenge, true, ret), 0);
    assert_string_equal(ret->value[LAB_DIGEST_ALGORITHM], "AKAv1-MD5");
    assert_string_equal(ret->value[LAB_DIGEST_QOP], ue->qop);
    assert_string_equal(ret->value[LAB_DIGEST_REALM], ue->realm);
    assert_int_equal(lab_base64_decode(ret->value[LAB_DIGEST_NONCE], nonce, sizeof(nonce), &length),
                     0);
    assert_true(length >= MILENAGE_RAND + MILENAGE_AUTN);

    if (!milenage_autn_verify(&ue->subscriber->key, nonce, nonce + MILENAGE_RAND, &sqn))
        return UE_FALSE;
    if (sqn >> ue->subscriber->ind_bits <= ue->sqn >> ue->subscriber->ind_bits) {
        milenage_auts(&ue->subscriber->key, nonce, ue->sqn, ret_auts);
        return UE_STALE;
    }
    ue->sqn = sqn;
    milenage_f2345(&ue->subscriber->key, nonce, &aka);
    memcpy(ue->rand, nonce, sizeof(ue->rand));
    memcpy(ue->res, aka.res, sizeof(ue->res));
    memcpy(ue->ck, aka.ck, sizeof(ue->ck));
    memcpy(ue->ik, aka.ik, sizeof(ue->ik));
    return UE_FRESH;
}

static const char *or_else(const char *given, const char *usual) {
    return given ? given : usual;
}

static void write_reply(const struct ue *ue, const struct ue_reply *reply,
                        const struct lab_digest_input *input, char **ret) {
    char *auts = reply->auts ? lab_base64_encode(reply->auts, MILENAGE_AUTS) : NULL;
    char response[LAB_DIGEST_HEX];

    lab_digest_response(input, response);
    assert_true(asprintf(ret,
                         "Digest username=\"%s\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", "
                         "qop=%s, nc=%s, cnonce=\"%s\", response=\"%s\", opaque=\"%s\", "
                         "algorithm=%s%s%s%s",
                         ue->subscriber->impi, ue->realm, input->nonce, input->uri, input->qop,
                         input->nc, input->cnonce, response,
                         or_else(reply->opaque, reply->challenge->value[LAB_DIGEST_OPAQUE]),
                         or_else(reply->algorithm, "AKAv1-MD5"), auts ? ", auts=\"" : "",
                         auts ? auts : "", auts ? "\"" : "") > 0);
    free(auts);
}

void ue_answer(struct ue *ue, const struct ue_reply *reply, struct client_answer *ret) {
    struct lab_digest_input input = {
        .username = ue->subscriber->impi,
        .realm = ue->realm,
        .password = reply->password ? reply->password : ue->res,
        .password_length = reply->password ? reply->password_length : ue->subscriber->res_length,
        .method = "GET",
        .uri = or_else(reply->uri, "/"),
        .nonce = reply->challenge->value[LAB_DIGEST_NONCE],
        .nc = or_else(reply->nc, "00000001"),
        .cnonce = or_else(reply->cnonce, CNONCE),
        .qop = or_else(reply->qop, ue->qop),
    };
    char *value = NULL;

    if (reply->auts && !reply->password)
        input.password_length = 0;
    write_reply(ue, reply, &input, &value);
    send_authorization(ue, value, ret);
    free(value);
}

bool ue_rspauth_is_right(const struct ue *ue, const struct lab_digest *challenge,
                         const struct client_answer *answer) {
    const struct lab_digest_input input = {
        .username = ue->subscriber->impi,
        .realm = ue->realm,
        .password = ue->res,
        .password_length = ue->subscriber->res_length,
        .method = "",
        .uri = "/",
        .nonce = challenge->value[LAB_DIGEST_NONCE],
        .nc = "00000001",
        .cnonce = CNONCE,
        .qop = ue->qop,
        .body = (const uint8_t *)answer->body,
        .body_length = answer->body_length,
    };
    char expected[LAB_DIGEST_HEX];
    struct lab_digest info;

    assert_non_null(answer->info);
    assert_int_equal(lab_digest_parse(answer->info, false, &info), 0);
    assert_string_equal(info.value[LAB_DIGEST_CNONCE], CNONCE);
    assert_string_equal(info.value[LAB_DIGEST_NC], "00000001");
    assert_string_equal(info.value[LAB_DIGEST_QOP], ue->qop);
    assert_string_equal(info.value[LAB_DIGEST_OPAQUE], challenge->value[LAB_DIGEST_OPAQUE]);
    lab_digest_response(&input, expected);
    return lab_digest_equal(info.value[LAB_DIGEST_RSPAUTH], expected);
}

void ue_element(const char *body, const char *name, char *ret, size_t size) {
    char open[64], close[64];
    const char *begin, *end;

    (void)snprintf(open, sizeof(open), "<%s>", name);
    (void)snprintf(close, sizeof(close), "</%s>", name);
    begin = strstr(body, open);
    assert_non_null(begin);
    begin += strlen(open);
    end = strstr(begin, close);
    assert_non_null(end);
    assert_true((size_t)(end - begin) < size);
    (void)snprintf(ret, size, "%.*s", (int)(end - begin), begin);
}

void ue_bootstrap(struct ue *ue, char *ret_btid, size_t size) {
    _cleanup_answer_ struct client_answer first = {0}, second = {0};
    uint8_t auts[MILENAGE_AUTS];
    struct lab_digest challenge;
    const struct ue_reply reply = {.challenge = &challenge};

    ue_ask(ue, &first);
    assert_int_equal(ue_card(ue, &first, &challenge, auts), UE_FRESH);
    ue_answer(ue, &reply, &second);
    assert_int_equal(second.status, 200);
    assert_true(ue_rspauth_is_right(ue, &challenge, &second));
    ue_element(second.body, "btid", ret_btid, size);
}
