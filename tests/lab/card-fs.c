/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The card's file system: selection per logical channel, reading and updating (TS 102 221 clauses
 * 8 and 11.1).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "card-internal.h"
#include "hex.h"

enum {
    SELECT_FID = 0x00,
    SELECT_CHILD = 0x01,
    SELECT_PARENT = 0x03,
    SELECT_AID = 0x04,
    SELECT_FROM_MF = 0x08,
    SELECT_FROM_HERE = 0x09,
    P2_RETURN_MASK = 0x1c,
    P2_RETURN_FCP = 0x04,
    P2_RETURN_NOTHING = 0x0c,
    P2_OCCURRENCE_MASK = 0x03,
    P2_TERMINATE = 0x40,
    AID_MIN = 5,
    SFI_MASK = 0x1f,
};

static bool exists(const struct card *card, const struct card_file *file) {
    if (file->fid == CARD_FID_ISIM || file->parent == CARD_FID_ISIM)
        return card_application_exists(card, CARD_FID_ISIM);
    return !file->gsm_access || card->options.gsm_access;
}

bool card_application_exists(const struct card *card, uint16_t fid) {
    return fid != CARD_FID_ISIM || card->subscriber.isim_impi[0] != '\0';
}

static bool is_directory(const struct card_file *file) {
    return file->type == CARD_DIRECTORY || file->type == CARD_APPLICATION;
}

static size_t octets_of(const struct card_file *file) {
    return (size_t)file->size * (file->records > 0 ? file->records : 1u);
}

static const struct card_file *find(const struct card *card, uint16_t fid, uint16_t parent) {
    for (size_t i = 0; i < card_files_count; i++) {
        const struct card_file *file = &card_files[i];

        if (file->fid == fid && file->parent == parent && exists(card, file))
            return file;
    }
    return NULL;
}

static uint8_t *content_of(struct card *card, const struct card_file *file) {
    return card->contents[file - card_files];
}

static int make_content(struct card *card, size_t place) {
    const struct card_file *file = &card_files[place];
    size_t size = octets_of(file), used;

    if (is_directory(file))
        return 0;
    if (file->kept) {
        card->contents[place] = file->kept(&card->memory);
        return 0;
    }
    card->contents[place] = malloc(size);
    if (!card->contents[place])
        return -ENOMEM;
    memset(card->contents[place], 0xff, size);
    if (file->fill)
        file->fill(&card->options, card->contents[place], size);
    return file->content ? hex_decode(file->content, card->contents[place], size, &used) : 0;
}

int card_fs_init(struct card *card) {
    card->contents = calloc(card_files_count, sizeof(*card->contents));
    if (!card->contents)
        return -ENOMEM;
    for (size_t i = 0; i < card_files_count; i++) {
        int r = make_content(card, i);

        if (r < 0)
            return r;
    }
    return 0;
}

void card_fs_done(struct card *card) {
    for (size_t i = 0; card->contents && i < card_files_count; i++) {
        if (!card_files[i].kept)
            free(card->contents[i]);
    }
    free(card->contents);
    card->contents = NULL;
}

void card_fs_select_mf(struct card_channel *channel) {
    channel->directory = &card_files[0];
    channel->file = NULL;
    channel->record = 0;
}

/* The parent of an application is the MF, although it is in no directory's list. */
static const struct card_file *parent_of(const struct card *card,
                                         const struct card_file *directory) {
    uint16_t parent = directory->parent;

    if (parent == 0 || parent == CARD_FID_MF)
        return &card_files[0];
    for (size_t i = 0; i < card_files_count; i++) {
        if (card_files[i].fid == parent && is_directory(&card_files[i]) &&
            exists(card, &card_files[i]))
            return &card_files[i];
    }
    return &card_files[0];
}

/* What a FID means in DIRECTORY (TS 102 221 clause 8.4.1); NULL if nothing. */
static const struct card_file *look_up(const struct card *card, const struct card_channel *channel,
                                       const struct card_file *directory, uint16_t fid) {
    const struct card_file *parent = parent_of(card, directory), *found;

    if (fid == CARD_FID_MF)
        return &card_files[0];
    if (fid == CARD_FID_CURRENT_ADF)
        return channel->application;
    found = find(card, fid, directory->fid);
    if (found)
        return found;
    if (directory->type != CARD_APPLICATION && directory->fid == fid)
        return directory;
    if (parent->type != CARD_APPLICATION && parent->fid == fid)
        return parent;
    found = find(card, fid, parent->fid);
    return found && is_directory(found) ? found : NULL;
}

static uint16_t fid_at(const uint8_t *octets) {
    return (uint16_t)(octets[0] << 8 | octets[1]);
}

/* Each step of a path goes down, but the first may name the current application. */
static const struct card_file *walk(const struct card *card, const struct card_channel *channel,
                                    const struct card_file *directory, const uint8_t *path,
                                    size_t length) {
    const struct card_file *file = NULL;

    for (size_t i = 0; i < length; i += 2) {
        uint16_t fid = fid_at(path + i);

        if (i == 0 && fid == CARD_FID_CURRENT_ADF)
            file = channel->application;
        else
            file = find(card, fid, directory->fid);
        if (!file || (!is_directory(file) && i + 2 < length))
            return NULL;
        directory = file;
    }
    return file;
}

