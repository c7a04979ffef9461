/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c: finding processes, groups, sessions and logins by number and by task, in constant time, and making numbers.

   One table holds all that goes by a number (a slot), because a number may not be given to a new process while it is
   still that of a group, a session or a login.  The other finds processes by the name of their task's port.  */

#include <stdlib.h>
#include <string.h>

#include "effects.h"
#include "process.h"

/* Numbers start again at PID_AGAIN after pid_max, which doubles whenever a quarter of the numbers is in use. */
enum { PID_FIRST = 5, PID_AGAIN = 100, PID_MAX = 30000, TABLE_FIRST = 64 };

static struct hash_table slots, tasks;  /* proc_lock */
static pid_t next_pid = PID_FIRST;      /* proc_lock */
static pid_t pid_max = PID_MAX;         /* proc_lock */
static struct process *init_process;    /* constant after process_table_init */
static size_t processes;                /* proc_lock */

/* Names of ports and numbers are multiples of few bits; spread them. */
static size_t hash_place(const struct hash_table *table, uint32_t key)
{
    return (key * 0x9e3779b1u >> 8) & (table->size - 1);
}

static error_t hash_grow(struct hash_table *table)
{
    size_t size = table->size ? table->size * 2 : TABLE_FIRST;
    struct hash_link **places = calloc(size, sizeof *places);
    if (!places)
        return table->size ? 0 : ENOMEM;  /* a full table is only slower */
    struct hash_table bigger = {.places = places, .size = size, .count = table->count};
    for (size_t i = 0; i < table->size; i++) {
        struct hash_link *link, *next;
        for (link = table->places[i]; link; link = next) {
            next = link->next;
            size_t place = hash_place(&bigger, link->key);
            link->next = places[place];
            places[place] = link;
        }
    }
    free(table->places);
    *table = bigger;
    return 0;
}

error_t hash_add(struct hash_table *table, struct hash_link *link, uint32_t key)
{
    if (table->count >= table->size) {
        error_t err = hash_grow(table);
        if (err)
            return err;
    }
    size_t place = hash_place(table, key);
    link->key = key;
    link->next = table->places[place];
    table->places[place] = link;
    table->count++;
    return 0;
}

void hash_remove(struct hash_table *table, struct hash_link *link)
{
    struct hash_link **prevp = &table->places[hash_place(table, link->key)];
    while (*prevp != link)
        prevp = &(*prevp)->next;
    *prevp = link->next;
    table->count--;
}

struct hash_link *hash_find(const struct hash_table *table, uint32_t key)
{
    if (!table->size)
        return NULL;
    struct hash_link *link = table->places[hash_place(table, key)];
    while (link && link->key != key)
        link = link->next;
    return link;
}

struct slot *slot_lookup(pid_t id)
{
    return (struct slot *)hash_find(&slots, (uint32_t)id);
}

error_t slot_get(pid_t id, struct slot **slot)
{
    *slot = slot_lookup(id);
    if (*slot)
        return 0;
    struct slot *new = calloc(1, sizeof *new);
    if (!new)
        return ENOMEM;
    error_t err = hash_add(&slots, &new->link, (uint32_t)id);
    if (err) {
        free(new);
        return err;
    }
    *slot = new;
    return 0;
}

void slot_release(struct slot *slot)
{
    if (slot->process || slot->pgrp || slot->session || slot->login)
        return;
    hash_remove(&slots, &slot->link);
    free(slot);
}

struct process *process_lookup(pid_t pid)
{
    struct slot *slot = slot_lookup(pid);
    return slot ? slot->process : NULL;
}

struct pgrp *pgrp_lookup(pid_t pgid)
{
    struct slot *slot = slot_lookup(pgid);
    return slot ? slot->pgrp : NULL;
}

struct session *session_lookup(pid_t sid)
{
    struct slot *slot = slot_lookup(sid);
    return slot ? slot->session : NULL;
}

struct login *login_lookup(pid_t id)
{
    struct slot *slot = slot_lookup(id);
    return slot ? slot->login : NULL;
}

struct process *process_lookup_task(port_name_t task)
{
    return (struct process *)hash_find(&tasks, task);
}

struct process *process_init(void)
{
    return init_process;
}

size_t process_count(void)
{
    return processes;
}

void process_iterate(void (*fn)(struct process *, void *), void *arg)
{
    for (size_t i = 0; i < slots.size; i++)
        for (struct hash_link *link = slots.places[i]; link; link = link->next) {
            struct slot *slot = (struct slot *)link;
            if (slot->process)
                fn(slot->process, arg);
        }
}

static pid_t pid_next(void)
{
    if (slots.count > (size_t)pid_max / 4)
        pid_max *= 2;
    while (slot_lookup(next_pid)) {
        if (++next_pid > pid_max)
            next_pid = PID_AGAIN;
    }
    pid_t pid = next_pid;
    if (++next_pid > pid_max)
        next_pid = PID_AGAIN;
    return pid;
}

static struct process *process_alloc(void)
{
    struct process *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    list_init(&p->msgport_waiters);
    list_init(&p->asks);
    list_init(&p->child_waiters);
    list_init(&p->children);
    list_init(&p->reports);
    return p;
}

error_t process_create(pid_t pid, port_name_t task, struct process **process)
{
    struct slot *slot;
    if ((pid && process_lookup(pid)) || (task && process_lookup_task(task)))
        return EEXIST;
    struct process *p = process_alloc();
    if (!p)
        return ENOMEM;
    error_t err = slot_get(pid ? pid : pid_next(), &slot);
    if (err) {
        free(p);
        return err;
    }
    p->pid = (pid_t)slot->link.key;
    if (task) {
        err = hash_add(&tasks, &p->task_link, task);
        if (err) {
            slot_release(slot);
            free(p);
            return err;
        }
        p->task = task;
        p->task_urefs = 1;
    }
    slot->process = p;
    processes++;
    if (init_process) {
        p->parent = init_process;
        list_add(&init_process->children, &p->sibling);
        pgrp_join(p, init_process->pgrp);
        login_join(p, init_process->login);
        pgrp_recount(p);
    }
    *process = p;
    return 0;
}

error_t process_table_init(void)
{
    struct process *p;
    error_t err = process_create(1, 0, &p);
    if (err)
        return err;
    err = session_create_first(p);
    if (err)
        return err;
    err = login_create(p);
    if (err)
        return err;
    p->login_leader = false;
    init_process = p;
    return 0;
}

void process_set_task(struct process *p, port_name_t task, unsigned urefs)
{
    if (p->task)
        hash_remove(&tasks, &p->task_link);
    p->task = task;
    p->task_urefs = urefs;
    /* Cannot fail: a place in the table has just been given up, or the caller's stub had one. */
    if (task)
        hash_add(&tasks, &p->task_link, task);
}

void process_free(struct process *p)
{
    if (p->task)
        hash_remove(&tasks, &p->task_link);
    list_remove(&p->sibling);
    list_remove(&p->report_link);
    login_leave(p);
    pgrp_leave(p);
    ids_deref(p->ids);
    free(p->exe);
    struct slot *slot = slot_lookup(p->pid);
    slot->process = NULL;
    slot_release(slot);
    processes--;
    free(p);
}
