/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Lists of requests: rings, so that a request leaves its list without knowing which one it is.
 */

#include "agent-internal.h"

void agent_request_list_init(struct agent_request_list *list) {
    list->head.previous = list->head.next = &list->head;
}

void agent_request_list_append(struct agent_request_list *list, struct agent_request *request) {
    request->previous = list->head.previous;
    request->next = &list->head;
    list->head.previous->next = request;
    list->head.previous = request;
}

void agent_request_list_remove(struct agent_request *request) {
    request->previous->next = request->next;
    request->next->previous = request->previous;
}

struct agent_request *agent_request_list_pop(struct agent_request_list *list) {
    struct agent_request *request = list->head.next;

    if (request == &list->head)
        return NULL;
    agent_request_list_remove(request);
    return request;
}

bool agent_request_list_empty(const struct agent_request_list *list) {
    return list->head.next == &list->head;
}

void agent_request_list_take(struct agent_request_list *from, struct agent_request_list *ret) {
    struct agent_request *request;

    agent_request_list_init(ret);
    while ((request = agent_request_list_pop(from)))
        agent_request_list_append(ret, request);
}

size_t agent_request_list_count_user(const struct agent_request_list *list, uid_t uid) {
    size_t count = 0;

    for (const struct agent_request *request = list->head.next; request != &list->head;
         request = request->next)
        count += request->caller.uid == uid;
    return count;
}
