/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The classes of controls and protids, one pair for each table of operations, and the hooks that find them.  */

#include "trivfs-internal.h"

#include "fs_S.h"
#include "fsys_S.h"
#include "io_S.h"

#include <stdlib.h>

enum { EXTRA_INTERFACES_MAX = 8 };

/* One table of operations and its classes; lives for ever. */
struct kind {
    struct kind *next;
    const struct trivfs_ops *ops;
    struct ports_class_ops control_ops, protid_ops;
    struct ports_class control_class, protid_class;
    ports_interface_t control_interfaces[EXTRA_INTERFACES_MAX + 2];
    ports_interface_t protid_interfaces[EXTRA_INTERFACES_MAX + 3];
};

static pthread_mutex_t kinds_lock = PTHREAD_MUTEX_INITIALIZER;
static struct kind *kinds; /* kinds_lock */

/* Appends EXTRA (NULL-terminated, or NULL) to LIST behind COUNT entries. */
static error_t interfaces_append(ports_interface_t *list, size_t count, const ports_interface_t *extra)
{
    for (size_t i = 0; extra != NULL && extra[i] != NULL; i++) {
        if (i == EXTRA_INTERFACES_MAX)
            return E2BIG;
        list[count + i] = extra[i];
    }
    return 0;
}

static void class_init(struct ports_class *class, const struct ports_class_ops *ops)
{
    *class = (struct ports_class){.ops = ops};
    pthread_mutex_init(&class->class_lock, NULL);
    pthread_cond_init(&class->class_idle, NULL);
}

static error_t kind_create(const struct trivfs_ops *ops, struct kind **result)
{
    struct kind *kind = calloc(1, sizeof *kind);
    if (kind == NULL)
        return ENOMEM;
    kind->ops = ops;
    kind->control_interfaces[0] = fsys_server_routine;
    kind->protid_interfaces[0] = io_server_routine;
    kind->protid_interfaces[1] = fs_server_routine;
    error_t err = interfaces_append(kind->control_interfaces, 1, ops->control_interfaces);
    if (err == 0)
        err = interfaces_append(kind->protid_interfaces, 2, ops->node_interfaces);
    if (err) {
        free(kind);
        return err;
    }
    kind->control_ops = (struct ports_class_ops){
        .name = ops->name, .size = sizeof(struct trivfs_control), .interfaces = kind->control_interfaces,
        .destroy = control_destroy, .no_senders = control_no_senders};
    kind->protid_ops = (struct ports_class_ops){
        .name = ops->name, .size = sizeof(struct trivfs_protid), .interfaces = kind->protid_interfaces,
        .destroy = protid_destroy};
    class_init(&kind->control_class, &kind->control_ops);
    class_init(&kind->protid_class, &kind->protid_ops);
    *result = kind;
    return 0;
}

error_t trivfs_classes_create(const struct trivfs_ops *ops, struct ports_class **control_class,
                              struct ports_class **protid_class)
{
    error_t err = 0;
    pthread_mutex_lock(&kinds_lock);
    struct kind *kind = kinds;
    while (kind != NULL && kind->ops != ops)
        kind = kind->next;
    if (kind == NULL) {
        err = kind_create(ops, &kind);
        if (err == 0) {
            kind->next = kinds;
            kinds = kind;
        }
    }
    pthread_mutex_unlock(&kinds_lock);
    if (err)
        return err;
    *control_class = &kind->control_class;
    *protid_class = &kind->protid_class;
    return 0;
}

struct trivfs_control *control_self(void)
{
    struct ports_object *object = ports_self_object(NULL);
    return object != NULL && object->class->ops->destroy == control_destroy ? (struct trivfs_control *)object : NULL;
}
