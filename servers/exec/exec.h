/* SPDX-License-Identifier: GPL-2.0-or-later */
/* exec: what the files of this server share.

   An exec goes through four hands, each with its file:
     server.c   takes the message apart and checks it                       (exec.defs)
     program.c  finds what is to be run: the ELF file, its interpreter, the script's interpreter; nothing is changed yet
     target.c   makes the task empty (or a new one) and fills it
     boot.c     keeps arguments and ports until the program asks for them   (exec_startup.defs)
   init.c is the server's own life: registration, standard arrays.

   Ownership: a message's rights and out-of-line memory belong to the message until the exec has succeeded; then the
   boot object and the server take them.  So an exec that fails leaks nothing and destroys nothing twice: libports
   destroys the message. */

#ifndef EXEC_EXEC_H
#define EXEC_EXEC_H

#include <ports/ports.h>
#include <hurd/hurd_types.h>

#include "elf_plan.h"

/* ---- a request, as it came ------------------------------------------------- */

/* exec_exec and exec_exec_paths in one.  Everything is borrowed from the message. */
struct exec_request {
    file_t file;            /* readable port to the program */
    task_t oldtask;         /* MACH_PORT_NULL: EXEC_NEWTASK is implied */
    int flags;              /* EXEC_* */
    const char *path;       /* as the caller named the file; "" when it does not say */
    const char *abspath;
    const char *argv, *envp;             /* argz */
    size_t argv_length, envp_length;
    const mach_port_t *dtable, *portarray;
    unsigned int dtable_count, portarray_count;
    const int *intarray;
    unsigned int intarray_count;
    const mach_port_name_t *deallocnames, *destroynames;
    unsigned int deallocnames_count, destroynames_count;
};

/* ---- arguments.c -------------------------------------------------------------- */

/* argv and envp may be that long together, and have that many words: the pointers to them, which the C library puts on
   the stack, then take a quarter of the usual stack. */
#define EXEC_ARGUMENTS_MAX (8u << 20)
#define EXEC_WORDS_MAX (EXEC_STACK_SIZE_DEFAULT / 4 / sizeof(char *))
/* The most descriptors, and the most standard ports or integers. */
#define EXEC_DESCRIPTORS_MAX (1u << 18)
#define EXEC_ARRAY_MAX 4096u

/* E2BIG: REQUEST is beyond one of these limits; EFAULT: its arguments cannot be read. */
error_t exec_arguments_check(const struct exec_request *request);
/* The bytes of argv in *ARGV, malloc'd, where they may be looked at.  ENOMEM, EFAULT. */
error_t exec_arguments_copy(const struct exec_request *request, char **argv);

/* ---- boot.c ------------------------------------------------------------------ */

/* Bytes of argv or envp: where they are and how to get rid of them. */
struct exec_data {
    char *bytes;
    size_t length;
    enum { EXEC_DATA_BORROWED, EXEC_DATA_MALLOC, EXEC_DATA_VM } kind;
};
void exec_data_free(struct exec_data *data);

/* MIG sends so much inside a message. */
#define EXEC_DATA_INLINE_MAX 2048

/* Makes DATA of LENGTH bytes at BYTES such that a reply can hand it over without failing: taken over if KIND is VM or
   MALLOC, copied if BORROWED.  ENOMEM: BYTES is still the caller's. */
error_t exec_data_settle(struct exec_data *data, const char *bytes, size_t length, int kind);

/* What a new program asks of its bootstrap port, once.  The object's fields are set by exec_run before any send right
   exists, then constant but for `filled`. */
struct exec_boot {
    struct ports_object port;
    pthread_mutex_t lock;
    bool filled;               /* the rest is there, and the object owns it; lock */
    vm_address_t user_entry, phdr_address, stack_base;
    vm_size_t phdr_size, stack_size;
    int flags;
    size_t inline_max;         /* more bytes of argv or envp than this go out of line */
    struct exec_data argv, envp;
    mach_port_t *dtable, *portarray;   /* one block of memory that begins with dtable; send rights */
    int *intarray;                     /* in the same block */
    unsigned int dtable_count, portarray_count, intarray_count;
};

/* A static program gets longer strings out of line: its C library has not yet learned how large the caches are when it
   copies what came inline, and its memcpy then only copes with so many bytes. */
#define EXEC_STATIC_INLINE_MAX 128

/* The bucket of all objects of the server. */
extern struct ports_bucket *exec_bucket;

/* A boot object with copies of the request's arrays, made longer (with zeroes) to the three counts, which are not less
   than theirs; one reference.  Rights and bytes in it are borrowed until exec_boot_commit.  ENOMEM, EFAULT. */
error_t exec_boot_create(const struct exec_request *request, unsigned int dtable_count, unsigned int portarray_count,
                         unsigned int intarray_count, struct exec_boot **boot);
/* From now on BOOT owns rights and bytes, and answers. */
void exec_boot_commit(struct exec_boot *boot);
/* Takes that back, should the program not come to run after all. */
void exec_boot_revoke(struct exec_boot *boot);

/* ---- program.c ----------------------------------------------------------------- */

/* The first bytes of a file that are looked at: one message without out-of-line memory. */
#define EXEC_HEADER_SIZE 2048

