/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lib/diskfs: the node cache, the name cache, walks, entries and renames, over a backend in memory.  */

#include "paths.h"

UNIT_TEST(names_know_exactly)
{
    ino_t ino;
    begin();
    CHECK(!diskfs_names_lookup(2, "a", 1, &ino));
    diskfs_names_enter(2, "a", 1, 10);
    diskfs_names_enter(2, "b", 1, 0);
    diskfs_names_enter(3, "a", 1, 11);
    CHECK(diskfs_names_lookup(2, "a", 1, &ino) && ino == 10);
    CHECK(diskfs_names_lookup(2, "b", 1, &ino) && ino == 0);
    CHECK(diskfs_names_lookup(3, "a", 1, &ino) && ino == 11);
    diskfs_names_enter(2, "a", 1, 12);
    CHECK(diskfs_names_lookup(2, "a", 1, &ino) && ino == 12);
    diskfs_names_purge(2);
    CHECK(!diskfs_names_lookup(2, "b", 1, &ino));
    CHECK(diskfs_names_lookup(3, "a", 1, &ino));
}

UNIT_TEST(names_grow_and_stay_bounded)
{
    char name[32];
    ino_t ino;
    unsigned int known = 0;
    begin();
    for (unsigned int i = 0; i < 40000; i++) {
        int n = snprintf(name, sizeof name, "a rather long name %u", i);
        diskfs_names_enter(i % 7 + 2, name, (size_t) n, i + 1);
        CHECK(diskfs_names_lookup(i % 7 + 2, name, (size_t) n, &ino) && ino == i + 1);
    }
    CHECK(diskfs_names_count() <= 16384);
    for (unsigned int i = 0; i < 40000; i++) {
        int n = snprintf(name, sizeof name, "a rather long name %u", i);
        if (diskfs_names_lookup(i % 7 + 2, name, (size_t) n, &ino)) {
            known++;
            CHECK_EQ(ino, i + 1);
        }
    }
    CHECK_EQ(known, diskfs_names_count());
    diskfs_names_purge_all();
    CHECK_EQ(diskfs_names_count(), 0);
}

UNIT_TEST(warm_walk_reads_nothing)
{
    begin();
    CHECK_EQ(make_dir("", "a"), 0);
    CHECK_EQ(make_dir("a", "b"), 0);
    CHECK_EQ(make_file("a/b/c"), 0);
    CHECK(ino_at("a/b/c") != 0);
    ram_reads = ram_lookups = 0;
    for (int i = 0; i < 10; i++)
        CHECK(ino_at("a/b/c") != 0);
    CHECK(ino_at("a/b/missing") == 0);
    CHECK_EQ(ram_lookups, 1);
    CHECK(ino_at("a/b/missing") == 0);
    CHECK_EQ(ram_lookups, 1);
    CHECK_EQ(ram_reads, 0);
    CHECK_EQ(make_file("a/b/missing"), 0);
    CHECK(ino_at("a/b/missing") != 0);
    CHECK(ram_consistent());
}

UNIT_TEST(walk_dots_and_slashes)
{
    struct diskfs_walk w;
    begin();
    make_dir("", "d");
    make_dir("d", "e");
    make_file("d/f");
    CHECK_EQ(ino_at("d/e/.."), ino_at("d"));
    CHECK_EQ(ino_at("d/e/../.."), RAM_ROOT);
    CHECK_EQ(ino_at(".."), RAM_ROOT);
    CHECK_EQ(ino_at("./d//./e/"), ino_at("d/e"));
    CHECK_EQ(ino_at(""), RAM_ROOT);
    CHECK_EQ(ino_at("/"), RAM_ROOT);
    CHECK_EQ(ino_at("//d///"), ino_at("d"));
    CHECK_EQ(walk("d/f/", 0, &w), ENOTDIR);
    CHECK_EQ(walk("d/f/g", 0, &w), ENOTDIR);
    CHECK_EQ(walk("d/f/.", 0, &w), ENOTDIR);
    CHECK_EQ(walk("d/f", O_DIRECTORY, &w), ENOTDIR);
    CHECK_EQ(walk("nowhere/f", 0, &w), ENOENT);
    CHECK_EQ(walk("d/new/", O_CREAT, &w), EISDIR);
    CHECK_EQ(walk("d/f", O_CREAT | O_EXCL, &w), EEXIST);
    CHECK_EQ(walk("d/.", O_CREAT | O_EXCL, &w), EEXIST);
    char path[300];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    CHECK_EQ(walk(path, 0, &w), ENAMETOOLONG);
}

