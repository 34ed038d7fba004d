"""The Python classes whose values are plain: neither null, nor an error, nor awaitable."""

from types import GeneratorType, NoneType

from graphql import Undefined

_ODD_CLASSES = (NoneType, type(Undefined), GeneratorType)
"""A generator may be an old kind of coroutine."""


class PlainClasses(dict[type, bool]):
    """Tells whether the values of a class are plain, and remembers it."""

    def __missing__(self, class_: type) -> bool:
        is_odd = issubclass(class_, BaseException) or class_ in _ODD_CLASSES or hasattr(class_, "__await__")
        self[class_] = not is_odd
        return not is_odd


PLAIN_CLASSES = PlainClasses()
