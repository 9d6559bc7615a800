"""What is said of a layer that was rotated into axes: operations in the user's axes, others in axes that are named."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest
from test_layers_and_chains import turn

import ome_wannier as ome
from ome_wannier import plotting
from ome_wannier.calculators import get
from ome_wannier.integration.hamiltonian_symmetry import Group
from ome_wannier.models.alignment import axes_line
from ome_wannier.response.imposed_symmetry import forbidden
from ome_wannier.symmetry.operations import Operation, names_in

Q = turn((1, 2, 3), 0.7)
MIRROR, TWOFOLD = np.diag([-1.0, 1, 1]), np.diag([-1.0, 1, -1])


@pytest.fixture(scope="module")
def layers():
    """VSe2, and the same crystal turned."""
    flat = ome.load("vse2")
    given = {"position": flat.position @ Q.T, "periodic": flat.periodic, "structure": flat.structure, "name": "turned"}
    return flat, ome.TightBinding(flat.lattice @ Q.T, flat.R, flat.hamiltonian, **given)


def result(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ome.compute(model, (6, 6, 1), ["total", "extrinsic"], fermi=[-0.5], temperature=2000.0)


def axis_of(name: str) -> np.ndarray:
    return np.array([float(x) for x in name[name.index("(") + 1 : name.index(")")].split(",")])


def test_operations_have_the_names_of_the_users_axes(layers):
    """The axes of the flat layer, turned by Q: names have three digits, of axes whose largest component is 1."""
    flat, turned = (result(m).attrs["symmetry_operations"] for m in layers)
    assert len(flat) == len(turned)
    kinds = {re.sub(r"\(.*\)", "", name): axis_of(name) for name in flat if "(" in name}
    for name in turned:
        if "(" in name:
            want, found = Q @ kinds[re.sub(r"\(.*\)", "", name)], axis_of(name)
            assert np.linalg.norm(np.cross(want, found)) < 2e-3 * np.linalg.norm(found)


def test_reasons_have_the_users_axes(layers):
    """Tilted about x, along which it has a mirror, then turned so that x becomes y; the other mirror is that of the plane."""
    flat, Q = layers[0], turn((1, 1, 1), 2 * np.pi / 3) @ turn((1, 0, 0), 0.5)
    given = {"position": flat.position @ Q.T, "periodic": flat.periodic, "structure": flat.structure, "name": "tilted"}
    tilted = ome.TightBinding(flat.lattice @ Q.T, flat.R, flat.hamiltonian, **given)
    assert tilted.frame is not None
    normal = Q[:, 2] / Q[0, 2]
    assert normal[1] == pytest.approx(0)
    found = result(tilted)["extrinsic"].attrs
    reasons = {"mirror normal to (0, 1, 0) x time reversal", f"mirror normal to (1, 0, {normal[2]:.3g})"}
    assert set(found["forbidden_by"]) == reasons
    assert "yy" in found["forbidden"]


def test_what_is_forbidden_is_counted(layers):
    """By one mirror and by two, as for the flat layer, where the elements have names."""
    flat, turned = layers
    wanted = [get("total"), get("extrinsic")]
    one, group = [Operation(np.eye(3))], [Operation(np.eye(3)), Operation(MIRROR)]
    assert forbidden(flat, wanted, group, one) == "xx, yy, yz, zy, zz of total; xx, yy, zy of extrinsic"
    F = turned.frame @ Q  # from the flat layer's axes to those of the model
    moved = [Operation(F @ g.rotation @ F.T, g.time_reversal) for g in group]
    left = "all but 4 of the 9 independent combinations of total; all but 3 of the 6 independent combinations of extrinsic"
    assert forbidden(turned, wanted, moved, one) == left
    assert forbidden(turned, wanted, moved, moved) == ""
    both = [*group, Operation(np.diag([1.0, -1, 1])), Operation(np.diag([-1.0, -1, 1]))]
    moved = [Operation(F @ g.rotation @ F.T, g.time_reversal) for g in both]
    left = "all but 2 of the 9 independent combinations of total; all but 2 of the 6 independent combinations of extrinsic"
    assert forbidden(turned, wanted, moved, one) == left


def test_given_operations_are_named_as_they_were_given(layers):
    """In the user's axes, whatever axes the model has."""
    turned = layers[1]
    F = turned.frame
    given = Operation(Q @ TWOFOLD @ Q.T, -1)
    assert names_in([Operation(F @ given.rotation @ F.T, -1)], F) == [given.name]
    group = Group([Operation(np.eye(3)), Operation(F @ given.rotation @ F.T, -1)], [Operation(np.eye(3))], [], "given")
    assert group.about(turned)["symmetry_operations"] == ["identity", given.name]


def test_maps_name_their_axes(layers):
    flat, turned = (plotting.zone_map(m, "total", -0.5, c, (6, 6)) for m, c in zip(layers, ("zx", "xx"), strict=True))
    assert flat.axes[0].get_xlabel() == "$k_x$ (1/Å)"
    assert turned.axes[0].get_xlabel() == "$k_{x'}$ (1/Å)"
    assert turned.get_supxlabel() == axes_line(layers[1].frame)
    assert flat.get_supxlabel() == ""


def test_maps_hold_the_turned_tensor(layers):
    """All nine elements of the integrand at the same points of the lattice, turned back, are those of the flat layer."""
    k = np.random.default_rng(1).uniform(-0.5, 0.5, (5, 3)) * [1, 1, 0]
    flat, turned = (ome.tabulate(m, k, ["local"])["local"].values for m in layers)
    full = np.zeros((*flat.shape[:2], 3, 3))
    full[:, :, 2:, :2] = flat
    want = np.einsum("ia,knab,jb->knij", Q, full, Q)
    assert np.abs(turned - want).max() < 1e-9 * np.abs(want).max()


def test_axes_line():
    assert axes_line(None) == ""
    assert axes_line(np.eye(3)) == "x' = (1, 0, 0), y' = (0, 1, 0), z' = (0, 0, 1)"
