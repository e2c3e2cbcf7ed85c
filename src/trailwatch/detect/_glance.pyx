# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The first looks at the events of a trail's file, taken at its bytes: most events end here, as nothing but bytes.

What `trailwatch.detect.plans` does with decoded events, for files that are as CloudTrail writes them. Whatever is
unusual in a file, from a blank between two values to a number where a text belongs, makes the glance give up, and the
file is decoded and judged as if there were none. So it decides about speed, never about matches.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memchr, memcmp, memcpy, memset

from msgspec import UNSET, DecodeError
from msgspec.json import Decoder

from trailwatch.detect.leaf import text_of

ctypedef const unsigned char *Place

cdef extern from *:
    """
    #include <string.h>
    #if defined(__SSE2__)
    #include <emmintrin.h>
    #endif

    /* The first of these bytes that is a quote, a backslash or a control character; `end` where none is.
       `*beyond` is no longer 0 where a byte on the way is beyond ASCII, or one shortly behind. */
    static inline const unsigned char *
    first_special(const unsigned char *at, const unsigned char *end, unsigned *beyond)
    {
    #if defined(__SSE2__) && defined(__GNUC__)
        const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\\\'), last = _mm_set1_epi8(0x1f);
        for (; end - at >= 16; at += 16) {
            __m128i some = _mm_loadu_si128((const __m128i *)at);
            __m128i found = _mm_or_si128(_mm_cmpeq_epi8(some, quote), _mm_cmpeq_epi8(some, backslash));
            found = _mm_or_si128(found, _mm_cmpeq_epi8(_mm_min_epu8(some, last), some));
            int bits = _mm_movemask_epi8(found);
            *beyond |= _mm_movemask_epi8(some);
            if (bits)
                return at + __builtin_ctz(bits);
        }
    #endif
        for (; at < end; at++) {
            *beyond |= *at & 0x80;
            if (*at == '"' || *at == '\\\\' || *at < 0x20)
                return at;
        }
        return end;
    }

    /* Up to 8 bytes as a number that no others of the same size have. */
    static inline unsigned long long
    word_at(const unsigned char *at, Py_ssize_t size)
    {
        unsigned long long word = 0;
        unsigned int first, last;
        if (size >= 8) {
            memcpy(&word, at, 8);
            return word;
        }
        if (size >= 4) {
            memcpy(&first, at, 4);
            memcpy(&last, at + size - 4, 4);
            return (unsigned long long)first << 32 | last;
        }
        for (; size > 0; at++, size--)
            word = word << 8 | *at;
        return word;
    }

    /* Short texts, for which a call of memcmp takes longer. The last word may begin within the one before. */
    static inline int
    is_same(const unsigned char *one, const unsigned char *other, Py_ssize_t size)
    {
        Py_ssize_t at;
        for (at = 0; at + 8 < size; at += 8)
            if (word_at(one + at, 8) != word_at(other + at, 8))
                return 0;
        at = size > 8 ? size - 8 : 0;
        return word_at(one + at, size - at) == word_at(other + at, size - at);
    }

    static inline unsigned long long
    mixed(unsigned long long hash, const unsigned char *at, Py_ssize_t size)
    {
        Py_ssize_t done;
        hash ^= (unsigned long long)size;
        for (done = 0; done + 8 < size; done += 8) {
            hash = (hash ^ word_at(at + done, 8)) * 0xff51afd7ed558ccdULL;
            hash ^= hash >> 32;
        }
        done = size > 8 ? size - 8 : 0;
        hash = (hash ^ word_at(at + done, size - done)) * 0xff51afd7ed558ccdULL;
        return hash ^ hash >> 32;
    }
    """
    Place first_special(Place at, Place end, unsigned *beyond) noexcept nogil
    bint is_same(Place one, Place other, Py_ssize_t size) noexcept nogil
    unsigned long long mixed(unsigned long long hash, Place at, Py_ssize_t size) noexcept nogil

cdef enum:
    MEMBERS = 128  # most known fields, those of all objects together
    OBJECTS = 24
    SLOTS = 96
    MEMBER_SLOTS = 512
    DEEPEST = 60  # more objects and lists within each other are left to those who decode
    LONGEST = 512  # longer values are not remembered
    LONGEST_CALLER = 4096  # all values about one together
    FURTHER = 16
    VALUES_KEPT = 4096
    ONCE_BYTES = 2048
    PARTS = 62

SKIP, TEXT, FLAG, NAME, IDENT, TIME, ANY = range(7)

cdef enum:  # the same for the loops here
    _SKIP = 0
    _TEXT = 1
    _FLAG = 2
    _NAME = 3
    _IDENT = 4
    _TIME = 5
    _ANY = 6
    _NESTED = 7

cdef struct Member:
    Place name
    Py_ssize_t size
    int kind
    int number  # of the slot, or -1; of the object where it is a nested one

cdef struct Token:
    Place start
    Py_ssize_t size


