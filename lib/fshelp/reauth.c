/* SPDX-License-Identifier: GPL-2.0-or-later */
/* reauth: the server's half of io_reauthenticate; at the end the user's.

   Nobody waits for auth here: the user may come late or never, and a thread for each who never comes would be theirs to
   make.  auth's answer arrives as a message at an object, which keeps until then what is needed: the receive right of
   the port that the user gets, in no set, so that what he sends there already stays in its queue; and a reference to
   the object that he had a port to.  auth answers within a good minute at most (servers/auth/auth.h).

   The answer comes to a send-once right, so exactly once, be it that this right has died; then the object is idle and
   serves again: making a port and taking it out of the world is dearer than all the rest.

   Lock: idle_lock, a leaf. */

#include "reauth.h"

#include <hurd.h>
#include <hurd/auth.h>
#include <hurd/auth_request.h>
#include <mach/notify.h>

#include "auth_answer_S.h"

enum { AUTH_ANSWER = 25103, IDLE_MAX = 4 };

static pthread_mutex_t idle_lock = PTHREAD_MUTEX_INITIALIZER;
static struct fshelp_reauth *idle; /* each with a reference; idle_lock */
static unsigned int idle_count;    /* idle_lock */

static mig_routine_t reauth_routine(const mach_msg_header_t *message);
static const ports_interface_t reauth_interfaces[] = { reauth_routine, NULL };
static const struct ports_class_ops reauth_ops = {
    .name = "reauthentication", .size = sizeof(struct fshelp_reauth), .interfaces = reauth_interfaces,
};
struct ports_class fshelp_reauth_class = PORTS_CLASS(reauth_ops);

/* An idle one of OBJECT's bucket, or a new one, with a reference. */
static error_t reauth_obtain(struct ports_object *object, struct fshelp_reauth **result)
{
    struct fshelp_reauth *r;
    pthread_mutex_lock(&idle_lock);
    struct fshelp_reauth **at = &idle;
    while ((r = *at) != NULL && r->port.bucket != object->bucket)
        at = &r->next_idle;
    if (r != NULL) {
        *at = r->next_idle;
        idle_count--;
    }
    pthread_mutex_unlock(&idle_lock);
    *result = r;
    return r != NULL ? 0 : ports_object_create(&fshelp_reauth_class, object->bucket, result);
}

/* Nothing is under way on R any more: it gives back what it still has, and is idle or gone. */
static void reauth_release(struct fshelp_reauth *r)
{
    if (r->receive != MACH_PORT_NULL)
        mach_port_mod_refs(mach_task_self(), r->receive, MACH_PORT_RIGHT_RECEIVE, -1);
    ports_object_deref(r->object);
    r->receive = MACH_PORT_NULL;
    r->object = NULL;
    pthread_mutex_lock(&idle_lock);
    bool keep = idle_count < IDLE_MAX;
    if (keep) {
        r->next_idle = idle;
        idle = r;
        idle_count++;
    }
    pthread_mutex_unlock(&idle_lock);
    if (!keep)
        ports_object_deref(r);
}

error_t fshelp_reauthenticate(void *object, mach_port_t auth, mach_port_t rendezvous, fshelp_reauth_take_t take)
{
    struct fshelp_reauth *r;
    bool own = auth == MACH_PORT_NULL;
    if (own)
        auth = getauth();
    if (!MACH_PORT_VALID(auth))
        return EIEIO;
    error_t err = reauth_obtain(object, &r);
    if (err)
        goto out;
    ports_object_ref(object);
    r->object = object;
    r->take = take;
    r->receive = MACH_PORT_NULL;
    err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &r->receive);
    if (!err)
        err = auth_server_authenticate_request(auth, ports_object_receive_name(r), MACH_MSG_TYPE_MAKE_SEND_ONCE,
                                               rendezvous, MACH_MSG_TYPE_MOVE_SEND, r->receive,
                                               MACH_MSG_TYPE_MAKE_SEND);
    if (err)
        reauth_release(r);
out:
    if (own)
        mach_port_deallocate(mach_task_self(), auth);
    return err;
}

/* ---- auth's answer ------------------------------------------------------------- */

kern_return_t fshelp_S_auth_server_authenticate_reply(struct fshelp_reauth *r, kern_return_t code,
                                                      const_idarray_t euids, mach_msg_type_number_t euid_count,
                                                      const_idarray_t auids, mach_msg_type_number_t auid_count,
                                                      const_idarray_t egids, mach_msg_type_number_t egid_count,
                                                      const_idarray_t agids, mach_msg_type_number_t agid_count)
{
    (void) auids, (void) auid_count, (void) agids, (void) agid_count;
    if (r == NULL || r->object == NULL)
        return EOPNOTSUPP;
    struct fshelp_user *user = code ? NULL : fshelp_user_create(euids, euid_count, egids, egid_count);
    if (user != NULL && r->take(r->object, user, r->receive) == 0)
        r->receive = MACH_PORT_NULL;
    if (user != NULL)
        fshelp_user_deref(user);
    reauth_release(r);
    return 0;
}

/* An error without arguments, or the notice that auth has lost the right to answer. */
static void reauth_refused(mach_msg_header_t *message, mach_msg_header_t *reply)
{
    struct fshelp_reauth *r = ports_payload_lookup(message->msgh_protected_payload, &fshelp_reauth_class);
    if (r != NULL && r->object != NULL)
        reauth_release(r);
    if (r != NULL)
        ports_object_deref(r);
    ((mig_reply_header_t *) reply)->RetCode = MIG_NO_REPLY;
}

static mig_routine_t reauth_routine(const mach_msg_header_t *message)
{
    bool answer = message->msgh_id == AUTH_ANSWER;
    if (message->msgh_id == MACH_NOTIFY_SEND_ONCE || (answer && message->msgh_size == sizeof(mig_reply_header_t)))
        return reauth_refused;
    return answer ? auth_answer_server_routine(message) : NULL;
}

/* ---- the user's half ------------------------------------------------------------------------------------- */

error_t fshelp_port_renew(mach_port_t *port, mach_port_t auth, fshelp_reauth_ask_t ask)
{
    mach_port_t rendezvous = mach_reply_port(), fresh = MACH_PORT_NULL;
    error_t err = ask(*port, rendezvous, MACH_MSG_TYPE_MAKE_SEND);
    if (!err)
        err = auth_user_authenticate(auth, rendezvous, MACH_MSG_TYPE_MAKE_SEND, &fresh);
    mach_port_mod_refs(mach_task_self(), rendezvous, MACH_PORT_RIGHT_RECEIVE, -1);
    if (!err && !MACH_PORT_VALID(fresh))
        err = EINVAL;
    if (err)
        return err;
    mach_port_deallocate(mach_task_self(), *port);
    *port = fresh;
    return 0;
}
