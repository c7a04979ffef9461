/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Building and walking the tree; see tree.h. */

#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tree_node *node_create(struct tree *tree, struct tree_node *parent, enum tree_kind kind,
                                     unsigned int number)
{
    struct tree_node *node = calloc(1, sizeof *node);
    if (!node)
        return NULL;
    node->kind = kind;
    node->number = number;
    node->parent = parent ? parent : node;
    node->fileno = 2 + tree->nodes;
    if (parent) {
        struct tree_node **more = realloc(parent->children, (parent->child_count + 1) * sizeof *more);
        if (!more) {
            free(node);
            return NULL;
        }
        parent->children = more;
        unsigned int at = parent->child_count++;
        for (; kind <= TREE_FUNCTION && at > 0 && more[at - 1]->number > number; at--)
            more[at] = more[at - 1];
        more[at] = node;
        node->function = parent->function;
        node->index = parent->index;
    }
    tree->nodes++;
    return node;
}

/* The child directory of PARENT with NUMBER, made if it is not there. */
static struct tree_node *directory_get(struct tree *tree, struct tree_node *parent, enum tree_kind kind,
                                       unsigned int number)
{
    static const int digits[] = {[TREE_DOMAIN] = 4, [TREE_BUS] = 2, [TREE_DEVICE] = 2, [TREE_FUNCTION] = 1};
    for (unsigned int i = 0; i < parent->child_count; i++)
        if (parent->children[i]->number == number)
            return parent->children[i];
    struct tree_node *node = node_create(tree, parent, kind, number);
    if (node)
        snprintf(node->name, sizeof node->name, "%0*x", digits[kind], number);
    return node;
}

static error_t file_add(struct tree *tree, struct tree_node *directory, enum tree_kind kind, unsigned int number,
                        const char *name, uint64_t size)
{
    struct tree_node *node = node_create(tree, directory, kind, number);
    if (!node)
        return ENOMEM;
    snprintf(node->name, sizeof node->name, "%s", name);
    node->size = size;
    return 0;
}

static error_t files_add(struct tree *tree, struct tree_node *directory)
{
    const struct pci_function *function = directory->function;
    error_t err = file_add(tree, directory, TREE_CONFIG, 0, "config", function->config_size);
    for (unsigned int i = 0; !err && i < PCI_BARS; i++) {
        char name[12];
        if (function->regions[i].size == 0)
            continue;
        snprintf(name, sizeof name, "region%u", i);
        err = file_add(tree, directory, TREE_REGION, i, name, function->regions[i].size);
    }
    if (!err && function->rom_size > 0)
        err = file_add(tree, directory, TREE_ROM, 0, "rom", function->rom_size);
    return err;
}

error_t tree_create(struct tree *tree)
{
    *tree = (struct tree){0};
    tree->root = node_create(tree, NULL, TREE_ROOT, 0);
    return tree->root ? 0 : ENOMEM;
}

error_t tree_add(struct tree *tree, const struct pci_function *function)
{
    const unsigned int numbers[] = {function->address.domain, function->address.bus, function->address.device,
                                    function->address.function};
    struct tree_node *node = tree->root;
    for (unsigned int level = 0; node && level < 4; level++)
        node = directory_get(tree, node, TREE_DOMAIN + level, numbers[level]);
    if (!node)
        return ENOMEM;
    if (node->function)
        return EEXIST;
    node->function = malloc(sizeof *function);
    if (!node->function)
        return ENOMEM;
    *node->function = *function;
    node->index = tree->functions++;
    return files_add(tree, node);
}

static void node_destroy(struct tree_node *node)
{
    for (unsigned int i = 0; i < node->child_count; i++)
        node_destroy(node->children[i]);
    if (node->kind == TREE_FUNCTION)
        free(node->function);
    free(node->children);
    free(node);
}

void tree_destroy(struct tree *tree)
{
    if (tree->root)
        node_destroy(tree->root);
    *tree = (struct tree){0};
}

/* Does another memory region of a function below NODE than OWN touch the bytes from FIRST to LAST? */
static bool region_touches(const struct tree_node *node, const struct pci_region *own, uint64_t first, uint64_t last)
{
    if (node->kind == TREE_FUNCTION) {
        for (unsigned int i = 0; i < PCI_BARS; i++) {
            const struct pci_region *region = &node->function->regions[i];
            if (region != own && !region->is_io && region->size > 0 && region->base > 0 && region->base <= last
                && first <= region->base + (region->size - 1))
                return true;
        }
        return false;
    }
    for (unsigned int i = 0; i < node->child_count; i++)
        if (tree_is_directory(node->children[i]) && region_touches(node->children[i], own, first, last))
            return true;
    return false;
}

bool tree_region_has_pages(const struct tree *tree, const struct pci_function *function, unsigned int number,
                           uint64_t page_size)
{
    const struct pci_region *region = &function->regions[number];
    if (region->is_io || region->size == 0 || region->base == 0 || region->base % page_size)
        return false;
    uint64_t last = (region->base + (region->size - 1)) | (page_size - 1);
    return region->size % page_size == 0 || !region_touches(tree->root, region, region->base, last);
}

static struct tree_node *child_find(const struct tree_node *node, const char *name, size_t length)
{
    for (unsigned int i = 0; i < node->child_count; i++) {
        const char *own = node->children[i]->name;
        if (strlen(own) == length && memcmp(own, name, length) == 0)
            return node->children[i];
    }
    return NULL;
}

error_t tree_lookup(struct tree_node *node, const char *path, struct tree_node **result, const char **above)
{
    *above = NULL;
    for (;;) {
        bool slash = *path == '/';
        path += strspn(path, "/");
        size_t length = strcspn(path, "/");
        if ((length > 0 || slash) && !tree_is_directory(node))
            return ENOTDIR;
        if (length == 0)
            break;
        if (length == 2 && memcmp(path, "..", 2) == 0) {
            if (node->kind == TREE_ROOT) {
                *above = path + 2 + strspn(path + 2, "/");
                return 0;
            }
            node = node->parent;
        } else if (length != 1 || *path != '.')
            node = child_find(node, path, length);
        if (!node)
            return ENOENT;
        path += length;
    }
    *result = node;
    return 0;
}
