/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fstest: what only the Hurd's files have: translators that come, go, die and are listed; where a file lies; writers
   whose memory never comes. */

#include "fstest.h"

#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/fsys.h>
#include <hurd/io.h>
#include <mach/memory_object.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- fsys_get_children ----------------------------------------------------------------------- */

/* True if the root file system lists PATH, and the port with it answers. */
static bool child_listed(const char *path)
{
    static char room[2048];
    mach_port_t port_room[512], *ports = port_room;
    char *names = room;
    mach_msg_type_number_t length = sizeof room, count = 512;
    file_t root = file_name_lookup("/", 0, 0);
    fsys_t control = MACH_PORT_NULL;
    bool found = false;
    error_t err = file_getcontrol(root, &control);
    if (!err)
        err = fsys_get_children(control, &names, &length, &ports, &count);
    CHECK(err == 0);
    const char *name = names;
    for (unsigned int i = 0; !err && i < count && name < names + length; i++, name += strlen(name) + 1) {
        string_t source;
        if (strcmp(name, path) == 0)
            found = fsys_get_source(ports[i], source) != MACH_SEND_INVALID_DEST;
        mach_port_deallocate(mach_task_self(), ports[i]);
    }
    mach_port_deallocate(mach_task_self(), control);
    mach_port_deallocate(mach_task_self(), root);
    return found;
}

static void children(void)
{
    CHECK(shell("settrans -a -c one /hurd/null && mkdir -p deep/er && settrans -a -c deep/er/two /hurd/null") == 0);
    CHECK(child_listed("tmp/fstest/one") && child_listed("tmp/fstest/deep/er/two") && child_listed("servers/exec"));
    CHECK(rename("deep/er", "moved") == 0 && rename("one", "moved/uno") == 0);
    CHECK(child_listed("tmp/fstest/moved/two") && child_listed("tmp/fstest/moved/uno") &&
          !child_listed("tmp/fstest/one"));
    CHECK(shell("settrans -a moved/two && settrans -a moved/uno") == 0);
    CHECK(!child_listed("tmp/fstest/moved/two") && !child_listed("tmp/fstest/moved/uno"));
    CHECK(shell("rm -r deep moved") == 0);
}

/* ---- translators that go ---------------------------------------------------------------------------- */

static bool is_active(file_t node)
{
    io_statbuf_t st;
    return io_stat(node, &st) == 0 && (st.st_mode & S_IATRANS);
}

/* Waits until the translator on NODE is gone: its death is told by a message. */
static bool goes_away(file_t node)
{
    for (int i = 0; i < 250 && is_active(node); i++)
        usleep(20000);
    return !is_active(node);
}

/* Kills the process with the command line LINE. */
static int kill_by_line(const char *line)
{
    char command[300];
    snprintf(command, sizeof command,
             "ps -e -o pid,args | while read pid args; do case \"$args\" in '%s') kill -9 $pid;; esac; done", line);
    return shell(command);
}

/* Asks the translator behind CONTROL to go, as often as somebody still has it open: who has ended has told so before
   his rights were gone. */
static error_t go_when_unused(mach_port_t control)
{
    error_t err = fsys_goaway(control, 0);
    for (int i = 0; i < 250 && err == EBUSY; i++) {
        usleep(20000);
        err = fsys_goaway(control, 0);
    }
    return err;
}

static void death(void)
{
    CHECK(shell("settrans -c zero /hurd/null --zero") == 0);
    file_t node = file_name_lookup("zero", O_NOTRANS, 0);
    CHECK(node != MACH_PORT_NULL && !is_active(node));
    for (int i = 0; i < 3; i++) {
        CHECK(shell("head -c 3 zero > out") == 0 && is_active(node));
        CHECK(kill_by_line("/hurd/null --zero") == 0 && goes_away(node));
    }
    CHECK(shell("head -c 3 zero > out") == 0 && is_active(node));           /* and once more, by lookup */
    mach_port_t control = MACH_PORT_NULL;
    CHECK(file_get_translator_cntl(node, &control) == 0 && go_when_unused(control) == 0);
    CHECK(goes_away(node) && file_get_translator_cntl(node, &control) == ENXIO);
    mach_port_deallocate(mach_task_self(), node);
    CHECK(shell("rm zero out") == 0);
}

