/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The agent without a MEF: what would run in a thread is handed to the test, which says what became of it. Records are
 * real ones, so that an agent that starts again finds what the one before left.
 */

#include <dirent.h>

#include "unit/agent-world.h"
#include "enrol-job.h"
#include "enrol-record.h"

#define MAF "maf.example.com"

struct enrol_run {
    struct enrol_job *job;
    enrol_done_fn done;
    void *userdata;
};

static struct {
    struct enrol_run *run; /* under way; there is one profile here */
    unsigned started;
    unsigned cancelled;
} mef;

int enrol_run_start(sd_event *event, struct enrol_job *job, enrol_done_fn done, void *userdata,
                    struct enrol_run **ret) {
    (void)event;
    assert_null(mef.run);
    mef.run = calloc(1, sizeof(*mef.run));
    assert_non_null(mef.run);
    *mef.run = (struct enrol_run){job, done, userdata};
    mef.started++;
    *ret = mef.run;
    return 0;
}

struct enrol_run *enrol_run_free(struct enrol_run *run) {
    if (!run)
        return NULL;
    assert_ptr_equal(run, mef.run);
    mef.cancelled++;
    mef.run = NULL;
    enrol_job_free(run->job);
    free(run);
    return NULL;
}

/* The job under way has ended with @r. */
static inline void mef_ends(int r) {
    struct enrol_run *run = mef.run;

    assert_non_null(run);
    mef.run = NULL;
    run->job->r = r;
    if (r != 0)
        (void)failure_set(&run->job->failure, r, "the MEF's part: %s", outcome_name(r));
    run->done(run->job, run->userdata);
    enrol_job_free(run->job);
    free(run);
}

/* It has registered us: the KeId is "@number@mef.example.com". */
static inline void mef_registers(unsigned number, int64_t life_sec) {
    struct mef_registration *registration = &mef.run->job->registration;

    (void)snprintf(registration->ke_id, sizeof(registration->ke_id), "%u@mef.example.com", number);
    (void)snprintf(registration->client_reg_id, sizeof(registration->client_reg_id), "reg-%u",
                   number);
    registration->expires = (int64_t)(now_realtime_usec() / USEC_PER_SEC) + life_sec;
    assert_int_equal(secret_new(KE_LENGTH, &registration->ke), 0);
    memset(secret_data_mutable(registration->ke), (int)number, KE_LENGTH);
    mef_ends(0);
}

static inline const struct enrol_job *mef_job(void) {
    assert_non_null(mef.run);
    return mef.run->job;
}

#define PROFILE_START                                                                       \
    "[Enrolment]\nMef=https://mef.example.com\nTarget=" MAF "\nIdentity=Cgateway\nMethods="
#define PROFILE_END                                                                         \
    "\n[Psk]\nKpmId=10-gateway@mef.example.com\nKpm=credential:kpm\n"                      \
    "[Certificate]\nCertificate=/nonexistent/own.pem\nPrivateKey=/nonexistent/own.key\n"

static inline void write_profile(const struct world *world, const char *methods,
                                 const char *more) {
    char text[1024];

    (void)snprintf(text, sizeof(text), PROFILE_START "%s\n%s" PROFILE_END, methods, more);
    write_file(world, "enrol.d/water.conf", text);
}

static inline void start_agent(struct world *world, bool sealed) {
    char state[96], credentials[96];
    const struct agent_options options = {.config_directory = world->directory,
                                          .plugin_directory = "/nonexistent",
                                          .state_directory = state};
    struct failure failure = {0};

    (void)snprintf(state, sizeof(state), "%s/state", world->directory);
    (void)snprintf(credentials, sizeof(credentials), "%s/credentials", world->directory);
    if (sealed)
        assert_int_equal(setenv("CREDENTIALS_DIRECTORY", credentials, 1), 0);
    else
        assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
    if (agent_new(world->event, &options, &world->agent, &failure) != 0)
        fail_msg("%s", failure.text);
    assert_int_equal(agent_start(world->agent, &failure), 0);
}

/* As after a power loss: nothing is left of it but what is on disk. */
static inline void restart_agent(struct world *world) {
    world->agent = agent_free(world->agent);
    start_agent(world, true);
}

static inline void make_directory(const struct world *world, const char *name) {
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/%s", world->directory, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static inline int enrol_set_up(void **state) {
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    memset(&fake, 0, sizeof(fake));
    memset(&mef, 0, sizeof(mef));
    (void)snprintf(world->directory, sizeof(world->directory), "/tmp/keystrap-enrol-XXXXXX");
    assert_non_null(mkdtemp(world->directory));
    make_directory(world, "access.d");
    make_directory(world, "enrol.d");
    make_directory(world, "credentials");
    write_file(world, "credentials/keystrap.sealing-key", "0123456789abcdef0123456789abcdef");
    write_file(world, "access.d/meter.conf",
               "[Principal meter]\nUser=4711\nPeer=" MAF "\nSuid=22\nKeysPerMinute=infinity\n");
    write_profile(world, "gba certificate psk", "");
    assert_true(sd_event_new(&world->event) >= 0);
    start_agent(world, true);
    *state = world;
    return 0;
}

static inline void remove_tree(const char *path) {
    DIR *directory = opendir(path);
    struct dirent *entry;

    while (directory && (entry = readdir(directory))) {
        char name[512];

        if (entry->d_name[0] == '.' && (entry->d_name[1] == '\0' || entry->d_name[1] == '.'))
            continue;
        (void)snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
        if (entry->d_type == DT_DIR)
            remove_tree(name);
        else
            (void)unlink(name);
    }
    if (directory)
        (void)closedir(directory);
    (void)rmdir(path);
}

static inline int enrol_tear_down(void **state) {
    struct world *world = *state;

    agent_free(world->agent);
    assert_null(fake.workers_list);
    assert_null(mef.run);
    sd_event_unref(world->event);
    remove_tree(world->directory);
    free(world);
    return arena_empty(state);
}

/* meter asks for a key of the kind @kind with the MAF. */
static inline struct agent_request *want_key(struct world *world, const char *kind, unsigned suid,
                                             struct answer *answer) {
    const struct agent_key_wish wish = {.kind = kind, .peer = MAF, .suid = suid};
    struct agent_request *request = NULL;

    *answer = (struct answer){0};
    assert_int_equal(agent_get_key(world->agent, &meter, &wish, on_key, answer, &request), 0);
    return request;
}

static inline struct agent_request *enrol(struct world *world, bool renew, struct answer *answer) {
    struct agent_request *request = NULL;

    *answer = (struct answer){0};
    assert_int_equal(agent_enrol(world->agent, &root, "water", renew, on_key, answer, &request),
                     0);
    return request;
}

static inline struct agent_enrol_status enrol_status(struct world *world) {
    struct agent_enrol_status status;

    assert_int_equal(agent_enrolments(world->agent), 1);
    agent_get_enrol_status(world->agent, 0, &status);
    return status;
}

#define ENROL_CLAIM(f) cmocka_unit_test_setup_teardown(f, enrol_set_up, enrol_tear_down)
