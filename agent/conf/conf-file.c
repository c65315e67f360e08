/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Reading the files that an operator writes.
 *
 * inih splits the lines. Files come to it through a reader of ours that counts lines, bounds them and
 * refuses what inih would bend (conf-text.c). A file is read whole before it is parsed, so that one that is being
 * rewritten is never seen half.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "conf-file.h"
#include "conf-text.h"
#include "log.h"
#include "util.h"

struct reader {
    const char *file;
    const char *text;
    size_t left;
    unsigned line;
    unsigned section_line;
    bool opens;
    conf_line_fn fn;
    void *userdata;
    struct failure *failure;
    int r; /* of the first thing that went wrong; nothing is read after it */
};

static void refuse_line(struct reader *reader, const char *wrong) {
    reader->r =
        failure_set(reader->failure, -EINVAL, "%s:%u: %s", reader->file, reader->line, wrong);
}

/* An fgets() for inih. Only a line that passed every check gets there; others end the reading. */
static char *next_line(char *ret, int size, void *userdata) {
    struct reader *reader = userdata;
    const char *newline, *wrong;
    size_t length, taken;

    if (reader->r != 0 || reader->left == 0)
        return NULL;
    newline = memchr(reader->text, '\n', reader->left);
    length = newline ? (size_t)(newline - reader->text) : reader->left;
    taken = newline ? length + 1 : length;
    reader->line++;
    if (length > 0 && reader->text[length - 1] == '\r')
        length--;
    if (length > CONF_LINE_MAX || length >= (size_t)size) {
        refuse_line(reader, "this line is too long; 1024 octets are allowed");
        return NULL;
    }
    wrong = conf_text_is_wrong(reader->text, length);
    if (!wrong) {
        memcpy(ret, reader->text, length);
        ret[length] = '\0';
        wrong = conf_shape_is_wrong(ret);
    }
    if (wrong) {
        refuse_line(reader, wrong);
        return NULL;
    }
    if (ret[strspn(ret, " \t")] == '[') {
        reader->section_line = reader->line;
        reader->opens = true;
    }
    reader->text += taken;
    reader->left -= taken;
    return ret;
}

static int take_assignment(void *userdata, const char *section, const char *key,
                           const char *value) {
    struct reader *reader = userdata;
    struct conf_line line = {
        .file = reader->file,
        .line = reader->line,
        .section_line = reader->section_line,
        .section = section,
        .opens = reader->opens,
        .key = key,
        .value = value,
    };

    reader->opens = false;
    if (reader->r == 0)
        reader->r = reader->fn(&line, reader->userdata, reader->failure);
    return reader->r == 0;
}

/* inih keeps its settings in variables of its own. They are the same for every file of ours, so setting them again
 * is harmless; files are read on the main thread only. */
static void set_grammar(void) {
    ini_max_line = CONF_LINE_MAX + 3;
    ini_allow_inline_comments = false;
    ini_allow_multiline = false;
    ini_allow_bom = false;
    ini_allow_no_value = false;
}

int conf_text_parse(const char *file, const char *text, size_t length, conf_line_fn fn,
                    void *userdata, struct failure *failure) {
    struct reader reader = {
        .file = file,
        .text = text,
        .left = length,
        .fn = fn,
        .userdata = userdata,
        .failure = failure,
        .opens = true,
    };
    int r;

    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        reader.text += 3;
        reader.left -= 3;
    }
    set_grammar();
    r = ini_parse_stream(next_line, &reader, take_assignment, &reader);
    if (reader.r == 0 && r != 0)
        reader.r = failure_set(failure, r < 0 ? -ENOMEM : -EINVAL, "%s:%d: cannot be parsed", file,
                               r < 0 ? 0 : r);
    return reader.r;
}

/* Who could change what is read here: anybody but root and ourselves is one too many. */
static int check_trust(const char *path, const struct stat *st, enum conf_trust trust,
                       struct failure *failure) {
    char wrong[128];

    if (st->st_uid != 0 && st->st_uid != geteuid())
        (void)snprintf(wrong, sizeof(wrong), "belongs to uid %u; make it root's (chown root)",
                       (unsigned)st->st_uid);
    else if (st->st_mode & (S_IWGRP | S_IWOTH))
        (void)snprintf(wrong, sizeof(wrong),
                       "can be written by others (mode %04o); forbid it (chmod go-w)",
                       (unsigned)st->st_mode & 07777u);
    else
        return 0;
    if (trust == CONF_TRUST_REFUSE)
        return failure_set(failure, -EPERM, "%s: %s", path, wrong);
    log_warning("%s: %s", path, wrong);
    return 0;
}

