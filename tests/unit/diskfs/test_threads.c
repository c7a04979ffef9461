/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib/diskfs with many threads at once: nothing hangs, nothing is lost. */

#include "paths.h"

#include <stdatomic.h>

static atomic_uint stale; /* calls that found an inode freed under them: what is named is not, whoever removes it
                             meanwhile */

static void *worker(void *arg)
{
    unsigned int seed = (unsigned int) (uintptr_t) arg;
    static const char *const dirs[] = { "a", "b", "a/s", "b/s" }, *const names[] = { "x", "y", "z", "s" };
    for (int i = 0; i < 3000; i++) {
        char path[32];
        const char *d = dirs[rand_r(&seed) % 4], *e = dirs[rand_r(&seed) % 4], *n = names[rand_r(&seed) % 3];
        struct diskfs_node *from = at(d), *to = at(e), *victim;
        error_t err = 0;
        snprintf(path, sizeof path, "%s/%s", d, n);
        switch (from && to ? rand_r(&seed) % 6 : 5) {
        case 0: err = make_file(path); break;
        case 1: err = diskfs_entry_mkdir(from, n, 0755, root_user); break;
        case 2: if ((err = diskfs_entry_unlink(from, n, root_user, &victim)) == 0) diskfs_node_deref(victim); break;
        case 3: err = diskfs_entry_rmdir(from, n, root_user); break;
        case 4: err = diskfs_entry_rename(from, n, to, names[rand_r(&seed) % 4], false, root_user, NULL); break;
        default: ino_at(path); break;
        }
        stale += err == ESTALE;
        if (from)
            diskfs_node_deref(from);
        if (to)
            diskfs_node_deref(to);
    }
    return NULL;
}

UNIT_TEST(threads)
{
    pthread_t threads[6];
    begin();
    make_dir("", "a");
    make_dir("", "b");
    make_dir("a", "s");
    make_dir("b", "s");
    for (uintptr_t i = 0; i < 6; i++)
        pthread_create(&threads[i], NULL, worker, (void *) (i + 1));
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    CHECK(ram_consistent());
    CHECK_EQ(stale, 0);
}

static void *mover(void *arg)
{
    (void) arg;
    for (int i = 0; i < 30000; i++)
        stale += diskfs_entry_rename(diskfs_root, i % 2 ? "y" : "x", diskfs_root, i % 2 ? "x" : "y", false, root_user,
                                     NULL) == ESTALE;
    return NULL;
}

UNIT_TEST(rename_of_what_is_removed)
{
    pthread_t threads[3];
    struct diskfs_node *victim;
    begin();
    stale = 0;
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, mover, NULL);
    for (int i = 0; i < 30000; i++) {
        make_file("x");
        if (diskfs_entry_unlink(diskfs_root, i % 4 ? "x" : "y", root_user, &victim) == 0)
            diskfs_node_deref(victim);
    }
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    CHECK(ram_consistent());
    CHECK_EQ(stale, 0);
}

int main(void)
{
    int result = unit_run_all();
    ram_format();
    diskfs_node_deref(diskfs_root);
    return result;
}
