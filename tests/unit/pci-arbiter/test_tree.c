/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tree of the PCI bus: names, files, paths. */

#include "unit.h"

#include "../../../servers/pci-arbiter/tree.h"

static struct pci_function function(uint8_t bus, uint8_t device, uint8_t number)
{
    return (struct pci_function){.address = {.bus = bus, .device = device, .function = number},
                                 .regions = {[5] = {.base = 0xfebd1000, .size = 4096}},
                                 .rom_size = 65536,
                                 .config_size = 256};
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

UNIT_TEST(directories_are_in_order)
{
    struct tree tree;
    static const uint8_t buses[] = {5, 0, 0x80, 1, 7};
    CHECK_EQ(tree_create(&tree), 0);
    for (unsigned int i = 0; i < 5; i++) {
        struct pci_function f = function(buses[i], i, 0);
        CHECK_EQ(tree_add(&tree, &f), 0);
    }
    const struct tree_node *domain = tree.root->children[0];
    CHECK_EQ(domain->child_count, 5);
    for (unsigned int i = 1; i < 5; i++)
        CHECK(domain->children[i - 1]->number < domain->children[i]->number);
    const struct tree_node *bus5 = domain->children[2]->children[0]->children[0];
    CHECK_EQ(bus5->index, 0);
    CHECK_EQ(bus5->children[0]->index, 0);
    CHECK_EQ(domain->children[4]->children[0]->children[0]->children[1]->index, 2);
    tree_destroy(&tree);
}

UNIT_TEST(pages_of_a_region)
{
    struct tree tree;
    CHECK_EQ(tree_create(&tree), 0);
    struct pci_function f = function(0, 1, 0);
    f.regions[0] = (struct pci_region){.base = 0x1000, .size = 64};
    f.regions[1] = (struct pci_region){.base = 0x3000, .size = 64};
    f.regions[2] = (struct pci_region){.base = 0x4010, .size = 16};
    f.regions[3] = (struct pci_region){.base = 0x1000, .size = 32, .is_io = true};
    CHECK_EQ(tree_add(&tree, &f), 0);
    struct pci_function g = function(2, 1, 0);
    g.regions[0] = (struct pci_region){.base = 0x3800, .size = 0x800};
    CHECK_EQ(tree_add(&tree, &g), 0);
    const char *above;
    struct tree_node *node;
    CHECK_EQ(tree_lookup(tree.root, "0000/00/01/0", &node, &above), 0);
    CHECK(tree_region_has_pages(&tree, node->function, 0, 4096));
    CHECK(!tree_region_has_pages(&tree, node->function, 1, 4096)); /* shared with the other's */
    CHECK(!tree_region_has_pages(&tree, node->function, 2, 4096)); /* begins inside a page */
    CHECK(!tree_region_has_pages(&tree, node->function, 3, 4096)); /* ports */
    CHECK(!tree_region_has_pages(&tree, node->function, 4, 4096)); /* none */
    CHECK(tree_region_has_pages(&tree, node->function, 5, 4096));
    tree_destroy(&tree);
}

UNIT_MAIN
