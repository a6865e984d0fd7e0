"""What guards are written in: the codes of the operations, the interpreter's frame, the tables of unions and lists."""

from __future__ import annotations

(STATIC, ARRAY, FLOAT, INTEGER, BOOLEAN, SCALAR, SEQUENCE, LIST, DICT, CLASS,
 ATTRIBUTE, GLOBAL, ABSENT, CELL, METHOD, CONSTANT, NODE_ARRAY, NODE_NUMBER, NODE_FLOAT, NODE_INTEGER, UNION, ITEMS,
 TEST_CLASS, TEST_ARRAY, TEST_NUMBER, TEST_NODE, TEST_STATIC, WORD, JUMP, DIFFERENT, FIELD_IN_OBJECT,
 FIELD_IN_VALUES) = range(32)  # fmt: skip
"""The codes; each is one paragraph below."""

OPERATION_BYTES = 32
MATCHES, DIFFERS, FAILS = 0, 1, 2
"""What a guard answers. FAILS: a Python exception is set."""

HOLD = 1 << 32
"""In an ARRAY operation: keep the array alive during the call, since what contains it may drop it."""

# Fields of the interpreter's frame, which the caller provides. OWNED and STACK are vectors (see below). NARROW and WIDE
# have a bit for each place in a tree that holds Python numbers: whether one of a narrower kind, and one of the kind
# itself was met.
REGISTERS, SLOTS, PLACES, TOTAL_BYTES, OWNED, STACK, NARROW, WIDE, MAP, MAP_COUNT, MAP_CAPACITY = (
    0, 8, 16, 24, 32, 64, 96, 104, 112, 120, 128)  # fmt: skip
FRAME_WORDS = 17

# A vector: the address of its words, how many are used, how many there are, and whether the memory is to be freed.
COUNT, SPACE, ON_HEAP = 8, 16, 24

# What waits on STACK, in four words: an object, where its box goes, a table; and for lists their buffers, before.
NODE_ITEM, ROOT_ITEM, LIST_ITEM, LEAVE_ITEM = range(4)
ITEM_WORDS = 4

# A table of the alternatives of a union: their number, then for each these fields, in 64 bytes.
ENTRIES, ENTRY_BYTES = 8, 64
CLASS_FIELD, TAG_FIELD, REFERENCES_FIELD, WORDS_FIELD, OPERATIONS_FIELD, OPERATION_COUNT, IS_NULL = range(0, 56, 8)

# A table of a list: its class, its number of buffers, the operations of an element, whether it is a list (or a tuple),
# and the bytes of an element of each buffer, 0 where it holds references.
LIST_CLASS, LIST_BUFFERS, LIST_OPERATIONS, LIST_OPERATION_COUNT, IS_LIST, LIST_BYTES = range(0, 48, 8)
