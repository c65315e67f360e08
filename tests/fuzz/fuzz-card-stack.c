/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Everything above the transport against a card that is right but for what the input spoils (model-card.h): opening,
 * AUTHENTICATE in all contexts, PIN, EF_GBABP and EF_GBANL, the SIM's algorithm, modems that run AKA themselves,
 * channels to applications and the card's access rules, in any order.
 *
 * Whatever the card does: every operation ends, every transaction that began is left, a challenge is sent once, a PIN never
 * with one try left, what is given as a key has a key's length, every refusal has words, and nothing stays in
 * the arena. A card that was right all the time has no channel open at the end.
 *
 * The input: two octets of what card there is, one of how it is configured, one of how many operations follow, the
 * operations, an octet each, and then the faults.
 */

#include "model-card.h"

#include "ara.h"
#include "se.h"
#include "secret.h"
#include "uicc.h"

#define OPERATIONS_MAX 12u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct scene {
    struct model_card card;
    struct uicc *uicc;
    struct ara_cache ara;
    struct se_channel channels[2];
    struct failure failure;
};

/* Errors of the machine come without words of the card. */
static void check_words(const struct scene *scene, uint8_t operation, int r) {
    const struct failure *failure = &scene->failure;

    if (r > 0 ? failure->code == r && failure->text[0] : r < 0 || failure->code == 0)
        return;
    (void)fprintf(stderr, "operation %u: %d, but \"%s\" (%d)\n", operation % 12, r, failure->text,
                  failure->code);
    abort();
}

static void check_identity(const struct uicc_identity *identity) {
    check(identity->aid_length <= AID_MAX && identity->services_length <= SERVICE_TABLE_MAX);
    check(memchr(identity->imsi, 0, sizeof(identity->imsi)) &&
          strlen(identity->iccid) <= ICCID_MAX);
    check(memchr(identity->impi, 0, sizeof(identity->impi)));
    check(memchr(identity->domain, 0, sizeof(identity->domain)));
    check(memchr(identity->label, 0, sizeof(identity->label)));
    check(identity->mnc_length == 0 || identity->mnc_length == 2 || identity->mnc_length == 3);
    check(identity->pin_tries >= -1 && identity->pin_tries <= 15);
}

static void check_aka(struct uicc_aka *aka, int r, bool gba) {
    check((r == 0) == (aka->res != NULL));
    if (r == 0) {
        check(secret_length(aka->res) >= RES_MIN && secret_length(aka->res) <= RES_MAX);
        check(gba == (aka->ck == NULL) && gba == (aka->ik == NULL));
    }
    if (r == 0 && !gba)
        check(secret_length(aka->ck) == AKA_CK_LENGTH && secret_length(aka->ik) == AKA_IK_LENGTH);
    uicc_aka_done(aka);
}

static const uint8_t challenge[AKA_RAND_LENGTH] = {0x23, 0x55, 0x3c};

static int authenticate(struct scene *scene, bool gba) {
    struct uicc_aka aka = {0};
    int r;

    scene->card.authentications = 0;
    r = gba ? uicc_gba_bootstrap(scene->uicc, challenge, challenge, &aka, &scene->failure)
            : uicc_authenticate(scene->uicc, challenge, challenge, &aka, &scene->failure);
    check_aka(&aka, r, gba);
    return r;
}

static int derive(struct scene *scene) {
    static const uint8_t naf_id[] = "naf.example.com\x01\x00\x00\x00\x02";
    struct secret *key = NULL;
    int r;

    scene->card.authentications = 0;
    r = uicc_gba_derive(scene->uicc, naf_id, sizeof(naf_id) - 1, "gateway@ims.example", &key,
                        &scene->failure);
    check((r == 0) == (key != NULL) && (!key || secret_length(key) == NAF_KEY_LENGTH));
    secret_free(key);
    return r;
}

static int read_bp(struct scene *scene) {
    struct uicc_gbabp gbabp = {0};
    int r = uicc_gba_read_bp(scene->uicc, &gbabp, &scene->failure);

    check(memchr(gbabp.btid, 0, sizeof(gbabp.btid)));
    check(memchr(gbabp.lifetime, 0, sizeof(gbabp.lifetime)));
    return r;
}

static int write_bp(struct scene *scene) {
    int r;

    scene->card.may_update = true;
    r = uicc_gba_write_bp(scene->uicc, challenge, "b@bsf", "2030-01-01T00:00:00Z", &scene->failure);
    scene->card.may_update = false;
    return r;
}

static int list(struct scene *scene) {
    static struct uicc_gbanl records[3];
    size_t count = 0;
    int r = uicc_gba_list(scene->uicc, records, ELEMENTS(records), &count, &scene->failure);

    check(count <= ELEMENTS(records));
    for (size_t i = 0; i < count; i++)
        check(records[i].naf_fqdn[0] && memchr(records[i].btid, 0, sizeof(records[i].btid)));
    return r;
}

