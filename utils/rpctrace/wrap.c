/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wrappers and their lives (rpctrace.h). */

#include "rpctrace.h"

#include <mach/notify.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

mach_port_t wrap_set, wrap_notify;

static void *by_receive, *by_target; /* trees of struct wrapper; once-wrappers are in the first alone */
static unsigned int numbers;

static int receive_compare(const void *left, const void *right)
{
    const struct wrapper *a = left, *b = right;
    return (a->receive > b->receive) - (a->receive < b->receive);
}

static int target_compare(const void *left, const void *right)
{
    const struct wrapper *a = left, *b = right;
    return (a->target > b->target) - (a->target < b->target);
}

static struct wrapper *find(void *const *tree, int (*compare)(const void *, const void *), struct wrapper like)
{
    struct wrapper **at = tfind(&like, tree, compare);
    return at ? *at : NULL;
}

static void must(kern_return_t kr)
{
    if (kr) {
        fprintf(stderr, "rpctrace: cannot make a port: %s\n", strerror(kr));
        exit(1);
    }
}

void wrap_init(void)
{
    must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &wrap_set));
    must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &wrap_notify));
    must(mach_port_move_member(mach_task_self(), wrap_notify, wrap_set));
}

struct wrapper *wrap_lookup(mach_port_t name)
{
    return find(&by_receive, receive_compare, (struct wrapper){.receive = name});
}

struct wrapper *wrap_find(mach_port_t target)
{
    return find(&by_target, target_compare, (struct wrapper){.target = target});
}

static struct wrapper *wrapper_create(mach_port_t target, bool once, const char *label)
{
    struct wrapper *wrapper = calloc(1, sizeof *wrapper);
    if (wrapper == NULL)
        must(KERN_RESOURCE_SHORTAGE);
    must(mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &wrapper->receive));
    must(mach_port_move_member(mach_task_self(), wrapper->receive, wrap_set));
    wrapper->target = target;
    wrapper->once = once;
    if (label)
        snprintf(wrapper->label, sizeof wrapper->label, "%s", label);
    else
        snprintf(wrapper->label, sizeof wrapper->label, "%u", ++numbers);
    if (tsearch(wrapper, &by_receive, receive_compare) == NULL)
        must(KERN_RESOURCE_SHORTAGE);
    return wrapper;
}

/* Asks for WHAT (a notification) about NAME, to be sent to NOTIFY.  Nobody has asked before. */
static kern_return_t notify_request(mach_port_t name, int what, mach_port_t notify)
{
    mach_port_t previous;
    return mach_port_request_notification(mach_task_self(), name, what, 0, notify, MACH_MSG_TYPE_MAKE_SEND_ONCE,
                                          &previous);
}

struct wrapper *wrap_send(mach_port_t target, const char *label)
{
    struct wrapper *wrapper = wrap_find(target);
    if (wrapper) {
        mach_port_deallocate(mach_task_self(), target);
        return wrapper;
    }
    if (notify_request(target, MACH_NOTIFY_DEAD_NAME, wrap_notify)) {
        mach_port_deallocate(mach_task_self(), target);
        return NULL;
    }
    wrapper = wrapper_create(target, false, label);
    if (tsearch(wrapper, &by_target, target_compare) == NULL)
        must(KERN_RESOURCE_SHORTAGE);
    return wrapper;
}

struct wrapper *wrap_once(mach_port_t target, const char *label)
{
    return wrapper_create(target, true, label);
}

mach_port_t wrap_make_send(struct wrapper *wrapper)
{
    must(mach_port_insert_right(mach_task_self(), wrapper->receive, wrapper->receive, MACH_MSG_TYPE_MAKE_SEND));
    if (!wrapper->once && !wrapper->watched)
        wrapper->watched = notify_request(wrapper->receive, MACH_NOTIFY_NO_SENDERS, wrapper->receive) == KERN_SUCCESS;
    return wrapper->receive;
}

void wrap_destroy(struct wrapper *wrapper, bool spent)
{
    tdelete(wrapper, &by_receive, receive_compare);
    if (!wrapper->once)
        tdelete(wrapper, &by_target, target_compare);
    mach_port_mod_refs(mach_task_self(), wrapper->receive, MACH_PORT_RIGHT_RECEIVE, -1);
    if (!spent)
        mach_port_deallocate(mach_task_self(), wrapper->target);
    free(wrapper);
}

void wrap_no_senders(struct wrapper *wrapper)
{
    mach_port_status_t status;
    wrapper->watched = false;
    /* made meanwhile */
    if (mach_port_get_receive_status(mach_task_self(), wrapper->receive, &status) == KERN_SUCCESS && status.mps_srights)
        wrapper->watched = notify_request(wrapper->receive, MACH_NOTIFY_NO_SENDERS, wrapper->receive) == KERN_SUCCESS;
    else
        wrap_destroy(wrapper, false);
}

void wrap_target_died(mach_port_t target)
{
    struct wrapper *wrapper = wrap_find(target);
    mach_port_deallocate(mach_task_self(), target); /* the notification's reference */
    if (wrapper)
        wrap_destroy(wrapper, false);
}