UNIT_TEST(walk_leaves_through_the_root)
{
    struct diskfs_walk w;
    struct diskfs_origin mounted = { .refs = 1, .root_parent = 42 };
    begin();
    make_dir("", "d");
    CHECK_EQ(walk("d", 0, &w), 0);
    diskfs_node_deref(w.node);
    w = (struct diskfs_walk) { .start = diskfs_root, .path = "d/../../x/y", .user = root_user, .origin = &mounted };
    CHECK_EQ(diskfs_walk(&w), 0);
    CHECK_EQ(w.outcome, WALK_PARENT);
    CHECK_EQ(w.parent, 42);
    CHECK_STR(w.rest, "x/y");
    w = (struct diskfs_walk) { .start = diskfs_root, .path = "../", .user = root_user, .origin = &mounted };
    CHECK_EQ(diskfs_walk(&w), 0);
    CHECK_EQ(w.outcome, WALK_PARENT);
    CHECK_STR(w.rest, "/");

    struct diskfs_node *shadow = at("d");
    struct diskfs_origin chrooted = { .refs = 1, .root_parent = 42, .shadow_root = shadow };
    w = (struct diskfs_walk) { .start = shadow, .path = "..", .user = root_user, .origin = &chrooted };
    CHECK_EQ(diskfs_walk(&w), 0);
    CHECK_EQ(w.outcome, WALK_NODE);
    CHECK_EQ(w.node->ino, shadow->ino);
    diskfs_node_deref(w.node);
    diskfs_node_deref(shadow);
}

UNIT_TEST(walk_symbolic_links)
{
    struct diskfs_walk w;
    begin();
    make_dir("", "d");
    make_file("d/f");
    make_symlink("rel", "d/f");
    make_symlink("dir", "d");
    make_symlink("d/up", "../rel");
    make_symlink("abs", "/etc//passwd");
    make_symlink("loop", "loop");
    make_symlink("dangling", "d/made");

    CHECK_EQ(walk("rel", 0, &w), 0);
    CHECK_EQ(w.node->ino, ino_at("d/f"));
    diskfs_node_deref(w.node);
    CHECK_EQ(walk("dir/up", 0, &w), 0);
    CHECK_EQ(w.node->ino, ino_at("d/f"));
    diskfs_node_deref(w.node);
    CHECK_EQ(walk("rel", O_NOLINK, &w), 0);
    CHECK(S_ISLNK(w.node->stat.st_mode));
    diskfs_node_deref(w.node);
    CHECK_EQ(walk("dir/", O_NOLINK, &w), 0);
    CHECK(S_ISDIR(w.node->stat.st_mode));
    diskfs_node_deref(w.node);
    CHECK_EQ(walk("rel/", 0, &w), ENOTDIR);
    CHECK_EQ(walk("loop", 0, &w), ELOOP);
    CHECK_EQ(walk("abs", 0, &w), 0);
    CHECK_EQ(w.outcome, WALK_MAGIC);
    CHECK_STR(w.rest, "/etc//passwd");
    CHECK_EQ(walk("abs/more/of/it", 0, &w), 0);
    CHECK_STR(w.rest, "/etc//passwd/more/of/it");
    CHECK_EQ(walk("dangling", 0, &w), ENOENT);
    CHECK_EQ(walk("dangling", O_CREAT | O_EXCL, &w), EEXIST);
    CHECK_EQ(walk("dangling", O_CREAT, &w), 0);
    CHECK(w.created);
    diskfs_node_deref(w.node);
    CHECK(ino_at("d/made") != 0);
    CHECK(ram_consistent());
}

