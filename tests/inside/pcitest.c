/* SPDX-License-Identifier: GPL-2.0-or-later */
/* pcitest FUNCTION-DIRECTORY: the pci interface and the files of one function of pci-arbiter's tree, as a driver and as
   a bad client use them.  The function must be QEMU's `edu' device (docs/specs/edu.rst there): region 0 begins with an
   identification and a register that gives the complement of what was written.  Says what fails, and last `N passed, N
   failed'.

   pcitest --refused FUNCTION-DIRECTORY: as a user who may only look. */

#include <errno.h>
#include <error.h>
#include <fcntl.h>
#include <hurd.h>
#include <hurd/fs.h>
#include <hurd/hurd_types.h>
#include <hurd/io.h>
#include <hurd/pci.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

#define COMMAND 4
#define MASTER 4
#define LIVENESS 4 /* register of region 0 */

#define CHECK_ERR(CALL, WANTED) check_err(CALL, WANTED, #CALL, __LINE__)

static void check_err(error_t err, error_t wanted, const char *what, int line)
{
    err == wanted ? passed++ : failed++;
    if (err != wanted)
        printf("line %d: %s gives %s (%#x), wanted %s\n", line, what, strerror(err), err, strerror(wanted));
}

static file_t node(const char *directory, const char *file, int flags)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, file);
    return file_name_lookup(path, flags, 0);
}

static file_t must(const char *directory, const char *file, int flags)
{
    file_t port = node(directory, file, flags);
    if (port == MACH_PORT_NULL)
        error(1, errno, "%s/%s", directory, file);
    return port;
}

static void drop(mach_port_t port)
{
    mach_port_deallocate(mach_task_self(), port);
}

static error_t conf_read(mach_port_t port, int reg, void *bytes, vm_size_t amount)
{
    char *data = bytes;
    mach_msg_type_number_t count = amount < 4096 ? amount : 4096;
    error_t err = pci_conf_read(port, reg, &data, &count, amount);
    if (!err && count != amount)
        err = EGRATUITOUS;
    if (!err && data != bytes) {
        memcpy(bytes, data, count);
        vm_deallocate(mach_task_self(), (vm_address_t)data, count);
    }
    return err;
}

static error_t conf_write(mach_port_t port, int reg, uint16_t value)
{
    vm_size_t amount;
    error_t err = pci_conf_write(port, reg, (char *)&value, sizeof value, &amount);
    return err ? err : amount == sizeof value ? 0 : EGRATUITOUS;
}

/* ---- configuration space ------------------------------------------------------------- */

static void config_test(const char *directory)
{
    uint8_t by_rpc[256], by_file[256], more[8192];
    mach_port_t port = must(directory, "", O_READ), config = must(directory, "config", O_READ);
    char *data = (char *)by_file;
    mach_msg_type_number_t count = sizeof by_file;
    CHECK_ERR(conf_read(port, 0, by_rpc, 256), 0);
    CHECK_ERR(io_read(config, &data, &count, 0, 256), 0);
    CHECK(count == 256 && memcmp(data, by_rpc, 256) == 0);
    CHECK(by_rpc[0] == 0x34 && by_rpc[1] == 0x12 && by_rpc[2] == 0xe8 && by_rpc[3] == 0x11);
    CHECK_ERR(conf_read(port, 1, more, 7), 0);
    CHECK(memcmp(more, by_rpc + 1, 7) == 0);
    CHECK_ERR(conf_read(port, 0, more, 0), 0);
    CHECK_ERR(conf_read(port, -1, more, 4), EINVAL);
    CHECK_ERR(conf_read(port, 256, more, 1), EINVAL);
    CHECK_ERR(conf_read(port, 255, more, 2), EINVAL);
    CHECK_ERR(conf_read(port, 0, more, 8192), EINVAL);
    CHECK_ERR(conf_read(port, 4, more, ~(vm_size_t)0), EINVAL);
    CHECK_ERR(conf_read(port, 0x7fffffff, more, 4), EINVAL);
    CHECK_ERR(conf_write(port, 0x40, 0), EBADF);
    drop(port);
    port = must(directory, "", O_READ | O_WRITE);
    CHECK_ERR(conf_write(port, 255, 0), EINVAL);
    CHECK_ERR(conf_write(port, -2, 0), EINVAL);
    CHECK_ERR(conf_write(port, 0, 0xffff), 0); /* the identification cannot be written */
    CHECK_ERR(conf_read(port, 0, more, 4), 0);
    CHECK(memcmp(more, by_rpc, 4) == 0);
    drop(port);
    drop(config);
}

