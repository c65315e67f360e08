/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Applications on the cards, for callers.
 *
 * The main thread has the sessions and channels, knows whose they are and what may go through them; the card's
 * worker has the card's side of each channel under the same number (card-se.c). A channel is opened by one job and used
 * by one job for each command, and a channel that nobody has any more is closed by one. When the worker goes, all its
 * channels are gone; what is left here is a number that answers SE_E_CLOSED.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "agent-internal.h"
#include "se.h"
#include "util.h"

struct agent_se_session {
    struct agent_se_session *next;
    struct agent_se_client *client;
    struct agent_card *card; /* NULL once it is not configured any more */
    uint32_t number;
};

struct agent_se_client {
    struct agent_se_client *next;
    struct agent *agent;
    struct access_caller caller;
    struct agent_se_session *sessions;
};

enum channel_state {
    CHANNEL_OPENING,
    CHANNEL_OPEN,
    CHANNEL_CLOSED, /* on the card; its owner has not let go of it yet */
};

/* In the list of its card. */
struct agent_se_channel {
    struct agent_se_channel *next;
    struct agent_card *card;
    struct agent_se_session *session; /* NULL: its caller left while it was being opened */
    uid_t uid;
    uint32_t number;
    enum channel_state state;
    uint8_t aid[AID_MAX];
    size_t aid_length;
    struct access_aid_grant grant;
    struct ara_decision decision;
    struct agent_request *request; /* that waits for the worker, or NULL */
    struct failure closed;         /* why, with CHANNEL_CLOSED */
};

/* --- Clients and sessions -------------------------------------------------------------------------- */

int agent_se_client_new(struct agent *agent, const struct access_caller *caller,
                        struct agent_se_client **ret) {
    struct agent_se_client *client = malloc(sizeof(*client));

    if (!client)
        return -ENOMEM;
    *client =
        (struct agent_se_client){.next = agent->se_clients, .agent = agent, .caller = *caller};
    agent->se_clients = client;
    *ret = client;
    return 0;
}

bool agent_se_client_idle(const struct agent_se_client *client) {
    return !client->sessions;
}

static size_t count_sessions(const struct agent_se_client *client) {
    size_t count = 0;

    for (const struct agent_se_session *s = client->sessions; s; s = s->next)
        count++;
    return count;
}

static int check_sessions(const struct agent_se_client *client, struct failure *failure) {
    size_t all = 0;

    for (const struct agent_se_client *c = client->agent->se_clients; c; c = c->next)
        all += count_sessions(c);
    if (all >= SE_SESSIONS_MAX || count_sessions(client) >= SE_SESSIONS_PER_CALLER_MAX)
        return failure_set(failure, ACCESS_E_TOO_MANY,
                           "a caller may have %u sessions, and all together %u; close one first",
                           SE_SESSIONS_PER_CALLER_MAX, SE_SESSIONS_MAX);
    return 0;
}

/* One count for both: a number that was given once comes again after four thousand million others. */
static uint32_t next_number(struct agent *agent) {
    if (++agent->se_last == 0)
        agent->se_last = 1;
    return agent->se_last;
}

int agent_se_open_session(struct agent_se_client *client, const char *uicc, uint32_t *ret,
                          struct failure *failure) {
    struct agent_se_session *session;
    struct agent_card *card;
    int r;

    r = agent_find_card(client->agent, uicc, &card, failure);
    if (r == 0)
        r = check_sessions(client, failure);
    if (r != 0)
        return r;
    session = malloc(sizeof(*session));
    if (!session)
        return -ENOMEM;
    *session = (struct agent_se_session){.next = client->sessions,
                                         .client = client,
                                         .card = card,
                                         .number = next_number(client->agent)};
    client->sessions = session;
    *ret = session->number;
    return 0;
}

static struct agent_se_session *find_session(struct agent_se_client *client, uint32_t number) {
    for (struct agent_se_session *s = client->sessions; s; s = s->next)
        if (s->number == number)
            return s;
    return NULL;
}

/* --- Channels -------------------------------------------------------------------------------------- */

