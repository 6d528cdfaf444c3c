"""How the boxes in a box are arranged: one below the other, branches side by side, what passes by as an arc.

A step's branches end at its immediate post-dominator, the first step that all ways from it to the result go through.
What can't be told apart as branches stands in the order of execution, each tensor that skips a box as an arc.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from archdsl.emit.page.parts import Part

# Arcs inside arcs inside arcs, as in a U-Net; beyond it boxes are no longer told apart as branches.
DEEPEST = 30

ENTRY = -1
Edge = tuple[int, int]


class Fork(NamedTuple):
    """Branches side by side."""

    branches: tuple[Flow, ...]


class Feed(NamedTuple):
    """Boxes that read nothing and are joined with the tensor at the item behind, as a parameter is."""

    flow: Flow


class Flow(NamedTuple):
    """Boxes one below the other.

    items: boxes by their position among their neighbours, forks and feeds. gaps: before which items no tensor comes
    from the one above (len(items): none leaves the last). arcs: tensors that pass by, from below an item (-1: the
    entry) to above another (len(items): the exit), and the track that each takes, 0 nearest to the boxes. sides: what
    stands beside an item, since it leads to no result.
    """

    items: tuple[Item, ...]
    gaps: tuple[int, ...] = ()
    arcs: tuple[tuple[int, int, int], ...] = ()
    sides: tuple[tuple[int, Flow], ...] = ()


Item = int | Fork | Feed


def arrange(parts: tuple[Part, ...], inputs: tuple[int, ...], results: tuple[int, ...]) -> Flow:
    """The arrangement of boxes; inputs, results: the values that come in and that lead out of what holds them."""
    graph = Graph(parts, inputs, results)
    items = _Layout(graph).sequence(graph.main, ENTRY, graph.exit, 0)
    flow = _wired(graph, items, ENTRY, graph.exit)
    return flow._replace(sides=tuple(_sides(graph, flow)))


class Graph:
    """Which box reads from which: `edges` as drawn, and `after` with an edge to what would hang in the air.

    Boxes are numbered by their position; ENTRY is where tensors come in, `exit` where they leave.
    """

    def __init__(self, parts: tuple[Part, ...], inputs: tuple[int, ...], results: tuple[int, ...]) -> None:
        self.exit = len(parts)
        makers = dict.fromkeys(inputs, ENTRY)
        makers |= {value: k for k, part in enumerate(parts) for value in part.leaving}
        before: list[dict[int, None]] = []
        for part in parts:
            before.append({makers[value]: None for value in part.entering if value not in part.sizes})
        before.append({makers[value]: None for value in results})
        self.edges: set[Edge] = {(source, k) for k, sources in enumerate(before) for source in sources}
        self.loose: set[int] = set()
        self.after: dict[int, list[int]] = {k: [] for k in range(-1, len(parts) + 1)}
        self.before = before
        self._hang()
        for target, sources in enumerate(before):
            for source in sources:
                self.after[source].append(target)
        needed = self._needed()
        self.main = [k for k in range(len(parts)) if k in needed]
        self.aside = [k for k in range(len(parts)) if k not in needed]

    def _hang(self) -> None:
        """Gives boxes that read nothing, as a parameter does, a place beside what they are joined with."""
        for k, sources in enumerate(self.before):
            if self.loose.issuperset(sources):
                self.loose.add(k)
                continue
            firm = next(source for source in sources if source not in self.loose)
            waiting = [source for source in sources if source in self.loose]
            while waiting:
                source = waiting.pop()
                if not self.before[source]:
                    self.before[source][firm if firm < source else ENTRY] = None
                waiting += [other for other in self.before[source] if other in self.loose]

    def _needed(self) -> set[int]:
        """The boxes that lead to a result."""
        needed, waiting = {self.exit}, [self.exit]
        while waiting:
            for source in self.before[waiting.pop()]:
                if source >= 0 and source not in needed:
                    needed.add(source)
                    waiting.append(source)
        return needed


class _Layout:
    """Tells branches apart."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    def sequence(self, nodes: list[int], source: int, target: int, level: int) -> list[Item]:
        """The items between two boxes; nodes: those that stand there, in the order of execution."""
        if not nodes:
            return []
        order = [source, *nodes, target]
        after = self._inside(order)
        joins = _joins(after)
        items: list[Item] = []
        at = 0
        while at < len(order) - 1:
            join = joins[at]
            if join > at + 1:
                items += self._between(order, at, join, after, level)
            if join < len(order) - 1:
                items.append(order[join])
            at = join
        return items

    def _inside(self, order: list[int]) -> list[list[int]]:
        """For each place in the order the places that read from it; the first and the last are never neighbours."""
        place = {node: k for k, node in enumerate(order)}
        last = len(order) - 1
        after = [
            [place[node] for node in self._graph.after[one] if place.get(node, 0) > k] for k, one in enumerate(order)
        ]
        after[0] = [k for k in after[0] if k != last]
        reached = {k for found in after for k in found}
        after[0] += [k for k in range(1, last) if k not in reached]
        for found in after[:-1]:
            if not found:
                found.append(last)
        return after

    def _between(self, order: list[int], at: int, join: int, after: list[list[int]], level: int) -> list[Item]:
        """What stands between a box and the one where all ways from it meet."""
        if level == DEEPEST:
            return list(order[at + 1 : join])
        source, target = order[at], order[join]
        groups = [[order[k] for k in group] for group in _connected(after, at, join)]
        loose = [group for group in groups if self._graph.loose.issuperset(group)]
        branches = [group for group in groups if group not in loose]
        feeds = [Feed(Flow(tuple(self.sequence(group, source, target, level + 1)))) for group in loose]
        if not branches:
            return [*feeds]
        if len(branches) > 1:
            inner = [Flow(tuple(self.sequence(group, source, target, level + 1))) for group in branches]
            return [Fork(tuple(inner)), *feeds]
        if join in after[at] or feeds:
            return [*self.sequence(branches[0], source, target, level + 1), *feeds]
        return [*branches[0]]


