/* SPDX-License-Identifier: GPL-2.0-or-later */
/* server: handles and the routines of auth.defs. */

#include "auth.h"
#include "auth_S.h"
#include "interrupt_S.h"

#include <stdlib.h>
#include <string.h>

static void handle_destroy(struct ports_object *object)
{
    ids_destroy(&((struct auth_handle *) object)->ids);
}

static void handle_dead_name(struct ports_object *object, mach_port_t name)
{
    auth_rendezvous_dead((struct auth_handle *) object, name);
}

/* Whoever sent requests to it has ended, or does not care. */
static void handle_no_senders(struct ports_object *object)
{
    auth_rendezvous_end((struct auth_handle *) object);
}

static const ports_interface_t handle_interfaces[] = { auth_server_routine, interrupt_server_routine, NULL };
static const struct ports_class_ops handle_ops = {
    .name = "auth handle", .size = sizeof(struct auth_handle), .interfaces = handle_interfaces,
    .destroy = handle_destroy, .no_senders = handle_no_senders, .dead_name = handle_dead_name,
};
struct ports_class auth_handle_class = PORTS_CLASS(handle_ops);

error_t auth_handle_create(const struct ids *ids, struct auth_handle **handle)
{
    error_t err = ports_object_create(&auth_handle_class, auth_bucket, handle);

    if (err)
        return err;
    (*handle)->ids = *ids;
    TAILQ_INIT(&(*handle)->waiters);
    return 0;
}

/* ---- ids in answers ------------------------------------------------------------- */

/* A list too long for the message is sent from where it lies, after the routine has returned: the handle that the last
   such answer of this thread came from must live until then. */
static __thread struct auth_handle *reply_source;

static void reply_list(const struct ids_list *list, idarray_t *ids, mach_msg_type_number_t *count, bool *long_list)
{
    if (list->count > *count) {
        *ids = list->ids;
        *long_list = true;
    } else
        memcpy(*ids, list->ids, list->count * sizeof **ids);
    *count = list->count;
}

static void reply_ids(struct auth_handle *handle, idarray_t *euids, mach_msg_type_number_t *euid_count,
                      idarray_t *auids, mach_msg_type_number_t *auid_count, idarray_t *egids,
                      mach_msg_type_number_t *egid_count, idarray_t *agids, mach_msg_type_number_t *agid_count)
{
    bool long_list = false;

    reply_list(&handle->ids.euids, euids, euid_count, &long_list);
    reply_list(&handle->ids.auids, auids, auid_count, &long_list);
    reply_list(&handle->ids.egids, egids, egid_count, &long_list);
    reply_list(&handle->ids.agids, agids, agid_count, &long_list);
    if (long_list) {
        ports_object_ref(handle);
        if (reply_source != NULL)
            ports_object_deref(reply_source);
        reply_source = handle;
    }
}

/* ---- auth.defs --------------------------------------------------------------------- */

kern_return_t S_auth_getids(struct auth_handle *handle, idarray_t *euids, mach_msg_type_number_t *euid_count,
                            idarray_t *auids, mach_msg_type_number_t *auid_count, idarray_t *egids,
                            mach_msg_type_number_t *egid_count, idarray_t *agids, mach_msg_type_number_t *agid_count)
{
    if (handle == NULL)
        return EOPNOTSUPP;
    reply_ids(handle, euids, euid_count, auids, auid_count, egids, egid_count, agids, agid_count);
    return 0;
}

/* The handles behind PORTS, each with a reference, after HANDLE itself.  EINVAL for a port that is none. */
static error_t collect_handles(struct auth_handle *handle, const mach_port_t *ports, unsigned int count,
                               struct auth_handle **handles, unsigned int *collected)
{
    ports_object_ref(handle);
    handles[0] = handle;
    *collected = 1;
    for (unsigned int i = 0; i < count; i++) {
        if (!MACH_PORT_VALID(ports[i]))
            continue;
        struct auth_handle *other = ports_object_lookup(auth_bucket, ports[i], &auth_handle_class);
        if (other == NULL)
            return EINVAL;
        handles[(*collected)++] = other;
    }
    return 0;
}

static error_t check_handles(struct auth_handle **handles, unsigned int count, const struct ids *wanted)
{
    const struct ids **given = malloc(count * sizeof *given);

    if (given == NULL)
        return ENOMEM;
    for (unsigned int i = 0; i < count; i++)
        given[i] = &handles[i]->ids;
    error_t err = ids_check(given, count, wanted);
    free(given);
    return err;
}