static struct agent_se_channel *channel_of(const struct agent_card *card, uint32_t number) {
    for (struct agent_se_channel *c = card->channels; c; c = c->next)
        if (c->number == number)
            return c;
    return NULL;
}

static struct agent_se_channel *find_channel(struct agent_se_client *client, uint32_t number) {
    struct agent_se_channel *channel;

    for (struct agent_se_session *s = client->sessions; s; s = s->next) {
        channel = s->card ? channel_of(s->card, number) : NULL;
        if (channel && channel->session && channel->session->client == client)
            return channel;
    }
    return NULL;
}

static void free_channel(struct agent_se_channel *channel) {
    struct agent_se_channel **at = &channel->card->channels;

    while (*at != channel)
        at = &(*at)->next;
    *at = channel->next;
    free(channel);
}

static int queue_job(struct agent_card *card, enum worker_report_kind kind, struct worker_se *se) {
    int64_t job = card->worker ? worker_se(card->worker, kind, se) : -ESRCH;

    if (job < 0)
        worker_se_free(se);
    return job < 0 ? (int)job : 0;
}

/* Where there is no memory for it, the channel stays until the worker gives its card up. */
static void queue_close(struct agent_card *card, uint32_t number) {
    struct worker_se *se = calloc(1, sizeof(*se));

    if (!se)
        return;
    se->channel = number;
    (void)queue_job(card, WORKER_SE_CLOSE, se);
}

/* Answer who waits for the channel. The channel may be gone afterwards, and is not touched any more. */
static void answer(struct agent_request *request, int r, const struct agent_se_answer *answer,
                   const struct failure *failure) {
    struct failure told = failure ? *failure : (struct failure){0};

    if (r != 0)
        (void)failure_set(&told, r, "%s", outcome_name(r));
    request->se_done(r, r == 0 ? answer : NULL, r == 0 ? NULL : &told, request->userdata);
    free(request);
}

static struct agent_request *take_request(struct agent_se_channel *channel) {
    struct agent_request *request = TAKE_PTR(channel->request);

    if (request) {
        agent_request_list_remove(request);
        channel->card->agent->pending--;
    }
    return request;
}

/* The card's side is closed, or about to be: who waits is told, who asks later as well. */
static void mark_closed(struct agent_se_channel *channel, const struct failure *failure) {
    struct agent_request *request = take_request(channel);
    bool was_open = channel->state == CHANNEL_OPEN;

    channel->closed = *failure;
    channel->state = CHANNEL_CLOSED;
    if (!channel->session || !was_open)
        free_channel(channel); /* its owner does not know its number */
    if (request)
        answer(request, failure->code, NULL, failure);
}

/* Nobody has the channel any more. */
static void let_go(struct agent_se_channel *channel) {
    struct failure failure = {0};
    struct agent_request *request = take_request(channel);

    if (channel->state == CHANNEL_OPENING) {
        channel->session = NULL; /* and is closed when it is open */
    } else {
        if (channel->state == CHANNEL_OPEN)
            queue_close(channel->card, channel->number);
        free_channel(channel);
    }
    (void)failure_set(&failure, SE_E_CLOSED, "the channel was closed by its owner meanwhile");
    if (request)
        answer(request, SE_E_CLOSED, NULL, &failure);
}

static void free_session(struct agent_se_session *session) {
    struct agent_se_session **at = &session->client->sessions;

    while (*at != session)
        at = &(*at)->next;
    *at = session->next;
    free(session);
}

static void close_session(struct agent_se_session *session) {
    struct agent_se_channel *channel = session->card ? session->card->channels : NULL;

    while (channel) {
        if (channel->session == session) {
            let_go(channel);
            channel = session->card->channels; /* answers may have changed the list */
        } else {
            channel = channel->next;
        }
    }
    free_session(session);
}

int agent_se_close_session(struct agent_se_client *client, uint32_t session,
                           struct failure *failure) {
    struct agent_se_session *found = find_session(client, session);

    if (!found)
        return failure_set(failure, SE_E_CLOSED, "this caller has no session %u", session);
    close_session(found);
    return 0;
}