static int read_all(int fd, const char *path, char **ret, size_t *ret_length,
                    struct failure *failure) {
    _cleanup_free_ char *data = malloc(CONF_FILE_MAX + 1);
    size_t used = 0;
    ssize_t n;

    if (!data)
        return -ENOMEM;
    while (used <= CONF_FILE_MAX && (n = read(fd, data + used, CONF_FILE_MAX + 1 - used)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            int r = -errno;

            return failure_set(failure, r, "%s: cannot be read: %s", path, strerror(-r));
        }
        used += (size_t)n;
    }
    if (used > CONF_FILE_MAX)
        return failure_set(failure, -EFBIG, "%s: is larger than %u octets", path, CONF_FILE_MAX);
    *ret = TAKE_PTR(data);
    *ret_length = used;
    return 0;
}

/* O_NONBLOCK, because somebody may have put a FIFO there. Returns -ENOENT without a failure. */
static int open_checked(const char *path, int flags, enum conf_trust trust, struct stat *ret,
                        struct failure *failure) {
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | flags);
    int r;

    if (fd < 0 || fstat(fd, ret) < 0) {
        r = -errno;
        return r == -ENOENT ? r
                            : failure_set(failure, r,
                                          "%s: cannot be opened: %s; keystrapd must be able to "
                                          "read it",
                                          path, strerror(-r));
    }
    r = check_trust(path, ret, trust, failure);
    return r < 0 ? r : TAKE_FD(fd);
}

int conf_file_parse(const char *path, enum conf_trust trust, conf_line_fn fn, void *userdata,
                    struct failure *failure) {
    _cleanup_free_ char *data = NULL;
    _cleanup_close_ int fd = -1;
    size_t length = 0;
    struct stat st;
    int r;

    fd = open_checked(path, 0, trust, &st, failure);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    if (!S_ISREG(st.st_mode))
        return failure_set(failure, -EINVAL, "%s: is not a regular file", path);
    r = read_all(fd, path, &data, &length, failure);
    if (r < 0)
        return r;
    return conf_text_parse(path, data, length, fn, userdata, failure);
}

static int is_drop_in(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);

    return entry->d_name[0] != '.' && length > 5 &&
           strcmp(entry->d_name + length - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int parse_drop_in(const char *directory, const char *name, enum conf_trust trust,
                         conf_line_fn fn, void *userdata, struct failure *failure) {
    _cleanup_free_ char *path = NULL;
    struct stat st;

    if (asprintf(&path, "%s/%s", directory, name) < 0) {
        path = NULL;
        return -ENOMEM;
    }
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
        log_warning("%s: is not a regular file and is passed over", path);
        return 0;
    }
    return conf_file_parse(path, trust, fn, userdata, failure);
}

int conf_directory_parse(const char *directory, enum conf_trust trust, conf_line_fn fn,
                         void *userdata, struct failure *failure) {
    _cleanup_close_ int fd = -1;
    struct dirent **entries = NULL;
    struct stat st;
    int n, r = 0;

    fd = open_checked(directory, O_DIRECTORY, trust, &st, failure);
    if (fd < 0)
        return fd == -ENOENT ? 0 : fd;
    n = scandirat(fd, ".", &entries, is_drop_in, by_name);
    if (n < 0) {
        r = -errno;
        return failure_set(failure, r, "%s: cannot be listed: %s", directory, strerror(-r));
    }
    if ((unsigned)n > CONF_FILES_MAX)
        r = failure_set(failure, -E2BIG, "%s: has %d files; %u are allowed", directory, n,
                        CONF_FILES_MAX);
    for (int i = 0; i < n; i++) {
        if (r == 0)
            r = parse_drop_in(directory, entries[i]->d_name, trust, fn, userdata, failure);
        free(entries[i]);
    }
    free(entries);
    return r;
}

int conf_bool_parse(const char *value) {
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};

    for (size_t i = 0; i < ELEMENTS(yes); i++) {
        if (strcasecmp(value, yes[i]) == 0)
            return 1;
        if (strcasecmp(value, no[i]) == 0)
            return 0;
    }
    return -EINVAL;
}
