/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Runs every file of a committed corpus through one fuzz target, so that what a fuzzer once found stays
 * found in the ordinary run. An empty or missing corpus fails: a replay of nothing proves nothing.
 */

#include <dirent.h>
#include <err.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *directory, const char *name) {
    char path[4096];
    uint8_t *data;
    long size;
    FILE *f;

    if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
        errx(1, "%s/%s: path too long", directory, name);
    f = fopen(path, "re");
    if (!f || fseek(f, 0, SEEK_END) < 0 || (size = ftell(f)) < 0 || fseek(f, 0, SEEK_SET) < 0)
        err(1, "%s", path);

    /* An exact allocation, so that AddressSanitizer sees the first octet beyond it. */
    data = malloc(size > 0 ? (size_t)size : 1);
    if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
        err(1, "%s", path);
    fclose(f);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
}

int main(int argc, char **argv) {
    struct dirent *entry;
    unsigned count = 0;
    DIR *directory;

    if (argc != 2)
        errx(2, "usage: %s CORPUS-DIRECTORY", argv[0]);
    directory = opendir(argv[1]);
    if (!directory)
        err(1, "%s", argv[1]);
    while ((entry = readdir(directory))) {
        if (entry->d_name[0] == '.')
            continue;
        replay(argv[1], entry->d_name);
        count++;
    }
    closedir(directory);
    if (count == 0)
        errx(1, "%s: the corpus is empty", argv[1]);
    printf("%u inputs replayed\n", count);
    return 0;
}
