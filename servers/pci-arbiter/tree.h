/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree that the arbiter shows, DOMAIN/BUS/DEVICE/FUNCTION/FILE:

       0000/00/1f/2/config     configuration space, 256 bytes, 4096 of a PCI Express function
       0000/00/1f/2/region5    memory or I/O ports of base address register 5, as long as it decodes
       0000/00/1f/2/rom        the expansion ROM

   The names are those of the real Hurd's arbiter; numbers are hexadecimal with leading zeros (4, 2 and 2 digits), the
   function has one digit.  The tree is built once, when the bus has been walked, and constant from then on.  No system
   call here. */

#ifndef PCI_ARBITER_TREE_H
#define PCI_ARBITER_TREE_H

#include <pci/pci.h>

enum tree_kind { TREE_ROOT, TREE_DOMAIN, TREE_BUS, TREE_DEVICE, TREE_FUNCTION, TREE_CONFIG, TREE_REGION, TREE_ROM };

struct tree_node {
    enum tree_kind kind;
    char name[12];
    unsigned int number;            /* domain, bus, device, function or region */
    uint64_t fileno;                /* 2 for the root, unlike for each */
    struct tree_node *parent;       /* the root's is itself, as its `..' is listed */
    struct tree_node **children;    /* directories in the order of their numbers */
    unsigned int child_count;
    struct pci_function *function;  /* of function directories and their files; else NULL */
    unsigned int index;             /* of those: which function, in the order they were added */
    uint64_t size;                  /* bytes of a file */
    unsigned int identity;          /* a port of the server's that stands for the node; not constant: see nodes.c */
};

struct tree {
    struct tree_node *root;
    unsigned int nodes;
    unsigned int functions;
};

/* An empty tree; ENOMEM. */
error_t tree_create(struct tree *tree);
/* Adds FUNCTION (copied, with its regions filled in) and the directories above it.  ENOMEM: the tree stays usable. */
error_t tree_add(struct tree *tree, const struct pci_function *function);
void tree_destroy(struct tree *tree);

/* Follows PATH from NODE; slashes may be doubled, "." and ".." are understood.  Where ".." leads above the root, *ABOVE
   is set to what is left of PATH (without slashes before it) and *RESULT is not.  ENOENT, ENOTDIR. */
error_t tree_lookup(struct tree_node *node, const char *path, struct tree_node **result, const char **above);

/* Does memory region NUMBER of FUNCTION have the pages of PAGE_SIZE that it lies in for itself?  Then it can be mapped
   without showing registers of another region. */
bool tree_region_has_pages(const struct tree *tree, const struct pci_function *function, unsigned int number,
                           uint64_t page_size);

static inline bool tree_is_directory(const struct tree_node *node)
{
    return node->kind <= TREE_FUNCTION;
}

#endif