cdef inline Place after_text(Place at, Place end, unsigned *beyond) noexcept nogil:
    """Behind the closing quote of a string whose opening quote was read; NULL where it is no plain string."""
    cdef int digit, number
    while True:
        at = first_special(at, end, beyond)
        if at >= end:
            return NULL
        if at[0] == c'"':
            return at + 1
        if at[0] != c'\\' or end - at < 2:
            return NULL
        if at[1] == c'u':
            if end - at < 6:
                return NULL
            number = 0
            for digit in range(2, 6):
                number = number * 16
                if c'0' <= at[digit] <= c'9':
                    number += at[digit] - c'0'
                elif c'a' <= (at[digit] | 32) <= c'f':
                    number += (at[digit] | 32) - c'a' + 10
                else:
                    return NULL
            if 0xD800 <= number < 0xE000:
                return NULL
            at += 6
        elif at[1] in (c'"', c'\\', c'/', c'b', c'f', c'n', c'r', c't'):
            at += 2
        else:
            return NULL


cdef inline bint is_digit(unsigned char c) noexcept nogil:
    return c'0' <= c <= c'9'


cdef inline Place after_number(Place at) noexcept nogil:
    """The text ends with a NUL, as that of every bytes object."""
    if at[0] == c'-':
        at += 1
    if at[0] == c'0':
        at += 1
    elif is_digit(at[0]):
        while is_digit(at[0]):
            at += 1
    else:
        return NULL
    if at[0] == c'.':
        at += 1
        if not is_digit(at[0]):
            return NULL
        while is_digit(at[0]):
            at += 1
    if at[0] == c'e' or at[0] == c'E':
        at += 1
        if at[0] == c'+' or at[0] == c'-':
            at += 1
        if not is_digit(at[0]):
            return NULL
        while is_digit(at[0]):
            at += 1
    return at


cdef inline Place after_word(Place at, Place end) noexcept nogil:
    """Behind true, false or null; NULL where none is there."""
    if at[0] == c't':
        return at + 4 if end - at >= 4 and memcmp(at, b"true", 4) == 0 else NULL
    if at[0] == c'f':
        return at + 5 if end - at >= 5 and memcmp(at, b"false", 5) == 0 else NULL
    return at + 4 if end - at >= 4 and memcmp(at, b"null", 4) == 0 else NULL


cdef Place after_value(Place at, Place end, unsigned *beyond) noexcept nogil:
    """Behind any JSON value without blanks; NULL where none is there, or it is too deep."""
    cdef uint64_t objects = 0
    cdef int depth = 0
    cdef bint name = False
    while True:
        if name:
            if at[0] != c'"':
                return NULL
            at = after_text(at + 1, end, beyond)
            if at == NULL or at[0] != c':':
                return NULL
            at += 1
        name = False
        if at[0] == c'"':
            at = after_text(at + 1, end, beyond)
        elif at[0] == c'{' or at[0] == c'[':
            if at[1] == at[0] + 2:  # the closing brackets are two further
                at += 2
            else:
                if depth == DEEPEST:
                    return NULL
                depth += 1
                name = at[0] == c'{'
                objects = objects << 1 | name
                at += 1
                continue
        elif at[0] == c'-' or is_digit(at[0]):
            at = after_number(at)
        else:
            at = after_word(at, end)
        if at == NULL:
            return NULL
        while depth:
            if at[0] == c',':
                at += 1
                name = objects & 1
                break
            if at[0] != (c'}' if objects & 1 else c']'):
                return NULL
            at += 1
            depth -= 1
            objects >>= 1
        else:
            return at


cdef inline bint is_time(Place at, Py_ssize_t size) noexcept nogil:
    """Whether a token is a time as CloudTrail writes it: "2026-01-31T23:59:59Z"."""
    cdef int year, month, day, days, place
    if size != 22 or at[5] != c'-' or at[8] != c'-' or at[11] != c'T':
        return False
    if at[14] != c':' or at[17] != c':' or at[20] != c'Z':
        return False
    for place in range(1, 20):
        if not is_digit(at[place]) and place not in (5, 8, 11, 14, 17):
            return False
    month, day = (at[6] - 48) * 10 + at[7] - 48, (at[9] - 48) * 10 + at[10] - 48
    year = (at[1] - 48) * 1000 + (at[2] - 48) * 100 + (at[3] - 48) * 10 + at[4] - 48
    if month == 2:
        days = 29 if year % 4 == 0 and (year % 100 != 0 or year % 400 == 0) else 28
    else:
        days = 30 if month in (4, 6, 9, 11) else 31
    if year == 0 or not 1 <= month <= 12 or not 1 <= day <= days:
        return False
    return at[12] * 10 + at[13] < 48 * 11 + 24 and at[15] < c'6' and at[18] < c'6'


cdef struct Entry:
    uint64_t hash
    unsigned char *key
    Py_ssize_t size
    int value


