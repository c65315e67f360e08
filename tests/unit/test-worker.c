/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The card's worker as it is: its thread, its jobs and the programs that it starts, under an event loop. Only the
 * programs are others (worker-world.h), and the clocks, which the linker takes from here.
 */

#include <limits.h>
#include <pthread.h>
#include <sys/wait.h>
#include <time.h>

#include "unit/worker-world.h"

#include "log.h"
#include "worker.h"

#define REPORTS_MAX 512u

/* --- The clocks ------------------------------------------------------------------------------------- */

/*
 * The wall clock stands still, years from now: nothing that waits may go by it. The other one goes as it should, and
 * since everything that waits looks at it, it also says where the worker's thread is: every reading after the worker
 * has looked at the wall clock (once in a bootstrap, when the BSF has answered) is a moment at which a card can be
 * pulled.
 */
static struct {
    pthread_t main;
    atomic_ullong readings; /* of the worker's thread */
    struct stage *stage;
    atomic_bool armed;    /* pull the card in the next bootstrap */
    atomic_bool put_back; /* and put it back */
    atomic_bool counting;
    atomic_uint moment; /* that many readings later */
} clocks;

static void pull_card(void) {
    if (!stage_change_card(clocks.stage, KEYSTRAP_CARD_ABSENT) ||
        (atomic_load(&clocks.put_back) && !stage_change_card(clocks.stage, KEYSTRAP_CARD_PRESENT)))
        abort();
}

uint64_t now_usec(void) {
    struct timespec now;

    if (clocks.stage && !pthread_equal(pthread_self(), clocks.main)) {
        atomic_fetch_add(&clocks.readings, 1);
        if (atomic_load(&clocks.counting) && atomic_fetch_sub(&clocks.moment, 1) == 0) {
            atomic_store(&clocks.counting, false);
            pull_card();
        }
    }
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000;
}

/* An hour before the key of the BSF ends. */
uint64_t now_realtime_usec(void) {
    if (atomic_exchange(&clocks.armed, false))
        atomic_store(&clocks.counting, true);
    return (uint64_t)(1893456000 - 3600) * USEC_PER_SEC;
}

/* --- The world of a test ---------------------------------------------------------------------------- */

/* What is kept of a report. */
struct seen {
    enum worker_report_kind kind;
    uint64_t job, usec;
    int r;
    enum keystrap_card_state card;
    uint64_t retry_after_usec;
    char text[FAILURE_TEXT_MAX];
    char iccid[ICCID_MAX + 1];
    uint64_t departures;
};

struct world {
    char directory[64];
    struct stage *stage;
    sd_event *event;
    struct conf *conf;
    struct worker *worker;
    struct seen seen[REPORTS_MAX];
    size_t count, next; /* reports so far; the first that no assertion has looked at */
};

static void on_report(struct worker_report *report, void *userdata) {
    struct world *world = userdata;
    struct seen *seen = &world->seen[world->count];

    assert_true(world->count < REPORTS_MAX);
    *seen = (struct seen){.kind = report->kind,
                          .job = report->job,
                          .usec = now_usec(),
                          .r = report->r,
                          .card = report->card,
                          .retry_after_usec = report->retry_after_usec};
    memcpy(seen->text, report->failure.text, sizeof(seen->text));
    seen->departures = report->departures;
    memcpy(seen->iccid, report->identity.iccid, sizeof(seen->iccid));
    assert_int_equal(report->failure.code, report->r);
    if (report->kind == WORKER_CARD)
        assert_int_equal(report->identity.pin_tries, -1); /* there is no PIN, or no card to ask */
    if (report->kind == WORKER_CARD && report->r == 0) {
        assert_int_equal(strncmp(report->reader, READER, strlen(READER)), 0);
        assert_string_equal(report->identity.imsi, VECTOR_IMSI);
        assert_string_equal(report->impi, VECTOR_IMPI);
        assert_string_equal(report->bsf, VECTOR_BSF);
    }
    /* A whole result or none. */
    assert_true((report->result.ks != NULL) ==
                (report->kind == WORKER_BOOTSTRAP && report->r == 0));
    assert_string_equal(report->result.btid, report->result.ks ? VECTOR_BTID : "");
    world->count++;
}

