"""The way from Python into a kernel, as LLVM's text: a function of one address, where addresses and shapes of arrays stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def text(name: str, inside: str, takes: Sequence[str], types: Sequence[str], sizes: Sequence[int]) -> str:
    """LLVM's text of the function `name`, which calls `inside`.

    takes : LLVM's types of what `inside` takes: places for a value and an error, and of each array its owner twice, how many
        numbers it has, bytes of each, its address, shape and steps; of a number itself.
    types : of the arrays and numbers, as in `Kernel`. sizes : bytes of a number of each.
    """
    pointer = "ptr" if takes[0] == "ptr" else "i64*"
    lines = ["%unused = alloca [16 x i64]", f"%place = ptrtoint {'ptr' if pointer == 'ptr' else '[16 x i64]*'} %unused to i64"]
    values, kinds, at = ["%place", "%place"], iter(takes), 0
    for n, (kind, size) in enumerate(zip(types, sizes, strict=True)):
        dimensions = int(kind[1:])
        for i in range(1 + dimensions):
            lines += [
                f"%at{at + i} = add i64 %packed, {8 * (at + i)}",
                f"%from{at + i} = inttoptr i64 %at{at + i} to {pointer}",
                f"%x{at + i} = load i64, {pointer} %from{at + i}",
            ]
        if dimensions:
            shape = [f"%x{at + 1 + i}" for i in range(dimensions)]
            values += ["0", "0", f"%all{n}_0", str(size), f"%x{at}", *shape, *(f"%step{n}_{i}" for i in range(dimensions))]
            lines += _steps(n, shape, size)
        else:
            values.append(f"number {at}")
        at += 1 + dimensions
    given = []
    for i, (value, kind) in enumerate(zip(values, kinds, strict=True)):
        if value.startswith("number"):
            where = value.split()[1]
            of = "ptr" if pointer == "ptr" else f"{kind}*"
            lines += [f"%of{i} = inttoptr i64 %x{where} to {of}", f"%value{i} = load {kind}, {of} %of{i}"]
            value = f"%value{i}"
        elif kind != "i64":
            lines.append(f"%value{i} = inttoptr i64 {value} to {kind}")
            value = f"%value{i}"
        given.append(f"{kind} {value}")
    lines += [f"%status = call i32 @{inside}({', '.join(given)})", "ret i32 %status"]
    body = "\n".join(lines)
    return f"declare i32 @{inside}({', '.join(takes)})\ndefine i32 @{name}(i64 %packed) {{\n{body}\n}}\n"


def _steps(n: int, shape: Sequence[str], size: int) -> Iterator[str]:
    """Bytes from one number to the next along each axis of an array in one piece, and how many numbers there are."""
    last = len(shape) - 1
    yield f"%all{n}_{last} = add i64 {shape[last]}, 0"
    yield f"%step{n}_{last} = add i64 {size}, 0"
    for i in reversed(range(last)):
        yield f"%all{n}_{i} = mul i64 %all{n}_{i + 1}, {shape[i]}"
        yield f"%step{n}_{i} = mul i64 %step{n}_{i + 1}, {shape[i + 1]}"