cdef class _Table:
    """Tokens, one or several on end, to a number; bounded by who fills it."""

    cdef Entry *entries
    cdef uint64_t mask
    cdef int count
    cdef unsigned char once[ONCE_BYTES]  # of what was looked for in vain a bit, by its hash
    cdef int onces

    def __cinit__(self):
        self.mask = 63
        self.entries = <Entry *> calloc(self.mask + 1, sizeof(Entry))
        if self.entries == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.entries != NULL:
            self.clear()
            free(self.entries)

    cdef void clear(self) noexcept:
        cdef uint64_t place
        for place in range(self.mask + 1):
            free(self.entries[place].key)
            self.entries[place].key = NULL
        self.count = 0

    cdef int find(self, uint64_t hash, const Token *tokens, const int *which, int count) noexcept nogil:
        """The number of the tokens, or -1."""
        cdef uint64_t place = hash & self.mask
        cdef Entry *entry
        cdef const Token *token
        cdef unsigned char *key
        cdef Py_ssize_t left
        cdef int at
        while True:
            entry = &self.entries[place]
            if entry.key == NULL:
                return -1
            if entry.hash == hash:
                key, left = entry.key, entry.size
                for at in range(count):
                    token = &tokens[which[at]]
                    if left < token.size + 1 or not is_same(key, token.start, token.size) or key[token.size] != c',':
                        break
                    key += token.size + 1
                    left -= token.size + 1
                else:
                    if left == 0:
                        return entry.value
            place = place + 1 & self.mask

    cdef inline bint is_again(self, uint64_t hash) noexcept nogil:
        """Whether it was asked before, or something with the same bits: what comes but once is not worth a place."""
        cdef uint64_t at = hash >> 20 & ONCE_BYTES * 8 - 1
        if self.once[at >> 3] >> (at & 7) & 1:
            return True
        if self.onces == ONCE_BYTES * 4:  # half of the bits, at which every other guess is wrong
            self.onces = 0
            memset(self.once, 0, sizeof(self.once))
        self.once[at >> 3] |= 1 << (at & 7)
        self.onces += 1
        return False

    cdef int add(self, uint64_t hash, const Token *tokens, const int *which, int count, int value) except -1:
        cdef Py_ssize_t size = 0
        cdef unsigned char *key
        cdef int at
        if self.count * 2 > <int> self.mask:
            self._grow()
        for at in range(count):
            size += tokens[which[at]].size + 1
        key = <unsigned char *> malloc(size)
        if key == NULL:
            raise MemoryError
        self._place(hash, key, size, value)
        self.count += 1
        for at in range(count):
            memcpy(key, tokens[which[at]].start, tokens[which[at]].size)
            key += tokens[which[at]].size
            key[0] = c','
            key += 1
        return 0

    cdef void _place(self, uint64_t hash, unsigned char *key, Py_ssize_t size, int value) noexcept:
        cdef uint64_t place = hash & self.mask
        while self.entries[place].key != NULL:
            place = place + 1 & self.mask
        self.entries[place].hash, self.entries[place].key = hash, key
        self.entries[place].size, self.entries[place].value = size, value

    cdef int _grow(self) except -1:
        cdef Entry *old = self.entries
        cdef uint64_t place, mask = self.mask
        cdef Entry *entries = <Entry *> calloc((mask + 1) * 2, sizeof(Entry))
        if entries == NULL:
            raise MemoryError
        self.entries, self.mask = entries, mask * 2 + 1
        for place in range(mask + 1):
            if old[place].key != NULL:
                self._place(old[place].hash, old[place].key, old[place].size, old[place].value)
        free(old)
        return 0


cdef Token member_of(Token *object_, Place name, Py_ssize_t size) noexcept nogil:
    """The last value of this name in an object that was read before; without a start where none is.

    Its size is -1 where that cannot be told, for a name is written with a backslash.
    """
    cdef Place at = object_.start + 1, end = object_.start + object_.size, begin
    cdef Token found
    cdef unsigned beyond
    cdef bint same
    found.start, found.size = NULL, 0
    if at[0] == c'}':
        return found
    while True:
        begin = at + 1
        at = first_special(begin, end, &beyond)
        if at[0] != c'"':
            found.start, found.size = NULL, -1
            return found
        same = at - begin == size and is_same(begin, name, size)
        at += 1
        begin = at + 1
        at = after_value(begin, end, &beyond)
        if same:
            found.start, found.size = begin, at - begin
        if at[0] == c'}':
            return found
        at += 1


cdef inline bint is_short_count(Token token) noexcept nogil:
    """Whether it is a number whose text is that of its token."""
    cdef Py_ssize_t at
    if token.size > 18:
        return False
    for at in range(token.size):
        if not is_digit(token.start[at]):
            return False
    return True