static const struct card_file *find_application(const struct card *card,
                                                const struct card_command *command) {
    if (command->length < AID_MIN || (command->p2 & P2_OCCURRENCE_MASK) != 0)
        return NULL;
    for (size_t i = 0; i < card_applications_count; i++) {
        const struct card_application *application = &card_applications[i];

        if (command->length <= application->aid_length &&
            memcmp(command->data, application->aid, command->length) == 0)
            return find(card, application->fid, 0);
    }
    return NULL;
}

static uint16_t find_selected(const struct card *card, const struct card_command *command,
                              const struct card_file **ret_file) {
    const struct card_channel *channel = &card->channels[command->channel];
    const struct card_file *file = NULL;
    bool is_fid = command->length == 2, is_path = command->length > 0 && command->length % 2 == 0;

    switch (command->p1) {
    case SELECT_FID:
        if (!is_fid)
            return SW_WRONG_LENGTH;
        file = look_up(card, channel, channel->directory, fid_at(command->data));
        break;
    case SELECT_CHILD:
        if (!is_fid)
            return SW_WRONG_LENGTH;
        file = find(card, fid_at(command->data), channel->directory->fid);
        file = file && is_directory(file) ? file : NULL;
        break;
    case SELECT_PARENT:
        file = parent_of(card, channel->directory);
        break;
    case SELECT_AID:
        file = find_application(card, command);
        break;
    case SELECT_FROM_MF:
    case SELECT_FROM_HERE:
        if (!is_path)
            return SW_WRONG_LENGTH;
        file =
            walk(card, channel, command->p1 == SELECT_FROM_MF ? &card_files[0] : channel->directory,
                 command->data, command->length);
        break;
    default:
        return SW_WRONG_P1_P2;
    }
    if (!file)
        return SW_FILE_NOT_FOUND;
    *ret_file = file;
    return SW_OK;
}

static void enter(struct card_channel *channel, const struct card_file *file) {
    channel->record = 0;
    if (!is_directory(file)) {
        channel->file = file;
        /* By a path the EF may be in another directory, which is the current one from now on. */
        for (size_t i = 0; i < card_files_count; i++) {
            if (is_directory(&card_files[i]) && card_files[i].fid == file->parent)
                channel->directory = &card_files[i];
        }
        return;
    }
    channel->directory = file;
    channel->file = NULL;
    if (file->type == CARD_APPLICATION)
        channel->application = file;
}

uint16_t card_fs_select(struct card *card, const struct card_command *command,
                        struct card_answer *answer) {
    struct card_channel *channel = &card->channels[command->channel];
    unsigned returned = command->p2 & P2_RETURN_MASK;
    const struct card_file *file;
    uint16_t sw;

    if (returned != P2_RETURN_FCP && returned != P2_RETURN_NOTHING)
        return SW_WRONG_P1_P2;
    sw = find_selected(card, command, &file);
    if (sw != SW_OK)
        return sw;
    if (command->p1 == SELECT_AID && (command->p2 & P2_TERMINATE) != 0) {
        channel->application = NULL;
        card_fs_select_mf(channel);
        return SW_OK;
    }
    enter(channel, file);
    if (returned == P2_RETURN_FCP)
        card_fcp(card, file, answer);
    return SW_OK;
}

uint16_t card_fs_status(struct card *card, const struct card_command *command,
                        struct card_answer *answer) {
    const struct card_channel *channel = &card->channels[command->channel];
    const struct card_application *application;

    if (command->p1 > 2)
        return SW_WRONG_P1_P2;
    switch (command->p2) {
    case 0x00:
        card_fcp(card, channel->directory, answer);
        return SW_OK;
    case 0x01:
        application = channel->application ? card_application_of(channel->application) : NULL;
        if (!application)
            return SW_CONDITIONS;
        answer->data[0] = 0x84;
        answer->data[1] = (uint8_t)application->aid_length;
        memcpy(answer->data + 2, application->aid, application->aid_length);
        answer->length = 2 + application->aid_length;
        return SW_OK;
    case P2_RETURN_NOTHING:
        return SW_OK;
    default:
        return SW_WRONG_P1_P2;
    }
}

static bool may_read(const struct card *card, const struct card_file *file) {
    return file->rule == CARD_RULE_ALWAYS_ADM || file->rule == CARD_RULE_ALWAYS_PIN ||
           card_pin_satisfied(card);
}

static bool may_update(const struct card *card, const struct card_file *file) {
    return (file->rule == CARD_RULE_PIN_PIN || file->rule == CARD_RULE_ALWAYS_PIN) &&
           card_pin_satisfied(card);
}

/*
 * The EF that a command means, by short FID (which selects it) or the current one, if it is a
 * TYPE.
 */
