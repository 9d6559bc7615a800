"""What sums over a uniform mesh go by, and what is said of their errors."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MeshConstants:
    """What sums over a uniform mesh go by, and what is said of their errors."""

    #: parts of the mesh that are summed for themselves and then added in order, whoever computes them; of small meshes as many
    #: as hold a quarter of the working set each, but `few_blocks` if there are rows enough; of large ones up to `most_blocks`,
    #: four for each of a thousand workers, if so many bytes of matrices (a sixth of a second) and so many points are in each
    blocks: int = 64
    few_blocks: int = 16
    most_blocks: int = 4096
    large_block: int = 2**29
    points_of_large: int = 64
    #: bytes of matrices that should pass for every byte of a block's histograms
    histogram_cost: int = 8
    #: levels that move by less than so many widths of the occupation (k_B T) from point to point leave errors of 0.002 at the
    #: most, which sub-meshes see; and those up to which they leave errors below 0.2 (tolerance.md eq. 7)
    resolved: float = 2.0
    fine: float = 4.0
    #: places of least gaps are at the most one for so many points of a part of the mesh, but one for each of a few
    points_per_place: int = 4
    few_places: int = 16
    #: eV; occupations that change over less than this are steps
    step: float = 1e-12
    #: Fermi levels at which this is summed, at the most; those between have the larger of the two next to them
    summed_levels: int = 64
    #: standard deviations of the scatter that are charged
    deviations: float = 2.0
    #: order of the differences between planes of points that leave out what is smooth; Fermi levels at which they are taken,
    #: at the most
    scatter_order: int = 4
    scatter_levels: int = 8
    #: share of a quantity that the points of a mesh may miss without a warning; points that no warning recommends, and points
    #: along a direction that none names
    coarse: float = 0.1
    too_many: int = 10**8
    too_fine: int = 10**5
    #: share of the largest value of a quantity beyond which what levels in doubt change is named in a warning
    worth: float = 1e-3


MESH = MeshConstants()
