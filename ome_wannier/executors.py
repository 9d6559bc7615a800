"""Workers that share the k points: processes of this machine, Dask, MPI."""

from .common.executors import dask, mpi, processes

__all__ = ["dask", "mpi", "processes"]
