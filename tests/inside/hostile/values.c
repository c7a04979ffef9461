/* SPDX-License-Identifier: GPL-2.0-or-later */
/* values: what the arguments of hostile requests are. */

#include "hostile.h"

#include <string.h>
#include <hurd.h>
#include <mach/mach_port.h>
#include <mach/mig_support.h>

struct pool pool;
static uint64_t state;

void random_start(uint64_t seed, const char *interface, unsigned int kind, uint64_t number)
{
    state = seed * 0x9e3779b97f4a7c15 + kind * 0xbf58476d1ce4e5b9 + number;
    for (; *interface; interface++)
        state = (state ^ (unsigned char) *interface) * 0x100000001b3;
    random_next();
}

uint64_t random_next(void)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint64_t below(uint64_t limit)
{
    return limit ? random_next() % limit : 0;
}

bool once_in(unsigned int count)
{
    return below(count) == 0;
}

/* ---- rights ---------------------------------------------------------------------- */

static mach_port_t port_new(void)
{
    mach_port_t port = MACH_PORT_NULL;
    if (mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &port) == 0)
        mach_port_insert_right(mach_task_self(), port, port, MACH_MSG_TYPE_MAKE_SEND);
    return port;
}

/* Rights that are used as often as messages like, moved away by some: they get more references than those can take. */
void right_hoard(mach_port_t name)
{
    if (MACH_PORT_VALID(name))
        mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_SEND, HOARD);
}

void right_unhoard(mach_port_t name)
{
    if (!MACH_PORT_VALID(name))
        return;
    if (mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_SEND, -HOARD) != 0)
        mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_DEAD_NAME, -HOARD);
    mach_port_deallocate(mach_task_self(), name);
}

void pool_own_renew(void)
{
    if (MACH_PORT_VALID(pool.own)) {
        mach_port_mod_refs(mach_task_self(), pool.own, MACH_PORT_RIGHT_RECEIVE, -1);
        mach_port_mod_refs(mach_task_self(), pool.own, MACH_PORT_RIGHT_DEAD_NAME, -HOARD - 1);
    }
    pool.own = port_new();
    right_hoard(pool.own);
}

error_t pool_fill(void)
{
    pool.dead = port_new();
    right_hoard(pool.dead);
    mach_port_mod_refs(mach_task_self(), pool.dead, MACH_PORT_RIGHT_RECEIVE, -1);
    mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_PORT_SET, &pool.set);
    pool.name_only = 0x7654321;
    pool_own_renew();
    return pool.own == MACH_PORT_NULL ? ENOMEM : 0;
}

void pool_tasks_renew(void)
{
    for (unsigned int i = 0; i < TASKS; i++) {
        mach_port_type_t type;
        if (mach_port_type(mach_task_self(), pool.tasks[i], &type) == 0 && (type & MACH_PORT_TYPE_SEND))
            continue;
        right_unhoard(pool.tasks[i]);
        if (task_create(mach_task_self(), 0, &pool.tasks[i]) != 0)
            pool.tasks[i] = MACH_PORT_NULL;
        right_hoard(pool.tasks[i]);
    }
}

void pool_tasks_end(void)
{
    for (unsigned int i = 0; i < TASKS; i++)
        if (MACH_PORT_VALID(pool.tasks[i])) {
            task_terminate(pool.tasks[i]);
            right_unhoard(pool.tasks[i]);
            pool.tasks[i] = MACH_PORT_NULL;
        }
}

static bool vital[4096];    /* by name; the kernel gives out small ones */

void vital_note(void)
{
    mach_port_t *names;
    mach_port_type_t *types;
    mach_msg_type_number_t count, type_count;
    if (mach_port_names(mach_task_self(), &names, &count, &types, &type_count) != 0)
        return;
    for (mach_msg_type_number_t i = 0; i < count; i++)
        if (names[i] < sizeof vital)
            vital[names[i]] = true;
    vital[mig_get_reply_port() % sizeof vital] = true;
    vm_deallocate(mach_task_self(), (vm_address_t) names, count * sizeof *names);
    vm_deallocate(mach_task_self(), (vm_address_t) types, type_count * sizeof *types);
}

static bool among(mach_port_t name, const mach_port_t *names, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++)
        if (names[i] == name)
            return true;
    return false;
}

bool right_is_vital(mach_port_t name)
{
    return name < sizeof vital && vital[name] && name != pool.own && name != pool.dead && name != pool.set &&
           !among(name, pool.tasks, TASKS) && !among(name, pool.victims, pool.victim_count) &&
           !among(name, pool.found, FOUND);
}

mach_port_t name_choose(void)
{
    mach_port_t others[] = {MACH_PORT_NULL, MACH_PORT_DEAD, pool.own,     pool.dead,
                            pool.set,       pool.name_only, random_next()};
    if (once_in(3) && pool.victim_count)
        return pool.victims[below(pool.victim_count)];
    if (once_in(4))
        return pool.tasks[below(TASKS)];
    if (once_in(4))
        return pool.found[below(FOUND)];
    return others[below(sizeof others / sizeof others[0])];
}