cdef inline long long seconds_at(Place at) noexcept nogil:
    """Seconds since 1970 of a time that `is_time`."""
    cdef long long year, month, day, days
    year = (at[1] - 48) * 1000 + (at[2] - 48) * 100 + (at[3] - 48) * 10 + at[4] - 48
    month, day = (at[6] - 48) * 10 + at[7] - 48, (at[9] - 48) * 10 + at[10] - 48
    if month < 3:  # years that begin with March have the day that comes and goes at their end
        year -= 1
        month += 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * (month - 3) + 2) // 5 + day - 719469
    day = (at[12] - 48) * 10 + at[13] - 48
    month = (at[15] - 48) * 10 + at[16] - 48
    return (days * 24 + day) * 3600 + month * 60 + (at[18] - 48) * 10 + at[19] - 48


cdef object _decoded(Token token, decode):
    """What a token stands for."""
    if token.start[0] == c'"' and memchr(token.start, c'\\', token.size) == NULL:
        return PyUnicode_DecodeUTF8(<char *> token.start + 1, token.size - 2, NULL)
    return decode(PyBytes_FromStringAndSize(<char *> token.start, token.size))


cdef inline void _put(tuple row, Py_ssize_t at, object value):
    """Sets an item of a tuple that nobody else knows yet."""
    Py_INCREF(value)
    PyTuple_SET_ITEM(row, at, value)


cdef class _Taking:
    """What is taken of the events of a plan, instead of decoding them."""

    cdef object plan
    cdef bint placed
    cdef int count
    cdef int slots[FURTHER]
    cdef list names
    cdef list known

    def __init__(self, plan, further, placed):
        self.plan = plan
        self.placed = placed
        self.count = len(further)
        if self.count > FURTHER:
            raise ValueError(f"{self.count} values are more than there is room for")
        self.names, self.known = [], []
        for at, (slot, name, known) in enumerate(further):
            self.slots[at] = slot
            self.names.append(name)
            self.known.append(known)


cdef class _Second:
    """Where an event is looked at next, and what came of it for the classes that it was seen with."""

    cdef object node
    cdef int otherwise  # the number of what comes of an event of which a member cannot be told
    cdef int count
    cdef int slots[SLOTS]
    cdef _Table known

    def __init__(self, node, int otherwise):
        self.node = node
        self.otherwise = otherwise
        self.known = _Table()
        self.count = len(node.slots)
        if self.count > SLOTS:
            raise ValueError(f"{self.count} fields are more than there is room for")
        for place, slot in enumerate(node.slots):
            self.slots[place] = slot


