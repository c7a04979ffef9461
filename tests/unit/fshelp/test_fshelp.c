/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Users, permissions, paths and advisory locks. */

#include "hurd_host.h"
#include "unit.h"

#include <fcntl.h>
#include <fshelp/fshelp.h>
#include <sys/file.h>

/* On the host nobody is woken: a wait is interrupted at once, after what happens `meanwhile`. */
static void (*meanwhile)(void);
error_t ports_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    (void) cond;
    (void) mutex;
    if (meanwhile == NULL)
        return EINTR;
    void (*happens)(void) = meanwhile;
    meanwhile = NULL;
    happens();
    return 0;
}

static bool abandoned;      /* nobody waits for the answer */
bool ports_self_abandoned(void)
{
    return abandoned;
}

static struct fshelp_user *user(uid_t uid, gid_t gid)
{
    return fshelp_user_create(&uid, 1, &gid, 1);
}

UNIT_TEST(root_does_all_but_execute_what_nobody_may)
{
    struct fshelp_user *root = fshelp_user_create_root();
    struct stat node = { .st_mode = S_IFREG | 0600, .st_uid = 5, .st_gid = 5 };

    CHECK_EQ(fshelp_access(&node, S_IREAD | S_IWRITE, root), 0);
    CHECK_EQ(fshelp_access(&node, S_IEXEC, root), EACCES);
    node.st_mode |= S_IXOTH;
    CHECK_EQ(fshelp_access(&node, S_IEXEC, root), 0);
    CHECK_EQ(fshelp_allowed(&node, root), O_READ | O_WRITE | O_EXEC);
    fshelp_user_deref(root);
}

UNIT_TEST(owner_group_others_unknown)
{
    struct fshelp_user *owner = user(5, 50), *member = user(6, 5), *other = user(7, 7),
                       *nobody = fshelp_user_create(NULL, 0, NULL, 0);
    struct stat node = { .st_mode = S_IFREG | 0421, .st_uid = 5, .st_gid = 5 };

    CHECK_EQ(fshelp_allowed(&node, owner), O_READ);
    CHECK_EQ(fshelp_allowed(&node, member), O_WRITE);
    CHECK_EQ(fshelp_allowed(&node, other), O_EXEC);
    CHECK_EQ(fshelp_allowed(&node, nobody), O_EXEC);
    node.st_mode |= S_IUSEUNK | (S_IRUSR << S_IUNKSHIFT);
    CHECK_EQ(fshelp_allowed(&node, nobody), O_READ);
    CHECK_EQ(fshelp_check_owner(&node, owner), 0);
    CHECK_EQ(fshelp_check_owner(&node, member), EPERM);
    fshelp_user_deref(owner), fshelp_user_deref(member), fshelp_user_deref(other), fshelp_user_deref(nobody);
}

UNIT_TEST(sticky_directories)
{
    struct fshelp_user *one = user(5, 5), *two = user(6, 6);
    struct stat dir = { .st_mode = S_IFDIR | 01777 }, node = { .st_mode = S_IFREG | 0666, .st_uid = 5 };

    CHECK_EQ(fshelp_check_dir_modify(&dir, NULL, two), 0);
    CHECK_EQ(fshelp_check_dir_modify(&dir, &node, one), 0);
    CHECK_EQ(fshelp_check_dir_modify(&dir, &node, two), EPERM);
    dir.st_mode = S_IFDIR | 0755;
    CHECK_EQ(fshelp_check_dir_modify(&dir, &node, one), EACCES);
    fshelp_user_deref(one), fshelp_user_deref(two);
}

UNIT_TEST(chown_chmod)
{
    struct fshelp_user *one = user(5, 5), *root = fshelp_user_create_root();
    struct stat node = { .st_mode = S_IFREG | 0666, .st_uid = 5, .st_gid = 9 };
    mode_t mode;

    CHECK_EQ(fshelp_check_chown(&node, (uid_t) -1, 5, one), 0);
    CHECK_EQ(fshelp_check_chown(&node, (uid_t) -1, 8, one), EPERM);
    CHECK_EQ(fshelp_check_chown(&node, 6, (gid_t) -1, one), EPERM);
    CHECK_EQ(fshelp_check_chown(&node, 6, 6, root), 0);
    CHECK_EQ(fshelp_check_chmod(&node, 03755, one, &mode), 0);
    CHECK_EQ(mode, 0755);
    CHECK_EQ(fshelp_check_chmod(&node, 03755, root, &mode), 0);
    CHECK_EQ(mode, 03755);
    fshelp_user_deref(one), fshelp_user_deref(root);
}

