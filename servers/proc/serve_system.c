/* SPDX-License-Identifier: GPL-2.0-or-later */
/* serve_system.c: what there is once in a system: its privileged ports, the standard arrays of exec, its versions, and
   namespaces of tasks. */

#include <mach/mach_host.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "exec_U.h"
#include "process_S.h"
#include "server.h"

/* The standard exec data, and who wants to know it; proc_lock. */
static mach_port_t *std_ports;   /* send rights, owned */
static size_t std_port_count;
static int *std_ints;
static size_t std_int_count;
static mach_port_t *watchers;    /* send rights, owned */
static size_t watcher_count;

/* What servers have registered as their versions; proc_lock. */
struct version {
    struct version *next;
    char *name, *release, *version;
};
static struct version *versions;

kern_return_t S_proc_getprivports(pcall_t call, mach_port_t *host_priv, mach_port_t *device_master)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (!process_is_root(p))
        return call_leave(EPERM);
    *host_priv = proc_host_priv;
    *device_master = proc_device_master;
    return call_leave(0);
}

/* Tells all watchers; those that are dead are forgotten. */
static void watchers_tell(void)
{
    for (size_t i = 0; i < watcher_count;) {
        if (brief_exec_setexecdata(watchers[i], std_ports, MACH_MSG_TYPE_COPY_SEND, std_port_count, std_ints,
                                   std_int_count) == MACH_SEND_INVALID_DEST) {
            mach_port_deallocate(mach_task_self(), watchers[i]);
            watchers[i] = watchers[--watcher_count];
        } else
            i++;
    }
}

kern_return_t S_proc_setexecdata(pcall_t call, const_portarray_t ports, mach_msg_type_number_t port_count,
                                 const_intarray_t ints, mach_msg_type_number_t int_count)
{
    mach_port_t *new_ports = malloc((port_count + 1) * sizeof *new_ports);
    int *new_ints = malloc((int_count + 1) * sizeof *new_ints);
    struct process *p = call_enter(call);
    error_t err = !p ? call_refuse(call) : !process_is_root(p) ? EPERM : !new_ports || !new_ints ? ENOMEM : 0;
    if (err) {
        free(new_ports);
        free(new_ints);
        return p ? call_leave(err) : err;
    }
    for (size_t i = 0; i < std_port_count; i++)
        if (MACH_PORT_VALID(std_ports[i]))
            mach_port_deallocate(mach_task_self(), std_ports[i]);
    free(std_ports);
    free(std_ints);
    memcpy(new_ports, ports, port_count * sizeof *ports);
    memcpy(new_ints, ints, int_count * sizeof *ints);
    std_ports = new_ports;
    std_port_count = port_count;
    std_ints = new_ints;
    std_int_count = int_count;
    watchers_tell();
    return call_leave(0);
}

kern_return_t S_proc_getexecdata(pcall_t call, portarray_t *ports, mach_msg_type_name_t *ports_type,
                                 mach_msg_type_number_t *port_count, intarray_t *ints,
                                 mach_msg_type_number_t *int_count)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (!std_ports)
        return call_leave(ENOENT);
    *ports_type = MACH_MSG_TYPE_COPY_SEND;
    error_t err = answer_array((void **)ports, port_count, std_ports, std_port_count, sizeof *std_ports);
    if (!err)
        err = answer_array((void **)ints, int_count, std_ints, std_int_count, sizeof *std_ints);
    return call_leave(err);
}

kern_return_t S_proc_execdata_notify(pcall_t call, mach_port_t notify)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (!process_is_root(p))
        return call_leave(EPERM);
    if (!MACH_PORT_VALID(notify))
        return call_leave(EINVAL);
    mach_port_t *new = realloc(watchers, (watcher_count + 1) * sizeof *watchers);
    if (!new)
        return call_leave(ENOMEM);
    watchers = new;
    watchers[watcher_count++] = notify;
    if (std_ports)
        brief_exec_setexecdata(notify, std_ports, MACH_MSG_TYPE_COPY_SEND, std_port_count, std_ints, std_int_count);
    return call_leave(0);
}

static void version_free(struct version *v)
{
    free(v->name);
    free(v->release);
    free(v->version);
    free(v);
}

kern_return_t S_proc_register_version(pcall_t call, mach_port_t credential, const_string_t name, const_string_t release,
                                      const_string_t version)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (credential != proc_host_priv)
        return call_leave(EPERM);
    struct version *v = calloc(1, sizeof *v), **prevp = &versions;
    if (!v)
        return call_leave(ENOMEM);
    v->name = strdup(name);
    v->release = strdup(release);
    v->version = strdup(version);
    if (!v->name || !v->release || !v->version) {
        version_free(v);
        return call_leave(ENOMEM);
    }
    while (*prevp && strcmp((*prevp)->name, name))
        prevp = &(*prevp)->next;
    if (*prevp) {
        struct version *old = *prevp;
        *prevp = old->next;
        version_free(old);
    }
    while (*prevp)
        prevp = &(*prevp)->next;
    *prevp = v;
    mach_port_deallocate(mach_task_self(), credential);
    return call_leave(0);
}

/* "GNU Mach 1.8+git20250702" becomes GNU-Mach/1.8+git20250702 in the manner of the servers' names. */
static void kernel_version_get(char *text, size_t size)
{
    kernel_version_t kernel = "";
    if (host_get_kernel_version(mach_host_self(), kernel))
        strcpy(kernel, "Mach");
    kernel[sizeof kernel - 1] = 0;
    kernel[strcspn(kernel, "\n(")] = 0;
    char *end = strrchr(kernel, ' ');
    if (end && end[1] == 0) {
        *end = 0;
        end = strrchr(kernel, ' ');
    }
    for (char *c = kernel; *c; c++)
        if (*c == ' ')
            *c = c == end ? '/' : '-';
    snprintf(text, size, "%s", kernel);
}

kern_return_t S_proc_uname(pcall_t call, utsname_t *name)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    memset(name, 0, sizeof *name);
    strcpy(name->sysname, "GNU");
    strcpy(name->release, "0.9");
    strcpy(name->machine, "x86_64");
    kernel_version_get(name->version, sizeof name->version);
    for (struct version *v = versions; v; v = v->next) {
        size_t used = strlen(name->version);
        snprintf(name->version + used, sizeof name->version - used, " %s/%s", v->name, v->release);
    }
    return call_leave(0);
}

/* The caller becomes the root of a namespace: NOTIFY is told of each new task of it and of its offspring. */
kern_return_t S_proc_make_task_namespace(pcall_t call, mach_port_t notify)
{
    struct process *p = call_enter(call);
    if (!p)
        return call_refuse(call);
    if (!MACH_PORT_VALID(notify))
        return call_leave(EINVAL);
    if (p->task_namespace)
        return call_leave(EBUSY);
    p->task_namespace = notify;
    return call_leave(0);
}
