"""What stands behind, beside and inside what: a diagram taken apart into series of parts and parallel branches.

A level of a diagram is a line of parts in the order of execution. A part that no edge jumps over is passed by every
tensor; what lies between two such parts falls into branches, each a series again. An edge along the line is drawn
straight, every other one as an arc beside it. Where branches are tangled (dense connections), the longest edges become
arcs until what is left is a line: every graph has a plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from archdsl.emit.graph import Cluster, Diagram, Edge

Members = tuple[int | Cluster, ...]


class Link(NamedTuple):
    """An edge between two parts of a series, by their places: -1 comes from above, the number of parts goes below."""

    edge: int
    source: int
    target: int


class Series(NamedTuple):
    """Parts one behind the other.

    sides: what hangs beside the line. far: edges that are drawn from box to box, for no part leads to their ends.
    feeders: what comes into the line from beside it.
    """

    parts: tuple[Part, ...]
    links: tuple[Link, ...]
    sides: tuple[Side, ...] = ()
    far: tuple[int, ...] = ()
    feeders: tuple[Feeder, ...] = ()


class Feeder(NamedTuple):
    """A node that no part of its series leads to, and the one node that it goes to by an edge."""

    node: int
    edge: int
    target: int


class Frame(NamedTuple):
    """A cluster and its inside."""

    cluster: Cluster
    level: int
    inside: Series


class Parallel(NamedTuple):
    """Branches side by side."""

    branches: tuple[Series, ...]


class Side(NamedTuple):
    """A series that leads away from a part (-1: from above) by an edge (-1: by none)."""

    series: Series
    edge: int
    after: int


Part = int | Frame | Parallel


def nodes_of(part: Part) -> list[int]:
    """The nodes inside a part, those beside its line too."""
    if isinstance(part, int):
        return [part]
    inner = part.branches if isinstance(part, Parallel) else (part.inside,)
    return [node for series in inner for node in nodes_in(series)]


def nodes_in(series: Series) -> list[int]:
    """The nodes of a series and what hangs beside it."""
    inner = [node for part in series.parts for node in nodes_of(part)]
    beside = [node for side in series.sides for node in nodes_in(side.series)]
    return [*inner, *beside, *(feeder.node for feeder in series.feeders)]


def plan(diagram: Diagram, members: Members, edges: Iterable[int], main: int | None = None) -> Series:
    """The plan of some members of a diagram, with the edges that have an end in them. main: where the line ends."""
    return _Planner(diagram.edges).level(members, list(edges), 0, main)


def flat(members: Members) -> list[int]:
    """The nodes of members, those of inner frames too."""
    return [node for member in members for node in ((member,) if isinstance(member, int) else flat(member.members))]


class _Planner:
    def __init__(self, edges: tuple[Edge, ...]) -> None:
        self.edges = edges

    def level(self, members: Members, touching: list[int], depth: int, end: int | None) -> Series:
        """The series of one level. touching: the edges with an end in it; end: the node at which its line ends."""
        owner = {node: k for k, member in enumerate(members) for node in flat((member,))}
        entry, leaving = self._ports(owner, touching)
        end = leaving if leaving is not None else end if end is not None else max(owner)
        below: dict[int, list[int]] = {}
        links = []
        for edge in touching:
            source, target = owner.get(self.edges[edge].source), owner.get(self.edges[edge].target)
            if source is not None and source == target:
                below.setdefault(source, []).append(edge)
                continue
            for item in (source, target):
                if item is not None:
                    below.setdefault(item, []).append(edge)
            if source is not None and target is not None:
                links.append(Link(edge, source, target))
            elif target is not None and self.edges[edge].source == entry:
                links.append(Link(edge, -1, target))
            elif source is not None and self.edges[edge].source == leaving:
                links.append(Link(edge, source, len(members)))
        parts = [self._part(member, below.get(k, []), depth) for k, member in enumerate(members)]
        return self._line(parts, links, owner[end])

    def _ports(self, owner: Mapping[int, int], touching: list[int]) -> tuple[int | None, int | None]:
        """The node outside from which the line comes, and the one inside from which it goes on."""
        entering = [self.edges[k] for k in touching if self.edges[k].source not in owner]
        leaving = [self.edges[k] for k in touching if self.edges[k].target not in owner]
        first = min(entering, key=lambda edge: (edge.target, edge.skip), default=None)
        last = max(leaving, key=lambda edge: (not edge.aside, edge.source), default=None)
        return first.source if first else None, last.source if last else None

    def _part(self, member: int | Cluster, touching: list[int], depth: int) -> Part:
        if isinstance(member, int):
            return member
        return Frame(member, depth, self.level(member.members, touching, depth + 1, None))

    def _line(self, parts: Sequence[Part], links: list[Link], end: int) -> Series:
        """The main line, which leads to a part, and beside it what doesn't lead there."""
        main = _ancestors(end, links)
        line = decompose([parts[k] for k in main], _within(links, main, len(parts)))
        rest = [k for k in range(len(parts)) if k not in set(main)]
        if not rest:
            return line
        place = {node: k for k, part in enumerate(line.parts) for node in nodes_of(part)}
        sides, far = [], list(line.far)
        for group in _connected(rest, links):
            into = [link for link in links if link.target in group and link.source not in group]
            first = min(into, key=lambda link: (link.target, link.edge), default=None)
            source = self.edges[first.edge].source if first else -1
            straight = [link for link in into if self.edges[link.edge].source == source]
            inner = [link for link in links if link.source in group and link.target in group]
            entering = [Link(link.edge, -1, link.target) for link in straight]
            out = [link for link in links if link.source in group and link.target == len(parts)]
            series = decompose([parts[k] for k in group], _within([*inner, *entering, *out], group, len(parts)))
            far += [link.edge for link in into if link not in straight and link.source >= 0]
            sides.append(Side(series, first.edge if first else -1, place.get(source, -1)))
        return line._replace(sides=tuple(sides), far=tuple(far))