struct agent_se_client *agent_se_client_free(struct agent_se_client *client) {
    struct agent_se_client **at;

    if (!client)
        return NULL;
    while (client->sessions)
        close_session(client->sessions);
    at = &client->agent->se_clients;
    while (*at != client)
        at = &(*at)->next;
    *at = client->next;
    free(client);
    return NULL;
}

/* --- Opening ---------------------------------------------------------------------------------------- */

static int check_channels(const struct agent_se_session *session, struct failure *failure) {
    size_t all = 0, user = 0, caller = 0;

    for (const struct agent_se_channel *c = session->card->channels; c; c = c->next) {
        all++;
        user += c->uid == session->client->caller.uid;
        caller += c->session && c->session->client == session->client;
    }
    if (all < SE_CHANNELS_PER_CARD_MAX && user < SE_CHANNELS_PER_USER_MAX &&
        caller < SE_CHANNELS_PER_CALLER_MAX)
        return agent_check_pending(session->client->agent, &session->client->caller, failure);
    return failure_set(failure, ACCESS_E_TOO_MANY,
                       "%zu channels of the card are open, %zu of this user, %zu of this caller; "
                       "close one first",
                       all, user, caller);
}

static int check_session(struct agent_se_client *client, uint32_t number,
                         struct agent_se_session **ret, struct failure *failure) {
    struct agent_se_session *session = find_session(client, number);

    if (!session || !session->card)
        return failure_set(failure, SE_E_CLOSED,
                           session ? "the card of session %u is not configured any more"
                                   : "this caller has no session %u",
                           number);
    *ret = session;
    return 0;
}

static int wait_for(struct agent_se_channel *channel, const struct access_caller *caller,
                    agent_se_fn done, void *userdata) {
    struct agent_request *request = malloc(sizeof(*request));

    if (!request)
        return -ENOMEM;
    *request = (struct agent_request){.card = channel->card,
                                      .kind = AGENT_REQUEST_SE,
                                      .caller = *caller,
                                      .se_done = done,
                                      .channel = channel,
                                      .userdata = userdata};
    agent_request_list_append(&channel->card->transmitting, request);
    channel->card->agent->pending++;
    channel->request = request;
    return 0;
}

static int queue_open(const struct agent_se_channel *channel) {
    struct worker_se *se = calloc(1, sizeof(*se));

    if (!se)
        return -ENOMEM;
    se->channel = channel->number;
    memcpy(se->aid, channel->aid, sizeof(se->aid));
    se->aid_length = channel->aid_length;
    memcpy(se->hashes, channel->grant.hashes, sizeof(se->hashes));
    se->hashes_count = channel->grant.hashes_count;
    return queue_job(channel->card, WORKER_SE_OPEN, se);
}

static int open_channel(struct agent_se_session *session, const uint8_t *aid, size_t aid_length,
                        const struct access_aid_grant *grant, agent_se_fn done, void *userdata,
                        struct agent_request **ret) {
    struct agent_se_channel *channel = calloc(1, sizeof(*channel));
    int r;

    if (!channel)
        return -ENOMEM;
    *channel = (struct agent_se_channel){.next = session->card->channels,
                                         .card = session->card,
                                         .session = session,
                                         .uid = session->client->caller.uid,
                                         .number = next_number(session->client->agent),
                                         .aid_length = aid_length,
                                         .grant = *grant};
    memcpy(channel->aid, aid, aid_length);
    session->card->channels = channel;
    r = wait_for(channel, &session->client->caller, done, userdata);
    if (r == 0)
        r = queue_open(channel);
    if (r < 0) {
        free(take_request(channel));
        free_channel(channel);
        return r;
    }
    *ret = channel->request;
    return 0;
}

