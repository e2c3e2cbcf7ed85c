# cython: language_level=3, boundscheck=False, wraparound=False
"""The inner loops of `trailwatch.detect.columns`, which has the same in Python and says what they do."""

from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject

from msgspec import UNSET

from trailwatch.detect.leaf import text_of


def texts_of(tuple column):
    cdef Py_ssize_t at, begin
    cdef list found
    for begin in range(len(column)):
        if type(column[begin]) is not str:
            break
    else:
        return column
    found = list(column)
    for at in range(begin, len(found)):
        value = found[at]
        if type(value) is not str:
            found[at] = "" if value is UNSET or value is None else text_of(value)
    return found


def places_of(list groups, list times, long long span):
    cdef Py_ssize_t at
    cdef long long group, time
    cdef list places = []
    if len(groups) != len(times):
        raise ValueError(f"{len(groups)} groups and {len(times)} times")
    for at in range(len(groups)):
        group, time = groups[at], times[at]
        places.append(group + time // span)
    return places


def note_texts(dict cells, list places, list texts, double needed):
    cdef Py_ssize_t at
    cdef PyObject *kept
    if len(places) != len(texts):
        raise ValueError(f"{len(places)} places and {len(texts)} texts")
    for at in range(len(places)):
        place, text = places[at], texts[at]
        kept = PyDict_GetItem(cells, place)
        if kept == NULL:
            cells[place] = text
        elif type(<object> kept) is set:
            if len(<set> kept) < needed:
                (<set> kept).add(text)
        elif <object> kept is not text and <object> kept != text:
            cells[place] = {<object> kept, text}
