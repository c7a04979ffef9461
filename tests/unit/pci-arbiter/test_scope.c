/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Permission scopes: what is one, what is none, and whose a function is then. */

#include "unit.h"

#include <argz.h>

#include "../../../servers/pci-arbiter/scope.h"

/* WORDS are separated by blanks. */
static error_t parse(const char *words, struct scopes *scopes)
{
    char *argz = NULL;
    size_t length = 0;
    argz_create_sep(words, ' ', &argz, &length);
    error_t err = argz ? scopes_parse(argz, length, scopes) : EINVAL;
    free(argz);
    return err;
}

static struct pci_function disk(uint8_t bus, uint8_t device)
{
    return (struct pci_function){.address = {.bus = bus, .device = device, .function = 2}, .class_code = 0x010601};
}

UNIT_TEST(scopes_say_whose)
{
    struct scopes scopes;
    CHECK_EQ(parse("--class=01 -c 06 --uid=1000 --bus=2 --gid=7 --class=01 -b2 -d1f -f2 -D0 -U 5 -G 6", &scopes), 0);
    CHECK_EQ(scopes.count, 3);
    struct pci_function function = disk(0, 3);
    struct scope_owner owner = scopes_owner(&scopes, &function);
    CHECK(owner.has_uid && owner.uid == 1000 && !owner.has_gid);
    function = disk(2, 3);
    owner = scopes_owner(&scopes, &function);
    CHECK(owner.uid == 1000 && owner.has_gid && owner.gid == 7);
    function = disk(2, 0x1f);
    owner = scopes_owner(&scopes, &function);
    CHECK(owner.uid == 5 && owner.gid == 6);
    function.class_code = 0x020000;
    function.address.bus = 1;
    owner = scopes_owner(&scopes, &function);
    CHECK(!owner.has_uid && !owner.has_gid && owner.uid == 0);
    scopes_destroy(&scopes);
}

UNIT_TEST(scopes_are_shown_as_they_are_set)
{
    struct scopes scopes, again;
    char *argz = NULL;
    size_t length = 0;
    CHECK_EQ(parse("-C1 -c6 -U1000 -D10 -b a -d 1f -f 7 -G 7 -U 8", &scopes), 0);
    CHECK_EQ(scopes_format(&scopes, &argz, &length), 0);
    CHECK_EQ(scopes_parse(argz, length, &again), 0);
    argz_stringify(argz, length, ' ');
    CHECK_STR(argz, "--class=01 --subclass=06 --uid=1000 --domain=0010 --bus=0a --dev=1f --func=7 --uid=8 --gid=7");
    CHECK(scopes.count == again.count && memcmp(scopes.list, again.list, again.count * sizeof *again.list) == 0);
    free(argz);
    scopes_destroy(&scopes);
    scopes_destroy(&again);
}

UNIT_TEST(what_is_no_scope)
{
    static const char *const wrong[] = {
        "--uid=1",
        "--class=1",
        "--class=100 --uid=1",
        "--class= --uid=1",
        "--class=g --uid=1",
        "--class=-1 --uid=1",
        "--dev=20 --uid=1",
        "--func=8 --uid=1",
        "--bus=1 --bus=2 --uid=1",
        "--bus=1 --uid=1 --uid=2",
        "--bus=1 --uid=4294967295",
        "--subclass=1 --uid=1",
        "--bus=1 --uid=1 word",
        "--bus",
        "--nonsense",
        "-z",
        "--bus=1 --uid=1 --bus=1",
        "--help",
        "--version",
        "--bus=1 --uid=99999999999999999999",
        "--",
        "-- -b1",
    };
    for (unsigned int i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct scopes scopes;
        error_t err = parse(wrong[i], &scopes);
        if (strcmp(wrong[i], "--") != 0 && err == 0)
            fprintf(stderr, "taken: %s\n", wrong[i]);
        CHECK(err != 0 || strcmp(wrong[i], "--") == 0);
        scopes_destroy(&scopes);
    }
    struct scopes scopes;
    CHECK_EQ(parse("--bus=1 --uid=3 --root-only", &scopes), 0);
    CHECK_EQ(scopes.count, 0);
    scopes_destroy(&scopes);
}

UNIT_MAIN