cdef class Glance:
    """Finds the events of a file that a rule could match.

    Args:
        fields: path, kind and slot of the known fields, in the order in which records have them.
        members: slots of free-form fields, each with the name of a member whose value is tested.
        first: so many slots are looked at first.
        classify: for each slot of a tested field, and for each member after these, what gives the class of a value.
        begin: gives the node after the first look by its classes and the event's name.
        name: the slot of that name.
        nothing: the plan of events that no rule can match.
        longest: how many bytes a record may have.
        taking: by a plan, whether its events are taken as rows, see `promising`: None for no, otherwise what they
            hold further, and whether origin and number are added. Of each further value there are the slot, the name
            of the member of the object there, and, if that is None, the mapping that has it by the value in the slot.
        plain: the slots of what is in every row.
        callers: the slots of what tells who called.
        caller: who called, by the values there.
    """

    cdef Member members[MEMBERS]
    cdef int begins[OBJECTS + 1]
    cdef int ends[OBJECTS + 1]
    cdef Token tokens[SLOTS + MEMBER_SLOTS]
    cdef Token ident
    cdef Place time
    cdef uint64_t objects
    cdef unsigned beyond
    cdef int slots
    cdef int firsts[SLOTS]
    cdef int first_count
    cdef int name_slot
    cdef Py_ssize_t longest
    cdef list names
    cdef list classify
    cdef list class_of
    cdef _Table after_first
    cdef list outcomes
    cdef dict numbers
    cdef object begin
    cdef object nothing
    cdef object decode
    cdef object taking
    cdef object caller
    cdef int tested
    cdef list member_names
    cdef int member_roots[MEMBER_SLOTS]
    cdef int plain[SLOTS]
    cdef int of_caller[SLOTS]  # for each of `plain` its place among `callers`, or -1
    cdef int plain_count
    cdef int callers[SLOTS]
    cdef int caller_count
    cdef _Table by_caller
    cdef list known_callers
    cdef _Table by_text
    cdef list value_of

    def __init__(
        self, fields, members, int first, classify, begin, int name, nothing, Py_ssize_t longest, taking, plain,
        callers, caller
    ):
        self.names = []
        self.classify = list(classify)
        self.class_of = [_Table() for _ in classify]
        self.after_first = _Table()
        self.outcomes = [None]
        self.numbers = {}
        self.begin = begin
        self.nothing = nothing
        self.name_slot = name
        self.longest = longest
        self.decode = Decoder().decode
        self.taking, self.caller = taking, caller
        self.by_caller, self.by_text = _Table(), _Table()
        self.known_callers, self.value_of = [], []
        self.plain_count, self.caller_count = len(plain), len(callers)
        self.slots = 1 + max([slot for _, _, slot in fields])
        self.tested = len(self.classify) - len(members)
        if self.slots > SLOTS or len(fields) > MEMBERS or len(members) > MEMBER_SLOTS:
            raise ValueError(f"{len(fields)} fields, {self.slots} of them taken, are more than there is room for")
        self.member_names = [called for _, called in members]
        for place, (root, _) in enumerate(members):
            self.member_roots[place] = root
        for place in range(self.plain_count):
            self.plain[place] = plain[place]
            self.of_caller[place] = callers.index(plain[place]) if plain[place] in callers else -1
        for place in range(self.caller_count):
            self.callers[place] = callers[place]
        self.first_count = first
        for place in range(first):
            self.firsts[place] = place
        tree = {}
        for path, kind, slot in fields:
            *way, last = path.split(".")
            node = tree
            for part in way:
                node = node.setdefault(part, {})
            node[last] = kind, slot
        self._lay_out(tree)

    cdef int _lay_out(self, dict tree) except -1:
        """The objects one after the other, the outermost first."""
        cdef int count = 0, number = 0
        waiting = [tree]
        while number < len(waiting):
            if number == OBJECTS or count + len(waiting[number]) > MEMBERS:
                raise ValueError(f"more than {OBJECTS} objects or {MEMBERS} fields")
            self.begins[number] = count
            for name, what in waiting[number].items():
                raw = name.encode()
                self.names.append(raw)
                self.members[count].name = <Place> PyBytes_AS_STRING(raw)
                self.members[count].size = PyBytes_GET_SIZE(raw)
                if isinstance(what, dict):
                    self.members[count].kind = _NESTED
                    self.members[count].number = len(waiting)
                    waiting.append(what)
                else:
                    self.members[count].kind, self.members[count].number = what
                count += 1
            self.ends[number] = count
            number += 1
        return 0

    def forget(self):
        """Drops everything: classes got other numbers."""
        cdef _Table known
        self.after_first.clear()
        for known in self.class_of:
            known.clear()
        del self.outcomes[1:]
        self.numbers.clear()

    def promising(self, bytes text, str origin):
        """What has to be decoded and judged; rows; how many events the file has in all; and whether it is all ASCII.

        Of each event to decode there are number, begin, end and plan. Of the others that a rule could match there are rows, by plan: who called, the time in seconds since 1970, the
        id, and the values that were asked for, each as in a decoded event. Of a file that is not all ASCII this holds
        only if it is valid UTF-8, which is not looked at here. None for a file that is unusual anywhere, or has an
        event twice.
        """
        cdef Place start = <Place> PyBytes_AS_STRING(text)
        cdef Place end = start + PyBytes_GET_SIZE(text)
        cdef Place at = start, begin
        cdef Py_ssize_t number = 0
        cdef int outcome
        cdef uint64_t *seen
        cdef uint64_t ident, mask = 1
        cdef list found = []
        cdef dict rows = {}
        cdef _Taking taking
        if end - at < 14 or memcmp(at, b'{"Records":[', 12) != 0:
            return None
        at += 12
        self.beyond = 0
        while mask < <uint64_t> (end - start) // 128 + 16:
            mask *= 2
        seen = <uint64_t *> calloc(mask, sizeof(uint64_t))
        if seen == NULL:
            raise MemoryError
        mask -= 1
        try:
            while at[0] == c'{':
                begin = at
                at = self._record(at, end)
                if at == NULL or at - begin > self.longest:
                    return None
                ident = mixed(0, self.ident.start, self.ident.size) | 1
                place = ident >> 8 & mask
                while seen[place]:
                    if seen[place] == ident:
                        return None
                    place = place + 1 & mask
                seen[place] = ident
                outcome = self._outcome()
                if outcome:
                    what, row = self.outcomes[outcome], None
                    if type(what) is _Taking:
                        taking = <_Taking> what
                        what, row = taking.plan, self._row(taking, origin, number)
                    if row is None:
                        found.append((number, begin - start, at - start, what))
                    else:
                        rows.setdefault(outcome, []).append(row)
                number += 1
                if number * 2 > <Py_ssize_t> mask:
                    return None
                if at[0] == c',':
                    at += 1
                    if at[0] != c'{':
                        return None
                else:
                    break
            if end - at != 2 or at[0] != c']' or at[1] != c'}':
                return None
        except (DecodeError, UnicodeDecodeError):
            return None
        finally:
            free(seen)
        taken = [((<_Taking> self.outcomes[outcome]).plan, some) for outcome, some in rows.items()]
        return found, taken, number, self.beyond == 0

    cdef Place _record(self, Place at, Place end) noexcept nogil:
        """Behind a record, whose tokens are taken down; NULL where anything about it is unusual."""
        memset(self.tokens, 0, self.slots * sizeof(Token))
        self.ident.start = NULL
        self.objects = 0
        at = self._object(0, at, end)
        if at == NULL or self.ident.start == NULL or self.tokens[self.name_slot].start == NULL:
            return NULL
        return at if self.objects & (<uint64_t> 1 << 63) else NULL

    cdef Place _object(self, int number, Place at, Place end) noexcept nogil:
        cdef int begin = self.begins[number], last = self.ends[number], next = begin, tried
        cdef Member *member
        cdef Place name
        cdef Py_ssize_t size
        if self.objects >> number & 1 or at[0] != c'{':
            return NULL
        self.objects |= <uint64_t> 1 << number
        at += 1
        if at[0] == c'}':
            return at + 1
        while True:
            if at[0] != c'"':
                return NULL
            name = at + 1
            at = first_special(name, end, &self.beyond)
            if at >= end or at[0] != c'"' or at[1] != c':':
                return NULL
            size = at - name
            at += 2
            member = NULL
            for tried in range(last - begin):
                if self.members[next].size == size and is_same(self.members[next].name, name, size):
                    member = &self.members[next]
                next += 1
                if next == last:
                    next = begin
                if member != NULL:
                    break
            if member == NULL:
                at = after_value(at, end, &self.beyond)
            elif member.kind == _NESTED:
                at = self._object(member.number, at, end)
            elif member.kind == _SKIP:
                at = after_value(at, end, &self.beyond)
            else:
                at = self._token(member, at, end)
            if at == NULL:
                return NULL
            if at[0] == c',':
                at += 1
            elif at[0] == c'}':
                return at + 1
            else:
                return NULL

    cdef Place _token(self, Member *member, Place at, Place end) noexcept nogil:
        cdef Place start = at
        cdef Token *token
        if at[0] == c'"':
            at = after_text(at + 1, end, &self.beyond)
        elif member.kind == _ANY:
            at = after_value(at, end, &self.beyond)
        elif member.kind == _TEXT and at[0] == c'n' or member.kind == _FLAG and at[0] in (c't', c'f', c'n'):
            at = after_word(at, end)
        else:
            return NULL
        if at == NULL:
            return NULL
        if member.kind == _TIME:
            if not is_time(start, at - start):
                return NULL
            self.objects |= <uint64_t> 1 << 63
            self.time = start
        elif member.kind == _IDENT:
            if at - start < 3 or self.ident.start != NULL:
                return NULL
            self.ident.start, self.ident.size = start, at - start
            if first_special(start + 1, at, &self.beyond)[0] != c'"':
                return NULL
        elif member.kind == _NAME and at - start < 3:
            return NULL
        if member.number >= 0:
            token = &self.tokens[member.number]
            if token.start != NULL:
                return NULL
            token.start, token.size = start, at - start
        return at

    cdef int _outcome(self) except -1:
        """What comes of the event whose tokens were taken down: 0 where no rule can match, or the number of its plan."""
        cdef uint64_t hash = 0
        cdef int place, slot, number, none = 0
        cdef int classes[SLOTS]
        cdef Token token
        cdef _Second second
        for place in range(self.first_count):
            hash = mixed(hash, self.tokens[self.firsts[place]].start, self.tokens[self.firsts[place]].size)
        number = self.after_first.find(hash, self.tokens, self.firsts, self.first_count)
        if number < 0:
            number = self._first(hash)
        while type(self.outcomes[number]) is _Second:
            second = <_Second> self.outcomes[number]
            for place in range(second.count):
                slot = second.slots[place]
                if slot >= self.tested:
                    slot = self._find_member(slot - self.tested)
                    if slot < 0:
                        return second.otherwise
                classes[place] = self._class(second.slots[place], slot)
            token.start, token.size = <Place> classes, second.count * sizeof(int)
            hash = mixed(0, token.start, token.size)
            number = second.known.find(hash, &token, &none, 1)
            if number < 0:
                number = self._number(second.node.then[tuple([classes[place] for place in range(second.count)])])
                second.known.add(hash, &token, &none, 1, number)
        return number

    cdef int _find_member(self, int member) except -2:
        """The place of a member's value among the tokens; -1 where it cannot be told."""
        cdef Token *root = &self.tokens[self.member_roots[member]]
        cdef bytes name = <bytes> self.member_names[member]
        cdef int slot = SLOTS + member
        cdef Token found
        found.start, found.size = NULL, 0
        if root.start != NULL and root.start[0] != c'n':
            if root.start[0] != c'{':
                return -1
            found = member_of(root, <Place> PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
            if found.size < 0 or found.start != NULL and found.start[0] in (c'{', c'['):
                return -1
        self.tokens[slot] = found
        return slot

    cdef int _first(self, uint64_t hash) except -1:
        """The number of what comes of the first look: a plan, or a second look."""
        cdef int number, place
        cdef Py_ssize_t size = 0
        classes = tuple([self._class(self.firsts[place], self.firsts[place]) for place in range(self.first_count)])
        number = self._number(self.begin(classes, self._value(self.name_slot)))
        for place in range(self.first_count):
            size += self.tokens[self.firsts[place]].size
        if size <= LONGEST and self.after_first.is_again(hash):
            if self.after_first.count >= VALUES_KEPT:
                self.after_first.clear()
            self.after_first.add(hash, self.tokens, self.firsts, self.first_count, number)
        return number

    cdef int _number(self, node) except -1:
        """The number of a node's plan, or of the next look from there."""
        cdef int otherwise
        if not node.slots:
            return self._number_of(node.plan)
        otherwise = 0 if node.plan is None else self._number_of(node.plan)
        known = self.numbers.get(id(node))
        if known is None:
            known = self.numbers[id(node)] = len(self.outcomes)
            self.outcomes.append(_Second(node, otherwise))
        return known

    cdef int _number_of(self, plan) except -1:
        if plan is self.nothing:
            return 0
        # by identity: plans are large, and those that are equal are hardly ever two
        known = self.numbers.get(id(plan))
        if known is None:
            known = self.numbers[id(plan)] = len(self.outcomes)
            self.outcomes.append(self._taken(plan))
        return known

    cdef object _taken(self, plan):
        """The plan, or how its events are taken as rows."""
        asked = self.taking(plan)
        return plan if asked is None else _Taking(plan, *asked)

    cdef object _row(self, _Taking taking, str origin, Py_ssize_t number):
        """The row of the event whose tokens were taken down; None where it has to be decoded."""
        cdef Py_ssize_t at = 3, place, count = 3 + self.plain_count + taking.count + 2 * taking.placed
        cdef tuple row = PyTuple_New(count), values
        caller, values = self._caller()
        _put(row, 0, caller)
        _put(row, 1, seconds_at(self.time))
        _put(row, 2, PyUnicode_DecodeUTF8(<char *> self.ident.start + 1, self.ident.size - 2, NULL))
        for place in range(self.plain_count):
            if self.of_caller[place] >= 0:
                _put(row, at, values[self.of_caller[place]])
            else:
                _put(row, at, self._text(self.plain[place]))
            at += 1
        for place in range(taking.count):
            name, known = taking.names[place], taking.known[place]
            if name is None:
                value = known.get(self._text(taking.slots[place]))
                if type(value) is not str and value is not UNSET:
                    return None
            else:
                value = self._member(taking.slots[place], name)
                if value is None:
                    return None
            _put(row, at, value)
            at += 1
        if taking.placed:
            _put(row, at, origin)
            _put(row, at + 1, number)
        return row

    cdef tuple _caller(self):
        """Who called, and the values that tell it."""
        cdef uint64_t hash = 0
        cdef Py_ssize_t size = 0
        cdef int place, number
        for place in range(self.caller_count):
            hash = mixed(hash, self.tokens[self.callers[place]].start, self.tokens[self.callers[place]].size)
            size += self.tokens[self.callers[place]].size
        number = self.by_caller.find(hash, self.tokens, self.callers, self.caller_count)
        if number >= 0:
            return <tuple> self.known_callers[number]
        values = tuple([self._value(self.callers[place]) for place in range(self.caller_count)])
        known = self.caller(values), values
        if size <= LONGEST_CALLER:
            if self.by_caller.count >= VALUES_KEPT:
                self.by_caller.clear()
                self.known_callers = []
            self.by_caller.add(hash, self.tokens, self.callers, self.caller_count, len(self.known_callers))
            self.known_callers.append(known)
        return known

    cdef object _text(self, int slot):
        """The same as `_value`; one that comes again is made once."""
        cdef Token *token = &self.tokens[slot]
        cdef uint64_t hash
        cdef int number
        if token.start == NULL:
            return UNSET
        hash = mixed(0, token.start, token.size)
        number = self.by_text.find(hash, self.tokens, &slot, 1)
        if number >= 0:
            return self.value_of[number]
        value = self._value(slot)
        if token.size <= LONGEST:
            if self.by_text.count >= VALUES_KEPT:
                self.by_text.clear()
                self.value_of = []
            self.by_text.add(hash, self.tokens, &slot, 1, len(self.value_of))
            self.value_of.append(value)
        return value

    cdef object _member(self, int slot, bytes name):
        """The text of this name in the object in a slot, `UNSET` where none is; None where that cannot be told."""
        cdef Token *token = &self.tokens[slot]
        cdef Token found
        if token.start == NULL or token.start[0] == c'n':
            return UNSET
        if token.start[0] != c'{':
            return None
        found = member_of(token, <Place> PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name))
        if found.start == NULL:
            return UNSET if found.size == 0 else None
        if found.start[0] == c'n':
            return UNSET
        if found.start[0] in (c'{', c'['):
            return None
        if is_short_count(found):
            return PyUnicode_DecodeUTF8(<char *> found.start, found.size, NULL)
        value = _decoded(found, self.decode)
        return value if found.start[0] == c'"' else text_of(value)

    cdef int _class(self, int tested, int slot) except -1:
        """The class, as of one of the tested fields or members, of the value in a slot."""
        cdef Token *token = &self.tokens[slot]
        cdef _Table known = <_Table> self.class_of[tested]
        cdef uint64_t hash = mixed(0, token.start, token.size)
        cdef int number = known.find(hash, self.tokens, &slot, 1)
        if number < 0:
            number = self.classify[tested](self._value(slot))
            if token.size <= LONGEST and known.is_again(hash):
                if known.count >= VALUES_KEPT:
                    known.clear()
                known.add(hash, self.tokens, &slot, 1, number)
        return number

    cdef object _value(self, int slot):
        """The value in a slot, as it is in a decoded event."""
        cdef Token *token = &self.tokens[slot]
        return UNSET if token.start == NULL else _decoded(token[0], self.decode)


