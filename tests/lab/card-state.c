/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a card keeps without power, in a file: an ini section with the IMSI that it belongs to, the
 * tries left for the PIN, and SEQ for each index.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ini.h>

#include "card-state.h"
#include "hex.h"

/* inih's lines are short. */
enum {
    GBA_PIECE = 64,
    GBA_PIECES = (sizeof(struct card_gba) + GBA_PIECE - 1) / GBA_PIECE,
};

_Static_assert(sizeof(struct card_gba) ==
                   1 + 32 + 16 + CARD_GBABP_SIZE + CARD_GBANL_RECORDS * CARD_GBANL_RECORD,
               "struct card_gba has holes");

struct loader {
    struct card_memory memory;
    bool is_ours;
    const char *imsi;
};

static bool parse_number(const char *text, int base, uint64_t max, uint64_t *ret_number) {
    char *end;

    if (text[0] == '\0' || strspn(text, "0123456789abcdef") != strlen(text))
        return false;
    errno = 0;
    *ret_number = strtoull(text, &end, base);
    return errno == 0 && *end == '\0' && *ret_number <= max;
}

/* "GbaA.N": octets of the struct card_gba of application A, from GBA_PIECE times N on. */
static int handle_gba(struct loader *loader, const char *name, const char *value) {
    unsigned application, piece;
    size_t offset, length;
    uint8_t *gba;

    if (sscanf(name, "%1u.%2u", &application, &piece) != 2 || application > 1 ||
        piece >= GBA_PIECES)
        return 0;
    gba = (uint8_t *)&loader->memory.gba[application];
    offset = piece * GBA_PIECE;
    return hex_decode(value, gba + offset, sizeof(struct card_gba) - offset, &length) == 0;
}

static int handle_line(void *userdata, const char *section, const char *name, const char *value) {
    struct loader *loader = userdata;
    uint64_t ind, number;

    if (strcmp(section, "Card") != 0)
        return 0;
    if (strcmp(name, "Imsi") == 0) {
        loader->is_ours = strcmp(value, loader->imsi) == 0;
        return loader->is_ours;
    }
    if (strcmp(name, "PinRetries") == 0) {
        if (!parse_number(value, 10, CARD_PIN_RETRIES, &number))
            return 0;
        loader->memory.pin_retries = (unsigned)number;
        return 1;
    }
    if (strncmp(name, "Gba", 3) == 0)
        return handle_gba(loader, name + 3, value);
    if (strncmp(name, "Seq", 3) != 0 ||
        !parse_number(name + 3, 10, (1u << loader->memory.sqn.ind_bits) - 1, &ind) ||
        !parse_number(value, 16, SQN_MAX >> loader->memory.sqn.ind_bits, &number))
        return 0;
    loader->memory.sqn.seq[ind] = number;
    return 1;
}

int card_state_load(const char *path, const struct lab_subscriber *subscriber,
                    struct card_memory *memory) {
    struct loader loader = {.memory = *memory, .imsi = subscriber->imsi};
    FILE *file;
    int line;

    file = fopen(path, "re");
    if (!file)
        return errno == ENOENT ? 0 : -errno;
    line = ini_parse_file(file, handle_line, &loader);
    fclose(file);
    if (line != 0 || !loader.is_ours)
        return -EINVAL;
    *memory = loader.memory;
    return 0;
}

static void write_gba(FILE *file, unsigned application, const struct card_gba *gba) {
    const uint8_t *octets = (const uint8_t *)gba;
    char text[2 * GBA_PIECE + 1];

    for (size_t piece = 0; piece < GBA_PIECES; piece++) {
        size_t rest = sizeof(*gba) - piece * GBA_PIECE;

        hex_encode(octets + piece * GBA_PIECE, rest < GBA_PIECE ? rest : GBA_PIECE, text);
        fprintf(file, "Gba%u.%zu = %s\n", application, piece, text);
    }
}

static int write_to(FILE *file, const struct lab_subscriber *subscriber,
                    const struct card_memory *memory) {
    fprintf(file, "[Card]\nImsi = %s\nPinRetries = %u\n", subscriber->imsi, memory->pin_retries);
    for (unsigned ind = 0; ind < 1u << memory->sqn.ind_bits; ind++)
        fprintf(file, "Seq%u = %" PRIx64 "\n", ind, memory->sqn.seq[ind]);
    for (unsigned application = 0; application < 2; application++) {
        if (memory->gba[application].has_ks)
            write_gba(file, application, &memory->gba[application]);
    }
    if (fflush(file) != 0 || fsync(fileno(file)) < 0)
        return -errno;
    return 0;
}

int card_state_save(const char *path, const struct lab_subscriber *subscriber,
                    const struct card_memory *memory) {
    char temporary[4096];
    FILE *file;
    int r;

    r = snprintf(temporary, sizeof(temporary), "%s.new", path);
    if (r < 0 || (size_t)r >= sizeof(temporary))
        return -ENAMETOOLONG;
    file = fopen(temporary, "we");
    if (!file)
        return -errno;
    r = write_to(file, subscriber, memory);
    if (fclose(file) != 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(temporary);
    return r;
}