/* One ELF file to be mapped. */
struct exec_image {
    file_t file;                 /* owned if `opened`, else the request's */
    bool opened;
    mach_port_t object;          /* its memory object for reading; MACH_PORT_NULL: contents have to be copied */
    struct elf_plan *plan;
    uint64_t base;               /* added to the plan's addresses */
    vm_address_t *ahead;         /* for each segment of the plan: the pages that hold its copied bytes, already read,
                                    zeroes around them; 0: not read ahead (none, or many); malloc'd */
};

/* Pages that hold the copied bytes of SEGMENT: the size of such a block. */
static inline vm_size_t exec_copy_room(const struct elf_segment *segment)
{
    return round_page(segment->copy_address % vm_page_size + segment->copy_size);
}

/* All that an exec needs before the point of no return. */
struct exec_program {
    struct exec_image main, interpreter;  /* interpreter.plan NULL: none */
    file_t delegate;             /* not null: the file's own server shall do the exec (set-id or unreadable interpreter
                                    of a script) */
    char *delegate_name;         /* the name of `delegate`; malloc'd */
    char *argv;                  /* malloc'd arguments of a script's interpreter, or NULL: the request's */
    size_t argv_length;
    file_t script;               /* not null: the script is to be passed as descriptor script_fd; the request's file */
    unsigned int script_fd;
};

/* Finds out what REQUEST asks to run, and places it.  Nothing is changed.  ENOEXEC, ELOOP, ENOMEM, or the file systems'
   errors; PROGRAM then needs no release. */
error_t exec_program_load(const struct exec_request *request, struct exec_program *program);
void exec_program_release(struct exec_program *program);

/* Opens NAME with FLAGS as the request's process would: with its root and working directory, descriptors and auth port.
   *FILE: a send right for the caller. */
error_t exec_lookup(const struct exec_request *request, const char *name, int flags, file_t *file);

/* Reads up to SIZE bytes from OFFSET into BUFFER; *LENGTH is less only at the end of the file. */
error_t exec_read(file_t file, uint64_t offset, void *buffer, size_t size, size_t *length);

/* ---- target.c ------------------------------------------------------------------- */

/* No address of a program may reach this one. */
#define EXEC_ADDRESS_LIMIT 0x200000000000ull
/* The C library puts the break at this fixed address (BRK_START, which toolchain/build-sysroot chooses), and the first
   stack ends where the break begins, in the middle of 2 MiB: the pages of both that every process touches share all
   four levels of page tables with each other, and all but the last with the program.  Each table is a page to be
   cleared at every fork. */
#define EXEC_STACK_TOP 0x30100000ull
/* Where the stack of a program ends that is so large that it reaches there. */
#define EXEC_STACK_TOP_HIGH (EXEC_ADDRESS_LIMIT + (1ull << 30))
#define EXEC_STACK_SIZE_DEFAULT (16ull << 20)
#define EXEC_STACK_SIZE_MAX (256ull << 20)

/* Makes TASK (all its threads, memory, and the names that REQUEST lists) empty.  The point of no return for it. */
error_t exec_target_clear(task_t task, const struct exec_request *request);

/* Maps IMAGE into TASK. */
error_t exec_target_map(task_t task, const struct exec_image *image);

/* Gives TASK a stack of at least SIZE bytes (0: the usual): its lowest address and size. */
error_t exec_target_stack(task_t task, uint64_t size, bool executable, vm_address_t *base, vm_size_t *length);

/* Makes TASK's first thread, suspended, that will begin at PC with the stack pointer SP: a send right in *THREAD. */
error_t exec_target_thread(task_t task, uint64_t pc, uint64_t sp, thread_t *thread);

/* ---- run.c -------------------------------------------------------------------------- */

/* Does what REQUEST asks.  After success REQUEST's rights in dtable and portarray and the argv and envp bytes (of KINDs
   ARGV_KIND, ENVP_KIND when they outlive the message, else EXEC_DATA_BORROWED: copied) belong to the new program; file
   and oldtask remain the caller's. */
error_t exec_run(const struct exec_request *request, int argv_kind, int envp_kind);

/* ---- init.c --------------------------------------------------------------------------- */

/* The standard arrays that proc gave us (exec_setexecdata). A new send right to standard port INDEX, or
   MACH_PORT_NULL. */
mach_port_t exec_defaults_port(unsigned int index);
/* Standard integer INDEX, or FALLBACK. */
int exec_defaults_int(unsigned int index, int fallback);
/* Takes over the send rights in PORTS; copies the arrays. */
error_t exec_defaults_set(const mach_port_t *ports, unsigned int port_count, const int *ints, unsigned int int_count);

/* exec_init: takes AUTH and PROC as this server's own, registers and says so to startup. Consumes the rights on
   success.  EPERM the second time. */
error_t exec_init_complete(mach_port_t auth, mach_port_t proc);
/* For init.c: our arguments, for proc. */
extern char **exec_arguments;

/* Sends of exec.defs are for: */
typedef struct ports_object *exec_object_t;
extern struct ports_class *exec_control_class, *exec_protid_class;
extern struct ports_class exec_notify_class;

/* Errors of the kernel become errors of the system. */
static inline error_t exec_kernel_error(kern_return_t err)
{
    switch (err) {
    case KERN_SUCCESS:
        return 0;
    case KERN_NO_SPACE:
    case KERN_RESOURCE_SHORTAGE:
        return ENOMEM;
    case MACH_SEND_INVALID_DEST:
    case KERN_INVALID_TASK:
        return ESRCH;
    default:
        return err;
    }
}

#endif