cdef extern from "Python.h":
    bint PyUnicode_IS_ASCII(object text)
    const char *PyUnicode_AsUTF8AndSize(object text, Py_ssize_t *size) except NULL


cdef class Masks:
    """The same as `trailwatch.detect.classes.Masks`."""

    cdef object present
    cdef dict equal
    cdef dict equal_cased
    cdef object contained
    cdef list starts
    cdef tuple any_start
    cdef list ends
    cdef tuple any_end
    cdef list searched
    cdef list tests

    def __init__(self, present, equal, equal_cased, contained, starts, ends, searched, tests):
        self.present, self.equal, self.equal_cased, self.contained = present, equal, equal_cased, contained
        self.starts, self.ends, self.searched, self.tests = starts, ends, searched, tests
        self.any_start = tuple([part for _, parts in starts for part in parts])
        self.any_end = tuple([part for _, parts in ends for part in parts])

    def __call__(self, value):
        cdef str text = value if type(value) is str else text_of(value)
        cdef str lower = text.lower()
        mask = self.present
        if self.equal:
            mask = mask | self.equal.get(lower, 0)
        if self.equal_cased:
            mask = mask | self.equal_cased.get(text, 0)
        if self.contained is not None:
            mask = mask | self.contained(lower)
        if self.starts and lower.startswith(self.any_start):
            for bit, parts in self.starts:
                if lower.startswith(parts):
                    mask = mask | bit
        if self.ends and lower.endswith(self.any_end):
            for bit, parts in self.ends:
                if lower.endswith(parts):
                    mask = mask | bit
        for bit, needed, test in self.searched:
            if PyUnicode_IS_ASCII(text):
                for part in needed:
                    if part not in lower:
                        break
                else:
                    if test(value):
                        mask = mask | bit
            elif test(value):
                mask = mask | bit
        for bit, test in self.tests:
            if test(value):
                mask = mask | bit
        return mask


