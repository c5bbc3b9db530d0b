"""Public functions that return numbers, drawn by a seed, as their documentation shows them.

A reader who does not know the code predicts shape, unit and value of each from this text alone.
"""

import argparse
import ast
import random
from collections.abc import Iterator
from pathlib import Path

NUMBERS = ("Floats", "float", "int", "ndarray", "Array", "Indices", "Ints", "bool")


def described(body: list[ast.stmt], heading: str) -> Iterator[str]:
    """The documented functions and methods of a module or class, each as one text."""
    for node in body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from described(
                node.body, f"{heading}\nclass {node.name}: {ast.get_docstring(node)}"
            )
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            returned, text = node.returns and ast.unparse(node.returns), ast.get_docstring(node)
            if text and returned and any(kind in returned for kind in NUMBERS):
                made = "".join(f"@{ast.unparse(line)}\n" for line in node.decorator_list)
                call = f"def {node.name}({ast.unparse(node.args)}) -> {returned}:"
                yield f'{heading}\n{made}{call}\n    """{text}"""'


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    candidates: list[str] = []
    for path in sorted(Path("dlprobe").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        candidates += described(tree.body, f"{path}: {ast.get_docstring(tree)}")
    for number, text in enumerate(random.Random(parser.parse_args().seed).sample(candidates, 20)):
        print(f"=== {number + 1}. {text}\n")