def _joins(after: list[list[int]]) -> list[int]:
    """The immediate post-dominator of each place (Cooper, Harvey and Kennedy 2001; without cycles one pass does)."""
    last = len(after) - 1
    joins = [last] * len(after)
    for place in range(last - 1, -1, -1):
        found = after[place][0]
        for other in after[place][1:]:
            while found != other:
                if found < other:
                    found = joins[found]
                else:
                    other = joins[other]
        joins[place] = found
    return joins


def _connected(after: list[list[int]], at: int, join: int) -> list[list[int]]:
    """The places between two that hang together, in their order."""
    root = {k: k for k in range(at + 1, join)}

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    for place in root:
        for other in after[place]:
            if other < join:
                first, second = sorted((find(place), find(other)))
                root[second] = first
    groups: dict[int, list[int]] = {}
    for place in root:
        groups.setdefault(find(place), []).append(place)
    return list(groups.values())


def _sides(graph: Graph, flow: Flow) -> Iterator[tuple[int, Flow]]:
    """What leads to no result, beside the item that it reads from."""
    places = {node: k for k, item in enumerate(flow.items) for node in _nodes(item)}
    aside = set(graph.aside)
    root: dict[int, list[int]] = {}
    for node in graph.aside:
        groups = {id(root[source]): root[source] for source in graph.before[node] if source in aside}
        together = sorted([node, *(one for group in groups.values() for one in group)])
        root |= dict.fromkeys(together, together)
    for group in {id(group): group for group in root.values()}.values():
        sources = {source for node in group for source in graph.before[node] if source not in aside}
        source = max(sources, default=ENTRY)
        items = _Layout(graph).sequence(group, source, graph.exit, 0)
        inner = _wired(graph, items, source, graph.exit)
        yield max(0, places.get(source, 0)), inner


def _nodes(item: Item) -> Iterator[int]:
    if isinstance(item, int):
        yield item
        return
    for flow in item.branches if isinstance(item, Fork) else (item.flow,):
        for inner in flow.items:
            yield from _nodes(inner)