cdef class Parts:
    """Says which of some parts stand in a text, mostly at the price of one pass over it.

    Args:
        parts: at most 62; of ASCII, and of two characters at least.
    """

    cdef unsigned char pairs[8192]
    cdef list parts
    cdef int count
    cdef int begins[PARTS]  # with which pair
    cdef Token texts[PARTS]

    def __init__(self, parts):
        cdef int pair
        memset(self.pairs, 0, sizeof(self.pairs))
        self.parts = [part.encode("ascii") for part in parts]
        self.count = 0
        if len(self.parts) > PARTS:
            raise ValueError(f"{len(self.parts)} parts are more than there is room for")
        for part in self.parts:
            pair = part[0] << 8 | part[1]
            self.pairs[pair >> 3] |= 1 << (pair & 7)
            self.begins[self.count] = pair
            self.texts[self.count].start = <Place> PyBytes_AS_STRING(part)
            self.texts[self.count].size = PyBytes_GET_SIZE(part)
            self.count += 1

    def __call__(self, str text):
        """A bit for each part that stands in the text; -1 for a text that is not all ASCII."""
        cdef Py_ssize_t size, at
        cdef Place begin
        cdef int pair
        cdef uint64_t found = 0
        if not PyUnicode_IS_ASCII(text):
            return -1
        begin = <Place> PyUnicode_AsUTF8AndSize(text, &size)
        for at in range(size - 1):
            pair = begin[at] << 8 | begin[at + 1]
            if self.pairs[pair >> 3] >> (pair & 7) & 1:
                found |= self._standing(pair, begin + at, size - at)
        return found

    cdef uint64_t _standing(self, int pair, Place at, Py_ssize_t size) noexcept nogil:
        """A bit for each part that stands right here, where this pair does."""
        cdef uint64_t found = 0
        cdef const Token *text
        cdef int part
        for part in range(self.count):
            if self.begins[part] == pair:
                text = &self.texts[part]
                if text.size <= size and is_same(text.start, at, text.size):
                    found |= <uint64_t> 1 << part
        return found
