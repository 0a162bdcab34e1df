"""Comparing a line of the server with what a test expects.

A pattern is JSON, compared exactly, with these exceptions:
  object       the fields named must match; others may be there
  "*"          any value, but there must be one
  "!"          (value of a field) the field must be absent
  "~regex"     a string that the whole of the regular expression matches
  "$name"      the first time: takes the value; later: must be the same
  ["*has", …]  an array with at least these members, in any order
  ["*all", …]  an array with exactly these members, in any order
  ["*ge", n], ["*le", n]   a number, at least or at most n
A string of the server that begins with one of these signs can be written as a "~regex".
"""

import re

TIME = r"~\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class Mismatch(Exception):
    pass


def match(pattern, value, names=None, where=""):
    """Raises Mismatch with the place and both sides; fills `names` with what "$name" took."""
    names = {} if names is None else names
    if isinstance(pattern, dict):
        match_object(pattern, value, names, where)
    elif isinstance(pattern, list):
        match_array(pattern, value, names, where)
    elif isinstance(pattern, str):
        match_text(pattern, value, names, where)
    elif pattern != value or isinstance(pattern, bool) != isinstance(value, bool):
        raise Mismatch(f"{where or 'value'} is {value!r}, not {pattern!r}")


def fits(pattern, value, names=None):
    trial = dict(names or {})
    try:
        match(pattern, value, trial)
    except Mismatch:
        return False
    if names is not None:
        names.update(trial)
    return True


def match_object(pattern, value, names, where):
    if not isinstance(value, dict):
        raise Mismatch(f"{where or 'value'} is {value!r}, no object")
    for key, wanted in pattern.items():
        place = f"{where}.{key}" if where else key
        if wanted == "!":
            if key in value:
                raise Mismatch(f"{place} is there ({value[key]!r}) and should not be")
        elif key not in value:
            raise Mismatch(f"{place} is missing in {value!r}")
        else:
            match(wanted, value[key], names, place)


def match_text(pattern, value, names, where):
    if pattern == "*":
        return
    if pattern == "*time":
        pattern = TIME
    if pattern.startswith("~"):
        if not isinstance(value, str) or not re.fullmatch(pattern[1:], value, re.DOTALL):
            raise Mismatch(f"{where or 'value'} is {value!r}, which {pattern[1:]!r} does not match")
    elif pattern.startswith("$"):
        if names.setdefault(pattern, value) != value:
            raise Mismatch(f"{where or 'value'} is {value!r}, but {pattern} was {names[pattern]!r}")
    elif pattern != value:
        raise Mismatch(f"{where or 'value'} is {value!r}, not {pattern!r}")


def match_array(pattern, value, names, where):
    sign = pattern[0] if pattern and isinstance(pattern[0], str) else ""
    if sign in ("*ge", "*le"):
        good = isinstance(value, (int, float)) and (
            value >= pattern[1] if sign == "*ge" else value <= pattern[1])
        if not good:
            raise Mismatch(f"{where or 'value'} is {value!r}, not {sign[1:]} {pattern[1]}")
        return
    if not isinstance(value, list):
        raise Mismatch(f"{where or 'value'} is {value!r}, no array")
    if sign in ("*has", "*all"):
        rest = list(value)
        for wanted in pattern[1:]:
            found = next((item for item in rest if fits(wanted, item, names)), None)
            if found is None:
                raise Mismatch(f"{where}: nothing like {wanted!r} in {value!r}")
            rest.remove(found)
        if sign == "*all" and rest:
            raise Mismatch(f"{where}: {rest!r} should not be there")
        return
    if len(pattern) != len(value):
        raise Mismatch(f"{where}: {len(value)} members in {value!r}, not {len(pattern)}")
    for index, (wanted, item) in enumerate(zip(pattern, value)):
        match(wanted, item, names, f"{where}[{index}]")