static void places_test(const char *directory)
{
    mach_port_t port = must(directory, "", O_READ), above = must(directory, "..", O_READ);
    struct pci_bar bars[6];
    char *data = (char *)bars;
    mach_msg_type_number_t count = sizeof bars, functions = 0;
    CHECK_ERR(pci_get_dev_regions(port, &data, &count), 0);
    CHECK(count == sizeof bars && data == (char *)bars);
    CHECK(bars[0].size == 1 << 20 && bars[0].base_addr != 0 && !bars[0].is_IO);
    CHECK(bars[1].size == 0 && bars[5].size == 0);
    CHECK_ERR(pci_get_ndevs(port, &functions), EINVAL);
    CHECK_ERR(pci_get_ndevs(above, &functions), 0);
    CHECK(functions > 6);
    count = sizeof bars;
    CHECK_ERR(pci_get_dev_regions(above, &data, &count), EINVAL);
    struct pci_xrom_bar place;
    data = (char *)&place;
    count = sizeof place;
    CHECK_ERR(pci_get_dev_rom(port, &data, &count), 0);
    CHECK(count == sizeof place && place.size == 0);
    drop(port);
    drop(above);
}

/* ---- regions ---------------------------------------------------------------------------- */

static error_t region_write(mach_port_t region, off_t offset, uint32_t value)
{
    vm_size_t amount;
    error_t err = io_write(region, (char *)&value, sizeof value, offset, &amount);
    return err ? err : amount == sizeof value ? 0 : EGRATUITOUS;
}

static error_t region_read(mach_port_t region, off_t offset, uint32_t *value)
{
    char *data = (char *)value;
    mach_msg_type_number_t count = sizeof *value;
    error_t err = io_read(region, &data, &count, offset, sizeof *value);
    return err ? err : count == sizeof *value && data == (char *)value ? 0 : EGRATUITOUS;
}

static void region_test(const char *directory)
{
    mach_port_t region = must(directory, "region0", O_READ | O_WRITE), reader = must(directory, "region0", O_READ);
    uint32_t value = 0;
    CHECK_ERR(region_read(region, 0, &value), 0);
    CHECK((value & 0xff) == 0xed);
    CHECK_ERR(region_write(region, LIVENESS, 0x12345678), 0);
    CHECK_ERR(region_read(region, LIVENESS, &value), 0);
    CHECK(value == ~0x12345678u);
    CHECK_ERR(region_write(reader, LIVENESS, 1), EBADF);
    CHECK_ERR(region_write(region, 1 << 20, 1), ENOSPC);
    mach_port_t read_object = MACH_PORT_NULL, write_object = MACH_PORT_NULL;
    vm_address_t at = 0;
    CHECK_ERR(io_map(region, &read_object, &write_object), 0);
    CHECK(read_object != MACH_PORT_NULL && read_object == write_object);
    CHECK_ERR(vm_map(mach_task_self(), &at, 4096, 0, TRUE, write_object, 0, FALSE, VM_PROT_READ | VM_PROT_WRITE,
                     VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_NONE), 0);
    volatile uint32_t *registers = (volatile uint32_t *)at;
    CHECK((registers[0] & 0xff) == 0xed);
    registers[LIVENESS / 4] = 0xcafe;
    CHECK(registers[LIVENESS / 4] == ~0xcafeu);
    vm_deallocate(mach_task_self(), at, 4096);
    drop(read_object);
    drop(write_object);
    /* Who may only read gets an object that cannot be written, and that ends where the region does. */
    read_object = write_object = MACH_PORT_NULL;
    CHECK_ERR(io_map(reader, &read_object, &write_object), 0);
    CHECK(write_object == MACH_PORT_NULL);
    at = 0;
    /* GNU Mach maps with less than was asked for; another kernel may refuse. */
    if (vm_map(mach_task_self(), &at, 4096, 0, TRUE, read_object, 0, FALSE, VM_PROT_READ | VM_PROT_WRITE,
               VM_PROT_READ | VM_PROT_WRITE, VM_INHERIT_NONE) == 0) {
        CHECK((*(volatile uint32_t *)at & 0xff) == 0xed);
        CHECK(vm_protect(mach_task_self(), at, 4096, FALSE, VM_PROT_READ | VM_PROT_WRITE) != 0);
        vm_deallocate(mach_task_self(), at, 4096);
    }
    at = 0;
    CHECK(vm_map(mach_task_self(), &at, 8192, 0, TRUE, read_object, (1 << 20) - 4096, FALSE, VM_PROT_READ,
                 VM_PROT_READ, VM_INHERIT_NONE) != 0);
    if (MACH_PORT_VALID(read_object))
        drop(read_object);
    drop(region);
    drop(reader);
}

