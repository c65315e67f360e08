/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A Zn in its smallest form: one GET, one JSON object.
 *
 * The real one is Diameter or a web service (TS 29.109, TS 29.309); what NAF and BSF have to agree on, the NAF_Id
 * and the key, is the same. Ks_NAF goes over it in the clear, as fits a lab on the loopback device.
 */

#include "bsf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define NAF_ID_MAX (255u + LAB_UA_LENGTH)

static int write_key(const struct bsf_bootstrap *bootstrap, const uint8_t *naf_id, size_t length,
                     struct lab_reply *reply) {
    uint8_t key[LAB_NAF_KEY_LENGTH];
    char *base64, *text;
    json_t *object;
    int r;

    r = bsf_naf_key(bootstrap, naf_id, length, key);
    if (r < 0)
        return r;
    base64 = lab_base64_encode(key, sizeof(key));
    explicit_bzero(key, sizeof(key));
    if (!base64)
        return -ENOMEM;
    object = json_pack("{s:s, s:s, s:I}", "impi", bootstrap->impi, "key", base64, "expiry",
                       (json_int_t)bootstrap->expires);
    free(base64);
    text = object ? json_dumps(object, 0) : NULL;
    json_decref(object);
    if (!text)
        return -ENOMEM;
    reply->status = 200;
    r = lab_reply_body_take(reply, text, strlen(text));
    if (r < 0)
        return r;
    return lab_reply_field(reply, "Content-Type", "application/json");
}

static int serve(const struct bsf *bsf, const struct lab_request *request,
                 struct lab_reply *reply) {
    const char *btid = lab_request_argument(request, "btid");
    const char *text = lab_request_argument(request, "nafid");
    const struct bsf_bootstrap *bootstrap;
    uint8_t naf_id[NAF_ID_MAX];
    size_t length = 0;

    if (strcmp(request->method, "GET") != 0 || strcmp(request->path, "/zn") != 0)
        return lab_reply_text(reply, 404, "Zn is a GET of \"/zn\".\n");
    if (!btid || !text || lab_base64_decode(text, naf_id, sizeof(naf_id), &length) < 0 ||
        length <= LAB_UA_LENGTH)
        return lab_reply_text(reply, 400, "Zn needs btid and nafid.\n");
    bootstrap = bsf_bootstrap_find(bsf, btid);
    if (!bootstrap)
        return lab_reply_text(reply, 404, "The B-TID is unknown or has expired.\n");
    return write_key(bootstrap, naf_id, length, reply);
}

int bsf_serve_zn(const struct lab_request *request, struct lab_reply *reply, void *userdata) {
    struct bsf *bsf = userdata;
    int r;

    (void)pthread_mutex_lock(&bsf->lock);
    bsf->counts.zn_requests++;
    r = serve(bsf, request, reply);
    if (r == 0)
        r = lab_reply_date(reply, "Date", bsf_clock_sec());
    (void)pthread_mutex_unlock(&bsf->lock);
    return r;
}
