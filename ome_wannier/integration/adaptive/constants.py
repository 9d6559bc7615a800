"""What the cells of `rtol` go by; tolerance.md explains each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AdaptiveConstants:
    """What the cells of `rtol` go by; tolerance.md explains each."""

    #: velocities between the points may exceed those at the points by this factor
    margin: float = 1.5
    #: points whose levels move by no more than this many k_B T to the next one see every Fermi surface between them
    seen: float = 5.0
    #: peaks where bands nearly cross are resolved if points one step apart leave a smaller share of them; at the places of the
    #: others the model is evaluated, of one for so many points of a cell. Between full bands no Fermi level keeps cells small
    narrow: float = 0.1
    narrow_of_full: float = 0.01
    points_per_place: int = 4
    #: measures of cells are sorted into classes of powers of two within these bounds; where the sums of so many classes take
    #: more bytes than this, into wider ones
    classes: tuple[int, int] = (-40, 40)
    class_bytes: int = 2**27
    #: blocks that are computed or wait to be added, at the most
    waiting: int = 64
    #: points of a block, which one worker evaluates, at the most, and bytes that pass through it: some tenths of a second
    block: int = 4096
    block_bytes: int = 2**29
    #: share of the tolerance that cells may keep which are not halved in a generation
    kept: float = 0.5
    #: cells whose errors exceed those that may stay by this factor are halved along all directions with this share of the
    #: variation
    far: float = 8.0
    along: float = 1 / 8
    #: share of the zone that Fermi surfaces have to cross for a mesh to take the place of cells; how many times smaller cells
    #: are at the most when it is reckoned how many there will be; and by how much that falls short of what there are in the end
    most_of_zone: float = 0.5
    deepest: float = 64.0
    more: float = 4.0
    #: factor by which such a mesh is made coarser until it fits what is left, and how often at the most
    coarser_mesh: float = 0.98
    meshes: int = 64
    #: share of the odd null rules of degree 4, beside that of degree 5 (tolerance.md eq. 2)
    odd: float = 1 / 16
    #: standard deviations of the sum of errors that are independent, and share of the errors that add up at the most
    deviations: float = 3.0
    coherent: float = 0.2
    #: points of the default mesh along an edge of the cells to begin with
    points_per_cell: int = 4
    #: how often the edges of the first cells may be doubled where they do not fit the bounds
    coarser: int = 4
    #: share of the time that the first cells may take: their pace is that of one cell
    first: float = 0.7


ADAPTIVE = AdaptiveConstants()