/* What settrans can be asked for. */
static void setting(void)
{
    CHECK(shell("settrans -c t /hurd/null") == 0 && shell("showtrans t > /dev/null") == 0);
    CHECK(shell("settrans -x t /hurd/null --zero 2>/dev/null") != 0);                   /* exclusive: there is one */
    /* an active one is in the way */
    CHECK(shell("cat t") == 0 && shell("settrans t /hurd/null --zero 2>/dev/null") != 0);
    /* kept: the old one answers */
    CHECK(shell("settrans -k t /hurd/null --zero && test \"$(wc -c < t)\" -eq 0") == 0);
    CHECK(shell("settrans -g t /hurd/null --zero && test \"$(head -c 4 t | wc -c)\" -eq 4") == 0);
    /* active only: the passive one stays */
    CHECK(shell("settrans -a t /hurd/null && test \"$(wc -c < t)\" -eq 0") == 0);
    CHECK(shell("settrans -a t && test \"$(head -c 4 t | wc -c)\" -eq 4") == 0);
    CHECK(shell("settrans -a -p -g t /hurd/null && test \"$(wc -c < t)\" -eq 0 && showtrans t > /dev/null") == 0);
    int fd = open("t", O_RDONLY);
    /* in use: only by force */
    CHECK(fd >= 0 && shell("settrans -a t 2>/dev/null") != 0 && shell("settrans -a -f t") == 0);
    close(fd);
    /* Cut off, the old one serves who has it open, and goes with him. */
    char byte = 1;
    CHECK(shell("settrans -a t /hurd/null --zero") == 0 && (fd = open("t", O_RDONLY)) >= 0);
    CHECK(shell("settrans -a -O t && test \"$(wc -c < t)\" -eq 0") == 0 && read(fd, &byte, 1) == 1 && byte == 0 &&
          close(fd) == 0);
    CHECK(shell("settrans -g t && rm t") == 0);
    /* The name goes: so does its translator, as soon as nobody uses it. */
    CHECK(shell("settrans -a -c u /hurd/null --zero") == 0);
    file_t node = file_name_lookup("u", O_NOTRANS, 0);
    fd = open("u", O_RDONLY);
    byte = 1;
    CHECK(fd >= 0 && unlink("u") == 0 && read(fd, &byte, 1) == 1 && byte == 0 && close(fd) == 0 && goes_away(node));
    mach_port_deallocate(mach_task_self(), node);
}

/* ---- types -------------------------------------------------------------------------------------- */

/* Gives the file NAME the passive translator ARGZ. */
static error_t retype(const char *name, const char *argz, size_t length)
{
    file_t node = file_name_lookup(name, O_NOTRANS, 0);
    error_t err = file_set_translator(node, FS_TRANS_SET, 0, 0, argz, length, MACH_PORT_NULL, MACH_MSG_TYPE_COPY_SEND);
    mach_port_deallocate(mach_task_self(), node);
    return err;
}

