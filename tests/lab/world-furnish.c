/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The world: its furniture.
 *
 * Directories of the machine that must have something more or something else in the world (/etc, /var/lib,
 * /usr/local/bin, ...) become a tmpfs of symbolic links to what was there, so that nothing is copied, nothing of
 * the machine is changed, and the rest of the machine's configuration still holds. The build and the source tree
 * are bound to fixed places, because an application of the world may not be allowed into the directory (a home of
 * root's) that they are in.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "world-internal.h"

static const struct {
    const char *name;
    uid_t uid;
} users[] = {
    {"keystrap", WORLD_USER_KEYSTRAP},
    {"meter", WORLD_USER_METER},
    {"stranger", WORLD_USER_STRANGER},
};

/* Programs of the build that a user of an installed gateway would find in PATH. */
static const char *const commands[] = {
    "dbus/keystrapctl",
    "dbus/keystrapd",
    "tests/lab/keystrap-lab",
    "docs/examples/naf-get",
};

static void dirclose(DIR **dir) {
    if (*dir)
        (void)closedir(*dir);
}

int world_write_file(const char *path, const char *text) {
    _cleanup_fclose_ FILE *file = NULL;

    file = fopen(path, "we");
    if (!file)
        return world_complain(-errno, "cannot write %s", path);
    if (fputs(text, file) < 0 || fflush(file) != 0 || fchmod(fileno(file), 0644) < 0)
        return world_complain(-errno, "cannot write %s", path);
    return 0;
}

static int make_dir(const char *path, mode_t mode, uid_t uid) {
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return world_complain(-errno, "cannot make %s", path);
    if (chmod(path, mode) < 0 || chown(path, uid, uid) < 0)
        return world_complain(-errno, "cannot make %s", path);
    return 0;
}

static int mount_tmpfs(const char *path) {
    if (mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
        return world_complain(-errno, "cannot mount a tmpfs on %s", path);
    return 0;
}

/* A detached copy of the mounts at @path, to be laid down elsewhere when what lies over them is made. */
static int lift(const char *path, int *ret_fd) {
    int fd;

    fd = open_tree(AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
    if (fd < 0)
        return world_complain(-errno, "cannot take hold of %s", path);
    *ret_fd = fd;
    return 0;
}

static int lay(int fd, const char *path) {
    if (make_dir(path, 0755, 0) < 0)
        return -EIO;
    if (move_mount(fd, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
        return world_complain(-errno, "cannot lay something down at %s", path);
    return 0;
}

/* One link in @fd, a directory, to what the machine has under @name; a link is copied as it is. */
static int link_to_host(int fd, int host_fd, const char *host, const char *name) {
    char target[4096];
    ssize_t n;

    n = readlinkat(host_fd, name, target, sizeof(target) - 1);
    if (n >= 0)
        target[n] = '\0';
    else if ((size_t)snprintf(target, sizeof(target), "%s/%s", host, name) >= sizeof(target))
        return -ENAMETOOLONG;
    return symlinkat(target, fd, name) < 0 ? -errno : 0;
}

static bool listed(const char *name, const char *const *names) {
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

/* Turn @path into a tmpfs with links to everything that was in it, but for @without. */
static int loosen(const char *path, const char *name, const char *const *without) {
    _cleanup_close_ int lifted = -1;
    _cleanup_(dirclose) DIR *host_dir = NULL, *dir = NULL;
    char host[256];

    (void)snprintf(host, sizeof(host), WORLD_HOST "/%s", name);
    if (lift(path, &lifted) < 0 || lay(lifted, host) < 0 || mount_tmpfs(path) < 0)
        return -EIO;
    host_dir = opendir(host);
    dir = opendir(path);
    if (!host_dir || !dir)
        return world_complain(-errno, "cannot open %s", path);
    for (struct dirent *entry; (entry = readdir(host_dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
            listed(entry->d_name, without))
            continue;
        if (link_to_host(dirfd(dir), dirfd(host_dir), host, entry->d_name) < 0)
            return world_complain(-EIO, "cannot link %s/%s", path, entry->d_name);
    }
    return 0;
}

/* The machine's file but for lines of users with our names (keystrap may be installed there), then ours. */
static int write_accounts(const char *file, const char *format) {
    _cleanup_fclose_ FILE *from = NULL, *to = NULL;
    _cleanup_free_ char *line = NULL;
    char path[256];
    size_t size = 0;

    (void)snprintf(path, sizeof(path), WORLD_HOST "/etc/%s", file);
    from = fopen(path, "re");
    (void)snprintf(path, sizeof(path), "/etc/%s", file);
    to = fopen(path, "we");
    if (!from || !to)
        return world_complain(-errno, "cannot write %s", path);
    while (getline(&line, &size, from) > 0) {
        bool ours = false;

        for (size_t i = 0; i < ELEMENTS(users); i++) {
            size_t length = strlen(users[i].name);

            ours = ours || (strncmp(line, users[i].name, length) == 0 && line[length] == ':');
        }
        if (!ours)
            (void)fputs(line, to);
    }
    for (size_t i = 0; i < ELEMENTS(users); i++) {
        unsigned uid = users[i].uid;

        (void)fprintf(to, "%s:x:%u:", users[i].name, uid);
        if (*format)
            (void)fprintf(to, "%u:%s", uid, format);
        (void)fputc('\n', to);
    }
    return fflush(to) == 0 ? 0 : world_complain(-errno, "cannot write %s", path);
}

static int furnish_etc(void) {
    static const char *const without[] = {"passwd",        "group",   "hosts", "keystrap",
                                          "reader.conf.d", "softhsm", NULL};

    if (loosen("/etc", "etc", without) < 0 ||
        write_accounts("passwd", ":/nonexistent:/usr/sbin/nologin") < 0 ||
        write_accounts("group", "") < 0)
        return -EIO;
    if (world_write_file("/etc/hosts", "127.0.0.1 localhost " WORLD_BSF_NAME " " WORLD_NAF_NAME
                                       "\n::1 localhost\n") < 0)
        return -EIO;
    if (make_dir("/etc/keystrap", 0755, 0) < 0 || make_dir("/etc/keystrap/access.d", 0755, 0) < 0 ||
        make_dir("/etc/keystrap/keystrap.conf.d", 0755, 0) < 0 ||
        make_dir("/etc/keystrap/enrol.d", 0755, 0) < 0 ||
        make_dir("/etc/reader.conf.d", 0755, 0) < 0 || make_dir("/etc/softhsm", 0755, 0) < 0)
        return -EIO;
    /* Tokens of the service's own, for who makes some. */
    if (make_dir("/etc/softhsm/tokens", 0700, WORLD_USER_KEYSTRAP) < 0 ||
        world_write_file("/etc/softhsm/softhsm2.conf",
                         "directories.tokendir = /etc/softhsm/tokens\nlog.level = ERROR\n") < 0)
        return -EIO;
    /* As Debian's vpcd has it; the port is fixed, the network is not shared. */
    return world_write_file(
        "/etc/reader.conf.d/vpcd",
        "FRIENDLYNAME \"Virtual PCD\"\nDEVICENAME /dev/null:0x8C7B\n"
        "LIBPATH /usr/lib/pcsc/drivers/serial/libifdvpcd.so\nCHANNELID 0x8C7B\n");
}

static int furnish_var(void) {
    static const char *const without[] = {"keystrap", NULL};

    if (loosen("/var/lib", "var-lib", without) < 0)
        return -EIO;
    return make_dir("/var/lib/keystrap", 0700, WORLD_USER_KEYSTRAP);
}

static int furnish_commands(void) {
    static const char *const without[] = {"keystrapctl", "keystrapd", "keystrap-lab", "naf-get",
                                          NULL};

    if (loosen("/usr/local/bin", "usr-local-bin", without) < 0)
        return -EIO;
    for (size_t i = 0; i < ELEMENTS(commands); i++) {
        const char *name = strrchr(commands[i], '/') + 1;
        char target[256], path[256];

        (void)snprintf(target, sizeof(target), WORLD_BUILD "/%s", commands[i]);
        (void)snprintf(path, sizeof(path), "/usr/local/bin/%s", name);
        if (symlink(target, path) < 0)
            return world_complain(-errno, "cannot link %s", path);
    }
    return 0;
}

static int furnish_run(int build, int source) {
    if (mount_tmpfs("/run") < 0 || make_dir("/run/world", 0755, 0) < 0 ||
        make_dir(WORLD_HOST, 0755, 0) < 0 || make_dir(WORLD_SCRATCH, 01777, 0) < 0 ||
        make_dir(WORLD_LOG, 0755, 0) < 0 || make_dir(WORLD_NOTIFY, 0755, 0) < 0 ||
        make_dir(WORLD_CONTROL, 0700, 0) < 0)
        return -EIO;
    if (make_dir("/run/lock", 01777, 0) < 0 || make_dir("/run/dbus", 0755, 0) < 0 ||
        make_dir("/run/pcscd", 0755, 0) < 0 ||
        make_dir("/run/keystrap", 0755, WORLD_USER_KEYSTRAP) < 0)
        return -EIO;
    /* What systemd would hand over. */
    if (make_dir(WORLD_CREDENTIALS, 0755, 0) < 0 ||
        world_write_file(WORLD_CREDENTIALS "/keystrap.sealing-key",
                         "of no value outside of this world\n") < 0 ||
        /* Kpm of the enrolee "gateway" in enrolees.conf. */
        world_write_file(WORLD_CREDENTIALS "/kpm",
                         "hex:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n") <
            0)
        return -EIO;
    if (lay(build, WORLD_BUILD) < 0 || lay(source, WORLD_SOURCE) < 0)
        return -EIO;
    return 0;
}

static int loopback_up(void) {
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    _cleanup_close_ int fd = -1;

    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) < 0)
        return world_complain(-errno, "cannot bring the loopback device up");
    return 0;
}

int world_furnish(void) {
    _cleanup_close_ int build = -1, source = -1;

    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return world_complain(-errno, "cannot make mounts private");
    if (lift(KEYSTRAP_BUILD_DIR, &build) < 0 || lift(KEYSTRAP_SOURCE_DIR, &source) < 0)
        return -EIO;
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        return world_complain(-errno, "cannot mount /proc");
    if (furnish_run(build, source) < 0 || furnish_etc() < 0 || furnish_var() < 0 ||
        furnish_commands() < 0)
        return -EIO;
    return loopback_up();
}