UNIT_TEST(restrict_keeps_what_is_mine)
{
    struct fshelp_user *one = user(5, 5), *root = fshelp_user_create_root(), *narrow;
    uid_t uids[] = { 4, 5, 6 };
    gid_t gids[] = { 6 };

    narrow = fshelp_user_restrict(one, uids, 3, gids, 1);
    CHECK_EQ(narrow->nuids, 1);
    CHECK_EQ(narrow->uids[0], 5);
    CHECK_EQ(narrow->ngids, 0);
    fshelp_user_deref(narrow);
    narrow = fshelp_user_restrict(root, uids, 3, gids, 1);
    CHECK_EQ(narrow->nuids, 3);
    CHECK_EQ(narrow->ngids, 1);
    fshelp_user_deref(narrow), fshelp_user_deref(one), fshelp_user_deref(root);
}

UNIT_TEST(path_steps)
{
    const char *path = "//usr/bin///";
    char name[256], longest[300];
    bool last, dir;

    CHECK_EQ(fshelp_path_step(&path, name, &last, &dir), 0);
    CHECK_STR(name, "usr");
    CHECK(!last && !dir);
    CHECK_EQ(fshelp_path_step(&path, name, &last, &dir), 0);
    CHECK_STR(name, "bin");
    CHECK(last && dir);
    CHECK_EQ(fshelp_path_step(&path, name, &last, &dir), ENOENT);
    memset(longest, 'x', sizeof longest);
    longest[256] = 0;
    path = longest;
    CHECK_EQ(fshelp_path_step(&path, name, &last, &dir), ENAMETOOLONG);
    longest[255] = 0;
    path = longest;
    CHECK_EQ(fshelp_path_step(&path, name, &last, &dir), 0);
}

static pthread_mutex_t node_lock = PTHREAD_MUTEX_INITIALIZER;
static int a, b;

