# SPDX-License-Identifier: GPL-2.0-or-later
"""What may be on a disk after a power cut while tests/inside/cutmoves.c ran: its operations are played again from what it printed, and each name is
held against what it could stand for.

A name's value: None, ("file", number) or ("dir", number) (900000 + N for the moving ones, 0 for empty ones).  What the last sync that covers a name
has made sure, and whatever later operations made of it, is allowed, nothing else; so a name that another file was moved over has the old or the new
one.  A file that had a synced name and synced contents, and was never without a name since, is there under one of the names that it had; so is
a directory, with what is in it."""

import os
import re

from powercut import block

DIRS, INSIDE, SMALLEST = 3, 900000, 64
LINE = re.compile(r"(make|rename|link|unlink|size|mkdir|rmdir|move|moving|sync|mark)((?: \S+)*)$", re.M)


def file_bytes(number, size):
    return b"".join(block(number, index) for index in range(size // 4096 + 1))[:size]


class History:
    """What a name, or a file's contents, has been: values with the number of the event since when."""

    def __init__(self, value=None):
        self.values = [(0, value)]
        self.synced = [0]

    def set(self, event, value):
        self.values.append((event, value))

    def at(self, event):
        return next(value for since, value in reversed(self.values) if since <= event)

    def base(self, past):
        """The last sync before event PAST."""
        return next(event for event in reversed(self.synced) if event < past)

    def allowed(self, past, maybe):
        """What may be on the disk when all before event PAST is done and what comes before MAYBE may be."""
        base = self.base(past)
        return [self.at(base)] + [value for since, value in self.values if base < since < maybe]


class Play:
    """All that happened: names (directory, name) → History, contents number → History of bytes, marks number → event."""

    def __init__(self, printed):
        self.names, self.contents, self.marks, self.moving = {}, {}, {}, {}
        self.syncs = []                 # (event, what)
        for self.event, match in enumerate(LINE.finditer(printed), 1):
            words = match[2].split()
            getattr(self, "on_" + match[1])(*[int(word) if word.isdigit() else word for word in words])
        self.end = self.event + 1

    def name(self, directory, name):
        return self.names.setdefault((directory, name), History())

    def now(self, directory, name):
        return self.name(directory, name).at(self.event)

    def on_make(self, directory, name, number, size):
        self.name(directory, f"x{name}").set(self.event, ("file", number))
        history = self.contents[number] = History()
        history.set(self.event, file_bytes(number, size))

    def on_rename(self, directory, name, to, to_name):
        value = self.now(directory, f"x{name}")
        self.name(to, f"x{to_name}").set(self.event, value)
        self.name(directory, f"x{name}").set(self.event, None)

    def on_link(self, directory, name, to, to_name):
        self.name(to, f"x{to_name}").set(self.event, self.now(directory, f"x{name}"))

    def on_unlink(self, directory, name):
        self.name(directory, f"x{name}").set(self.event, None)

    def on_size(self, number, size):
        data = self.contents[number].at(self.event)
        self.contents[number].set(self.event, data[:size] + bytes(max(0, size - len(data))))

    def on_mkdir(self, directory, name):
        self.name(directory, f"e{name}").set(self.event, ("dir", 0))

    def on_rmdir(self, directory, name):
        self.name(directory, f"e{name}").set(self.event, None)

    def on_moving(self, number, directory, name):
        self.moving[number] = (directory, f"m{name}")
        self.name(directory, f"m{name}").set(self.event, ("dir", INSIDE + number))

    def on_move(self, number, directory, name, to, to_name):
        self.name(directory, f"m{name}").set(self.event, None)
        self.name(to, f"m{to_name}").set(self.event, ("dir", INSIDE + number))

    def on_sync(self, what, which=None):
        self.syncs.append(self.event)
        for (directory, _), history in self.names.items():
            if what == "all" or (what == "dir" and which == directory):
                history.synced.append(self.event)
        for number, history in self.contents.items():
            if what == "all" or (what == "file" and which == number):
                history.synced.append(self.event)

    def on_mark(self, number):
        self.marks[number] = self.event

    # ---- judging

    def contents_fit(self, number, data, past, maybe):
        """Whether DATA may be file NUMBER's contents: those synced last, as far as later changes of its size left them, and of the rest what was there or
        zeros.  What was never synced may be anything."""
        history = self.contents[number]
        if history.base(past) == 0:
            return True
        allowed = history.allowed(past, maybe)
        sure = min(len(one) for one in allowed)
        return (len(data) in [len(one) for one in allowed] and data[:sure] == allowed[0][:sure]
                and all(byte == 0 or any(at < len(one) and one[at] == byte for one in allowed) for at, byte in enumerate(data[sure:], sure)))

    def value_fits(self, value, found, data, past, maybe):
        """Whether what was FOUND, ("file", None), ("dir", number) or None, with DATA, may be VALUE."""
        if value is None or found is None or value[0] != found[0]:
            return value is found
        if value[0] == "dir":
            return value == found
        return self.contents_fit(value[1], data, past, maybe)

    def must_be(self, past, maybe):
        """Files and directories that may not be missing: value → names it may have."""
        places = {}
        for name, history in self.names.items():
            for value in history.allowed(past, maybe):
                if value:
                    places.setdefault(value, set()).add(name)
        for value, where in places.items():
            if value == ("dir", 0) or (value[0] == "file" and self.contents[value[1]].base(past) == 0):
                continue
            sure = [history.base(past) for history in self.names.values() if history.at(history.base(past)) == value]
            if sure and all(any(history.at(event) == value for history in self.names.values()) for event in range(max(sure), maybe)):
                yield value, where

    def check(self, tree, first):
        """Judges the folder TREE, what e2fsck made of a cut after mark FIRST and before the next one: what is wrong, or None."""
        past, maybe = self.marks[first] + 1, self.marks.get(first + 1, self.end)
        seen = set()
        found = {(d, name): os.path.join(tree, f"d{d}", name) for d in range(DIRS) for name in os.listdir(os.path.join(tree, f"d{d}"))}
        for (directory, name) in sorted(set(found) | set(self.names)):
            kind, data = look(found.get((directory, name)))
            allowed = self.names[directory, name].allowed(past, maybe) if (directory, name) in self.names else [None]
            fits = [value for value in allowed if self.value_fits(value, kind, data, past, maybe)]
            if not fits:
                return f"d{directory}/{name} is {describe(kind, data)}, which is none of {allowed}"
            seen |= set(fits) if kind and kind[0] == "dir" else {("file", number_of(data))}
        for value, where in self.must_be(past, maybe):
            if value not in seen:
                return f"{value[0]} {value[1]} is under none of its names: {sorted(where)}"
        return None


def number_of(data):
    match = re.match(rb"CUT:(\d+):0;", data)
    return int(match[1]) if match else 0


def look(path):
    if path is None:
        return None, b""
    if os.path.isdir(path):
        inside = os.path.join(path, "inside")
        if not os.path.exists(inside):
            return ("dir", 0), b""
        number = number_of(open(inside, "rb").read())
        return ("dir", number if open(inside, "rb").read() == file_bytes(number, SMALLEST) else -1), b""
    return ("file", None), open(path, "rb").read()


def describe(kind, data):
    return f"file {number_of(data)} of {len(data)} bytes" if kind and kind[0] == "file" else kind
