/* SPDX-License-Identifier: GPL-2.0-or-later */
/* messages.h: messages made and read item by item, as they are on the wire (mach/message.h), sent by the trap itself:
   no retries.  */

#ifndef TESTS_KERNEL_MESSAGES_H
#define TESTS_KERNEL_MESSAGES_H

#include "frame.h"

enum { MESSAGE_ROOM = 16384, NO_LIMIT = -1 };

struct message {
    mach_msg_header_t header;
    char body[MESSAGE_ROOM] __attribute__((aligned(8)));
};
/* For the case's thread; others have their own. */
extern struct message message_out, message_in;

/* Starts a message of a header alone; the types are dispositions (MACH_MSG_TYPE_…), 0 for none. */
void message_begin(struct message *message, mach_port_t remote, mach_msg_type_name_t remote_type, mach_port_t local,
                   mach_msg_type_name_t local_type, mach_msg_id_t id);
/* Appends an item: TYPE as it is, then BYTES of data, padded to 8.  The complex bit is the caller's business here. */
mach_msg_type_t *message_add(struct message *message, mach_msg_type_t type, const void *data, size_t bytes);
/* Appends NUMBER plain elements of type NAME (MACH_MSG_TYPE_…), BITS each, inline. */
mach_msg_type_t *message_add_inline(struct message *message, mach_msg_type_name_t name, unsigned int bits,
                                    unsigned int number, const void *data);
/* Appends NUMBER 32-bit integers. */
void message_add_integers(struct message *message, const int *values, unsigned int number);
/* Appends rights inline; the message becomes complex. */
mach_msg_type_t *message_add_ports(struct message *message, const mach_port_t *names, unsigned int count,
                                   mach_msg_type_name_t type);
/* Appends out-of-line bytes; the message becomes complex. */
mach_msg_type_t *message_add_memory(struct message *message, const void *address, size_t size, bool deallocate);
/* Appends an out-of-line array of rights; the message becomes complex. */
mach_msg_type_t *message_add_array(struct message *message, const mach_port_t *names, unsigned int count,
                                   mach_msg_type_name_t type, bool deallocate);

/* Sends it, waiting at most MS milliseconds for room (NO_LIMIT: as long as it takes). */
mach_msg_return_t message_send_within(struct message *message, int ms);
/* Sends it if there is room. */
mach_msg_return_t message_send(struct message *message);
/* Receives into all of MESSAGE within MS milliseconds. */
mach_msg_return_t message_receive(struct message *message, mach_port_t name, int ms);
/* Sends message_out, a request to be answered to REPLY, and receives the answer into message_in: its result, or what
   was in the way. */
long message_call(mach_port_t reply);

/* The INDEXth item of a received message; NULL if there is none. */
mach_msg_type_t *message_item(struct message *message, unsigned int index);
/* The AT'th name of an inline item of rights (or integer of an item of 32 bits each, for which AT is 0). */
mach_port_t message_port(struct message *message, unsigned int index, unsigned int at);
/* Where the out-of-line data of an item is. */
void *message_pointer(struct message *message, unsigned int index);

/* Anonymous memory of whole pages; NULL never (the case fails). */
void *pages_allocate(unsigned int count);
void pages_free(void *address, unsigned int count);
/* Can it be read?  Asks the kernel (vm_read). */
bool memory_mapped(const void *address);
/* An address with nothing mapped: pages that were given back. */
void *memory_hole(void);

#endif /* TESTS_KERNEL_MESSAGES_H */