static int run_gsm(struct scene *scene) {
    struct secret *sres = NULL, *kc = NULL;
    int r;

    scene->card.authentications = 0;
    r = uicc_run_gsm(scene->uicc, challenge, &sres, &kc, &scene->failure);
    check((r == 0) == (sres != NULL) && (r == 0) == (kc != NULL));
    check(r != 0 || (secret_length(sres) == GSM_SRES_LENGTH && secret_length(kc) == GSM_KC_LENGTH));
    secret_free(sres);
    secret_free(kc);
    return r;
}

static int open_applet(struct scene *scene, struct se_channel *channel) {
    static const uint8_t aid[] = {0xf0, 'k', 'e', 'y', 's', 't', 'r', 'a', 'p', 0x01};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    struct ara_decision decision;
    int r;

    se_close(channel);
    r = ara_read(scene->uicc, &scene->ara, &scene->failure);
    check(r == 0 || !scene->ara.known);
    if (r != 0)
        return r;
    ara_decide(&scene->ara.rules, aid, sizeof(aid), NULL, 0, &decision);
    check(apdu_answer_init(&answer) == 0);
    r = se_open(scene->uicc, aid, sizeof(aid), channel, &answer, &scene->failure);
    check(r != 0 || (se_is_open(channel) && answer.length <= APDU_ASSEMBLED_MAX));
    return r;
}

static int transmit(struct scene *scene, struct se_channel *channel) {
    static const uint8_t command[] = {0x80, 0x10, 0x00, 0x00, 0x03, 0xa1, 0xa2, 0xa3, 0x00};
    _cleanup_apdu_answer_ struct apdu_answer answer = {0};
    struct apdu apdu;
    int r;

    if (channel->number == 0)
        return 0;
    check(se_command_parse(command, sizeof(command), false, &apdu, NULL) == 0);
    check(apdu_answer_init(&answer) == 0);
    r = se_transmit(channel, &apdu, &answer, &scene->failure);
    check(r != 0 || answer.length <= APDU_ASSEMBLED_MAX);
    return r;
}

static void operate(struct scene *scene, uint8_t operation) {
    int r = 0;

    failure_clear(&scene->failure);
    switch (operation % 12) {
    case 0:
        r = uicc_open(scene->uicc, &scene->failure);
        break;
    case 1:
    case 2:
        r = authenticate(scene, operation % 12 == 2);
        break;
    case 3:
        r = derive(scene);
        break;
    case 4:
        r = read_bp(scene);
        break;
    case 5:
        r = write_bp(scene);
        break;
    case 6:
        r = list(scene);
        break;
    case 7:
        r = run_gsm(scene);
        break;
    case 8:
    case 9:
        r = open_applet(scene, &scene->channels[operation % 12 - 8]);
        break;
    case 10:
        r = transmit(scene, &scene->channels[operation / 12 % 2]);
        break;
    default:
        se_close(&scene->channels[operation / 12 % 2]);
    }
    check_words(scene, operation, r);
    check_identity(uicc_identity(scene->uicc));
    check(scene->card.begun == 0);
}

static void finish(struct scene *scene) {
    unsigned open = 0;

    for (size_t i = 0; i < ELEMENTS(scene->channels); i++)
        se_close(&scene->channels[i]);
    ara_cache_done(&scene->ara);
    uicc_free(scene->uicc);
    check(scene->card.begun == 0);
    for (size_t i = 1; i < MODEL_CHANNELS; i++)
        open += scene->card.channels[i].open;
    check(scene->card.faults > 0 || open == 0);
}

static struct model_kind kind_of(uint8_t a, uint8_t b) {
    return (struct model_kind){
        .usim = a & 1,
        .isim = a & 2,
        .gsm_only = a & 4,
        .ara = a & 8,
        .pin_enabled = a & 16,
        .universal_pin = a & 32,
        .pieces = a & 64,
        .no_channels = a & 128,
        .flags = (b & 1 ? TRANSPORT_CHANNELS : 0) | (b & 2 ? TRANSPORT_AKA : 0),
    };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct secret *pin = NULL, *upin = NULL;
    struct uicc_options options = {0};
    struct model_kind kind;
    struct scene scene = {0};
    size_t operations;
    static bool ready;

    if (!ready)
        check(secret_arena_init() == 0);
    ready = true;
    if (size < 4)
        return 0;
    kind = kind_of(data[0], data[1]);
    options.choice = (enum uicc_choice)(data[2] % 3);
    options.allow_sim = data[2] & 4;
    if (data[2] & 8)
        check(secret_new_copy(data[2] & 16 ? "1234" : "9999", 4, &pin) == 0);
    if (data[2] & 32)
        check(secret_new_copy("1234", 4, &upin) == 0);
    options.pin1 = pin;
    options.upin = upin;
    operations = data[3] % (OPERATIONS_MAX + 1);
    if (operations > size - 4)
        operations = size - 4;

    model_init(&scene.card, &kind, data + 4 + operations, size - 4 - operations);
    check(uicc_new(&scene.card.transport, &scene.uicc) == 0);
    uicc_configure(scene.uicc, &options);
    operate(&scene, 0);
    for (size_t i = 0; i < operations; i++)
        operate(&scene, data[4 + i]);
    finish(&scene);
    secret_free(pin);
    secret_free(upin);
    check(secret_arena_used() == 0);
    return 0;
}