static void link_self(const struct world *world, const char *name) {
    char self[PATH_MAX] = "", path[128];

    assert_true(readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
    (void)snprintf(path, sizeof(path), "%s/%s", world->directory, name);
    assert_int_equal(symlink(self, path), 0);
}

static int set_up(void **state) {
    const char *parent = getenv("TMPDIR");
    struct world *world = calloc(1, sizeof(*world));
    char path[128];

    assert_non_null(world);
    (void)snprintf(world->directory, sizeof(world->directory), "%s/keystrap-worker-XXXXXX",
                   parent ? parent : "/tmp");
    assert_non_null(mkdtemp(world->directory));
    link_self(world, "uicc-test");
    link_self(world, "keystrap-http");
    (void)snprintf(path, sizeof(path), "%s/stage", world->directory);
    world->stage = stage_open(path, O_CREAT);
    assert_non_null(world->stage);
    atomic_store(&world->stage->card, KEYSTRAP_CARD_PRESENT);
    clocks.main = pthread_self();
    clocks.stage = world->stage;
    clocks.armed = clocks.put_back = clocks.counting = false;
    assert_true(sd_event_new(&world->event) >= 0);
    *state = world;
    return secret_arena_init();
}

/* Whatever was done, the worker leaves no process, no secret and no report behind. */
static int tear_down(void **state) {
    static const char *const names[] = {"uicc-test", "keystrap-http", "stage"};
    struct world *world = *state;
    bool clean;

    worker_free(world->worker);
    clean = waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD && secret_arena_used() == 0;
    sd_event_unref(world->event);
    conf_free(world->conf);
    clocks.stage = NULL;
    (void)munmap(world->stage, sizeof(*world->stage));
    for (size_t i = 0; i < ELEMENTS(names); i++) {
        char path[128];

        (void)snprintf(path, sizeof(path), "%s/%s", world->directory, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(world->directory);
    free(world);
    secret_arena_done();
    return clean ? 0 : -1;
}

/* Mode= of the configuration. */
static const char *gba_mode = "me";

/* A worker that has not been released; an APDU may take @apdu_timeout seconds, a request to the BSF minutes. */
static void make_choosing(struct world *world, const char *apdu_timeout, const char *choice) {
    struct failure failure = {0};
    char text[512];

    (void)snprintf(text, sizeof(text),
                   "[UICC]\nTransport=test\nDevice=%s/stage\nApduTimeoutSec=%s\n%s"
                   "[GBA]\nMode=%s\nRequireRspauth=no\nRequestTimeoutSec=600\n",
                   world->directory, apdu_timeout, choice, gba_mode);
    if (conf_parse("keystrap.conf", text, strlen(text), &world->conf, &failure) != 0)
        fail_msg("%s", failure.text);
    assert_int_equal(worker_new(world->event, world->conf->cards[0], world->directory, on_report,
                                world, &world->worker),
                     0);
}

static void make(struct world *world, const char *apdu_timeout) {
    make_choosing(world, apdu_timeout, "");
}

static void start(struct world *world, const char *apdu_timeout) {
    make(world, apdu_timeout);
    worker_release(world->worker);
}

static void turn(struct world *world, uint64_t until) {
    if (now_usec() > until)
        fail_msg("waited too long, with %zu reports, the last: %s", world->count,
                 world->count ? world->seen[world->count - 1].text : "none");
    assert_true(sd_event_run(world->event, 5 * USEC_PER_MSEC) >= 0);
}

/* The next report that nobody has looked at. */
static const struct seen *await(struct world *world) {
    uint64_t until = deadline_after(STAGE_PATIENCE);

    while (world->next == world->count)
        turn(world, until);
    return &world->seen[world->next++];
}

static void await_count(struct world *world, atomic_uint *counter, unsigned count) {
    uint64_t until = deadline_after(STAGE_PATIENCE);

    while (atomic_load(counter) < count)
        turn(world, until);
}

static void expect_card(struct world *world, enum keystrap_card_state card, int r) {
    const struct seen *seen = await(world);

    assert_int_equal(seen->kind, WORKER_CARD);
    assert_int_equal(seen->job, 0);
    assert_int_equal(seen->card, card);
    assert_int_equal(seen->r, r);
}

static const struct seen *expect_job(struct world *world, enum worker_report_kind kind, int64_t job,
                                     int r) {
    const struct seen *seen = await(world);

    if (seen->kind != kind || seen->r != r)
        fail_msg("report of kind %d with %#x instead of kind %d with %#x: %s", (int)seen->kind,
                 (unsigned)seen->r, (int)kind, (unsigned)r, seen->text);
    assert_int_equal(seen->job, job);
    return seen;
}

static void expect_ready(struct world *world) {
    expect_card(world, KEYSTRAP_CARD_PRESENT, 0);
}

static void change_card(struct world *world, enum keystrap_card_state card) {
    assert_true(stage_change_card(world->stage, card));
}

/* --- Reports ---------------------------------------------------------------------------------------- */

static void the_card_is_told_of_before_any_job(void **state) {
    struct world *world = *state;
    int64_t job;

    make(world, "20");
    job = worker_bootstrap(world->worker);
    assert_int_equal(job, 1);
    worker_release(world->worker);
    expect_ready(world);
    expect_job(world, WORKER_BOOTSTRAP, job, 0);
}

static void each_change_of_the_card_is_told_once(void **state) {
    static const struct {
        enum keystrap_card_state card;
        int r;
    } changes[] = {
        {KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT},
        {KEYSTRAP_CARD_PRESENT, 0},
        {KEYSTRAP_CARD_MUTE, UICC_E_SILENT},
        {KEYSTRAP_CARD_READER_ABSENT, UICC_E_READER_ABSENT},
        {KEYSTRAP_CARD_SERVICE_ABSENT, UICC_E_SERVICE_ABSENT},
        {KEYSTRAP_CARD_PRESENT, 0},
    };
    struct world *world = *state;

    start(world, "20");
    expect_ready(world);
    for (size_t i = 0; i < ELEMENTS(changes); i++) {
        change_card(world, changes[i].card);
        expect_card(world, changes[i].card, changes[i].r);
        /* Told again by the transport, which is no news but of a card: that was away for a moment, or refreshed. */
        change_card(world, changes[i].card);
        if (changes[i].card == KEYSTRAP_CARD_PRESENT) {
            uint64_t departures = world->seen[world->next - 1].departures;

            expect_card(world, KEYSTRAP_CARD_PRESENT, 0);
            assert_int_equal(world->seen[world->next - 1].departures, departures + 1);
        }
        /* The job comes after whatever there is to report. */
        (void)worker_probe(world->worker);
        assert_int_equal(await(world)->kind, WORKER_PROBE);
    }
}

static void jobs_are_answered_in_order_each_with_its_number(void **state) {
    struct world *world = *state;

    start(world, "20");
    for (int64_t job = 1; job <= 6; job++)
        assert_int_equal(job % 2 ? worker_probe(world->worker) : worker_bootstrap(world->worker),
                         job);
    expect_ready(world);
    for (int64_t job = 1; job <= 6; job++)
        expect_job(world, job % 2 ? WORKER_PROBE : WORKER_BOOTSTRAP, job, 0);
    assert_int_equal(world->stage->authentications, 3);
    assert_int_equal(world->stage->starts, 1);
}

static int64_t queue_se(struct world *world, enum worker_report_kind kind) {
    struct worker_se *se = calloc(1, sizeof(*se));

    assert_non_null(se);
    se->channel = 7;
    if (kind == WORKER_SE_TRANSMIT)
        assert_int_equal(secret_new_copy("\x80\x10\x00\x00", 4, &se->command), 0);
    return worker_se(world->worker, kind, se);
}

/* Whoever waits for a key waits for no command to an application but the one that is under way. */
static void keys_overtake_commands_to_applications(void **state) {
    struct world *world = *state;

    make(world, "20");
    assert_int_equal(queue_se(world, WORKER_SE_TRANSMIT), 1);
    assert_int_equal(queue_se(world, WORKER_SE_CLOSE), 2);
    assert_int_equal(worker_bootstrap(world->worker), 3);
    assert_int_equal(queue_se(world, WORKER_SE_TRANSMIT), 4);
    assert_int_equal(worker_probe(world->worker), 5);
    worker_release(world->worker);
    expect_ready(world);
    (void)expect_job(world, WORKER_BOOTSTRAP, 3, 0);
    (void)expect_job(world, WORKER_PROBE, 5, 0);
    (void)expect_job(world, WORKER_SE_TRANSMIT, 1, SE_E_CLOSED);
    (void)expect_job(world, WORKER_SE_CLOSE, 2, 0);
    (void)expect_job(world, WORKER_SE_TRANSMIT, 4, SE_E_CLOSED);
}

static void a_job_that_fails_says_why_and_when_to_come_back(void **state) {
    struct world *world = *state;

    atomic_store(&world->stage->bsf_mode, BSF_IS_BUSY);
    start(world, "20");
    expect_ready(world);
    (void)worker_bootstrap(world->worker);
    assert_true(expect_job(world, WORKER_BOOTSTRAP, 1, UB_E_BUSY)->retry_after_usec ==
                7 * USEC_PER_SEC);
}

static void without_the_http_program_a_job_names_it(void **state) {
    struct world *world = *state;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/keystrap-http", world->directory);
    assert_int_equal(unlink(path), 0);
    start(world, "20");
    expect_ready(world);
    (void)worker_bootstrap(world->worker);
    assert_non_null(strstr(expect_job(world, WORKER_BOOTSTRAP, 1, HTTP_E_HELPER)->text, path));
}

static void a_worker_touches_nothing_until_it_is_released(void **state) {
    struct world *world = *state;

    make(world, "20");
    (void)worker_bootstrap(world->worker);
    world->worker = worker_free(world->worker);
    assert_int_equal(world->stage->starts, 0);
    assert_int_equal(world->count, 0);
}

/* --- Cancelling ------------------------------------------------------------------------------------- */

static void a_queued_job_that_is_cancelled_is_told_so_and_not_run(void **state) {
    struct world *world = *state;

    atomic_store(&world->stage->bsf_mode, BSF_IS_SILENT);
    start(world, "20");
    expect_ready(world);
    for (int64_t job = 1; job <= 3; job++)
        assert_int_equal(job == 2 ? worker_probe(world->worker) : worker_bootstrap(world->worker),
                         job);
    await_count(world, &world->stage->gets, 1);
    worker_cancel(world->worker, 3);
    worker_cancel(world->worker, 2);
    worker_cancel(world->worker, 1);
    expect_job(world, WORKER_BOOTSTRAP, 1, UB_E_CANCELLED);
    assert_string_equal(expect_job(world, WORKER_PROBE, 2, UB_E_CANCELLED)->text,
                        "cancelled before it began");
    expect_job(world, WORKER_BOOTSTRAP, 3, UB_E_CANCELLED);
    assert_int_equal(world->stage->gets, 1);
}

static void a_running_job_that_is_cancelled_ends_at_once_and_alone(void **state) {
    struct world *world = *state;
    uint64_t begin;

    atomic_store(&world->stage->bsf_mode, BSF_IS_SILENT);
    start(world, "20");
    expect_ready(world);
    (void)worker_bootstrap(world->worker);
    (void)worker_bootstrap(world->worker);
    await_count(world, &world->stage->gets, 1);
    atomic_store(&world->stage->bsf_mode, BSF_ANSWERS);
    begin = now_usec();
    worker_cancel(world->worker, 1);
    assert_true(expect_job(world, WORKER_BOOTSTRAP, 1, UB_E_CANCELLED)->usec - begin <
                10 * USEC_PER_SEC);
    expect_job(world, WORKER_BOOTSTRAP, 2, 0);

    /* Too late, and for no other. */
    worker_cancel(world->worker, 2);
    worker_cancel(world->worker, 99);
    (void)worker_bootstrap(world->worker);
    expect_job(world, WORKER_BOOTSTRAP, 3, 0);
}

/* The service table of the card promises GBA, and its AUTHENTICATE does not keep that. */
static void a_mode_that_works_is_found_with_a_new_challenge_and_remembered(void **state) {
    struct world *world = *state;

    gba_mode = "auto";
    start(world, "20");
    gba_mode = "me";
    expect_ready(world);
    (void)worker_bootstrap(world->worker);
    expect_job(world, WORKER_BOOTSTRAP, 1, 0);
    assert_int_equal(world->stage->authentications, 2);
    (void)worker_bootstrap(world->worker);
    expect_job(world, WORKER_BOOTSTRAP, 2, 0);
    assert_int_equal(world->stage->authentications, 3);
}

/* --- The card in a bootstrap ------------------------------------------------------------------------ */

static void a_card_that_is_pulled_while_the_bsf_is_asked_takes_its_keys_along(void **state) {
    struct world *world = *state;

    atomic_store(&world->stage->bsf_mode, BSF_SEES_CARD_PULLED);
    start(world, "20");
    expect_ready(world);
    (void)worker_bootstrap(world->worker);
    /* Who waits learns of the card first. */
    expect_card(world, KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT);
    expect_job(world, WORKER_BOOTSTRAP, 1, UICC_E_CARD_ABSENT);
    assert_int_equal(world->stage->authentications, 1);
}

/* Bootstrap, and pull the card @moment readings of the clock after the BSF's answer. Returns the job's report. */
static const struct seen *bootstrap_and_pull(struct world *world, unsigned moment) {
    int64_t job;

    atomic_store(&clocks.moment, moment);
    atomic_store(&clocks.armed, true);
    job = worker_bootstrap(world->worker);
    for (;;) {
        const struct seen *seen = await(world);

        if (seen->kind != WORKER_BOOTSTRAP)
            continue;
        assert_int_equal(seen->job, job);
        return seen;
    }
}

static void a_card_that_is_pulled_a_moment_later_takes_its_keys_along_too(void **state) {
    struct world *world = *state;
    unsigned moments = 0;

    start(world, "20");
    expect_ready(world);
    for (;; moments++) {
        const struct seen *job = bootstrap_and_pull(world, moments);

        if (job->r == 0) /* pulled when the job was done and answered */
            break;
        assert_int_equal(job->r, UICC_E_CARD_ABSENT);
        change_card(world, KEYSTRAP_CARD_PRESENT);
        expect_ready(world);
    }
    /* No report of a card that is gone came before: its keys would be those of no card. */
    assert_int_equal(world->seen[world->next - 2].card, KEYSTRAP_CARD_PRESENT);
    expect_card(world, KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT);
    assert_true(moments > 1);

    /* At the same moments, a card that is there again at once, of which no other report tells. */
    change_card(world, KEYSTRAP_CARD_PRESENT);
    expect_ready(world);
    atomic_store(&clocks.put_back, true);
    for (unsigned moment = 0; moment < moments; moment++)
        assert_int_equal(bootstrap_and_pull(world, moment)->r, UICC_E_CARD_ABSENT);
    atomic_store(&clocks.put_back, false);
}

static void a_silent_card_costs_a_job_one_timeout(void **state) {
    struct world *world = *state;
    uint64_t begin;

    start(world, "2");
    expect_ready(world);
    atomic_store(&world->stage->card_mode, CARD_IS_SILENT);
    begin = now_usec();
    (void)worker_bootstrap(world->worker);
    /* The card is looked at again only when the job has been answered. */
    assert_true(expect_job(world, WORKER_BOOTSTRAP, 1, UICC_E_SILENT)->usec - begin <
                4 * USEC_PER_SEC);
    expect_card(world, KEYSTRAP_CARD_SERVICE_ABSENT, UICC_E_SILENT);

    /* And it is found when it speaks again. Nobody has seen it go. */
    atomic_store(&world->stage->card_mode, CARD_ANSWERS);
    expect_ready(world);
    assert_int_equal(world->seen[world->next - 1].departures, 0);
}

/* --- Choosing --------------------------------------------------------------------------------------- */

static void the_card_that_is_meant_is_found_wherever_it_is(void **state) {
    static const char *const choices[] = {"Iccid=*42\n", "Iccid=8910*4[2]\nImsi=00101*\n"};
    struct world *world = *state;

    for (size_t i = 0; i < ELEMENTS(choices); i++) {
        const struct seen *seen;

        atomic_store(&world->stage->readers, 4);
        make_choosing(world, "20", choices[i]);
        worker_release(world->worker);
        seen = await(world);
        assert_int_equal(seen->r, 0);
        assert_string_equal(seen->iccid, "89100023456789012342");
        assert_int_equal(worker_bootstrap(world->worker), 1);
        expect_job(world, WORKER_BOOTSTRAP, 1, 0);
        world->worker = worker_free(world->worker);
        world->conf = conf_free(world->conf);
    }
}

static void when_no_card_is_the_one_that_is_meant_nobody_else_s_is_used(void **state) {
    struct world *world = *state;
    const struct seen *seen;

    atomic_store(&world->stage->readers, 3);
    make_choosing(world, "20", "Iccid=*45\n");
    worker_release(world->worker);
    seen = await(world);
    assert_int_equal(seen->card, KEYSTRAP_CARD_ABSENT);
    assert_int_equal(seen->r, UICC_E_CARD_ABSENT);
    assert_string_equal(seen->iccid, "");
    assert_non_null(strstr(seen->text, "none of the cards that are there (3) matches Iccid="));
    (void)worker_bootstrap(world->worker);
    expect_job(world, WORKER_BOOTSTRAP, 1, UICC_E_CARD_ABSENT);
    assert_int_equal(atomic_load(&world->stage->authentications), 0);

    /* It comes to another reader, of which the transport tells nothing by itself. */
    atomic_store(&world->stage->readers, 6);
    seen = await(world);
    assert_int_equal(seen->r, 0);
    assert_string_equal(seen->iccid, "89100023456789012345");
}

static void where_there_is_one_reader_its_next_card_may_be_the_one(void **state) {
    struct world *world = *state;

    make_choosing(world, "20", "Imsi=999*\n");
    worker_release(world->worker);
    expect_card(world, KEYSTRAP_CARD_ABSENT, UICC_E_CARD_ABSENT);
    assert_non_null(strstr(world->seen[0].text, "(1) matches Imsi="));
    assert_non_null(strstr(world->seen[0].text, "; "));
}

/* --- The end ---------------------------------------------------------------------------------------- */

static void free_is_quick(struct world *world) {
    uint64_t begin = now_usec();

    world->worker = worker_free(world->worker);
    assert_true(now_usec() - begin < 4 * USEC_PER_SEC); /* a second of grace */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_int_equal(secret_arena_used(), 0);
}

static void freeing_waits_neither_for_a_silent_card_nor_by_the_wall_clock(void **state) {
    struct world *world = *state;
    size_t reports;

    start(world, "30");
    expect_ready(world);
    atomic_store(&world->stage->card_mode, CARD_IS_SILENT);
    (void)worker_bootstrap(world->worker);
    (void)worker_probe(world->worker);
    await_count(world, &world->stage->silences, 1);
    reports = world->count;
    free_is_quick(world);
    /* Nobody is there to be told. */
    assert_true(sd_event_run(world->event, 0) >= 0);
    assert_int_equal(world->count, reports);
}

static void freeing_waits_for_no_program_that_does_not_start(void **state) {
    struct world *world = *state;

    atomic_store(&world->stage->card_mode, PROGRAM_IS_MUTE);
    start(world, "30");
    await_count(world, &world->stage->starts, 1);
    free_is_quick(world);
}

static void freeing_ends_a_request_that_is_under_way(void **state) {
    struct world *world = *state;

    atomic_store(&world->stage->bsf_mode, BSF_IS_SILENT);
    start(world, "30");
    (void)worker_bootstrap(world->worker);
    await_count(world, &world->stage->gets, 1);
    free_is_quick(world);
}

struct stopped {
    bool ended;
    uint64_t usec;
};

static void on_ended(struct worker *worker, void *userdata) {
    struct stopped *stopped = userdata;

    stopped->ended = true;
    stopped->usec = now_usec();
    worker_free(worker);
}

/* Stop the worker, and see that neither this nor freeing it afterwards keeps the loop. */
static uint64_t stop_is_no_wait(struct world *world) {
    uint64_t begin = now_usec(), until = deadline_after(STAGE_PATIENCE);
    struct stopped stopped = {0};
    size_t reports = world->count;

    assert_int_equal(worker_stop(world->worker, on_ended, &stopped), 0);
    assert_true(now_usec() - begin < USEC_PER_SEC / 4);
    while (!stopped.ended)
        turn(world, until);
    world->worker = NULL;
    assert_true(now_usec() - stopped.usec < USEC_PER_SEC / 4);
    assert_int_equal(world->count, reports);
    assert_int_equal(secret_arena_used(), 0);
    return stopped.usec - begin;
}

static void stopping_holds_nobody_up_whatever_the_worker_waits_for(void **state) {
    struct world *world = *state;

    start(world, "30");
    expect_ready(world);
    assert_true(stop_is_no_wait(world) < 4 * USEC_PER_SEC);
    world->conf = conf_free(world->conf);

    start(world, "30");
    expect_ready(world);
    atomic_store(&world->stage->card_mode, CARD_IS_SILENT);
    (void)worker_bootstrap(world->worker);
    await_count(world, &world->stage->silences, 1);
    /* It has a second to leave the card in good order, and does not. */
    assert_in_range(stop_is_no_wait(world), USEC_PER_SEC / 2, 4 * USEC_PER_SEC);
    world->conf = conf_free(world->conf);

    /* One that was never released has nothing to leave. */
    make(world, "30");
    assert_true(stop_is_no_wait(world) < USEC_PER_SEC);
}

static void a_worker_may_be_freed_while_it_stops(void **state) {
    struct world *world = *state;
    struct stopped stopped = {0};

    start(world, "30");
    expect_ready(world);
    assert_int_equal(worker_stop(world->worker, on_ended, &stopped), 0);
    free_is_quick(world);
    assert_true(sd_event_run(world->event, 0) >= 0);
    assert_false(stopped.ended);
}

/* --- A transport that ends -------------------------------------------------------------------------- */

static void a_transport_that_ends_at_once_is_started_ever_more_rarely(void **state) {
    struct world *world = *state;
    const atomic_uint_least64_t *started = world->stage->started_usec;

    atomic_store(&world->stage->card_mode, PROGRAM_DIES);
    start(world, "20");
    expect_card(world, KEYSTRAP_CARD_SERVICE_ABSENT, UICC_E_TRANSPORT);
    assert_non_null(strstr(world->seen[0].text, "exit code 9"));
    await_count(world, &world->stage->starts, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_true(started[i + 1] - started[i] >= PLUGIN_RESTART_MIN_USEC << i);

    /* All the same failure, told once; and then it works. */
    atomic_store(&world->stage->card_mode, CARD_ANSWERS);
    expect_ready(world);
}

static void
a_transport_whose_child_holds_the_socket_costs_no_cpu_and_is_started_again(void **state) {
    struct world *world = *state;
    const atomic_uint_least64_t *started = world->stage->started_usec;
    unsigned long long readings = atomic_load(&clocks.readings);

    atomic_store(&world->stage->card, KEYSTRAP_CARD_ABSENT);
    atomic_store(&world->stage->card_mode, PROGRAM_IS_PARENT);
    start(world, "20");
    await_count(world, &world->stage->starts, 4);
    for (unsigned i = 0; i < 3; i++)
        assert_true(started[i + 1] - started[i] >= PLUGIN_RESTART_MIN_USEC << i);
    /* A thread that does not sleep looks at the clock without end. */
    assert_true(atomic_load(&clocks.readings) - readings < 1000);

    atomic_store(&world->stage->card_mode, CARD_ANSWERS);
    change_card(world, KEYSTRAP_CARD_PRESENT);
    while (await(world)->r != 0)
        ;
}

/* --- All together ----------------------------------------------------------------------------------- */

/* A third of a second of jobs, some of them cancelled, with a card that comes and goes; ended in the middle. */
static void load(struct world *world, unsigned round) {
    uint64_t until = deadline_after(USEC_PER_SEC / 3);
    uint64_t last = 0;
    int64_t job = 0;

    world->count = world->next = 0;
    start(world, "20");
    for (unsigned i = 0; now_usec() < until && world->count < REPORTS_MAX / 2; i++) {
        job = i % 2 ? worker_bootstrap(world->worker) : worker_probe(world->worker);
        assert_true(job > 0);
        if (i % 3 == 0)
            worker_cancel(world->worker, (uint64_t)job);
        if (i % 5 == 0)
            worker_cancel(world->worker, (uint64_t)(job > 2 ? job - 2 : 1));
        if (i % 7 == round % 7) {
            atomic_store(&world->stage->card, i % 2 ? KEYSTRAP_CARD_ABSENT : KEYSTRAP_CARD_PRESENT);
            atomic_fetch_add(&world->stage->insertions, 1);
        }
        log_set_max_level(i % 2 ? LOG_ERR : LOG_INFO);
        turn(world, USEC_INFINITY);
    }
    world->worker = worker_free(world->worker);
    world->conf = conf_free(world->conf);

    assert_int_equal(world->seen[0].kind, WORKER_CARD);
    for (size_t i = 0; i < world->count; i++) {
        if (world->seen[i].kind == WORKER_CARD)
            continue;
        assert_int_equal(world->seen[i].job, last + 1);
        last = world->seen[i].job;
    }
    assert_true(last <= (uint64_t)job);
}

static void jobs_cancels_cards_and_restarts_do_not_get_into_each_others_way(void **state) {
    struct world *world = *state;

    for (unsigned round = 0; round < 6; round++)
        load(world, round);
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        CLAIM(the_card_is_told_of_before_any_job),
        CLAIM(each_change_of_the_card_is_told_once),
        CLAIM(jobs_are_answered_in_order_each_with_its_number),
        CLAIM(keys_overtake_commands_to_applications),
        CLAIM(a_mode_that_works_is_found_with_a_new_challenge_and_remembered),
        CLAIM(a_job_that_fails_says_why_and_when_to_come_back),
        CLAIM(without_the_http_program_a_job_names_it),
        CLAIM(a_worker_touches_nothing_until_it_is_released),
        CLAIM(a_queued_job_that_is_cancelled_is_told_so_and_not_run),
        CLAIM(a_running_job_that_is_cancelled_ends_at_once_and_alone),
        CLAIM(a_card_that_is_pulled_while_the_bsf_is_asked_takes_its_keys_along),
        CLAIM(a_card_that_is_pulled_a_moment_later_takes_its_keys_along_too),
        CLAIM(a_silent_card_costs_a_job_one_timeout),
        CLAIM(the_card_that_is_meant_is_found_wherever_it_is),
        CLAIM(when_no_card_is_the_one_that_is_meant_nobody_else_s_is_used),
        CLAIM(where_there_is_one_reader_its_next_card_may_be_the_one),
        CLAIM(stopping_holds_nobody_up_whatever_the_worker_waits_for),
        CLAIM(a_worker_may_be_freed_while_it_stops),
        CLAIM(freeing_waits_neither_for_a_silent_card_nor_by_the_wall_clock),
        CLAIM(freeing_waits_for_no_program_that_does_not_start),
        CLAIM(freeing_ends_a_request_that_is_under_way),
        CLAIM(a_transport_that_ends_at_once_is_started_ever_more_rarely),
        CLAIM(a_transport_whose_child_holds_the_socket_costs_no_cpu_and_is_started_again),
        CLAIM(jobs_cancels_cards_and_restarts_do_not_get_into_each_others_way),
    };

    if (argc == 1 && strcmp(argv[0], "uicc-test") == 0)
        be_transport();
    if (argc == 1 && strstr(argv[0], "/keystrap-http"))
        be_http(argv[0]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