UNIT_TEST(walk_stops_at_translators)
{
    struct diskfs_walk w;
    begin();
    make_dir("", "mnt");
    make_dir("mnt", "below");
    struct diskfs_node *mnt = at("mnt"), *below = at("mnt/below");
    mnt->has_passive = true;
    CHECK_EQ(walk("mnt/x/y", O_READ, &w), 0);
    CHECK_EQ(w.outcome, WALK_TRANSLATED);
    CHECK_EQ(w.node->ino, mnt->ino);
    CHECK_EQ(w.dir->ino, RAM_ROOT);
    CHECK_STR(w.rest, "x/y");
    diskfs_node_deref(w.node);
    diskfs_node_deref(w.dir);
    CHECK_EQ(walk("mnt", O_READ, &w), 0);
    CHECK_EQ(w.outcome, WALK_TRANSLATED);
    CHECK_STR(w.rest, "");
    diskfs_node_deref(w.node);
    diskfs_node_deref(w.dir);
    CHECK_EQ(walk("mnt", O_NOTRANS, &w), 0);
    CHECK_EQ(w.outcome, WALK_NODE);
    diskfs_node_deref(w.node);
    CHECK_EQ(walk("mnt/", O_NOTRANS, &w), 0);
    CHECK_EQ(w.outcome, WALK_NODE);
    diskfs_node_deref(w.node);
    /* from below, `..` and "." come to the directory itself */
    w = (struct diskfs_walk) { .start = below, .path = "../.", .user = root_user, .origin = &origin };
    CHECK_EQ(diskfs_walk(&w), 0);
    CHECK_EQ(w.outcome, WALK_NODE);
    CHECK_EQ(w.node->ino, mnt->ino);
    diskfs_node_deref(w.node);
    /* the translator is gone: the walk goes on */
    CHECK_EQ(walk("mnt/below/", O_READ, &w), 0);
    mnt->has_passive = false;
    CHECK_EQ(diskfs_walk_resume(&w), 0);
    CHECK_EQ(w.outcome, WALK_NODE);
    CHECK_EQ(w.node->ino, below->ino);
    diskfs_node_deref(w.node);
    diskfs_node_deref(mnt);
    diskfs_node_deref(below);
}

UNIT_TEST(walk_checks_permissions)
{
    struct diskfs_walk w;
    begin();
    make_dir("", "private");
    make_file("private/f");
    struct diskfs_node *dir = at("private"), *file = at("private/f");
    dir->stat.st_mode = S_IFDIR | 0700;
    w = (struct diskfs_walk) { .start = diskfs_root, .path = "private/f", .user = someone, .origin = &origin };
    CHECK_EQ(diskfs_walk(&w), EACCES);
    w = (struct diskfs_walk){.start = diskfs_root, .path = "new", .flags = O_CREAT, .user = someone, .origin = &origin};
    CHECK_EQ(diskfs_walk(&w), EACCES);
    file->stat.st_mode = S_IFREG | 0640;
    CHECK_EQ(diskfs_open_check(file, O_READ, someone), EACCES);
    CHECK_EQ(diskfs_open_check(file, O_READ | O_WRITE, root_user), 0);
    CHECK_EQ(diskfs_open_check(file, O_EXEC, root_user), EACCES);
    CHECK_EQ(diskfs_open_check(dir, O_WRITE, root_user), EISDIR);
    diskfs_readonly = true;
    CHECK_EQ(diskfs_open_check(file, O_WRITE, root_user), EROFS);
    CHECK_EQ(make_file("private/g"), EROFS);
    CHECK_EQ(make_dir("", "x"), EROFS);
    diskfs_readonly = false;
    diskfs_node_deref(dir);
    diskfs_node_deref(file);
}

UNIT_TEST(entries_count_links)
{
    begin();
    CHECK_EQ(make_dir("", "d"), 0);
    CHECK_EQ(make_dir("", "d"), EEXIST);
    CHECK_EQ(make_dir("", "."), EEXIST);
    CHECK_EQ(make_dir("", "d/"), EEXIST);
    CHECK_EQ(make_dir("", "e/"), 0);
    CHECK_EQ(diskfs_root->stat.st_nlink, 4);
    CHECK_EQ(make_file("d/f"), 0);
    struct diskfs_node *f = at("d/f"), *d = at("d");
    CHECK_EQ(diskfs_entry_link(d, f, "g", true, root_user), 0);
    CHECK_EQ(diskfs_entry_link(d, f, "g", true, root_user), EEXIST);
    CHECK_EQ(diskfs_entry_link(d, d, "h", true, root_user), EPERM);
    CHECK_EQ(f->stat.st_nlink, 2);
    CHECK_EQ(diskfs_entry_rmdir(diskfs_root, "d", root_user), ENOTEMPTY);
    CHECK_EQ(remove_file("", "d"), EISDIR);
    CHECK_EQ(remove_file("d", "f"), 0);
    CHECK_EQ(remove_file("d", "f"), ENOENT);
    CHECK_EQ(diskfs_entry_rmdir(d, "g", root_user), ENOTDIR);
    CHECK(ram_consistent());
    CHECK_EQ(remove_file("d", "g"), 0);
    CHECK_EQ(ram_deletes, 0);
    ino_t ino = f->ino;
    diskfs_node_deref(f);
    CHECK_EQ(ram_deletes, 1);
    CHECK(!ram_inodes[ino].used);
    CHECK_EQ(diskfs_entry_rmdir(diskfs_root, "d", root_user), 0);
    CHECK_EQ(diskfs_root->stat.st_nlink, 3);
    /* nothing can be made in a removed directory that is still open */
    CHECK_EQ(diskfs_entry_mkdir(d, "sub", 0755, root_user), ENOENT);
    diskfs_node_deref(d);
    CHECK(ram_consistent());
    CHECK_EQ(ram_used(), 2);
}

