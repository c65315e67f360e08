/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Logging.
 *
 * The journal gets fields (priority, MESSAGE_ID) where it is what stderr leads to; a person who runs the
 * program in a terminal, and a test, get one readable line on stderr. Which of the two is decided once.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "log.h"
#include "util.h"

#define LINE_SIZE 1024u

/* A log is global by nature. Set by log_open() before threads start; the level may change on reload. */
static struct {
    const char *identifier;
    bool journal;
    atomic_int max_level;
} log_state = {.identifier = "keystrap", .max_level = LOG_INFO};

/* systemd sets JOURNAL_STREAM to device and inode of the stream that it made stderr of (systemd.exec(5)). */
static bool stderr_is_journal(void) {
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat status;

    if (!stream || sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) != 2)
        return false;
    return fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_open(const char *identifier) {
    log_state.identifier = identifier;
    log_state.journal = stderr_is_journal();
}

void log_set_max_level(int level) {
    atomic_store(&log_state.max_level, level);
}

int log_get_max_level(void) {
    return atomic_load(&log_state.max_level);
}

int log_level_from_name(const char *name) {
    static const struct {
        const char *name;
        int level;
    } levels[] = {
        {"err", LOG_ERR},   {"warning", LOG_WARNING}, {"notice", LOG_NOTICE},
        {"info", LOG_INFO}, {"debug", LOG_DEBUG},
    };

    for (size_t i = 0; i < ELEMENTS(levels); i++)
        if (strcmp(name, levels[i].name) == 0)
            return levels[i].level;
    return -EINVAL;
}

/* One line stays one line: what a message quotes from outside cannot forge a second. */
static void flatten(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            *text = ' ';
}

static struct iovec field(char *buffer, size_t size, const char *name, const char *value) {
    int length = snprintf(buffer, size, "%s=%s", name, value);

    return (struct iovec){.iov_base = buffer,
                          .iov_len = (size_t)length < size ? (size_t)length : size - 1};
}

static int send_to_journal(int level, const char *message_id, const char *text) {
    char message[LINE_SIZE + 16], priority[16], id[64], identifier[64];
    const char level_text[] = {(char)('0' + level), '\0'};
    struct iovec fields[4];
    int count = 0;

    fields[count++] = field(message, sizeof(message), "MESSAGE", text);
    fields[count++] = field(priority, sizeof(priority), "PRIORITY", level_text);
    fields[count++] =
        field(identifier, sizeof(identifier), "SYSLOG_IDENTIFIER", log_state.identifier);
    if (message_id)
        fields[count++] = field(id, sizeof(id), "MESSAGE_ID", message_id);
    return sd_journal_sendv(fields, count);
}

static void write_to_stderr(int level, const char *text) {
    char line[LINE_SIZE + 128];
    const char *word = "";
    int length;

    if (level <= LOG_ERR)
        word = "error: ";
    else if (level == LOG_WARNING)
        word = "warning: ";
    length = snprintf(line, sizeof(line), "%s[%ld]: %s%s\n", log_state.identifier, (long)getpid(),
                      word, text);
    if ((size_t)length >= sizeof(line)) {
        length = (int)sizeof(line) - 1;
        line[length - 1] = '\n';
    }

    /* One write, so that lines of threads and programs do not mix; a closed stderr is nobody's loss. */
    (void)!write(STDERR_FILENO, line, (size_t)length);
}

void log_message(int level, const char *message_id, const char *format, ...) {
    int saved_errno = errno;
    char text[LINE_SIZE];
    va_list arguments;

    if (level <= log_get_max_level()) {
        va_start(arguments, format);
        (void)vsnprintf(text, sizeof(text), format, arguments);
        va_end(arguments);
        flatten(text);
        if (!log_state.journal || send_to_journal(level, message_id, text) < 0)
            write_to_stderr(level, text);
    }
    errno = saved_errno;
}
