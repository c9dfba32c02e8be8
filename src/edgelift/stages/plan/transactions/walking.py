"""Walks functions as a request would run them, and keeps the books of each transaction.

Branches are joined, loops run twice, calls of the project's own functions are walked into. An
exception may come from any call: a handler starts with what could have been written by then.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from edgelift.model.findings import Finding
from edgelift.model.rules import Rule
from edgelift.sources.source_code import Function
from edgelift.sources.source_code.names import FunctionNode
from edgelift.sources.source_code.view import CodeView
from edgelift.stages.plan.transactions import rules
from edgelift.stages.plan.transactions.states import State, Write, count
from edgelift.stages.plan.transactions.vocabulary import Block, Kind, Vocabulary

_DEPTH = 12
# Against sources whose calls branch without end; each step is one statement.
_MOST_STEPS = 400_000
_FLUSHES = frozenset({Kind.FLUSH, Kind.COMMIT, Kind.READ, Kind.WRITE, Kind.WRITE_MANY})
_REMOTE = ("requests.", "httpx.", "urllib.", "smtplib.", "socket.", "stripe.", "boto3.")
_ABORTS = frozenset({"flask.abort", "werkzeug.exceptions.abort", "django.http.Http404"})

Given = tuple[tuple[str, str], ...]
# The lines of the last calls that led here: a helper that is called twice writes twice.
Trail = tuple[int, ...]
_TRAIL = 3
Handler = Callable[[ast.stmt, State, "Frame"], State | None]


@dataclass
class Frame:
    """One function being walked: the texts given for its parameters, and what it may raise with."""

    function: Function
    given: Given
    trail: Trail = ()
    depth: int = 0
    returned: State | None = None
    # The handlers around the place being walked; each collects the states it may start from.
    handlers: list[list[State]] = field(default_factory=list)


class Walker:
    """Collects findings over all functions walked."""

    def __init__(self, view: CodeView, *, autocommit: bool = False) -> None:
        self.view = view
        self.words = Vocabulary(view)
        self.autocommit = autocommit
        self.findings: dict[tuple[str, str | None, int | None], Finding] = {}
        self._steps = 0
        self._known: dict[tuple[str, State, Given, Trail], State | None] = {}
        self._active: list[str] = []

    def walk(self, function: Function) -> State | None:
        """Walk a function that the server calls, from no transaction; return its end state."""
        return self._call(Frame(function, ()), State())

    def report(self, rule: Rule, message: str, function: Function, line: int) -> None:
        """Record a finding, the first of a rule at a place."""
        finding = rule.at(message, function.file.path, line)
        self.findings.setdefault((rule.id, finding.path, finding.line), finding)

    def _call(self, frame: Frame, state: State) -> State | None:
        """Return the state after the call that a frame stands for, None when it never returns."""
        function = frame.function
        key = (function.id, state, frame.given, frame.trail)
        if key in self._known:
            return self._known[key]
        if frame.depth > _DEPTH or function.id in self._active:
            return state
        self._active.append(function.id)
        after = self._body(function.node.body, state, frame)
        self._active.pop()
        result = _join(after, frame.returned)
        self._known[key] = result
        return result

    def _body(self, statements: Sequence[ast.stmt], state: State, frame: Frame) -> State | None:
        current: State | None = state
        for statement in statements:
            if current is None or self._steps > _MOST_STEPS:
                break
            self._steps += 1
            current = self._statement(statement, current, frame)
        return current

    def _statement(self, node: ast.stmt, state: State, frame: Frame) -> State | None:
        if isinstance(node, FunctionNode | ast.ClassDef):
            return state
        handlers: dict[type[ast.stmt], Handler] = {
            ast.If: self._if,
            ast.For: self._loop,
            ast.AsyncFor: self._loop,
            ast.While: self._loop,
            ast.With: self._with,
            ast.AsyncWith: self._with,
            ast.Try: self._try,
            ast.Match: self._match,
            ast.Return: self._return,
            ast.Raise: self._raise,
        }
        return handlers.get(type(node), self._expressions)(node, state, frame)

    # simple statements
    def _expressions(self, node: ast.AST, state: State, frame: Frame) -> State:
        current = state
        for call in _calls_in_order(node):
            current = self._one_call(call, current, frame)
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                current = self._assign(target, current, frame)
        return current

    def _assign(self, target: ast.expr, state: State, frame: Frame) -> State:
        """Take an assignment to a mapped attribute for a write that the next flush sends."""
        if (
            isinstance(target, ast.Attribute)
            and isinstance(target.value, ast.Name)
            and target.value.id not in {"self", "cls"}
            and target.attr in self.words.columns
        ):
            text = f"{target.value.id}.{target.attr} = ..."
            write = self._write(target, text, frame, key=target.value.id)
            return state.add(write)
        return state

    def _write(
        self, node: ast.AST, text: str, frame: Frame, *, many: bool = False, key: str = ""
    ) -> Write:
        line = int(getattr(node, "lineno", 1))
        shown = text if len(text) <= 50 else f"{text[:47]}..."
        scoped = f"{frame.function.id}:{key}" if key else ""
        return Write(frame.function.file.path, line, shown, many, scoped, frame.trail)

    def _one_call(self, call: ast.Call, state: State, frame: Frame) -> State:
        kind = self.words.classify(call, frame.function, dict(frame.given))
        if kind is None:
            return self._other_call(call, state, frame)
        if kind is not Kind.COMMIT or state.pending:  # in D1 a commit with nothing to send succeeds
            self._may_fail(state.before_failing(flushes=kind in _FLUSHES), frame)
        return self._apply(kind, call, state, frame)

    def _apply(self, kind: Kind, call: ast.Call, state: State, frame: Frame) -> State:
        if kind in {Kind.ADD, Kind.ADD_MANY}:
            argument = call.args[0] if call.args else None
            key = argument.id if isinstance(argument, ast.Name) else ""
            many = kind is Kind.ADD_MANY
            return state.add(self._write(call, ast.unparse(call), frame, many=many, key=key))
        if kind in {Kind.WRITE, Kind.WRITE_MANY}:
            if self.autocommit and not state.begun:
                return state
            many = kind is Kind.WRITE_MANY
            return state.write(self._write(call, ast.unparse(call), frame, many=many))
        if kind in {Kind.READ, Kind.FLUSH}:
            after = state.flush()
            explicit = kind is Kind.FLUSH and bool(after.written)
            place = f"{frame.function.file.path}:{call.lineno}"
            return State(after.pending, after.written, place, after.begun) if explicit else after
        return self._end(kind, call, state, frame)

    def _end(self, kind: Kind, call: ast.Call, state: State, frame: Frame) -> State:
        if kind is Kind.COMMIT:
            self._check_commit(state.writes, call.lineno, frame)
            return state.end()
        if kind is Kind.ROLLBACK:
            if state.written:
                first = state.written[0]
                self.report(
                    rules.ROLLBACK,
                    f"rollback after {first.text} ({first.place})",
                    frame.function,
                    call.lineno,
                )
            return state.end()
        if kind is Kind.SAVEPOINT:
            self.report(rules.SAVEPOINT, "SAVEPOINT", frame.function, call.lineno)
        if kind is Kind.LOCK:
            self.report(rules.LOCK, ast.unparse(call), frame.function, call.lineno)
        return State(begun=True)

    def _check_commit(self, writes: tuple[Write, ...], line: int, frame: Frame) -> None:
        if count(writes) > 1:
            self.report(rules.MULTI_WRITE, f"commit of {_list(writes)}", frame.function, line)

    def _check_flushed(self, call: ast.AST, state: State, frame: Frame) -> None:
        if state.flushed:
            first = state.written[0]
            self.report(
                rules.FLUSH,
                f"flush of {first.text} ({state.flushed}) before {ast.unparse(call)[:50]}",
                frame.function,
                int(getattr(call, "lineno", 1)),
            )

    def _other_call(self, call: ast.Call, state: State, frame: Frame) -> State:
        """Walk into a function of the project; anything else may only fail."""
        self._may_fail(state.before_failing(flushes=False), frame)
        name = self.view.names.resolve(call.func, frame.function.file.module, frame.function.node)
        if name in _ABORTS:
            self._check_raise(call.lineno, "abort", state, frame)
        after: State | None = None
        targets = self.view.graph.find_targets(call.func, frame.function)
        if state.flushed and (name.startswith(_REMOTE) or set(targets) & self.raising):
            self._check_flushed(call, state, frame)
        for target in targets:
            callee = self.view.graph.functions[target]
            if callee.id == frame.function.id or target in self.untouched:
                after = _join(after, state)
                continue
            trail = (*frame.trail, call.lineno)[-_TRAIL:]
            inner = Frame(callee, self._texts(call, callee, frame), trail, frame.depth + 1)
            after = _join(after, self._call(inner, state))
        return state if after is None else after

    @cached_property
    def untouched(self) -> set[str]:
        """Return the ids of functions that reach no database code: they are not walked into."""
        functions = self.view.graph.functions
        direct = {name for name, function in functions.items() if self.touches(function)}
        return set(functions) - self._callers_of(direct)

    @cached_property
    def raising(self) -> set[str]:
        """Return the ids of functions that may raise by a statement of the project."""
        functions = self.view.graph.functions
        direct = {
            name
            for name, function in functions.items()
            if any(isinstance(node, ast.Raise) for node in ast.walk(function.node))
        }
        return self._callers_of(direct)

    def _callers_of(self, found: set[str]) -> set[str]:
        """Return functions and all that call them, directly or not."""
        callers: defaultdict[str, set[str]] = defaultdict(set)
        for name, function in self.view.graph.functions.items():
            for callee in self.view.graph.callees(function):
                callers[callee].add(name)
        waiting = list(found)
        while waiting:
            more = callers[waiting.pop()] - found
            found |= more
            waiting.extend(more)
        return found

    def touches(self, function: Function) -> bool:
        """Return whether a function itself has database code."""
        for node in ast.walk(function.node):
            if isinstance(node, ast.Call) and self.words.classify(node, function, {}) is not None:
                return True
            if isinstance(node, ast.With | ast.AsyncWith) and any(
                self.words.block(item.context_expr, function) for item in node.items
            ):
                return True
            stored = isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)
            if stored and getattr(node, "attr", "") in self.words.columns:
                return True
        return False

    def _texts(self, call: ast.Call, callee: Function, frame: Frame) -> Given:
        """Return the constant texts that a call passes, by parameter."""
        names = [a.arg for a in (*callee.node.args.posonlyargs, *callee.node.args.args)]
        names = names[1:] if callee.owner else names
        passed = dict(zip(names, call.args, strict=False))
        passed.update({k.arg: k.value for k in call.keywords if k.arg is not None})
        known = dict(frame.given)
        found = []
        for name, node in passed.items():
            handed = known.get(node.id) if isinstance(node, ast.Name) else None
            value = handed or self.view.names.constant(
                node, frame.function.file.module, frame.function.node
            )
            if isinstance(value, str) and " " in value:
                found.append((name, value))
        return tuple(sorted(found))

    def _may_fail(self, state: State, frame: Frame) -> None:
        if frame.handlers:
            frame.handlers[-1].append(state)

    # statements that steer
    def _raise(self, node: ast.stmt, state: State, frame: Frame) -> None:
        assert isinstance(node, ast.Raise)
        after = self._expressions(node, state, frame)
        self._may_fail(after.before_failing(flushes=False), frame)
        self._check_raise(node.lineno, "raise", after, frame)

    def _check_raise(self, line: int, word: str, state: State, frame: Frame) -> None:
        """Report a raise that leaves writes behind, unless a handler around it decides."""
        if frame.handlers or not state.written or (self.autocommit and not state.begun):
            return
        first = state.written[0]
        self.report(rules.RAISE, f"{word} after {first.text} ({first.place})", frame.function, line)

    def _return(self, node: ast.stmt, state: State, frame: Frame) -> None:
        frame.returned = _join(frame.returned, self._expressions(node, state, frame))

    def _if(self, node: ast.stmt, state: State, frame: Frame) -> State | None:
        assert isinstance(node, ast.If)
        state = self._expressions(node.test, state, frame)
        then = self._body(node.body, state, frame)
        return _join(then, self._body(node.orelse, state, frame))

    def _loop(self, node: ast.stmt, state: State, frame: Frame) -> State | None:
        assert isinstance(node, ast.For | ast.AsyncFor | ast.While)
        head = node.test if isinstance(node, ast.While) else node.iter
        state = self._expressions(head, state, frame)
        once = self._body(node.body, state, frame)
        if once is not None:
            again = self._body(node.body, once.repeat(state), frame)
            once = _join(once, again and again.repeat(state))
        endless = isinstance(node, ast.While) and ast.unparse(node.test) == "True"
        after = once if endless else _join(state, once)
        return self._body(node.orelse, after, frame) if after is not None else None

    def _with(self, node: ast.stmt, state: State, frame: Frame) -> State | None:
        assert isinstance(node, ast.With | ast.AsyncWith)
        block: Block | None = None
        for item in node.items:
            found = self.words.block(item.context_expr, frame.function)
            found = found or self._helper_block(item.context_expr, frame.function)
            block = block or found
            if found is None:
                state = self._expressions(item.context_expr, state, frame)
        if block is None:
            return self._body(node.body, state, frame)
        return self._block(block, node, state, frame)

    def _block(
        self, block: Block, node: ast.With | ast.AsyncWith, state: State, frame: Frame
    ) -> State | None:
        """Walk a block that is undone as a whole when anything in it fails."""
        before = state.flush() if block is Block.SAVEPOINT else state
        inner = State(begun=True)
        frame.handlers.append([])
        after = self._body(node.body, inner, frame)
        failing = frame.handlers.pop()
        if after is not None:
            failing.append(after.before_failing(flushes=True))
        lost = [s.written for s in failing if s.written]
        writes = max([*lost, *([after.writes] if after else [])], key=count, default=())
        rule = rules.SAVEPOINT if block is Block.SAVEPOINT else rules.BLOCK
        if lost and count(writes) > 1:
            self.report(rule, f"block of {_list(writes)}", frame.function, node.lineno)
        for one in failing:
            self._may_fail(State(written=before.written + one.written), frame)
        if block is Block.SAVEPOINT:
            kept = after.flush().written if after else ()
            return State(before.pending, (*before.written, *kept), before.flushed, before.begun)
        return State() if after is not None else None

    def _helper_block(self, node: ast.expr, function: Function) -> Block | None:
        """Return TRANSACTION for a context manager of the project that commits or rolls back."""
        if not isinstance(node, ast.Call):
            return None
        for target in self.view.graph.find_targets(node.func, function):
            helper = self.view.graph.functions[target]
            kinds = {
                self.words.classify(call, helper, {})
                for call in ast.walk(helper.node)
                if isinstance(call, ast.Call)
            }
            yields = any(isinstance(n, ast.Yield) for n in ast.walk(helper.node))
            if yields and {Kind.COMMIT, Kind.ROLLBACK} <= kinds:
                return Block.TRANSACTION
        return None

    def _try(self, node: ast.stmt, state: State, frame: Frame) -> State | None:
        assert isinstance(node, ast.Try)
        frame.handlers.append([])
        after = self._body(node.body, state, frame)
        failing = frame.handlers.pop()
        if not node.handlers:
            for one in failing:
                self._may_fail(one, frame)
        if after is not None and node.orelse:
            after = self._body(node.orelse, after, frame)
        start: State | None = None
        for one in failing:
            start = _join(start, one)
        for handler in node.handlers:
            if start is not None:
                after = _join(after, self._body(handler.body, start, frame))
        if node.finalbody:
            # After an exception that nothing catches it runs with what was written by then.
            if not node.handlers and start is not None and (start.written or start.pending):
                self._body(node.finalbody, start, frame)
            return self._body(node.finalbody, after, frame) if after is not None else None
        return after

    def _match(self, node: ast.stmt, state: State, frame: Frame) -> State | None:
        assert isinstance(node, ast.Match)
        state = self._expressions(node.subject, state, frame)
        after: State | None = state
        for case in node.cases:
            after = _join(after, self._body(case.body, state, frame))
        return after


def _join(first: State | None, second: State | None) -> State | None:
    if first is None:
        return second
    return first if second is None else first.join(second)


def _calls_in_order(node: ast.AST) -> Iterator[ast.Call]:
    """Yield calls in the order in which Python makes them: arguments first."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, FunctionNode | ast.ClassDef | ast.Lambda | ast.stmt):
            yield from _calls_in_order(child)
    if isinstance(node, ast.Call):
        yield node


def _list(writes: tuple[Write, ...]) -> str:
    shown = [f"{w.text} ({w.place}{', repeated' if w.many else ''})" for w in writes[:3]]
    more = f" and {len(writes) - 3} more" if len(writes) > 3 else ""
    return ", ".join(shown) + more
