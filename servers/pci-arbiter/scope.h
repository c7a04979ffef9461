/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Permission scopes: which functions belong to whom.  Everything is root's unless a scope says otherwise.

   A scope is some conditions and an owner, in the words of the command line and of fsysopts:

       --class=CC [--subclass=SS] [--domain=DDDD] [--bus=BB] [--dev=DD] [--func=F]   --uid=UID [--gid=GID]

   (-C -c -D -b -d -f -U -G, the names of the real Hurd's arbiter.)  Conditions are hexadecimal and all must hold; ids
   are decimal. A condition behind an owner begins the next scope; where several scopes fit, the last one that names a
   user (a group) counts.  Set at run time, scopes replace all that were there; --root-only is for having none.  What is
   open stays open.

   The owner of a function may do what root may: read and write its configuration space, regions and ROM, and claim it;
   so may the group.

   No system call here. */

#ifndef PCI_ARBITER_SCOPE_H
#define PCI_ARBITER_SCOPE_H

#include <argp.h>
#include <pci/pci.h>
#include <sys/types.h>

enum scope_key { SCOPE_CLASS, SCOPE_SUBCLASS, SCOPE_DOMAIN, SCOPE_BUS, SCOPE_DEVICE, SCOPE_FUNCTION, SCOPE_KEYS };

struct scope_owner {
    bool has_uid, has_gid;
    uid_t uid;
    gid_t gid;
};

struct scope {
    int keys[SCOPE_KEYS]; /* -1: any */
    struct scope_owner owner;
};

struct scopes {
    struct scope *list;
    unsigned int count;
};

/* Options for argp_parse with a struct scopes (all zero) as input: fills it; on an error it is to be destroyed. */
extern const struct argp scopes_argp;

/* Reads LENGTH bytes of ARGZ, which ends with a NUL.  EINVAL: an option, a number or a combination that is none;
   ENOMEM. */
error_t scopes_parse(const char *argz, size_t length, struct scopes *scopes);

/* Appends the options that make SCOPES to *ARGZ (malloc'd). ENOMEM. */
error_t scopes_format(const struct scopes *scopes, char **argz, size_t *length);

/* Whom FUNCTION belongs to; without has_uid and has_gid: root's alone. */
struct scope_owner scopes_owner(const struct scopes *scopes, const struct pci_function *function);

void scopes_destroy(struct scopes *scopes);

#endif
