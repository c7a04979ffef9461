/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line that the servers before the file system share (seeds/bootstrap.txt, "Initialization of translators
   before ext2fs"):
       NAME [--CHILD-server-task=PORT] [--host-priv-port=PORT] [--device-master-port=PORT] [--trace-boot]
   Ports are names in the task's space, as the kernel's boot script writes them. */

#ifndef MACHDEV_ARGUMENTS_H
#define MACHDEV_ARGUMENTS_H

#include <argp.h>
#include <mach.h>
#include <stdbool.h>

struct machdev_arguments {
    mach_port_t child_task;    /* who is started next; null: we are no bootstrap translator */
    mach_port_t host_priv;     /* null: to be had by fsys_getpriv */
    mach_port_t device_master; /* the same */
    bool trace_boot;           /* say each step of the boot on the console */
    void *more;                /* input of the server's own options */
};

/* Reads the command line.  CHILD_OPTION is the long name of the child's option ("fs-server-task"), CHILD_DOC and DOC
   are for --help.  MORE, if not NULL, are options of the server's own (one argp_child and the end mark) and INPUT what
   their parser gets.  What is wrong gets one line that names it, and ends the program with status 64 (argp's
   EX_USAGE). */
void machdev_arguments_parse(int argc, char **argv, const char *child_option, const char *child_doc, const char *doc,
                             const struct argp_child *more, void *input, struct machdev_arguments *arguments);

#endif /* MACHDEV_ARGUMENTS_H */
