/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * org.keystrap.Agent1.Uicc: a card of the configuration, whether it is there or not.
 */

#include <string.h>

#include "service-internal.h"
#include "util.h"

/* --- Properties ---------------------------------------------------------------------------------- */

static int get_words(sd_bus *bus, const char *path, const char *interface, const char *property,
                     sd_bus_message *reply, void *userdata, sd_bus_error *error) {
    const char *words = userdata;
    int r;

    (void)bus, (void)path, (void)interface, (void)property, (void)error;
    r = sd_bus_message_open_container(reply, 'a', "s");
    while (r >= 0 && words[0]) {
        size_t length = strcspn(words, " ");
        char word[32];

        (void)snprintf(word, sizeof(word), "%.*s", (int)length, words);
        r = sd_bus_message_append(reply, "s", word);
        words += length + strspn(words + length, " ");
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

/* --- Methods ------------------------------------------------------------------------------------- */

static int method_begin(sd_bus_message *m, const struct object *object, call_fn start) {
    return call_begin(object->service, m, object->status.name, start);
}

static int method_bootstrap(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, card_bootstrap);
}

static int method_forget(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, card_forget);
}

static int method_diagnose(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, card_diagnose);
}

static int method_get_identity(sd_bus_message *m, void *userdata, sd_bus_error *error) {
    (void)error;
    return method_begin(m, userdata, card_identity);
}

/* sd-bus reads numbers from where they are; for the rest it wants a getter. */
#define PROPERTY(name, type, field)                             \
    SD_BUS_PROPERTY(name, type,                                 \
                    (type)[0] == 's'   ? property_get_text      \
                    : (type)[0] == 'a' ? get_words              \
                                       : NULL,                  \
                    offsetof(struct object, status.card.field), \
                    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),

static const sd_bus_vtable vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_PROPERTY("Name", "s", property_get_text, offsetof(struct object, status.card.name),
                    SD_BUS_VTABLE_PROPERTY_CONST),
    SNAPSHOT_PROPERTIES(PROPERTY) SNAPSHOT_UICC_PROPERTIES(PROPERTY)
        CARD_METHODS(method_bootstrap, method_forget, method_diagnose, method_get_identity),
    SD_BUS_VTABLE_END,
};

/* --- The class ----------------------------------------------------------------------------------- */

static const char *name_of(struct agent *agent, size_t index) {
    struct agent_status status = {0};

    agent_get_status(agent, index, &status);
    return status.name;
}

static void take(struct agent *agent, size_t index, union object_status *ret) {
    snapshot_take(agent, index, &ret->card);
}

/* A card that came, went, or was changed for another between two looks. */
static void tell_card(struct object *object, const union object_status *before,
                      const union object_status *now) {
    sd_bus *bus = object->service->bus;
    bool was = before && before->card.present, is = now && now->card.present;
    bool other = was && is && before->card.insertions != now->card.insertions;

    if (was && (!is || other))
        check_sent(sd_bus_emit_signal(bus, SERVICE_PATH, SERVICE_MANAGER, "CardRemoved", "o",
                                      object->path),
                   "CardRemoved");
    if (is && (!was || other))
        check_sent(sd_bus_emit_signal(bus, SERVICE_PATH, SERVICE_MANAGER, "CardInserted", "os",
                                      object->path, now->card.reader),
                   "CardInserted");
}

const struct object_class uicc_class = {
    .interface = SERVICE_UICC,
    .directory = "uicc",
    .list = "Uiccs",
    .vtable = vtable,
    .fields = snapshot_fields,
    .fields_count = SNAPSHOT_ALL_COUNT,
    .count = agent_cards,
    .name = name_of,
    .take = take,
    .tell = tell_card,
};