/* ---- exclusive use ------------------------------------------------------------------------- */

static void claim_test(const char *directory)
{
    mach_port_t first = must(directory, "", O_READ | O_WRITE), second = must(directory, "config", O_READ | O_WRITE);
    mach_port_t reader = must(directory, "", O_READ), region = must(directory, "region0", O_READ | O_WRITE);
    uint32_t value;
    int mine, others;
    CHECK_ERR(file_lock(reader, LOCK_EX | LOCK_NB), EBADF);
    CHECK_ERR(file_lock(first, LOCK_EX | LOCK_NB), 0);
    CHECK_ERR(file_lock(first, LOCK_EX | LOCK_NB), 0);
    CHECK_ERR(file_lock(second, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    CHECK_ERR(file_lock_stat(second, &mine, &others), 0);
    CHECK(mine == LOCK_UN && others == LOCK_EX);
    CHECK_ERR(conf_write(second, 0x3c, 0xff), EBUSY);
    CHECK_ERR(conf_write(first, 0x3c, 0xff), 0);
    CHECK_ERR(conf_read(second, 0, &value, 4), 0);
    CHECK_ERR(region_read(region, 0, &value), EBUSY);
    CHECK_ERR(region_write(region, LIVENESS, 0), EBUSY);
    mach_port_t read_object, write_object;
    CHECK_ERR(io_map(region, &read_object, &write_object), EBUSY);
    drop(first);
    /* The arbiter is told of the last right's end by a message of its own. */
    for (int i = 0; i < 500 && file_lock(second, LOCK_EX | LOCK_NB) == EWOULDBLOCK; i++)
        usleep(20000);
    CHECK_ERR(file_lock_stat(second, &mine, &others), 0);
    CHECK(mine == LOCK_EX && others == LOCK_UN);
    CHECK_ERR(conf_write(second, 0x3c, 0x0b), 0);
    CHECK_ERR(file_lock(second, LOCK_UN), 0);
    drop(second);
    drop(reader);
    drop(region);
}

/* A driver that dies while its device may write into memory. */
static void death_test(const char *directory)
{
    mach_port_t port = must(directory, "", O_READ | O_WRITE);
    uint16_t command = 0;
    CHECK_ERR(conf_read(port, COMMAND, &command, 2), 0);
    pid_t child = fork();
    if (child == 0) {
        mach_port_t own = must(directory, "", O_READ | O_WRITE);
        error_t err = file_lock(own, LOCK_EX | LOCK_NB);
        if (!err)
            err = conf_write(own, COMMAND, command | MASTER);
        kill(getpid(), err ? SIGTERM : SIGKILL);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    error_t err = EWOULDBLOCK;
    for (int i = 0; i < 500 && (err = file_lock(port, LOCK_EX | LOCK_NB)) == EWOULDBLOCK; i++)
        usleep(20000);
    CHECK_ERR(err, 0);
    CHECK_ERR(conf_read(port, COMMAND, &command, 2), 0);
    CHECK(!(command & MASTER));
    drop(port);
}

/* ---- somebody who may only look ------------------------------------------------------------- */

static void refused_test(const char *directory)
{
    uint32_t value;
    mach_port_t port = node(directory, "", O_READ | O_WRITE);
    CHECK(port == MACH_PORT_NULL && errno == EACCES);
    port = node(directory, "config", O_WRITE);
    CHECK(port == MACH_PORT_NULL && errno == EACCES);
    port = node(directory, "region0", O_READ);
    CHECK(port == MACH_PORT_NULL && errno == EACCES);
    port = must(directory, "", O_READ);
    CHECK_ERR(conf_read(port, 0, &value, 4), 0);
    CHECK_ERR(conf_write(port, 0x3c, 0), EBADF);
    CHECK_ERR(file_lock(port, LOCK_EX | LOCK_NB), EBADF);
    mach_port_t read_object, write_object;
    CHECK_ERR(io_map(port, &read_object, &write_object), EOPNOTSUPP);
    int allowed;
    CHECK_ERR(file_check_access(port, &allowed), 0);
    CHECK((allowed & (O_READ | O_WRITE)) == O_READ);
    drop(port);
}

int main(int argc, char **argv)
{
    bool refused = argc == 3 && strcmp(argv[1], "--refused") == 0;
    if (argc != 2 && !refused)
        error(2, 0, "usage: pcitest [--refused] FUNCTION-DIRECTORY");
    if (refused) {
        refused_test(argv[2]);
    } else {
        config_test(argv[1]);
        places_test(argv[1]);
        region_test(argv[1]);
        claim_test(argv[1]);
        death_test(argv[1]);
    }
    return check_end("pcitest");
}