UNIT_TEST(too_many_links)
{
    begin();
    for (int i = 0; i < 30; i++) {
        char name[8];
        snprintf(name, sizeof name, "d%d", i);
        CHECK_EQ(make_dir("", name), 0);
    }
    CHECK_EQ(make_dir("", "one-more"), EMLINK);
    CHECK(ram_consistent());
}

UNIT_TEST(a_new_directory_has_no_old_names)
{
    begin();
    make_dir("", "d");
    CHECK_EQ(ino_at("d/x"), 0);                 /* a negative entry of this inode number */
    ino_t ino = ino_at("d");
    CHECK_EQ(diskfs_entry_rmdir(diskfs_root, "d", root_user), 0);
    make_dir("", "e");
    CHECK_EQ(ino_at("e"), ino);
    CHECK_EQ(make_file("e/x"), 0);
    CHECK(ino_at("e/x") != 0);
    CHECK_EQ(ino_at("e/.."), RAM_ROOT);
}

UNIT_TEST(rename_files)
{
    begin();
    make_dir("", "a");
    make_dir("", "b");
    make_file("a/f");
    make_file("b/g");
    ino_t f = ino_at("a/f"), g = ino_at("b/g");
    CHECK_EQ(move("a", "f", "a", "h"), 0);
    CHECK_EQ(ino_at("a/h"), f);
    CHECK_EQ(ino_at("a/f"), 0);
    CHECK_EQ(move("a", "h", "b", "g"), 0);
    CHECK_EQ(ino_at("b/g"), f);
    CHECK(!ram_inodes[g].used);
    CHECK_EQ(move("a", "h", "b", "x"), ENOENT);
    CHECK_EQ(move("b", "g", "b", "g"), 0);
    CHECK_EQ(move("b", "g", "", "a"), EISDIR);
    CHECK_EQ(move("", "a", "b", "g"), ENOTDIR);
    CHECK_EQ(move("b", ".", "b", "g"), EINVAL);
    CHECK(ram_consistent());
    struct diskfs_node *b = at("b");
    struct diskfs_node *node = at("b/g");
    CHECK_EQ(diskfs_entry_link(b, node, "same", true, root_user), 0);
    CHECK_EQ(move("b", "g", "b", "same"), 0);   /* two names of one file: both stay */
    CHECK(ino_at("b/g") == f && ino_at("b/same") == f);
    CHECK_EQ(diskfs_entry_rename(b, "g", b, "same2", true, root_user, NULL), 0);
    CHECK_EQ(diskfs_entry_rename(b, "same2", b, "same", true, root_user, NULL), EEXIST);
    diskfs_node_deref(node);
    diskfs_node_deref(b);
    CHECK(ram_consistent());
}

UNIT_TEST(rename_excl)
{
    begin();
    make_file("x");
    make_file("y");
    CHECK_EQ(diskfs_entry_rename(diskfs_root, "x", diskfs_root, "y", true, root_user, NULL), EEXIST);
    /* Who is replaced is handed over, to be looked after; nobody is by a new name. */
    struct diskfs_node *replaced = diskfs_root;
    CHECK_EQ(diskfs_entry_rename(diskfs_root, "x", diskfs_root, "z", true, root_user, &replaced), 0);
    CHECK(replaced == NULL);
    CHECK_EQ(diskfs_entry_rename(diskfs_root, "y", diskfs_root, "z", false, root_user, &replaced), 0);
    CHECK(replaced != NULL && replaced->stat.st_nlink == 0);
    diskfs_node_deref(replaced);
    CHECK(ram_consistent());
}