def decompose(parts: list[Part], links: list[Link]) -> Series:
    """A series of parts and of parallel branches; links by the places of the parts."""
    feeders = _feeders(parts, links)
    if feeders:
        kept = [k for k in range(len(parts)) if k not in feeders]
        line = decompose([parts[k] for k in kept], _within(links, kept, len(parts)))
        return line._replace(feeders=tuple(feeders.values()))
    active = list(links)
    regions = _regions(len(parts), active)
    while tangled := next((region for region in regions if _tangled(region, active)), None):
        active.remove(_longest(tangled, active))
        regions = _regions(len(parts), active)
    made: list[Part] = []
    place = {-1: -1}
    branch: dict[int, int] = {}
    for region in regions:
        place |= dict.fromkeys(region, len(made))
        if len(region) == 1:
            made.append(parts[region[0]])
            continue
        groups = _connected(region, active)
        branch |= {k: number for number, group in enumerate(groups) for k in group}
        series = [decompose([parts[k] for k in group], _reaching(group, active, links, len(parts))) for group in groups]
        made.append(Parallel(tuple(series)))
    place[len(parts)] = len(made)
    along = tuple(
        Link(link.edge, place[link.source], place[link.target])
        for link in links
        if place[link.source] != place[link.target]
    )
    across = (link for link in links if place[link.source] == place[link.target])
    far = tuple(link.edge for link in across if branch.get(link.source) != branch.get(link.target))
    return Series(tuple(made), along, (), far)


def _feeders(parts: list[Part], links: list[Link]) -> dict[int, Feeder]:
    """Places of nodes that no part leads to, which go to one other node while something else comes there."""
    into = Counter(link.target for link in links)
    found = {}
    for k, part in enumerate(parts):
        out = [link for link in links if link.source == k]
        if into[k] or len(out) != 1 or out[0].target == len(parts) or into[out[0].target] < 2:
            continue
        target = parts[out[0].target]
        if isinstance(part, int) and isinstance(target, int):
            found[k] = Feeder(part, out[0].edge, target)
    return found


def _regions(count: int, links: list[Link]) -> list[list[int]]:
    """The places one by one, and those together in a row that links jump over."""
    change = [0] * (count + 2)
    for link in links:
        if link.target - link.source > 1:
            change[link.source + 1] += 1
            change[link.target] -= 1
    regions: list[list[int]] = []
    over = before = 0
    for k in range(count):
        before, over = over, over + change[k]
        if over and before:
            regions[-1].append(k)
        else:
            regions.append([k])
    return regions


def _tangled(region: list[int], links: list[Link]) -> bool:
    """Whether several places in a row are no branches: they hang together."""
    return len(region) > 1 and len(_connected(region, links)) == 1


def _longest(region: list[int], links: list[Link]) -> Link:
    """The link around a region, or inside it, that goes furthest."""
    near = [link for link in links if link.source < region[-1] and link.target > region[0]]
    return max(near, key=lambda link: (link.target - link.source, -link.edge))


def _reaching(group: list[int], active: list[Link], links: list[Link], count: int) -> list[Link]:
    """The links of a branch by its own places: all inside, and those from the part before and to the part behind."""
    place = {k: new for new, k in enumerate(group)}
    inner = [link for link in links if link.source in place and link.target in place]
    into = [link for link in active if link.source not in place and link.target in place]
    out = [link for link in active if link.source in place and link.target not in place]
    return _within(
        [*inner, *(link._replace(source=-1) for link in into), *(link._replace(target=count) for link in out)],
        group,
        count,
    )


def _within(links: list[Link], kept: list[int], count: int) -> list[Link]:
    """The links among some of `count` places, from above and to below, by their places among these."""
    place = {k: new for new, k in enumerate(kept)} | {-1: -1, count: len(kept)}
    return [
        Link(link.edge, place[link.source], place[link.target])
        for link in links
        if link.source in place and link.target in place
    ]


def _ancestors(end: int, links: list[Link]) -> list[int]:
    """The places from which links lead to one, and that one, in order."""
    before: dict[int, list[int]] = {}
    for link in links:
        before.setdefault(link.target, []).append(link.source)
    found, waiting = {end}, [end]
    while waiting:
        for source in before.get(waiting.pop(), ()):
            if source >= 0 and source not in found:
                found.add(source)
                waiting.append(source)
    return sorted(found)


def _connected(places: list[int], links: list[Link]) -> list[list[int]]:
    """The places in groups that links among them hold together, each in order."""
    root = {k: k for k in places}

    def find(k: int) -> int:
        while root[k] != k:
            root[k] = root[root[k]]
            k = root[k]
        return k

    for link in links:
        if link.source in root and link.target in root:
            one, other = sorted((find(link.source), find(link.target)))
            root[other] = one
    groups: dict[int, list[int]] = {}
    for k in places:
        groups.setdefault(find(k), []).append(k)
    return list(groups.values())
