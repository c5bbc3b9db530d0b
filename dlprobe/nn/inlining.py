"""How functions are compiled that kernels take in.

Numba optimises every function fully and makes machine code of it, also of one that is only there to
be linked into its callers, which do both again. Without that a cold cache is filled in five sixths
of the time, and there is one machine code of a function, that in its caller, whichever process
compiled it.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler


class _NoMemory:
    """In place of the code generator, for a function that has no place in memory."""

    def set_env(self, name: str, environment: Any) -> None:
        """Numba's place for what a function asks of the interpreter: each caller has its own."""


class InlinedLibrary(JITCodeLibrary):  # type: ignore[misc]
    """The code of one function, prepared for callers to link."""

    codegen = _NoMemory()

    def _optimize_final_module(self) -> None:
        """The first of numba's two rounds, which takes in what this function calls; after linking,
        callers go through both.
        """
        made = self._codegen._module_pass_manager(
            loop_vectorize=False, slp_vectorize=False, opt=0, cost="cheap"
        )
        passes, *builder = made if isinstance(made, tuple) else (made,)
        passes.run(self._final_module, *builder)

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Null: nobody calls it by its address."""
        self._ensure_finalized()
        return 0


class InlinedCompiler(Compiler):  # type: ignore[misc]
    """Numba's compiler, whose result is an InlinedLibrary."""

    def define_pipelines(self) -> Any:
        state = self.state
        state.library = InlinedLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        return super().define_pipelines()