UNIT_TEST(rename_directories)
{
    begin();
    make_dir("", "a");
    make_dir("a", "b");
    make_dir("a/b", "c");
    make_dir("", "x");
    make_dir("x", "empty");
    CHECK_EQ(move("", "a", "a/b", "loop"), EINVAL);
    CHECK_EQ(move("", "a", "a", "loop"), EINVAL);
    CHECK_EQ(move("a/b", "c", "", "a"), ENOTEMPTY);
    CHECK_EQ(move("a/b", "c", "a", "b"), ENOTEMPTY);
    CHECK_EQ(move("a", "b", "x", "b"), 0);
    CHECK_EQ(ino_at("x/b/.."), ino_at("x"));
    CHECK_EQ(ino_at("x/b/c/../.."), ino_at("x"));
    CHECK(ram_consistent());
    CHECK_EQ(move("x/b", "c", "x", "empty"), 0);
    CHECK_EQ(ino_at("x/empty/.."), ino_at("x"));
    CHECK(ram_consistent());
    CHECK_EQ(move("x", "empty", "", "a"), 0);
    CHECK_EQ(move("x", "b", "a", "b"), 0);
    CHECK(ram_consistent());
    CHECK_EQ(move("a", "b", "a", "c"), 0);
    CHECK(ram_consistent());
}

UNIT_TEST(rename_checks_the_sticky_bit)
{
    begin();
    make_dir("", "tmp");
    make_file("tmp/f");
    struct diskfs_node *tmp = at("tmp");
    tmp->stat.st_mode = S_IFDIR | S_ISVTX | 0777;
    CHECK(diskfs_entry_rename(tmp, "f", tmp, "g", false, someone, NULL) != 0);
    CHECK(ino_at("tmp/f") != 0);
    struct diskfs_node *victim;
    CHECK(diskfs_entry_unlink(tmp, "f", someone, &victim) != 0);
    CHECK(victim == NULL);
    diskfs_node_deref(tmp);
    CHECK(ram_consistent());
}

UNIT_TEST(a_failing_disk_leaves_both_names)
{
    begin();
    make_dir("", "a");
    make_file("f");
    ram_fail_remove = EIO;
    CHECK_EQ(move("", "f", "a", "g"), EIO);
    ram_fail_remove = 0;
    CHECK(ram_consistent());
    CHECK_EQ(ino_at("f"), ino_at("a/g"));
}

UNIT_TEST(idle_nodes_are_kept_and_evicted)
{
    unsigned int total, idle, max = diskfs_idle_max;
    begin();
    char name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "f%d", i);
        CHECK_EQ(make_file(name), 0);
    }
    diskfs_node_count(&total, &idle);
    CHECK_EQ(total, 101);
    CHECK_EQ(idle, 100);
    diskfs_idle_max = 20;
    ram_reads = 0;
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "f%d", i);
        CHECK(ino_at(name) != 0);
    }
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "f%d", i);
        CHECK(ino_at(name) != 0);
    }
    diskfs_node_count(&total, &idle);
    CHECK(idle <= 100);
    CHECK(ram_forgets > 0);
    CHECK(ram_consistent());
    diskfs_idle_max = max;
}

UNIT_TEST(weak_references_keep_the_structure)
{
    begin();
    make_file("f");
    struct diskfs_node *node = at("f");
    ino_t ino = node->ino;
    diskfs_node_weak_ref(node);
    CHECK_EQ(remove_file("", "f"), 0);
    diskfs_node_deref(node);
    CHECK_EQ(ram_idle_drops, 1);
    CHECK_EQ(ram_deletes, 0);
    diskfs_node_ref(node);                      /* the pager needs it once more */
    diskfs_node_deref(node);
    CHECK_EQ(ram_deletes, 0);
    diskfs_node_weak_deref(node);
    CHECK_EQ(ram_deletes, 1);
    CHECK(!ram_inodes[ino].used);
}

UNIT_TEST(times_are_settled_once)
{
    begin();
    make_file("f");
    struct diskfs_node *node = at("f");
    pthread_mutex_lock(&node->lock);
    diskfs_node_settle_times(node);
    struct timespec before = node->stat.st_mtim;
    CHECK(before.tv_sec > 0);
    node->stat.st_mtim.tv_sec = 5;
    diskfs_node_settle_times(node);
    CHECK_EQ(node->stat.st_mtim.tv_sec, 5);
    pthread_mutex_unlock(&node->lock);
    diskfs_node_touched(node);
    pthread_mutex_lock(&node->lock);
    diskfs_node_settle_times(node);
    CHECK(node->stat.st_mtim.tv_sec > 5);
    /* an access is noted when it is the first after a change, and not again the same day */
    node->stat.st_atim.tv_sec = 1;
    diskfs_node_accessed(node);
    CHECK(node->atime_due);
    diskfs_node_settle_times(node);
    node->stat.st_atim.tv_sec += 1;
    diskfs_node_accessed(node);
    CHECK(!node->atime_due);
    pthread_mutex_unlock(&node->lock);
    diskfs_node_deref(node);
}

int main(void)
{
    int result = unit_run_all();
    ram_format();
    diskfs_node_deref(diskfs_root);
    return result;
}
