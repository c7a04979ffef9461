/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree of the PCI bus: names, files, paths. */

#include "unit.h"

#include "../../../servers/pci-arbiter/tree.h"

static struct pci_function function(uint8_t bus, uint8_t device, uint8_t number)
{
    return (struct pci_function){.address = {.bus = bus, .device = device, .function = number},
                                 .regions = {[5] = {.base = 0xfebd1000, .size = 4096}}, .rom_size = 65536};
}

static void sample(struct tree *tree)
{
    CHECK_EQ(tree_create(tree), 0);
    for (unsigned int i = 0; i < 3; i++) {
        struct pci_function f = function(0, 0x1f, i);
        CHECK_EQ(tree_add(tree, &f), 0);
    }
    struct pci_function f = function(0xa, 2, 7);
    CHECK_EQ(tree_add(tree, &f), 0);
}

UNIT_TEST(tree_has_the_names)
{
    struct tree tree;
    struct tree_node *node;
    const char *above;
    sample(&tree);
    CHECK_EQ(tree.functions, 4);
    CHECK_EQ(tree.root->child_count, 1);
    CHECK_EQ(tree_lookup(tree.root, "0000/00/1f/2/config", &node, &above), 0);
    CHECK_EQ(node->kind, TREE_CONFIG);
    CHECK_EQ(node->size, 256);
    CHECK_EQ(node->function->address.function, 2);
    CHECK_EQ(tree_lookup(tree.root, "0000/0a/02/7/region5", &node, &above), 0);
    CHECK_EQ(node->number, 5);
    CHECK_EQ(tree_lookup(tree.root, "0000//0a/./02/7/rom", &node, &above), 0);
    CHECK_EQ(node->size, 65536);
    CHECK_EQ(tree_lookup(tree.root, "0000/00/1f", &node, &above), 0);
    CHECK_EQ(node->child_count, 3);
    CHECK(node->function == NULL);
    tree_destroy(&tree);
}

UNIT_TEST(paths_that_lead_nowhere)
{
    struct tree tree;
    struct tree_node *node;
    const char *above;
    sample(&tree);
    CHECK_EQ(tree_lookup(tree.root, "0000/00/1f/3", &node, &above), ENOENT);
    CHECK_EQ(tree_lookup(tree.root, "0000/00/1f/2/region0", &node, &above), ENOENT);
    CHECK_EQ(tree_lookup(tree.root, "0000/00/1f/2/config/x", &node, &above), ENOTDIR);
    CHECK_EQ(tree_lookup(tree.root, "0000/00/1f/2/config/", &node, &above), ENOTDIR);
    CHECK_EQ(tree_lookup(tree.root, "", &node, &above), 0);
    CHECK(node == tree.root);
    CHECK(above == NULL);
    CHECK_EQ(tree_lookup(tree.root, "../../..", &node, &above), 0);
    CHECK_STR(above, "../..");
    CHECK_EQ(tree_lookup(tree.root, "0000/00/../..//..", &node, &above), 0);
    CHECK_STR(above, "");
    CHECK_EQ(tree_lookup(tree.root, "0000/../0000/00/", &node, &above), 0);
    CHECK(above == NULL);
    CHECK_EQ(node->kind, TREE_BUS);
    tree_destroy(&tree);
}

UNIT_TEST(a_function_is_added_once)
{
    struct tree tree;
    sample(&tree);
    struct pci_function f = function(0, 0x1f, 1);
    CHECK_EQ(tree_add(&tree, &f), EEXIST);
    CHECK_EQ(tree.functions, 4);
    tree_destroy(&tree);
}

UNIT_MAIN