int agent_se_open_channel(struct agent_se_client *client, uint32_t session, const uint8_t *aid,
                          size_t aid_length, agent_se_fn done, void *userdata,
                          struct agent_request **ret) {
    struct agent_se_session *found = NULL;
    struct access_aid_grant grant;
    struct failure failure = {0};
    int r;

    *ret = NULL;
    r = check_session(client, session, &found, &failure);
    if (r == 0)
        r = access_check_aid(client->agent->access, &client->caller, aid, aid_length, &grant,
                             &failure);
    if (r == ACCESS_E_DENIED)
        agent_log_denial(client->agent, &client->caller, &failure);
    if (r == 0)
        r = check_channels(found, &failure);
    if (r == 0)
        return open_channel(found, aid, aid_length, &grant, done, userdata, ret);
    done(r, NULL, &failure, userdata);
    return 0;
}

/* --- Transmitting ----------------------------------------------------------------------------------- */

static int check_command(struct agent_se_channel *channel, const uint8_t *command, size_t length,
                         struct failure *failure) {
    struct apdu apdu;
    int r;

    if (channel->state == CHANNEL_CLOSED)
        return failure_set(failure, SE_E_CLOSED, "%s", channel->closed.text);
    if (channel->request)
        return failure_set(failure, ACCESS_E_TOO_MANY,
                           "a command of this channel is under way; wait for its answer first");
    r = se_command_parse(command, length, channel->grant.pin, &apdu, failure);
    if (r != 0)
        return r;
    if (!ara_permits(&channel->decision, apdu.cla, apdu.ins, apdu.p1, apdu.p2))
        return failure_set(failure, SE_E_CARD_RULES,
                           "The card's own rules (ARA-M) let no command %02X %02X %02X %02X pass "
                           "to this application",
                           apdu.cla, apdu.ins, apdu.p1, apdu.p2);
    return agent_check_pending(channel->card->agent, &channel->session->client->caller, failure);
}

static int transmit(struct agent_se_channel *channel, const uint8_t *command, size_t length,
                    agent_se_fn done, void *userdata, struct agent_request **ret) {
    struct worker_se *se = calloc(1, sizeof(*se));
    int r;

    if (!se)
        return -ENOMEM;
    se->channel = channel->number;
    r = secret_new_copy(command, length, &se->command);
    if (r == 0)
        r = wait_for(channel, &channel->session->client->caller, done, userdata);
    if (r < 0) {
        worker_se_free(se);
        return r;
    }
    r = queue_job(channel->card, WORKER_SE_TRANSMIT, se);
    if (r < 0)
        free(take_request(channel));
    else
        *ret = channel->request;
    return r;
}

int agent_se_transmit(struct agent_se_client *client, uint32_t channel, const uint8_t *command,
                      size_t length, agent_se_fn done, void *userdata, struct agent_request **ret) {
    struct agent_se_channel *found = find_channel(client, channel);
    struct failure failure = {0};
    int r;

    *ret = NULL;
    if (found)
        r = check_command(found, command, length, &failure);
    else
        r = failure_set(&failure, SE_E_CLOSED, "this caller has no channel %u", channel);
    if (r == SE_E_CARD_RULES)
        agent_log_denial(client->agent, &client->caller, &failure);
    if (r == 0)
        return transmit(found, command, length, done, userdata, ret);
    done(r, NULL, &failure, userdata);
    return 0;
}

int agent_se_close_channel(struct agent_se_client *client, uint32_t channel,
                           struct failure *failure) {
    struct agent_se_channel *found = find_channel(client, channel);

    if (!found)
        return failure_set(failure, SE_E_CLOSED, "this caller has no channel %u", channel);
    let_go(found);
    return 0;
}

/* --- What the worker reports ------------------------------------------------------------------------ */

/* The rules may have been loaded again while the channel was being opened. */
static int opened(struct agent_se_channel *channel, const struct worker_report *report,
                  struct failure *failure) {
    const struct agent_se_client *client = channel->session->client;

    channel->state = CHANNEL_OPEN;
    channel->decision = report->se->decision;
    return access_check_aid(client->agent->access, &client->caller, channel->aid,
                            channel->aid_length, NULL, failure);
}

