# SPDX-License-Identifier: MIT
"""Varlink's interface descriptions, as far as ours goes: read, and replies held
against them. Written from the description of the language on varlink.org."""

import re

TOKEN = re.compile(r"\s*(?:#[^\n]*\n\s*)*(->|\[string\]|\[\]|[A-Za-z][\w.]*|"
                   r"[():,?]|\Z)")
BASIC = {"bool": bool, "int": int, "float": float, "string": str,
         "object": dict}


class Interface:
    """name; types, errors: {NAME: type}; methods: {NAME: (in, out)}."""

    def __init__(self, text):
        self.tokens, at = [], 0
        while at < len(text):
            found = TOKEN.match(text, at)
            if not found:
                raise ValueError(f"not Varlink: {text[at:at + 40]!r}")
            self.tokens.append(found[1])
            at = found.end()
        self.types, self.methods, self.errors = {}, {}, {}
        self._want("interface")
        self.name = self._next()
        while self.tokens and self.tokens[0]:
            kind, name = self._next(), self._next()
            if kind == "type":
                self.types[name] = self._type()
            elif kind == "error":
                self.errors[name] = self._type()
            elif kind == "method":
                parameters = self._type()
                self._want("->")
                self.methods[name] = parameters, self._type()
            else:
                raise ValueError(f"{kind} {name}")
        for kinds in (self.types, self.errors):
            for kind in kinds.values():
                self._resolve(kind)
        for parameters, reply in self.methods.values():
            self._resolve(parameters)
            self._resolve(reply)

    def _next(self):
        return self.tokens.pop(0)

    def _want(self, token):
        given = self._next()
        if given != token:
            raise ValueError(f"{given!r} in place of {token!r}")

    def _type(self):
        """("maybe" or "array" or "map", T), ("enum", names), ("struct",
        {name: T}) or ("name", NAME)"""
        token = self._next()
        if token in ("?", "[]", "[string]"):
            return {"?": "maybe", "[]": "array",
                    "[string]": "map"}[token], self._type()
        if token != "(":
            return "name", token
        fields, names = {}, []
        while self.tokens[0] != ")":
            name = self._next()
            if self.tokens[0] == ":":
                self._next()
                fields[name] = self._type()
            else:
                names.append(name)
            if self.tokens[0] == ",":
                self._next()
        self._next()
        if names and fields:
            raise ValueError(f"{names} beside {list(fields)}")
        return ("enum", names) if names else ("struct", fields)

    def _resolve(self, kind):
        what, of = kind
        if what == "name" and of not in BASIC and of not in self.types:
            raise ValueError(f"type {of} is not described")
        if what in ("maybe", "array", "map"):
            self._resolve(of)
        if what == "struct":
            for one in of.values():
                self._resolve(one)

    def mismatch(self, kind, value, where=""):
        """What is wrong with the value, or None."""
        what, of = kind
        if what == "maybe":
            return value is not None and self.mismatch(of, value, where) or None
        if what == "name" and of in self.types:
            return self.mismatch(self.types[of], value, where)
        if what == "name":
            # True is an int to Python, and not to Varlink.
            fits = type(value) is BASIC[of] or (of == "float" and
                                                type(value) is int)
            return None if fits else f"{where}: {value!r} is not {of}"
        if what == "enum":
            return None if value in of else f"{where}: {value!r} not of {of}"
        if what == "array":
            if type(value) is not list:
                return f"{where}: {value!r} is no array"
            wrong = [self.mismatch(of, v, f"{where}[{i}]")
                     for i, v in enumerate(value)]
            return next(filter(None, wrong), None)
        if type(value) is not dict:
            return f"{where}: {value!r} is no object"
        if what == "map":
            wrong = [self.mismatch(of, v, f"{where}.{n}")
                     for n, v in value.items()]
            return next(filter(None, wrong), None)
        for name in value:
            if name not in of:
                return f"{where}.{name}: not described"
        for name, one in of.items():
            if name in value:
                wrong = self.mismatch(one, value[name], f"{where}.{name}")
                if wrong:
                    return wrong
            elif one[0] != "maybe":
                return f"{where}.{name}: missing"
        return None

    def reply_mismatch(self, method, reply):
        """What is wrong with a whole reply to NAME, or None."""
        if method not in self.methods:
            return None
        if "error" not in reply:
            return self.mismatch(self.methods[method][1],
                                 reply.get("parameters", {}), method)
        interface, _, error = reply["error"].rpartition(".")
        if interface != self.name:
            return None
        if error not in self.errors:
            return f"{method}: error {error} is not described"
        return self.mismatch(self.errors[error], reply["parameters"], error)