/* What an inode kept as a device's number or a link's target must never be taken for blocks of a file. */
static int types_change(const char *name)
{
    static const char device[] = "/hurd/chrdev\0003\0001", link[] = "/hurd/symlink\0\177\177\177";
    struct stat st;
    unsigned int before = failed;
    char byte = 0;
    int fd = open(name, O_RDWR | O_CREAT | O_NOTRANS, 0644);
    CHECK(fd >= 0 && retype(name, device, sizeof device) == 0 && fsync(fd) == 0);
    CHECK(fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) && write(fd, "x", 1) == -1);
    CHECK(retype(name, NULL, 0) == 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_rdev == 0);
    CHECK(write(fd, "x", 1) == 1 && fsync(fd) == 0 && fstat(fd, &st) == 0 && st.st_blocks > 0);
    CHECK(pread(fd, &byte, 1, 0) == 1 && byte == 'x' && close(fd) == 0 && unlink(name) == 0);
    /* What was written into a file before it became a link is not part of it, and cannot be. */
    fd = open(name, O_RDWR | O_CREAT, 0644);
    CHECK(fd >= 0 && write(fd, "xyz", 3) == 3 && ftruncate(fd, 0) == 0 && retype(name, link, sizeof link) == 0);
    CHECK(fsync(fd) == 0 && write(fd, "x", 1) == -1 && ftruncate(fd, 1) == -1);
    CHECK(fstat(fd, &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 3 && close(fd) == 0 && unlink(name) == 0);
    /* Nor is a mapping of it. */
    fd = open(name, O_RDWR | O_CREAT, 0644);
    char *page = mmap(NULL, vm_page_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(page != MAP_FAILED && retype(name, link, sizeof link) == EBUSY && munmap(page, vm_page_size) == 0);
    CHECK(close(fd) == 0 && unlink(name) == 0);
    return failed != before;
}

/* ---- whose translator it is --------------------------------------------------------------------- */

/* A node's owner chooses the program that the file system starts for it: it must have his rights and no more. */
static void owners_translator(void)
{
    static const char ours[] = "/fstest\0--report-rights\0/tmp/fstest/told", secret[] = "/tmp/fstest/secret";
    put("owned", "", 0666);
    CHECK(chown("owned", 1000, 100) == 0 && retype("owned", ours, sizeof ours) == 0);
    CHECK(open("owned", O_RDONLY) == -1 && holds("told", "refused 1000") && unlink("told") == 0);
    CHECK(shell("cp /bin/true secret && chmod 700 secret") == 0 && retype("owned", secret, sizeof secret) == 0);
    FAILS(open("owned", O_RDONLY), EACCES);
    CHECK(unlink("owned") == 0 && unlink("secret") == 0);
}

/* A user's translator that never says anything: whoever takes its name away does not wait for it. */
static int be_silent(const char *name)
{
    mach_port_t control = mach_reply_port();
    file_t node = file_name_lookup(name, O_NOTRANS, 0);
    error_t err = file_set_translator(node, 0, FS_TRANS_SET, 0, NULL, 0, control, MACH_MSG_TYPE_MAKE_SEND);
    if (err || creat("ready", 0644) < 0)
        return 1;
    for (;;)
        pause();
}

static void silent_translator(void)
{
    put("quiet", "", 0666);
    put("quieter", "", 0666);
    CHECK(chown("quiet", 1000, 100) == 0);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(setgid(100) < 0 || setuid(1000) < 0 || be_silent("quiet"));
    for (int tries = 0; tries < 500 && !exists("ready"); tries++)
        usleep(20000);
    CHECK(exists("ready"));
    alarm(120);
    CHECK(rename("quieter", "quiet") == 0 && unlink("quiet") == 0);
    alarm(0);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid && unlink("ready") == 0);
}

/* fsys_goaway's flags, of a translator that has something to write. */
static void goaway_flags(void)
{
    mach_port_t control = MACH_PORT_NULL;
    error_t err = EBUSY;
    put("backing", "0123456789", 0666);
    CHECK(shell("truncate -s 2048 backing && settrans -a -c device /hurd/storeio file:/tmp/fstest/backing") == 0);
    file_t node = file_name_lookup("device", O_NOTRANS, 0);
    int fd = open("device", O_RDWR);
    CHECK(fd >= 0 && file_get_translator_cntl(node, &control) == 0 && write(fd, "abc", 3) == 3);
    CHECK(fsys_goaway(control, 0) == EBUSY && fsys_goaway(control, FSYS_GOAWAY_NOWAIT | FSYS_GOAWAY_RECURSE) == EBUSY);
    CHECK(write(fd, "def", 3) == 3 && close(fd) == 0);                      /* nobody was held up by that */
    for (int i = 0; i < 1000 && err == EBUSY; i++, usleep(20000))           /* the last port's death is told by a
                                                                               message */
        err = fsys_goaway(control, FSYS_GOAWAY_NOWAIT);
    CHECK(err == 0 && goes_away(node) && shell("test \"$(head -c 10 backing)\" = abcdef6789") == 0);
    mach_port_deallocate(mach_task_self(), control);
    CHECK(shell("settrans -a device /hurd/storeio file:/tmp/fstest/backing") == 0 &&
          (fd = open("device", O_RDWR)) >= 0);
    CHECK(file_get_translator_cntl(node, &control) == 0 &&
          fsys_goaway(control, FSYS_GOAWAY_FORCE | FSYS_GOAWAY_NOSYNC) == 0);
    signal(SIGLOST, SIG_IGN);               /* which is what a file without its server means */
    CHECK(goes_away(node) && write(fd, "x", 1) == -1 && close(fd) == 0);
    signal(SIGLOST, SIG_DFL);
    mach_port_deallocate(mach_task_self(), control);
    mach_port_deallocate(mach_task_self(), node);
    CHECK(shell("rm device backing") == 0);
}

/* ---- file_get_storage_info ---------------------------------------------------------------------------- */

