/* SPDX-License-Identifier: GPL-2.0-or-later */
/* feature: what the super block says a reader, or a writer, must know, and whether we do.  A bit that is not known here
   has no name.  */

#include "ext2.h"

#include <stdio.h>

struct feature { uint32_t bit; const char *name; };

static const struct feature incompat[] = {{0x0001, "compression"},
                                          {0x0002, "filetype"},
                                          {0x0004, "needs_recovery"},
                                          {0x0008, "journal_dev"},
                                          {0x0010, "meta_bg"},
                                          {0x0040, "extents"},
                                          {0x0080, "64bit"},
                                          {0x0100, "mmp"},
                                          {0x0200, "flex_bg"},
                                          {0x0400, "ea_inode"},
                                          {0x1000, "dirdata"},
                                          {0x2000, "metadata_csum_seed"},
                                          {0x4000, "large_dir"},
                                          {0x8000, "inline_data"},
                                          {0x10000, "encrypt"},
                                          {0x20000, "casefold"},
                                          {0, NULL}};

static const struct feature ro_compat[] = {{0x0001, "sparse_super"},
                                           {0x0002, "large_file"},
                                           {0x0004, "btree_dir"},
                                           {0x0008, "huge_file"},
                                           {0x0010, "uninit_bg"},
                                           {0x0020, "dir_nlink"},
                                           {0x0040, "extra_isize"},
                                           {0x0100, "quota"},
                                           {0x0200, "bigalloc"},
                                           {0x0400, "metadata_csum"},
                                           {0x0800, "replica"},
                                           {0x1000, "read-only"},
                                           {0x2000, "project"},
                                           {0x4000, "shared_blocks"},
                                           {0x8000, "verity"},
                                           {0x10000, "orphan_present"},
                                           {0, NULL}};

/* Appends the names of BITS to TEXT, of SIZE bytes.  */
static void names_append(char *text, size_t size, uint32_t bits, const struct feature *table)
{
    size_t at = 0;
    text[0] = 0;
    for (uint32_t bit = 1; bit; bit <<= 1) {
        const struct feature *f = table;
        if (!(bits & bit) || at >= size)
            continue;
        while (f->name && f->bit != bit)
            f++;
        if (f->name)
            at += (size_t)snprintf(text + at, size - at, "%s%s", at ? ", " : "", f->name);
        else
            at += (size_t)snprintf(text + at, size - at, "%sbit %#x", at ? ", " : "", bit);
    }
}

bool ext2_feature_readable(const struct super_block *s, char *text, size_t size)
{
    uint32_t unknown = s->rev_level ? s->feature_incompat & ~INCOMPAT_KNOWN : 0;
    names_append(text, size, unknown, incompat);
    return unknown == 0;
}

bool ext2_feature_writable(const struct super_block *s, char *text, size_t size)
{
    uint32_t unknown = s->rev_level ? s->feature_ro_compat & ~RO_COMPAT_KNOWN : 0;
    names_append(text, size, unknown, ro_compat);
    return unknown == 0;
}