UNIT_TEST(flock_shared_and_exclusive)
{
    struct fshelp_lockbox box;
    int mine, others;

    fshelp_lockbox_init(&box);
    CHECK_EQ(fshelp_lock_whole(&box, &node_lock, &a, LOCK_SH), 0);
    CHECK_EQ(fshelp_lock_whole(&box, &node_lock, &b, LOCK_SH), 0);
    CHECK_EQ(fshelp_lock_whole(&box, &node_lock, &a, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK_EQ(fshelp_lock_whole(&box, &node_lock, &a, LOCK_EX), EINTR);
    fshelp_lock_status(&box, &a, &mine, &others);
    CHECK(mine == LOCK_SH && others == LOCK_SH);
    fshelp_lock_drop(&box, &b);
    CHECK_EQ(fshelp_lock_whole(&box, &node_lock, &a, LOCK_EX), 0);
    fshelp_lock_status(&box, &b, &mine, &others);
    CHECK(mine == LOCK_UN && others == LOCK_EX);
    CHECK_EQ(fshelp_lock_whole(&box, &node_lock, &a, LOCK_UN), 0);
    CHECK(!box.records);
    fshelp_lockbox_destroy(&box);
}

static error_t record(struct fshelp_lockbox *box, void *owner, int type, off_t start, off_t length)
{
    struct flock64 lock = { .l_type = type, .l_start = start, .l_len = length };
    return fshelp_lock_record(box, &node_lock, owner, owner == &a ? 1 : 2, F_SETLK64, &lock);
}

UNIT_TEST(records_split_and_melt)
{
    struct fshelp_lockbox box;
    struct flock64 lock;

    fshelp_lockbox_init(&box);
    CHECK_EQ(record(&box, &a, F_WRLCK, 0, 100), 0);
    CHECK_EQ(record(&box, &b, F_RDLCK, 50, 10), EAGAIN);
    CHECK_EQ(record(&box, &a, F_UNLCK, 50, 10), 0);
    CHECK_EQ(record(&box, &b, F_RDLCK, 50, 10), 0);
    lock = (struct flock64) { .l_type = F_WRLCK, .l_start = 60, .l_len = 0 };
    CHECK_EQ(fshelp_lock_record(&box, &node_lock, &b, 2, F_GETLK64, &lock), 0);
    CHECK(lock.l_type == F_WRLCK && lock.l_start == 60 && lock.l_len == 40 && lock.l_pid == 1);
    CHECK_EQ(record(&box, &b, F_UNLCK, 0, 0), 0);
    CHECK_EQ(record(&box, &a, F_WRLCK, 50, 10), 0); /* fills the gap: one lock again */
    lock = (struct flock64) { .l_type = F_RDLCK };
    CHECK_EQ(fshelp_lock_record(&box, &node_lock, &b, 2, F_GETLK64, &lock), 0);
    CHECK(lock.l_start == 0 && lock.l_len == 100);
    CHECK_EQ(record(&box, &a, F_WRLCK, 100, 0), 0); /* to the end of the file */
    lock = (struct flock64) { .l_type = F_RDLCK, .l_start = 1L << 40 };
    CHECK_EQ(fshelp_lock_record(&box, &node_lock, &b, 2, F_GETLK64, &lock), 0);
    CHECK(lock.l_start == 0 && lock.l_len == 0);
    CHECK_EQ(record(&box, &a, F_RDLCK, 10, -20), EINVAL);
    fshelp_lock_drop(&box, &a);
    CHECK(!box.records);
    fshelp_lockbox_destroy(&box);
}

/* ---- deadlocks through several files ------------------------------------------------- */

enum { FILES = 4 };
static struct fshelp_lockbox files[FILES];
static int owners[FILES];
static unsigned int step;
static error_t last;

static error_t lock_file(unsigned int owner, unsigned int file, int type)
{
    struct flock64 lock = { .l_type = type };
    return fshelp_lock_record(&files[file], &node_lock, &owners[owner], 1, F_SETLKW64, &lock);
}

/* Owner N waits for file N + 1 while the next one comes; the last closes the circle. */
static void wait_on(void)
{
    unsigned int owner = step++;
    meanwhile = step < FILES ? wait_on : NULL;
    error_t err = lock_file(owner, (owner + 1) % FILES, F_WRLCK);
    if (step == FILES && owner == FILES - 1)
        last = err;
}

UNIT_TEST(deadlock_through_four_files)
{
    for (unsigned int i = 0; i < FILES; i++) {
        fshelp_lockbox_init(&files[i]);
        CHECK_EQ(lock_file(i, i, F_WRLCK), 0);
    }
    step = 0;
    last = 0;
    wait_on();
    CHECK_EQ(step, FILES);
    CHECK_EQ(last, EDEADLK);
    fshelp_lock_drop(&files[0], &owners[0]);    /* an open chain is none */
    step = 0;
    last = 0;
    wait_on();
    CHECK_EQ(last, 0);
    for (unsigned int i = 0; i < FILES; i++)
        fshelp_lockbox_destroy(&files[i]);
}

/* Owner 1, who waits for owner 0's file 0, is given file 1 by another thread while owner 0 waits for it. */
static void given_meanwhile(void)
{
    fshelp_lock_drop(&files[1], &owners[2]);
    CHECK_EQ(lock_file(1, 1, F_WRLCK), 0);
}

static void wait_for_second(void)
{
    meanwhile = given_meanwhile;
    last = lock_file(0, 1, F_WRLCK);
}

UNIT_TEST(deadlock_by_a_lock_that_is_given)
{
    fshelp_lockbox_init(&files[0]);
    fshelp_lockbox_init(&files[1]);
    CHECK(lock_file(0, 0, F_WRLCK) == 0 && lock_file(2, 1, F_WRLCK) == 0);
    CHECK(fshelp_lock_holds(&files[1], &owners[2]) && !fshelp_lock_holds(&files[1], &owners[1]));
    meanwhile = wait_for_second;
    last = 0;
    CHECK_EQ(lock_file(1, 0, F_WRLCK), EINTR);
    CHECK_EQ(last, EDEADLK);
    CHECK(fshelp_lock_holds(&files[1], &owners[1]) && !fshelp_lock_holds(&files[0], &owners[1]));
    fshelp_lockbox_destroy(&files[0]);
    fshelp_lockbox_destroy(&files[1]);
}

static void owner_0_gives_up(void)
{
    fshelp_lock_drop(&files[0], &owners[0]);
}

/* Who has died while he waited gets nothing, not even for a moment. */
UNIT_TEST(the_dead_get_no_locks)
{
    fshelp_lockbox_init(&files[0]);
    CHECK_EQ(lock_file(0, 0, F_WRLCK), 0);
    meanwhile = owner_0_gives_up;
    abandoned = true;
    CHECK_EQ(lock_file(1, 0, F_WRLCK), EINTR);
    abandoned = false;
    CHECK(!fshelp_lock_holds(&files[0], &owners[1]));
    CHECK_EQ(lock_file(2, 0, F_WRLCK), 0);
    fshelp_lockbox_destroy(&files[0]);
}

/* Many who wait for many: each is followed once. */
static void crowd(void)
{
    static unsigned int waiting;
    if (++waiting < 200) {
        static int more[200];
        struct flock64 lock = { .l_type = F_WRLCK, .l_len = 200 };
        meanwhile = crowd;
        CHECK_EQ(fshelp_lock_record(&files[0], &node_lock, &more[waiting], 1, F_SETLKW64, &lock), EINTR);
    }
}

UNIT_TEST(deadlock_search_in_a_crowd)
{
    static int holders[200];
    fshelp_lockbox_init(&files[0]);
    for (unsigned int i = 0; i < 200; i++) {
        struct flock64 lock = { .l_type = F_WRLCK, .l_start = i, .l_len = 1 };
        CHECK_EQ(fshelp_lock_record(&files[0], &node_lock, &holders[i], 1, F_SETLK64, &lock), 0);
    }
    meanwhile = NULL;
    crowd();
    fshelp_lockbox_destroy(&files[0]);
}

UNIT_MAIN