/* A send right that exists, or null or dead. */
static mach_port_t send_right_choose(void)
{
    mach_port_t name;
    mach_port_type_t type;
    if (once_in(12))
        return once_in(2) ? MACH_PORT_NULL : MACH_PORT_DEAD;
    for (unsigned int i = 0; i < 4; i++) {
        name = name_choose();
        if (MACH_PORT_VALID(name) && mach_port_type(mach_task_self(), name, &type) == 0 && (type & MACH_PORT_TYPE_SEND))
            return name;
    }
    return pool.own;
}

mach_port_t right_choose(const char *argument, unsigned int type, unsigned int *chosen)
{
    static const unsigned int any[] = {MACH_MSG_TYPE_COPY_SEND,   MACH_MSG_TYPE_COPY_SEND, MACH_MSG_TYPE_COPY_SEND,
                                       MACH_MSG_TYPE_MAKE_SEND,   MACH_MSG_TYPE_MOVE_SEND, MACH_MSG_TYPE_MAKE_SEND_ONCE,
                                       MACH_MSG_TYPE_MOVE_RECEIVE};
    mach_port_t name;
    if (type == 255)
        type = any[below(sizeof any / sizeof any[0])];
    *chosen = type;
    switch (type) {
    case MACH_MSG_TYPE_MOVE_RECEIVE:
        return once_in(8) ? MACH_PORT_NULL : port_new();
    case MACH_MSG_TYPE_MAKE_SEND:
    case MACH_MSG_TYPE_MAKE_SEND_ONCE:
        return pool.own;
    case MACH_MSG_TYPE_MOVE_SEND:
        name = send_right_choose();
        if (MACH_PORT_VALID(name))
            mach_port_mod_refs(mach_task_self(), name, MACH_PORT_RIGHT_SEND, 1);
        return name;
    case MACH_MSG_TYPE_MOVE_SEND_ONCE:
        return MACH_PORT_DEAD;
    default:
        if (strstr(argument, "task") && !once_in(3))
            return pool.tasks[below(TASKS)];
        return send_right_choose();
    }
}

/* ---- data ----------------------------------------------------------------------- */

const char *string_choose(void)
{
    static const char *const strings[] = {
        "",     "a",       "b",        "c",    "dir",      "dir/a",     "dir/../dir/b",      "file",
        "link", "..",      ".",        "/",    "//",       "a/",        "../../../../../..", "/etc/passwd",
        "/tmp", "dir/dir", "\xff\xfe", "a b",  "%s%n%s%n", "/bin/true", "/dev/null",         "null",
        "new",  "loop",    "loop/a",   "fd/0", "@",        "@/a",
    };
    static char long_one[1024];
    if (!once_in(24))
        return strings[below(sizeof strings / sizeof strings[0])];
    memset(long_one, once_in(2) ? 'n' : '/', sizeof long_one - 1);
    long_one[200 + below(sizeof long_one - 201)] = '\0';
    return long_one;
}

static uint64_t number_choose(void)
{
    static const uint64_t special[] = {0,
                                       1,
                                       2,
                                       3,
                                       4,
                                       8,
                                       16,
                                       0x7f,
                                       0x80,
                                       0xff,
                                       0x100,
                                       0xfff,
                                       0x1000,
                                       0x1001,
                                       0x7fff,
                                       0xffff,
                                       0x10000,
                                       0x7fffffff,
                                       0x80000000,
                                       0xfffffffe,
                                       0xffffffff,
                                       0x100000000,
                                       0x7ffffffffffff000,
                                       0x7fffffffffffffff,
                                       0x8000000000000000,
                                       ~0ull,
                                       ~1ull};
    switch (below(4)) {
    case 0: return below(40);
    case 1: return once_in(3) ? random_next() : 1ull << below(64);
    default: return special[below(sizeof special / sizeof special[0])];
    }
}

/* A vector of words with a NUL each, mostly; a program, a script's line, an option. */
static void bytes_fill(char *data, size_t size)
{
    size_t at = 0;
    if (once_in(4)) {
        for (; at < size; at++)
            data[at] = random_next();
        return;
    }
    while (at < size) {
        const char *word = string_choose();
        size_t length = strlen(word) + (once_in(16) ? 0 : 1);
        if (length > size - at)
            length = size - at;
        memcpy(data + at, word, length);
        at += length ? length : 1;
    }
}

void value_fill(const struct argument *argument, void *data, size_t size)
{
    memset(data, 0, size);
    if (argument->type == MACH_MSG_TYPE_STRING_C || argument->bits > 64) { /* also a string that is one element */
        const char *string = string_choose();
        size_t length = strlen(string) + 1;
        memcpy(data, string, length < size ? length : size);
    } else if (argument->bits == 8) {
        bytes_fill(data, size);
    } else {
        size_t bytes = argument->bits / 8;
        for (size_t at = 0; at + bytes <= size; at += bytes) {
            uint64_t value = argument->type == MACH_MSG_TYPE_PORT_NAME ? name_choose() : number_choose();
            memcpy((char *) data + at, &value, bytes);
        }
    }
}