class _Wires:
    """Finds which tensors the lines between neighbours show, and what is left for arcs."""

    def __init__(self, graph: Graph) -> None:
        self._edges = graph.edges
        self.shown: set[Edge] = set()

    def flow(self, items: tuple[Item, ...], above: frozenset[int], below: frozenset[int]) -> Flow:
        """The items with the gaps between them; above, below: the boxes that stand there."""
        tails, heads = [above], [below]
        for item in items:
            tails.append(_ends(item, -1) | (tails[-1] if isinstance(item, Feed) else frozenset()))
        for item in reversed(items):
            heads.insert(0, _ends(item, 0) | (heads[0] if isinstance(item, Feed) else frozenset()))
        gaps = []
        placed: list[Item] = []
        for k, (upper, lower) in enumerate(zip(tails, heads, strict=True)):
            met = {(one, two) for one in upper for two in lower if (one, two) in self._edges}
            self.shown |= met
            if not met:
                gaps.append(k)
            if k < len(items):
                item = items[k]
                placed.append(self._inside(item, upper, heads[k + 1]))
        return Flow(tuple(placed), tuple(gaps))

    def _inside(self, item: Item, above: frozenset[int], below: frozenset[int]) -> Item:
        if isinstance(item, int):
            return item
        if isinstance(item, Feed):
            return Feed(self.flow(item.flow.items, above, below))
        return Fork(tuple(self.flow(branch.items, above, below) for branch in item.branches))


def _ends(item: Item, place: int) -> frozenset[int]:
    """The boxes at the upper (place 0) or lower end (-1) of an item."""
    if isinstance(item, int):
        return frozenset((item,))
    flows = item.branches if isinstance(item, Fork) else (item.flow,)
    return frozenset().union(*(_ends(flow.items[place], place) for flow in flows))


def _wired(graph: Graph, items: list[Item], source: int, target: int) -> Flow:
    """The items with the lines between them, and an arc for each tensor that no line shows."""
    wires = _Wires(graph)
    flow = wires.flow(tuple(items), frozenset((source,)), frozenset((target,)))
    inside = {node for item in items for node in _nodes(item)}
    left = [
        (one, two)
        for one, two in sorted(graph.edges - wires.shown)
        if (one in inside or one == source) and (two in inside or two == target)
    ]
    return _with_arcs(flow, left, {source: -1, target: len(items)})


def _with_arcs(flow: Flow, edges: list[Edge], ends: dict[int, int]) -> Flow:
    """Puts each arc where both its ends are: in a branch if both are in the same one. ends: places beyond the items."""
    places = ends | {node: k for k, item in enumerate(flow.items) for node in _nodes(item)}
    deeper: dict[int, list[Edge]] = {}
    spans: set[tuple[int, int]] = set()
    for one, two in edges:
        if one not in places or two not in places:
            continue
        if places[one] == places[two]:
            deeper.setdefault(places[one], []).append((one, two))
        else:
            spans.add((places[one], places[two]))
    items = list(flow.items)
    for k, inner in deeper.items():
        item = items[k]
        assert not isinstance(item, int)
        if isinstance(item, Feed):
            items[k] = Feed(_with_arcs(item.flow, inner, {}))
        else:
            items[k] = Fork(tuple(_with_arcs(branch, inner, {}) for branch in item.branches))
    return flow._replace(items=tuple(items), arcs=tuple(_tracks(spans)))


def _tracks(spans: set[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Each arc on the track nearest to the boxes that is free; short ones first, so that they lie inside long ones."""
    tracks: list[list[tuple[int, int]]] = []
    for start, end in sorted(spans, key=lambda span: (span[1] - span[0], span)):
        track = 0
        while track < len(tracks) and any(start < other[1] and other[0] < end for other in tracks[track]):
            track += 1
        if track == len(tracks):
            tracks.append([])
        tracks[track].append((start, end))
        yield start, end, track