static struct ids_list list_of(const_idarray_t ids, mach_msg_type_number_t count)
{
    return (struct ids_list) { (uid_t *) ids, count };
}

kern_return_t S_auth_makeauth(struct auth_handle *handle, const_portarray_t others, mach_msg_type_number_t other_count,
                              const_idarray_t euids, mach_msg_type_number_t euid_count, const_idarray_t auids,
                              mach_msg_type_number_t auid_count, const_idarray_t egids,
                              mach_msg_type_number_t egid_count, const_idarray_t agids,
                              mach_msg_type_number_t agid_count, mach_port_t *newhandle)
{
    struct ids_list wanted[4] = {list_of(euids, euid_count), list_of(auids, auid_count), list_of(egids, egid_count),
                                 list_of(agids, agid_count)};
    struct auth_handle **handles, *made;
    struct ids ids;
    unsigned int collected;
    error_t err;

    if (handle == NULL)
        return EOPNOTSUPP;
    /* Copied before they are looked at: they may lie in memory that its owner changes meanwhile, or cannot give. */
    err = ids_create(&ids, &wanted[0], &wanted[1], &wanted[2], &wanted[3], ports_copy_guarded);
    if (err)
        return err;
    handles = malloc(((size_t) other_count + 1) * sizeof *handles);
    if (handles == NULL) {
        ids_destroy(&ids);
        return ENOMEM;
    }
    err = collect_handles(handle, others, other_count, handles, &collected);
    if (!err)
        err = check_handles(handles, collected, &ids);
    if (!err)
        err = auth_handle_create(&ids, &made);
    if (err)
        ids_destroy(&ids);
    else {
        *newhandle = ports_object_make_send_name(made);
        ports_object_deref(made);
        for (unsigned int i = 0; i < other_count; i++)
            if (MACH_PORT_VALID(others[i]))
                mach_port_deallocate(mach_task_self(), others[i]);
    }
    for (unsigned int i = 0; i < collected; i++)
        ports_object_deref(handles[i]);
    free(handles);
    return err;
}

kern_return_t S_auth_user_authenticate(struct auth_handle *handle, mach_port_t reply, mach_msg_type_name_t reply_type,
                                       mach_port_t rendezvous, mach_port_t *newport, mach_msg_type_name_t *newport_type)
{
    if (handle == NULL)
        return EOPNOTSUPP;
    if (!MACH_PORT_VALID(rendezvous))
        return EINVAL;
    *newport_type = MACH_MSG_TYPE_MOVE_SEND;
    return auth_rendezvous_user(handle, (struct auth_reply) { reply, reply_type }, rendezvous, newport);
}

kern_return_t S_auth_server_authenticate(struct auth_handle *handle, mach_port_t reply, mach_msg_type_name_t reply_type,
                                         mach_port_t rendezvous, mach_port_t newport, mach_msg_type_name_t newport_type,
                                         idarray_t *euids, mach_msg_type_number_t *euid_count, idarray_t *auids,
                                         mach_msg_type_number_t *auid_count, idarray_t *egids,
                                         mach_msg_type_number_t *egid_count, idarray_t *agids,
                                         mach_msg_type_number_t *agid_count)
{
    struct auth_handle *user;
    kern_return_t err;

    if (handle == NULL)
        return EOPNOTSUPP;
    /* The user's half of the interface knows but send rights. */
    if (!MACH_PORT_VALID(rendezvous) || (MACH_PORT_VALID(newport) && newport_type != MACH_MSG_TYPE_PORT_SEND))
        return EINVAL;
    if (!MACH_PORT_VALID(newport))
        newport = MACH_PORT_NULL;
    err = auth_rendezvous_server(handle, (struct auth_reply) { reply, reply_type }, rendezvous, newport, &user);
    if (err)
        return err;
    reply_ids(user, euids, euid_count, auids, auid_count, egids, egid_count, agids, agid_count);
    ports_object_deref(user);
    return 0;
}

/* ---- interrupt.defs ------------------------------------------------------------------ */

/* Nobody is ever kept inside a routine here; those who wait are in the table, and all of them came before. */
kern_return_t S_interrupt_operation(struct auth_handle *handle, mach_port_seqno_t seqno)
{
    (void) seqno;
    if (handle == NULL)
        return EOPNOTSUPP;
    auth_rendezvous_interrupt(handle);
    return 0;
}