static uint16_t take_file(struct card *card, const struct card_command *command, unsigned sfi,
                          enum card_file_type type) {
    struct card_channel *channel = &card->channels[command->channel];

    for (size_t i = 0; sfi != 0 && i < card_files_count; i++) {
        const struct card_file *file = &card_files[i];

        if (file->sfi != sfi || file->parent != channel->directory->fid || !exists(card, file))
            continue;
        enter(channel, file);
        sfi = 0;
    }
    if (sfi != 0)
        return SW_FILE_NOT_FOUND;
    if (!channel->file)
        return SW_NO_EF;
    return channel->file->type == type ? SW_OK : SW_FILE_STRUCTURE;
}

/*
 * Puts the AVAILABLE octets at FROM into ANSWER, if Le allows it: EXACT ones, or as many as it
 * wants.
 */
static uint16_t give(const struct card *card, const struct card_command *command, bool exact,
                     const uint8_t *from, size_t available, struct card_answer *answer) {
    size_t wanted = command->le == CARD_NO_LE ? 256 : (size_t)command->le;
    bool all = wanted == 256 && card->options.shape == CARD_SHAPE_T1;

    if (available > 256)
        available = 256;
    if (!all && (wanted > available || (exact && wanted < available)))
        return (uint16_t)(SW_EXACT_LENGTH | (available & 0xff));
    answer->length = wanted < available ? wanted : available;
    memcpy(answer->data, from, answer->length);
    return SW_OK;
}

static size_t binary_offset(const struct card_command *command, unsigned *ret_sfi) {
    bool by_sfi = (command->p1 & 0x80) != 0;

    *ret_sfi = by_sfi ? command->p1 & SFI_MASK : 0;
    return by_sfi ? command->p2 : (size_t)(command->p1 << 8 | command->p2);
}

uint16_t card_fs_read_binary(struct card *card, const struct card_command *command,
                             struct card_answer *answer) {
    const struct card_file *file;
    unsigned sfi;
    size_t offset = binary_offset(command, &sfi);
    uint16_t sw;

    sw = take_file(card, command, sfi, CARD_TRANSPARENT);
    if (sw != SW_OK)
        return sw;
    file = card->channels[command->channel].file;
    if (!may_read(card, file))
        return SW_SECURITY;
    if (offset >= file->size)
        return SW_WRONG_OFFSET;
    return give(card, command, false, content_of(card, file) + offset, file->size - offset, answer);
}

uint16_t card_fs_update_binary(struct card *card, const struct card_command *command,
                               struct card_answer *answer) {
    const struct card_file *file;
    unsigned sfi;
    size_t offset = binary_offset(command, &sfi);
    uint16_t sw;

    (void)answer;
    sw = take_file(card, command, sfi, CARD_TRANSPARENT);
    if (sw != SW_OK)
        return sw;
    file = card->channels[command->channel].file;
    if (!may_update(card, file))
        return SW_SECURITY;
    if (offset >= file->size)
        return SW_WRONG_OFFSET;
    if (command->length == 0 || command->length > file->size - offset)
        return SW_WRONG_LENGTH;
    memcpy(content_of(card, file) + offset, command->data, command->length);
    return SW_OK;
}

/* The record that P1 and P2 mean, and where its octets are. */
static uint16_t take_record(struct card *card, const struct card_command *command,
                            uint8_t **ret_record) {
    enum { NEXT = 2, PREVIOUS = 3, ABSOLUTE = 4 };
    struct card_channel *channel = &card->channels[command->channel];
    unsigned mode = command->p2 & 0x07, number = 0;
    uint16_t sw;

    sw = take_file(card, command, command->p2 >> 3, CARD_LINEAR_FIXED);
    if (sw != SW_OK)
        return sw;
    if (mode == NEXT)
        number = channel->record + 1;
    else if (mode == PREVIOUS)
        number = channel->record == 0 ? channel->file->records : channel->record - 1;
    else if (mode == ABSOLUTE)
        number = command->p1 != 0 ? command->p1 : channel->record;
    else
        return SW_WRONG_P1_P2;
    if (number == 0 || number > channel->file->records)
        return SW_RECORD_NOT_FOUND;
    if (mode != ABSOLUTE)
        channel->record = number;
    *ret_record = content_of(card, channel->file) + (size_t)(number - 1) * channel->file->size;
    return SW_OK;
}

uint16_t card_fs_read_record(struct card *card, const struct card_command *command,
                             struct card_answer *answer) {
    const struct card_file *file;
    uint8_t *record;
    uint16_t sw;

    sw = take_record(card, command, &record);
    if (sw != SW_OK)
        return sw;
    file = card->channels[command->channel].file;
    if (!may_read(card, file))
        return SW_SECURITY;
    return give(card, command, true, record, file->size, answer);
}

uint16_t card_fs_update_record(struct card *card, const struct card_command *command,
                               struct card_answer *answer) {
    const struct card_file *file;
    uint8_t *record;
    uint16_t sw;

    (void)answer;
    sw = take_record(card, command, &record);
    if (sw != SW_OK)
        return sw;
    file = card->channels[command->channel].file;
    if (!may_update(card, file))
        return SW_SECURITY;
    if (command->length != file->size)
        return SW_WRONG_LENGTH;
    memcpy(record, command->data, command->length);
    return SW_OK;
}
