/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What MIG's kernel stubs need: the kernel's objects behind ports, and how a port becomes one and back
   (mach/mach_types.defs, device/device_types.defs, mach/machine/mach_i386.defs under KERNEL_SERVER).

   intran: port → object with a reference, NULL if the port stands for something else; the routine answers
   KERN_INVALID_ARGUMENT then.  destructor: the reference is given up.  outtran: object, whose reference is consumed →
   send right. */

#if !defined(MIG_TYPES_H) && !defined(__ASSEMBLER__) /* every file of the kernel has it included first */
#define MIG_TYPES_H

#include <mach/boolean.h>
#include <mach/kern_return.h>
#include <mach/machine/vm_types.h>
#include <mach/port.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ipc_port *ipc_port_t;
typedef struct ipc_space *ipc_space_t;
typedef struct task *task_t;
typedef struct thread *thread_t;
typedef struct vm_map *vm_map_t;
typedef struct vm_object *vm_object_t;
typedef struct host *host_t;
typedef struct processor *processor_t;
typedef struct processor_set *processor_set_t;
typedef struct device *device_t;
typedef struct io_perm *io_perm_t;

typedef mach_port_t *task_array_t, *thread_array_t, *processor_array_t, *processor_set_array_t,
    *processor_set_name_array_t;
typedef vm_offset_t *emulation_vector_t;
typedef uint16_t io_port_t;

#ifndef IP_NULL
#define IP_NULL ((struct ipc_port *)0)
#define IP_DEAD ((struct ipc_port *)~0ul)
#define IP_VALID(port) ((port) != IP_NULL && (port) != IP_DEAD)
#endif

#define null_conversion(x) (x)
/* Stubs: without a frame, as they do little but call one routine. */
#define mig_internal static __attribute__((optimize("omit-frame-pointer")))

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *where, int byte, size_t size);
/* Copies at most SIZE - 1 characters and a NUL; gives what it wrote. */
size_t mig_strncpy(char *to, const char *from, size_t size);

/* Answers NUMBER elements of SIZE bytes: in the message if *ARRAY, as the stub gave it, has room for them (*COUNT),
   else out of line; *COUNT is NUMBER then.  DATA stays the caller's.  KERN_RESOURCE_SHORTAGE. */
kern_return_t mig_array_give(void **array, uint32_t *count, const void *data, size_t number, size_t size);

void ipc_port_release_send(ipc_port_t port);
/* Would the receive right PORT, in a message to DESTINATION, wait for itself? */
boolean_t ipc_port_check_circularity(ipc_port_t port, ipc_port_t destination);
/* The kernel's reply ports end with their call (mach_msg_rpc_from_kernel). */
static inline void mig_dealloc_reply_port(mach_port_t port)
{
    (void)port;
}

task_t convert_port_to_task(ipc_port_t port);
ipc_port_t convert_task_to_port(task_t task);
void task_deallocate(task_t task);
thread_t convert_port_to_thread(ipc_port_t port);
ipc_port_t convert_thread_to_port(thread_t thread);
void thread_deallocate(thread_t thread);
vm_map_t convert_port_to_map(ipc_port_t port);
void vm_map_deallocate(vm_map_t map);
/* Of a living task, without a reference: no routine asks for the space after something that may block. */
ipc_space_t convert_port_to_space(ipc_port_t port);
static inline void space_deallocate(ipc_space_t space)
{
    (void)space;
}
vm_object_t vm_object_lookup(ipc_port_t port);
vm_object_t vm_object_lookup_name(ipc_port_t port);
void vm_object_deallocate(vm_object_t object);
host_t convert_port_to_host(ipc_port_t port);
ipc_port_t convert_host_to_port(host_t host);
host_t convert_port_to_host_priv(ipc_port_t port);
processor_t convert_port_to_processor(ipc_port_t port);
ipc_port_t convert_processor_to_port(processor_t processor);
processor_set_t convert_port_to_pset(ipc_port_t port);
processor_set_t convert_port_to_pset_name(ipc_port_t port);
ipc_port_t convert_pset_to_port(processor_set_t set);
ipc_port_t convert_pset_name_to_port(processor_set_t set);
void pset_deallocate(processor_set_t set);
device_t dev_port_lookup(ipc_port_t port);
ipc_port_t convert_device_to_port(device_t device);
void device_deallocate(device_t device);
io_perm_t convert_port_to_io_perm(ipc_port_t port);
ipc_port_t convert_io_perm_to_port(io_perm_t io_perm);
void io_perm_deallocate(io_perm_t io_perm);

#endif