enum { KIND, FLAGS, BLOCK_SIZE, RUNS, NAME_LENGTH, MISC_LENGTH, FIELDS };

static void storage(void)
{
    static char data[1 << 16], back[512];
    int ints_room[64], *ints = ints_room;
    loff_t runs_room[256], *runs = runs_room;
    mach_port_t ports_room[16], *ports = ports_room;
    char name_room[2048], *name = name_room;
    mach_msg_type_number_t nports = 16, nints = 64, nruns = 256, length = sizeof name_room;

    memset(data, 'S', sizeof data);
    int fd = open("stored", O_CREAT | O_RDWR, 0644);
    CHECK(write(fd, data, sizeof data) == sizeof data && pwrite(fd, data, sizeof data, 1 << 20) == sizeof data);
    file_t file = getdport(fd);
    CHECK(file_get_storage_info(file, &ports, &nports, &ints, &nints, &runs, &nruns, &name, &length) == 0);
    CHECK(nints == FIELDS && ints[KIND] == STORAGE_DEVICE && ints[BLOCK_SIZE] >= 512 && nports == 1 && length == 4 &&
          strcmp(name, "wd0") == 0);
    CHECK(nruns == 2 * (unsigned int) ints[RUNS] && nruns >= 6);
    loff_t total = 0;
    bool hole = false;
    for (unsigned int i = 0; i + 1 < nruns; i += 2) {
        total += runs[i + 1];
        hole |= runs[i] == -1;
    }
    CHECK(hole && total * ints[BLOCK_SIZE] == (1 << 20) + (1 << 16));
    int disk = open("/dev/wd0", O_RDONLY);
    CHECK(disk >= 0 && runs[0] > 0 && pread(disk, back, sizeof back, runs[0] * ints[BLOCK_SIZE]) == sizeof back);
    CHECK(memcmp(back, data, sizeof back) == 0);
    close(disk);
    for (unsigned int i = 0; i < nports; i++)
        mach_port_deallocate(mach_task_self(), ports[i]);
    mach_port_deallocate(mach_task_self(), file);
    CHECK(close(fd) == 0 && unlink("stored") == 0);
}

/* Others are told that it lies nowhere. */
static int storage_as_user(const char *name_of_file)
{
    int ints_room[64], *ints = ints_room;
    loff_t runs_room[256], *runs = runs_room;
    mach_port_t ports_room[16], *ports = ports_room;
    char name_room[2048], *name = name_room;
    mach_msg_type_number_t nports = 16, nints = 64, nruns = 256, length = sizeof name_room;
    file_t file = file_name_lookup(name_of_file, O_READ, 0);
    error_t err = file_get_storage_info(file, &ports, &nports, &ints, &nints, &runs, &nruns, &name, &length);
    return !err && ints[KIND] == STORAGE_OTHER && nports == 0 && nruns == 0 ? 0 : 1;
}