static void on_open(struct agent_se_channel *channel, struct worker_report *report) {
    struct agent_request *request = take_request(channel);
    struct agent_se_answer told = {.channel = channel->number, .length = report->se->answer.length};
    struct failure failure = report->failure;
    int r = report->r;

    if (r == SE_E_CARD_RULES && channel->session)
        agent_log_denial(channel->card->agent, &channel->session->client->caller, &failure);
    if (r == 0 && channel->session)
        r = opened(channel, report, &failure);
    if (report->r == 0 && (r != 0 || !channel->session))
        queue_close(channel->card, channel->number);
    if (r != 0 || !channel->session)
        free_channel(channel);
    if (r == 0)
        told.data = secret_data(report->se->answer.data);
    if (request)
        answer(request, r, &told, &failure);
}

static void on_transmit(struct agent_se_channel *channel, struct worker_report *report) {
    struct agent_request *request = take_request(channel);
    const struct agent_se_answer told = {
        .channel = channel->number,
        .data = report->r == 0 ? secret_data(report->se->answer.data) : NULL,
        .length = report->se->answer.length};

    if (report->r == SE_E_CLOSED) {
        channel->state = CHANNEL_CLOSED;
        channel->closed = report->failure;
    }
    if (request)
        answer(request, report->r, &told, &report->failure);
}

void agent_se_on_report(struct agent_card *card, struct worker_report *report) {
    struct agent_se_channel *channel = channel_of(card, report->se->channel);

    if (report->kind == WORKER_SE_CLOSE || !channel)
        return;
    if (channel->state == CHANNEL_OPENING)
        on_open(channel, report);
    else
        on_transmit(channel, report);
}

void agent_se_cancelled(struct agent_request *request) {
    struct agent_se_channel *channel = request->channel;

    channel->request = NULL;
    if (channel->state == CHANNEL_OPENING)
        channel->session = NULL;
}

/* --- What ends channels from outside ------------------------------------------------------------------ */

void agent_se_lose_channels(struct agent_card *card, const struct failure *failure) {
    struct agent_se_channel *channel = card->channels;

    while (channel) {
        if (channel->state != CHANNEL_CLOSED) {
            mark_closed(channel, failure);
            channel = card->channels; /* answers may have changed the list */
        } else {
            channel = channel->next;
        }
    }
}

void agent_se_lose_card(struct agent_card *card, const struct failure *failure) {
    agent_se_lose_channels(card, failure);
    while (card->channels)
        free_channel(card->channels);
    for (struct agent_se_client *c = card->agent->se_clients; c; c = c->next)
        for (struct agent_se_session *s = c->sessions; s; s = s->next)
            if (s->card == card)
                s->card = NULL;
}

static bool same_grant(const struct access_aid_grant *a, const struct access_aid_grant *b) {
    if (a->hashes_count != b->hashes_count)
        return false;
    for (size_t i = 0; i < a->hashes_count; i++)
        if (a->hashes[i].length != b->hashes[i].length ||
            memcmp(a->hashes[i].value, b->hashes[i].value, a->hashes[i].length) != 0)
            return false;
    return true;
}

/* Returns whether the channel was closed. */
static bool check_rules(struct agent *agent, struct agent_se_channel *channel) {
    struct access_aid_grant grant;
    struct failure failure = {0};
    int r;

    if (channel->state != CHANNEL_OPEN)
        return false;
    r = access_check_aid(agent->access, &channel->session->client->caller, channel->aid,
                         channel->aid_length, &grant, &failure);
    if (r == 0 && same_grant(&channel->grant, &grant)) {
        channel->grant.pin = grant.pin;
        return false;
    }
    /* What the card's rules said was said to another DeviceAppHash=. */
    if (r == 0)
        (void)failure_set(&failure, SE_E_CLOSED,
                          "the rules were changed; open the channel again to be judged by them");
    queue_close(channel->card, channel->number);
    mark_closed(channel, &failure);
    return true;
}

void agent_se_check_rules(struct agent *agent) {
    for (size_t i = 0; i < agent->cards_count; i++) {
        struct agent_se_channel *channel = agent->cards[i]->channels;

        while (channel)
            channel = check_rules(agent, channel) ? agent->cards[i]->channels : channel->next;
    }
}
