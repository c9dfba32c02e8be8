"""asyncpg's codecs: which function reads and writes the values of which type.

The server's own types are known; others are looked up once in a connection (introspection), and
`set_type_codec` puts the application's functions in their place.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from edgelift.worker.postgres import arrays, numerics

from . import containers, scalars, temporal
from .exceptions import InterfaceError, UnsupportedClientFeatureError
from .record import Record, Shape, make_record
from .types import Type

_NAMES = """
bool:16:1000 bytea:17:1001 char:18:1002 name:19:1003 int8:20:1016 int2:21:1005 int4:23:1007
regproc:24:1008 text:25:1009 oid:26:1028 tid:27:1010 xid:28:1011 cid:29:1012 json:114:199
xml:142:143 point:600:1017 lseg:601:1018 path:602:1019 box:603:1020 polygon:604:1027 line:628:629
cidr:650:651 float4:700:1021 float8:701:1022 unknown:705 circle:718:719 macaddr8:774:775
money:790:791 macaddr:829:1040 inet:869:1041 aclitem:1033:1034 bpchar:1042:1014
varchar:1043:1015 date:1082:1182 time:1083:1183 timestamp:1114:1115 timestamptz:1184:1185
interval:1186:1187 timetz:1266:1270 bit:1560:1561 varbit:1562:1563 numeric:1700:1231
refcursor:1790:2201 regprocedure:2202:2207 regoper:2203:2208 regoperator:2204:2209
regclass:2205:2210 regtype:2206:2211 record:2249:2287 cstring:2275:1263 any:2276 anyarray:2277
void:2278 trigger:2279 internal:2281 anyelement:2283 anynonarray:2776 uuid:2950:2951
txid_snapshot:2970:2949 anyenum:3500 tsvector:3614:3643 tsquery:3615:3645 gtsvector:3642:3644
regconfig:3734:3735 regdictionary:3769:3770 jsonb:3802:3807 anyrange:3831 event_trigger:3838
jsonpath:4072:4073 regnamespace:4089:4090 regrole:4096:4097 regcollation:4191:4192
pg_lsn:3220:3221 pg_snapshot:5038:5039 xid8:5069:271 pg_node_tree:194
"""
_RANGES = """
int4range:3904:3905:23 numrange:3906:3907:1700 tsrange:3908:3909:1114 tstzrange:3910:3911:1184
daterange:3912:3913:1082 int8range:3926:3927:20
"""
_MULTIRANGES = """
int4multirange:4451:6150:3904 nummultirange:4532:6151:3906 tsmultirange:4533:6152:3908
tstzmultirange:4534:6153:3910 datemultirange:4535:6155:3912 int8multirange:4536:6157:3926
"""
RECORD = 2249


def _none(_data: bytes) -> None:
    """Return the value of void."""


def _text(data: bytes) -> str:
    return data.decode()


_BINARY: dict[str, tuple[Callable[[Any], bytes], Callable[[bytes], Any]]] = {
    "bool": (scalars.encode_bool, scalars.decode_bool),
    "bytea": (scalars.encode_bytes, bytes),
    "char": (scalars.encode_bytes, bytes),
    "int2": scalars.integer(2, "int16"),
    "int4": scalars.integer(4, "int32"),
    "int8": scalars.integer(8, "int64"),
    "float4": (scalars.encode_float4, lambda data: struct.unpack("!f", data)[0]),
    "float8": (scalars.encode_float8, lambda data: struct.unpack("!d", data)[0]),
    "numeric": (numerics.encode_numeric, numerics.decode_numeric),
    "jsonb": (scalars.encode_jsonb, scalars.decode_jsonb),
    "uuid": (scalars.encode_uuid, scalars.decode_uuid),
    "inet": (scalars.encode_inet, scalars.decode_inet),
    "cidr": (scalars.encode_cidr, scalars.decode_cidr),
    "bit": (scalars.encode_bits, scalars.decode_bits),
    "varbit": (scalars.encode_bits, scalars.decode_bits),
    "point": (scalars.encode_point, scalars.decode_point),
    "box": (scalars.encode_pair, scalars.decode_box),
    "lseg": (scalars.encode_pair, scalars.decode_segment),
    "line": (scalars.encode_line, scalars.decode_line),
    "path": (scalars.encode_path, scalars.decode_path),
    "polygon": (scalars.encode_polygon, scalars.decode_polygon),
    "circle": (scalars.encode_circle, scalars.decode_circle),
    "tid": (scalars.encode_tid, scalars.decode_tid),
    "txid_snapshot": (scalars.encode_snapshot, scalars.decode_snapshot),
    "pg_snapshot": (scalars.encode_snapshot, scalars.decode_snapshot),
    "date": (temporal.encode_date, temporal.decode_date),
    "time": (temporal.encode_time, temporal.decode_time),
    "timetz": (temporal.encode_zoned_time, temporal.decode_zoned_time),
    "timestamp": (temporal.encode_stamp, temporal.decode_stamp),
    "timestamptz": (temporal.encode_zoned_stamp, temporal.decode_zoned_stamp),
    "interval": (temporal.encode_interval, temporal.decode_interval),
    "void": (lambda _value: b"", _none),
    **dict.fromkeys(("oid", "xid", "cid"), scalars.integer(4, "uint32", signed=False)),
    **dict.fromkeys(("xid8",), scalars.integer(8, "uint64", signed=False)),
    **dict.fromkeys(
        ("text", "varchar", "bpchar", "name", "json", "xml", "unknown", "cstring", "refcursor"),
        (scalars.encode_text, _text),
    ),
}


@dataclass
class Codec:
    """How the values of a type are read and written; `binary` is the format on the wire."""

    type: Type
    encode: Callable[[Any], bytes]
    decode: Callable[[bytes], Any]
    binary: bool = True
    element: int = 0
    delimiter: str = ","


@dataclass
class Description:
    """What introspection says of a type."""

    oid: int
    name: str
    schema: str
    kind: str
    element: int = 0
    delimiter: str = ","
    attributes: list[tuple[str, int]] = field(default_factory=list)


def _read_names() -> dict[int, Description]:
    found: dict[int, Description] = {}

    def add(name: str, oid: str, array: str, kind: str, element: int) -> None:
        delimiter = ";" if name == "box" else ","
        found[int(oid)] = Description(int(oid), name, "pg_catalog", kind, element)
        if array:
            found[int(array)] = Description(
                int(array), f"{name}[]", "pg_catalog", "array", int(oid), delimiter
            )

    for entry in _NAMES.split():
        name, oid, array = (*entry.split(":"), "")[:3]
        add(name, oid, array, "scalar", 0)
    for table, kind in ((_RANGES, "range"), (_MULTIRANGES, "multirange")):
        for entry in table.split():
            name, oid, array, element = entry.split(":")
            add(name, oid, array, kind, int(element))
    found[RECORD].kind = "composite"
    found[22] = Description(22, "int2vector", "pg_catalog", "array", 21)
    found[30] = Description(30, "oidvector", "pg_catalog", "array", 26)
    return found


BUILTIN = _read_names()


class Codecs:
    """The codecs of one connection."""

    def __init__(self, record_class: type[Record]) -> None:
        self.record_class = record_class
        self._known: dict[int, Codec] = {}
        self._own: dict[int, Codec] = {}

    def find(self, oid: int) -> Codec | None:
        """Return the codec of a type, None when the type must be looked up."""
        found = self._own.get(oid) or self._known.get(oid)
        if found is None and oid in BUILTIN:
            self.add(BUILTIN[oid])
            found = self._known.get(oid)
        return found

    def get(self, oid: int) -> Codec:
        """Return the codec of a type that has been looked up."""
        found = self.find(oid)
        if found is None:
            raise UnsupportedClientFeatureError(f"no decoder for OID {oid}")
        return found

    def list_missing(self, oids: Iterable[int]) -> set[int]:
        """Return those of the types, and of what they consist of, that are not known."""
        missing = set()
        for oid in oids:
            found = self.find(oid)
            if found is None:
                missing.add(oid)
            elif found.element:
                missing |= self.list_missing([found.element])
        return missing

    def add(self, description: Description) -> None:
        """Make the codec of a type."""
        makers: dict[str, Callable[[Description, Type], Codec]] = {
            "scalar": self._make_scalar,
            "enum": self._make_scalar,
            "array": self._make_array,
            "range": self._make_range,
            "multirange": self._make_multirange,
            "composite": self._make_composite,
            "domain": self._make_domain,
        }
        name = description.name
        kind = "scalar" if description.kind in {"enum", "domain"} else description.kind
        shown = Type(description.oid, name, kind, description.schema)
        self._known[description.oid] = makers[description.kind](description, shown)

    def set_own(
        self,
        type: Type,
        encoder: Callable[[Any], Any],
        decoder: Callable[[Any], Any],
        format: str,
    ) -> None:
        """Use the application's functions for a type, in its arrays and rows too."""
        if format == "tuple":
            if type.oid not in temporal.TUPLES:
                raise UnsupportedClientFeatureError(
                    f"{type.schema}.{type.name} does not support 'tuple' exchange format"
                )
            pack, unpack = temporal.TUPLES[type.oid]
            encode = lambda value: pack(encoder(value))  # noqa: E731
            decode = lambda data: decoder(unpack(data))  # noqa: E731
        elif format == "binary":
            encode = lambda value: scalars.encode_bytes(encoder(value))  # noqa: E731
            decode = decoder
        else:
            encode = lambda value: scalars.encode_text(encoder(value))  # noqa: E731
            decode = lambda data: decoder(data.decode())  # noqa: E731
        self._own[type.oid] = Codec(type, encode, decode, binary=format != "text")

    def reset_own(self, oid: int) -> None:
        """Use the driver's codec of a type again."""
        self._own.pop(oid, None)

    def use_as(self, type: Type, codec: Codec) -> None:
        """Read and write a type as another one."""
        self._own[type.oid] = Codec(type, codec.encode, codec.decode, codec.binary)

    def clear(self) -> None:
        """Forget what was looked up."""
        self._known.clear()

    @staticmethod
    def _make_scalar(description: Description, shown: Type) -> Codec:
        if description.schema == "pg_catalog" and description.name in _BINARY:
            return Codec(shown, *_BINARY[description.name])
        return Codec(shown, scalars.encode_text, _text, binary=False)

    def _make_domain(self, description: Description, shown: Type) -> Codec:
        base = self.get(description.element)
        return Codec(shown, base.encode, base.decode, base.binary)

    def _make_array(self, description: Description, shown: Type) -> Codec:
        element = description.element

        def encode(value: Any) -> bytes:
            item = self.get(element)
            if item.binary:
                return containers.encode_array(value, element, item.encode)
            if not containers._is_array(value):
                kind = type(value).__name__
                raise TypeError(f"a sized iterable container expected (got type '{kind}')")
            text = arrays.format_array(
                list(value), lambda part: item.encode(part).decode(), description.delimiter
            )
            return text.encode()

        def decode(data: bytes) -> Any:
            item = self.get(element)
            if item.binary:
                return containers.decode_array(data, item.decode)
            return arrays.parse_array(
                data.decode(),
                lambda part: None if part is None else item.decode(part.encode()),
                description.delimiter,
            )

        return _ArrayCodec(shown, encode, decode, element=element, codecs=self)

    def _make_range(self, description: Description, shown: Type) -> Codec:
        element = description.element
        return Codec(
            shown,
            lambda value: containers.encode_range(value, self._inner(shown, element).encode),
            lambda data: containers.decode_range(data, self._inner(shown, element).decode),
            element=element,
        )

    def _make_multirange(self, description: Description, shown: Type) -> Codec:
        element = description.element

        def subtype() -> Codec:
            return self._inner(shown, self.get(element).element)

        return Codec(
            shown,
            lambda value: containers.encode_multirange(value, subtype().encode),
            lambda data: containers.decode_multirange(data, subtype().decode),
            element=element,
        )

    def _inner(self, owner: Type, oid: int) -> Codec:
        found = self.get(oid)
        if not found.binary:
            raise UnsupportedClientFeatureError(
                f'cannot decode type "{owner.schema}"."{owner.name}": text encoding of '
                f"{owner.kind} types is not supported"
            )
        return found

    def _make_composite(self, description: Description, shown: Type) -> Codec:
        if description.oid == RECORD:
            return Codec(shown, _refuse_record, self._decode_anonymous)
        names = [name for name, _ in description.attributes]
        oids = [oid for _, oid in description.attributes]
        shape = Shape(tuple(names))

        def encode(value: Any) -> bytes:
            if hasattr(value, "keys") and not isinstance(value, Record):
                for key in value:
                    if key not in shape.index:
                        raise ValueError(
                            f"{key!r} is not a valid element of composite type {shown.name}"
                        )
                value = [value.get(name) for name in names]
            len(value)  # raises for what is no sequence
            encoders = [self._inner(shown, oid).encode for oid in oids]
            return containers.encode_row(list(value), oids, encoders)

        def decode(data: bytes) -> Any:
            values = tuple(
                None if value is None else self._inner(shown, oid).decode(value)
                for oid, value in containers.split_row(data)
            )
            return make_record(Record, shape, values)

        return Codec(shown, encode, decode)

    def _decode_anonymous(self, data: bytes) -> tuple[Any, ...]:
        found: list[Any] = []
        for number, (oid, value) in enumerate(containers.split_row(data)):
            codec = self.find(oid)
            if value is None:
                found.append(None)
            elif codec is None or not codec.binary:
                raise UnsupportedClientFeatureError(
                    f"no decoder for composite type element in position {number} of type OID {oid}"
                )
            else:
                found.append(codec.decode(value))
        return tuple(found)


class _ArrayCodec(Codec):
    """An array's codec; its format is its items'."""

    def __init__(self, *arguments: Any, codecs: Codecs, **named: Any) -> None:
        self._codecs = codecs
        super().__init__(*arguments, **named)

    @property
    def binary(self) -> bool:
        """Whether the array goes in binary form."""
        return self._codecs.get(self.element).binary

    @binary.setter
    def binary(self, value: bool) -> None:
        pass


def _refuse_record(_value: Any) -> bytes:
    raise UnsupportedClientFeatureError("input of anonymous composite types is not supported")


def check_record_class(kind: Any) -> None:
    """Raise InterfaceError unless a class can be that of rows."""
    if not isinstance(kind, type) or not issubclass(kind, Record):
        raise InterfaceError(
            f"record_class is expected to be a subclass of asyncpg.Record, got {kind!r}"
        )