/* A store as a device: mapped, read and written at the same time. */
static void device_map(void)
{
    enum { SIZE = 1 << 20 };
    char text[16] = "";
    CHECK(
        shell("head -c 1048576 /dev/zero > backing && settrans -a -c device /hurd/storeio file:/tmp/fstest/backing") ==
        0);
    int fd = open("device", O_RDWR);
    CHECK(pwrite(fd, "before", 6, 5000) == 6);
    char *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(map != MAP_FAILED);
    if (map == MAP_FAILED)
        return;
    CHECK(memcmp(map + 5000, "before", 6) == 0 && map[SIZE - 1] == 0);
    memcpy(map + 5000, "mapped", 6);
    memcpy(map + SIZE - 6, "at end", 6);
    CHECK(pread(fd, text, 6, 5000) == 6 && memcmp(text, "mapped", 6) == 0);
    CHECK(pwrite(fd, "written", 7, 4095) == 7 && memcmp(map + 4095, "written", 7) == 0);
    CHECK(pread(fd, text, 16, SIZE - 6) == 6 && memcmp(text, "at end", 6) == 0 && pread(fd, text, 1, SIZE) == 0);
    FAILS(pwrite(fd, "x", 1, SIZE), ENOSPC);
    CHECK(fsync(fd) == 0);
    int file = open("backing", O_RDONLY);
    CHECK(pread(file, text, 6, 5000) == 6 && memcmp(text, "mapped", 6) == 0 && pread(file, text, 7, 4095) == 7 &&
          memcmp(text, "written", 7) == 0);
    memcpy(map + 9000, "after", 5);                     /* written by nobody's fsync, when the last one has let go */
    CHECK(close(fd) == 0 && munmap(map, SIZE) == 0);
    for (int i = 0; i < 250 && (pread(file, text, 5, 9000) != 5 || memcmp(text, "after", 5) != 0); i++)
        usleep(20000);
    CHECK(memcmp(text, "after", 5) == 0);
    fd = open("device", O_RDONLY);
    CHECK(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
    map = mmap(NULL, SIZE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(map != MAP_FAILED);
    CHECK(map != MAP_FAILED && memcmp(map + 9000, "after", 5) == 0);
    CHECK(map != MAP_FAILED && munmap(map, SIZE) == 0);
    CHECK(close(fd) == 0 && close(file) == 0 && shell("settrans -a -f device; rm device backing") == 0);
}

/* ---- a writer whose memory never comes ------------------------------------------------------------------- */

enum { REGION = 1 << 20, INIT = 2200 };

/* Answers that the object is ready, and nothing else. */
static void *silent_pager(void *arg)
{
    mach_port_t *object = arg;
    struct { mach_msg_header_t head; mach_msg_type_t type; mach_port_name_inlined_t control; char rest[512]; } question;
    for (;;)
        if (mach_msg(&question.head, MACH_RCV_MSG, 0, sizeof question, *object, 0, MACH_PORT_NULL) == 0 &&
            question.head.msgh_id == INIT)
            memory_object_ready(question.control.name, FALSE, MEMORY_OBJECT_COPY_DELAY);
    return NULL;
}

/* Writes memory that nobody supplies to the open file FD. */
static int write_silent(int fd, int ready)
{
    static mach_port_t object;
    pthread_t thread;
    vm_address_t memory = 0;
    vm_size_t done;
    error_t err = mach_port_allocate(mach_task_self(), MACH_PORT_RIGHT_RECEIVE, &object);
    if (!err)
        err = mach_port_insert_right(mach_task_self(), object, object, MACH_MSG_TYPE_MAKE_SEND);
    if (!err)
        err = pthread_create(&thread, NULL, silent_pager, &object);
    if (!err)
        err = vm_map(mach_task_self(), &memory, REGION, 0, TRUE, object, 0, TRUE, VM_PROT_READ | VM_PROT_WRITE,
                     VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_NONE);
    if (err || write(ready, "r", 1) != 1)
        return 1;
    return io_write(getdport(fd), (char *) memory, 1 << 16, -1, &done) == 0 ? 2 : 0;
}

static void hostile_writer(void)
{
    int ready[2], fd = open("target", O_CREAT | O_RDWR, 0644);
    char text[8] = "";
    CHECK(pipe(ready) == 0 && write(fd, "before", 6) == 6);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        _exit(write_silent(fd, ready[1]));
    CHECK(read(ready[0], text, 1) == 1);
    usleep(500000);
    CHECK(waitpid(pid, NULL, WNOHANG) == 0);            /* he waits */
    alarm(120);                                         /* if we do, too, that is the end of this test */
    struct stat st;
    CHECK(fstat(fd, &st) == 0 && st.st_size == 6 && pread(fd, text, 6, 0) == 6 && memcmp(text, "before", 6) == 0);
    CHECK(write(fd, "after", 5) == 5);                  /* by the very same open */
    CHECK(rename("target", "renamed") == 0 && holds("renamed", "beforeafter"));
    put("neighbour", "x", 0644);
    CHECK(unlink("neighbour") == 0 && truncate("renamed", 2) == 0 && holds("renamed", "be") && fsync(fd) == 0);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    CHECK(write(fd, "end", 3) == 3);
    alarm(0);
    CHECK(close(fd) == 0 && close(ready[0]) == 0 && close(ready[1]) == 0 && unlink("renamed") == 0);
}

void hurd_tests(void)
{
    SECTION(children());
    SECTION(death());
    SECTION(setting());
    SECTION(types_change("typed"));
    CHECK(in_child(1000, 100, types_change, "typed") == 0);
    SECTION(owners_translator());
    SECTION(silent_translator());
    SECTION(goaway_flags());
    SECTION(storage());
    put("visible", "x", 0644);
    CHECK(in_child(1000, 100, storage_as_user, "visible") == 0 && unlink("visible") == 0);
    SECTION(device_map());
    SECTION(hostile_writer());
}
